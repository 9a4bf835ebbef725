"""`BackupLock` on manual time: getting it, being refused, giving it back."""

from __future__ import annotations

import json
import threading

import pytest

from backuplock.errors import (
    AcquireFailed,
    Contended,
    Denied,
    LeftBehind,
    LockLost,
    Malformed,
    Missing,
    Unreachable,
    Unsupported,
)
from backuplock.guarantees import terms_for, with_lag
from backuplock.lock import BackupLock
from backuplock.model import Operation
from backuplock.protocol import Proof
from backuplock.stores.memory import MemoryStore
from harness.builders import volume_folder
from harness.locks import VOLUME, World, locks_in, until
from harness.troubled import Gate


@pytest.fixture
def world() -> World:
    return World()


@pytest.mark.parametrize(
    ("operation", "type_"), [(Operation.BACKUP, 1), (Operation.RESTORE, 1), (Operation.DELETE, 2)]
)
def test_the_file_is_what_longhorn_reads_with_an_owner_beside(
    world: World, operation: Operation, type_: int
) -> None:
    lock = world.lock(operation, note="nightly")
    lock.acquire()
    found = json.loads(world.memory.read(lock.key).body)
    assert (found["Type"], found["Acquired"]) == (type_, True)
    assert lock.key == f"{volume_folder(VOLUME)}/locks/{found['Name']}.lck"
    assert (found["Owner"]["operation"], found["Owner"]["note"]) == (operation.value, "nightly")
    lock.release()


def test_an_undisturbed_acquisition_takes_four_requests_and_no_time(world: World) -> None:
    began = world.clock.mono_ns()
    with world.lock():
        assert world.store.calls == {"put": 2, "list": 2}
        assert world.clock.mono_ns() == began
    assert world.files() == []


def test_by_default_there_is_one_attempt(world: World) -> None:
    world.rival()
    with pytest.raises(Contended):
        world.lock().acquire()
    assert len({key for key, _ in world.store.puts}) == 1


def test_a_refusal_names_the_blocker_its_type_its_age_and_the_earliest_end(world: World) -> None:
    world.rival(2, name="lock-00000000deadbeef")
    world.pass_s(40)
    with pytest.raises(Contended) as caught:
        world.lock().acquire()
    text, blocker = str(caught.value), caught.value.blockers[0]
    # The attempt itself takes the settle wait of two seconds.
    for part in (VOLUME, "for backup", "lock-00000000deadbeef", "deletion", "held", "41s ago", "in 108 s"):
        assert part in text, part
    assert "\n" not in text
    assert blocker.type == 2
    assert caught.value.retry_after == pytest.approx(108, abs=0.1)
    assert caught.value.left_for is None
    assert world.files() == ["lock-00000000deadbeef.lck"]


def test_of_many_blockers_three_are_named_and_the_rest_counted(world: World) -> None:
    for n in range(9):
        world.rival(name=f"lock-{n:016x}")
    with pytest.raises(Contended, match=r"; and 6 more; the way is free when they are released"):
        world.lock().acquire()


def test_an_unreadable_lock_refuses_without_a_known_end(world: World) -> None:
    key = world.rival()
    world.store.add("read", before=Unreachable("no answer"))
    with pytest.raises(AcquireFailed, match="could not be read") as caught:
        world.lock().acquire()
    assert key.rpartition("/")[2] in str(caught.value)
    assert not caught.value.final


def test_waiting_is_bounded_and_leaves_nothing_between_attempts(world: World) -> None:
    world.rival()
    seen: list[list[str]] = []
    sleeps: list[int] = []

    def sleep(ns: int) -> None:
        sleeps.append(ns)
        seen.append(world.files())
        world.clock.advance(ns)
        world.rival()

    world.clock._on_sleep = sleep
    began = world.clock.mono_ns()
    with pytest.raises(Contended):
        world.lock().acquire(60)
    took = (world.clock.mono_ns() - began) / 1e9
    assert 58 <= took <= 63
    names = {key for key, _ in world.store.puts}
    assert len(names) >= 4
    between = [files for ns, files in zip(sleeps, seen, strict=True) if ns != 2_000_000_000]
    assert len(between) >= len(names) - 2
    assert all(files == ["lock-feed000000000001.lck"] for files in between)


