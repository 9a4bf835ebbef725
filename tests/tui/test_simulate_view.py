"""The Simulate view: it says what the command says, and writes nothing; its keys, looks, hostile names."""

from __future__ import annotations

import shlex
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from backuplock.clock import SystemClock
from backuplock.model import Operation, VolumeView
from backuplock.stores.base import Store
from backuplock.stores.filesystem import FilesystemStore
from harness.builders import Fleet, Lock, Volume, write_all
from harness.commands import fingerprint, run
from locktop import keys
from locktop.app import LocktopApp
from locktop.messages import ChoiceMade, Foretold, SimulateRequested
from locktop.output import simulate_json
from locktop.scenario import Form, command
from locktop.screens.locks import LocksScreen
from locktop.screens.simulate import SimulateScreen
from locktop.session import Session
from locktop.settings import Usage
from locktop.widgets.form import Choice
from locktop.widgets.panes import Scroller
from locktop.widgets.picker import Picker
from tui.lists import compare
from tui.look import console, cursor, lines, look_again, table, text, until
from tui.scene import Scene, night, uuid_volume

Check = Callable[[LocktopApp, Pilot[int]], Awaitable[None]]
KEYS: dict[str, Check] = {}
SIZES = {"120x36": (120, 36), "80x24": (80, 24), "60x12": (60, 12), "180x44": (180, 44)}
HOSTILE = ("[bold red]", "\x1b]0;owned\x07\u202e漢字", "\x1b[2J")
LONG = "pvc-" + "x" * 240


def on(*names: str) -> Callable[[Check], Check]:
    def keep(check: Check) -> Check:
        KEYS.update(dict.fromkeys(names, check))
        return check

    return keep


def view(app: LocktopApp) -> SimulateScreen:
    screen = app.screen
    assert isinstance(screen, SimulateScreen)
    return screen


async def settled(app: LocktopApp, pilot: Pilot[int]) -> None:
    """All that was filled in has been played."""
    await pilot.pause()
    await until(pilot, lambda: not view(app).playing)
    await pilot.pause()


@asynccontextmanager
async def simulating(
    scene: Scene, volume: str, size: tuple[int, int] = (120, 36), *, ascii_only: bool = False
) -> AsyncIterator[tuple[LocktopApp, Pilot[int]]]:
    """A console that shows how operations on a volume would fare."""
    async with console(scene.session(), size, ascii_only=ascii_only) as (app, pilot):
        await open_on(app, pilot, volume)
        yield app, pilot


async def open_on(app: LocktopApp, pilot: Pilot[int], volume: str) -> None:
    await app.simulate(volume)
    await until(pilot, lambda: isinstance(app.screen, SimulateScreen) and view(app).told)
    await settled(app, pilot)


async def choose(app: LocktopApp, pilot: Pilot[int], which: str, value: str) -> None:
    found = view(app).query_one("#" + which, Choice)
    found.focus()
    for _ in range(20):
        if found.value == value:
            return
        await pilot.press("right")
    raise AssertionError(f"{which} does not offer {value}")


async def type_in(app: LocktopApp, pilot: Pilot[int], which: str, words: str) -> None:
    view(app).query_one("#" + which, Input).focus()
    await pilot.press(*(["plus" if one == "+" else one for one in words]))


# -- the same as the command


@dataclass(frozen=True)
class Case:
    """A volume, the flags of the command, and the fields of the form that say the same. `locks` are chosen
    by field: name and instant."""

    volume: str
    flags: tuple[str, ...]
    operation: str
    also: str = ""
    times: dict[str, str] = field(default_factory=dict)
    locks: dict[str, str] = field(default_factory=dict)


