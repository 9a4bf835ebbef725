"""The console on a recording: its time stands still, is wound, runs faster; nothing is written."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from textual.pilot import Pilot

from backuplock.clock import SECOND
from backuplock.journal import Journal
from backuplock.model import Snapshot
from backuplock.replay import ReplayClock, ReplayStore
from backuplock.survey import sweep
from backuplock.watch import EventKind, Watch
from locktop.app import LocktopApp
from locktop.header import header
from locktop.playback import Playback
from locktop.session import Session
from locktop.widgets.painted import width_of
from tui.lists import compare
from tui.look import console, lines, shown, text, until
from tui.scene import NOW, Scene, StillClock, night

KEYS = {
    *("right", "left", "full_stop", "comma"),
    *("greater_than_sign", "less_than_sign", "right_square_bracket", "left_square_bracket"),
}
"""The keys that wind a recording."""


class Tape:
    """Ten minutes: a lock at the beginning, another after 1 min, gone after 5, an outage, and the end."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.scene = Scene()
        self.journal = Journal.open(path)
        self._watch, self._last = Watch(), None
        self._look_for(60)
        self.second = self.scene.lock("pvc-second", 0, 2, lock="lock-2")
        self._look_for(240)
        self.scene.store.delete(self.second)
        self._look_for(200)
        self.journal.record_gap(self.scene.clock.wall_ns(), "unreachable", "no route")
        self.scene.advance(40)
        self.journal.record_gap(self.scene.clock.wall_ns(), "unreachable", "no route")
        self._look_for(60)
        span = self.journal.span()
        assert span is not None
        self.begin, self.end = span[0].wall_ns, span[1].wall_ns

    _last: Snapshot | None

    def _look_for(self, s: int) -> None:
        for _ in range(s // 20):
            self.scene.lock("pvc-first", 0, 1, lock="lock-1")
            self._last = sweep(self.scene.store, self._last, clock=self.scene.clock)
            self._watch, events = self._watch.look(self._last)
            self.journal.record(self._last, events)
            self.scene.advance(20)

    def session(self, start_s: float = 0, *, speed: float = 1) -> tuple[Session, StillClock]:
        """A session on it that begins so many seconds after its beginning, and the clock under its clock."""
        base = StillClock(NOW)
        first = self.begin + round(start_s * SECOND)
        clock = ReplayClock(first, self.end, speed=speed, base=base, first_wall_ns=self.begin)
        session = Session(
            lambda: ReplayStore(self.journal, clock),
            label="a-night-with-a-long-name-that-tells-a-lot.rec",
            url=f"replay of {self.journal.target}",
            clock=clock,
            jitter=lambda: 0.5,
            playback=Playback(self.journal, clock),
        )
        return session, base


@pytest.fixture
def tape(tmp_path: Path) -> Iterator[Tape]:
    made = Tape(tmp_path / "night.rec")
    yield made
    made.journal.close()


def _at(app: LocktopApp) -> float:
    """Seconds since the recording began."""
    found = app.status.tape
    assert found is not None
    return (found.wall_ns - found.first_wall_ns) / SECOND


async def test_winding(tape: Tape) -> None:
    session, _ = tape.session(120)
    async with console(session) as (app, pilot):
        assert _at(app) == 120
        for key, to in (
            ("full_stop", 130),
            ("right", 140),
            ("comma", 130),
            ("left", 120),
            ("greater_than_sign", 420),
            ("less_than_sign", 120),
            ("less_than_sign", 0),
            ("comma", 0),
        ):
            board = app.status.board
            await pilot.press(key)
            assert _at(app) == to, key
            await until(pilot, lambda board=board: app.status.board is not board)
        assert {key.rpartition("/")[2] for key in shown(app)} == {"lock-1.lck"}


async def test_jumping_from_event_to_event(tape: Tape) -> None:
    session, _ = tape.session()
    async with console(session) as (app, pilot):
        assert len(shown(app)) == 1
        seen = []
        for _ in range(8):
            before = _at(app)
            await pilot.press("right_square_bracket")
            await pilot.pause()
            if _at(app) == before:
                break
            seen.append(_at(app))
        # Acquired, late, expired and cleared; then the outage. Renewals are no events to jump to.
        events = [one for one in tape.journal.events() if one.kind is not EventKind.RENEWED]
        happened = {(one.seen_wall_ns - tape.begin) / SECOND for one in events}
        assert set(seen) == {*happened, 500.0}
        assert seen[0] == 60
        await until(pilot, lambda: "nothing is recorded to have happened after this" in text(app))
        await pilot.press("left_square_bracket")
        assert _at(app) == sorted(seen)[-2]


async def test_what_is_shown_is_of_the_time_wound_to(tape: Tape) -> None:
    session, _ = tape.session(100)
    async with console(session) as (app, pilot):
        await until(pilot, lambda: len(shown(app)) == 2)
        await pilot.press("greater_than_sign")
        await until(pilot, lambda: len(shown(app)) == 1)
        kinds = [event.kind for event in app.status.events]
        assert EventKind.TIME_JUMPED not in kinds
        assert app.status.before == len(app.status.events) > 3
        await pilot.press("less_than_sign")
        await until(pilot, lambda: len(shown(app)) == 2)
        # Going back is no event: no file's time ran backwards, no lock came back.
        kinds = [event.kind for event in app.status.events]
        assert EventKind.TIME_JUMPED not in kinds
        assert EventKind.CAME_BACK not in kinds
        assert all(event.seen_wall_ns <= app.status.wall_ns for event in app.status.events)


async def test_wound_into_an_outage_nothing_of_another_time_is_shown(tape: Tape) -> None:
    session, _ = tape.session(100)
    async with console(session) as (app, pilot):
        await pilot.press("greater_than_sign", *["full_stop"] * 11)
        assert _at(app) == 510
        await until(pilot, lambda: app.status.failure is not None and "no route" in text(app))
        assert app.status.board is None
        assert "pvc-first" not in text(app)
        await pilot.press("less_than_sign")
        await until(pilot, lambda: app.status.board is not None and "pvc-second" in text(app))


async def test_a_pause_stops_the_recording(tape: Tape) -> None:
    session, base = tape.session(30)
    async with console(session) as (app, pilot):
        await pilot.press("p")
        assert "‖ REPLAY x1" in text(app)
        base.advance(100 * SECOND)
        app.refresh_status()
        assert _at(app) == 30
        await pilot.press("full_stop")
        assert _at(app) == 40
        await pilot.press("p")
        base.advance(30 * SECOND)
        app.refresh_status()
        assert _at(app) == 70
        app.session.refresh_now()
        await until(pilot, lambda: len(shown(app)) == 2)
        seen = app.status.events[app.status.before :]
        assert [event.kind for event in seen if event.kind is not EventKind.RENEWED] == [EventKind.ACQUIRED]


async def test_speed(tape: Tape) -> None:
    session, base = tape.session(speed=1)
    async with console(session) as (app, pilot):
        await pilot.press("plus")
        assert "REPLAY x2" in text(app)
        base.advance(10 * SECOND)
        app.refresh_status()
        assert _at(app) == 20
        await pilot.press("minus", "minus")
        assert "REPLAY x0.5" in text(app)
        base.advance(10 * SECOND)
        app.refresh_status()
        assert _at(app) == 25


async def test_the_end_is_shown_and_said(tape: Tape) -> None:
    session, base = tape.session(595 - 20)
    async with console(session) as (app, pilot):
        base.advance(1000 * SECOND)
        before = app.status.board
        app.refresh_status()
        await until(pilot, lambda: app.status.board is not before)
        assert "END" in lines(app)[0]


async def test_keys_that_make_no_sense_are_off_and_say_why(tape: Tape) -> None:
    session, _ = tape.session()
    async with console(session) as (app, pilot):
        await pilot.press("r")
        await until(pilot, lambda: "r is off: this is a recording: no store is asked" in text(app))
        assert "refresh" not in lines(app)[-1]
        await pilot.press("question_mark")
        assert "REPLAY" in text(app)
        assert "5 min forward, back" in text(app)


async def test_outside_a_replay_nothing_can_be_wound() -> None:
    scene = Scene()
    scene.volume("pvc-free")
    async with console(scene.session()) as (app, pilot):
        await _each_says_no(app, pilot)
        await pilot.press("question_mark")
        assert "REPLAY" not in text(app)


async def _each_says_no(app: LocktopApp, pilot: Pilot[int]) -> None:
    # The arrows are about columns in a table that is no recording's.
    for key in sorted(KEYS - {"left", "right"}):
        app.clear_notifications()
        await until(pilot, lambda: "only a recording" not in text(app))
        await pilot.press(key)
        await until(pilot, lambda: "only a recording can be wound" in text(app))


@pytest.mark.parametrize("width", [60, 80, 100, 120, 180])
async def test_the_header_always_tells_time_and_speed(tape: Tape, width: int) -> None:
    session, _ = tape.session(speed=10)
    async with console(session, (width, 24)) as (app, _pilot):
        first = lines(app)[0]
        assert "REPLAY x10" in first
        assert "2026-01-02 03:04:05" in first
        assert "[RO]" in first
        left, right = header(app.status, app.glyphs, width)
        assert width_of(left) + width_of(right) <= width


async def test_nothing_is_written(tape: Tape, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tape.journal.close()
    state = tmp_path / "state"
    monkeypatch.setenv("XDG_STATE_HOME", str(state))
    before = tape.path.read_bytes()
    tape.journal = Journal.read(tape.path)
    session, base = tape.session()
    async with console(session) as (app, pilot):
        for _ in range(5):
            base.advance(60 * SECOND)
            board = app.status.board
            app.session.refresh_now()
            await until(pilot, lambda board=board: app.status.board is not board)
        await pilot.press("enter", "comma", "1", "2", "4")
        await asyncio.sleep(0)
    tape.journal.close()
    assert tape.path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == [tape.path.name]


SIZES = {"120x36": (120, 36), "80x24": (80, 24), "60x12": (60, 12)}


@pytest.mark.parametrize("plain", [False, True], ids=["unicode", "ascii"])
async def test_it_looks_as_it_was_approved(tape: Tape, plain: bool) -> None:
    session, _ = tape.session(20)
    async with console(session, ascii_only=plain) as (app, pilot):
        await pilot.press("greater_than_sign")
        await until(pilot, lambda: _at(app) == 320 and app.status.board)
        for view in ("1", "4"):
            await pilot.press(view)
            for name, size in SIZES.items():
                await pilot.resize_terminal(*size)
                await pilot.pause()
                await pilot.pause()
                await compare(
                    app, pilot, "replay", f"{'locks' if view == '1' else 'events'}-{name}{'-ascii' * plain}"
                )


async def test_the_line_before_what_was_recorded_is_no_row(tape: Tape) -> None:
    session, base = tape.session(0)
    async with console(session, (120, 36)) as (app, pilot):
        await pilot.press("4", "right_square_bracket")
        await until(pilot, lambda: app.status.board and "as recorded before" in text(app))
        base.advance(250 * SECOND)
        app.session.refresh_now()
        await until(pilot, lambda: "RELEASED" in text(app))
        shown_rows = [line for line in lines(app)[4:-2] if line.strip() and "before" not in line]
        title = next(line for line in lines(app) if "renewals hidden" in line)
        assert f" 1-{len(shown_rows)} of {len(shown_rows)} " in title


@pytest.mark.parametrize("width", [100, 104, 120])
async def test_no_tab_is_cut(width: int) -> None:
    async with console(night(held=400, free=700).session(), (width, 30)) as (app, pilot):
        await pilot.pause()
        for tab in ("1 Locks 409", "2 Blocked", "3 Simulate", "4 Events"):
            assert tab in lines(app)[1]
        assert "342" in lines(app)[1]