def test_waiting_ends_when_the_way_is_free(world: World) -> None:
    key = world.rival()
    began = world.clock.mono_ns()

    def sleep(ns: int) -> None:
        world.clock.advance(ns)
        if world.clock.mono_ns() - began > 30e9:
            world.memory.delete(key)

    world.clock._on_sleep = sleep
    lock = world.lock()
    lock.acquire(300)
    lock.check()
    assert (world.clock.mono_ns() - began) / 1e9 < 50
    lock.release()


@pytest.mark.parametrize("timeout", [-1.0, float("inf"), float("nan")])
def test_a_timeout_is_a_number_of_seconds(world: World, timeout: float) -> None:
    lock = world.lock()
    with pytest.raises(ValueError, match="timeout"):
        lock.acquire(timeout)
    lock.acquire()
    lock.release()


def test_it_may_be_acquired_again_under_another_name(world: World) -> None:
    lock = world.lock()
    lock.acquire()
    first = lock.key
    lock.release()
    lock.acquire()
    assert lock.key != first
    lock.release()
    assert world.files() == []


def test_two_of_one_kind_share_the_volume(world: World) -> None:
    with world.lock(Operation.BACKUP), world.lock(Operation.RESTORE):
        assert len(world.files()) == 2


def test_held_it_cannot_be_acquired_once_more(world: World) -> None:
    lock = world.lock()
    lock.acquire()
    with pytest.raises(RuntimeError, match=r"share\(\)"):
        lock.acquire()
    lock.check()
    lock.release()
    assert world.files() == []


def test_what_is_not_held_says_so(world: World) -> None:
    lock = world.lock()
    for use in (lock.release, lock.check, lock.remaining, lock.share, lock.certificate):
        with pytest.raises(RuntimeError, match="not held"):
            use()
    lock.acquire()
    assert lock.release().proof is Proof.PROVEN
    for use in (lock.release, lock.check, lock.remaining, lock.share):
        with pytest.raises(RuntimeError, match="not held"):
            use()


@pytest.mark.parametrize(
    "name", ["", ".", "..", "a/b", "../x", "a\nb", "a b", "-x", "a" * 254, "é", "a\0", "[/red]", "a\\b"]
)
def test_a_name_that_is_none_is_refused_at_once(name: str) -> None:
    with pytest.raises(Malformed) as caught:
        BackupLock(MemoryStore(), name, Operation.BACKUP)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 300


def test_backing_images_have_a_name(world: World) -> None:
    with world.lock(volume="BACKINGIMAGE") as lock:
        assert lock.key.startswith("backupstore/volumes/22/fc/BACKINGIMAGE/locks/lock-")


def test_a_store_opened_for_reading_leaves_nothing() -> None:
    store = MemoryStore(writable=False)
    with pytest.raises(AcquireFailed, match="reading only") as caught:
        BackupLock(store, VOLUME, Operation.BACKUP).acquire(300)
    assert caught.value.final
    assert caught.value.left_for is None
    assert locks_in(store) == []


@pytest.mark.parametrize("verb", ["put", "list"])
def test_what_is_denied_is_not_tried_again(world: World, verb: str) -> None:
    world.store.add(verb, before=Denied("access denied"))
    with pytest.raises(AcquireFailed, match="access denied") as caught:
        world.lock().acquire(300)
    assert caught.value.final
    assert len({key for key, _ in world.store.puts}) == 1
    assert world.files() == []