CASES = {
    "free": Case("pvc-free", ("--op", "backup"), "backup"),
    "expired": Case("pvc-dead", ("--op", "delete"), "delete"),
    "in the way": Case("pvc-alive", ("--op", "delete"), "delete"),
    "same type": Case("pvc-alive", ("--op", "restore", "--lasts", "20m"), "restore", times={"lasts": "20m"}),
    "crash": Case(
        "pvc-free",
        ("--op", "delete", "--at", "+90s", "--lasts", "20m", "--crash-after", "5m"),
        "delete",
        times={"at": "+90s", "lasts": "20m", "crash": "5m"},
    ),
    "waits until it is released": Case(
        "pvc-alive",
        ("--op", "delete", "--timeout", "5m", "--released", "lock-live@+60s"),
        "delete",
        times={"patience": "5m", "released-at": "60"},
        locks={"released": "lock-live"},
    ),
    "its holder dies": Case(
        "pvc-alive",
        ("--op", "delete", "--timeout", "10m", "--holder-dies", "lock-live"),
        "delete",
        times={"patience": "10m"},
        locks={"dies": "lock-live"},
    ),
    "broken, and alive": Case(
        "pvc-alive",
        ("--op", "delete", "--after-break", "lock-live@+10s", "--at", "+15s", "--lasts", "10m"),
        "delete",
        times={"broken-at": "+10s", "at": "15", "lasts": "10m"},
        locks={"broken": "lock-live"},
    ),
    "another client": Case(
        "pvc-free",
        ("--op", "backup", "--lasts", "20m", "--also", "delete@+10s"),
        "backup",
        also="delete",
        times={"lasts": "20m", "also-at": "+10s"},
    ),
    "a queue": Case("pvc-queue", ("--op", "backup"), "backup"),
    "unreadable": Case("pvc-bad", ("--op", "backup"), "backup"),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A store on disk with a volume of each kind."""
    names = ("pvc-alive", "pvc-bad", "pvc-dead", "pvc-free", "pvc-queue")
    made = Fleet(
        tuple(Volume(name, "shop", name.removeprefix("pvc-"), "web") for name in names),
        (
            Lock("pvc-alive", "lock-live", 1, age_s=5),
            Lock("pvc-dead", "lock-gone", 1, age_s=4000),
            Lock("pvc-queue", "lock-del", 2, age_s=4),
            Lock("pvc-queue", "lock-asks", 1, acquired=False, age_s=2),
            Lock("pvc-bad", "lock-odd", 7, age_s=2),
        ),
    )
    write_all(tmp_path, made, time.time_ns())
    return tmp_path


def session_on(folder: Path) -> Session:
    return Session(
        lambda: FilesystemStore(folder),
        label="disk",
        url=f"vfs://{folder}",
        interval_s=3600,
        clock=SystemClock(),
    )


def lasting(document: dict[str, Any]) -> dict[str, Any]:
    """What of a forecast does not depend on the second in which it was made."""
    found = document["forecasts"]
    assert len(found) == 1
    one = found[0]
    return {
        **{key: one[key] for key in ("volume", "operation", "result", "doubt", "assumed")},
        "granted": one["granted_after"] is not None,
        "attempts": [(a["client"], a["granted"], a["blockers"]) for a in one["attempts"][-1:]],
        "lanes": [
            (
                lane["lock"],
                lane["client"],
                lane["label"],
                lane["type"],
                {step["act"] for step in lane["steps"]},
            )
            for lane in one["lanes"]
        ],
        "counts": document["counts"],
    }


async def fill_in(app: LocktopApp, pilot: Pilot[int], case: Case) -> None:
    """Fill in the form, as if by hand; what was in it before goes."""
    screen = view(app)
    for which in ("also", "dies", "released", "broken"):
        await choose(app, pilot, which, "")
    for found in screen.query(Input):
        found.value = case.volume if found.id == "volume" else ""
    await settled(app, pilot)
    board = app.status.board
    assert board is not None
    locks = {lock.stem: key for key, lock in board.snapshot.by_key.items()}
    await choose(app, pilot, "operation", case.operation)
    await choose(app, pilot, "also", case.also)
    for which, lock in case.locks.items():
        await choose(app, pilot, which, locks[lock])
    for which, words in case.times.items():
        await type_in(app, pilot, which, words)
    await settled(app, pilot)


async def test_the_screen_says_what_the_command_says(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target, before = f"vfs://{folder}", fingerprint(folder)
    shown: dict[str, tuple[dict[str, Any], list[str], bool]] = {}
    async with console(session_on(folder)) as (app, pilot):
        await open_on(app, pilot, "pvc-free")
        for title, case in CASES.items():
            await fill_in(app, pilot, case)
            told = view(app).told
            assert told is not None
            await pilot.press("escape", "y")
            document = simulate_json.document(target, told.asked.now, told.rows)
            shown[title] = document, shlex.split(app.clipboard), "GRANTED" in text(app)
    for title, case in CASES.items():
        document, copied, granted = shown[title]
        done = run(capsys, "simulate", "-t", target, case.volume, *case.flags, "--json")
        assert lasting(document) == lasting(done.json), title
        assert granted == (done.json["forecasts"][0]["granted_after"] is not None), title
        # The command that was copied says the same as well.
        assert copied[:2] == ["locktop", "simulate"]
        assert lasting(run(capsys, *copied[1:], "--json").json) == lasting(done.json), title
    assert fingerprint(folder) == before


async def test_over_many_the_screen_says_what_the_command_says(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with console(session_on(folder)) as (app, pilot):
        await pilot.press("3", "b")
        await choose(app, pilot, "operation", "delete")
        await settled(app, pilot)
        told = view(app).told
        assert told is not None
        shown = simulate_json.document("", told.asked.now, told.rows)
        await pilot.press("escape", "y")
        copied = shlex.split(app.clipboard)
    done = run(capsys, *copied[1:], "--json")
    assert "--batch" in copied
    assert shown["counts"] == done.json["counts"]
    found = [{one["volume"]: one["result"] for one in doc["forecasts"]} for doc in (shown, done.json)]
    assert found[0] == found[1]


# -- nothing is written


class Recording:
    """Notes every call of a store."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.called: set[str] = set()

    def __getattr__(self, name: str) -> Any:
        self.called.add(name)
        return getattr(self._store, name)


async def test_nothing_is_written_while_one_simulates() -> None:
    scene = night()
    store = Recording(scene.store)
    held = uuid_volume(8)
    async with console(scene.session(open_store=lambda: store)) as (app, pilot):  # type: ignore[arg-type, return-value]
        await open_on(app, pilot, held)
        for operation in Operation:
            await choose(app, pilot, "operation", operation.value)
            await settled(app, pilot)
        key = next(one.key for one in app.status.board.by_key.values() if one.volume.name == held)  # type: ignore[union-attr]
        await choose(app, pilot, "broken", key)
        await type_in(app, pilot, "patience", "5m")
        await settled(app, pilot)
        assert view(app).told is not None
        await pilot.press("escape", "b")
        await settled(app, pilot)
        await look_again(app, pilot)
    assert {"list", "read"} <= store.called
    assert not {"put", "delete"} & store.called


# -- live


async def test_a_new_picture_is_played_on_at_once() -> None:
    scene, volume = night(), uuid_volume(8)
    async with simulating(scene, volume) as (app, pilot):
        await choose(app, pilot, "operation", "delete")
        await settled(app, pilot)
        assert "REFUSED" in text(app)
        scene.store.delete(next(iter(key for key in app.status.board.by_key if volume in key)))  # type: ignore[union-attr]
        await look_again(app, pilot)
        await settled(app, pilot)
        assert "DELETE  →  GRANTED" in text(app)
        assert "there is no other lock" in text(app)


async def test_a_lock_that_was_chosen_and_went_away_is_said_to_be_gone() -> None:
    scene, volume = night(), uuid_volume(8)
    async with simulating(scene, volume) as (app, pilot):
        key = next(key for key in app.status.board.by_key if volume in key)  # type: ignore[union-attr]
        await choose(app, pilot, "dies", key)
        await settled(app, pilot)
        before = view(app).told
        scene.store.delete(key)
        await look_again(app, pilot)
        await settled(app, pilot)
        assert "holder dies: this lock is gone; choose another, or none" in text(app)
        assert view(app).told is before
        await pilot.press("right")
        await settled(app, pilot)
        assert "this lock is gone" not in text(app)
        assert view(app).told is not before


async def test_bad_input_is_one_line_under_its_field_and_the_last_result_stays() -> None:
    async with simulating(night(), uuid_volume(8)) as (app, pilot):
        before = view(app).told
        await type_in(app, pilot, "lasts", "x[bold]1")
        await settled(app, pilot)
        at = next(n for n, line in enumerate(lines(app)) if "works for" in line)
        assert "works for: 'x[bold]1' is no duration; write 90s" in lines(app)[at + 1]
        assert "of the scenario before" in text(app)
        assert "BACKUP  →" in text(app)
        assert view(app).told is not None
        assert view(app).told.asked.wish == before.asked.wish  # type: ignore[union-attr]
        for _ in range(8):
            await pilot.press("backspace")
        await settled(app, pilot)
        assert "is no duration" not in text(app)
        assert "plays on what was" in text(app)


async def test_a_scenario_beyond_a_day_is_refused() -> None:
    async with simulating(night(), uuid_volume(8)) as (app, pilot):
        await type_in(app, pilot, "at", "3d")
        await settled(app, pilot)
        assert "the scenario goes beyond 24 hours" in text(app)


async def test_before_the_first_picture_the_store_is_being_read() -> None:
    scene = night()

    def slow() -> Store:
        held.wait(30)
        return scene.store

    held = threading.Event()
    async with console(scene.session(open_store=slow), loaded=False) as (app, pilot):
        await pilot.press("3")
        await until(pilot, lambda: "reading the store" in text(app))
        held.set()
        await until(pilot, lambda: "Name a volume" in text(app))


# -- the keys


@on("tab", "shift+tab")
async def _fields(app: LocktopApp, pilot: Pilot[int]) -> None:
    assert app.focused is view(app).query_one("#operation")
    await pilot.press("tab")
    assert app.focused is view(app).query_one("#at")
    await pilot.press("shift+tab", "shift+tab")
    assert app.focused is view(app).query_one("#volume")


@on("l", "right", "space", "h", "left")
async def _choices(app: LocktopApp, pilot: Pilot[int]) -> None:
    found = view(app).query_one("#operation", Choice)
    for key in ("l", "right", "space"):
        before = found.value
        await pilot.press(key)
        assert found.value != before
    assert found.value == "backup"
    await pilot.press("h")
    assert found.value == "delete"
    await pilot.press("left")
    assert found.value == "restore"


@on("enter")
async def _enter(app: LocktopApp, pilot: Pilot[int]) -> None:
    await pilot.press("enter")
    assert app.focused is view(app).query_one("#at")
    await pilot.press("enter")
    assert app.focused is view(app).query_one("#lasts")


@on("escape")
async def _escape(app: LocktopApp, pilot: Pilot[int]) -> None:
    await pilot.press("escape")
    assert app.focused is view(app).query_one("#result")
    await pilot.press("escape")
    await until(pilot, lambda: isinstance(app.screen, LocksScreen))


@on("b")
async def _batch(app: LocktopApp, pilot: Pilot[int]) -> None:
    await pilot.press("b")
    await settled(app, pilot)
    assert "BACKUP   70 volumes: GRANTED 64, REFUSED 6" in text(app)
    assert "holder dies" not in text(app)
    await pilot.press("b")
    await settled(app, pilot)
    assert "holder dies" in text(app)


@on("y")
async def _copy(app: LocktopApp, pilot: Pilot[int]) -> None:
    await pilot.press("y")
    assert app.clipboard == f"locktop simulate -t {app.status.url} --op backup {uuid_volume(8)}"


async def _over_many(app: LocktopApp, pilot: Pilot[int]) -> Picker:
    await pilot.press("b")
    await settled(app, pilot)
    return view(app).query_one("#kept-out", Picker)


@on("j", "down", "k", "up", "g", "home", "G", "end")
async def _moves(app: LocktopApp, pilot: Pilot[int]) -> None:
    found = await _over_many(app, pilot)
    for key, place in (
        ("j", 1),
        ("down", 2),
        ("k", 1),
        ("up", 0),
        ("G", 5),
        ("g", 0),
        ("end", 5),
        ("home", 0),
    ):
        await pilot.press(key)
        assert found.place == place, key


@on("ctrl+d", "pagedown", "ctrl+u", "pageup")
async def _pages(app: LocktopApp, pilot: Pilot[int]) -> None:
    await pilot.resize_terminal(80, 14)
    await pilot.press("escape")
    sheet = view(app).query_one("#result", Scroller)
    await until(pilot, lambda: sheet.max_scroll_y > 3)
    for down, up in (("ctrl+d", "ctrl+u"), ("pagedown", "pageup")):
        await pilot.press(down)
        await until(pilot, lambda: sheet.scroll_offset.y > 0)
        await pilot.press(up)
        await until(pilot, lambda: sheet.scroll_offset.y == 0)


@pytest.mark.parametrize("check", list(dict.fromkeys(KEYS.values())), ids=lambda check: check.__name__)
async def test_keys_of_the_view(check: Check) -> None:
    async with simulating(night(), uuid_volume(8)) as (app, pilot):
        await check(app, pilot)


def test_no_key_of_the_view_goes_untested() -> None:
    bound = {key for entry in keys.KEYS if entry.place == "simulate" for key in entry.keys.split(",")}
    assert bound == set(KEYS)


async def test_a_in_the_table_simulates_on_the_volume_under_the_cursor() -> None:
    async with console(night().session()) as (app, pilot):
        await pilot.press("j", "j")
        row = table(app).cursor_row
        assert row is not None
        await pilot.press("a")
        await until(pilot, lambda: isinstance(app.screen, SimulateScreen) and view(app).told)
        told = view(app).told
        assert told is not None
        assert told.rows[0][0].name == row.volume.name
        await pilot.press("escape", "escape")
        await until(pilot, lambda: isinstance(app.screen, LocksScreen))
        assert cursor(app) == row.key


# -- naming a volume


async def test_suggestions_narrow_while_one_types_and_enter_takes_one() -> None:
    async with console(night().session()) as (app, pilot):
        await pilot.press("3")
        assert "Name a volume" in text(app)
        await pilot.press("shift+tab")
        assert "70 volumes" in text(app)
        await pilot.press(*"orders")
        assert "3 volumes" in text(app)
        await pilot.press("down", "enter")
        await settled(app, pilot)
        told = view(app).told
        assert told is not None
        assert told.rows[0][0].names is not None
        assert told.rows[0][0].names.claim == "orders-redis"
        assert app.focused is view(app).query_one("#operation")
        assert not view(app).query_one("#suggestions", Picker).has_class("-open")


async def test_what_fits_no_volume_or_several_is_said() -> None:
    async with simulating(night(), uuid_volume(8)) as (app, pilot):
        await type_in(app, pilot, "volume", "nothing")
        await settled(app, pilot)
        assert "volume: none has 'nothing' in its id or claim" in text(app)
        view(app).query_one("#volume", Input).value = ""
        await pilot.press(*"pvc", "escape")
        await settled(app, pilot)
        assert "volume: 70 volumes fit 'pvc'; pick one" in text(app)


async def test_a_claim_names_a_volume_too() -> None:
    scene = Scene()
    scene.volume("pvc-1", ("shop", "cart", "w"))
    scene.lock("pvc-1", 5, 2, lock="lock-a")
    async with console(scene.session()) as (app, pilot):
        await pilot.press("3")
        await type_in(app, pilot, "volume", "shop/cart")
        await pilot.press("escape")
        await settled(app, pilot)
        assert "pvc-1" in text(app)
        assert "BACKUP  →  REFUSED" in text(app)


# -- many volumes


async def test_many_are_those_that_the_locks_view_is_filtered_to() -> None:
    async with console(night().session()) as (app, pilot):
        await pilot.press("slash", *"orders", "enter", "3", "b")
        await choose(app, pilot, "operation", "delete")
        await settled(app, pilot)
        told = view(app).told
        assert told is not None
        assert {shown.names.claim for shown, _ in told.rows if shown.names} == {"orders-redis"}
        assert "chosen in Locks" in text(app)
        await pilot.press("escape", "y")
        await until(pilot, lambda: "no command line names 3 volumes" in text(app))


async def test_enter_in_the_list_of_many_looks_at_one() -> None:
    async with simulating(night(), uuid_volume(8)) as (app, pilot):
        found = await _over_many(app, pilot)
        await pilot.press("j", "enter")
        await settled(app, pilot)
        assert view(app).told is not None
        told = view(app).told
        assert told is not None
        assert told.rows[0][0].name == found.cursor or told.rows[0][0].name in text(app)
        assert not told.asked.many
        assert "BACKUP  →  REFUSED" in text(app)


async def test_a_double_click_in_the_list_looks_at_one() -> None:
    async with simulating(night(), uuid_volume(8)) as (app, pilot):
        found = await _over_many(app, pilot)
        volume = found.keys[2]
        await pilot.click(found, offset=(10, 3), times=2)
        await until(pilot, lambda: view(app).query_one("#volume", Input).value == volume)
        await settled(app, pilot)
        assert "BACKUP  →  REFUSED" in text(app)


# -- messages


async def test_each_intent_is_one_message() -> None:
    async with console(night().session()) as (app, pilot):
        heard: list[object] = []
        await open_on(app, pilot, uuid_volume(8))
        screen = view(app)
        note = screen.post_message

        def listen(message: Any) -> bool:
            heard.append(message)
            return note(message)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(screen, "post_message", listen)
            await app.simulate(uuid_volume(9))
            await settled(app, pilot)
        asked = [one for one in heard if isinstance(one, SimulateRequested)]
        assert [(one.volume, one.came_from) for one in asked] == [(uuid_volume(9), "simulate")]
        told = [one for one in heard if isinstance(one, Foretold)]
        assert [one.told.rows[0][0].name for one in told] == [uuid_volume(9)]
        assert all(isinstance(one, Foretold | SimulateRequested) for one in (*asked, *told))


async def test_a_choice_tells_what_was_chosen() -> None:
    async with simulating(night(), uuid_volume(8)) as (app, pilot):
        heard: list[ChoiceMade] = []
        found = view(app).query_one("#operation", Choice)
        note = found.post_message

        def listen(message: Any) -> bool:
            if isinstance(message, ChoiceMade):
                heard.append(message)
            return note(message)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(found, "post_message", listen)
            await pilot.press("right")
            at = lines(app)[found.region.y].index("delete")
            await pilot.click(found, offset=(at - found.region.x, 0))
        assert [(one.field, one.value) for one in heard] == [
            ("operation", "restore"),
            ("operation", "delete"),
        ]
        await settled(app, pilot)
        assert "DELETE  →" in text(app)


# -- names from a store


@pytest.mark.parametrize("size", SIZES)
async def test_hostile_names_are_shown_as_text(size: str) -> None:
    scene = Scene()
    scene.lock(scene.volume(LONG, HOSTILE), 5, 2, lock="lock-" + "y" * 200)
    async with simulating(scene, LONG, SIZES[size]) as (app, pilot):
        assert "BACKUP  →  REFUSED" in text(app)
        key = next(iter(app.status.board.by_key))  # type: ignore[union-attr]
        await choose(app, pilot, "dies", key)
        await settled(app, pilot)
        for _ in range(3):
            seen = text(app)
            assert not {"\x1b", "\x07", "\u202e"} & set(seen)
            assert all(len(line) <= SIZES[size][0] for line in seen.splitlines())
            await pilot.press("escape", "b")
            await settled(app, pilot)
        view(app).query_one("#volume", Input).focus()
        await pilot.pause()
        if size != "60x12":
            assert "[bold red]/" in text(app)


def test_a_name_that_cannot_be_pasted_safely_is_not_copied() -> None:
    form = Form(times={"at": "+90s", "crash": "never"}, operation=Operation.DELETE)
    assert command(form, "/mnt/a b", view=VolumeView("pvc-1", ())) == (
        "locktop simulate -t '/mnt/a b' --op delete --at +90s pvc-1"
    )
    assert command(form, "x", view=VolumeView("-pvc", ())).endswith(" -- -pvc")
    with pytest.raises(Usage, match="cannot be pasted safely"):
        command(form, "/mnt/a", view=VolumeView("pvc-\x1b[2J", ()))
    with pytest.raises(Usage, match="cannot be pasted safely"):
        command(form, "/mnt/a\x1b", volumes=None)
    with pytest.raises(Usage, match="no command line names 2 volumes"):
        command(form, "/mnt/a", volumes=["pvc-1", "pvc-2"])


# -- looks

LOOKS: dict[str, tuple[str, ...]] = {
    "one": ("G", "a", "right", "right"),
    "many": ("a", "right", "right", "b"),
    "wrong": ("j", "a", "tab", "s", "o", "o", "n"),
    "naming": ("3", "shift+tab", *"redis"),
}


@pytest.mark.parametrize("plain", [False, True], ids=["unicode", "ascii"])
@pytest.mark.parametrize("look", LOOKS)
async def test_the_view_looks_as_it_was_approved(look: str, plain: bool) -> None:
    sizes = [size for size in SIZES if size != "180x44" or (look == "one" and not plain)]
    async with console(night().session(), SIZES["120x36"], ascii_only=plain) as (app, pilot):
        for key in LOOKS[look]:
            await pilot.press(key)
            await until(pilot, lambda: not isinstance(app.screen, SimulateScreen) or not view(app).playing)
        for size in sizes:
            await pilot.resize_terminal(*SIZES[size])
            await settled(app, pilot)
            await compare(app, pilot, "simulate", f"{look}-{size}{'-ascii' * plain}")
