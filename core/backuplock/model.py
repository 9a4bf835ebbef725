"""The nouns: frozen, slotted records without behaviour beyond themselves.

Instants are `int` nanoseconds of the Unix epoch, UTC, on the store's clock unless the name says
otherwise (`backuplock.clock`). Text that came from a store is kept as it came; `backuplock.text` makes it
printable where it is shown.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from backuplock.clock import StoreClock

if TYPE_CHECKING:
    from backuplock.stores.base import Capabilities


class LockType(enum.IntEnum):
    """The types Longhorn writes. Any other integer can stand on the wire; see `LockRecord.type`."""

    UNTYPED = 0
    BACKUP_RESTORE = 1
    DELETION = 2


class Operation(enum.StrEnum):
    """What a person or program wants to do to a volume's backups."""

    BACKUP = "backup"
    RESTORE = "restore"
    DELETE = "delete"

    @property
    def lock_type(self) -> LockType:
        """The lock the operation takes (Longhorn: backup and restore share one type)."""
        return LockType.DELETION if self is Operation.DELETE else LockType.BACKUP_RESTORE


@dataclass(frozen=True, slots=True)
class Owner:
    """Who says to hold a lock: fields that our own locks carry beside Longhorn's three.

    All optional and all hearsay: whoever can write the store can write anything here.
    """

    host: str = ""
    pid: int = 0
    user: str = ""
    operation: str = ""
    note: str = ""
    acquired_at: str = ""
    renewals: int = 0
    tool: str = ""


@dataclass(frozen=True, slots=True)
class LockRecord:
    """What the body of a lock file says.

    `type` is 1 (backup or restore), 2 (deletion), 0 (untyped), or any other int64 somebody wrote.
    `owner` is None for locks that Longhorn wrote: its bodies name nobody.
    """

    name: str
    type: int
    acquired: bool
    owner: Owner | None = None


class Flaw(enum.StrEnum):
    """Why a lock file gives no record."""

    UNDECODABLE = "undecodable"
    """The body is not a lock record. Longhorn skips the file: it blocks nobody there."""
    TOO_LARGE = "too large"
    """The body exceeds the reading cap."""
    IRREGULAR = "not a plain file"
    """A folder or a symbolic link stands where a lock file should."""
    UNREADABLE = "unreadable"
    """The store refused or failed to give the body; what it says is unknown."""


UNREAD = frozenset({Flaw.TOO_LARGE, Flaw.IRREGULAR, Flaw.UNREADABLE})
"""Flaws of files whose whole body we did not see; Longhorn, which follows links and reads any size, may."""


@dataclass(frozen=True, slots=True)
class LockFile:
    """One `*.lck` in a volume's `locks/` folder, as one read of it found it.

    `key` is the object's key below the target's root and its identity. `modified_ns`, `etag`, `size` and
    `record` are of one version (one response, one open descriptor). Where there is no record, `flaw` and
    `reason` say why; `modified_ns` is then the best the store gave, None if it gave nothing.
    `listed_etag` and `listed_ns` are what the listing said when this version was read: if a later listing
    says the same, the file need not be read again.
    """

    key: str
    volume: str
    modified_ns: int | None
    etag: str
    size: int
    record: LockRecord | None
    flaw: Flaw | None = None
    reason: str = ""
    raw: bytes = b""
    listed_etag: str = ""
    listed_ns: int | None = None

    @property
    def file_name(self) -> str:
        """The last part of the key."""
        return self.key.rpartition("/")[2]

    @property
    def stem(self) -> str:
        """The file's name without `.lck`: the name people type and logs show."""
        return self.file_name.removesuffix(".lck")


@dataclass(frozen=True, slots=True)
class VolumeNames:
    """Names people know for a volume, from the labels in its `volume.cfg`; empty where unknown."""

    namespace: str = ""
    claim: str = ""
    workload: str = ""
    backing_image: str = ""

    @property
    def claim_path(self) -> str:
        """`namespace/claim`, or whichever of the two is known, or nothing."""
        return "/".join(part for part in (self.namespace, self.claim) if part)


@dataclass(frozen=True, slots=True)
class Leftover:
    """A file in `locks/` that is no lock to anybody: what a failed rename or a stray hand left there."""

    key: str
    size: int
    modified_ns: int | None


@dataclass(frozen=True, slots=True)
class VolumeView:
    """One backup volume as a sweep found it.

    `ghost`: the folder holds nothing but `locks/` (Longhorn: "cannot find .../volume.cfg"). `problem` is
    not empty if the volume, or a part of it, could not be read: such a volume is never shown as free.
    """

    name: str
    locks: tuple[LockFile, ...] = ()
    leftovers: tuple[Leftover, ...] = ()
    names: VolumeNames | None = None
    ghost: bool = False
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One sweep of a store, whole and immutable.

    `began_mono_ns` and `ended_mono_ns` are the local monotonic instants of the sweep, `taken_wall_ns` its
    end by the local wall clock. `clock` is what was known of the store's clock at its end. `volumes` is
    sorted by name and holds every volume found, locked or not. `problems` are failures that belong to no
    one volume (a branch of the tree that could not be listed); with any of them, or with `truncated`,
    the picture is incomplete and absence proves nothing. `capabilities` are the store's, as far as they were
    known then; None in a recording. `by_folder` has the volumes by the keys of their folders, where those
    are known.
    """

    target: str
    volumes: tuple[VolumeView, ...]
    clock: StoreClock
    began_mono_ns: int
    ended_mono_ns: int
    taken_wall_ns: int
    requests: int = 0
    bodies_read: int = 0
    rtt_ns: int | None = None
    problems: tuple[str, ...] = ()
    store_present: bool = True
    capabilities: Capabilities | None = field(default=None, compare=False, repr=False)
    by_key: dict[str, LockFile] = field(default_factory=dict, compare=False, repr=False)
    by_folder: dict[str, VolumeView] = field(default_factory=dict, compare=False, repr=False)

    @property
    def locks(self) -> tuple[LockFile, ...]:
        """All lock files, volume by volume."""
        return tuple(self.by_key.values())

    @property
    def complete(self) -> bool:
        """Whether everything that should have been read was read."""
        return not (
            self.problems
            or any(volume.problem for volume in self.volumes)
            or any(lock.flaw in UNREAD for lock in self.by_key.values())
        )
