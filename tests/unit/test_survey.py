"""The sweep: all that is there is seen, what fails is kept beside it, what did not change is not re-read."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backuplock import layout
from backuplock.clock import SECOND, ManualClock
from backuplock.errors import Denied, StoreError, Unreachable
from backuplock.lookup import find_volume
from backuplock.model import Flaw, LockRecord
from backuplock.stores.base import BODY_CAP, Blob, Capabilities, Listing, Version
from backuplock.stores.filesystem import FilesystemStore
from backuplock.stores.memory import MemoryStore
from backuplock.survey import GIVE_UP_AFTER, WORKERS, Cancelled, Progress, look, sweep
from backuplock.wire import encode
from harness.running import environ


class Watched:
    """A store in front of another: counts what is asked, and fails where told to.

    A stand-in for a failing server where the *sweep's* handling is the subject; the stores' own handling
    of failing servers is tested against real ones.
    """

    def __init__(self, inner: MemoryStore, *, mute: bool = False) -> None:
        self.inner = inner
        self.asked: Counter[str] = Counter()
        self.fail: Callable[[str, str], StoreError | None] = lambda verb, key: None
        self.mute = mute
        self._guard = threading.Lock()

    @property
    def url(self) -> str:
        return self.inner.url

    @property
    def capabilities(self) -> Capabilities:
        return self.inner.capabilities

    def list(self, folder: str) -> Listing:
        self._ask("list", folder)
        found = self.inner.list(folder)
        return Listing(found.entries, found.folders) if self.mute else found

    def read(self, key: str, *, cap: int = BODY_CAP) -> Blob | None:
        self._ask("read", key)
        found = self.inner.read(key, cap=cap)
        return Blob(found.body, found.modified_ns, found.etag) if self.mute and found else found

    def put(self, key: str, body: bytes, *, if_match: str | None = None, if_absent: bool = False) -> Version:
        raise AssertionError("a sweep never writes")

    def delete(self, key: str, *, if_match: str | None = None) -> None:
        raise AssertionError("a sweep never deletes")

    def close(self) -> None:
        self.inner.close()

    def _ask(self, verb: str, key: str) -> None:
        with self._guard:
            self.asked[verb] += 1
        error = self.fail(verb, key)
        if error is not None:
            raise error


def put_lock(store: MemoryStore, volume: str, name: str, type_: int = 1, *, acquired: bool = True) -> str:
    key = layout.lock_key(volume, name)
    store.put(key, encode(LockRecord(name, type_, acquired)))
    return key


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def memory(clock: ManualClock) -> MemoryStore:
    return MemoryStore(clock)


def test_a_store_that_is_not_one(memory: MemoryStore, clock: ManualClock) -> None:
    seen = sweep(memory, clock=clock)
    assert (seen.store_present, seen.volumes, seen.locks, seen.complete) == (False, (), (), True)


def test_an_empty_backupstore(memory: MemoryStore, clock: ManualClock) -> None:
    memory.put("backupstore/system-backups/x.cfg", b"{}")
    assert sweep(memory, clock=clock).store_present is True


def test_everything_under_locks_is_told_apart(memory: MemoryStore, clock: ManualClock) -> None:
    key = put_lock(memory, "pvc-a", "lock-0000000000000001")
    folder = layout.locks_folder("pvc-a")
    memory.put(layout.volume_cfg("pvc-a"), b"{}")
    memory.put(f"{folder}/lock-1.lck.tmp.1600000000000000000", b"x")
    memory.put(f"{folder}/odd name.lck", b"x")
    memory.put(f"{folder}/empty.lck", b"")
    memory.put(f"{folder}/huge.lck", b"x" * (BODY_CAP + 1))
    memory.put(f"{folder}/folder.lck/inside", b"x")
    memory.put(layout.volume_cfg("pvc-b"), b"{}")
    put_lock(memory, layout.BACKING_IMAGE, "lock-0000000000000002", 2)
    put_lock(memory, "ghost", "lock-0000000000000003")
    seen = sweep(memory, clock=clock)
    assert [volume.name for volume in seen.volumes] == ["BACKINGIMAGE", "ghost", "pvc-a", "pvc-b"]
    assert [volume.name for volume in seen.volumes if volume.ghost] == ["ghost"]
    flaws = {lock.file_name: lock.flaw for lock in seen.locks if lock.flaw}
    assert flaws == {
        "empty.lck": Flaw.UNDECODABLE,
        "huge.lck": Flaw.TOO_LARGE,
        "folder.lck": Flaw.IRREGULAR,
    }
    assert seen.by_key[key].record == LockRecord("lock-0000000000000001", 1, True)
    leftovers = [leftover.key.rpartition("/")[2] for volume in seen.volumes for leftover in volume.leftovers]
    assert leftovers == ["lock-1.lck.tmp.1600000000000000000", "odd name.lck"]


def test_unchanged_locks_are_not_read_again(memory: MemoryStore, clock: ManualClock) -> None:
    for number in range(20):
        put_lock(memory, f"pvc-{number}", f"lock-{number:016x}")
        memory.put(layout.volume_cfg(f"pvc-{number}"), b"{}")
    watched = Watched(memory)
    first = sweep(watched, clock=clock)
    assert watched.asked["read"] == 40
    clock.advance(5 * SECOND)
    put_lock(memory, "pvc-7", "lock-0000000000000007")
    watched.asked.clear()
    second = sweep(watched, first, clock=clock)
    assert watched.asked["read"] == 1
    assert second.bodies_read == 1
    changed = [key for key in second.by_key if second.by_key[key] is not first.by_key[key]]
    assert changed == [layout.lock_key("pvc-7", "lock-0000000000000007")]
    assert second.requests == watched.asked["read"] + watched.asked["list"]


def test_a_volume_that_cannot_be_listed_is_shown_as_such(memory: MemoryStore, clock: ManualClock) -> None:
    put_lock(memory, "pvc-a", "lock-0000000000000001")
    put_lock(memory, "pvc-b", "lock-0000000000000002")
    watched = Watched(memory)
    watched.fail = lambda verb, key: (
        Denied("no permission to list it") if verb == "list" and key.endswith("pvc-a/locks") else None
    )
    seen = sweep(watched, clock=clock)
    assert not seen.complete
    assert {volume.name: bool(volume.problem) for volume in seen.volumes} == {"pvc-a": True, "pvc-b": False}
    assert len(seen.locks) == 1


def test_a_lock_that_cannot_be_read_is_shown_and_asked_again(memory: MemoryStore, clock: ManualClock) -> None:
    key = put_lock(memory, "pvc-a", "lock-0000000000000001")
    watched = Watched(memory)
    watched.fail = lambda verb, key: Denied("no permission") if verb == "read" else None
    first = sweep(watched, clock=clock)
    assert first.by_key[key].flaw is Flaw.UNREADABLE
    assert not first.complete
    watched.fail = lambda verb, key: None
    assert sweep(watched, first, clock=clock).by_key[key].flaw is None


def test_a_branch_that_cannot_be_listed_is_a_problem_of_the_whole(
    memory: MemoryStore, clock: ManualClock
) -> None:
    put_lock(memory, "pvc-a", "lock-0000000000000001")
    shard = layout.shards("pvc-a")[0]
    watched = Watched(memory)
    watched.fail = lambda verb, key: Denied("no") if key == f"{layout.VOLUMES}/{shard}" else None
    seen = sweep(watched, clock=clock)
    assert seen.volumes == ()
    assert not seen.complete
    assert shard in seen.problems[0]


def test_a_store_that_goes_away_ends_the_sweep(memory: MemoryStore, clock: ManualClock) -> None:
    for number in range(300):
        put_lock(memory, f"pvc-{number}", f"lock-{number:016x}")
    watched = Watched(memory)
    watched.fail = lambda verb, key: Unreachable("gone") if key.count("/") >= 2 else None
    with pytest.raises(Unreachable):
        sweep(watched, clock=clock, workers=2)
    assert GIVE_UP_AFTER <= watched.asked["list"] < 150


def test_the_first_failure_is_raised_as_it_is(memory: MemoryStore, clock: ManualClock) -> None:
    watched = Watched(memory)
    watched.fail = lambda verb, key: Denied("wrong secret")
    with pytest.raises(Denied, match="wrong secret"):
        sweep(watched, clock=clock)


def test_a_lock_that_vanishes_between_list_and_read_is_gone(memory: MemoryStore, clock: ManualClock) -> None:
    key = put_lock(memory, "pvc-a", "lock-0000000000000001")
    watched = Watched(memory)

    def vanish(verb: str, asked: str) -> None:
        if verb == "read":
            memory.delete(key)

    watched.fail = vanish
    seen = sweep(watched, clock=clock)
    assert seen.locks == ()
    assert seen.complete


def test_progress_and_stop(memory: MemoryStore, clock: ManualClock) -> None:
    for number in range(50):
        put_lock(memory, f"pvc-{number}", f"lock-{number:016x}")
    told: list[Progress] = []
    sweep(memory, clock=clock, progress=told.append)
    assert (told[-1].volumes_done, told[-1].volumes_known) == (50, 50)
    assert [step.volumes_done for step in told] == sorted(step.volumes_done for step in told)
    stop = threading.Event()
    stop.set()
    with pytest.raises(Cancelled):
        sweep(memory, clock=clock, stop=stop)


def test_a_sweep_that_is_stopped_leaves_a_request_that_hangs(memory: MemoryStore, clock: ManualClock) -> None:
    for number in range(50):
        put_lock(memory, f"pvc-{number}", f"lock-{number:016x}")
    watched, hung, let_go, stop = Watched(memory), threading.Event(), threading.Event(), threading.Event()

    def hang(verb: str, key: str) -> None:
        if verb == "read":
            hung.set()
            assert let_go.wait(60)

    watched.fail = hang
    ended: list[BaseException] = []

    def run() -> None:
        try:
            sweep(watched, clock=clock, stop=stop)
        except Cancelled as error:
            ended.append(error)

    sweeping = threading.Thread(target=run, daemon=True)
    sweeping.start()
    assert hung.wait(60)
    stop.set()
    sweeping.join(30)
    let_go.set()
    assert len(ended) == 1, "it waited for the request"
    for thread in threading.enumerate():
        if thread.name.startswith("sweep-"):
            thread.join(60)
    # What was under way is finished: a lock, and the names of its volume.
    assert watched.asked["read"] <= 2 * WORKERS


SCRIPT = """
import threading
from backuplock.clock import ManualClock
from backuplock.errors import StoreError
from backuplock.stores.memory import MemoryStore
from backuplock.survey import Cancelled, sweep

