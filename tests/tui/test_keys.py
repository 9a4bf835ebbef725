"""Every key of the table does what its line in the help says."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
from textual.command import CommandPalette
from textual.pilot import Pilot

from locktop import keys
from locktop.app import LocktopApp
from locktop.screens.base import View
from locktop.screens.blocked import BlockedScreen
from locktop.screens.break_ import BreakScreen
from locktop.screens.columns import ColumnsScreen
from locktop.screens.contexts import ContextsScreen
from locktop.screens.details import DetailsScreen
from locktop.screens.events import EventsScreen
from locktop.screens.explain import ExplainScreen
from locktop.screens.help import HelpScreen
from locktop.screens.locks import LocksScreen
from locktop.screens.menu import MenuScreen
from locktop.screens.simulate import SimulateScreen
from locktop.screens.undo import ConfirmScreen, UndoScreen
from locktop.widgets.filter_bar import FilterBar
from locktop.widgets.panes import Scroller
from tui import (
    test_break,
    test_columns_sheet,
    test_contexts,
    test_details,
    test_explain_screen,
    test_lock_hands,
    test_replay,
    test_taking,
    test_undo,
)
from tui.look import console, cursor, lines, shown, table, text, until
from tui.scene import night

Check = Callable[[LocktopApp, Pilot[int]], Awaitable[None]]
LOCKS: dict[str, Check] = {}
HELP: dict[str, Check] = {}


def on(cases: dict[str, Check], *names: str) -> Callable[[Check], Check]:
    def keep(check: Check) -> Check:
        cases.update(dict.fromkeys(names, check))
        return check

    return keep


def _place(app: LocktopApp) -> int:
    return shown(app).index(cursor(app) or "")


async def _moves(app: LocktopApp, pilot: Pilot[int], key: str, *, start: int, to: int) -> None:
    table(app).move_to(start)
    await pilot.press(key)
    assert _place(app) == to


def _moving(key: str, start: int, to: Callable[[LocktopApp], int]) -> None:
    async def check(app: LocktopApp, pilot: Pilot[int]) -> None:
        await _moves(app, pilot, key, start=start, to=to(app))

    LOCKS[key] = check


for _key in ("j", "down"):
    _moving(_key, 3, lambda app: 4)
for _key in ("k", "up"):
    _moving(_key, 3, lambda app: 2)
for _key in ("g", "home"):
    _moving(_key, 9, lambda app: 0)
for _key in ("G", "end"):
    _moving(_key, 9, lambda app: len(shown(app)) - 1)
for _key in ("pagedown", "ctrl+f"):
    _moving(_key, 1, lambda app: 1 + table(app).page_rows)
for _key in ("pageup", "ctrl+b"):
    _moving(_key, 30, lambda app: 30 - table(app).page_rows)
_moving("ctrl+d", 0, lambda app: round(table(app).page_rows / 2))
_moving("ctrl+u", 20, lambda app: 20 - round(table(app).page_rows / 2))


@on(LOCKS, "slash")
async def _filter(app: LocktopApp, pilot: Pilot[int]) -> None:
    await pilot.press("slash", *"ReDiS")
    assert {table(app).rows[n].claim for n in range(len(shown(app)))} == {"shop/orders-redis"}
    assert "matching ReDiS" in text(app)
    await pilot.press("q", "backspace", "enter", "j")
    assert app.focused is table(app)
    assert _place(app) == 1


@on(LOCKS, "escape")
async def _escape(app: LocktopApp, pilot: Pilot[int]) -> None:
    everything = shown(app)
    await pilot.press("slash", *"redis", "enter")
    assert shown(app) != everything
    await pilot.press("escape")
    assert shown(app) == everything
    assert not app.screen.query_one(FilterBar).has_class("-open")
    await pilot.press("slash", *"redis", "escape")
    assert shown(app) == everything
    await pilot.press("j", "j", "escape")
    assert _place(app) == 0


@on(LOCKS, "s")
async def _sort(app: LocktopApp, pilot: Pilot[int]) -> None:
    await pilot.press("s")
    assert "by ttl" in text(app)
    times = [row.lock.modified_ns for row in table(app).rows if row.lock]
    assert times == sorted(times)  # type: ignore[type-var]
    await pilot.press("s")
    assert [row.volume.name for row in table(app).rows] == sorted(row.volume.name for row in table(app).rows)
    for _ in range(5):
        await pilot.press("s")
    assert "by attention" in text(app)


@on(LOCKS, "S")
async def _reverse(app: LocktopApp, pilot: Pilot[int]) -> None:
    before = shown(app)
    await pilot.press("S")
    assert shown(app) == before[::-1]
    assert "reversed" in text(app)
    await pilot.press("S")
    assert shown(app) == before


@on(LOCKS, "v")
async def _names(app: LocktopApp, pilot: Pilot[int]) -> None:
    assert lines(app)[4].startswith("▌▲ pvc-")
    await pilot.press("v")
    assert lines(app)[4].startswith("▌▲ shop/orders-redis")
    await pilot.press("v")
    assert lines(app)[4].startswith("▌▲ pvc-")


@on(LOCKS, "enter")
async def _details(app: LocktopApp, pilot: Pilot[int]) -> None:
    await pilot.press("j", "enter")
    assert isinstance(app.screen, DetailsScreen)
    assert '{"Name":"lock-9f2c41d07be35a18","Type":1,"Acquired":true}' in text(app)


@on(LOCKS, "a")
async def _simulate(app: LocktopApp, pilot: Pilot[int]) -> None:
    await pilot.press("a")
    await until(pilot, lambda: isinstance(app.screen, SimulateScreen))
    await pilot.press("1")
    await until(pilot, lambda: isinstance(app.screen, LocksScreen))


@on(LOCKS, "y")
async def _copy(app: LocktopApp, pilot: Pilot[int]) -> None:
    await pilot.press("y")
    assert app.clipboard == cursor(app)
    await until(pilot, lambda: "copied backupstore/volumes" in text(app))


async def _pause(app: LocktopApp, pilot: Pilot[int], key: str) -> None:
    await pilot.press(key)
    assert app.status.paused
    assert "PAUSED" in text(app)
    await pilot.press(key)
    assert not app.status.paused
    assert "LIVE" in text(app)


async def _look_now(app: LocktopApp, pilot: Pilot[int], key: str) -> None:
    before = app.status.board
    await pilot.press(key)
    await until(pilot, lambda: app.status.board is not before)


async def _faster(app: LocktopApp, pilot: Pilot[int], key: str) -> None:
    for _ in range(2):
        await pilot.press(key)
        assert "LIVE 1s" in text(app)


async def _slower(app: LocktopApp, pilot: Pilot[int], key: str) -> None:
    await pilot.press(key)
    assert "LIVE 5s" in text(app)


async def _help(app: LocktopApp, pilot: Pilot[int], key: str) -> None:
    await pilot.press(key)
    assert isinstance(app.screen, HelpScreen)


async def _redraw(app: LocktopApp, pilot: Pilot[int], key: str) -> None:
    before = text(app)
    await pilot.press(key)
    assert text(app) == before


async def _to_the_locks(app: LocktopApp, pilot: Pilot[int]) -> None:
    """A view is left as it was found; its number pressed again leads out of what is open in it."""
    await pilot.press("1")
    await until(pilot, lambda: app.current_mode == "locks")
    if not isinstance(app.screen, LocksScreen):
        await pilot.press("1")
    await until(pilot, lambda: isinstance(app.screen, LocksScreen))


async def _views(app: LocktopApp, pilot: Pilot[int], key: str) -> None:
    await pilot.press(key)
    wanted = list(keys.VIEWS)[int(key) - 1]
    await until(pilot, lambda: isinstance(app.screen, View) and wanted == app.screen.VIEW)
    await _to_the_locks(app, pilot)


async def _palette(app: LocktopApp, pilot: Pilot[int], key: str) -> None:
    await pilot.press(key)
    await until(pilot, lambda: isinstance(app.screen, CommandPalette))
    await until(pilot, lambda: "the view Blocked" in text(app))
    await pilot.press(*"view", "space", *"eve")
    await until(pilot, lambda: "the view Blocked" not in text(app))
    await until(pilot, lambda: "the view Events" in text(app))
    await pilot.press("enter")
    await until(pilot, lambda: isinstance(app.screen, EventsScreen))
    await _to_the_locks(app, pilot)


async def _explain(app: LocktopApp, pilot: Pilot[int], key: str) -> None:
    await pilot.press(key)
    assert isinstance(app.screen, ExplainScreen)
    await pilot.press("escape")
    assert not isinstance(app.screen, ExplainScreen)


async def _contexts(app: LocktopApp, pilot: Pilot[int], key: str) -> None:
    await pilot.press(key)
    assert isinstance(app.screen, ContextsScreen)


async def _themes(app: LocktopApp, pilot: Pilot[int], key: str) -> None:
    await pilot.press(key)
    await until(pilot, lambda: isinstance(app.screen, CommandPalette) and "catppuccin-latte" in text(app))
    await pilot.press("escape")
    await until(pilot, lambda: not isinstance(app.screen, CommandPalette))


async def _menu(app: LocktopApp, pilot: Pilot[int], key: str) -> None:
    await pilot.press(key)
    await until(pilot, lambda: isinstance(app.screen, MenuScreen))
    await pilot.press("escape")
    await until(pilot, lambda: not isinstance(app.screen, MenuScreen))


_copy_menu = _export = _menu

EVERYWHERE = {
    **dict.fromkeys("1234", _views),
    "colon": _palette,
    "ctrl+p": _palette,
    "m": _explain,
    "p": _pause,
    "r": _look_now,
    "plus": _faster,
    "equals_sign": _faster,
    "minus": _slower,
    "C": _contexts,
    "T": _themes,
    "Y": _copy_menu,
    "E": _export,
    "question_mark": _help,
    "f1": _help,
    "ctrl+l": _redraw,
}


@on(HELP, "escape", "question_mark", "f1", "enter")
async def _close_help(app: LocktopApp, pilot: Pilot[int]) -> None:
    for key in ("escape", "question_mark", "f1", "enter"):
        await pilot.press("question_mark")
        assert isinstance(app.screen, HelpScreen)
        await pilot.press(key)
        assert not isinstance(app.screen, HelpScreen)


@on(HELP, "j", "down", "k", "up")
async def _scroll_help(app: LocktopApp, pilot: Pilot[int]) -> None:
    await pilot.resize_terminal(80, 14)
    await pilot.press("question_mark")
    sheet = app.screen.query_one(Scroller)
    await until(pilot, lambda: sheet.max_scroll_y > 3)
    await pilot.press("j", "down", "k")
    await pilot.pause()
    assert sheet.scroll_offset.y == 1
    await pilot.press("up")
    await pilot.pause()
    assert sheet.scroll_offset.y == 0


async def _fresh(app: LocktopApp, pilot: Pilot[int]) -> None:
    """Back to how the console opened."""
    while len(app.screen_stack) > 1:
        await pilot.press("escape")
    await pilot.press("escape", "escape")


async def test_keys_of_the_table() -> None:
    async with console(night().session()) as (app, pilot):
        for check in dict.fromkeys(LOCKS.values()):
            await check(app, pilot)
            await _fresh(app, pilot)


async def test_keys_of_the_help() -> None:
    async with console(night().session()) as (app, pilot):
        for check in dict.fromkeys(HELP.values()):
            await check(app, pilot)
            await _fresh(app, pilot)


@pytest.mark.parametrize("view", ["locks", "details"])
async def test_keys_that_work_everywhere(view: str) -> None:
    async with console(night().session()) as (app, pilot):
        for key, check in EVERYWHERE.items():
            app.session.set_interval(2)
            if view == "details":
                await pilot.press("enter")
            await check(app, pilot, key)
            await _fresh(app, pilot)


@pytest.mark.parametrize(
    ("key", "before"),
    [("q", ()), ("q", ("enter",)), ("q", ("question_mark",)), ("ctrl+c", ()), ("ctrl+q", ())],
)
async def test_quitting_from_anywhere(key: str, before: tuple[str, ...]) -> None:
    async with console(night().session()) as (app, pilot):
        await pilot.press(*before)
        await pilot.press(key)
        await until(pilot, lambda: app.return_code is not None)
        assert app.return_code == 0


async def test_ctrl_c_quits_while_a_filter_is_typed() -> None:
    async with console(night().session()) as (app, pilot):
        await pilot.press("slash", "q", "j")
        assert app.return_code is None
        await pilot.press("ctrl+c")
        await until(pilot, lambda: app.return_code is not None)


def test_no_key_goes_untested() -> None:
    # Suspending needs a terminal: tests/tui/test_terminal.py.
    tested = {
        "locks": {*LOCKS, *test_lock_hands.KEYS, "x"},
        "columns": {*test_columns_sheet.KEYS},
        "contexts": set(test_contexts.KEYS),
        "details": {*test_details.KEYS, "x"},
        "break": set(test_break.KEYS),
        "undo": test_undo.KEYS,
        "confirm": test_undo.CONFIRM_KEYS,
        "menu": test_taking.KEYS,
        "help": {*HELP, "q"},
        "explain": set(test_explain_screen.KEYS),
        "app": {*EVERYWHERE, *test_replay.KEYS, "q", "u", "ctrl+q", "ctrl+c", "ctrl+z"},
    }
    for place, names in tested.items():
        bound = {key for entry in keys.KEYS if entry.place == place for key in entry.keys.split(",")}
        assert bound == names, place


def test_every_action_exists() -> None:
    places = {
        "app": LocktopApp,
        "locks": LocksScreen,
        "details": DetailsScreen,
        "blocked": BlockedScreen,
        "simulate": SimulateScreen,
        "events": EventsScreen,
        "explain": ExplainScreen,
        "break": BreakScreen,
        "undo": UndoScreen,
        "confirm": ConfirmScreen,
        "columns": ColumnsScreen,
        "contexts": ContextsScreen,
        "menu": MenuScreen,
        "help": HelpScreen,
    }
    for entry in keys.KEYS:
        scope, _, action = entry.action.partition("(")[0].rpartition(".")
        assert hasattr(places[scope or entry.place], f"action_{action}"), entry


def test_nothing_dangerous_is_bound_in_read_only_mode() -> None:
    danger = keys.Key("break_lock", "x", "x", "break", "ACT", "locks", "break", dangerous=True)
    every = (*keys.KEYS, danger)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keys, "KEYS", every)
        assert "x" in {binding.key for binding in keys.bindings("locks", read_only=False)}  # type: ignore[union-attr]
        assert "x" not in {binding.key for binding in keys.bindings("locks")}  # type: ignore[union-attr]


async def test_a_click_selects_and_a_double_click_opens() -> None:
    async with console(night().session()) as (app, pilot):
        await pilot.click(table(app), offset=(20, 5))
        assert _place(app) == 4
        await pilot.click(table(app), offset=(20, 7), times=2)
        await until(pilot, lambda: isinstance(app.screen, DetailsScreen))


async def test_a_click_below_the_rows_does_nothing() -> None:
    async with console(night(held=0).session()) as (app, pilot):
        table(app).move_to(3)
        await pilot.click(table(app), offset=(20, 18))
        assert _place(app) == 3


async def test_a_click_in_the_footer_is_the_key() -> None:
    async with console(night().session()) as (app, pilot):
        at = lines(app)[-1].index("? help")
        await pilot.click("FooterBar", offset=(at, 0))
        assert isinstance(app.screen, HelpScreen)


async def test_the_wheel_scrolls_and_leaves_the_cursor() -> None:
    async with console(night().session()) as (app, pilot):
        await pilot.press("j")
        before = cursor(app)
        table(app).scroll_down(animate=False)
        await until(pilot, lambda: table(app).scroll_offset.y > 0)
        assert cursor(app) == before
