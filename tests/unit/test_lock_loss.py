"""How a lease is lost, who is told, and that nothing is written afterwards."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from backuplock.clock import SECOND, ManualClock
from backuplock.errors import LockLost, Unreachable
from backuplock.keeper import Keeper
from backuplock.lease import Schedulers
from backuplock.lock import BackupLock
from backuplock.model import Operation
from backuplock.protocol import Loss, Proof
from backuplock.stores.memory import MemoryStore
from harness.builders import body
from harness.locks import VOLUME, World, until
from harness.troubled import Gate


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def told() -> list[Loss]:
    return []


def held(world: World, told: list[Loss], **options: Any) -> BackupLock:
    lock = world.lock(on_lost=told.append, **options)
    lock.acquire()
    return lock


def assert_lost(world: World, lock: BackupLock, told: list[Loss], reason: str) -> None:
    """All ways of being told agree, and the loss stays whatever happens."""
    world.scheduler.run_due()
    for _ in range(3):
        with pytest.raises(LockLost) as caught:
            lock.check()
        assert caught.value.reason == reason
        assert lock.lost.is_set()
        assert lock.remaining() == 0
        with pytest.raises(LockLost):
            lock.share()
        world.pass_s(50)
    assert [loss.reason.value for loss in told] == [reason]


def test_it_is_renewed_every_20_seconds_for_hours(world: World, told: list[Loss]) -> None:
    lock = held(world, told)
    world.store.puts.clear()
    for _ in range(3600):
        world.pass_s(1)
        lock.check()
        assert lock.remaining() >= 69.9
    assert 175 <= len(world.store.puts) <= 181
    assert lock.release().proof is Proof.PROVEN
    assert told == []


def test_one_failed_renewal_loses_nothing(world: World, told: list[Loss]) -> None:
    lock = held(world, told)
    for verb in ("list", "put"):
        for when in ("before", "after"):
            world.store.add(verb, **{when: Unreachable("no answer")}, times=1)
            world.pass_s(30)
            lock.check()
            assert lock.remaining() > 60
    lock.release()
    assert world.files() == []
    assert told == []


@pytest.mark.parametrize("verb", ["list", "put"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_renewals_that_fail_for_90_seconds_lose_it(
    world: World, told: list[Loss], verb: str, when: str
) -> None:
    lock = held(world, told)
    world.store.add(verb, **{when: Unreachable("no answer")})
    world.pass_s(89)
    lock.check()
    assert told == []
    world.pass_s(2)
    assert_lost(world, lock, told, "expired")
    world.store.clear()
    puts = len(world.store.puts)
    world.pass_s(600)
    assert len(world.store.puts) == puts
    assert lock.release().proof is Proof.NOT_PROVEN
    assert world.files() == []


def test_a_removed_file_is_not_written_again(world: World, told: list[Loss]) -> None:
    lock = held(world, told)
    world.memory.delete(lock.key)
    world.pass_s(21)
    assert_lost(world, lock, told, "removed")
    world.pass_s(600)
    assert world.files() == []
    lock.release()


@pytest.mark.parametrize(
    "content", [b"", b"{}", body("lock-other", 1, True), b'{"Name":"x","Owner":{"renewals":99}}']
)
def test_a_replaced_file_is_a_lost_lock(world: World, told: list[Loss], content: bytes) -> None:
    lock = held(world, told)
    world.memory.put(lock.key, content)
    world.pass_s(21)
    assert_lost(world, lock, told, "removed")
    assert world.memory.read(lock.key).body == content


def test_a_rival_of_another_type_is_a_conflict_and_named(world: World, told: list[Loss]) -> None:
    lock = held(world, told)
    key = world.rival(2)
    world.pass_s(21)
    assert_lost(world, lock, told, "conflict")
    assert [blocker.key for blocker in told[0].by] == [key]
    assert lock.release().proof is Proof.VIOLATED


def test_a_rival_that_only_waits_is_none(world: World, told: list[Loss]) -> None:
    lock = held(world, told)
    world.rival(2, acquired=False)
    world.pass_s(60)
    lock.check()
    assert lock.release().proof is Proof.PROVEN


def test_an_unreadable_neighbour_leaves_a_doubt(world: World, told: list[Loss]) -> None:
    lock = held(world, told)
    key = world.rival(1)
    world.store.add("read", before=Unreachable("no answer"), times=1)
    world.pass_s(60)
    lock.check()
    certificate = lock.release()
    assert certificate.proof is Proof.NOT_PROVEN
    assert key in certificate.reason


def test_a_machine_that_was_suspended_has_lost_it_at_once(world: World, told: list[Loss]) -> None:
    lock = held(world, told)
    world.scheduler.skip_time(91 * SECOND)
    puts = len(world.store.puts)
    with pytest.raises(LockLost):
        lock.check()
    assert_lost(world, lock, told, "expired")
    assert len(world.store.puts) == puts


def test_woken_after_its_end_it_writes_nothing_though_nobody_asked(world: World, told: list[Loss]) -> None:
    lock = held(world, told)
    puts = len(world.store.puts)
    world.scheduler.skip_time(91 * SECOND)
    world.scheduler.run_due()
    assert len(world.store.puts) == puts
    assert_lost(world, lock, told, "expired")


def test_a_virtual_machine_that_was_paused_shows_in_the_wall_clock(world: World, told: list[Loss]) -> None:
    lock = held(world, told)
    world.clock.step_wall(91 * SECOND)
    with pytest.raises(LockLost):
        lock.check()
    assert_lost(world, lock, told, "expired")


def test_setting_the_clock_back_gains_nothing(world: World, told: list[Loss]) -> None:
    lock = held(world, told)
    world.store.add("list", before=Unreachable("no answer"))
    world.pass_s(50)
    world.clock.step_wall(-3600 * SECOND)
    assert lock.remaining() <= 40.1
    world.pass_s(41)
    assert_lost(world, lock, told, "expired")


def test_a_forward_step_and_its_correction_gain_nothing(world: World, told: list[Loss]) -> None:
    lock = held(world, told)
    world.clock.step_wall(60 * SECOND)
    assert lock.remaining() <= 30
    world.clock.step_wall(-60 * SECOND)
    assert lock.remaining() <= 30
    world.pass_s(25)
    lock.check()
    assert lock.remaining() > 80
    lock.release()


def test_a_callback_that_raises_harms_nobody(world: World) -> None:
    def burst(loss: Loss) -> None:
        raise RuntimeError("a bug in the callback")

    clock = ManualClock()
    store = MemoryStore(clock)
    keeper = Keeper(clock)
    lock = BackupLock(store, VOLUME, Operation.BACKUP, on_lost=burst, clock=clock, scheduler=keeper)
    other = BackupLock(store, "pvc-2", Operation.BACKUP, clock=clock, scheduler=keeper)
    lock.acquire()
    other.acquire()
    store.delete(lock.key)
    before = store.read(other.key)
    clock.advance(21 * SECOND)
    until(lock.lost.is_set)
    until(lambda: store.read(other.key) != before, "for the other's renewal")
    other.check()
    other.release()
    lock.release()


@pytest.mark.parametrize("verb", ["list", "put"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_all_are_told_in_time_while_a_renewal_hangs(verb: str, when: str) -> None:
    clock = ManualClock()
    world = World(clock)
    keeper, told = Keeper(clock), threading.Event()
    losses: list[Loss] = []

    def on_lost(loss: Loss) -> None:
        losses.append(loss)
        told.set()

    lock = world.lock(scheduler=keeper, on_lost=on_lost)
    lock.acquire()
    gate = Gate()
    world.store.add(verb, **{when: gate})
    clock.advance(20 * SECOND)
    assert gate.reached.wait(60)
    clock.advance(69 * SECOND)
    lock.check()
    assert not told.is_set()
    clock.advance(2 * SECOND)
    with pytest.raises(LockLost):
        lock.check()
    assert lock.lost.wait(60)
    assert told.wait(60)
    gate.open.set()
    world.store.clear()
    # The late answer changes nothing, and releasing removes what the hung write may have made.
    lock.release()
    assert world.files() == []
    assert [loss.reason.value for loss in losses] == ["expired"]


def test_all_are_told_though_nobody_asks_and_every_renewal_hangs() -> None:
    """More locks than the keeper has threads: their ends are announced all the same."""
    clock = ManualClock()
    world = World(clock)
    keeper, watcher = Keeper(clock, max_threads=4), Keeper(clock, max_threads=4)
    gate = Gate()
    losses: list[Loss] = []
    locks = [world.lock(volume=f"pvc-{n}", on_lost=losses.append) for n in range(12)]
    for lock in locks:
        lock.acquire()
        lease = lock._held._holding.lease
        lease._schedulers, lease._watching = Schedulers(keeper, watcher, watcher), False
        lease._schedule()
    world.store.add("list", before=gate)
    clock.advance(20 * SECOND)
    assert gate.reached.wait(60)
    clock.advance(71 * SECOND)
    until(lambda: len(losses) == 12, "for the callbacks")
    assert all(lock.lost.is_set() for lock in locks)
    assert keeper._threads <= 4
    gate.open.set()
    world.store.clear()
    for lock in locks:
        lock.release()


def test_a_write_that_hung_past_the_end_is_removed_with_the_release() -> None:
    clock = ManualClock()
    world = World(clock)
    lock = world.lock(scheduler=Keeper(clock))
    lock.acquire()
    gate = Gate()
    world.store.add("put", before=gate, times=1)
    clock.advance(20 * SECOND)
    assert gate.reached.wait(60)
    clock.advance(100 * SECOND)
    releasing = threading.Thread(target=lock.release)
    releasing.start()
    gate.open.set()
    releasing.join(60)
    assert not releasing.is_alive()
    assert world.files() == []
