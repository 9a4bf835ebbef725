"""A stand-in for Longhorn's own client, in threads, written from the description of its protocol.

Write own file, read back its time, wait, list; of each file ask whether it exists, read the body, read the
time: three requests, so that a rewrite may come in between. Refused iff somebody of another type sorts before
and is not expired by the local clock. Errors count as absence. A granted lock is rewritten blindly.
"""

from __future__ import annotations

import threading
import time

from backuplock import layout
from backuplock.clock import SECOND
from backuplock.errors import Malformed, StoreError
from backuplock.rules import LONGHORN, Contender, Timing, can_acquire
from backuplock.stores.base import Store
from backuplock.wire import decode
from harness.builders import body, volume_folder


class LonghornPeer:
    """One lock of the original."""

    def __init__(self, store: Store, volume: str, type_: int, timing: Timing = LONGHORN) -> None:
        self._store = store
        self._type = type_
        self._timing = timing
        self._name = layout.new_lock_name()
        self._folder = f"{volume_folder(volume)}/locks"
        self._ending = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def key(self) -> str:
        return f"{self._folder}/{self._name}.lck"

    def lock(self) -> bool:
        """One attempt; it raises only if its own file cannot be written."""
        self._write(acquired=False)
        mine = Contender(self._name, self._type, False, self._time(self.key))
        time.sleep(self._timing.settle_ns / SECOND)
        if not can_acquire(mine, self._others(), time.time_ns(), self._timing):
            self._delete()
            return False
        self._write(acquired=True)
        self._thread = threading.Thread(target=self._refresh, daemon=True)
        self._thread.start()
        return True

    def refresh_now(self) -> None:
        """Write it once more, blindly, as its thread does: a holder that wakes."""
        self._write(acquired=True)

    def die(self) -> None:
        """Stop refreshing; the file stays."""
        self._ending.set()
        if self._thread is not None:
            self._thread.join()

    def unlock(self) -> None:
        """Stop refreshing, then delete."""
        self.die()
        self._delete()

    def _others(self) -> list[Contender]:
        try:
            entries = self._store.list(self._folder).entries
        except StoreError:
            return []
        found = (self._other(f"{self._folder}/{entry.name}") for entry in entries if _is_lock(entry.name))
        return [other for other in found if other is not None and other.name != self._name]

    def _other(self, key: str) -> Contender | None:
        try:
            if self._store.read(key) is None:
                return None
            blob = self._store.read(key)
            record = None if blob is None else decode(blob.body)
        except (StoreError, Malformed):
            return None
        if record is None:
            return None
        return Contender(record.name, record.type, record.acquired, self._time(key))

    def _time(self, key: str) -> int:
        try:
            blob = self._store.read(key)
        except StoreError:
            return 0
        return 0 if blob is None else blob.modified_ns

    def _write(self, *, acquired: bool) -> None:
        self._store.put(self.key, body(self._name, self._type, acquired))

    def _refresh(self) -> None:
        while not self._ending.wait(self._timing.refresh_ns / SECOND):
            try:
                self._write(acquired=True)
            except StoreError:
                pass  # it only logs

    def _delete(self) -> None:
        try:
            self._store.delete(self.key)
        except StoreError:
            pass  # it only logs


def _is_lock(name: str) -> bool:
    return layout.is_lock_file(name)
