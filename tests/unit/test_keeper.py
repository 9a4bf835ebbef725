"""One scheduler for all locks: few threads, none of which waits for another's hung task."""

from __future__ import annotations

import threading
import time
from dataclasses import replace

import pytest

from backuplock.clock import SECOND, ManualClock, SystemClock
from backuplock.errors import LockLost, Unreachable
from backuplock.guarantees import terms_for
from backuplock.keeper import MAX_THREADS, Keeper, shared_keeper, shared_teller, shared_watcher
from backuplock.lock import BackupLock
from backuplock.model import Operation
from backuplock.stores.memory import MemoryStore
from harness.locks import DEADLINE_S, VOLUME, World, short_terms, system_lock, until
from harness.troubled import Gate, TroubledStore


def test_tasks_run_once_in_the_order_of_their_times() -> None:
    clock = ManualClock()
    keeper, ran = Keeper(clock, max_threads=1), []
    now = clock.mono_ns()
    for n in (3, 1, 2):
        keeper.schedule(now + n * SECOND, lambda n=n: ran.append(n))
    clock.advance(2 * SECOND)
    until(lambda: len(ran) == 2)
    assert ran == [1, 2]
    clock.advance(2 * SECOND)
    until(lambda: len(ran) == 3)
    until(lambda: keeper._threads == 0, "for the threads to end")


def test_nothing_runs_before_its_time() -> None:
    clock, ran = SystemClock(), []
    keeper = Keeper(clock)
    at = clock.mono_ns() + SECOND // 10
    keeper.schedule(at, lambda: ran.append(clock.mono_ns()))
    until(lambda: ran)
    assert ran[0] >= at


def test_hung_tasks_do_not_keep_the_others_waiting() -> None:
    keeper, gate, ran = Keeper(max_threads=8), Gate(), threading.Event()
    for _ in range(7):
        keeper.schedule(0, gate)
    keeper.schedule(0, ran.set)
    assert ran.wait(60)
    assert not gate.open.is_set()
    gate.open.set()
    until(lambda: keeper._threads == 0)


def test_threads_are_bounded_and_what_waits_runs_later() -> None:
    keeper, gate, ran = Keeper(max_threads=4), Gate(), []
    for n in range(100):
        keeper.schedule(0, lambda n=n: (gate(), ran.append(n)))
    until(lambda: keeper._threads == 4)
    assert ran == []
    gate.open.set()
    until(lambda: len(ran) == 100)
    assert keeper._threads <= 4
    until(lambda: keeper._threads == 0)


@pytest.mark.parametrize("error", [ValueError("a bug"), SystemExit(1), KeyboardInterrupt()])
def test_a_task_that_raises_costs_no_thread(error: BaseException, caplog: pytest.LogCaptureFixture) -> None:
    keeper, ran = Keeper(max_threads=1), threading.Event()

    def burst() -> None:
        raise error

    for _ in range(3):
        keeper.schedule(0, burst)
    keeper.schedule(0, ran.set)
    assert ran.wait(60)
    assert caplog.text.count("a scheduled task failed") == 3


def test_without_any_thread_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    keeper, ran = Keeper(), []

    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        with pytest.raises(RuntimeError, match="can't start"):
            keeper.schedule(0, lambda: ran.append(1))
        world = World()
        with pytest.raises(RuntimeError, match="can't start"):
            world.lock(scheduler=keeper).acquire()
        assert world.files() == []
    keeper.schedule(0, lambda: ran.append(2))
    until(lambda: ran)
    assert ran == [2]


def test_with_threads_left_it_makes_do(monkeypatch: pytest.MonkeyPatch) -> None:
    keeper, gate, ran = Keeper(), Gate(), threading.Event()
    keeper.schedule(0, gate)
    assert gate.reached.wait(60)
    until(lambda: keeper._idle == 0)

    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        keeper.schedule(0, ran.set)
        assert not ran.is_set()
        gate.open.set()
        assert ran.wait(60)


def test_the_shared_ones_are_told_apart_by_their_work_and_store() -> None:
    assert shared_keeper("s3:one") is shared_keeper("s3:one")
    assert shared_watcher() is shared_watcher()
    different = {shared_keeper("s3:one"), shared_keeper("s3:two"), shared_watcher(), shared_teller("s3:one")}
    assert len(different) == 4


