"""Pictures of the console, made from the real application on a store that is always the same.

    PYTHONPATH=core:console:tests python screenshots/make.py [folder]

writes SVG files. Nothing is drawn by hand.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path

for variable in ("TEXTUAL_THEME", "NO_COLOR"):
    os.environ.pop(variable, None)
os.environ["LC_ALL"] = "C.UTF-8"

from textual.events import Paste  # noqa: E402
from textual.pilot import Pilot  # noqa: E402

from backuplock import layout  # noqa: E402
from locktop.app import LocktopApp  # noqa: E402
from locktop.screens.break_ import BreakScreen  # noqa: E402
from locktop.widgets.message_box import MessageBox  # noqa: E402
from tui.breaking import quiet, session_on  # noqa: E402
from tui.scene import Scene, night, uuid_volume  # noqa: E402

Drive = Callable[[Pilot[int]], Awaitable[None]]


async def nothing(_: Pilot[int]) -> None:
    """As it opens."""


async def middle(pilot: Pilot[int]) -> None:
    """A few rows down."""
    await pilot.press("j", "j")


async def volume(pilot: Pilot[int]) -> None:
    """A volume where one lock keeps another waiting."""
    await pilot.press("slash", *"gitea", "enter", "j", "enter")


async def blocked(pilot: Pilot[int]) -> None:
    """What is blocked."""
    await pilot.press("2")


async def simulate(pilot: Pilot[int]) -> None:
    """A deletion that would be refused."""
    await pilot.press("slash", *"gitea", "enter", "a", "right")


async def events(pilot: Pilot[int]) -> None:
    """What has just happened."""
    await pilot.press("4")


async def explain(pilot: Pilot[int]) -> None:
    """From a message to the blocker."""
    await pilot.press("m")
    key = layout.lock_key(uuid_volume(5), "lock-5f3e1d2c4b6a7980")
    words = "when performing backup create/restore, please try again later."
    pilot.app.screen.query_one(MessageBox).post_message(Paste(f"failed to acquire lock {key} {words}"))


async def filtered(pilot: Pilot[int]) -> None:
    """The locks of one namespace."""
    await pilot.press("slash", *"shop")


async def help_(pilot: Pilot[int]) -> None:
    """The help."""
    await pilot.press("question_mark")


async def breaking(pilot: Pilot[int]) -> None:
    """A dead lock about to be broken: its name is being typed."""
    await pilot.press("x")
    screen = pilot.app.screen
    assert isinstance(screen, BreakScreen)
    await shown(pilot, lambda: screen.form.proposal is not None)
    await pilot.press("tab", *screen.form.to_type, "tab", *"node-221 is gone")


SHOTS: tuple[tuple[str, tuple[int, int], Drive], ...] = (
    ("locks", (120, 36), middle),
    ("locks", (80, 24), middle),
    ("locks", (180, 44), middle),
    ("volume", (120, 36), volume),
    ("volume", (80, 24), volume),
    ("blocked", (120, 36), blocked),
    ("simulate", (120, 36), simulate),
    ("events", (80, 24), events),
    ("explain", (120, 36), explain),
    ("filter", (120, 36), filtered),
    ("help", (80, 24), help_),
    ("break", (120, 36), breaking),
)


async def shown(pilot: Pilot[int], done: Callable[[], bool]) -> None:
    """Wait for it, ten seconds at most."""
    for _ in range(500):
        if done():
            return
        await pilot.pause(0.02)


async def happen(app: LocktopApp, scene: Scene, pilot: Pilot[int]) -> None:
    """Some minutes of a night: requests, locks that are granted, released, missed."""
    for step in range(6):
        scene.advance(20)
        scene.lock(uuid_volume(40 + step), 0, 1 + step % 2, acquired=step % 3 != 0)
        before = app.status.board
        app.action_refresh_now()
        await shown(pilot, lambda before=before: app.status.board is not before)  # type: ignore[misc]


async def shoot(size: tuple[int, int], drive: Drive) -> str:
    """One picture, as SVG."""
    scene = quiet(night())
    with tempfile.TemporaryDirectory() as trail:
        session = session_on(scene, Path(trail)) if drive is breaking else scene.session()
        return await shot(scene, LocktopApp(session), size, drive)


async def shot(scene: Scene, app: LocktopApp, size: tuple[int, int], drive: Drive) -> str:
    """The picture itself."""
    async with app.run_test(size=size) as pilot:
        await shown(pilot, lambda: app.status.board is not None)
        if drive is events:
            await happen(app, scene, pilot)
        await drive(pilot)
        await pilot.pause(0.5)
        picture = app.export_screenshot(title="locktop")
        # Else some programs (librsvg) drop blanks at the ends of a text, even those that may not be broken.
        return picture.replace("<svg ", '<svg xml:space="preserve" ', 1)


def main() -> None:
    """Make all pictures."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent
    folder.mkdir(parents=True, exist_ok=True)
    for name, size, drive in SHOTS:
        path = folder / f"{name}-{size[0]}x{size[1]}.svg"
        path.write_text(asyncio.run(shoot(size, drive)))
        print(path.name)


if __name__ == "__main__":
    main()
