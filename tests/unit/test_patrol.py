"""What a watch reads each time: the volumes where something goes on, those somebody cares for, a part."""

from __future__ import annotations

import pytest

from backuplock.clock import SECOND, ManualClock
from backuplock.model import Snapshot
from backuplock.rounds import FREE, PASS_NS, Budget, Prices
from backuplock.stores.memory import MemoryStore
from backuplock.watch import Watch
from harness.builders import Lock, Volume
from harness.fleets import Counted, Short
from locktop.budget import budget_for
from locktop.patrol import STIRRED_NS, Patrol
from locktop.settings import resolve

INTERVAL = 2 * SECOND
VOLUMES = 100


class Fleet:
    """A hundred volumes, the first of which has a lock, watched where requests cost."""

    def __init__(self) -> None:
        self.clock = ManualClock(10**18)
        self.inner = Short(self.clock, ranged=True)
        for number in range(VOLUMES):
            volume = Volume(f"pvc-{number}")
            self.inner.put(volume.cfg_key, volume.cfg)
        self.put(Lock("pvc-0", "lock-0"))
        self.store = Counted(self.inner)
        self.patrol = Patrol(self.clock, 0)
        self.patrol.budget = Budget(prices=Prices())
        self.seen: Snapshot | None = None
        self.look()
        self.look()

    def put(self, lock: Lock) -> None:
        self.inner.put(lock.key, lock.content)

    def look(self, *cared_for: str, whole: bool = False) -> Snapshot:
        self.clock.advance(INTERVAL)
        self.store.listings = 0
        self.seen = self.patrol.look(
            self.store, self.seen, INTERVAL, cared_for=cared_for, whole=whole, stop=None
        )
        return self.seen


def test_each_look_reads_what_has_locks_and_a_part_and_all_within_a_pass() -> None:
    fleet = Fleet()
    lock = Lock("pvc-50", "lock-new")
    fleet.put(lock)
    looks = 0
    while lock.key not in fleet.look().by_key:
        looks += 1
        assert fleet.store.listings < 20
        assert looks * INTERVAL <= PASS_NS + INTERVAL
    assert len(fleet.look().volumes) == VOLUMES
    gone = Lock("pvc-0", "lock-0")
    fleet.inner.delete(gone.key)
    assert gone.key not in fleet.look().by_key


def test_who_asks_for_all_gets_all_and_who_cares_for_a_volume_that() -> None:
    for how in ("whole", "cared for"):
        fleet = Fleet()
        lock = Lock("pvc-51", "lock-new")
        fleet.put(lock)
        seen = fleet.look(whole=True) if how == "whole" else fleet.look("pvc-51")
        assert lock.key in seen.by_key, how


def test_where_something_happened_is_looked_for_a_lease() -> None:
    fleet = Fleet()
    assert fleet.seen is not None
    watch, _ = Watch().look(fleet.seen)
    fleet.inner.delete(Lock("pvc-0", "lock-0").key)
    _, events = watch.look(fleet.look())
    assert events
    fleet.patrol.heed(events)
    back = Lock("pvc-0", "lock-back")
    fleet.clock.advance(STIRRED_NS - 2 * INTERVAL)
    fleet.put(back)
    assert back.key in fleet.look().by_key


def test_a_budget_makes_looks_rarer() -> None:
    fleet = Fleet()
    assert fleet.patrol.pause_ns(INTERVAL) == INTERVAL
    fleet.patrol.budget = Budget(requests_per_s=0.1)
    fleet.look()
    assert fleet.patrol.pause_ns(INTERVAL) > INTERVAL
    assert fleet.patrol.pace is not None
    assert fleet.patrol.pace.requests_per_s <= 0.12


class _At(MemoryStore):
    def __init__(self, endpoint: str) -> None:
        super().__init__()
        self.endpoint = endpoint


@pytest.mark.parametrize(
    ("prices", "endpoint", "expected"),
    [
        ("auto", "https://s3.eu-central-1.amazonaws.com", Prices()),
        ("auto", "https://s3.cn-north-1.amazonaws.com.cn", Prices()),
        ("auto", "https://minio.example:9000", FREE),
        ("auto", "https://amazonaws.com.example", FREE),
        ("auto", "", FREE),
        ("aws", "https://minio.example:9000", Prices()),
        ("free", "https://s3.eu-central-1.amazonaws.com", FREE),
        ("0.01/0.001", "", Prices(0.01, 0.001)),
    ],
)
def test_prices_are_those_of_the_store_or_of_the_settings(
    prices: str, endpoint: str, expected: Prices
) -> None:
    found = budget_for(resolve({"prices": prices}, {}), _At(endpoint))
    assert found.prices == expected
    assert found.dollars_per_day == (None if expected.free else 2.0)
