"""A share that fails, errno by errno, call by call: nothing is lost or taken for empty, one clear line.

The faults are the kernel's own answers: a folder is mounted through FUSE by a program that fails by rule.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from backuplock.breaking import Failed, execute, undo, unfinished
from backuplock.clock import SECOND
from backuplock.errors import AcquireFailed, BackupLockError, LeftBehind, StoreError
from backuplock.model import Operation
from backuplock.stores.filesystem import FilesystemStore
from harness.breaking import Scene
from harness.fusefaults import FaultMount, why_not
from harness.locks import system_lock, until

if why_not():
    pytest.skip(why_not(), allow_module_level=True)

FOLDER = "backupstore/volumes/ab/cd/v/locks"
KEY = f"{FOLDER}/lock-1.lck"
OLD, NEW = b'{"old": 1}', b'{"new": "and longer"}'
NAMES = [
    *("EIO", "ESTALE", "EACCES", "EPERM", "EROFS", "ENOSPC", "EDQUOT", "ETIMEDOUT", "EBUSY"),
    *("ENOTCONN", "EMFILE", "ENAMETOOLONG"),
]
ADVISED = {
    "EACCES": "run as the user",
    "EPERM": "run as the user",
    "EROFS": "mount the file system for writing",
    "ENOSPC": "free space",
    "EDQUOT": "raise the quota",
    "ESTALE": "mount the share again",
    "EMFILE": "ulimit -n",
    "ENAMETOOLONG": "shorter name",
}
FAILS: dict[str, tuple[str, ...]] = {
    "list": ("stat", "readdir"),
    "read": ("stat", "open", "read", "close"),
    "write": ("stat", "create", "write", "fsync", "close", "rename"),
    "remove": ("stat", "unlink"),
}
"""The calls that a verb cannot do without."""


@pytest.fixture(scope="module")
def mount(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaultMount]:
    mounted = FaultMount(tmp_path_factory.mktemp("fuse"))
    yield mounted
    mounted.stop()


@pytest.fixture
def store(
    mount: FaultMount, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Iterator[FilesystemStore]:
    """A folder of the mount for each test. Caches of a share have run out soon, for there are none."""
    monkeypatch.setattr("backuplock.stores.tries._SHARE_NS", SECOND // 10)
    place = mount.root / "".join(letter if letter.isalnum() else "-" for letter in request.node.name)
    place.mkdir()
    made = FilesystemStore(place, writable=True)
    yield made
    made.close()


def verbs(store: FilesystemStore) -> dict[str, Callable[[], object]]:
    return {
        "list": lambda: store.list(FOLDER),
        "read": lambda: store.read(KEY),
        "write": lambda: store.put(KEY, NEW),
        "remove": lambda: store.delete(KEY),
    }


def check_line(error: BackupLockError, *parts: str) -> None:
    """One printable line that says all of that."""
    text = str(error)
    assert text.isprintable()
    assert "Traceback" not in text
    for part in parts:
        assert part in text, text


@pytest.mark.parametrize("verb", FAILS)
@pytest.mark.parametrize("name", NAMES)
def test_each_error_of_each_call(mount: FaultMount, store: FilesystemStore, name: str, verb: str) -> None:
    number = getattr(errno, name)
    store.put(KEY, OLD)
    for call in FAILS[verb]:
        with mount.failing(number, call, path=r"/locks(/|$)"), pytest.raises(StoreError) as told:
            verbs(store)[verb]()
        check_line(told.value, store.url, verb, FOLDER, os.strerror(number), ADVISED.get(name, "; "))
        # What it says of the store is true: the lock is as it was, and nothing lies beside it.
        assert [entry.name for entry in store.list(FOLDER).entries] == ["lock-1.lck"], call
        found = store.read(KEY)
        assert found is not None
        assert found.body == OLD
    verbs(store)[verb]()
    found = store.read(KEY)
    assert (found.body if found else None) == {"write": NEW, "remove": None}.get(verb, OLD)


@pytest.mark.parametrize("verb", FAILS)
def test_a_handle_that_was_stale_once_is_not_told(
    mount: FaultMount, store: FilesystemStore, verb: str
) -> None:
    for call in FAILS[verb]:
        store.put(KEY, OLD)
        with mount.failing(errno.ESTALE, call, path=r"/locks(/|$)", times=1):
            verbs(store)[verb]()


@pytest.mark.parametrize("verb", FAILS)
def test_a_call_that_is_interrupted_is_made_again_or_told(
    mount: FaultMount, store: FilesystemStore, verb: str
) -> None:
    """Python makes those again that POSIX lets a signal interrupt; a share may say it of others as well."""
    for call in FAILS[verb]:
        store.put(KEY, OLD)
        with mount.failing(errno.EINTR, call, path=r"/locks(/|$)", times=1):
            try:
                verbs(store)[verb]()
            except StoreError as error:
                assert call not in ("open", "create", "read", "write", "fsync")
                check_line(error, FOLDER, os.strerror(errno.EINTR))
                found = store.read(KEY)
                assert found is not None
                assert found.body == OLD
                verbs(store)[verb]()
        found = store.read(KEY)
        assert (found.body if found else None) == {"write": NEW, "remove": None}.get(verb, OLD)


def test_a_full_disk_leaves_no_lock_without_a_body(mount: FaultMount, store: FilesystemStore) -> None:
    """The write fails, and so does the removal of what was begun: it has no lock's name."""
    with mount.failing(errno.ENOSPC, "write", "unlink", path=r"/locks/"), pytest.raises(StoreError) as told:
        store.put(KEY, NEW)
    check_line(told.value, "No space left on device", "free space")
    left = store.list(FOLDER).entries
    assert [entry.name.endswith(".lck") for entry in left] == [False]
    assert left[0].size == 0
    assert store.read(KEY) is None


