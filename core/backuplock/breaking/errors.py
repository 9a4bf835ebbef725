"""What can come of an attempt to break a lock, other than success."""

from __future__ import annotations

import enum

from backuplock.errors import BackupLockError


class Because(enum.StrEnum):
    """Why a lock was not broken, or not put back."""

    CHANGED = "changed"
    """It is not the version that was seen: somebody wrote it meanwhile, so somebody lives."""
    GONE = "gone"
    ALIVE = "alive"
    """Nothing shows that its holder is dead, and breaking it all the same was not asked for."""
    UNFIT = "unfit"
    """It is nothing that can be copied and put back: a link, a folder, a body too large or unreadable."""
    CONFLICT = "conflict"
    """Another lock, or a lock of the same name, is in the way of putting it back."""
    NO_VOLUME = "no volume"
    """The volume is not there any more; the lock alone would make a ghost of it."""
    NOT_NOW = "not now"
    """Another process is at work on the same transaction, or it is over already."""


class BreakError(BackupLockError):
    """A transaction on a lock did not come to its end."""


class Refused(BreakError):
    """It was not done, and the store is as it was but for what others did to it.

    Args:
        because: why.
    """

    def __init__(self, what: str, *, because: Because, advice: str = "") -> None:
        super().__init__(what, advice=advice)
        self.because = because


class Failed(BreakError):
    """The store, or the audit trail, did not do its part.

    Args:
        settled: it is known that the lock is as it was. If not, the transaction stays unfinished, and
            `unfinished` tells of it until it is finished or undone.
        entry: the id of the transaction.
    """

    def __init__(self, what: str, *, settled: bool, entry: str, advice: str = "") -> None:
        super().__init__(what, advice=advice)
        self.settled = settled
        self.entry = entry


class AuditError(BackupLockError):
    """The audit trail could not be opened, written or believed."""
