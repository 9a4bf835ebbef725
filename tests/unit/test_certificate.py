"""What is said of a lease when it is over: certificate, renewals, and what went wrong in the store."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path

import pytest

from backuplock.errors import AcquireFailed, Contended, Denied, LeftBehind, LockLost, Unreachable
from backuplock.guarantees import UNSEEN_REMOVAL, terms_for
from backuplock.lock import BackupLock
from backuplock.model import Operation
from backuplock.protocol import Certificate, Proof
from backuplock.stores.filesystem import FilesystemStore
from harness.locks import World, system_lock


@pytest.fixture
def world() -> World:
    return World()


def lose(world: World, lock: BackupLock) -> None:
    """Hold the lock for a block in which another type appears."""

    def block() -> None:
        with lock.hold():
            world.rival()
            world.pass_s(50)

    with pytest.raises(LockLost):
        block()


def test_it_can_be_read_after_the_block(world: World) -> None:
    lock = world.lock()
    with lock.hold() as held:
        world.pass_s(50)
        assert held.certificate().proof is Proof.PROVEN
    assert lock.certificate() == Certificate(Proof.PROVEN)
    assert lock.renewals == 2
    assert not lock.held
    with lock:
        assert lock.renewals == 0
    assert lock.certificate().proof is Proof.PROVEN


def test_it_is_final_after_a_loss(world: World) -> None:
    lock = world.lock()
    lose(world, lock)
    assert lock.certificate().proof is Proof.VIOLATED


def test_there_is_none_of_a_lock_that_was_never_held(world: World) -> None:
    lock = world.lock()
    for _ in range(2):
        with pytest.raises(RuntimeError, match="not held"):
            lock.certificate()
        with pytest.raises(RuntimeError, match="not held"):
            _ = lock.renewals
        world.rival()
        with pytest.raises(Contended):
            lock.acquire()


def test_a_failed_acquisition_does_not_show_the_certificate_of_the_time_before(world: World) -> None:
    lock = world.lock()
    lock.acquire()
    lock.release()
    world.rival()
    with pytest.raises(Contended):
        lock.acquire()
    with pytest.raises(RuntimeError, match="not held"):
        lock.certificate()


def test_renewals_are_counted_when_the_store_confirms_them(world: World) -> None:
    lock = world.lock()
    lock.acquire()
    share = lock.share()
    world.store.add("put", before=Unreachable("no answer"), times=1)
    world.pass_s(21)
    assert lock.renewals == 0
    world.pass_s(2)
    assert (lock.renewals, share.renewals) == (1, 1)
    world.pass_s(60)
    lock.release()
    share.release()
    assert lock.renewals == share.renewals == 4


def test_a_store_without_conditions_makes_the_certificate_say_what_it_does_not_cover(world: World) -> None:
    blind = replace(world.memory.capabilities, conditional_put="no")
    lock = world.lock(terms=terms_for(blind))
    with lock.hold():
        world.pass_s(50)
    found = lock.certificate()
    assert (found.proof, found.caveats) == (Proof.PROVEN, (UNSEEN_REMOVAL,))
    assert str(found) == f"proven (but {UNSEEN_REMOVAL})"
    lose(world, lock)
    assert lock.certificate().caveats == (UNSEEN_REMOVAL,)


def test_where_conditions_are_proved_there_is_nothing_to_add(world: World) -> None:
    with world.lock() as lock:
        assert lock.certificate().caveats == ()
    assert str(lock.certificate()) == "proven"


def test_a_folder_has_the_caveat_in_earnest(tmp_path: Path) -> None:
    store = FilesystemStore(tmp_path, writable=True)
    with system_lock(store, Operation.BACKUP).hold() as lock:
        assert lock.certificate().caveats == (UNSEEN_REMOVAL,)


def test_a_failed_acquisition_carries_what_failed(world: World) -> None:
    refused = Denied("the store refuses", advice="ask")
    world.store.add("put", before=refused)
    with pytest.raises(AcquireFailed) as caught:
        world.lock().acquire()
    assert caught.value.cause is refused
    assert caught.value.__cause__ is refused
    again = pickle.loads(pickle.dumps(caught.value))
    assert str(again.cause) == str(refused)
    assert again.__cause__ is again.cause


def test_an_unreadable_file_of_somebody_is_the_cause(world: World) -> None:
    world.rival()
    silent = Unreachable("no answer")
    world.store.add("read", before=silent)
    with pytest.raises(AcquireFailed) as caught:
        world.lock().acquire()
    assert caught.value.cause is silent


def test_what_nobody_foresaw_is_named_too(world: World) -> None:
    strange = ZeroDivisionError("strange")
    world.store.add("list", before=strange)
    with pytest.raises(AcquireFailed) as caught:
        world.lock().acquire()
    assert "ZeroDivisionError: strange" in str(caught.value.cause)
    assert caught.value.cause.__cause__ is strange
    pickle.loads(pickle.dumps(caught.value))


def test_who_is_refused_by_others_has_no_cause(world: World) -> None:
    world.rival()
    with pytest.raises(Contended) as caught:
        world.lock().acquire()
    assert caught.value.cause is None


def test_an_expiry_carries_the_last_failed_renewal(world: World) -> None:
    lock = world.lock()
    lock.acquire()
    silent = Unreachable("no answer")
    world.store.add("list", before=silent)
    world.pass_s(100)
    with pytest.raises(LockLost) as caught:
        lock.check()
    assert caught.value.cause is silent
    world.store.clear()
    lock.release()


def test_a_conflict_is_not_blamed_on_a_file_that_could_not_be_read(world: World) -> None:
    lock = world.lock()
    lock.acquire()
    world.rival(name="lock-unread0000000")
    world.rival(name="lock-feed000000000002")
    world.store.add("read", before=Unreachable("no answer"), times=1)
    world.pass_s(21)
    with pytest.raises(LockLost) as caught:
        lock.check()
    assert caught.value.reason == "conflict"
    assert caught.value.cause is None
    lock.release()


def test_what_is_left_behind_says_why(world: World) -> None:
    lock = world.lock()
    lock.acquire()
    denied = Denied("no deletions")
    world.store.add("delete", before=denied)
    with pytest.raises(LeftBehind) as caught:
        lock.release()
    assert caught.value.cause is denied
    assert lock.certificate().proof is Proof.PROVEN
