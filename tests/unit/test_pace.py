"""How many requests go out at once, and when: by distance, and by what a busy store says."""

from __future__ import annotations

import itertools
import threading

import pytest

from backuplock.clock import SECOND, ManualClock
from backuplock.errors import Unreachable
from backuplock.model import Snapshot
from backuplock.pace import FEWEST_WORKERS, MOST_WORKERS, WORKERS, Pace
from backuplock.stores.memory import MemoryStore
from backuplock.survey import sweep
from harness.builders import Lock, Volume
from harness.troubled import TroubledStore

BUSY = Unreachable("the store is busy", busy=True)


def pace(workers: int | None = None) -> tuple[Pace, ManualClock]:
    clock = ManualClock(10**18)
    return Pace(clock, threading.Event(), workers), clock


@pytest.mark.parametrize(
    ("each_ms", "most"), [(1, WORKERS), (10, WORKERS), (20, 32), (40, MOST_WORKERS), (900, MOST_WORKERS)]
)
def test_the_farther_the_store_the_more_requests_are_under_way(each_ms: int, most: int) -> None:
    found, _ = pace()
    assert found.most == WORKERS
    found.took(900 * SECOND // 1000)
    found.took(each_ms * SECOND // 1000)
    assert found.most == most


def test_a_number_that_was_asked_for_counts() -> None:
    found, _ = pace(3)
    found.took(SECOND)
    assert found.most == 3


def test_a_busy_store_gets_half_as_many_and_after_a_while_all_again() -> None:
    found, clock = pace()
    for halvings in range(6):
        assert found.heed(BUSY, 0)
        assert found.heed(BUSY, 0), "those that were sent before say nothing new"
        assert found.most == max(FEWEST_WORKERS, WORKERS >> (halvings + 1))
        assert found.slowed
        clock.advance(SECOND)
    for _ in range(2000):
        found.took(SECOND // 1000)
    assert found.most == WORKERS
    assert not found.slowed


@pytest.mark.parametrize(
    ("retry_after", "attempt", "least_s"), [(None, 0, 0.25), (None, 2, 1.0), (3.0, 0, 3.0)]
)
def test_all_wait_as_long_as_the_store_says_and_not_all_equally(
    retry_after: float | None, attempt: int, least_s: float
) -> None:
    waits = set()
    for _ in range(20):
        found, clock = pace()
        began = clock.mono_ns()
        assert found.heed(Unreachable("busy", busy=True, retry_after=retry_after), attempt)
        found.hold()
        waits.add(clock.mono_ns() - began)
    assert least_s * SECOND <= min(waits)
    assert max(waits) <= 1.5 * least_s * SECOND
    assert len(waits) > 10


def test_a_store_that_asks_for_an_hour_is_asked_before() -> None:
    found, clock = pace()
    began = clock.mono_ns()
    found.heed(Unreachable("busy", busy=True, retry_after=3600.0), 0)
    found.hold()
    assert clock.mono_ns() - began <= 15 * SECOND


def test_what_is_not_said_to_be_busy_or_was_asked_often_is_not_asked_again() -> None:
    found, _ = pace()
    assert not found.heed(Unreachable("gone"), 0)
    assert not found.heed(BUSY, 3)
    assert found.most == WORKERS


def test_requests_begin_apart_where_a_second_has_only_so_many() -> None:
    clock = ManualClock(10**18)
    found = Pace(clock, threading.Event(), per_s=4.0)
    began = clock.mono_ns()
    for number in range(9):
        found.hold()
        assert clock.mono_ns() - began == number * SECOND // 4
    clock.advance(60 * SECOND)
    later = clock.mono_ns()
    found.hold()
    found.hold()
    assert clock.mono_ns() - later == SECOND // 4, "what was not asked for in time is not made up for"


def test_a_sweep_keeps_to_its_rate_from_the_first_request_on() -> None:
    clock = ManualClock(10**18)
    store = _fleet(30)
    began = clock.mono_ns()
    found = sweep(store, clock=clock, workers=1, requests_per_s=10.0)
    assert _locks(found) == _locks(sweep(store))
    assert clock.mono_ns() - began >= (found.requests - 1) * SECOND // 10


def _fleet(volumes: int) -> MemoryStore:
    store = MemoryStore(ManualClock(10**18))
    for number in range(volumes):
        name = f"pvc-{number}"
        store.put(Volume(name).cfg_key, b"{}")
        lock = Lock(name, f"lock-{number}")
        store.put(lock.key, lock.content)
    return store


def _locks(snapshot: Snapshot) -> list[str]:
    return sorted(lock.key for lock in snapshot.locks)


@pytest.mark.parametrize("verb", ["list", "read"])
def test_a_sweep_of_a_store_that_is_busy_now_and_then_is_whole(verb: str) -> None:
    store = _fleet(30)
    busy = TroubledStore(store)
    asked = itertools.count(1)

    def now_and_then() -> None:
        if next(asked) % 3 == 0:
            raise BUSY

    busy.add(verb, before=now_and_then)
    found = sweep(busy, clock=ManualClock(10**18))
    assert found.complete
    assert _locks(found) == _locks(sweep(store))
    assert next(asked) > 20


def test_a_store_that_stays_busy_is_an_error_and_not_asked_for_ever() -> None:
    busy = TroubledStore(_fleet(3))
    busy.add("list", before=BUSY)
    with pytest.raises(Unreachable, match="busy"):
        sweep(busy, clock=ManualClock(10**18))
    assert busy.calls["list"] == 4
