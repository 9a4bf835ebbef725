"""The forecast runs the lock's own code on a copy; what it foretells is what the rules and time imply."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from backuplock import layout
from backuplock.clock import SECOND
from backuplock.errors import Malformed
from backuplock.model import Flaw, LockFile, LockRecord, Operation
from backuplock.protocol import Terms
from backuplock.simulate import Act, Client, Forecast, Scenario, forecast, terms_on
from backuplock.stores.memory import MemoryStore
from backuplock.survey import sweep
from backuplock.wire import encode

NOW = 1_767_322_800 * SECOND
S = SECOND
A, B = "lock-000000000000000a", "lock-000000000000000b"


def lock(
    name: str = A, type_: int = 1, *, acquired: bool = True, age: float = 5, flaw: Flaw | None = None
) -> LockFile:
    body = b"" if flaw else encode(LockRecord(name, type_, acquired))
    return LockFile(
        key=layout.lock_key("v", name),
        volume="v",
        modified_ns=NOW - round(age * S),
        etag="x",
        size=len(body),
        record=None if flaw else LockRecord(name, type_, acquired),
        flaw=flaw,
        raw=body,
    )


def play(locks: list[LockFile], *clients: Client, **more: object) -> Forecast:
    return forecast("v", locks, NOW, Scenario(clients, **more))  # type: ignore[arg-type]


def acts(found: Forecast, lane: int) -> list[Act]:
    return [step.act for step in found.lanes[lane].steps]


def test_a_free_volume_is_granted_after_the_wait() -> None:
    found = play([], Client(Operation.BACKUP, lasts_ns=60 * S))
    assert found.granted_ns is not None
    assert 2 * S <= found.granted_ns < 3 * S
    assert acts(found, 0) == [Act.ASKS, Act.HOLDS, Act.GONE]


@pytest.mark.parametrize(
    ("type_", "operation", "granted"),
    [
        (1, Operation.BACKUP, True),
        (1, Operation.RESTORE, True),
        (1, Operation.DELETE, False),
        (2, Operation.BACKUP, False),
        (2, Operation.DELETE, True),
        (0, Operation.BACKUP, False),
        (7, Operation.DELETE, False),
    ],
)
def test_types(type_: int, operation: Operation, granted: bool) -> None:
    found = play([lock(type_=type_)], Client(operation))
    assert found.first.granted is granted
    if not granted:
        assert [blocker.key for blocker in found.first.blockers] == [lock().key]


def test_an_expired_lock_is_in_nobodys_way() -> None:
    found = play([lock(age=200)], Client(Operation.DELETE))
    assert found.first.granted
    assert acts(found, 0) == [Act.EXPIRED]


def test_a_live_holder_keeps_it_and_a_dead_one_frees_it_by_time() -> None:
    patient = Client(Operation.DELETE, timeout_ns=600 * S)
    assert play([lock()], patient).granted_ns is None
    found = play([lock()], patient, dies=((lock().key, 10 * S),))
    assert found.granted_ns is not None
    assert 145 * S < found.granted_ns < 160 * S
    assert acts(found, 0) == [Act.HOLDS, Act.DEAD, Act.EXPIRED]
    assert not found.first.granted


def test_a_release_frees_it_soon() -> None:
    found = play([lock()], Client(Operation.DELETE, timeout_ns=300 * S), ends=((lock().key, 30 * S),))
    assert found.granted_ns is not None
    assert 30 * S < found.granted_ns < 45 * S


def test_breaking_a_live_lock_brings_it_back() -> None:
    found = play([lock()], Client(Operation.DELETE, start_ns=300 * S), breaks=((lock().key, 10 * S),))
    assert acts(found, 0) == [Act.HOLDS, Act.GONE, Act.HOLDS]
    assert not found.first.granted


def test_breaking_a_dead_lock_frees_it_at_once() -> None:
    found = play(
        [lock()],
        Client(Operation.DELETE, start_ns=11 * S),
        breaks=((lock().key, 10 * S),),
        refreshing=frozenset(),
    )
    assert found.first.granted


def test_a_crash_leaves_a_file_that_counts_for_a_lease() -> None:
    first = Client(Operation.BACKUP, crash_after_ns=30 * S)
    second = Client(Operation.DELETE, start_ns=60 * S, timeout_ns=600 * S)
    found = play([], first, second)
    won = [attempt for attempt in found.attempts if attempt.client == 1 and attempt.granted]
    assert len(won) == 1
    assert 150 * S < won[0].decided_ns < 200 * S
    assert acts(found, 0) == [Act.ASKS, Act.HOLDS, Act.DEAD, Act.EXPIRED]


def test_of_two_that_ask_at_once_one_wins() -> None:
    found = play([], Client(Operation.BACKUP, lasts_ns=20 * S), Client(Operation.DELETE, lasts_ns=20 * S))
    assert [attempt.granted for attempt in found.attempts].count(True) == 1


def test_what_cannot_be_read_is_no_yes() -> None:
    found = play([lock(flaw=Flaw.UNREADABLE)], Client(Operation.BACKUP))
    assert not found.first.granted
    assert "could not be read" in found.first.detail


def test_nonsense_is_refused() -> None:
    with pytest.raises(Malformed):
        play([], Client(Operation.BACKUP), breaks=(("no/such.lck", 0),))
    with pytest.raises(Malformed):
        forecast("../x", [], NOW, Scenario((Client(Operation.BACKUP),)))
    with pytest.raises(Malformed):
        forecast("v", [], NOW, Scenario(()))


def test_on_a_store_of_whole_seconds_a_lock_counts_for_up_to_a_second_more() -> None:
    """Nobody knows when in its second the file was written."""
    coarse = MemoryStore(grain_ns=S).capabilities
    left = lock(age=148.4)
    asked = Scenario((Client(Operation.DELETE),), refreshing=frozenset())
    granted = [forecast("v", [left], NOW, asked, terms_on(found)).first.granted for found in (None, coarse)]
    assert granted == [True, False]


def test_and_who_asks_in_the_same_second_is_ranked_by_name() -> None:
    coarse = MemoryStore(grain_ns=S).capabilities
    early, late = (
        Client(Operation.BACKUP, S * 3 // 10, lasts_ns=S),
        Client(Operation.DELETE, S * 6 // 10, lasts_ns=S),
    )
    for clients in (
        (early, late),
        (replace(early, start_ns=late.start_ns), replace(late, start_ns=early.start_ns)),
    ):
        told = forecast("v", [], NOW, Scenario(clients), terms_on(coarse))
        # The names of simulated clients are in the order in which they are given.
        assert {one.client: one.granted for one in told.attempts} == {0: True, 1: False}


def test_the_terms_are_the_stores_with_the_wait_that_longhorn_makes() -> None:
    found = terms_on(MemoryStore(grain_ns=S).capabilities)
    assert (found.grain, found.conditional, found.eager) == (S, True, False)
    lagging = replace(MemoryStore().capabilities, listing_lags="yes")
    assert terms_on(lagging).caveat
    assert terms_on(None) == Terms()


def test_a_sweep_knows_what_its_store_can() -> None:
    store = MemoryStore(grain_ns=S)
    assert sweep(store).capabilities == store.capabilities


def test_agrees_with_every_recorded_refusal() -> None:
    """Where Longhorn refuses a lock on the recorded pictures, so do we, from the same files."""
    checked = 0
    for line in (Path(__file__).parent.parent / "vectors" / "decisions.jsonl").read_text().splitlines()[:400]:
        case = json.loads(line)
        mine = case["self"]
        if mine["acquired"] or mine["type"] not in (1, 2) or mine["age_seconds"] > 1:
            continue
        locks = [
            lock(other["name"], other["type"], acquired=other["acquired"], age=other["age_seconds"])
            for other in case["others"]
        ]
        if len({one.key for one in locks}) < len(locks) or case["can_acquire"]:
            continue
        operation = Operation.BACKUP if mine["type"] == 1 else Operation.DELETE
        found = forecast("v", locks, NOW, Scenario((Client(operation),), refreshing=frozenset()))
        checked += 1
        assert not found.first.granted, case
    assert checked > 20
