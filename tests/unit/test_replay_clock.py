"""The clock of a replay: it stops, runs at any speed and is wound, and never misleads who measures by it."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backuplock.clock import SECOND, ManualClock
from backuplock.journal import Journal
from backuplock.replay import ReplayClock
from backuplock.watch import Event, EventKind
from harness.histories import START, busy

END = START + 1000 * SECOND


def test_it_stands_while_it_is_paused() -> None:
    base = ManualClock()
    clock = ReplayClock(START, END, speed=10, base=base)
    mono = clock.mono_ns()
    base.advance(SECOND)
    clock.pause(paused=True)
    assert clock.paused
    base.advance(50 * SECOND)
    assert (clock.wall_ns(), clock.mono_ns()) == (START + 10 * SECOND, mono + 10 * SECOND)
    clock.pause(paused=False)
    base.advance(SECOND)
    assert clock.wall_ns() == START + 20 * SECOND


def test_a_new_speed_counts_from_now_on() -> None:
    base = ManualClock()
    clock = ReplayClock(START, END, base=base)
    base.advance(10 * SECOND)
    clock.set_speed(5)
    base.advance(10 * SECOND)
    assert clock.wall_ns() == START + 60 * SECOND
    assert clock.speed == 5
    with pytest.raises(ValueError, match="forward"):
        clock.set_speed(-1)


def test_winding_moves_the_wall_clock_only_and_is_counted() -> None:
    base = ManualClock()
    clock = ReplayClock(START + 100 * SECOND, END, base=base, first_wall_ns=START)
    mono = clock.mono_ns()
    for to, shown in ((START + 5 * SECOND, START + 5 * SECOND), (0, START), (END + SECOND, END)):
        clock.seek(to)
        assert clock.wall_ns() == shown
        assert clock.mono_ns() == mono
    assert clock.jumps == 3
    assert clock.ended
    clock.seek(START)
    assert not clock.ended
    base.advance(SECOND)
    assert clock.wall_ns() == START + SECOND


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("pass"), st.integers(0, 10**12)),
            st.tuples(st.just("seek"), st.integers(-(10**12), 2 * 10**12)),
            st.tuples(st.just("speed"), st.sampled_from([0.1, 1, 3, 1000])),
            st.tuples(st.just("pause"), st.booleans()),
        ),
        max_size=30,
    )
)
def test_whatever_is_done_monotonic_time_never_steps_back_and_the_wall_clock_stays_inside(
    steps: list[tuple[str, float]],
) -> None:
    base = ManualClock()
    clock = ReplayClock(START, END, base=base)
    mono, wall = clock.mono_ns(), clock.wall_ns()
    for what, value in steps:
        match what:
            case "pass":
                base.advance(int(value))
            case "seek":
                clock.seek(START + int(value))
            case "speed":
                clock.set_speed(value)
            case _:
                clock.pause(paused=bool(value))
        assert clock.mono_ns() >= mono
        assert START <= clock.wall_ns() <= END
        if what != "seek":
            assert clock.wall_ns() - wall == clock.mono_ns() - mono
        mono, wall = clock.mono_ns(), clock.wall_ns()


def test_who_waits_for_a_clock_that_stands_is_not_kept_busy() -> None:
    clock = ReplayClock(START, END, speed=1000)
    clock.pause(paused=True)
    began = time.monotonic()
    assert not clock.sleep(1)
    assert time.monotonic() - began >= 0.2
    wake = threading.Event()
    wake.set()
    assert clock.sleep(10**12, wake)


def test_news_are_events_and_gaps_but_no_renewals(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path / "j.db")
    looks = busy(5, 6)
    for at, snapshot in enumerate(looks):
        kind = EventKind.RENEWED if at != 3 else EventKind.EXPIRED
        event = Event(kind, "k", "v", 1, snapshot.taken_wall_ns)
        journal.record(snapshot, [event])
    after = looks[-1].taken_wall_ns + SECOND
    journal.record_gap(after, "unreachable", "gone")
    third = looks[3].taken_wall_ns
    assert journal.next_news(looks[0].taken_wall_ns) == third
    assert journal.next_news(third) == after
    assert journal.next_news(after) is None
    assert journal.previous_news(after) == third
    assert journal.previous_news(third) is None
    revived = Event(EventKind.RENEWED, "k", "v", 1, after + SECOND, detail="after it had expired")
    journal.record(replace(looks[-1], taken_wall_ns=after + SECOND), [revived])
    assert journal.next_news(after) == after + SECOND
    assert [event.seen_wall_ns for event in journal.latest(9, third)] == [
        look.taken_wall_ns for look in looks[3::-1]
    ]
    journal.close()
