"""How the screens look, colours included. Text goldens say what stands there; these say that it is pleasant.

After a wanted change: `pytest tests/tui/test_snapshots.py --snapshot-update`, then look at the pictures.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
import textual
from textual.pilot import Pilot

from backuplock.errors import Unreachable
from locktop.app import LocktopApp
from tui.look import until
from tui.scene import night

DRAWN_WITH = "8.2.8"
"""Textual's SVG export differs in details from release to release."""

pytestmark = pytest.mark.skipif(
    textual.__version__ != DRAWN_WITH,
    reason=f"the pictures were drawn with textual {DRAWN_WITH}, this is {textual.__version__}",
)

Compare = Callable[..., bool]
Before = Callable[[Pilot[int]], Awaitable[None]]


def _then(*keys: str) -> Before:
    async def before(pilot: Pilot[int]) -> None:
        app = pilot.app
        assert isinstance(app, LocktopApp)
        await until(pilot, lambda: app.status.board)
        await pilot.press(*keys)
        await pilot.pause()

    return before


def test_the_locks(snap_compare: Compare) -> None:
    assert snap_compare(LocktopApp(night().session()), terminal_size=(120, 36), run_before=_then("j", "j"))


def test_the_locks_in_80x24(snap_compare: Compare) -> None:
    assert snap_compare(LocktopApp(night().session()), terminal_size=(80, 24), run_before=_then("j"))


def test_the_help(snap_compare: Compare) -> None:
    app = LocktopApp(night().session())
    assert snap_compare(app, terminal_size=(80, 24), run_before=_then("question_mark"))


def test_outdated_data(snap_compare: Compare) -> None:
    scene = night()
    broken = False

    def open_store() -> object:
        class Store:
            def __getattr__(self, name: str) -> object:
                if broken and name == "list":
                    raise Unreachable("s3.example does not answer", advice="is the network up?")
                return getattr(scene.store, name)

        return Store()

    app = LocktopApp(scene.session(open_store=open_store))  # type: ignore[arg-type]

    async def before(pilot: Pilot[int]) -> None:
        nonlocal broken
        await until(pilot, lambda: app.status.board)
        broken = True
        scene.advance(74)
        app.session.refresh_now()
        await until(pilot, lambda: app.status.failure)
        await pilot.pause()

    assert snap_compare(app, terminal_size=(120, 36), run_before=before)
