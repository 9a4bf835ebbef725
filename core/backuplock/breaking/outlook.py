"""What follows from removing a lock, in sentences for the person who is about to do it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backuplock.clock import SECOND, Span
from backuplock.model import Flaw, LockFile, LockType
from backuplock.rules import Standing, Timing

if TYPE_CHECKING:
    from backuplock.breaking.plan import Outlook
    from backuplock.breaking.signs import Signs

RETENTION_DAYS = 30
"""For how long copies of broken locks are kept."""

_BESIDE = {
    LockType.BACKUP_RESTORE: "a deletion may start, and take blocks that a backup or restoration needs",
    LockType.DELETION: "a backup or restoration may start, and rely on blocks that a deletion takes",
}
_ANY = "operations of any kind may start beside it, and data may be lost"


def consequences(
    outlook: Outlook,
    lock: LockFile,
    standing: Standing,
    now: Span,
    timing: Timing,
    signs: Signs,
) -> tuple[str, ...]:
    """What would follow, the weightiest first."""
    told = [*signs.consequences]
    told += _MEANING[outlook.value](lock, now, timing)
    if waiting := standing.rivals.blocks.count:
        told.append(f"{waiting} waiting {'lock' if waiting == 1 else 'locks'} may be granted at once")
    told.append(f"a copy stays in the store for {RETENTION_DAYS} days: locktop undo puts it back")
    return tuple(told)


def _tidy(lock: LockFile, now: Span, timing: Timing) -> list[str]:
    if lock.flaw is Flaw.UNDECODABLE:
        return ["Longhorn cannot read it and skips it: it blocks nobody, this only tidies up"]
    ended = _ago(now.middle - (lock.modified_ns or 0) - timing.duration_ns)
    return [f"it expired {ended} ago: it blocks nobody any more, this only tidies up"]


def _live(lock: LockFile, now: Span, timing: Timing) -> list[str]:
    back = timing.refresh_ns // SECOND
    return [
        f"its holder may be at work: {_beside(lock)}",
        f"Longhorn refreshes without looking: if its holder lives, it is back within {back} s",
        "it is safer to stop the holder, or to wait until it has ended",
    ]


def _pending(lock: LockFile, now: Span, timing: Timing) -> list[str]:
    told = [
        "somebody asks for this lock, and if it is Longhorn goes on as if nothing had happened when granted"
    ]
    if lock.modified_ns is not None:
        left = lock.modified_ns + timing.duration_ns - now.middle
        told.append(f"if its holder is dead, it stops counting by itself in {_ago(left)}")
    return told


def _bad(lock: LockFile, now: Span, timing: Timing) -> list[str]:
    if lock.flaw is Flaw.UNDECODABLE:
        return ["Longhorn cannot read it and skips it; it may be half written, by a holder that is at work"]
    return [f"what it says is of no use: {lock.reason or 'its type is unknown'}", _beside(lock)]


def _unsure(lock: LockFile, now: Span, timing: Timing) -> list[str]:
    return [f"whether its holder lives cannot be told: {_beside(lock)}", "the next refresh would tell"]


_MEANING = {"tidy": _tidy, "live": _live, "pending": _pending, "bad": _bad, "unsure": _unsure}


def _beside(lock: LockFile) -> str:
    type_ = lock.record.type if lock.record is not None else 0
    return _BESIDE.get(LockType(type_), _ANY) if type_ in (1, 2) else _ANY


def _ago(ns: int) -> str:
    s = max(0, ns) // SECOND
    if s < 120:
        return f"{s} s"
    if s < 2 * 3600:
        return f"{s // 60} min"
    return f"{s // 3600} h" if s < 2 * 86_400 else f"{s // 86_400} days"
