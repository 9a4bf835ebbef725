"""From what a store can do to what a lock on it is worth."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from backuplock.clock import SECOND, ManualClock
from backuplock.errors import Denied, Unreachable, Unsupported
from backuplock.guarantees import (
    UNPROVEN_LISTINGS,
    UNSEEN_REMOVAL,
    guarantees,
    measure_listing_lag,
    terms_for,
    with_lag,
)
from backuplock.lock import BackupLock
from backuplock.model import Operation
from backuplock.rules import LONGHORN, Timing
from backuplock.stores.base import Capabilities, Listing
from backuplock.stores.memory import MemoryStore
from harness.troubled import TroubledStore

KNOWN = ("yes", "no", "unproven")
COMBINATIONS = [
    Capabilities(kind, atomic, put, "no", lag, grain, True)
    for kind, atomic, put, lag, grain in itertools.product(
        ("s3", "filesystem"), (True, False), KNOWN, KNOWN, (1, SECOND)
    )
]

FRESH = Capabilities("s3", True, "yes", "yes", "no", SECOND, True)


@pytest.mark.parametrize("found", COMBINATIONS, ids=repr)
def test_each_combination(found: Capabilities) -> None:
    holds = {one.name: one.holds for one in guarantees(found)}
    lagless = {"no": True, "unproven": None, "yes": False}[found.listing_lags]
    assert holds["exclusion among our own clients"] is lagless
    assert holds["exclusion beside Longhorn"] is (lagless if found.atomic_read else False)
    assert (
        holds["a removed lock stays removed"]
        is {"yes": True, "unproven": None, "no": False}[found.conditional_put]
    )
    assert holds["order of arrival"] is (found.grain_ns == 1)
    assert all(one.why for one in guarantees(found))
    if found.listing_lags == "yes":
        with pytest.raises(Unsupported, match="guarantees nothing"):
            terms_for(found)
    terms = terms_for(found, accept_lagging=True)
    trusted = found.listing_lags == "no" or (found.listing_lags == "unproven" and found.kind == "s3")
    assert terms.eager is trusted
    assert bool(terms.caveat) is not trusted
    assert terms.conditional is (found.conditional_put == "yes")
    assert (UNPROVEN_LISTINGS in terms.limits) is (found.kind == "s3" and found.listing_lags == "unproven")
    assert (UNSEEN_REMOVAL in terms.limits) is not terms.conditional
    assert terms.grain == (0 if found.grain_ns == 1 else SECOND)


def test_by_default_the_periods_are_longhorns() -> None:
    terms = terms_for(FRESH)
    assert terms.timing is LONGHORN
    assert (terms.margin, terms.renew, terms.lease) == (60 * SECOND, 20 * SECOND, 90 * SECOND)


def test_of_a_shorter_lease_they_are_the_same_parts() -> None:
    terms = terms_for(FRESH, timing=Timing(3 * SECOND, 1_200_000_000, 40_000_000, 100_000_000))
    assert (terms.margin, terms.renew, terms.lease) == (1_200_000_000, 400_000_000, 1_800_000_000)


def test_they_can_be_chosen() -> None:
    terms = terms_for(FRESH, margin_ns=30 * SECOND, renew_ns=10 * SECOND)
    assert (terms.margin, terms.renew) == (30 * SECOND, 10 * SECOND)


class Late(TroubledStore):
    """Shows changes to a folder only so many nanoseconds after it was listed last from the store itself."""

    def __init__(self, inner: MemoryStore, clock: ManualClock, keep_ns: int) -> None:
        super().__init__(inner)
        self._clock = clock
        self._keep = keep_ns
        self._kept: dict[str, tuple[int, Listing]] = {}

    def list(self, folder: str) -> Listing:
        now = self._clock.mono_ns()
        kept = self._kept.get(folder)
        if kept is None or now - kept[0] >= self._keep:
            self._kept[folder] = kept = (now, super().list(folder))
        return kept[1]


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def store(clock: ManualClock) -> MemoryStore:
    return MemoryStore(clock)


def leftovers(store: MemoryStore) -> list[str]:
    return [entry.name for entry in store.list("scratch").entries]


def test_a_prompt_store_shows_no_lag(store: MemoryStore, clock: ManualClock) -> None:
    assert measure_listing_lag(store, store, "scratch", clock=clock) is None
    assert leftovers(store) == []


@pytest.mark.parametrize("keep_s", [1, 8, 60])
def test_a_late_one_shows_it(store: MemoryStore, clock: ManualClock, keep_s: int) -> None:
    late = Late(store, clock, keep_s * SECOND)
    lag = measure_listing_lag(store, late, "scratch", clock=clock)
    assert lag == pytest.approx(keep_s, abs=0.5)
    assert leftovers(store) == []
    with pytest.raises(Unsupported):
        terms_for(with_lag(store.capabilities, lag))


def test_one_that_never_shows_it_ends_the_patience(store: MemoryStore, clock: ManualClock) -> None:
    blind = Late(store, clock, 10**18)
    lag = measure_listing_lag(store, blind, "scratch", patience_s=5, clock=clock)
    assert lag == pytest.approx(5, abs=0.5)
    assert leftovers(store) == []


def test_a_failed_measurement_is_no_result(store: MemoryStore, clock: ManualClock) -> None:
    troubled = TroubledStore(store)
    troubled.add("list", before=Unreachable("no answer"))
    with pytest.raises(Unreachable):
        measure_listing_lag(store, troubled, "scratch", clock=clock)
    assert leftovers(store) == []
    denied = TroubledStore(store)
    denied.add("put", before=Denied("access denied"))
    with pytest.raises(Denied):
        measure_listing_lag(denied, store, "scratch", clock=clock)


def test_only_a_lag_that_was_seen_changes_what_is_known(store: MemoryStore) -> None:
    for known in KNOWN:
        found = replace(store.capabilities, listing_lags=known)
        assert with_lag(found, None) == found
        assert with_lag(found, 2.5).listing_lags == "yes"


def test_a_lock_says_what_holds_for_it() -> None:
    store = MemoryStore(ManualClock())
    lock = BackupLock(store, "pvc-1", Operation.BACKUP)
    assert lock.guarantees == guarantees(store.capabilities)
    # What is found out later is not what the terms of this lock rest on.
    store.capabilities = replace(store.capabilities, conditional_put="no")
    assert lock.guarantees != guarantees(store.capabilities)
    assert BackupLock(store, "pvc-1", Operation.BACKUP).guarantees == guarantees(store.capabilities)