def test_a_mount_whose_program_is_gone_is_not_empty(tmp_path: Path) -> None:
    own = FaultMount(tmp_path)
    try:
        store = FilesystemStore(own.root, writable=True)
        store.put(KEY, OLD)
        own.kill()
        for act in verbs(store).values():
            with pytest.raises(StoreError) as told:
                act()
            check_line(told.value, str(own.root), "ransport endpoint is not connected")
        store.close()
    finally:
        own.stop()


@pytest.mark.parametrize("call", ["create", "write", "fsync", "rename", "readdir"])
@pytest.mark.parametrize("name", ["EIO", "ENOSPC", "EROFS"])
def test_a_lock_that_cannot_be_had_is_not_taken(
    mount: FaultMount, store: FilesystemStore, name: str, call: str
) -> None:
    lock = system_lock(store, Operation.BACKUP)
    with (
        mount.failing(getattr(errno, name), call, path=r"/locks(/|$)"),
        pytest.raises(AcquireFailed) as told,
    ):
        lock.acquire()
    check_line(told.value, os.strerror(getattr(errno, name)))
    assert list_locks(store) == []
    with lock.hold(timeout=20):
        lock.check()


def test_renewals_go_on_when_the_share_does(mount: FaultMount, store: FilesystemStore) -> None:
    lock = system_lock(store, Operation.BACKUP)
    with lock.hold(timeout=20):
        before = lock.renewals
        with mount.failing(errno.EIO, "create", "write", path=r"/locks/", times=1):
            until(lambda: lock.renewals > before, "for a renewal")
        lock.check()
    assert list_locks(store) == []


def test_a_lock_that_cannot_be_given_back_is_told_and_ends_by_itself(
    mount: FaultMount, store: FilesystemStore
) -> None:
    lock = system_lock(store, Operation.BACKUP)
    lock.acquire(20)
    with mount.failing(errno.EIO, "unlink", path=r"/locks/"), pytest.raises(LeftBehind) as told:
        lock.release()
    check_line(told.value)
    assert told.value.left_for > 0
    assert len(list_locks(store)) == 1


@pytest.fixture
def scene(store: FilesystemStore, tmp_path: Path) -> Iterator[Scene]:
    """A volume with one lock that is dead for long."""

    def plant(key: str, content: bytes, age_s: float) -> None:
        store.put(key, content)
        then = store.root / key
        old = then.stat().st_mtime_ns - round(age_s * SECOND)
        os.utime(then, ns=(old, old))

    made = Scene(store, tmp_path, plant)
    made.volume()
    yield made
    made.audit.close()


@pytest.mark.parametrize("call", ["rename", "unlink", "create", "write", "fsync"])
@pytest.mark.parametrize("name", ["EIO", "EACCES", "ENOSPC", "EBUSY"])
def test_a_break_that_fails_keeps_the_lock_or_its_copy(
    mount: FaultMount, scene: Scene, name: str, call: str
) -> None:
    lock = scene.lock()
    order = scene.plan(lock).order
    with mount.failing(getattr(errno, name), call):
        try:
            execute(scene.writer(), order, reason="a test", allow_live=True)
        except BackupLockError as error:
            check_line(error)
            failed = isinstance(error, Failed)
        else:
            # Nothing but the tidying up afterwards.
            assert call == "unlink"
            failed = False
    left = scene.store.read(lock.key)
    assert (left is not None and left.body == lock.content) or scene.kept(), "the lock is gone, and its copy"
    open_ones = unfinished(scene.store, scene.audit, scene.clock.wall_ns())
    if failed and left is None:
        assert open_ones, "a lock is gone, and nobody would be told"
    assert scene.audit.verify().problem == ""


@pytest.mark.parametrize("call", ["rename", "create", "write", "fsync"])
def test_an_undo_that_fails_can_be_done_again(mount: FaultMount, scene: Scene, call: str) -> None:
    lock = scene.lock()
    broken = scene.break_(lock, allow_live=True)
    assert scene.store.read(lock.key) is None
    with mount.failing(errno.EIO, call), pytest.raises(BackupLockError) as told:
        undo(scene.writer(), broken.id)
    check_line(told.value)
    assert scene.store.read(lock.key) is None
    undo(scene.writer(), broken.id)
    found = scene.store.read(lock.key)
    assert found is not None
    assert found.body == lock.content


def list_locks(store: FilesystemStore) -> list[str]:
    """All locks and temporary files of the store."""
    return [path.name for path in store.root.rglob("lock-*")]
