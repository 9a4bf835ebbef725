"""Who is expired, who comes first, who blocks whom: pure functions over records and a given now.

Everything is answered twice. *Ours* fails closed and judges age on the store's clock, an interval: where
it spans a limit the answer is "unknown". *Longhorn's* is what its own code makes of the same files with
its own local clock: what it cannot decode it skips, and what we did not read (a file too large, a link, one
that we were not given) it may well read, so that what it makes of that is "unknown" too.

Source: Longhorn backupstore `lock.go` (1.1.0 to 1.12.1); cases in `tests/vectors/decisions.jsonl`.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from backuplock.clock import SECOND, Span
from backuplock.model import UNREAD, Flaw, LockFile, LockType, Operation
from backuplock.rivals import NOBODY, Entrant, Rivalry, rivalries


@dataclass(frozen=True, slots=True)
class Timing:
    """The periods of the protocol, in nanoseconds.

    `slack_ns` is how late a refresh may land (latency, a slow store) before it counts as missed.
    """

    duration_ns: int = 150 * SECOND
    refresh_ns: int = 60 * SECOND
    settle_ns: int = 2 * SECOND
    slack_ns: int = 5 * SECOND


_DeadOf = Callable[[LockFile], bool | None]

LONGHORN = Timing()
"""Longhorn's own periods: a lease of 150 s, refreshed each 60 s, 2 s between writing and looking."""


class State(enum.StrEnum):
    """What a lock file amounts to, on the store's clock."""

    HELD = "held"
    WAITING = "waiting"
    LATE = "late"
    STALE = "stale"
    BAD = "bad"
    UNSURE = "unsure"
    """The error bar of the store's clock spans the expiry: alive or dead, we do not know."""


@dataclass(frozen=True, slots=True)
class Contender:
    """One lock as the rules see it: its record and the time of the same version."""

    name: str
    type: int
    acquired: bool
    modified_ns: int

    @property
    def rank(self) -> tuple[bool, int, str]:
        """Sorts locks in Longhorn's order: acquired, then earlier, then by the `Name` in the body."""
        return (not self.acquired, self.modified_ns, self.name)


