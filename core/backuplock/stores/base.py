"""The Store protocol: four verbs, and what a store can do as data.

There is no `stat`, no `exists` and no clock: each invites a torn read (a body and a time from two
requests). Whatever time a store tells comes back with the replies, as an `Observation`.

Keys are relative to the target's root, parts joined by `/`, without a leading slash; folders are keys
without a trailing slash. A store never touches a key outside its root.

What only some stores can do is apart, and asked for: `aside_of`, `ranged_of`, `rolling_of`,
`branched_of`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol, cast

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
        ranged: it lists keys from a point on (`Ranged`), in order; "no" as well once it was seen not to.
        keeps_versions: what is removed or written over stays as an older version, behind a delete marker.
    """

    kind: str
    atomic_read: bool
    conditional_put: Known
    conditional_delete: Known
    listing_lags: Known
    grain_ns: int
    writable: bool
    ranged: Known = "no"
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
class Keys:
    """One page of keys in their order, whatever folders they lie in; the names of `entries` are whole keys.

    `more`: the store has further ones of the prefix.
    """

    entries: tuple[Entry, ...]
    more: bool
    observed: Observation | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """One volume: what lies directly in its folder, as far as it was met, and all of its `locks/`.

    `inside` is whole in what is asked of it: whether it has `locks`, `volume.cfg`, and anything else at all.
    """

    name: str
    folder: str
    inside: Listing
    locks: Listing


@dataclass(frozen=True, slots=True)
class Branch:
    """All volumes below one first level; `requests` is how many folders were listed for it.

    `idle`: name and folder of those that have no `locks`; of what else they have nothing is known.
    """

    volumes: tuple[Found, ...]
    idle: tuple[tuple[str, str], ...]
    requests: int
    observed: Observation | None = None


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


class Ranged(Protocol):
    """What a store can do whose keys are one sorted list: give a piece of it, one request a piece."""

    def keys(self, prefix: str, after: str, limit: int) -> Keys:
        """The first keys that begin with `prefix` and come behind `after`, in the order of their UTF-8 bytes.

        Args:
            prefix: the beginning of keys; it need not end with a folder.
            after: any text; empty: from the first key on.
            limit: how many are wanted; a store may give fewer, and `more` then says so.

        Raises: as the verbs of `Store`. Whether the answer obeys `after` and the order is not checked here.
        """
        ...

    def distrust(self) -> None:
        """An answer had not obeyed: say "no" in the capabilities from now on, for as long as it is open."""
        ...


class Rolling(Protocol):
    """A `Ranged` store that leaves out what lies in `blocks/` folders and says only that it is there.

    S3 cuts keys at any text that it is told as the delimiter, and then answers for a thousand *such* keys a
    page, however many there are behind them; most others know a single slash only, or walk through all.
    Source: Amazon S3 API Reference, ListObjectsV2; Amazon S3 User Guide, "Listing object keys
    programmatically": the performance of a listing does not depend on the delimiter.
    """

    def rolled(self, prefix: str, after: str, limit: int) -> Keys | None:
        """As `Ranged.keys`; of all keys that go on with the same text and `/blocks/` behind `prefix` there is
        one entry, named by what they have in common. None: the store answered otherwise, or is known to."""
        ...

    def unroll(self) -> None:
        """It costs more than it saves: `rolled` is to answer None for as long as the store is open."""
        ...


BLOCKS = "/blocks/"
"""What a `Rolling` store cuts keys behind."""


def rolling_of(store: object) -> Rolling | None:
    """What `store` offers of that."""
    return cast(Rolling, store) if hasattr(store, "rolled") else None


def ranged_of(store: Store) -> Ranged | None:
    """What `store` offers of that, unless it is known not to do it."""
    if store.capabilities.ranged == "no":
        return None
    found: Ranged | None = getattr(store, "ranged", None)
    return found


class Branched(Protocol):
    """What a store can do whose folders are cheap to look into: read a first level with all its volumes."""

    @property
    def chains(self) -> int:
        """How many branches are worth reading side by side."""
        ...

    def branch(self, first: str) -> Branch | None:
        """The branch `first`, two hex digits; None: it is to be read folder by folder, which tells why."""
        ...


def branched_of(store: Store) -> Branched | None:
    """What `store` offers of that."""
    found: Branched | None = getattr(store, "branched", None)
    return found
