"""One scheduler for all locks: few threads, none of which waits for another's hung task."""

from __future__ import annotations

import threading
import time

import pytest

from backuplock.clock import SECOND, ManualClock, SystemClock
from backuplock.keeper import Keeper, shared_keeper, shared_watcher
from harness.locks import DEADLINE_S, World, until
from harness.troubled import Gate


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


def test_the_shared_ones_are_two() -> None:
    assert shared_keeper() is shared_keeper()
    assert shared_watcher() is shared_watcher()
    assert shared_keeper() is not shared_watcher()


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
