"""A message of Longhorn, pasted into the console: from it to the lock that is in the way."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.cells import cell_len
from textual import events
from textual.pilot import Pilot

from backuplock import layout
from backuplock.clock import SystemClock
from backuplock.errors import Unreachable
from backuplock.target import parse_target
from harness.complaints import FORMS, OTHERS
from locktop.app import LocktopApp
from locktop.demo.people import plant, scene
from locktop.messages import MessageGiven
from locktop.screens.blocked import BlockedScreen
from locktop.screens.details import DetailsScreen
from locktop.screens.explain import LONG, ExplainScreen
from locktop.screens.help import HelpScreen
from locktop.screens.locks import LocksScreen
from locktop.session import Session
from locktop.subcommands.common import opener
from locktop.widgets.filter_bar import FilterBar
from locktop.widgets.message_box import MessageBox
from locktop.widgets.panes import Scroller
from locktop.widgets.picker import Picker
from tui.look import console, lines, look_again, text, until
from tui.scene import night, uuid_volume

KEYS = (
    *("j", "down", "k", "up", "ctrl+d", "ctrl+u", "pagedown", "ctrl+f", "space", "pageup", "ctrl+b"),
    *("g", "home", "G", "end", "enter", "o", "a", "y", "escape"),
)
"""Every key of this view; each is pressed below."""

LATE = uuid_volume(2)
"""A lock of ours has missed a refresh."""
CLASH = uuid_volume(5)
"""A deletion is held, a backup waits."""
FREE = uuid_volume(40)


def refusal(volume: str, operation: str = "backup deletion", lock: str = "lock-0123456789abcdef") -> str:
    """What releases from 1.10.2 on say."""
    path = layout.lock_key(volume, lock)
    return f"failed to acquire lock {path} when performing {operation}, please try again later"


SEVERAL = "\n".join([refusal(FREE), refusal(CLASH, "backup create/restore"), refusal("pvc-nowhere")])


async def pasted(app: LocktopApp, pilot: Pilot[int], message: str) -> None:
    """As a terminal tells of a paste."""
    app.post_message(events.Paste(message))
    await until(pilot, lambda: isinstance(app.screen, ExplainScreen) and app.screen.is_mounted)
    await until(pilot, lambda: isinstance(app.focused, Scroller))
    await pilot.pause()


async def test_from_a_paste_into_any_view_to_the_culprit() -> None:
    async with console(night().session()) as (app, pilot):
        for before in ((), ("2",), ("4",), ("1", "enter")):
            await pilot.press(*before)
            await pilot.pause()
            await pasted(app, pilot, refusal(LATE))
            found = text(app)
            assert "BLOCKED: delete would be refused now because of 1 lock" in found
            assert "lock-0d41a2bb96c8e7f3" in found
            assert "late, perhaps dead: missed 1 refresh" in found
            assert "held by node-093" in found
            assert "remove it perhaps" in found
            assert "lock-0123456789abcdef is the refused operation's own, which it deletes" in found
            await pilot.press("escape")
            await until(pilot, lambda: not isinstance(app.screen, ExplainScreen))


async def test_every_form_of_message_finds_its_volume() -> None:
    async with console(night().session(), (120, 60)) as (app, pilot):
        for form in (*FORMS, *OTHERS):
            await pasted(app, pilot, form(CLASH))
            assert "1 complaint about 1 volume" in lines(app)[2], form.id
            assert f"  {CLASH}  git/gitea-shared-storage" in text(app), form.id
            assert "BLOCKED: " in text(app), form.id


async def test_typing_or_pasting_into_the_field(monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[MessageGiven] = []
    take = ExplainScreen.on_message_given

    def hear(screen: ExplainScreen, message: MessageGiven) -> None:
        heard.append(message)
        take(screen, message)

    monkeypatch.setattr(ExplainScreen, "on_message_given", hear)
    async with console(night().session()) as (app, pilot):
        await pilot.press("m")
        await pilot.pause()
        assert isinstance(app.focused, MessageBox)
        assert "What Longhorn said" in text(app)
        await pilot.press("q", "1", "p")
        await pilot.pause()
        assert [message.text for message in heard] == ["q", "q1", "q1p"]
        assert "Nothing in this text is about a lock of a volume." in text(app)
        assert app.return_code is None
        app.post_message(events.Paste(refusal(LATE)))
        await until(pilot, lambda: "BLOCKED: delete" in text(app))
        assert (heard[-1].text, heard[-1].done) == (refusal(LATE), True)
        assert isinstance(app.focused, Scroller)
        await pilot.press("m")
        assert isinstance(app.focused, MessageBox)
        await pilot.press("enter")
        await pilot.pause()
        assert isinstance(app.focused, Scroller)
        await pilot.press("m", "escape")
        await pilot.pause()
        assert isinstance(app.focused, Scroller)
        await pilot.press("escape")
        await pilot.pause()
        assert isinstance(app.screen, LocksScreen)


async def test_among_several_complaints_the_blocked_one_is_told_first() -> None:
    async with console(night().session(), (120, 40)) as (app, pilot):
        await pasted(app, pilot, SEVERAL)
        picker = app.screen.query_one(Picker)
        assert "3 complaints about 3 volumes" in lines(app)[2]
        places = {"FREE": 0, "BLOCKED": 1, "NO PICTURE": 2}
        for word, place in places.items():
            assert any(line[1:].startswith(word) for line in lines(app)), word
            assert list(picker.keys)[place].split("/")[0] in SEVERAL.split("\n")[place]
        assert picker.place == 1
        assert "BLOCKED: backup and restore would be refused now" in text(app)
        for key, word in (
            ("j", "NO PICTURE: this store has no backup volume pvc-nowhere"),
            ("k", "BLOCKED: "),
            ("up", "FREE: delete would be granted now; retry"),
            ("down", "BLOCKED: "),
        ):
            await pilot.press(key)
            await pilot.pause()
            assert word in text(app), key
        await pilot.click(Picker, offset=(10, 1))
        await pilot.pause()
        assert "FREE: delete" in text(app)


async def test_a_volume_of_another_target_is_said_to_be_that() -> None:
    async with console(night().session()) as (app, pilot):
        await pasted(app, pilot, refusal("pvc-nowhere"))
        assert "this store has no backup volume pvc-nowhere" in text(app)
        assert "The message may be of another one" in " ".join(text(app).split())
        await pilot.press("o")
        await pilot.pause()
        assert isinstance(app.screen, ExplainScreen)


async def test_the_report_follows_the_store() -> None:
    scene = night()
    async with console(scene.session()) as (app, pilot):
        await pasted(app, pilot, refusal(LATE))
        assert "BLOCKED: " in text(app)
        scene.store.delete(layout.lock_key(LATE, "lock-0d41a2bb96c8e7f3"))
        scene.advance(2)
        await look_again(app, pilot)
        assert "FREE: delete would be granted now; retry" in text(app)


async def test_the_volume_opens_on_the_lock_in_the_way() -> None:
    async with console(night().session()) as (app, pilot):
        await pasted(app, pilot, refusal(CLASH, "backup create/restore"))
        for key in ("enter", "o"):
            await pilot.press(key)
            await pilot.pause()
            assert isinstance(app.screen, DetailsScreen)
            assert app.screen.query_one(Picker).cursor == layout.lock_key(CLASH, "lock-c45c27866aa34095")
            await pilot.press("escape")
            await pilot.pause()
            assert isinstance(app.screen, ExplainScreen)


async def test_an_operation_on_the_volume_is_simulated() -> None:
    async with console(night().session()) as (app, pilot):
        await pasted(app, pilot, refusal(CLASH))
        await pilot.press("a")
        await until(pilot, lambda: app.current_mode == "simulate")
        await until(pilot, lambda: CLASH in text(app))


async def test_the_report_is_copied_as_text() -> None:
    async with console(night().session()) as (app, pilot):
        await pasted(app, pilot, refusal(LATE))
        await pilot.press("y")
        assert app.clipboard.startswith(LATE)
        assert "BLOCKED: delete would be refused now" in app.clipboard
        assert "What Longhorn does by itself" in app.clipboard


async def test_scrolling_the_report() -> None:
    moved: dict[str, Callable[[int, int], bool]] = {
        **dict.fromkeys(("ctrl+d", "pagedown", "ctrl+f", "space"), lambda after, most: after > 3),
        **dict.fromkeys(("ctrl+u", "pageup", "ctrl+b", "g", "home"), lambda after, most: after == 0),
        **dict.fromkeys(("G", "end"), lambda after, most: after == most),
        **dict.fromkeys(("j", "down"), lambda after, most: after == 3),
        **dict.fromkeys(("k", "up"), lambda after, most: after == 1),
    }
    async with console(night().session(), (80, 18)) as (app, pilot):
        await pasted(app, pilot, refusal(LATE))
        sheet = app.screen.query_one(Scroller)
        for key, right in moved.items():
            sheet.scroll_to(y=2, animate=False, immediate=True)
            await pilot.pause()
            await pilot.press(key)
            await pilot.pause()
            assert right(sheet.scroll_offset.y, sheet.max_scroll_y), key


async def test_a_whole_log_is_read_beside_the_screen() -> None:
    noise = 'time="2026-01-02T03:04:05Z" level=info msg="all is well"\n' * 400
    log = noise + refusal(LATE) + "\n" + noise
    assert len(log) > LONG
    async with console(night().session()) as (app, pilot):
        await pasted(app, pilot, log)
        await until(pilot, lambda: "BLOCKED: delete" in text(app))
        assert "1 complaint about 1 volume" in lines(app)[2]


async def test_before_the_store_has_been_read_and_when_it_cannot_be() -> None:
    scene = night()
    fails = True

    def open_store() -> object:
        if fails:
            raise Unreachable("s3.example does not answer")
        return scene.store

    async with console(scene.session(open_store=open_store), loaded=False) as (app, pilot):  # type: ignore[arg-type]
        await until(pilot, lambda: app.status.failure)
        await pasted(app, pilot, refusal(LATE))
        assert "NO PICTURE: s3.example does not answer" in text(app)
        fails = False
        await look_again(app, pilot)
        assert "BLOCKED: delete" in text(app)


async def test_what_is_pasted_while_a_filter_is_typed_goes_there() -> None:
    async with console(night().session()) as (app, pilot):
        await pilot.press("slash")
        app.post_message(events.Paste("orders"))
        await pilot.pause()
        await pilot.pause()
        assert isinstance(app.screen, LocksScreen)
        assert app.screen.query_one(FilterBar).query_one("#filter").value == "orders"  # type: ignore[attr-defined]
        await pilot.press("escape", "question_mark")
        app.post_message(events.Paste(refusal(LATE)))
        await pilot.pause()
        assert isinstance(app.screen, HelpScreen)


HOSTILE = [
    "\x1b]0;owned\x07\x1b[2J failed to acquire lock",
    refusal("pvc-x") + " [/red][bold]boo[/] [@click=app.quit]x[/]",
    refusal("x" * 250),
    "漢字" * 400 + refusal(LATE) + "\u202e[/red]\x00",
    refusal(LATE, lock="lock-" + "y" * 240),
    "\n".join(refusal(f"pvc-{n}") for n in range(300)),
]


@pytest.mark.parametrize("message", HOSTILE, ids=["escapes", "markup", "long", "wide", "long-lock", "many"])
async def test_hostile_messages_do_no_harm(message: str) -> None:
    async with console(night().session()) as (app, pilot):
        await pasted(app, pilot, message)
        for size in ((120, 36), (80, 24), (60, 12)):
            await pilot.resize_terminal(*size)
            await pilot.pause()
            found = text(app)
            assert not set(found) & set("\x1b\x07\x00\u202e")
            strips = app.screen._compositor.render_strips()
            assert {cell_len(strip.text) for strip in strips} == {size[0]}
        await pilot.press("y")
        assert not set(app.clipboard) & set("\x1b\x07\x00\u202e")
        assert app.crash is None


async def test_many_complaints_are_a_list_that_scrolls() -> None:
    async with console(night().session(), (80, 24)) as (app, pilot):
        await pasted(app, pilot, HOSTILE[-1])
        picker = app.screen.query_one(Picker)
        assert len(picker.keys) == 100
        await pilot.press(*["j"] * 20)
        await pilot.pause()
        assert picker.place == 20
        assert any(line.startswith("▌") and "pvc-220" in line for line in lines(app))


async def test_a_new_user_finds_the_culprit_in_the_demo(tmp_path: Path) -> None:
    clock = SystemClock()
    now = clock.wall_ns()
    made = scene(now)
    plant(tmp_path, made, now)
    target = parse_target(str(tmp_path))
    session = Session(opener(target), label="demo", url=target.url, interval_s=2)
    try:
        async with console(session) as (app, pilot):
            board = app.status.board
            assert board is not None
            row = next(row for row in board.rows if row.standing and row.standing.stops and row.lock)
            await pasted(app, pilot, refusal(row.volume.name))
            assert "NO PICTURE" not in text(app)
            assert "would be" in text(app)
            await pilot.press("enter")
            await pilot.pause()
            assert isinstance(app.screen, DetailsScreen)
            assert row.name in text(app)
    finally:
        shutil.rmtree(tmp_path, ignore_errors=True)


async def test_a_number_shows_its_view_whatever_was_open_there() -> None:
    async with console(night().session()) as (app, pilot):
        await pilot.press("2")
        await pasted(app, pilot, refusal(LATE))
        await pilot.press("1")
        await until(pilot, lambda: isinstance(app.screen, LocksScreen))
        await pilot.press("2")
        await until(pilot, lambda: isinstance(app.screen, BlockedScreen))
        await pilot.press("enter", "1", "2")
        await until(pilot, lambda: isinstance(app.screen, BlockedScreen))