def test_a_store_that_denies_removal_is_told_with_the_time_it_blocks(world: World) -> None:
    world.rival()
    world.store.add("delete", before=Denied("access denied"))
    with pytest.raises(Contended, match="our own file is left there") as caught:
        world.lock().acquire(300)
    assert caught.value.left_for == pytest.approx(148, abs=0.1)
    assert len(world.files()) == 2


def test_a_release_that_cannot_remove_the_file_says_for_how_long_it_blocks(world: World) -> None:
    lock = world.lock()
    lock.acquire()
    world.store.add("delete", before=Unreachable("no answer"))
    with pytest.raises(LeftBehind, match="could not be removed") as caught:
        lock.release()
    assert 100 < caught.value.left_for <= 150
    assert caught.value.certificate.proof is Proof.PROVEN
    assert not lock.held


def test_a_removal_that_fails_at_first_is_tried_again(world: World) -> None:
    lock = world.lock()
    lock.acquire()
    world.store.add("delete", before=Unreachable("no answer"), times=3)
    lock.release()
    assert world.files() == []


def test_an_answer_that_was_lost_is_cleaned_up_after(world: World) -> None:
    world.store.add("put", after=Unreachable("no answer"), times=1)
    with pytest.raises(AcquireFailed, match="no answer"):
        world.lock().acquire()
    assert world.files() == []


def test_a_write_that_may_still_land_is_told(world: World) -> None:
    world.store.add("put", before=Unreachable("no answer"), times=1)
    with pytest.raises(AcquireFailed, match="if the store still executes it") as caught:
        world.lock().acquire()
    assert caught.value.left_for is not None


@pytest.mark.parametrize("verb", ["put", "list"])
@pytest.mark.parametrize("nth", [1, 2])
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_failed_request_is_no_acquisition_and_leaves_nothing(
    world: World, verb: str, nth: int, when: str
) -> None:
    count = 0

    def fail() -> None:
        nonlocal count
        count += 1
        if count == nth:
            raise Unreachable("no answer")

    world.store.add(verb, **{when: fail})
    with pytest.raises(AcquireFailed):
        world.lock().acquire()
    assert count == nth
    assert world.files() == []


def test_a_failed_attempt_is_repeated_within_the_time_given(world: World) -> None:
    world.store.add("list", before=Unreachable("no answer"), times=2)
    lock = world.lock()
    lock.acquire(60)
    lock.check()
    lock.release()
    assert world.files() == []


def test_a_store_that_breaks_its_promises_is_a_failure_too(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.store.add("list", before=ZeroDivisionError("a bug\nof the store"))
    with pytest.raises(AcquireFailed, match=r"ZeroDivisionError: a bug.*of the store"):
        world.lock().acquire()
    assert world.files() == []
    assert "failed unexpectedly" in caplog.text


def test_a_bucket_that_is_missing_ends_it_at_once(world: World) -> None:
    world.store.add("put", before=Missing("there is no bucket"))
    with pytest.raises(AcquireFailed, match="no bucket") as caught:
        world.lock().acquire(300)
    assert caught.value.final


def test_lagging_listings_are_refused_unless_accepted() -> None:
    store = MemoryStore()
    store.capabilities = with_lag(store.capabilities, 8.0)
    with pytest.raises(Unsupported, match="guarantees nothing"):
        BackupLock(store, VOLUME, Operation.BACKUP)
    terms = terms_for(store.capabilities, accept_lagging=True)
    assert not terms.eager
    assert terms.caveat


def test_accepted_lag_is_never_proven(world: World) -> None:
    terms = terms_for(with_lag(world.memory.capabilities, 8.0), accept_lagging=True)
    lock = world.lock(terms=terms)
    lock.acquire()
    assert lock.release().proof is Proof.NOT_PROVEN


def test_release_makes_a_waiting_acquisition_give_up(world: World) -> None:
    world.rival()
    lock = world.lock()
    asleep, go_on = threading.Event(), threading.Event()

    def sleep(ns: int) -> None:
        asleep.set()
        assert go_on.wait(60)
        world.clock.advance(ns)

    world.clock._on_sleep = sleep
    failed: list[BaseException] = []

    def acquire() -> None:
        try:
            lock.acquire(1000)
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=acquire)
    thread.start()
    assert asleep.wait(60)
    releasing = threading.Thread(target=lock.release)
    releasing.start()
    until(lambda: lock._calling is None or lock._calling.cancel.is_set())
    go_on.set()
    thread.join(60)
    releasing.join(60)
    assert isinstance(failed[0], AcquireFailed)
    assert "released meanwhile" in str(failed[0])
    assert world.files() == ["lock-feed000000000001.lck"]
    with pytest.raises(RuntimeError, match="not held"):
        lock.release()


