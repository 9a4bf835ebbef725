"""Counted references: the file goes with the last one, from whichever thread, exactly once."""

from __future__ import annotations

import asyncio
import copy
import gc
import pickle
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from backuplock.errors import Denied, LeftBehind, LockLost
from backuplock.keeper import Keeper
from backuplock.protocol import Proof
from backuplock.share import Share
from harness.locks import World, until


@pytest.fixture
def world() -> World:
    return World()


def test_the_file_goes_with_the_last_reference(world: World) -> None:
    lock = world.lock()
    lock.acquire()
    shares = [lock.share() for _ in range(3)]
    shares.append(shares[0].share())
    lock.release()
    for share in shares:
        assert world.files() != []
        share.check()
        assert share.remaining() > 80
        assert share.release().proof is Proof.PROVEN
    assert world.files() == []
    assert world.store.calls["delete"] == 1


def test_while_a_share_is_out_it_is_renewed(world: World) -> None:
    lock = world.lock()
    lock.acquire()
    share = lock.share()
    lock.release()
    world.pass_s(1000)
    share.check()
    share.release()


def test_the_lock_can_be_acquired_anew_beside_a_share_of_the_last_time(world: World) -> None:
    lock = world.lock()
    lock.acquire()
    share = lock.share()
    lock.release()
    lock.acquire()
    assert len(world.files()) == 2
    assert share.key != lock.key
    share.release()
    lock.check()
    lock.release()
    assert world.files() == []


def test_from_many_threads_exactly_once(world: World) -> None:
    for _ in range(20):
        world.store.calls.clear()
        lock = world.lock()
        lock.acquire()
        shares = [lock.share() for _ in range(16)]
        barrier = threading.Barrier(len(shares) + 1)

        def give_back(share: Share, barrier: threading.Barrier = barrier) -> None:
            barrier.wait()
            share.check()
            share.release()

        threads = [threading.Thread(target=give_back, args=(share,)) for share in shares]
        for thread in threads:
            thread.start()
        barrier.wait()
        lock.release()
        for thread in threads:
            thread.join(60)
        assert world.files() == []
        assert world.store.calls["delete"] == 1


def test_one_reference_released_by_many_threads_counts_once(world: World) -> None:
    lock = world.lock()
    lock.acquire()
    share = lock.share()
    barrier = threading.Barrier(8)
    outcomes: list[str] = []

    def give_back() -> None:
        barrier.wait()
        try:
            share.release()
            outcomes.append("released")
        except RuntimeError as error:
            outcomes.append(str(error))

    threads = [threading.Thread(target=give_back) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert outcomes.count("released") == 1
    assert sum("released already" in outcome for outcome in outcomes) == 7
    lock.check()
    lock.release()


def test_handed_to_a_pool(world: World) -> None:
    def work(share: Share) -> None:
        with share:
            share.check()

    with ThreadPoolExecutor(4) as pool:
        with world.lock() as lock:
            done = [pool.submit(work, lock.share()) for _ in range(50)]
        for future in done:
            future.result(60)
    assert world.files() == []


async def test_handed_to_tasks(world: World) -> None:
    async def work(share: Share) -> None:
        await asyncio.sleep(0)
        share.check()
        await asyncio.to_thread(share.release)

    with world.lock() as lock:
        tasks = [asyncio.create_task(work(lock.share())) for _ in range(5)]
    await asyncio.gather(*tasks)
    assert world.files() == []


def test_after_its_release_it_is_of_no_use(world: World) -> None:
    lock = world.lock()
    lock.acquire()
    share = lock.share()
    share.release()
    assert share.released
    for use in (share.share, share.check, share.remaining, share.release):
        with pytest.raises(RuntimeError, match="released already"):
            use()
    lock.release()


def test_of_a_lost_lock_no_share_is_to_be_had(world: World) -> None:
    lock = world.lock()
    lock.acquire()
    share = lock.share()
    world.memory.delete(lock.key)
    world.pass_s(21)
    for one in (lock.share, share.share, share.check):
        with pytest.raises(LockLost, match="removed"):
            one()
    assert share.lost.is_set()
    share.release()
    lock.release()


def test_its_block_tells_of_the_loss(world: World) -> None:
    lock = world.lock()
    lock.acquire()

    def work() -> None:
        with lock.share():
            world.memory.delete(lock.key)
            world.pass_s(21)

    with pytest.raises(LockLost):
        work()
    lock.release()


def forget(things: list[Any]) -> None:
    things.clear()
    gc.collect()


def test_a_forgotten_share_is_reported_and_given_back(world: World) -> None:
    lock = world.lock()
    lock.acquire()
    share = lock.share()
    lock.release()
    held = [share]
    del share
    with pytest.warns(ResourceWarning, match="forgotten"):
        forget(held)
    assert world.files() != []
    world.scheduler.run_due()
    assert world.files() == []


def test_a_forgotten_lock_is_reported_and_released_by_a_thread() -> None:
    world = World()
    lock = world.lock(scheduler=Keeper(world.clock))
    lock.acquire()
    held = [lock]
    del lock
    with pytest.warns(ResourceWarning, match="forgotten"):
        forget(held)
    until(lambda: not world.files(), "for the file to go")


@pytest.mark.filterwarnings("error::ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_it_is_given_back_even_where_warnings_are_errors(world: World) -> None:
    lock = world.lock()
    lock.acquire()
    del lock
    gc.collect()
    world.scheduler.run_due()
    assert world.files() == []


def test_a_file_that_cannot_be_removed_is_told_to_the_last_one_only(world: World) -> None:
    lock = world.lock()
    lock.acquire()
    share = lock.share()
    world.store.add("delete", before=Denied("access denied"))
    lock.release()
    with pytest.raises(LeftBehind, match="could not be removed") as caught:
        share.release()
    assert caught.value.left_for > 100


def test_they_cannot_be_pickled_or_copied(world: World) -> None:
    with world.lock() as lock, lock.share() as share:
        for one in (lock, share):
            for attempt in (pickle.dumps, copy.copy, copy.deepcopy):
                with pytest.raises(TypeError, match="cannot be pickled"):
                    attempt(one)