class Hanging(MemoryStore):
    def list(self, folder):
        if folder.endswith("/locks"):
            hung.set()
            threading.Event().wait()
        return super().list(folder)

hung, stop = threading.Event(), threading.Event()
store = Hanging()
store.plant("backupstore/volumes/97/d4/v/locks/lock-1.lck", b"{}", 0)
threading.Thread(target=lambda: (hung.wait(), stop.set()), daemon=True).start()
try:
    sweep(store, stop=stop)
except Cancelled:
    print("cancelled")
"""


def test_nor_does_it_keep_the_process_from_ending() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=60, env=environ()
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "cancelled\n", "")


def test_the_stores_clock_comes_from_the_store(clock: ManualClock) -> None:
    store_clock = ManualClock(clock.wall_ns() + 777 * SECOND)
    seen = sweep(MemoryStore(store_clock), clock=clock)
    # Only the mono readings of this store are foreign to us: a memory store reads its own clock.
    assert seen.clock.source == "memory replies"
    skew, error = seen.clock.skew(wall_ns=clock.wall_ns(), mono_ns=clock.mono_ns())
    assert (skew, error <= SECOND) == (777 * SECOND, True)


def test_a_mute_store_is_assumed_until_its_holders_tell(memory: MemoryStore, clock: ManualClock) -> None:
    """NFS opened for reading says nothing about its clock; a refresh between two looks does."""
    put_lock(memory, "pvc-a", "lock-0000000000000001")
    watched = Watched(memory, mute=True)
    first = sweep(watched, clock=clock)
    assert (first.clock.source, first.clock.at(clock.mono_ns()).error_ns) == ("assumed", 900 * SECOND)
    clock.step_wall(-50 * SECOND)
    clock.advance(2 * SECOND)
    clock.step_wall(50 * SECOND)
    put_lock(memory, "pvc-a", "lock-0000000000000001")
    truth = clock.wall_ns()
    clock.step_wall(-50 * SECOND)
    clock.advance(2 * SECOND)
    second = sweep(watched, first, clock=clock)
    span = second.clock.at(clock.mono_ns())
    assert second.clock.source == "refreshes seen"
    assert span.lo <= truth + 2 * SECOND <= span.hi
    assert span.error_ns < 5 * SECOND


NAMES = st.from_regex(r"\A[a-zA-Z0-9][a-zA-Z0-9_.-]{0,20}\Z")


@settings(deadline=None)
@given(st.dictionaries(NAMES, st.lists(st.booleans(), max_size=3), max_size=12))
def test_every_volume_and_lock_is_found(fleet: dict[str, list[bool]]) -> None:
    clock = ManualClock()
    store = MemoryStore(clock)
    expected = set()
    for volume, locks in fleet.items():
        store.put(layout.volume_cfg(volume), b"{}")
        expected |= {
            put_lock(store, volume, f"lock-{number}", acquired=acquired)
            for number, acquired in enumerate(locks)
        }
    seen = sweep(store, clock=clock, workers=2)
    assert {volume.name for volume in seen.volumes} == set(fleet)
    assert set(seen.by_key) == expected


def _linked_store(tmp_path: Path) -> FilesystemStore:
    """A volume behind a link, and one below a level of folders that is one; both are locked out there."""
    root, outside = tmp_path / "store", tmp_path / "outside"
    away = FilesystemStore(_made(outside), writable=True)
    here = FilesystemStore(_made(root), writable=True)
    for name in ("pvc-linked", "pvc-under"):
        body = encode(LockRecord("lock-a1", 1, True))
        away.put(layout.lock_key(name, "lock-a1"), body)
    here.put(layout.volume_cfg("pvc-plain"), b"{}")
    linked = root / layout.volume_folder("pvc-linked")
    linked.parent.mkdir(parents=True)
    linked.symlink_to(outside / layout.volume_folder("pvc-linked"))
    first, _ = layout.shards("pvc-under")
    (root / layout.VOLUMES / first).symlink_to(outside / layout.VOLUMES / first)
    return here


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def test_what_is_behind_a_link_is_unknown_and_not_absent(tmp_path: Path) -> None:
    found = sweep(_linked_store(tmp_path))
    views = {view.name: view.problem for view in found.volumes}
    assert set(views) == {"pvc-linked", "pvc-plain"}
    assert views["pvc-plain"] == ""
    assert "pvc-linked is a link" in views["pvc-linked"]
    assert "not followed" in views["pvc-linked"]
    first, _ = layout.shards("pvc-under")
    assert [f"{layout.VOLUMES}/{first} is a link" in problem for problem in found.problems] == [True]
    assert not found.complete


@pytest.mark.parametrize("name", ["pvc-linked", "pvc-under"])
def test_one_volume_behind_a_link_is_unknown_and_not_missing(tmp_path: Path, name: str) -> None:
    store = _linked_store(tmp_path)
    for found in (look(store, name), find_volume(store, name)):
        assert [view.name for view in found.volumes] == [name]
        assert "is a link" in found.volumes[0].problem
        assert not found.complete


def test_a_pipe_in_the_place_of_a_level_is_no_volume(tmp_path: Path) -> None:
    store = FilesystemStore(tmp_path, writable=True)
    store.put(layout.volume_cfg("pvc-plain"), b"{}")
    first, _ = layout.shards("pvc-under")
    os.mkfifo(tmp_path / layout.VOLUMES / first)
    found = sweep(store)
    assert [view.name for view in found.volumes] == ["pvc-plain"]
    assert found.complete