@dataclass(frozen=True, slots=True)
class Standing:
    """Where one lock file stands among those of its volume, in one reading (ours or Longhorn's).

    Attributes:
        place: 1 for the first in the order; None for a file that takes no place (no record).
        expired: true, false, or None where it cannot be told.
        stops: operations that a newcomer could not start now because of this file.
        may_stop: further ones that it may or may not stop, for what this reading finds in it is unknown.
        rivals: whom it keeps from being granted, and the reverse; of a crowd only the first are named.
        ends_ns: store time at which this file stops counting if it is not refreshed, None if unknown.
    """

    key: str
    place: int | None
    expired: bool | None
    stops: frozenset[Operation] = frozenset()
    may_stop: frozenset[Operation] = frozenset()
    rivals: Rivalry = NOBODY
    ends_ns: int | None = None

    @property
    def blocks(self) -> tuple[str, ...]:
        """Keys of waiting locks in the same volume that this file keeps from being granted; see `rivals`."""
        return self.rivals.blocks.keys

    @property
    def blocked_by(self) -> tuple[str, ...]:
        """The reverse, for a waiting lock."""
        return self.rivals.blocked_by.keys

    @property
    def clashes(self) -> tuple[str, ...]:
        """Keys of acquired locks of another type while this one is acquired too: exclusion failed."""
        return self.rivals.clashes.keys


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an operation meets that asks now: granted (None: cannot be told), by whom blocked, until when.

    `until_ns` is the earliest store time at which the last blocker ends by itself, if its holder dies now;
    None if nothing blocks or no such time is known. `doubtful` are those of the blockers of which it cannot
    be told whether they count.
    """

    operation: Operation
    granted: bool | None
    blockers: tuple[str, ...] = ()
    until_ns: int | None = None
    doubtful: tuple[str, ...] = ()


def expired(modified_ns: int, now: Span, timing: Timing = LONGHORN) -> bool | None:
    """Whether a lock last written at `modified_ns` has outlived its lease; None if `now` spans the limit."""
    if now.lo - modified_ns > timing.duration_ns:
        return True
    if now.hi - modified_ns <= timing.duration_ns:
        return False
    return None


def conflicts(one: int, other: int) -> bool:
    """Whether two lock types exclude each other: any two different ones do."""
    return one != other


_NONE: frozenset[Operation] = frozenset()
_ALL = frozenset(Operation)
# Made once: a fleet has tens of thousands of locks. Any other type stops everything.
_STOPPED = {
    int(type_): frozenset(one for one in Operation if conflicts(one.lock_type, type_)) for type_ in LockType
}


def can_acquire(
    mine: Contender, others: Iterable[Contender], local_now_ns: int, timing: Timing = LONGHORN
) -> bool:
    """Longhorn's decision: refused iff a lock of another type sorts before mine and is not expired.

    `local_now_ns` is the asker's own clock, as Longhorn has it. `others` are the locks it could decode.
    """
    return not any(
        conflicts(other.type, mine.type)
        and other.rank < mine.rank
        and local_now_ns - other.modified_ns <= timing.duration_ns
        for other in others
    )


def contender(lock: LockFile) -> Contender | None:
    """A lock file as the rules see it; None without a record and a time."""
    if lock.record is None or lock.modified_ns is None:
        return None
    return Contender(lock.record.name, lock.record.type, lock.record.acquired, lock.modified_ns)


def state(lock: LockFile, now: Span, timing: Timing = LONGHORN) -> State:
    """What a lock file amounts to at the store time `now`.

    A file without a record, or of a type Longhorn does not write, is BAD at any age.
    """
    seen = contender(lock)
    if seen is None or seen.type not in (LockType.BACKUP_RESTORE, LockType.DELETION):
        return State.BAD
    dead = expired(seen.modified_ns, now, timing)
    if dead is None:
        return State.UNSURE
    if dead:
        return State.STALE
    if not seen.acquired:
        return State.WAITING
    late = now.middle - seen.modified_ns > timing.refresh_ns + timing.slack_ns
    return State.LATE if late else State.HELD


def judge(locks: Sequence[LockFile], now: Span, timing: Timing = LONGHORN) -> dict[str, Standing]:
    """Our reading of the locks of one volume, by key: fail closed, on the store's clock.

    A file without a record counts against everybody until its lease would have ended; one whose content
    the store did not give counts without a known end.
    """
    return _judge(locks, lambda lock: _dead_for_us(lock, now, timing), timing, frozenset())


def judge_as_longhorn(
    locks: Sequence[LockFile], local_now_ns: int, timing: Timing = LONGHORN
) -> dict[str, Standing]:
    """Longhorn's reading of the same locks on a machine whose clock says `local_now_ns`.

    It knows no cap, follows links and may be let in where we are not: a file that has no record here for
    such a reason stops nobody surely (`stops`) and everybody perhaps (`may_stop`).
    """
    flawed = frozenset(lock.key for lock in locks if contender(lock) is None)
    return _judge(locks, lambda lock: _dead_for_longhorn(lock, local_now_ns, timing), timing, flawed)


def verdict(locks: Sequence[LockFile], operation: Operation, now: Span, timing: Timing = LONGHORN) -> Verdict:
    """What becomes of `operation` at the store time `now`, as far as can be told.

    Our own client is granted the lock only where `granted` is true: it fails closed. Where all that is in
    the way is a file that we could not read, or one of which the store's clock does not tell whether it has
    expired, `granted` is None.
    """
    return verdict_among(locks, judge(locks, now, timing), operation)


def verdict_among(
    locks: Sequence[LockFile], standings: Mapping[str, Standing], operation: Operation
) -> Verdict:
    """What `verdict` says of locks that were judged already, by `judge` and in full."""
    blockers = [lock for lock in locks if operation in standings[lock.key].stops]
    if not blockers:
        return Verdict(operation, True)
    # Only a lock that surely counts is a reason to say no; doubt alone is "unknown".
    doubtful = tuple(
        lock.key for lock in blockers if lock.flaw in UNREAD or standings[lock.key].expired is not False
    )
    granted = None if len(doubtful) == len(blockers) else False
    keys = tuple(lock.key for lock in blockers)
    return Verdict(operation, granted, keys, _last([standings[key].ends_ns for key in keys]), doubtful)


def verdict_of_longhorn(
    locks: Sequence[LockFile],
    operation: Operation,
    *,
    store_now_ns: int,
    local_now_ns: int,
    timing: Timing = LONGHORN,
) -> Verdict:
    """What Longhorn would meet if it asked now: its own file is stamped `store_now_ns`, ages are judged by
    `local_now_ns`. Unknown if only files are in the way of which we do not know what it makes."""
    mine = Contender("", operation.lock_type, False, store_now_ns)
    blockers: list[LockFile] = []
    doubtful: list[str] = []
    for lock in locks:
        other = contender(lock)
        if other is not None and not can_acquire(mine, [other], local_now_ns, timing):
            blockers.append(lock)
        elif _may_count(lock, _dead_for_longhorn(lock, local_now_ns, timing)):
            blockers.append(lock)
            doubtful.append(lock.key)
    if not blockers:
        return Verdict(operation, True)
    granted = None if len(doubtful) == len(blockers) else False
    keys = tuple(lock.key for lock in blockers)
    return Verdict(
        operation, granted, keys, _last([_ends(lock, timing) for lock in blockers]), tuple(doubtful)
    )


def _dead_for_us(lock: LockFile, now: Span, timing: Timing) -> bool | None:
    if lock.flaw is Flaw.UNREADABLE or lock.modified_ns is None:
        # What could not be read may have been renewed a moment ago: a listing's time is no proof.
        return None
    return expired(lock.modified_ns, now, timing)


def _dead_for_longhorn(lock: LockFile, local_now_ns: int, timing: Timing) -> bool | None:
    if lock.flaw in (Flaw.UNREADABLE, Flaw.IRREGULAR) or lock.modified_ns is None:
        # A link's own time is not that of what it leads to.
        return None
    return local_now_ns - lock.modified_ns > timing.duration_ns


def _may_count(lock: LockFile, dead: bool | None) -> bool:
    """Whether Longhorn may find a record that counts in a file of which we have none."""
    return contender(lock) is None and lock.flaw is not Flaw.UNDECODABLE and dead is not True


def _judge(
    locks: Sequence[LockFile], dead_of: _DeadOf, timing: Timing, skipped: frozenset[str]
) -> dict[str, Standing]:
    """`skipped`: keys of files without a record that surely stop nobody, or of which that is unknown."""
    seen = {lock.key: contender(lock) for lock in locks}
    ranks = {key: (found.rank, key) for key, found in seen.items() if found is not None}
    places = {key: place for place, key in enumerate(sorted(ranks, key=ranks.__getitem__), start=1)}
    dead = {lock.key: dead_of(lock) for lock in locks}
    counting = [
        _entrant(key, seen[key], sure=gone is False)
        for key, gone in dead.items()
        if gone is not True and key not in skipped
    ]
    rivals = rivalries(counting)
    return {
        lock.key: Standing(
            key=lock.key,
            place=places.get(lock.key),
            expired=dead[lock.key],
            stops=stopped_by(seen[lock.key]) if lock.key in rivals else _NONE,
            may_stop=_ALL if lock.key in skipped and _may_count(lock, dead[lock.key]) else _NONE,
            rivals=rivals.get(lock.key, NOBODY),
            ends_ns=_ends(lock, timing),
        )
        for lock in locks
    }


def _entrant(key: str, seen: Contender | None, *, sure: bool) -> Entrant:
    return Entrant(key, 0, None, sure) if seen is None else Entrant(key, seen.type, seen.rank, sure)


def stopped_by(seen: Contender | None) -> frozenset[Operation]:
    """The operations that a lock keeps from starting while it counts; all of them if it is unreadable."""
    return _ALL if seen is None else _STOPPED.get(seen.type, _ALL)


def _ends(lock: LockFile, timing: Timing) -> int | None:
    if lock.flaw is Flaw.UNREADABLE or lock.modified_ns is None:
        return None
    return lock.modified_ns + timing.duration_ns


def _last(ends: Sequence[int | None]) -> int | None:
    """The last of some ends; None if one of them is unknown."""
    known = [end for end in ends if end is not None]
    return max(known) if len(known) == len(ends) else None
