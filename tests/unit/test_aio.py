"""The asyncio face: the loop never waits, and a cancelled task leaves nothing."""

from __future__ import annotations

import asyncio

import pytest

from backuplock.aio import AsyncBackupLock
from backuplock.errors import Contended, Denied, LeftBehind, LockLost, Unreachable
from backuplock.model import Operation
from backuplock.protocol import Proof
from harness.locks import World, until
from harness.troubled import Gate


@pytest.fixture
def world() -> World:
    return World()


async def beats(count: int) -> None:
    """The loop turns: so many ticks of a heartbeat."""
    for _ in range(count):
        await asyncio.sleep(0.001)


async def reached(gate: Gate) -> None:
    while not gate.reached.is_set():
        await asyncio.sleep(0.001)


async def test_a_block_holds_it(world: World) -> None:
    async with AsyncBackupLock(world.lock()) as lock:
        lock.check()
        assert lock.remaining() > 80
        share = lock.share()
        assert len(world.files()) == 1
    share.check()
    assert share.key.endswith(world.files()[0])
    assert (await share.release()).proof is Proof.PROVEN
    assert share.released
    assert world.files() == []


@pytest.mark.parametrize("by", ["release", "block"])
async def test_a_share_is_given_back_without_holding_up_the_loop(world: World, by: str) -> None:
    gate = Gate()
    async with AsyncBackupLock(world.lock()) as lock:
        first = lock.share()
        last = first.share()
        await first.release()
    world.store.add("delete", before=gate)

    async def work() -> None:
        if by == "release":
            await last.release()
        else:
            async with last as share:
                share.check()

    task = asyncio.create_task(work())
    # Would the loop wait for the request, nobody were there to open the gate.
    await reached(gate)
    await beats(50)
    assert not task.done()
    task.cancel()
    await beats(5)
    assert not task.done()
    gate.open.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert world.files() == []


async def test_a_share_tells_of_a_loss_at_the_end_of_its_block(world: World) -> None:
    inner = world.lock()
    lock = AsyncBackupLock(inner)
    await lock.acquire()

    async def work() -> None:
        async with lock.share():
            world.memory.delete(inner.key)
            world.pass_s(21)

    with pytest.raises(LockLost):
        await work()
    await lock.release()


async def test_a_thread_can_have_a_share_as_well(world: World) -> None:
    async with AsyncBackupLock(world.lock()) as lock:
        share = lock.share_for_thread()
    await asyncio.to_thread(share.release)
    assert world.files() == []


async def test_release_gives_the_certificate(world: World) -> None:
    lock = AsyncBackupLock(world.lock())
    await lock.acquire()
    assert (await lock.release()).proof is Proof.PROVEN


async def test_errors_arrive(world: World) -> None:
    world.rival()
    with pytest.raises(Contended):
        await AsyncBackupLock(world.lock(), timeout=5).acquire()
    world.memory.delete(world.rival())
    lock = AsyncBackupLock(world.lock())
    await lock.acquire()
    world.store.add("delete", before=Denied("access denied"))
    with pytest.raises(LeftBehind):
        await lock.release()


async def test_the_block_tells_of_a_loss(world: World) -> None:
    async def work() -> None:
        inner = world.lock()
        async with AsyncBackupLock(inner):
            world.memory.delete(inner.key)
            world.pass_s(21)

    with pytest.raises(LockLost):
        await work()


@pytest.mark.parametrize("verb", ["put", "list"])
async def test_the_loop_turns_while_the_store_hangs(world: World, verb: str) -> None:
    gate = Gate()
    world.store.add(verb, before=gate)
    lock = AsyncBackupLock(world.lock())
    task = asyncio.create_task(lock.acquire())
    await reached(gate)
    await beats(50)
    assert not task.done()
    gate.open.set()
    await task
    world.store.clear()

    gate = Gate()
    world.store.add("delete", before=gate)
    task = asyncio.create_task(lock.release())
    await reached(gate)
    lock_check = pytest.raises(RuntimeError, match="not held")
    with lock_check:
        lock.check()
    await beats(50)
    assert not task.done()
    gate.open.set()
    await task
    assert world.files() == []


