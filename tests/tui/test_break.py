"""The break dialog: what it shows, what it takes to break a lock, and all that does not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from textual import events
from textual.pilot import Pilot
from textual.widgets import Input

from backuplock import layout
from backuplock.breaking import Audit
from backuplock.clock import SECOND
from backuplock.errors import Denied
from backuplock.model import Owner
from backuplock.watch import EventKind
from harness.breaking import QUARANTINE
from harness.builders import volume_folder
from harness.commands import fingerprint
from harness.troubled import TroubledStore
from locktop import keys
from locktop.app import LocktopApp
from locktop.break_sheet import FRESH_NS, prompt
from locktop.messages import ButtonPressed
from locktop.screens.break_ import BreakScreen
from locktop.screens.details import DetailsScreen
from locktop.screens.locks import LocksScreen
from locktop.widgets.button import Button
from locktop.widgets.panes import Scroller
from tui.breaking import Files, breaking, broken, button, dialog, opened, quiet, session_on, typed
from tui.lists import compare
from tui.look import console, lines, look_again, table, text, until
from tui.scene import Scene, night, uuid_volume

UNWATCHED = ("could not be watched",)
"""The watch over what was broken ends with the console."""

KEYS = ("tab", "shift+tab", "down", "up", "pagedown", "pageup", "y", "escape")
"""Every key of the dialog; each is pressed below."""

DEAD = layout.lock_key(uuid_volume(0), "lock-9f2c41d07be35a18")
LATE = layout.lock_key(uuid_volume(2), "lock-0d41a2bb96c8e7f3")


def there(scene: Scene) -> set[str]:
    """Keys of all locks in the store."""
    found = set()
    for one in (DEAD, LATE, layout.lock_key(uuid_volume(1), "lock-44be02c1a97d3f60")):
        if scene.store.read(one) is not None:
            found.add(one)
    return found


def copies(scene: Scene) -> list[str]:
    """What lies in the quarantine."""
    return sorted(entry.name.partition(".")[2] for entry in scene.store.list(QUARANTINE).entries)


def flat(app: LocktopApp) -> str:
    """The screen as one line: toasts and sheets wrap where they must."""
    return " ".join(text(app).split())


def trail(folder: Path) -> list[str]:
    """What the audit trail says came of each act; it has to be whole."""
    audit = Audit.read(folder / "audit.db")
    assert audit.verify().problem == ""
    return [one.get("outcome") for one in audit.entries() if one.get("phase") == "after"]


def test_every_key_of_the_dialog_is_pressed_here() -> None:
    bound = {key for one in keys.KEYS if one.place == "break" for key in one.keys.split(",")}
    assert bound == set(KEYS)


# -- breaking


async def test_a_dead_lock_is_broken_by_typing_its_end_and_by_the_button(tmp_path: Path) -> None:
    scene = quiet(night())
    async with breaking(scene, tmp_path) as (app, pilot):
        screen = await opened(app, pilot, DEAD)
        assert app.focused is screen.query_one("#cancel")
        assert "[x] unchanged" in text(app)
        assert "it blocks nobody any more" in flat(app)
        await pilot.press("shift+tab", "shift+tab")
        assert app.focused is screen.query_one("#typed")
        assert button(app).disabled
        await pilot.press(*"7be35a18")
        assert not button(app).disabled
        await pilot.press("tab", *"node")
        await pilot.press("tab", "tab")
        assert app.focused is button(app)
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, LocksScreen))
        await until(pilot, lambda: "is broken" in flat(app))
        assert DEAD not in there(scene)
        assert copies(scene) == ["done", "json"]
        await until(pilot, lambda: any(one.kind is EventKind.BROKEN for one in app.status.events))
        assert "watched for 1:15 more" in text(app)
    entries = Audit.read(tmp_path / "audit.db").entries()
    assert [one.get("outcome") for one in entries] == ["", "broken", *UNWATCHED]
    assert entries[0].get("reason") == "node"
    assert entries[0].get("tool").startswith("locktop/")


async def test_a_lock_is_broken_from_the_details(tmp_path: Path) -> None:
    scene = quiet(night())
    async with breaking(scene, tmp_path) as (app, pilot):
        app.open_volume(uuid_volume(0), DEAD)
        await until(pilot, lambda: isinstance(app.screen, DetailsScreen))
        await pilot.pause()
        await pilot.press("x")
        await until(pilot, lambda: isinstance(app.screen, BreakScreen) and dialog(app).form.proposal)
        await typed(app, pilot, "7be35a18")
        button(app).focus()
        await pilot.press("space")
        await until(pilot, lambda: DEAD not in there(scene))
        await until(pilot, lambda: "broken from here, gone so far; watched for 1:15 more" in text(app))


@pytest.mark.parametrize("live", [False, True])
async def test_files_are_broken_by_the_clock_of_this_machine(tmp_path: Path, live: bool) -> None:
    files = Files(tmp_path)
    lock = files.lock(age_s=20 if live else 500)
    async with console(files.session()) as (app, pilot):
        await opened(app, pilot)
        if live:
            assert "its holder may be alive" in text(app)
            assert (files.root / lock.key).exists()
        else:
            await typed(app, pilot, lock.name[-8:])
            await pilot.click(button(app))
            await until(pilot, lambda: not (files.root / lock.key).exists())
            assert list((files.root / QUARANTINE).glob("*.file"))
            await until(pilot, lambda: "is broken" in text(app))


# -- what does not break


async def test_enter_in_a_field_never_breaks(tmp_path: Path) -> None:
    scene = quiet(night())
    async with breaking(scene, tmp_path) as (app, pilot):
        screen = await opened(app, pilot, DEAD)
        await typed(app, pilot, "7be35a18")
        assert not button(app).disabled
        await pilot.press("enter", "enter", "tab", "enter", "enter")
        await pilot.pause(0.2)
        assert app.focused is screen.query_one("#reason")
        assert screen.form.progress is None
        assert DEAD in there(scene)
        await pilot.press("escape")
    assert not (tmp_path / "audit.db").exists() or trail(tmp_path) == []


async def test_a_burst_of_keys_breaks_nothing(tmp_path: Path) -> None:
    scene = quiet(night())
    async with breaking(scene, tmp_path) as (app, pilot):
        await pilot.press(*"xxxx", "enter", "x", "space", "x", "tab", "enter", "x", *"7be35a18", "enter", "x")
        await pilot.press("tab", "tab", "tab", "enter", "tab", "space", "enter", "escape", "x", "enter")
        await pilot.pause(0.2)
        assert there(scene) >= {DEAD, LATE}
        assert app.status.deeds.acted is None


async def test_what_is_typed_in_one_go_goes_where_it_belongs(tmp_path: Path) -> None:
    scene = quiet(night())
    async with breaking(scene, tmp_path) as (app, pilot):
        screen = await opened(app, pilot, DEAD)
        screen.query_one("#typed", Input).focus()
        # As from a slow terminal: all keys are there before the first is obeyed, and the button is off then.
        for key in (*"7be35a18", "tab", *"gone", "tab", "tab", "enter"):
            app.post_message(events.Key(key, key if len(key) == 1 else None))
        await until(pilot, lambda: screen.query_one("#reason", Input).value == "gone")
        assert screen.query_one("#typed", Input).value == "7be35a18"
        await pilot.pause(0.2)
        assert DEAD in there(scene)
        assert app.status.deeds.acted is None


async def test_enter_held_down_on_the_button_breaks_once(tmp_path: Path) -> None:
    scene = quiet(night())
    async with breaking(scene, tmp_path) as (app, pilot):
        await opened(app, pilot, DEAD)
        await typed(app, pilot, "7be35a18")
        button(app).focus()
        for _ in range(5):
            dialog(app).post_message(ButtonPressed("break"))
        await until(pilot, lambda: app.status.deeds.acted)
        await pilot.pause(0.2)
    assert trail(tmp_path) == ["broken", *UNWATCHED]


async def test_enter_held_down_on_cancel_leaves_the_dialog_and_no_more(tmp_path: Path) -> None:
    scene = quiet(night())
    async with breaking(scene, tmp_path) as (app, pilot):
        app.open_volume(uuid_volume(0), DEAD)
        await until(pilot, lambda: isinstance(app.screen, DetailsScreen))
        await pilot.press("x")
        await until(pilot, lambda: isinstance(app.screen, BreakScreen))
        for _ in range(3):
            dialog(app).post_message(ButtonPressed("cancel"))
        await until(pilot, lambda: not isinstance(app.screen, BreakScreen))
        await pilot.pause(0.1)
        assert isinstance(app.screen, DetailsScreen)


async def test_double_clicks_break_nothing(tmp_path: Path) -> None:
    scene = quiet(night())
    async with breaking(scene, tmp_path) as (app, pilot):
        at = lines(app)[-1].index("x break")
        await pilot.click("FooterBar", offset=(at, 0), times=2)
        await until(pilot, lambda: isinstance(app.screen, BreakScreen))
        await until(pilot, lambda: dialog(app).form.proposal)
        await pilot.pause()
        await pilot.click(button(app), times=2)
        await pilot.pause(0.1)
        assert there(scene) >= {DEAD, LATE}
        assert app.status.deeds.acted is None


async def test_the_second_click_of_a_double_click_does_not_count(tmp_path: Path) -> None:
    scene = quiet(night())
    async with breaking(scene, tmp_path) as (app, pilot):
        await opened(app, pilot, DEAD)
        found = button(app)
        await typed(app, pilot, "7be35a18")
        found.on_click(_click(found, chain=2))
        await pilot.pause(0.1)
        assert dialog(app).form.progress is None
        assert DEAD in there(scene)
        found.on_click(_click(found, chain=1))
        await until(pilot, lambda: DEAD not in there(scene))


def _click(widget: Button, chain: int) -> events.Click:
    return events.Click(widget, 1, 0, 0, 0, 1, False, False, False, 1, 0, chain=chain)


async def test_a_pasted_name_proves_nothing(tmp_path: Path) -> None:
    async with breaking(quiet(night()), tmp_path) as (app, pilot):
        screen = await opened(app, pilot, DEAD)
        field = screen.query_one("#typed", Input)
        field.focus()
        field.post_message(events.Paste("7be35a18"))
        await until(pilot, lambda: "do not paste it" in text(app))
        assert field.value == ""
        assert button(app).disabled


async def test_a_paste_beside_the_field_opens_nothing(tmp_path: Path) -> None:
    async with breaking(quiet(night()), tmp_path) as (app, pilot):
        screen = await opened(app, pilot, DEAD)
        screen.query_one("#cancel").post_message(events.Paste("failed to acquire lock"))
        await pilot.pause()
        assert app.screen is screen


async def test_cancel_and_escape_write_nothing(tmp_path: Path) -> None:
    scene = quiet(night())
    async with breaking(scene, tmp_path) as (app, pilot):
        for way in ("enter", "escape"):
            await opened(app, pilot, DEAD)
            await pilot.press(way)
            await until(pilot, lambda: isinstance(app.screen, LocksScreen))
        assert there(scene) >= {DEAD, LATE}
        assert copies(scene) == []


# -- what is read anew


async def test_a_lock_that_is_refreshed_meanwhile_turns_the_button_off(tmp_path: Path) -> None:
    scene = quiet(night())
    async with breaking(scene, tmp_path) as (app, pilot):
        await opened(app, pilot, DEAD)
        await typed(app, pilot, "7be35a18")
        assert not button(app).disabled
        refresh(scene, DEAD)
        await until(pilot, lambda: "not broken: it was refreshed 0s ago" in text(app))
        assert "[ ] unchanged" in text(app)
        assert button(app).disabled
        assert app.focused is app.screen.query_one("#cancel")
        assert DEAD in there(scene)


async def test_a_lock_that_is_refreshed_at_the_last_moment_stays(tmp_path: Path) -> None:
    scene = quiet(night())
    async with breaking(scene, tmp_path) as (app, pilot):
        await opened(app, pilot, DEAD)
        await typed(app, pilot, "7be35a18")
        refresh(scene, DEAD)
        dialog(app).post_message(ButtonPressed("break"))
        await until(pilot, lambda: app.status.deeds.acted)
        await until(pilot, lambda: "0 locks broken, 1 not" in text(app))
        assert "it was refreshed 0s ago" in flat(app)
        assert DEAD in there(scene)
        await pilot.press("enter")
        assert isinstance(app.screen, LocksScreen)
    assert trail(tmp_path) == []


async def test_a_lock_that_went_meanwhile(tmp_path: Path) -> None:
    scene = quiet(night())
    async with breaking(scene, tmp_path) as (app, pilot):
        await opened(app, pilot, DEAD)
        scene.store.delete(DEAD)
        await until(pilot, lambda: "the lock is gone already" in text(app))
        assert app.screen.query_one("#typed", Input).disabled


async def test_preconditions_of_long_ago_turn_the_button_off(tmp_path: Path) -> None:
    scene = quiet(night())
    store = TroubledStore(scene.store)
    async with breaking(scene, tmp_path, store=lambda: store) as (app, pilot):
        await opened(app, pilot, DEAD)
        await typed(app, pilot, "7be35a18")
        store.add("read", before=Denied("it is denied"))
        await until(pilot, lambda: "could not be read" in text(app))
        assert "[?] unchanged" in text(app)
        assert button(app).disabled


async def test_an_old_answer_is_none(tmp_path: Path) -> None:
    scene = quiet(night())
    async with breaking(scene, tmp_path) as (app, pilot):
        screen = await opened(app, pilot, DEAD)
        await typed(app, pilot, "7be35a18")
        # Whoever answers hangs: no further answer comes.
        breaker = app.session.breaker
        assert breaker is not None
        breaker.ask = lambda question: None  # type: ignore[method-assign]
        scene.advance(FRESH_NS / SECOND + 4)
        app.refresh_status()
        await until(pilot, lambda: "has not answered for" in text(app))
        screen.post_message(ButtonPressed("break"))
        await pilot.pause(0.1)
        assert DEAD in there(scene)


# -- locks whose holders may live


async def test_a_late_lock_is_not_offered(tmp_path: Path) -> None:
    scene = quiet(night())
    async with breaking(scene, tmp_path) as (app, pilot):
        screen = await opened(app, pilot, LATE)
        assert "--even-if-live" in text(app)
        assert screen.query_one("#typed", Input).disabled
        screen.post_message(ButtonPressed("break"))
        await pilot.pause(0.1)
        assert LATE in there(scene)


async def test_a_late_lock_takes_its_full_name(tmp_path: Path) -> None:
    scene = quiet(night())
    async with breaking(scene, tmp_path, even_if_live=True) as (app, pilot):
        screen = await opened(app, pilot, LATE)
        assert prompt(screen.form) == "type the lock's full name to confirm"
        assert "a deletion may start" in flat(app)
        await typed(app, pilot, "96c8e7f3")
        assert button(app).disabled
        screen.query_one("#typed", Input).value = ""
        await typed(app, pilot, "lock-0d41a2bb96c8e7f3")
        button(app).focus()
        await pilot.press("enter")
        await until(pilot, lambda: LATE not in there(scene))
    assert Audit.read(tmp_path / "audit.db").entries()[0].fields["live"] is True


async def test_a_sign_of_life_elsewhere_is_unticked_and_forbids_it(tmp_path: Path) -> None:
    scene = night(held=0)
    owner = Owner(host="node-221", pid=7, tool="locktop 0.1.0")
    volume = scene.volume("pvc-two")
    key = scene.lock(volume, 500, lock="lock-00000000000000aa", owner=owner)
    scene.lock(scene.volume("pvc-three"), 4, lock="lock-00000000000000bb", owner=owner)
    async with breaking(scene, tmp_path) as (app, pilot):
        await opened(app, pilot, key)
        assert "[ ] no sign of life elsewhere  node-221, process 7," in text(app)
        assert "refreshed lock-00000000000000bb 4s ago" in flat(app) or "4s ago" in text(app)
        assert button(app).disabled
        assert app.screen.query_one("#typed", Input).disabled


# -- sessions that only read


async def test_a_session_that_only_reads_says_so_and_writes_nothing(tmp_path: Path) -> None:
    scene = quiet(night())
    store = TroubledStore(scene.store)
    async with breaking(scene, tmp_path, writable=False, store=lambda: store) as (app, pilot):
        assert "[RO]" in text(app)
        for place in ("locks", "details"):
            await pilot.press("x")
            await until(pilot, lambda: "locktop --write TARGET opens it" in text(app))
            assert not isinstance(app.screen, BreakScreen), place
            await app.run_action("app.break_locks", app.screen)
            app.action_break_locks()
            await pilot.pause()
            assert not isinstance(app.screen, BreakScreen)
            await pilot.press("enter")
        assert store.calls["put"] == store.calls["delete"] == 0
        assert there(scene) >= {DEAD, LATE}


async def test_a_folder_is_left_as_it_is_by_a_session_that_only_reads(tmp_path: Path) -> None:
    files = Files(tmp_path)
    files.lock()
    before = fingerprint(files.root)
    async with console(files.session(writable=False)) as (app, pilot):
        await pilot.press("x", "u")
        await until(pilot, lambda: "nothing was broken here" in text(app))
        await pilot.press("enter", "f", "escape", "x", "enter", "x")
        await pilot.pause(0.1)
        assert "is read-only" in text(app)
    assert fingerprint(files.root) == before


async def test_a_writable_session_says_so(tmp_path: Path) -> None:
    async with breaking(quiet(night()), tmp_path, (80, 24)) as (app, _):
        assert "[RW]" in text(app)


# -- names of all kinds


async def test_hostile_names_never_reach_the_terminal(tmp_path: Path) -> None:
    scene = Scene()
    volume = scene.volume("pvc-" + "w" * 200, ("[on red]\x1b]0;x\x07", "\u202eclaim", "[/]"))
    owner = Owner(host="\x1b[31m[bold]\u202ehost", pid=7, tool="[/]", note="[link=x]\x07")
    key = scene.lock(volume, 900, lock="lock-" + "a" * 200, owner=owner)
    async with breaking(quiet(scene), tmp_path, (80, 24)) as (app, pilot):
        screen = await opened(app, pilot, key)
        for size in ((80, 24), (120, 36)):
            await pilot.resize_terminal(*size)
            await pilot.pause()
            shown = text(app)
            assert "\x1b" not in shown
            assert "\u202e" not in shown
            assert "[bold]" in shown
        screen.query_one("#reason", Input).value = "[bold]why\u202e[/]"
        await pilot.press("y")
        assert "\u202e" not in app.clipboard
        await typed(app, pilot, "a" * 8)
        button(app).focus()
        await pilot.press("enter")
        await until(pilot, lambda: scene.store.read(key) is None)
        await until(pilot, lambda: "is broken" in flat(app))
        await pilot.press("u")
        await until(pilot, lambda: "1 entry" in text(app))
        await until(pilot, lambda: "[bold]why" in text(app))
        assert "\x1b" not in text(app)
        assert "\u202e" not in text(app)


# -- many


def _dead_many(scene: Scene, count: int) -> list[str]:
    return [scene.lock(scene.volume(f"pvc-{n:02}"), 400 + n, lock=f"lock-{n:016x}") for n in range(count)]


async def _marked(app: LocktopApp, pilot: Pilot[int], wanted: list[str]) -> None:
    for key in wanted:
        table(app).seek(key)
        await pilot.press("space")
    await pilot.press("x")


async def _asked(app: LocktopApp, pilot: Pilot[int]) -> None:
    await until(pilot, lambda: isinstance(app.screen, BreakScreen) and dialog(app).form.proposal)
    await pilot.pause()


async def test_many_dead_locks_are_broken_in_one_dialog(tmp_path: Path) -> None:
    scene = Scene()
    dead = _dead_many(scene, 3)
    live = scene.lock(scene.volume("pvc-live"), 5)
    async with breaking(scene, tmp_path) as (app, pilot):
        await _marked(app, pilot, [*dead, live])
        await _asked(app, pilot)
        shown = text(app)
        assert "3 dead locks to be broken   1 left out" in shown
        assert "nothing shows that its holder is dead" in shown
        for key in dead:
            assert key.rpartition("/")[2].removesuffix(".lck") in shown
        await typed(app, pilot, "4")
        assert button(app).disabled
        await pilot.press("backspace", "3")
        button(app).focus()
        await pilot.press("enter")
        await until(pilot, lambda: "3 locks broken" in text(app))
        assert [key for key in (*dead, live) if scene.store.read(key)] == [live]
        assert text(app).count("is broken, a copy is kept") == 3
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, LocksScreen))
        await until(pilot, lambda: "3 broken locks: 3 gone so far" in text(app))


async def test_what_is_refreshed_meanwhile_leaves_the_list_and_what_was_typed(tmp_path: Path) -> None:
    scene = Scene()
    dead = _dead_many(scene, 3)
    async with breaking(scene, tmp_path) as (app, pilot):
        await _marked(app, pilot, dead)
        await _asked(app, pilot)
        await typed(app, pilot, "3")
        assert not button(app).disabled
        refresh(scene, dead[1])
        app.session.refresh_now()
        await until(pilot, lambda: "2 dead locks to be broken" in text(app))
        assert "it was refreshed meanwhile" in text(app)
        assert button(app).disabled
        assert app.screen.query_one("#typed", Input).value == ""


async def test_one_of_many_that_is_refused_is_told(tmp_path: Path) -> None:
    scene = Scene()
    dead = _dead_many(scene, 2)
    async with breaking(scene, tmp_path) as (app, pilot):
        await _marked(app, pilot, dead)
        await _asked(app, pilot)
        await typed(app, pilot, "2")
        refresh(scene, dead[0])
        dialog(app).post_message(ButtonPressed("break"))
        await until(pilot, lambda: "1 lock broken, 1 not" in text(app))
        assert scene.store.read(dead[0]) is not None
        assert scene.store.read(dead[1]) is None
        assert "[ ] pvc-00/lock-0000000000000000.lck is not broken, it was refreshed 0s ago" in text(app)


async def test_where_somebody_works_a_lock_is_not_broken_with_others(tmp_path: Path) -> None:
    scene = Scene()
    dead = _dead_many(scene, 2)
    scene.store.put(f"{volume_folder('pvc-01')}/backups/backup_x.cfg", b'{"Name":"x","CreatedTime":""}')
    async with breaking(scene, tmp_path) as (app, pilot):
        await _marked(app, pilot, dead)
        await _asked(app, pilot)
        await typed(app, pilot, "2")
        button(app).focus()
        await pilot.press("enter")
        await until(pilot, lambda: "1 of 2 locks broken" in text(app) or "1 lock broken" in text(app))
        assert "backups of the volume were written" in flat(app)
        assert scene.store.read(dead[1]) is not None


async def test_live_locks_are_never_broken_in_bulk(tmp_path: Path) -> None:
    scene = Scene()
    live = [scene.lock(scene.volume(f"pvc-{n}"), 5) for n in range(2)]
    async with breaking(scene, tmp_path, even_if_live=True) as (app, pilot):
        await _marked(app, pilot, live)
        await _asked(app, pilot)
        assert "none of them may be broken in bulk" in text(app)
        assert app.screen.query_one("#typed", Input).disabled


async def test_fifty_at_most(tmp_path: Path) -> None:
    scene = Scene()
    dead = _dead_many(scene, 51)
    async with breaking(scene, tmp_path) as (app, pilot):
        await _marked(app, pilot, dead)
        await until(pilot, lambda: "50 at most" in flat(app))
        assert isinstance(app.screen, LocksScreen)
        await pilot.press("space", "x")
        await _asked(app, pilot)
        assert "50 dead locks to be broken" in text(app)


async def test_a_row_that_is_no_lock_cannot_be_broken(tmp_path: Path) -> None:
    scene = Scene()
    scene.volume("pvc-free")
    async with breaking(scene, tmp_path) as (app, pilot):
        await pilot.press("x")
        await until(pilot, lambda: "no lock is chosen" in text(app))


# -- after it


async def test_the_watch_counts_down_and_tells_the_verdict(tmp_path: Path) -> None:
    scene = quiet(night())
    async with breaking(scene, tmp_path) as (app, pilot):
        await broken(app, pilot, DEAD)
        await look_again(app, pilot)
        scene.advance(30)
        app.refresh_status()
        await pilot.pause()
        assert "gone so far, watched for 0:45 more" in text(app)
        scene.advance(46)
        await look_again(app, pilot)
        assert "gone for good" in text(app)
        await until(pilot, lambda: trail(tmp_path) == ["broken", "gone for good"])
        scene.advance(61)
        await look_again(app, pilot)
        assert "gone for good" not in text(app)


@pytest.mark.parametrize("paused", [False, True])
async def test_a_lock_that_comes_back_is_an_alarm(tmp_path: Path, paused: bool) -> None:
    scene = quiet(night())
    async with breaking(scene, tmp_path) as (app, pilot):
        body = scene.store.read(DEAD)
        assert body is not None
        await broken(app, pilot, DEAD)
        await look_again(app, pilot)
        if paused:
            await pilot.press("p")
        scene.advance(20)
        scene.store.put(DEAD, body.body)
        app.session.refresh_now()
        await until(pilot, lambda: "CAME BACK" in text(app))
        assert "its holder is alive. Stop the process, not the file" in text(app)
        await until(pilot, lambda: "locktop hold" in text(app))
        await until(pilot, lambda: trail(tmp_path) == ["broken", "came back"])
        scene.advance(300)
        refresh(scene, DEAD)
        app.session.refresh_now()
        await pilot.pause(0.2)
        assert "CAME BACK" in text(app)
        scene.store.delete(DEAD)
        scene.advance(61)
        app.session.refresh_now()
        await until(pilot, lambda: "CAME BACK" not in "\n".join(lines(app)[:4]))


async def test_a_store_that_denies_is_told_and_the_lock_stays(tmp_path: Path) -> None:
    scene = quiet(night())
    store = TroubledStore(scene.store)
    async with breaking(scene, tmp_path, store=lambda: store) as (app, pilot):
        await opened(app, pilot, DEAD)
        await typed(app, pilot, "7be35a18")
        store.add("put", before=Denied("the store denies writing", advice="ask whoever runs it"))
        button(app).focus()
        await pilot.press("enter")
        await until(pilot, lambda: "0 locks broken, 1 not" in text(app))
        assert "the store denies writing" in flat(app)
        assert DEAD in there(scene)


async def test_leaving_the_dialog_while_it_works_tells_the_result(tmp_path: Path) -> None:
    scene = quiet(night())
    store = TroubledStore(scene.store)
    async with breaking(scene, tmp_path, store=lambda: store) as (app, pilot):
        await opened(app, pilot, DEAD)
        await typed(app, pilot, "7be35a18")
        dialog(app).post_message(ButtonPressed("break"))
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, LocksScreen))
        await until(pilot, lambda: "is broken" in flat(app))


# -- keys


async def test_y_copies_the_command_line(tmp_path: Path) -> None:
    async with breaking(quiet(night()), tmp_path, even_if_live=True) as (app, pilot):
        screen = await opened(app, pilot, DEAD)
        screen.query_one("#reason", Input).value = "node is gone"
        await pilot.press("y")
        volume = uuid_volume(0)
        assert app.clipboard == (
            f"locktop break --write -t s3://lh-backups@eu-central-1/prod {volume}/lock-9f2c41d07be35a18"
            " --reason 'node is gone'"
        )
        await pilot.press("escape")
        await opened(app, pilot, LATE)
        await pilot.press("y")
        assert app.clipboard.endswith("lock-0d41a2bb96c8e7f3 --even-if-live")


async def test_the_sheet_scrolls_while_a_field_has_the_focus(tmp_path: Path) -> None:
    async with breaking(quiet(night()), tmp_path, (80, 24)) as (app, pilot):
        screen = await opened(app, pilot, DEAD)
        await typed(app, pilot, "7")
        sheet = screen.query_one(Scroller)
        assert sheet.max_scroll_y > 2
        await pilot.press("down", "down", "up")
        assert sheet.scroll_offset.y == 1
        await pilot.press("pagedown")
        assert sheet.scroll_offset.y > 1
        await pilot.press("pageup", "pageup")
        assert sheet.scroll_offset.y == 0


async def test_tab_goes_round(tmp_path: Path) -> None:
    async with breaking(quiet(night()), tmp_path) as (app, pilot):
        screen = await opened(app, pilot, DEAD)
        seen = []
        for _ in range(4):
            await pilot.press("tab")
            seen.append(app.focused.id if app.focused else None)
        assert seen == ["typed", "reason", "cancel", "typed"]
        await pilot.press("shift+tab")
        assert app.focused is screen.query_one("#cancel")


# -- pictures


SIZES = {"120x36": (120, 36), "80x24": (80, 24), "60x12": (60, 12)}


async def _single(app: LocktopApp, pilot: Pilot[int], scene: Scene) -> None:
    await opened(app, pilot, DEAD)


async def _live(app: LocktopApp, pilot: Pilot[int], scene: Scene) -> None:
    await opened(app, pilot, LATE)


async def _moved(app: LocktopApp, pilot: Pilot[int], scene: Scene) -> None:
    await opened(app, pilot, DEAD)
    refresh(scene, DEAD)
    await until(pilot, lambda: "not broken: it was refreshed" in text(app))


async def _many(app: LocktopApp, pilot: Pilot[int], scene: Scene) -> None:
    other = layout.lock_key(uuid_volume(1), "lock-44be02c1a97d3f60")
    await _marked(app, pilot, [DEAD, other, LATE])
    await _asked(app, pilot)


PICTURES: dict[str, Callable[[LocktopApp, Pilot[int], Scene], object]] = {
    "single": _single,
    "live": _live,
    "moved": _moved,
    "many": _many,
}


@pytest.mark.parametrize("plain", [False, True], ids=["unicode", "ascii"])
@pytest.mark.parametrize("picture", PICTURES)
async def test_the_dialog_looks_as_it_was_approved(tmp_path: Path, picture: str, plain: bool) -> None:
    scene = quiet(night())
    async with breaking(scene, tmp_path, even_if_live=picture == "live", ascii_only=plain) as (app, pilot):
        await PICTURES[picture](app, pilot, scene)  # type: ignore[misc]
        for name, size in SIZES.items():
            await pilot.resize_terminal(*size)
            await pilot.pause()
            await pilot.pause()
            await compare(app, pilot, "break", f"{picture}-{name}{'-ascii' * plain}")


def refresh(scene: Scene, key: str) -> None:
    """Write a lock as Longhorn refreshes: the same bytes, blindly."""
    found = scene.store.read(key)
    assert found is not None
    scene.store.put(key, found.body)


async def test_quitting_in_the_middle_of_it_waits_for_its_end(tmp_path: Path) -> None:
    scene = quiet(night())
    session = session_on(scene, tmp_path)
    async with console(session) as (app, pilot):
        await opened(app, pilot, DEAD)
        await typed(app, pilot, "7be35a18")
        dialog(app).post_message(ButtonPressed("break"))
        await until(pilot, lambda: app.status.deeds.progress or app.status.deeds.acted)
        await pilot.press("ctrl+c")
    # The watch over it ends with the console, which says so.
    assert trail(tmp_path) == ["broken", *UNWATCHED]
    assert "is not watched any more" in session.last_words[0]


@pytest.mark.parametrize("key", [DEAD, LATE], ids=["its end", "all of it"])
@pytest.mark.parametrize("size", [(60, 12), (60, 18), (80, 24)], ids=str)
async def test_what_is_to_be_typed_is_seen_in_full(tmp_path: Path, key: str, size: tuple[int, int]) -> None:
    async with breaking(quiet(night()), tmp_path, size, even_if_live=True) as (app, pilot):
        screen = await opened(app, pilot, key)
        says = next(line for line in lines(app) if "type " in line)
        assert says.split()[-2] == screen.form.to_type
        app.screen.query_one("#typed", Input).focus()
        await pilot.press("a", "enter")
        await pilot.pause()
        assert any(line.split()[-2:-1] == [screen.form.to_type] for line in lines(app))


async def test_the_alarm_says_it_once(tmp_path: Path) -> None:
    scene = quiet(night())
    async with breaking(scene, tmp_path) as (app, pilot):
        body = scene.store.read(DEAD)
        assert body is not None
        await broken(app, pilot, DEAD)
        scene.advance(20)
        scene.store.put(DEAD, body.body)
        await look_again(app, pilot)
        alarm = next(toast.message for toast in app._notifications if "came back" in toast.message)
        assert alarm.count("its holder is alive") == 1
        assert "stop the process, not the file" in alarm
