"""The file-system store among other processes: races, missing rights, full disks, unmounted shares."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from backuplock.layout import locks_folder
from backuplock.stores.filesystem import FilesystemStore
from harness.fs_worker import KEY, LOCKS, churn, finish, start

NAMESPACE = ("unshare", "--user", "--map-root-user", "--mount")


def can_mount() -> bool:
    if shutil.which("unshare") is None:
        return False
    command = [*NAMESPACE, "mount", "-t", "tmpfs", "none", tempfile.gettempdir()]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


needs_mounts = pytest.mark.skipif(
    not can_mount(), reason="this system lets nobody mount a tmpfs in a namespace of their own"
)


@pytest.fixture
def reachable() -> Iterator[Path]:
    """A folder that other users can reach; pytest's own are closed to them."""
    folder = Path(tempfile.mkdtemp(prefix="backuplock-test-"))
    folder.chmod(0o755)
    yield folder
    for path in folder.rglob("*"):
        if path.is_dir():
            path.chmod(0o700)
    shutil.rmtree(folder)


def everything(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_climbing_beside_others_loses_nothing_and_fails_nobody(tmp_path: Path) -> None:
    """Each delete takes the empty folders away that another's put has just made or is about to use."""
    workers = [start("churn", tmp_path, f"lock-{number}", 300) for number in range(2)]
    failures: list[BaseException] = []

    def in_a_thread(name: str) -> None:
        try:
            churn(str(tmp_path), name, "150")
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=in_a_thread, args=(f"lock-{name}",)) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [finish(worker) for worker in workers] == ["done", "done"]
    assert failures == []
    # It goes with the last file of whoever made it, unless others have something there then.
    assert everything(tmp_path) in ([], ["backupstore"])


def test_a_read_during_rewrites_is_one_version(tmp_path: Path) -> None:
    store = FilesystemStore(tmp_path, writable=True)
    store.put(KEY, b"0:")
    writer = start("rewrite", tmp_path)
    bodies: dict[str, bytes] = {}
    newest = time = 0
    try:
        while len(bodies) < 300:
            assert writer.poll() is None, "the writer ended early"
            (entry,) = [entry for entry in store.list(LOCKS).entries if entry.name.endswith(".lck")]
            assert entry.regular
            blob = store.read(KEY)
            assert blob is not None
            assert bodies.setdefault(blob.etag, blob.body) == blob.body
            number, _, filling = blob.body.partition(b":")
            assert filling == b"x" * (int(number) * 37 % 5000)
            assert (newest, time) <= (int(number), blob.modified_ns)
            newest, time = int(number), blob.modified_ns
    finally:
        written = finish(writer)
    assert isinstance(written, int)
    assert written >= 299


def test_without_rights_each_verb_is_denied(reachable: Path) -> None:
    for volume in ("closed", "open"):
        folder = reachable / locks_folder(volume)
        folder.mkdir(parents=True)
        (folder / "a1.lck").write_bytes(b"x")
        (folder / "a1.lck").chmod(0)
    (reachable / "shut").mkdir()
    (reachable / "shut").chmod(0)
    before = everything(reachable)
    if os.geteuid() != 0:
        # Without a second user, what is closed must be closed to its owner.
        for path in sorted(reachable.rglob("*"), reverse=True):
            if path.is_dir() and path.name != "shut":
                path.chmod(0o555)
    (reachable / locks_folder("closed")).chmod(0)
    told = finish(start("rights", reachable))
    assert isinstance(told, dict)
    allowed = told.pop("list open folder")
    assert "a1.lck" in allowed
    assert len(told) == 9
    for what, line in told.items():
        assert line.startswith("Denied: "), what
        assert "Permission denied" in line
        assert "run as the user who owns the store" in line
    (reachable / locks_folder("closed")).chmod(0o700)
    (reachable / "shut").chmod(0o700)
    assert everything(reachable) == before


def test_a_file_cut_short_by_a_limit_leaves_nothing(tmp_path: Path) -> None:
    told = finish(start("limited", tmp_path))
    assert str(told).startswith("Unreachable: ")
    assert "File too large" in str(told)
    assert everything(tmp_path) == []


@needs_mounts
def test_a_full_disk(tmp_path: Path) -> None:
    result = finish(start("full", tmp_path, prefix=NAMESPACE))
    assert isinstance(result, dict)
    told = result["told"]
    for what in ("no space", "no space, new volume", "no inodes"):
        assert told[what].startswith("Unreachable: "), told[what]
        assert "No space left on device; free space or inodes" in told[what]
    for what in ("read only, put", "read only, delete"):
        assert told[what].startswith("Denied: "), told[what]
        assert "for writing" in told[what]
    assert result["body"] == "before"
    assert result["files"] == [KEY]


@needs_mounts
def test_a_share_that_is_unmounted_is_missing_and_not_empty(tmp_path: Path) -> None:
    told = finish(start("unmounted", tmp_path, prefix=NAMESPACE))
    assert isinstance(told, dict)
    for what in ("before", "list", "read", "put", "delete"):
        assert told[what].startswith("Missing: nfs://nas:/b is not mounted; as root: "), told[what]
    assert told["left below the mount"] == []
    assert (told["mounted"], told["mounted again"], told["and used"]) == (1, 0, 1)
