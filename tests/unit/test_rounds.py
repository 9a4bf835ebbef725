"""What is looked at when: how often, for how much, and that nothing is overlooked meanwhile."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backuplock.clock import SECOND, ManualClock
from backuplock.model import Snapshot
from backuplock.rounds import DAY_NS, FREE, LONGEST_PASS_NS, PASS_NS, Budget, Prices, Rounds, pace_of
from backuplock.stores.memory import MemoryStore
from backuplock.survey import refresh, sweep
from harness.builders import Lock, Volume
from harness.fleets import Counted, Short
from harness.patrol import watch

FIVE = 5 * SECOND
AWS = Prices()


def test_a_small_store_is_swept_whole_each_time() -> None:
    found = pace_of(FIVE, hot=20, whole=17, budget=Budget(prices=AWS))
    assert (found.whole, found.interval_ns) == (True, FIVE)
    assert found.dollars_per_day == pytest.approx(17 * 17_280 * 0.005 / 1000)
    assert found.requests_per_s == pytest.approx(17 / 5)


def test_of_a_large_one_only_what_matters_is_read_each_time() -> None:
    found = pace_of(FIVE, hot=20, whole=1000, budget=Budget(prices=AWS))
    assert (found.whole, found.interval_ns, found.pass_ns) == (False, FIVE, PASS_NS)
    assert found.dollars_per_day == pytest.approx((20 * 17_280 + 1000 * 1728) * 0.005 / 1000)


def test_a_sweep_that_is_quick_and_free_is_not_spared() -> None:
    assert pace_of(FIVE, hot=1, whole=5000, quick=True, budget=Budget()).whole
    assert not pace_of(FIVE, hot=1, whole=5000, quick=True, budget=Budget(prices=AWS)).whole
    assert not pace_of(FIVE, hot=1, whole=5000, budget=Budget()).whole


def test_for_a_budget_passes_take_longer_before_rounds_do() -> None:
    some = pace_of(FIVE, hot=15, whole=1000, budget=Budget(dollars_per_day=2, prices=AWS))
    assert (some.interval_ns, some.dollars_per_day) == (FIVE, pytest.approx(2, rel=0.01))
    assert PASS_NS < some.pass_ns < LONGEST_PASS_NS
    less = pace_of(FIVE, hot=200, whole=1000, budget=Budget(dollars_per_day=2, prices=AWS))
    assert less.interval_ns > FIVE
    assert less.pass_ns == LONGEST_PASS_NS


@given(
    st.integers(1, 60),
    st.integers(0, 2000),
    st.integers(1, 100_000),
    st.floats(0, 50),
    st.one_of(st.none(), st.floats(0.01, 100)),
    st.one_of(st.none(), st.floats(0.01, 1000)),
)
def test_a_budget_is_never_exceeded_by_more_than_what_reading_locks_takes(
    interval_s: int, hot: int, whole: int, reads: float, rate: float | None, dollars: float | None
) -> None:
    budget = Budget(rate, dollars, AWS)
    found = pace_of(interval_s * SECOND, hot=hot, whole=whole, reads=reads, budget=budget)
    assert found.interval_ns >= interval_s * SECOND
    if rate is not None:
        assert found.requests_per_s <= max(rate, rate / 10 + reads) * 1.001
    if dollars is not None:
        of_reads = reads * DAY_NS / SECOND * AWS.read / 1000
        assert found.dollars_per_day <= max(dollars, dollars / 10 + of_reads) * 1.001


def test_the_first_round_is_whole_and_somebody_may_ask_for_another() -> None:
    store = MemoryStore()
    lock = Lock("pvc-1", "lock-1")
    store.put(lock.key, lock.content)
    rounds = Rounds(Budget(requests_per_s=0.5))
    first = rounds.next(None, 0, FIVE)
    assert first.whole
    seen = sweep(store)
    rounds.took(first, seen)
    rounds._whole = 1000
    todo = rounds.next(seen, seen.ended_mono_ns, FIVE, cared_for=["pvc-quiet"])
    assert (todo.whole, todo.volumes) == (False, {"pvc-quiet"})
    assert rounds.next(seen, seen.ended_mono_ns, FIVE, whole=True).whole


@pytest.mark.parametrize(("rolls", "quiet_s"), [(True, 60), (False, 60)])
def test_a_watch_keeps_its_times_and_its_budget(rolls: bool, quiet_s: float) -> None:
    found = watch(volumes=300, locked=6, hours=0.3, budget=Budget(None, 2, AWS), rolls=rolls)
    assert found.hot_s <= 5
    assert found.quiet_s <= quiet_s
    assert found.dollars_per_day <= 2
    assert found.told_dollars_per_day == pytest.approx(found.dollars_per_day, rel=0.3)


def test_passes_are_spread_over_their_time() -> None:
    found = watch(volumes=300, locked=6, hours=0.1, budget=Budget(prices=FREE), rolls=False, interval_s=1)
    assert found.busiest <= 6 + 300 // 3


def test_a_store_that_grows_while_it_is_read_in_parts_is_known_to_cost_more() -> None:
    clock = ManualClock(10**18)
    store = Short(clock, ranged=True)
    rounds, seen = Rounds(Budget(dollars_per_day=0.5, prices=AWS)), None
    counted = Counted(store)

    def spent(minutes: int) -> float:
        nonlocal seen
        began, asked = clock.mono_ns(), counted.listings
        while clock.mono_ns() - began < minutes * 60 * SECOND:
            seen = one_round(counted, rounds, seen, clock)
        return (counted.listings - asked) * AWS.listing / 1000 * DAY_NS / (clock.mono_ns() - began)

    plant(store, range(300), locked=5)
    spent(2)
    plant(store, range(300, 3000), locked=0)
    spent(10)
    assert rounds.pace is not None
    assert not rounds.pace.whole
    assert rounds.pace.pass_ns > PASS_NS
    assert spent(20) <= 0.5 * 1.02
    assert rounds.pace.dollars_per_day == pytest.approx(0.5, rel=0.02)


def plant(store: MemoryStore, numbers: range, locked: int) -> None:
    for number in numbers:
        volume, lock = Volume(f"pvc-{number}"), Lock(f"pvc-{number}", f"lock-{number}")
        store.put(volume.cfg_key, volume.cfg)
        store.put(f"{volume.cfg_key.rpartition('/')[0]}/blocks/00/00/x.blk", b"")
        if number < locked:
            store.put(lock.key, lock.content)


def one_round(store: Counted, rounds: Rounds, before: Snapshot | None, clock: ManualClock) -> Snapshot:
    todo = rounds.next(before, clock.mono_ns(), FIVE)
    if todo.whole or before is None:
        seen = sweep(store, before, clock=clock, workers=1)
    else:
        seen = refresh(store, before, todo.volumes, todo.part, clock=clock, workers=1)
    rounds.took(todo, seen)
    clock.advance(rounds.pace.interval_ns if rounds.pace else FIVE)
    return seen
