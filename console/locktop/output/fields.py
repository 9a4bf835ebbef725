"""What is told of a lock beyond its row, derived once from a Snapshot for every form of output.

Nothing here is made printable or shortened: that is the business of each form.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass

from backuplock.clock import SECOND
from backuplock.model import UNREAD, Flaw, LockFile, LockRecord, LockType, Operation, Snapshot
from backuplock.rules import LONGHORN, Standing, Timing, judge_as_longhorn
from locktop.format import stated_operation
from locktop.rows import Board, Row

_PURPOSES: dict[int, str] = {
    LockType.BACKUP_RESTORE: "backup or restore",
    LockType.DELETION: "delete",
    LockType.UNTYPED: "untyped",
}


@dataclass(frozen=True, slots=True)
class Held:
    """A lock's row, its lock, where it stands for us and for a Longhorn whose clock is this machine's.

    `age_ns` is since its last refresh, by the best guess of the store's clock as of the row's judgement;
    None without a time. It is negative for a lock of the future, or one refreshed during the sweep.
    """

    row: Row
    lock: LockFile
    ours: Standing
    longhorns: Standing
    age_ns: int | None

    def ttl_ns(self, timing: Timing = LONGHORN) -> int | None:
        """Until it stops counting if it is not refreshed; negative once expired, None without a time."""
        return None if self.age_ns is None else timing.duration_ns - self.age_ns


def held(board: Board, *, as_shown: bool = False) -> list[Held]:
    """All locks of a board, by volume and key; or in the order of its rows."""
    theirs = _longhorns(board.snapshot)
    found = [
        Held(row, row.lock, row.standing, theirs[row.key], _age(row.lock, board))
        for row in board.rows
        if row.lock is not None and row.standing is not None
    ]
    return found if as_shown else sorted(found, key=lambda one: (one.lock.volume, one.lock.key))


def _longhorns(snapshot: Snapshot) -> Mapping[str, Standing]:
    return {
        key: standing
        for volume in snapshot.volumes
        if volume.locks
        for key, standing in judge_as_longhorn(volume.locks, snapshot.taken_wall_ns).items()
    }


def _age(lock: LockFile, board: Board) -> int | None:
    return None if lock.modified_ns is None else board.now.middle - lock.modified_ns


def purpose(record: LockRecord | None) -> str:
    """What a lock is taken for, as far as it says: `backup or restore`, `backup`, `restore`, `delete`,
    `untyped`, `type 7`, `unknown`."""
    if record is None:
        return "unknown"
    stated = stated_operation(record)
    return stated.value if stated else _PURPOSES.get(record.type, f"type {record.type}")


def stops(standing: Standing) -> list[str]:
    """Operations that cannot start because of a lock, in the order of `Operation`."""
    return [operation.value for operation in Operation if operation in standing.stops]


def differences(one: Held) -> dict[str, object]:
    """What Longhorn on this machine would make of the lock where that differs from ours; else empty.

    `ignored`: Longhorn cannot decode the file and skips it. `unknown`: what Longhorn makes of it cannot be
    told, for we did not read what it would.
    """
    ours, theirs, flaw = one.ours, one.longhorns, one.lock.flaw
    if theirs.may_stop:
        # It has no size limit, follows links, and may be let in where we are not.
        return {"unknown": f"Longhorn may read this ({flaw.value if flaw else 'it has no time'})"}
    found: dict[str, object] = {}
    if flaw is Flaw.UNDECODABLE:
        found["ignored"] = f"Longhorn skips this ({flaw.value})"
    if ours.expired != theirs.expired:
        found["expired"] = theirs.expired
    if ours.stops != theirs.stops:
        found["blocks"] = stops(theirs)
    more = ours.rivals.blocked_by.more, theirs.rivals.blocked_by.more
    if set(ours.blocked_by) != set(theirs.blocked_by) or more[0] != more[1]:
        found["blocked_by"] = list(theirs.blocked_by)
    return found


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that could not be read; `volume` is None where it belongs to no one volume."""

    volume: str | None
    reason: str


def problems(snapshot: Snapshot) -> list[Problem]:
    """All that is missing from the picture: of the store, then volume by volume, then lock by lock."""
    return [
        *(Problem(None, reason) for reason in snapshot.problems),
        *(Problem(volume.name, volume.problem) for volume in snapshot.volumes if volume.problem),
        *(
            Problem(lock.volume, f"{lock.key}: {lock.reason}")
            for lock in snapshot.locks
            if lock.flaw in UNREAD
        ),
    ]


def iso(ns: int | None) -> str | None:
    """An instant as `2026-01-02T03:04:05.678901234Z`; None where there is none or no calendar has it."""
    if ns is None:
        return None
    whole, rest = divmod(ns, SECOND)
    try:
        moment = datetime.datetime.fromtimestamp(whole, datetime.UTC)
    except (ValueError, OverflowError, OSError):
        return None
    fraction = f".{rest:09d}" if rest else ""
    # strftime gives the year 33 two digits on some systems.
    return f"{moment.replace(tzinfo=None).isoformat()}{fraction}Z"
