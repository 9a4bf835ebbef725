"""Signs that somebody is at work where a lock is to be broken, other than the lock itself.

What is written while a live lock of a backup is there is put down to that one. What nobody accounts for, and
what could not be looked at, speaks against breaking: the work may be that of the very holder who is taken
for dead, whose refreshes fail while its backup goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from backuplock.clock import Span
from backuplock.evidence import Surroundings
from backuplock.liveness import Liveness
from backuplock.model import LockFile, LockType, Operation, Snapshot
from backuplock.rules import Timing, expired
from backuplock.text import elapsed, printable


@dataclass(frozen=True, slots=True)
class Signs:
    """Clauses, each for itself.

    Attributes:
        holder: the process that holds the lock lives.
        work: somebody writes backups of the volume, and no live lock accounts for it.
        unknown: why it could not be seen whether somebody does.
        explained: what is written is most likely the work of a live lock, which is named; this speaks
            against nothing.
    """

    holder: tuple[str, ...] = ()
    work: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    explained: tuple[str, ...] = ()

    @property
    def against(self) -> tuple[str, ...]:
        """Those that speak against breaking, the weightiest first."""
        return (*self.holder, *self.work, *(f"{_UNKNOWN}: {why}" for why in self.unknown))

    @property
    def consequences(self) -> tuple[str, ...]:
        """The same as sentences of a plan."""
        return (
            *(f"its holder seems alive: {sign}" for sign in self.holder),
            *(f"somebody seems to be at work in the volume: {sign}" for sign in self.work),
            *(f"{_UNKNOWN}: {why}" for why in self.unknown),
        )


_UNKNOWN = "whether somebody is at work in the volume is not known"


def signs_of(
    snapshot: Snapshot,
    lock: LockFile,
    beside: Iterable[LockFile],
    around: Surroundings | None,
    now: Span,
    timing: Timing,
    life_of: Callable[[LockFile], Liveness],
) -> Signs:
    """The signs for one lock of a Snapshot.

    Args:
        beside: the locks of its volume. around: what else lies there; None: nobody looked.
        life_of: what is made of the holder of another lock.
    """
    holder = _same_process(snapshot, lock, now, life_of)
    if around is None:
        return Signs(holder)
    unknown = (around.problem,) if around.problem else ()
    written = _written(around, now, timing)
    if not written:
        return Signs(holder, unknown=unknown)
    authors = [one for one in beside if one.key != lock.key and _may_write(one, now, timing)]
    if not authors:
        return Signs(holder, (f"{written}, and no live lock of a backup accounts for that",), unknown)
    first = printable(authors[0].stem, limit=80)
    who = f"{first} or of {len(authors) - 1} more" if len(authors) > 1 else first
    return Signs(holder, (), unknown, (f"{written}, most likely by the live holder of {who}",))


def _same_process(
    snapshot: Snapshot, lock: LockFile, now: Span, life_of: Callable[[LockFile], Liveness]
) -> tuple[str, ...]:
    owner = lock.record.owner if lock.record is not None else None
    if owner is None or not owner.host or not owner.pid:
        return ()
    for other in snapshot.locks:
        same = other.record.owner if other.key != lock.key and other.record is not None else None
        if same is None or (same.host, same.pid) != (owner.host, owner.pid):
            continue
        if life_of(other).shows_life:
            who = f"{printable(owner.host, limit=80)}, process {owner.pid},"
            when = _ago(other.modified_ns or 0, now)
            return (f"{who} refreshed {printable(other.stem, limit=80)} {when}",)
    return ()


def _written(around: Surroundings, now: Span, timing: Timing) -> str:
    """What was written of backups within a lease, in words; "" if nothing was."""
    kinds = (("backups", around.newest_ns), ("blocks", around.newest_block_ns))
    fresh = [
        (when, what) for what, when in kinds if when is not None and expired(when, now, timing) is not True
    ]
    if not fresh:
        return ""
    when, what = max(fresh)
    return f"{what} of the volume were written {_ago(when, now)}"


def _may_write(lock: LockFile, now: Span, timing: Timing) -> bool:
    """Whether it is the lock of a backup, live beyond doubt: neither who waits nor who deletes or restores
    writes any."""
    record = lock.record
    if record is None or not record.acquired or record.type != LockType.BACKUP_RESTORE:
        return False
    if record.owner is not None and record.owner.operation == Operation.RESTORE:
        return False
    return lock.modified_ns is not None and expired(lock.modified_ns, now, timing) is False


def _ago(when_ns: int, now: Span) -> str:
    return f"{elapsed(max(0, now.middle - when_ns))} ago"
