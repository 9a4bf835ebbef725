"""Scenes in which a server does not answer: its cable is pulled, and put back."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from backuplock.clock import SystemClock
from backuplock.stores.filesystem import FilesystemStore
from backuplock.stores.patience import waiting
from harness.builders import Lock, Volume, volume_folder
from locktop.session import Session, SnapshotArrived, SweepFailed
from umlguest.machine import LONGHORN, mount, plug_in, smb_options, unplug, until
from umlguest.scene import Scene, Told, error_of, seconds_until

PATIENCE_S = 2.0
MNT_FORCE = 1


def nfs_act() -> list[Scene]:
    """A mount that never gives up, and one that is told to."""
    hard = "vers=4.2,actimeo=1,hard"
    return [
        Scene("nfs_hang", lambda: hang("d", "nfs4", hard, Path("/mnt/export/backups"))),
        Scene("nfs_aborted", aborted),
    ]


def cifs_act() -> list[Scene]:
    """The same on CIFS."""
    return [Scene("cifs_hang", lambda: hang("e", "cifs", smb_options(), Path("/mnt/smb-share")))]


class Ticker:
    """A thread that wants to run every 20 ms, as a screen does; the longest time it could not."""

    def __init__(self) -> None:
        self.longest = 0.0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        last = time.monotonic()
        while not self._over.wait(0.02):
            now = time.monotonic()
            self.longest, last = max(self.longest, now - last), now

    def stop(self) -> float:
        """Its result."""
        self._over.set()
        self._thread.join()
        return self.longest


def timed(told: Told, name: str, attempt: Any) -> None:
    """Note the error of an attempt, and how long it took."""
    began = time.monotonic()
    told[name] = [error_of(attempt), time.monotonic() - began]


def hang(client: str, kind: str, options: str, served: Path) -> Told:
    """Every verb while the server is gone, a console's session beside it; then the server is back."""
    point = mount(client, kind, "/backups", options, "-hang").point
    volume = Volume(f"pvc-hang-{kind}")
    lock = Lock(volume.name, "lock-feed000000000001")
    late = Lock(volume.name, "lock-feed000000000002")
    store = FilesystemStore(point, writable=True, patience_s=PATIENCE_S)
    until(lambda: error_of(lambda: store.put(volume.cfg_key, volume.cfg)).startswith("no error"), "to write")
    store.put(lock.key, lock.content)
    store.put(late.key, late.content)
    folder = f"{volume_folder(volume.name)}/locks"
    store.list(folder)
    events: list[Any] = []
    session = Session(
        lambda: FilesystemStore(point, patience_s=PATIENCE_S), label="x", url=store.url, interval_s=0.5
    )
    session.start(events.append)
    until(lambda: any(isinstance(event, SnapshotArrived) for event in events), "for a first sweep")
    told: Told = {"tries": {}}
    unplug(client)
    ticker = Ticker()
    # Let what is cached run out, so that the listing has to look at each file.
    time.sleep(1.5)
    timed(told["tries"], "list", lambda: store.list(folder))
    timed(told["tries"], "read", lambda: store.read(lock.key))
    timed(told["tries"], "put", lambda: store.put(f"{folder}/lock-feed000000000003.lck", b"late"))
    timed(told["tries"], "delete", lambda: store.delete(late.key))
    timed(told["tries"], "open", lambda: FilesystemStore(point, patience_s=PATIENCE_S))
    oldest = waiting(store.url, SystemClock())
    told["waiting"] = None if oldest is None else [oldest.doing, oldest.for_ns / 1e9]
    until(lambda: any(isinstance(event, SweepFailed) for event in events), "for a sweep to fail")
    told["session"] = next(event.line for event in events if isinstance(event, SweepFailed))
    told["command"] = command(point)
    told["longest tick"] = ticker.stop()
    before = len(events)
    plug_in(client)
    told["back after"] = seconds_until(
        lambda: error_of(lambda: store.read(lock.key)).startswith("no error: Blob"), 60
    )
    session.refresh_now()
    until(lambda: any(isinstance(one, SnapshotArrived) for one in events[before:]), "for a sweep again")
    seconds_until(lambda: waiting(store.url, SystemClock()) is None, 30)
    session.close()
    told["left on the server"] = sorted(path.name for path in (served / folder).iterdir())
    return told


def command(point: Path) -> Told:
    """`locktop ls` of the mount: it says what hangs, and ends."""
    began = time.monotonic()
    ran = subprocess.run(
        [sys.executable, "-m", "locktop", "ls", "--timeout", "3", str(point)],
        env={**os.environ, "LOCKTOP_DEBUG": ""},
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    return {"code": ran.returncode, "said": ran.stderr, "out": ran.stdout, "took": time.monotonic() - began}


def aborted() -> Told:
    """The kernel is told to give up (`umount -f`): what is under way ends, and is told of."""
    point = mount("f", "nfs4", "/backups", LONGHORN, "-aborted").point
    store = FilesystemStore(point, writable=True)
    lock = Lock("pvc-aborted", "lock-feed000000000001")
    store.put(lock.key, lock.content)
    unplug("f")
    # Let what is cached run out.
    time.sleep(1.5)
    told: Told = {}
    readers = [
        threading.Thread(target=lambda: timed(told, "read", lambda: store.read(lock.key))),
        threading.Thread(target=lambda: timed(told, "put", lambda: store.put(lock.key, lock.content))),
    ]
    for reader in readers:
        reader.start()
    time.sleep(1)
    while any(reader.is_alive() for reader in readers):
        # Without looking at it first, as umount(8) would; it stays mounted, for it is in use.
        ctypes.CDLL(None, use_errno=True).umount2(os.fsencode(point), MNT_FORCE)
        time.sleep(0.2)
    plug_in("f")
    return told
