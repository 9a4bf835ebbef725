"""The store's clock as an interval: narrowed by what the store says, dropped where it is contradicted."""

from __future__ import annotations

import re
import threading
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from backuplock.clock import (
    SECOND,
    ManualClock,
    Observation,
    StoreClock,
    SystemClock,
    assumed,
    observe,
)

ROOT = Path(__file__).parent.parent.parent


def test_nothing_else_asks_for_the_time() -> None:
    asks = re.compile(
        r"\btime\.(time|monotonic|perf_counter|clock_gettime|sleep)"
        r"|datetime\.(now|utcnow|today)\(|import time\b"
    )
    found = [
        f"{path.relative_to(ROOT)}: {line.strip()}"
        for source in ("core", "console")
        for path in sorted((ROOT / source).rglob("*.py"))
        if path.name != "clock.py"
        for line in path.read_text("utf-8").splitlines()
        if asks.search(line)
    ]
    assert found == []


@given(
    offset=st.integers(-(10**15), 10**15),
    looks=st.lists(
        st.tuples(st.integers(0, 10**10), st.integers(0, 10**9), st.floats(0, 1)), min_size=1, max_size=8
    ),
)
def test_the_true_time_is_always_inside(offset: int, looks: list[tuple[int, int, float]]) -> None:
    """Whatever the latencies, a store with a steady clock is never outside what we believe of it."""
    known: StoreClock | None = None
    at = 0
    for pause, latency, part in looks:
        at += pause
        read_at = at + round(latency * part)
        date = (read_at + offset) // SECOND * SECOND
        known = observe(known, Observation(at, at + latency, date, SECOND), "Date")
        at += latency
        span = known.at(at)
        assert span.lo <= at + offset <= span.hi


def test_observations_narrow() -> None:
    known = observe(None, Observation(0, 100, 5 * SECOND, SECOND), "Date")
    wide = known.at(100).error_ns
    known = observe(known, Observation(SECOND // 2, SECOND // 2 + 100, 6 * SECOND, SECOND), "Date")
    assert known.at(SECOND).error_ns < wide


def test_a_contradiction_drops_the_past() -> None:
    known = observe(None, Observation(0, 100, 5 * SECOND, SECOND), "Date")
    known = observe(known, Observation(SECOND, SECOND + 100, 500 * SECOND, SECOND), "Date")
    assert known.at(SECOND).lo >= 499 * SECOND


def test_an_assumption_yields_to_the_store() -> None:
    known = assumed(wall_ns=100 * SECOND, mono_ns=0, error_ns=900 * SECOND)
    assert known.at(0).error_ns == 900 * SECOND
    known = observe(known, Observation(0, 10, 400 * SECOND, SECOND), "Date")
    assert (known.source, known.at(0).error_ns < SECOND) == ("Date", True)


def test_a_step_of_the_wall_clock_shows_as_skew_and_moves_nothing_else() -> None:
    clock = ManualClock()
    known = observe(None, Observation(clock.mono_ns(), clock.mono_ns(), clock.wall_ns(), 0), "Date")
    before = known.at(clock.mono_ns())
    clock.step_wall(-3600 * SECOND)
    assert known.at(clock.mono_ns()) == before
    skew, error = known.skew(wall_ns=clock.wall_ns(), mono_ns=clock.mono_ns())
    assert (skew, error) == (3600 * SECOND, 0)


def test_bars_widen_with_time() -> None:
    known = observe(None, Observation(0, 0, 0, 0), "Date")
    assert known.at(1000 * SECOND).error_ns > 0


def test_sleep_ends_when_woken() -> None:
    wake = threading.Event()
    wake.set()
    assert SystemClock().sleep(3600 * SECOND, wake) is True
    assert ManualClock().sleep(3600 * SECOND, wake) is True
