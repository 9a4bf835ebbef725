"""A store in memory, with the habits of an ideal object store; for tests, simulations and replay."""

from __future__ import annotations

import hashlib
import threading
from bisect import bisect_left, bisect_right
from dataclasses import dataclass, replace

from backuplock.clock import Clock, Observation, SystemClock
from backuplock.errors import Conflict, ReadOnly, TooLarge
from backuplock.stores.base import BODY_CAP, Blob, Capabilities, Entry, Keys, Listing, Ranged, Version

_AFTER_SLASH = chr(ord("/") + 1)


@dataclass(frozen=True, slots=True)
class _Object:
    body: bytes
    modified_ns: int
    etag: str


class MemoryStore:
    """Objects in a dictionary, linearizable, times from the given clock cut to `grain_ns`.

    Args:
        clock: the store's own clock.
        grain_ns: grain of modification times; 1 keeps nanoseconds.
        writable: false refuses `put` and `delete`.
        url: what `url` says.
        ranged: offers its keys in order, as object stores do.
    """

    def __init__(
        self,
        clock: Clock | None = None,
        *,
        grain_ns: int = 1,
        writable: bool = True,
        url: str = "memory:",
        ranged: bool = False,
    ) -> None:
        self._clock = clock or SystemClock()
        self._objects: dict[str, _Object] = {}
        self._keys: list[str] = []  # sorted, so that a listing costs what it shows and not what there is
        self._lock = threading.Lock()
        self.url = url
        self.capabilities = Capabilities(
            kind="memory",
            atomic_read=True,
            conditional_put="yes",
            conditional_delete="yes",
            listing_lags="no",
            grain_ns=grain_ns,
            writable=writable,
            ranged="yes" if ranged else "no",
        )

    def list(self, folder: str) -> Listing:
        prefix = f"{folder}/" if folder else ""
        entries: list[Entry] = []
        folders: list[str] = []
        with self._lock:
            at = bisect_left(self._keys, prefix)
            while at < len(self._keys) and (key := self._keys[at]).startswith(prefix):
                head, slash, _ = key[len(prefix) :].partition("/")
                if slash:
                    if head:
                        folders.append(head)
                    at = bisect_left(self._keys, f"{prefix}{head}{_AFTER_SLASH}", at)
                    continue
                # A Ctrl-C between two statements of a write may leave a key without an object.
                if head and (found := self._objects.get(key)) is not None:
                    entries.append(Entry(head, len(found.body), found.modified_ns, found.etag))
                at += 1
        return Listing(tuple(entries), tuple(sorted(folders)), self._observed())

    @property
    def ranged(self) -> Ranged:
        """Its keys are kept sorted."""
        return self

    def keys(self, prefix: str, after: str, limit: int) -> Keys:
        entries: list[Entry] = []
        with self._lock:
            at = bisect_right(self._keys, after) if after >= prefix else bisect_left(self._keys, prefix)
            while at < len(self._keys) and (key := self._keys[at]).startswith(prefix):
                if len(entries) >= limit:
                    return Keys(tuple(entries), True, self._observed())
                if (found := self._objects.get(key)) is not None:
                    entries.append(Entry(key, len(found.body), found.modified_ns, found.etag))
                at += 1
        return Keys(tuple(entries), False, self._observed())

    def distrust(self) -> None:
        self.capabilities = replace(self.capabilities, ranged="no")

    def read(self, key: str, *, cap: int = BODY_CAP) -> Blob | None:
        with self._lock:
            found = self._objects.get(key)
        if found is None:
            return None
        if len(found.body) > cap:
            raise TooLarge(f"{key} has {len(found.body)} bytes, more than the {cap} that are read")
        return Blob(found.body, found.modified_ns, found.etag, self._observed())

    def put(self, key: str, body: bytes, *, if_match: str | None = None, if_absent: bool = False) -> Version:
        self._check_writable(key)
        with self._lock:
            found = self._objects.get(key)
            if if_absent and found is not None:
                raise Conflict(f"{key} exists already")
            if if_match is not None and (found is None or found.etag != if_match):
                raise Conflict(f"{key} is not the version that was expected")
            # As on S3, equal bytes have equal etags: a blind refresh does not show in the etag.
            etag = hashlib.md5(body, usedforsecurity=False).hexdigest()
            now = self._clock.wall_ns()
            stored = _Object(bytes(body), now - now % self.capabilities.grain_ns, etag)
            self._keep(key, stored)
        return Version(stored.modified_ns, etag, self._observed())

    def delete(self, key: str, *, if_match: str | None = None) -> None:
        self._check_writable(key)
        with self._lock:
            found = self._objects.get(key)
            if if_match is not None and found is not None and found.etag != if_match:
                raise Conflict(f"{key} is not the version that was expected")
            self._objects.pop(key, None)
            at = bisect_left(self._keys, key)
            if at < len(self._keys) and self._keys[at] == key:
                del self._keys[at]

    def plant(self, key: str, body: bytes, modified_ns: int) -> None:
        """Put an object there as if it had been written at `modified_ns`, for replay and simulation."""
        etag = hashlib.md5(body, usedforsecurity=False).hexdigest()
        with self._lock:
            self._keep(key, _Object(bytes(body), modified_ns, etag))

    def _keep(self, key: str, made: _Object) -> None:
        at = bisect_left(self._keys, key)
        if at == len(self._keys) or self._keys[at] != key:
            self._keys.insert(at, key)
        self._objects[key] = made

    def close(self) -> None:
        """Nothing is held."""

    def _observed(self) -> Observation:
        mono = self._clock.mono_ns()
        return Observation(mono, mono, self._clock.wall_ns(), 1)

    def _check_writable(self, key: str) -> None:
        if not self.capabilities.writable:
            raise ReadOnly(f"{self.url} was opened for reading only, {key} is left as it is")