def test_a_store_that_hangs_does_not_delay_the_locks_on_another() -> None:
    """More locks hang than one pool has threads; the other store's lock is renewed all the same."""
    hung, gate = TroubledStore(MemoryStore(url="memory:hung")), Gate()
    other = MemoryStore(url="memory:other")
    terms = short_terms(other, 15)
    stuck = [
        system_lock(hung, Operation.BACKUP, volume=f"pvc-{n}", terms=terms) for n in range(MAX_THREADS + 8)
    ]
    for lock in stuck:
        lock.acquire()
    hung.add("list", before=gate)
    mine = system_lock(other, Operation.BACKUP, terms=terms)
    mine.acquire()
    until(lambda: hung.calls["list"] >= 2 * len(stuck) + MAX_THREADS, "for every thread to hang")
    before = mine.renewals
    until(lambda: mine.renewals >= before + 2, "for the other store's lock to be renewed")
    mine.check()
    until(lambda: all(lock.lost.is_set() for lock in stuck), "for the losses to be told though all hang")
    gate.open.set()
    for lock in [*stuck, mine]:
        lock.release()


def test_a_callback_that_hangs_does_not_delay_the_end_of_another_lease() -> None:
    store, gate = TroubledStore(MemoryStore(url="memory:callbacks")), Gate()
    terms = short_terms(store, 15)
    stuck = [
        system_lock(store, Operation.BACKUP, volume=f"pvc-{n}", terms=terms, on_lost=lambda _loss: gate())
        for n in range(MAX_THREADS + 8)
    ]
    told = threading.Event()
    mine = system_lock(
        MemoryStore(url="memory:other"), Operation.BACKUP, terms=terms, on_lost=lambda _loss: told.set()
    )
    for lock in stuck:
        lock.acquire()
    store.add("list", before=Unreachable("no answer"))
    until(lambda: all(lock.lost.is_set() for lock in stuck), "for all callbacks to hang")
    mine.acquire()
    mine._store.delete(mine.key)
    assert told.wait(DEADLINE_S)
    gate.open.set()
    store.clear()
    for lock in [*stuck, mine]:
        lock.release()


class Stepped(SystemClock):
    """The system's clocks, of which a test may step the one on the wall."""

    __slots__ = ("ahead",)

    def __init__(self) -> None:
        self.ahead = 0

    def wall_ns(self) -> int:
        return super().wall_ns() + self.ahead


def test_a_step_of_the_wall_clock_is_noticed_before_any_renewal() -> None:
    """A virtual machine was paused, and only the wall clock tells. The next renewal is far away."""
    clock, told = Stepped(), threading.Event()
    store = MemoryStore(clock)
    terms = replace(terms_for(store.capabilities), renew=89 * SECOND)
    keeper = Keeper(clock)
    lock = BackupLock(
        store,
        VOLUME,
        Operation.BACKUP,
        terms=terms,
        clock=clock,
        scheduler=keeper,
        on_lost=lambda _loss: told.set(),
    )
    lock.acquire()
    until(lambda: keeper._idle > 0)
    clock.ahead += 200 * SECOND
    assert told.wait(DEADLINE_S)
    with pytest.raises(LockLost, match="ran out"):
        lock.check()
    lock.release()


def test_a_step_back_makes_nothing_early_nor_late() -> None:
    clock, ran = ManualClock(), []
    keeper = Keeper(clock, max_threads=1)
    keeper.schedule(clock.mono_ns() + 10 * SECOND, lambda: ran.append(1))
    clock.step_wall(-100 * SECOND)
    clock.advance(9 * SECOND)
    probe = threading.Event()
    keeper.schedule(clock.mono_ns(), probe.set)
    assert probe.wait(DEADLINE_S)
    assert ran == []
    clock.advance(SECOND)
    until(lambda: ran)


def test_a_thousand_locks_need_few_threads() -> None:
    clock = ManualClock()
    world = World(clock)
    keeper = Keeper(clock)
    before = threading.active_count()
    locks = [world.lock(volume=f"pvc-{n}", scheduler=keeper) for n in range(1000)]
    for lock in locks:
        lock.acquire()
    most = 0
    for _ in range(3):
        world.store.puts.clear()
        clock.advance(20 * SECOND)
        give_up = time.monotonic() + DEADLINE_S
        while len(world.store.puts) < 1000 and time.monotonic() < give_up:
            most = max(most, threading.active_count())
            time.sleep(0.001)
        until(lambda: all(lock._held._holding.lease.claim.phase == "held" for lock in locks))
    for lock in locks:
        lock.check()
        lock.release()
    assert most - before <= 34
