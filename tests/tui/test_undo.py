"""What was broken: listed, put back after a question, taken back or finished if it was interrupted."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from rich.cells import cell_len
from textual.pilot import Pilot

from backuplock import layout, wire
from backuplock.breaking import Audit, Fate, Step, copies, unfinished
from backuplock.breaking.interrupted import FOREIGN_NS
from backuplock.breaking.quarantine import FOLDER, description
from backuplock.clock import SECOND
from backuplock.errors import Denied, Unreachable
from backuplock.model import LockRecord
from backuplock.watch import EventKind
from harness.breaking import kill_at
from harness.commands import fingerprint
from harness.troubled import TroubledStore
from locktop import keys
from locktop.app import LocktopApp
from locktop.deeds import Restored, Shelf
from locktop.format import ASCII, UNICODE, Glyphs
from locktop.messages import ButtonPressed, RestoreConfirmed
from locktop.screens.details import DetailsScreen
from locktop.screens.locks import LocksScreen
from locktop.screens.undo import ConfirmScreen, UndoScreen
from locktop.undo_list import entries_of, heading, line
from locktop.widgets.panes import Scroller
from tui.breaking import Files, breaking, broken, quiet, shelf
from tui.lists import compare, keys_of, listed
from tui.look import console, lines, look_again, text, until
from tui.scene import Scene, night, uuid_volume
from tui.shelves import agreed, asked, copy, flat, interrupt, said

MOVES = {
    "j": (0, 1),
    "down": (1, 2),
    "k": (2, 1),
    "up": (1, 0),
    "G": (0, 39),
    "g": (39, 0),
    "end": (0, 39),
    "home": (39, 0),
}
"""From line to line."""

PAGES = {
    "pagedown": 1.0,
    "ctrl+f": 1.0,
    "pageup": -1.0,
    "ctrl+b": -1.0,
    "ctrl+d": 0.5,
    "ctrl+u": -0.5,
}
"""Pages or parts of one."""

KEYS = {*MOVES, *PAGES, "enter", "f", "o", "y", "escape", "u"}
"""Every key of the list; each is pressed below."""

CONFIRM_KEYS = {"tab", "right", "l", "shift+tab", "left", "h", "j", "down", "k", "up", "escape"}
"""Every key of the question."""

DEAD = layout.lock_key(uuid_volume(0), "lock-9f2c41d07be35a18")
OTHER = layout.lock_key(uuid_volume(1), "lock-44be02c1a97d3f60")


def trail(folder: Path) -> list[str]:
    """What the audit trail says came of each act; it has to be whole."""
    with closing(Audit.read(folder / "audit.db")) as audit:
        assert audit.verify().problem == ""
        return [one.get("outcome") for one in audit.entries() if one.get("phase") == "after"]


def states(app: LocktopApp) -> list[str]:
    """The words in the column of states, from the first line of the list on."""
    screen = app.screen_stack[-1] if isinstance(app.screen, UndoScreen) else app.screen_stack[-2]
    at = next(n for n, shown in enumerate(lines(app)) if shown.startswith(" BROKEN"))
    assert isinstance(screen, UndoScreen)
    rows = lines(app)[at + 1 : at + 1 + len(keys_of(app))]
    return [row[22:35].strip() for row in rows]


@pytest.mark.parametrize(("place", "tested"), [("undo", KEYS), ("confirm", CONFIRM_KEYS)])
def test_every_key_is_pressed_here(place: str, tested: set[str]) -> None:
    bound = {key for one in keys.KEYS if one.place == place for key in one.keys.split(",")}
    assert bound == tested


# -- the list


async def test_an_empty_shelf_and_what_comes_onto_it(tmp_path: Path) -> None:
    scene = quiet(night())
    async with breaking(scene, tmp_path, (80, 24)) as (app, pilot):
        screen = await shelf(app, pilot)
        assert "nothing was broken here, or its copies are gone" in text(app)
        assert "0 entries" in text(app)
        clipboard = app.clipboard
        await pilot.press("enter", "f", "o", "y", "j", "G", "ctrl+d")
        assert app.screen is screen
        assert app.clipboard == clipboard
        entry = copy(scene, 1, 60, reason="node is gone")
        await pilot.press("r")
        await until(pilot, lambda: keys_of(app) == [entry])
        assert "because    node is gone" in text(app)
        for way in ("escape", "u"):
            await pilot.press(way)
            await until(pilot, lambda: isinstance(app.screen, LocksScreen))
            await shelf(app, pilot)
        assert keys_of(app) == [entry]


async def test_the_youngest_comes_first_and_what_did_not_end_before_all(tmp_path: Path) -> None:
    scene = quiet(night())
    old = copy(scene, 1, 29.5 * 86_400)
    young = copy(scene, 2, 3600)
    back = copy(scene, 3, 7200, mark="undone")
    stuck = copy(scene, 4, 9000, mark=None)
    beginning = copy(scene, 5, 100, mark=None)
    async with breaking(scene, tmp_path) as (app, pilot):
        assert "1 break was interrupted" in text(app)
        await until(pilot, lambda: "1 break did not end: u shows it" in text(app))
        await shelf(app, pilot)
        assert keys_of(app) == [stuck, beginning, young, back, old]
        assert states(app) == ["INTERRUPTED", "not over", "kept", "put back", "kept"]
        assert "5 entries   1 interrupted" in text(app)
        told = {
            stuck: "enter takes it back, f ends it as it was meant",
            beginning: "it has not ended: another machine may be at work on it",
            young: "enter puts it back; the copy stays until 2026-02-01 02:04:05 UTC (29 days)",
            back: "it was put back already, or never went",
            old: "(0 days)",
        }
        for words in told.values():
            assert words in text(app)
            await pilot.press("j")
            await pilot.pause()
        for key, words in ((beginning, "another machine"), (back, "put back already")):
            listed(app).move_to(keys_of(app).index(key))
            app.clear_notifications()
            await pilot.press("enter")
            assert words in said(app)
            assert isinstance(app.screen, UndoScreen)


async def test_columns_for_every_width(tmp_path: Path) -> None:
    scene = quiet(night())
    copy(scene, 0xFEED0001, 3600, uuid_volume(9), type_=2, who=("alice", "bastion-7", "locktop/0.1.0"))
    wanted = {
        60: ("BROKEN UTC LOCK VOLUME", "01-02 02:04  kept          lock-00…eed0001  pvc-"),
        80: ("BROKEN (UTC) LOCK TYPE VOLUME", "2026-01-02 02:04:05  kept          lock-00…eed0001  delete"),
        120: (
            "BROKEN (UTC) LOCK TYPE VOLUME BY",
            "2026-01-02 02:04:05  kept          lock-00000000feed0001  delete     pvc-",
        ),
    }
    async with breaking(scene, tmp_path) as (app, pilot):
        await shelf(app, pilot)
        for width, (head, row) in wanted.items():
            await pilot.resize_terminal(width, 24)
            await pilot.pause()
            await pilot.pause()
            at = next(n for n, shown in enumerate(lines(app)) if "BROKEN" in shown)
            assert " ".join(lines(app)[at].split()) == head
            assert lines(app)[at + 1][1:].startswith(row)
            assert uuid_volume(9)[-5:] in lines(app)[at + 1]
            assert ("alice@bastion-7" in lines(app)[at + 1]) == (width >= 110)


@pytest.mark.parametrize("glyphs", [UNICODE, ASCII], ids=["unicode", "ascii"])
def test_no_line_is_wider_than_the_list(glyphs: Glyphs) -> None:
    scene = quiet(night(held=0))
    wide = f"{layout.VOLUMES}/ab/cd/pvc-{'字' * 40}/locks/lock-{'字' * 60}.lck"
    copy(scene, 1, 60, key=wide, who=("字" * 30, "h", "t"), type_=77)
    copy(scene, 2, 60, "v", lock="l1", who=("u", "h", "t"))
    bad = copy(scene, 3, 50)
    scene.store.put(description(bad), b"?")
    entries = entries_of(Shelf(copies(scene.store)))
    assert len(entries) == 3
    for width in range(58, 200):
        head = sum(cell_len(part) for part, _ in heading(width))
        for entry in entries.values():
            cells = sum(cell_len(part) for part, _ in line(entry, width, glyphs))
            assert cells <= width
            assert cells == head or entry.kept is None or width >= 110


async def test_moving(tmp_path: Path) -> None:
    scene = quiet(night())
    for number in range(40):
        copy(scene, number, 60 + number, reason=f"reason {number}")
    async with breaking(scene, tmp_path, (80, 24)) as (app, pilot):
        await shelf(app, pilot)
        found = listed(app)
        for key, (start, to) in MOVES.items():
            found.move_to(start)
            await pilot.press(key)
            assert found.place == to, key
        for key, pages in PAGES.items():
            found.move_to(20)
            await pilot.press(key)
            assert found.place == 20 + round(pages * found.page_rows), key
        await pilot.pause()
        assert f"reason {found.place}" in text(app)
        # The cursor is a key: what comes above moves nothing away from under it.
        at = found.cursor
        copy(scene, 99, 5)
        await pilot.press("r")
        await until(pilot, lambda: len(keys_of(app)) == 41)
        assert found.cursor == at


# -- asking


async def test_it_is_asked_first_and_the_focus_is_on_cancel(tmp_path: Path) -> None:
    scene = quiet(night())
    copy(scene, 1, 60, uuid_volume(0), type_=2)
    store = TroubledStore(scene.store)
    async with breaking(scene, tmp_path, store=lambda: store) as (app, pilot):
        await shelf(app, pilot)
        for way in ("enter", "space", "escape"):
            screen = await asked(app, pilot)
            assert app.focused is screen.query_one("#cancel")
            assert "Put this lock back?" in text(app)
            assert "it counts again, for 150 s, and longer only if its holder refreshes it" in flat(app)
            await pilot.press(way)
            await until(pilot, lambda: isinstance(app.screen, UndoScreen))
        screen = await asked(app, pilot)
        focus = [app.focused]
        for key in ("tab", "tab", "right", "l", "shift+tab", "left", "h", "h"):
            await pilot.press(key)
            focus.append(app.focused)
        cancel, do = screen.query_one("#cancel"), screen.query_one("#do")
        assert focus == [cancel, do, cancel, do, cancel, do, cancel, do, cancel]
        await pilot.click("#cancel")
        await until(pilot, lambda: isinstance(app.screen, UndoScreen))
        await pilot.click(listed(app), offset=(30, 1), times=2)
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))
        await pilot.press("enter")
        await pilot.pause(0.1)
        assert store.calls["put"] == store.calls["delete"] == 0
        assert states(app) == ["kept"]
    assert not (tmp_path / "audit.db").exists() or trail(tmp_path) == []


async def test_a_question_that_does_not_fit_scrolls(tmp_path: Path) -> None:
    scene = quiet(night())
    copy(scene, 1, 60, "pvc-" + "w" * 190)
    async with breaking(scene, tmp_path, (60, 12)) as (app, pilot):
        await shelf(app, pilot)
        screen = await asked(app, pilot)
        sheet = screen.query_one(Scroller)
        await until(pilot, lambda: sheet.max_scroll_y >= 3)
        assert "[ Cancel ]" in text(app)
        await pilot.press("j", "down", "down", "k")
        assert sheet.scroll_offset.y == 2
        await pilot.press("up")
        assert sheet.scroll_offset.y == 1
        await pilot.resize_terminal(120, 36)
        await until(pilot, lambda: "which is named then" in flat(app))


# -- putting back


async def test_a_lock_is_put_back_with_a_fresh_time_and_that_is_no_alarm(tmp_path: Path) -> None:
    scene = quiet(night())
    store = TroubledStore(scene.store)
    async with breaking(scene, tmp_path, store=lambda: store) as (app, pilot):
        before = scene.store.read(DEAD)
        assert before is not None
        await broken(app, pilot, DEAD)
        await look_again(app, pilot)
        scene.advance(20)
        await shelf(app, pilot)
        assert states(app) == ["kept"]
        assert "broken: gone so far" in text(app)
        screen = await asked(app, pilot)
        # As from a key that is held down: it is done once.
        for _ in range(3):
            screen.post_message(ButtonPressed("do"))
        await until(pilot, lambda: "put back: lock-9f2c41d07be35a18.lck; it counts for 150 s" in said(app))
        await until(pilot, lambda: states(app) == ["put back"])
        await pilot.pause(0.1)
        assert "was put back already" not in said(app)
        found = scene.store.read(DEAD)
        assert found is not None
        assert found.body == before.body
        assert found.modified_ns == scene.now
        assert trail(tmp_path) == ["broken", "undone"]
        # We brought it: that is no sign of a holder, however long one looks on.
        for _ in range(2):
            await look_again(app, pilot)
            scene.advance(20)
        assert app.status.deeds.cares == ()
        assert "CAME BACK" not in text(app)
        assert EventKind.CAME_BACK not in [event.kind for event in app.status.events]
        assert trail(tmp_path) == ["broken", "undone"]
        await pilot.press("enter")
        assert "it was put back already" in said(app)
        assert isinstance(app.screen, UndoScreen)


async def test_a_lock_that_is_in_the_way_is_named_and_the_watch_goes_on(tmp_path: Path) -> None:
    scene = quiet(night())
    store = TroubledStore(scene.store)
    async with breaking(scene, tmp_path, store=lambda: store) as (app, pilot):
        body = scene.store.read(DEAD)
        assert body is not None
        entry = await broken(app, pilot, DEAD)
        rival = scene.lock(uuid_volume(0), 5, 2, lock="lock-00000000000000ff")
        await shelf(app, pilot)
        puts = store.calls["put"]
        await agreed(app, pilot, "lock-00000000000000ff.lck came meanwhile and excludes it")
        assert "wait until that one has gone" in said(app)
        await until(pilot, lambda: states(app) == ["kept"])
        assert scene.store.read(DEAD) is None
        assert store.calls["put"] == puts
        assert trail(tmp_path) == ["broken"]
        await look_again(app, pilot)
        assert [(care.entry, care.vigil.fate) for care in app.status.deeds.cares] == [(entry, Fate.WATCHING)]
        # Its holder refreshes it: now it is there, and not through us.
        scene.store.delete(rival)
        scene.advance(10)
        scene.store.put(DEAD, body.body)
        await agreed(app, pilot, "is there already, so its holder lives")
        await look_again(app, pilot)
        await until(pilot, lambda: "lock-9f2c41d07be35a18 CAME BACK" in text(app))
        await until(pilot, lambda: trail(tmp_path) == ["broken", "came back"])


async def test_a_store_that_denies(tmp_path: Path) -> None:
    scene = quiet(night())
    entry = copy(scene, 1, 60, uuid_volume(0))
    store = TroubledStore(scene.store)
    async with breaking(scene, tmp_path, store=lambda: store) as (app, pilot):
        store.add("list", before=Denied("the store denies listing", advice="ask whoever runs it"))
        await pilot.press("u")
        await until(pilot, lambda: "the store denies listing; ask whoever runs it" in flat(app))
        assert "esc goes back" in text(app)
        await pilot.press("enter", "f", "o", "y")
        assert isinstance(app.screen, UndoScreen)
        store.clear()
        await pilot.press("r")
        await until(pilot, lambda: keys_of(app) == [entry])
        assert "denies" not in text(app)
        store.add("put", before=Denied("the store denies writing"))
        await agreed(app, pilot, "was not put back, for the quarantine cannot be written: the store denies")
        assert scene.store.read(layout.lock_key(uuid_volume(0), f"lock-{1:016x}")) is None


async def test_a_write_whose_answer_was_lost_is_no_alarm(tmp_path: Path) -> None:
    scene = quiet(night())
    store = TroubledStore(scene.store)
    async with breaking(scene, tmp_path, store=lambda: store) as (app, pilot):
        await broken(app, pilot, DEAD)
        await shelf(app, pilot)
        store.add("put", times=1)  # who undoes it
        store.add("put", after=Unreachable("the answer was lost"), times=1)
        await agreed(app, pilot, "it counts for 150 s, and nobody refreshes it")
        assert scene.store.read(DEAD) is not None
        await look_again(app, pilot)
        assert "CAME BACK" not in text(app)
        assert EventKind.CAME_BACK not in [event.kind for event in app.status.events]


# -- what did not end


async def test_breaks_that_were_killed_are_told_of_first_and_ended(tmp_path: Path) -> None:
    files = Files(tmp_path)
    files.scene.volume("pvc-2")
    removed, untouched = files.lock(), files.lock("lock-feed000000000002", volume="pvc-2")
    for lock, step in ((removed, Step.REMOVED), (untouched, Step.COPIED)):
        kill_at(step, files.scene.store.url, files.audit, lock.key, {})
    whole = files.lock("lock-feed000000000003", volume="pvc-2")
    files.scene.audit.close()
    files.scene.audit = Audit.open(files.audit)
    files.scene.break_(whole)
    async with console(files.session()) as (app, pilot):
        await until(pilot, lambda: "2 breaks were interrupted: u shows what became of it" in flat(app))
        await until(pilot, lambda: "2 breaks did not end: u shows it" in text(app))
        await shelf(app, pilot)
        assert states(app) == ["INTERRUPTED", "INTERRUPTED", "kept"]
        entries = keys_of(app)
        places = {stage.stage.value: entries.index(stage.id) for stage in open_now(files)}
        listed(app).move_to(places["removed"])
        await pilot.pause()
        assert "the lock is gone and its copy is kept" in flat(app)
        await asked(app, pilot)
        assert "Take back what was interrupted?" in text(app)
        assert "it counts again, for 150 s" in text(app)
        await pilot.press("escape")
        await agreed(app, pilot, f"put back: {removed.name}.lck")
        assert (files.root / removed.key).read_bytes() == removed.content
        await until(pilot, lambda: states(app).count("INTERRUPTED") == 1)
        assert "1 break was interrupted" in text(app)
        listed(app).move_to(0)
        await asked(app, pilot)
        assert "the lock is as it was" in flat(app)
        assert "it counts again" not in text(app), "nothing of it was removed"
        await pilot.press("escape")
        await asked(app, pilot, "f")
        assert "Finish what was interrupted?" in text(app)
        await pilot.press("enter")
        assert (files.root / untouched.key).exists()
        await agreed(app, pilot, "is broken, a copy is kept", "f")
        assert not (files.root / untouched.key).exists()
        await until(pilot, lambda: "INTERRUPTED" not in states(app))
        assert "interrupted" not in text(app)
        await until(pilot, lambda: "lock-feed000000000002 broken: gone so far, watched for" in text(app))
        assert open_now(files) == ()


def open_now(files: Files) -> tuple[object, ...]:
    """What did not end, as the library tells it."""
    with closing(Audit.read(files.audit)) as audit:
        return unfinished(files.scene.store, audit, files.scene.clock.wall_ns())


async def test_taking_back_what_removed_nothing(tmp_path: Path) -> None:
    scene = quiet(night())
    entry = interrupt(scene, tmp_path, DEAD, Step.COPIED)
    before = scene.store.read(DEAD)
    async with breaking(scene, tmp_path) as (app, pilot):
        await shelf(app, pilot)
        assert keys_of(app) == [entry]
        await agreed(app, pilot, "taken back: nothing had to be put back")
        assert scene.store.read(DEAD) == before
        await until(pilot, lambda: "INTERRUPTED" not in text(app))
        assert trail(tmp_path) == ["abandoned"]


async def test_finishing_what_was_written_since_leaves_it_and_says_so(tmp_path: Path) -> None:
    scene = quiet(night())
    interrupt(scene, tmp_path, DEAD, Step.REMOVED)
    scene.store.put(DEAD, wire.encode(LockRecord("lock-9f2c41d07be35a18", 1, True)))
    async with breaking(scene, tmp_path) as (app, pilot):
        await shelf(app, pilot)
        assert "its holder lives; either way it stays" in flat(app)
        await agreed(app, pilot, "is there, written since: its holder lives", "f")
        assert scene.store.read(DEAD) is not None
        await look_again(app, pilot)
        await until(pilot, lambda: "CAME BACK" in text(app))


async def test_what_cannot_be_finished_says_why(tmp_path: Path) -> None:
    scene = quiet(night())
    copy(scene, 1, 60)
    entry = interrupt(scene, tmp_path, OTHER, Step.COPIED)
    with closing(Audit.open(tmp_path / "audit.db")) as audit, audit.at_work(entry):
        async with breaking(scene, tmp_path) as (app, pilot):
            assert "interrupted" not in text(app), "somebody is at work on it"
            await shelf(app, pilot)
            assert states(app) == ["at work", "kept"]
            for key in ("f", "enter"):
                app.clear_notifications()
                await pilot.press(key)
                assert "a process of this machine is at work on it" in said(app)
                assert isinstance(app.screen, UndoScreen)
            await pilot.press("j", "f")
            assert "there is nothing to finish: it was not interrupted" in said(app)
            assert isinstance(app.screen, UndoScreen)


@pytest.mark.parametrize(
    ("refreshed", "flag"), [(False, "--take-back"), (True, "--finish")], ids=["removed", "written since"]
)
async def test_y_copies_the_command_that_makes_sense(tmp_path: Path, refreshed: bool, flag: str) -> None:
    scene = quiet(night())
    body = scene.store.read(DEAD)
    assert body is not None
    entry = interrupt(scene, tmp_path, DEAD, Step.REMOVED)
    if refreshed:
        scene.advance(5)
        scene.store.put(DEAD, body.body)
    back = copy(scene, 3, 7200, mark="undone")
    async with breaking(scene, tmp_path) as (app, pilot):
        await shelf(app, pilot)
        await pilot.press("y")
        assert app.clipboard == f"locktop undo -t {scene.store.url} {flag} {entry} --write"
        await pilot.press("G", "y")
        assert back in flat(app)
        assert "nothing to copy: it was put back already" in said(app)
        assert entry in app.clipboard


# -- sessions that only read


async def test_a_session_that_only_reads_says_why_and_writes_nothing(tmp_path: Path) -> None:
    scene = quiet(night())
    interrupt(scene, tmp_path, DEAD, Step.REMOVED)
    entry = copy(scene, 1, 60)
    store = TroubledStore(scene.store)
    async with breaking(scene, tmp_path, writable=False, store=lambda: store) as (app, pilot):
        screen = await shelf(app, pilot)
        assert states(app) == ["INTERRUPTED", "kept"]
        footer = lines(app)[-1]
        assert "put back" not in footer
        assert "finish" not in footer
        assert "undo       this session is read-only; locktop --write TARGET opens it" in text(app)
        for key in ("enter", "f"):
            app.clear_notifications()
            await pilot.press(key)
            assert "off: this session is read-only; locktop --write TARGET opens it" in said(app)
            assert app.screen is screen
        await pilot.click(listed(app), offset=(30, 2), times=2)
        await pilot.pause()
        assert app.screen is screen
        for finish in (False, True):
            screen.post_message(RestoreConfirmed(entry, finish=finish))
        await pilot.pause(0.1)
        assert store.calls["put"] == store.calls["delete"] == 0


async def test_the_library_refuses_even_if_the_screen_would_not(tmp_path: Path) -> None:
    files = Files(tmp_path)
    lock = files.lock()
    entry = files.scene.break_(lock).id
    before = fingerprint(files.root)
    async with console(files.session(writable=False)) as (app, pilot):
        told: list[object] = []
        breaker = app.session.breaker
        assert breaker is not None
        breaker._deliver = told.append
        breaker.put_back(entry, lock.key, interrupted=False)
        breaker.finish(entry, None)
        await until(pilot, lambda: len([one for one in told if isinstance(one, Restored)]) == 2)
        answers = [one for one in told if isinstance(one, Restored)]
        assert not any(one.done for one in answers)
    assert fingerprint(files.root) == before


# -- names and descriptions of all kinds


async def test_a_description_that_cannot_be_read(tmp_path: Path) -> None:
    scene = quiet(night())
    bad, late = copy(scene, 1, 60), copy(scene, 2, 9000, mark=None)
    for entry in (bad, late):
        scene.store.plant(description(entry), b'{"format": 1', scene.now - 9000 * SECOND)
    scene.store.put(f"{FOLDER}/not-ours.json", b"x")
    async with breaking(scene, tmp_path) as (app, pilot):
        await shelf(app, pilot)
        assert keys_of(app) == [late, bad]
        assert states(app) == ["INTERRUPTED", "unreadable"]
        assert "the store does not say where the lock is" in flat(app)
        for key in ("enter", "f"):
            await pilot.press(key)
            assert "the store does not say where the lock is; look again" in said(app)
            assert isinstance(app.screen, UndoScreen)
        await pilot.press("j")
        await pilot.pause()
        assert "is no description of a broken lock; look at it by hand" in flat(app)
        await pilot.press("enter")
        assert "its description cannot be read" in said(app)
        await pilot.press("o")
        assert "its volume is not known" in said(app)
        assert isinstance(app.screen, UndoScreen)
        await pilot.press("y")
        assert "nothing to copy: its description cannot be read" in said(app)
        assert app.clipboard == ""


HOSTILE = "\x1b]0;x\x07\x1b[31m[bold]\u202e\r\n\t\x9b7m[link=x][]"


async def test_hostile_names_never_reach_the_terminal(tmp_path: Path) -> None:
    scene = quiet(night(held=0))
    folder = layout.volume_folder(uuid_volume(0)).rpartition("/")[0]
    evil = f"{folder}/pvc-{HOSTILE}/locks/lock-{HOSTILE}.lck"
    copy(scene, 1, 60, key=evil, reason=HOSTILE, who=(HOSTILE, HOSTILE, HOSTILE), life=HOSTILE)
    copy(scene, 2, 10**6, reason="w" * 400 + HOSTILE)
    scene.store.put(f"{folder}/pvc-{HOSTILE}/volume.cfg", b"{}")
    async with breaking(scene, tmp_path) as (app, pilot):
        await shelf(app, pilot)
        for size in ((120, 36), (80, 24), (60, 12)):
            await pilot.resize_terminal(*size)
            await pilot.pause()
            for _ in range(2):
                assert_clean(app)
                await pilot.press("j")
                await pilot.pause()
            await pilot.press("g")
        await pilot.resize_terminal(120, 36)
        await pilot.pause()
        assert "[bold]" in text(app)
        await pilot.press("y")
        assert app.clipboard.isprintable()
        await asked(app, pilot)
        assert_clean(app)
        assert "[bold]" in text(app)
        await pilot.press("tab", "enter")
        await until(pilot, lambda: "put back:" in said(app) or "not put back" in said(app))
        assert_clean(app)
        await pilot.press("o")
        await until(pilot, lambda: isinstance(app.screen, DetailsScreen))
        await pilot.pause()
        assert_clean(app)


def assert_clean(app: LocktopApp) -> None:
    """Nothing on the screen moves, hides or colours anything."""
    for sign in text(app).replace("\n", ""):
        assert unicodedata.category(sign) not in ("Cc", "Cf", "Cs", "Zl", "Zp"), hex(ord(sign))


# -- going elsewhere


async def test_the_volume_and_the_command_line(tmp_path: Path) -> None:
    scene = quiet(night())
    kept = copy(scene, 1, 60, uuid_volume(1))
    stuck = copy(scene, 2, 9000, uuid_volume(0), mark=None)
    async with breaking(scene, tmp_path) as (app, pilot):
        await shelf(app, pilot)
        start = "locktop undo -t s3://lh-backups@eu-central-1/prod"
        await pilot.press("y")
        assert app.clipboard == f"{start} --take-back {stuck} --write"
        await pilot.press("j", "y")
        assert app.clipboard == f"{start} {kept} --write"
        await until(pilot, lambda: "copied the command line" in text(app))
        await pilot.press("o")
        await until(pilot, lambda: isinstance(app.screen, DetailsScreen))
        await pilot.pause()
        assert uuid_volume(1) in text(app)
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, UndoScreen))
        assert listed(app).cursor == kept


# -- pictures

SIZES = {"120x36": (120, 36), "80x24": (80, 24), "60x12": (60, 12)}


def _furnish(scene: Scene) -> None:
    """One of each."""
    ours = ("ops", "bastion-2", "locktop/0.1.0")
    copy(
        scene,
        0xA1,
        40,
        uuid_volume(0),
        lock="lock-5c1e0f8a9b7d2e34",
        reason="node-17 was switched off",
        who=ours,
    )
    copy(scene, 0xA2, 900, uuid_volume(1), lock="lock-77e02c1a97d3f60b", type_=2, who=ours)
    copy(scene, 0xA3, 9000, uuid_volume(2), lock="lock-21a2bb96c8e7f30d", mark=None, who=ours)
    copy(scene, 0xA4, 86_400 * 3, uuid_volume(9), lock="lock-e5a91c0b3d7f2468", mark="undone", who=ours)
    copy(scene, 0xA5, 70, uuid_volume(4), mark=None, who=("bo", "bastion-1", "locktop/0.1.0"))
    scene.store.put(description(copy(scene, 0xA6, 86_400 * 9)), b"{")
    assert FOREIGN_NS < 9000 * SECOND


async def _empty(app: LocktopApp, pilot: Pilot[int], scene: Scene) -> None:
    await shelf(app, pilot)


async def _list(app: LocktopApp, pilot: Pilot[int], scene: Scene) -> None:
    _furnish(scene)
    await pilot.press("r")
    await until(pilot, lambda: len(keys_of(app)) == 6)
    # Quoted errors go away by themselves; a picture is not to depend on when.
    app.clear_notifications()
    await pilot.press("j")


async def _ask(app: LocktopApp, pilot: Pilot[int], scene: Scene) -> None:
    await asked(app, pilot)


async def _finish(app: LocktopApp, pilot: Pilot[int], scene: Scene) -> None:
    await pilot.press("escape", "g")
    await pilot.pause()
    await asked(app, pilot, "f")


PICTURES: dict[str, Callable[[LocktopApp, Pilot[int], Scene], object]] = {
    "empty": _empty,
    "list": _list,
    "ask": _ask,
    "finish": _finish,
}


@pytest.mark.parametrize("plain", [False, True], ids=["unicode", "ascii"])
async def test_it_looks_as_it_was_approved(tmp_path: Path, plain: bool) -> None:
    scene = quiet(night())
    async with breaking(scene, tmp_path, ascii_only=plain) as (app, pilot):
        for picture, draw in PICTURES.items():
            await draw(app, pilot, scene)  # type: ignore[misc]
            for name, size in SIZES.items():
                await pilot.resize_terminal(*size)
                await pilot.pause()
                await pilot.pause()
                await compare(app, pilot, "undo", f"{picture}-{name}{'-ascii' * plain}")
