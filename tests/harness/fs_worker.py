"""What the file-system tests do in processes of their own: `python -m harness.fs_worker TASK FOLDER ...`.

A task prints one line of JSON, or fails with a traceback.
"""

from __future__ import annotations

import dataclasses
import json
import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from backuplock.errors import BackupLockError
from backuplock.layout import lock_key, locks_folder
from backuplock.stores.filesystem import FilesystemStore
from backuplock.stores.mounts import Mount, read_mounts
from backuplock.target import parse_target

KEY = lock_key("v1", "lock-0123456789abcdef")
LOCKS = locks_folder("v1")
NOBODY = 65534


def start(task: str, *arguments: object, prefix: tuple[str, ...] = ()) -> subprocess.Popen[str]:
    """A worker process; it imports what this one imports."""
    command = [*prefix, sys.executable, "-m", "harness.fs_worker", task, *map(str, arguments)]
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    pipe = subprocess.PIPE
    return subprocess.Popen(command, env=environ, stdin=pipe, stdout=pipe, stderr=pipe, text=True)


def finish(worker: subprocess.Popen[str]) -> object:
    """Wait for a worker; what it printed."""
    out, err = worker.communicate(timeout=100)
    assert worker.returncode == 0, err
    return json.loads(out)


def churn(root: str, name: str, rounds: str) -> object:
    """Take and leave a lock again and again, beside others who do the same."""
    store = FilesystemStore(root, writable=True)
    key = lock_key("v1", name)
    for number in range(int(rounds)):
        body = b"%d" % number
        version = store.put(key, body)
        blob = store.read(key)
        assert blob is not None, f"round {number}: lost"
        assert (blob.body, blob.etag) == (body, version.etag), f"round {number}"
        assert f"{name}.lck" in [entry.name for entry in store.list(LOCKS).entries], (
            f"round {number}: unlisted"
        )
        store.delete(key)
        assert store.read(key) is None, f"round {number}: still there"
    return "done"


def rewrite(root: str) -> object:
    """Replace one file until standard input ends; bodies of different lengths that name their number."""
    store = FilesystemStore(root, writable=True)
    os.set_blocking(0, False)
    number = 0
    while sys.stdin.buffer.read(1) is None:
        store.put(KEY, b"%d:" % number + b"x" * (number * 37 % 5000))
        number += 1
    return number


def rights(root: str) -> object:
    """Try everything as somebody without rights."""
    store = FilesystemStore(root, writable=True)
    if os.geteuid() == 0:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
    closed, bare = locks_folder("closed"), locks_folder("open")
    return {
        "list closed folder": _told(lambda: store.list(closed)),
        "read in closed folder": _told(lambda: store.read(f"{closed}/a1.lck")),
        "read absent in closed folder": _told(lambda: store.read(f"{closed}/absent.lck")),
        "put in closed folder": _told(lambda: store.put(f"{closed}/b1.lck", b"x")),
        "list open folder": _told(lambda: store.list(bare)),
        "read closed file": _told(lambda: store.read(f"{bare}/a1.lck")),
        "put in open folder": _told(lambda: store.put(f"{bare}/b1.lck", b"x")),
        "delete in open folder": _told(lambda: store.delete(f"{bare}/a1.lck")),
        "put in a new folder": _told(lambda: store.put(lock_key("new", "lock-1"), b"x")),
        "list closed root": _told(lambda: FilesystemStore(f"{root}/shut").list("")),
    }


def limited(root: str) -> object:
    """Write beyond a limit on file sizes: a part is written, then no more."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10))
    store = FilesystemStore(root, writable=True)
    return _told(lambda: store.put(KEY, b"x" * 100))


def full(folder: str) -> object:
    """A full disk, then one without inodes, then one for reading only; the folder is a mount of our own."""
    _mount(folder, "size=64k,nr_inodes=40")
    store = FilesystemStore(folder, writable=True)
    store.put(KEY, b"before")
    ballast = Path(folder, "ballast")
    _fill(ballast)
    told = {"no space": _told(lambda: store.put(KEY, b"y" * 20_000))}
    told["no space, new volume"] = _told(lambda: store.put(lock_key("v2", "lock-2"), b"y" * 20_000))
    ballast.unlink()
    for number in range(100):
        try:
            Path(folder, f"inode-{number}").touch()
        except OSError:
            break
    told["no inodes"] = _told(lambda: store.put(KEY, b"z"))
    _run("mount", "-o", "remount,ro", folder)
    told["read only, put"] = _told(lambda: store.put(KEY, b"z"))
    told["read only, delete"] = _told(lambda: store.delete(KEY))
    blob = store.read(KEY)
    assert blob is not None
    files = sorted(str(path.relative_to(folder)) for path in Path(folder, "backupstore").rglob("*.*"))
    return {"told": told, "body": blob.body.decode(), "files": files}


def unmounted(folder: str) -> object:
    """A share that goes away under an open store, and comes back; tmpfs stands for NFS."""

    def mounts() -> tuple[Mount, ...]:
        return tuple(
            dataclasses.replace(mount, fs_type="nfs4", source="nas:/b") if mount.point == folder else mount
            for mount in read_mounts()
        )

    target = parse_target("nfs://nas:/b")
    told = {"before": _told(lambda: FilesystemStore(target, mounts=mounts))}
    _mount(folder, "size=64k")
    store = FilesystemStore(target, writable=True, mounts=mounts)
    store.put(KEY, b"x")
    told["mounted"] = len(store.list(LOCKS).entries)
    _run("umount", folder)
    told["list"] = _told(lambda: store.list(LOCKS))
    told["read"] = _told(lambda: store.read(KEY))
    told["put"] = _told(lambda: store.put(KEY, b"x"))
    told["delete"] = _told(lambda: store.delete(KEY))
    told["left below the mount"] = [path.name for path in Path(folder).iterdir()]
    _mount(folder, "size=64k")
    told["mounted again"] = len(store.list("").folders)
    store.put(KEY, b"x")
    told["and used"] = len(store.list(LOCKS).entries)
    return told


def _told(attempt: Callable[[], object]) -> object:
    try:
        result = attempt()
    except BackupLockError as error:
        return f"{type(error).__name__}: {error}"
    return f"no error: {result!r}"


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)


def _mount(folder: str, options: str) -> None:
    _run("mount", "-t", "tmpfs", "-o", options, "none", folder)


def _fill(path: Path) -> None:
    with path.open("wb", buffering=0) as file:
        try:
            while file.write(b"x" * 1024):
                pass
        except OSError:
            return


if __name__ == "__main__":
    tasks = (churn, rewrite, rights, limited, full, unmounted)
    print(json.dumps({task.__name__: task for task in tasks}[sys.argv[1]](*sys.argv[2:])))