@pytest.mark.parametrize(("verb", "nth"), [("put", 1), ("list", 1), ("put", 2), ("list", 2)])
@pytest.mark.parametrize("when", ["before", "after"])
async def test_cancelled_in_any_request_it_leaves_nothing(
    world: World, verb: str, nth: int, when: str
) -> None:
    gate, count = Gate(), 0

    def hang() -> None:
        nonlocal count
        count += 1
        if count == nth:
            gate()

    world.store.add(verb, **{when: hang})
    lock = AsyncBackupLock(world.lock(), timeout=100)
    task = asyncio.create_task(lock.acquire())
    await reached(gate)
    task.cancel()
    await beats(5)
    task.cancel()
    await beats(5)
    assert not task.done()
    gate.open.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert world.files() == []
    world.store.clear()
    async with lock:
        lock.check()


async def test_cancelled_before_it_began_it_does_not_begin(world: World) -> None:
    lock = AsyncBackupLock(world.lock(), timeout=1000)
    world.rival()
    for turns in range(4):
        task = asyncio.create_task(lock.acquire())
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert world.files() == ["lock-feed000000000001.lck"]


async def test_a_timeout_of_asyncio_ends_a_wait(world: World) -> None:
    gate = Gate()
    world.rival()

    def sleep(ns: int) -> None:
        gate.open.wait(0.01)
        world.clock.advance(ns // 1000)

    world.clock._on_sleep = sleep
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await AsyncBackupLock(world.lock(), timeout=100_000).acquire()
    assert world.files() == ["lock-feed000000000001.lck"]


@pytest.mark.parametrize(("verb", "nth"), [("put", 1), ("list", 1), ("put", 2), ("list", 2)])
@pytest.mark.parametrize("heard", [True, False])
async def test_cancelled_where_the_file_stays_it_says_so(
    world: World, verb: str, nth: int, heard: bool
) -> None:
    gate, count = Gate(), 0

    def hang() -> None:
        nonlocal count
        count += 1
        if count == nth:
            gate()

    world.store.add(verb, after=hang)
    world.store.add("delete", before=Denied("access denied"))
    task = asyncio.create_task(AsyncBackupLock(world.lock()).acquire())
    await reached(gate)
    task.cancel()
    if heard:
        await beats(5)
    gate.open.set()
    with pytest.raises(asyncio.CancelledError) as caught:
        await task
    assert len(world.files()) == 1
    notes = " ".join(caught.value.__notes__)
    assert "keeps the other type out for" in notes


async def test_a_cancelled_release_is_finished_first(world: World) -> None:
    lock = AsyncBackupLock(world.lock())
    await lock.acquire()
    gate = Gate()
    world.store.add("delete", before=gate, times=1)
    task = asyncio.create_task(lock.release())
    await reached(gate)
    task.cancel()
    await beats(5)
    assert not task.done()
    gate.open.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert world.files() == []


async def test_a_cancelled_release_tells_of_a_file_that_was_left(world: World) -> None:
    lock = AsyncBackupLock(world.lock())
    await lock.acquire()
    gate = Gate()
    world.store.add("delete", before=gate, times=1)
    world.store.add("delete", before=Unreachable("no answer"))
    world.store.add("delete", after=Unreachable("no answer"))
    world.store._troubles[0].after = Denied("access denied")
    task = asyncio.create_task(lock.release())
    await reached(gate)
    task.cancel()
    await beats(5)
    gate.open.set()
    with pytest.raises(asyncio.CancelledError) as caught:
        await task
    assert any("could not be removed" in note for note in caught.value.__notes__)


async def test_many_who_wait_do_not_keep_out_the_release_they_wait_for(world: World) -> None:
    holder = AsyncBackupLock(world.lock(Operation.DELETE))
    await holder.acquire()
    gate = Gate()
    waiting = 0

    def sleep(ns: int) -> None:
        nonlocal waiting
        waiting += 1
        gate.open.wait(60)
        world.clock.advance(ns)

    world.clock._on_sleep = sleep
    locks = [AsyncBackupLock(world.lock(), timeout=10_000) for _ in range(40)]
    tasks = [asyncio.create_task(lock.acquire()) for lock in locks]
    while waiting < 40:
        await beats(1)
    await holder.release()
    gate.open.set()
    await asyncio.gather(*tasks)
    await asyncio.gather(*(lock.release() for lock in locks))
    until(lambda: world.files() == [])