@pytest.mark.parametrize(("verb", "nth"), [("put", 1), ("list", 1), ("put", 2), ("list", 2)])
def test_release_while_a_request_of_the_acquisition_runs(world: World, verb: str, nth: int) -> None:
    gate, count = Gate(), 0

    def hang() -> None:
        nonlocal count
        count += 1
        if count == nth:
            gate()

    world.store.add(verb, after=hang)
    lock = world.lock()
    failed: list[BaseException] = []

    def acquire() -> None:
        try:
            lock.acquire()
        except BaseException as error:
            failed.append(error)

    acquiring = threading.Thread(target=acquire)
    acquiring.start()
    assert gate.reached.wait(60)
    releasing = threading.Thread(target=lock.release)
    releasing.start()
    until(lambda: lock._calling.cancel.is_set())
    gate.open.set()
    acquiring.join(60)
    releasing.join(60)
    assert [type(error) for error in failed] == [AcquireFailed]
    assert world.files() == []
    assert not lock.held
    lock.acquire()
    lock.release()


def test_acquire_and_release_race_without_a_lock_left_or_a_lie() -> None:
    world = World()
    lock = world.lock()
    for _ in range(200):
        results: list[str] = []
        barrier = threading.Barrier(2)

        def acquire(results: list[str] = results, barrier: threading.Barrier = barrier) -> None:
            barrier.wait()
            try:
                lock.acquire()
                results.append("held")
            except AcquireFailed:
                results.append("gave up")

        def release(results: list[str] = results, barrier: threading.Barrier = barrier) -> None:
            barrier.wait()
            try:
                lock.release()
                results.append("released")
            except RuntimeError:
                results.append("too early")

        threads = [threading.Thread(target=one) for one in (acquire, release)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert sorted(results) in (
            ["held", "released"],
            ["held", "too early"],
            ["gave up", "released"],
        )
        if lock.held:
            lock.check()
            lock.release()
        assert world.files() == []


def lose(world: World, lock: BackupLock) -> None:
    world.memory.delete(lock.key)
    world.pass_s(21)


def work_and_lose(world: World, error: Exception | None = None) -> None:
    with world.lock().hold() as lock:
        lose(world, lock)
        if error is not None:
            raise error


def test_the_block_tells_of_a_loss_unless_it_raised_itself(world: World) -> None:
    with pytest.raises(LockLost, match="removed"):
        work_and_lose(world)
    with pytest.raises(KeyError):
        work_and_lose(world, KeyError())


def test_the_block_tells_of_a_rival_that_only_the_last_look_found(world: World) -> None:
    with pytest.raises(LockLost, match="another type"), world.lock():
        world.rival()
    assert world.files() == ["lock-feed000000000001.lck"]


def test_the_block_tells_of_a_loss_before_a_file_that_was_left(world: World) -> None:
    def work() -> None:
        with world.lock() as lock:
            world.rival()
            world.pass_s(21)
            world.store.add("delete", before=Denied("access denied"))
            assert lock.lost.is_set()

    with pytest.raises(LockLost) as caught:
        work()
    assert any("could not be removed" in note for note in caught.value.__notes__)
