"""Breaks in processes of their own: `python -m harness.break_worker TASK ...`.

`kill` ends by SIGKILL after a step; the others print one line of JSON, or fail with a traceback.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from backuplock.breaking import Audit, Step, Writer, execute, make_plan, unfinished
from backuplock.clock import SystemClock
from backuplock.errors import BackupLockError
from backuplock.stores import open_store
from backuplock.stores.base import Store
from backuplock.stores.filesystem import FilesystemStore
from backuplock.survey import sweep
from backuplock.target import parse_target
from harness.builders import NS, Lock, write_locks
from harness.fs_worker import NOBODY

LOCK = Lock("pvc-1", "lock-feed000000000001", age_s=500)


def kill(url: str, audit: str, key: str, step: str) -> object:
    """Break the lock, and die after the step."""
    store = open_store(parse_target(url), writable=True)
    plan = make_plan(store, sweep(store), key)

    def told(now: Step) -> None:
        if now is Step(step):
            os.kill(os.getpid(), signal.SIGKILL)

    execute(Writer(store, Audit.open(Path(audit)), told=told), plan.order, allow_live=True)
    return "not killed"


def full(store_folder: str, state_folder: str) -> object:
    """A store on a full disk, then an audit trail on one; the folders become mounts of our own."""
    for folder in (store_folder, state_folder):
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=96k", "none", folder], check=True)
    store = FilesystemStore(store_folder, writable=True)
    write_locks(Path(store_folder), [LOCK], SystemClock().wall_ns())
    audit = Audit.open(Path(state_folder, "audit.db"))
    told: dict[str, object] = {}
    for what, folder in (("store", store_folder), ("trail", state_folder)):
        ballast = Path(folder, "ballast")
        _fill(ballast)
        told[what] = _told(store, audit)
        told[f"{what}: lock"] = _content(store)
        told[f"{what}: files"] = [path.name for path in Path(store_folder).rglob("*.json")]
        ballast.unlink()
        told[f"{what}: open"] = len(unfinished(store, audit, SystemClock().wall_ns()))
    told["with room"] = _told(store, audit)
    return told


def rights(store_folder: str, audit: str) -> object:
    """As somebody who may read the locks and may not remove them; the trail is theirs."""
    write_locks(Path(store_folder), [LOCK], SystemClock().wall_ns())
    root = Path(store_folder)
    for path in (root, *root.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    if os.geteuid() == 0:
        os.chown(root / "backupstore", NOBODY, NOBODY)
        os.chown(Path(audit).parent, NOBODY, NOBODY)
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
    else:
        (root / LOCK.key).parent.chmod(0o555)
    store = FilesystemStore(store_folder, writable=True)
    trail = Audit.open(Path(audit))
    return {
        "told": _told(store, trail),
        "lock": _content(store),
        "quarantine": [path.name for path in root.rglob("*.json")],
        "outcomes": [one.get("outcome") for one in trail.entries() if one.get("phase") == "after"],
    }


def _told(store: Store, audit: Audit) -> str:
    try:
        execute(Writer(store, audit), make_plan(store, sweep(store), LOCK.key).order)
    except BackupLockError as error:
        return f"{type(error).__name__}: {error}"
    return "broken"


def _content(store: Store) -> object:
    blob = store.read(LOCK.key)
    return (
        None
        if blob is None
        else [blob.body.decode(), (SystemClock().wall_ns() - blob.modified_ns) // NS > 400]
    )


def _fill(path: Path) -> None:
    with path.open("wb", buffering=0) as file:
        try:
            while file.write(b"x" * 1024):
                pass
        except OSError:
            return


if __name__ == "__main__":
    tasks: tuple[Callable[..., object], ...] = (kill, full, rights)
    print(json.dumps({task.__name__: task for task in tasks}[sys.argv[1]](*sys.argv[2:])))
