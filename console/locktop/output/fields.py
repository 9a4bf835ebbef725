"""What is told of a lock and of a volume, derived once from a Snapshot for every form of output.

Nothing here is made printable or shortened: that is the business of each form.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from dataclasses import dataclass

from backuplock.clock import SECOND, Span
from backuplock.model import (
    Flaw,
    LockFile,
    LockRecord,
    LockType,
    Operation,
    Snapshot,
    VolumeNames,
    VolumeView,
)
from backuplock.rules import LONGHORN, Standing, State, Timing, judge, judge_as_longhorn, state

_ORDER = {
    State.STALE: 1,
    State.LATE: 2,
    State.UNSURE: 3,
    State.BAD: 4,
    State.WAITING: 5,
    State.HELD: 6,
}

_PURPOSES: dict[int, str] = {
    LockType.BACKUP_RESTORE: "backup or restore",
    LockType.DELETION: "delete",
    LockType.UNTYPED: "none",
}


@dataclass(frozen=True, slots=True)
class LockRow:
    """One lock with everything that follows from its neighbours and the time.

    Attributes:
        ours: where it stands by our rules, on the store's clock.
        longhorns: where it stands for a Longhorn whose clock is this machine's.
        waiters: waiting locks of the same volume, itself not counted.
        age_ns: since its last refresh, by the best guess of the store's clock; None without a time.
        ttl_ns: until it stops counting if it is not refreshed; negative once expired.
    """

    lock: LockFile
    names: VolumeNames
    state: State
    ours: Standing
    longhorns: Standing
    waiters: int
    age_ns: int | None
    ttl_ns: int | None

    @property
    def attention(self) -> tuple[object, ...]:
        """Sorts rows by how soon somebody should look: failed exclusion, then the state, then whom it
        concerns, then by the time that is left."""
        return (
            not self.ours.clashes,
            _ORDER[self.state],
            -self.waiters,
            self.ttl_ns if self.ttl_ns is not None else 0,
            self.lock.volume,
            self.lock.key,
        )


def lock_rows(snapshot: Snapshot, timing: Timing = LONGHORN) -> list[LockRow]:
    """All locks of a Snapshot as of its end, by volume and key."""
    now = snapshot.clock.at(snapshot.ended_mono_ns)
    return [
        row
        for volume in snapshot.volumes
        if volume.locks
        for row in _rows(volume, now, snapshot.taken_wall_ns, timing)
    ]


def _rows(volume: VolumeView, now: Span, local_ns: int, timing: Timing) -> Iterator[LockRow]:
    ours = judge(volume.locks, now, timing)
    longhorns = judge_as_longhorn(volume.locks, local_ns, timing)
    states = {lock.key: state(lock, now, timing) for lock in volume.locks}
    waiting = sum(found is State.WAITING for found in states.values())
    for lock in sorted(volume.locks, key=lambda lock: lock.key):
        age = None if lock.modified_ns is None else now.middle - lock.modified_ns
        yield LockRow(
            lock=lock,
            names=volume.names or VolumeNames(),
            state=states[lock.key],
            ours=ours[lock.key],
            longhorns=longhorns[lock.key],
            waiters=waiting - (states[lock.key] is State.WAITING),
            age_ns=age,
            ttl_ns=None if age is None else timing.duration_ns - age,
        )


def purpose(record: LockRecord | None) -> str:
    """What a lock is taken for, as far as it says.

    On the wire type 1 is backup *or* restore. Only the owner field of our own locks tells which, and it is
    believed only where it fits the type.
    """
    if record is None:
        return "unknown"
    said = record.owner.operation if record.owner is not None else ""
    if said in set(Operation) and Operation(said).lock_type == record.type:
        return said
    return _PURPOSES.get(record.type, f"type {record.type}")


def owner_text(record: LockRecord | None) -> str:
    """Who says to hold a lock, `host/pid` as far as it is known; empty if nobody is named."""
    owner = record.owner if record is not None else None
    if owner is None:
        return ""
    return "/".join(part for part in (owner.host or owner.user, str(owner.pid) if owner.pid else "") if part)


def stops(standing: Standing) -> list[str]:
    """Operations that cannot start because of a lock, in the order of `Operation`."""
    return [operation.value for operation in Operation if operation in standing.stops]


def differences(row: LockRow) -> dict[str, object]:
    """What Longhorn on this machine would make of the lock where that differs from ours; else empty.

    `ignored`: Longhorn cannot decode the file and skips it. `unknown`: what Longhorn makes of it cannot be
    told, for we did not read what it would.
    """
    ours, theirs, flaw = row.ours, row.longhorns, row.lock.flaw
    if flaw is not None and flaw is not Flaw.UNDECODABLE:
        # It has no size limit, follows links, and may be let in where we are not.
        return {"unknown": f"Longhorn may read this ({flaw.value})"}
    found: dict[str, object] = {}
    if flaw is Flaw.UNDECODABLE:
        found["ignored"] = f"Longhorn skips this ({flaw.value})"
    if ours.expired != theirs.expired:
        found["expired"] = theirs.expired
    if ours.stops != theirs.stops:
        found["blocks"] = stops(theirs)
    if set(ours.blocked_by) != set(theirs.blocked_by):
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
            if lock.flaw is Flaw.UNREADABLE
        ),
    ]


def state_counts(rows: list[LockRow]) -> dict[State, int]:
    """How many locks are in each state; states without any are left out."""
    return {found: n for found in State if (n := sum(row.state is found for row in rows))}


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
    return f"{moment:%Y-%m-%dT%H:%M:%S}{fraction}Z"


def period(ns: int | None) -> str:
    """A length of time for people: `0:41`, `-6:12`, `2h41m`, `3d02h`; `?` where it is not known."""
    if ns is None:
        return "?"
    sign = "-" if ns < 0 else ""
    total = abs(ns) // SECOND
    if total < 3600:
        return f"{sign}{total // 60}:{total % 60:02d}"
    if total < 86_400:
        return f"{sign}{total // 3600}h{total % 3600 // 60:02d}m"
    return f"{sign}{total // 86_400}d{total % 86_400 // 3600:02d}h"
