"""The chooser of columns: applied at once, VOLUME stays, by keyboard and by mouse."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
from textual.pilot import Pilot

from locktop.app import LocktopApp
from locktop.columns import COLUMNS, EXTRA
from locktop.messages import ColumnsChosen
from locktop.screens.columns import CheckList, ColumnsScreen
from locktop.screens.locks import LocksScreen
from tui.lists import compare
from tui.look import console, look_again, shown, table, text, until
from tui.scene import Scene, night

USUAL = {column.id for column in COLUMNS} - EXTRA - {"context"}
KEYS: dict[str, Callable[[LocktopApp, Pilot[int]], Awaitable[None]]] = {}


def _sheet(app: LocktopApp) -> CheckList:
    return app.screen.query_one(CheckList)


def _wanted(app: LocktopApp) -> set[str]:
    return {column.id for column in COLUMNS} - table(app).wish.hidden


async def _moves(app: LocktopApp, pilot: Pilot[int]) -> None:
    await pilot.press("j", "down", "k", "j", "j")
    assert _sheet(app).cursor == "state"
    await pilot.press("up", "k", "k", "k", "k")
    assert _sheet(app).cursor == "volume"


async def _toggles(app: LocktopApp, pilot: Pilot[int]) -> None:
    await pilot.press("j", "j", "space")
    await until(pilot, lambda: "type" not in _wanted(app))
    assert " TYPE " not in text(app).split("Columns", 1)[0]
    assert "[ ] TYPE" in text(app)
    await pilot.press("space")
    await until(pilot, lambda: "type" in _wanted(app))


async def _usual(app: LocktopApp, pilot: Pilot[int]) -> None:
    await pilot.press("j", "space", "j", "space")
    await until(pilot, lambda: _wanted(app) == USUAL - {"claim", "type"})
    await pilot.press("d")
    await until(pilot, lambda: _wanted(app) == USUAL)


async def _closes(app: LocktopApp, pilot: Pilot[int]) -> None:
    for key in ("escape", "enter", "c"):
        assert isinstance(app.screen, ColumnsScreen)
        await pilot.press(key)
        assert isinstance(app.screen, LocksScreen)
        await pilot.press("c")


KEYS.update(dict.fromkeys(("j", "k", "down", "up"), _moves))
KEYS.update({"space": _toggles, "d": _usual})
KEYS.update(dict.fromkeys(("escape", "enter", "c"), _closes))


@pytest.mark.parametrize("check", dict.fromkeys(KEYS.values()))
async def test_keys_of_the_sheet(check: Callable[[LocktopApp, Pilot[int]], Awaitable[None]]) -> None:
    async with console(night().session()) as (app, pilot):
        await pilot.press("c")
        await check(app, pilot)


async def test_the_volume_cannot_be_taken_away() -> None:
    async with console(night().session()) as (app, pilot):
        await pilot.press("c", "space")
        await until(pilot, lambda: "VOLUME stays" in text(app))
        assert "volume" in _wanted(app)


async def test_a_click_decides_and_one_message_tells_it(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[frozenset[str]] = []
    real = LocksScreen.on_columns_chosen

    def heard(self: LocksScreen, message: ColumnsChosen) -> None:
        told.append(message.hidden)
        real(self, message)

    monkeypatch.setattr(LocksScreen, "on_columns_chosen", heard)
    async with console(night().session()) as (app, pilot):
        await pilot.press("c")
        await pilot.click(CheckList, offset=(10, 5))
        await until(pilot, lambda: told)
        assert told == [EXTRA | {"ttl"}]
        assert _sheet(app).cursor == "ttl"
        await pilot.click(CheckList, offset=(10, 0))
        await pilot.pause()
        assert len(told) == 1


async def test_the_order_rests_while_the_sheet_is_open() -> None:
    scene = night()
    async with console(scene.session()) as (app, pilot):
        before = shown(app)
        await pilot.press("c")
        new = scene.lock(scene.volume("pvc-new"), 400)
        await look_again(app, pilot)
        assert shown(app) == [*before, new]
        assert "order held" in text(app)
        await pilot.press("escape")
        await look_again(app, pilot)
        assert shown(app)[1] == new
        assert "order held" not in text(app)


async def test_what_the_session_itself_has_seen() -> None:
    scene = Scene()
    key = scene.lock("pvc-one", 20)
    async with console(scene.session()) as (app, pilot):
        app.get_screen_stack("locks")[0].post_message(ColumnsChosen(frozenset()))
        await until(pilot, lambda: "REFRESHES" in text(app))
        row = next(line for line in text(app).splitlines() if "pvc-one" in line)
        assert row.split()[-4:] == ["UNSEEN", "03:04:05", "0", "delete"]
        for _ in range(2):
            scene.advance(50)
            blob = scene.store.read(key)
            assert blob is not None
            scene.store.put(key, blob.body)
            await look_again(app, pilot)
        row = next(line for line in text(app).splitlines() if "pvc-one" in line)
        assert row.split()[-4:] == ["LIVE", "03:04:05", "2", "delete"]
        scene.advance(160)
        await look_again(app, pilot)
        row = next(line for line in text(app).splitlines() if "pvc-one" in line)
        assert row.split()[-4:] == ["STALE", "03:04:05", "2", "-"]


@pytest.mark.parametrize("plain", [False, True])
async def test_the_sheet_looks_as_it_was_approved(plain: bool) -> None:
    async with console(night().session(), ascii_only=plain) as (app, pilot):
        await pilot.press("c", "j", "j", "space")
        await until(pilot, lambda: "type" not in _wanted(app))
        for size in ((120, 36), (80, 24), (60, 12)):
            await pilot.resize_terminal(*size)
            await pilot.pause()
            await compare(app, pilot, "columns", f"{size[0]}x{size[1]}{'-ascii' * plain}")
