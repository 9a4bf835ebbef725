"""The Store protocol: four verbs, and what a store can do as data.

There is no `stat`, no `exists` and no clock: each invites a torn read (a body and a time from two
requests). Whatever time a store tells comes back with the replies, as an `Observation`.

Keys are relative to the target's root, parts joined by `/`, without a leading slash; folders are keys
without a trailing slash. A store never touches a key outside its root.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

from backuplock.clock import Observation

BODY_CAP = 64 * 1024
"""Bytes that are read of any one object at most. Longhorn's lock bodies have 61."""

Known = Literal["yes", "no", "unproven"]
"""What is known of a capability: `unproven` until a probe has shown it on this very store."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a store gives; guarantees are derived from it.

    Attributes:
        kind: "filesystem", "s3", "memory", ...
        atomic_read: body and time of a read belong to one version.
        conditional_put: `put(if_match=)` and `put(if_absent=True)` are honoured atomically.
        conditional_delete: `delete(if_match=)` is honoured atomically.
        listing_lags: a listing may miss recent changes (NFS and CIFS caches, some object stores).
        grain_ns: grain of modification times, nanoseconds.
        writable: the store was opened for writing.
        keeps_versions: what is removed or written over stays as an older version, behind a delete marker.
    """

    kind: str
    atomic_read: bool
    conditional_put: Known
    conditional_delete: Known
    listing_lags: Known
    grain_ns: int
    writable: bool
    keeps_versions: Known = "no"


@dataclass(frozen=True, slots=True)
class Entry:
    """One object or folder of a listing. Time and etag are good for noticing change, never for order.

    `regular` is false for what is there but must not be read: a symbolic link, a folder whose name ends
    like a lock's, a device.
    """

    name: str
    size: int = 0
    modified_ns: int | None = None
    etag: str = ""
    regular: bool = True


@dataclass(frozen=True, slots=True)
class Listing:
    """One level of a folder: plain entries, and the names of the folders in it, both sorted by name.

    `requests` is how many requests it took (pages on an object store).
    """

    entries: tuple[Entry, ...]
    folders: tuple[str, ...]
    observed: Observation | None = None
    requests: int = 1


@dataclass(frozen=True, slots=True)
class Version:
    """What a successful put made: its time and etag as the store stamped them.

    `modified_ns` has the grain that reads give. It is None where the store's reply does not tell the time
    of the object (S3's does not); `observed` then still bounds it.
    """

    modified_ns: int | None
    etag: str
    observed: Observation | None = None


@dataclass(frozen=True, slots=True)
class Blob:
    """One version of one object: body, time and etag of the same response or open descriptor."""

    body: bytes
    modified_ns: int
    etag: str
    observed: Observation | None = None


class Store(Protocol):
    """A backup store. Safe to call from several threads at once.

    Every verb raises `Unreachable`, `Denied` or `Missing` (the bucket or root itself is gone) and never
    turns a failure into "nothing there".
    """

    @property
    def url(self) -> str:
        """The target as people write it, without secrets."""
        ...

    @property
    def capabilities(self) -> Capabilities:
        """What this store can do."""
        ...

    def list(self, folder: str) -> Listing:
        """One level of `folder`; empty if there is no such folder, for object stores know no folders."""
        ...

    def read(self, key: str, *, cap: int = BODY_CAP) -> Blob | None:
        """One version of an object, or None if it is not there.

        Raises:
            TooLarge: it has more than `cap` bytes.
            Irregular: it is not a plain file.
        """
        ...

    def put(self, key: str, body: bytes, *, if_match: str | None = None, if_absent: bool = False) -> Version:
        """Write the whole object.

        Raises:
            Conflict: `if_match` or `if_absent` did not hold.
            Unsupported: a condition was given and this store cannot check it.
            ReadOnly: the store was opened for reading only.
        """
        ...

    def delete(self, key: str, *, if_match: str | None = None) -> None:
        """Remove exactly this object; that it is not there is success.

        Raises: as `put`.
        """
        ...

    def close(self) -> None:
        """Give back connections; the store is not used afterwards."""
        ...


class Aside(Protocol):
    """What a store can do that renames: take a file out of its place whole, and put it back over nothing.

    Errors are those of the verbs; `ReadOnly` where the store was opened for reading only.
    """

    def put_aside(self, key: str, to: str) -> bool:
        """Rename, atomically, whatever stands at `key`; false if nothing does. Nothing is at `to` yet.

        Raises:
            Conflict: something is there.
        """
        ...

    def put_back(self, aside: str, key: str) -> bool:
        """Rename it to `key` with the time it has; false, and nothing done, if something stands there."""
        ...

    def create(self, key: str, body: bytes) -> Version:
        """Write a new file with a fresh time.

        Raises:
            Conflict: something stands there.
        """
        ...

    def tidy(self, key: str) -> None:
        """Remove the empty folders above `key`, as `Store.delete` does; nothing else."""
        ...


def aside_of(store: Store) -> Aside | None:
    """What `store` offers of that; None for an object store, which has nothing like it."""
    found: Aside | None = getattr(store, "aside", None)
    return found
