"""A Snapshot as rows for a table: each lock with its state, its standing and the order of attention.

Shared by the screen, `locktop ls` and the export. Everything is judged once per Snapshot, at the store's
time when the sweep *began*: a lock that had ended by then had surely ended when it was read, while one
that ended later may have been renewed after it was read. Between Snapshots states do not move; only a
countdown that reaches zero makes a row doubtful (`state_now`).
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from backuplock.clock import SECOND, Span
from backuplock.courtesy import gently
from backuplock.model import Flaw, LockFile, Snapshot, VolumeView
from backuplock.rules import LONGHORN, Standing, State, Timing, judge, state
from locktop.windows import DEAD_REQUEST_NS, Window, asks, window_of

UNCERTAIN_NS = 2 * SECOND
"""Error bar of the store's clock from which countdowns are marked as approximate."""

VOLUME_ROW = "volume:"
"""What the key of a row begins with that stands for a volume which could not be read; keys of locks begin
with `backupstore/`."""


@dataclass(frozen=True, slots=True)
class Row:
    """One lock file, or (`lock` is None) one volume that could not be read.

    `key` identifies the row from one Snapshot to the next. `together` is how many other locks of the volume
    are not expired: whom a dead lock concerns.
    """

    key: str
    volume: VolumeView
    lock: LockFile | None
    state: State
    standing: Standing | None = None
    together: int = 0

    @property
    def name(self) -> str:
        """The lock's name, or nothing for a volume that could not be read."""
        return self.lock.stem if self.lock else ""

    @property
    def claim(self) -> str:
        """`namespace/claim` as the store tells it, or nothing."""
        return self.volume.names.claim_path if self.volume.names else ""

    @property
    def clashing(self) -> bool:
        """Whether this lock and one of another type are both held: mutual exclusion has failed."""
        return bool(self.standing and self.standing.clashes)


@dataclass(frozen=True, slots=True)
class SideRow(Row):
    """A row beside rows of other contexts: `own` is the row of its own board, with the key that the store
    knows; the key of this one is of the table only. `side` is which of the contexts, from 0."""

    own: Row | None = None
    side: int = 0
    context: str = ""


def own_of(row: Row) -> Row:
    """The row as its own board has it."""
    return row.own if isinstance(row, SideRow) and row.own is not None else row


def context_of(row: Row) -> str:
    """The context of a row where several stand side by side, or nothing."""
    return row.context if isinstance(row, SideRow) else ""


@dataclass(frozen=True, slots=True, eq=False)
class Arranged:
    """Rows in an order, and the place of each by its key."""

    rows: Sequence[Row]
    places: Mapping[str, int]


@dataclass(frozen=True, slots=True, eq=False)
class Board:
    """All rows of one Snapshot, volume by volume.

    `now` is the store's time that the rows were judged at. `counts` is the number of rows by state,
    `locked` the number of volumes with at least one lock, `ghosts` of those with nothing else, `unread` of
    those that could not be read. `clashing` counts locks that failed to exclude each other. `owners` tells
    whether any lock names its owner, `claims` whether any volume has a name people know. `written` is when
    the locks that lived were refreshed last, by state, the oldest first. `volume_width` and `claim_width` are
    the lengths of the longest names. `arranged` are the rows in those of the `SORTS` that somebody prepared.
    """

    snapshot: Snapshot
    now: Span
    rows: tuple[Row, ...]
    counts: Mapping[State, int]
    locked: int
    ghosts: int
    unread: int
    clashing: int
    owners: bool
    claims: bool
    volume_width: int
    claim_width: int
    by_key: Mapping[str, Row] = field(repr=False, compare=False)
    written: Mapping[State, Sequence[int]] = field(repr=False, compare=False)
    judged: Mapping[str, _Judged] = field(repr=False, compare=False)
    arranged: dict[str, Arranged] = field(default_factory=dict, init=False, repr=False, compare=False)

    def counts_at(self, now: Span, timing: Timing = LONGHORN) -> Counter[State]:
        """The number of rows by the state that they are shown in at `now`, as `state_now` tells it."""
        found = Counter(self.counts)
        for state_, times in self.written.items():
            over = bisect_left(times, now.middle - timing.duration_ns)
            found[state_] -= over
            found[State.UNSURE] += over
        return found

    def of_volume(self, row: Row) -> list[Row]:
        """The rows of the same volume, in the order in which the store ranks them, without place last."""
        found = [self.by_key[lock.key] for lock in row.volume.locks if lock.key in self.by_key]
        return sorted(found, key=_place)


# A volume, for how long its rows are right, and its rows.
_Judged = tuple[VolumeView, Window, tuple[Row, ...]]


def board_of(snapshot: Snapshot, previous: Board | None = None, timing: Timing = LONGHORN) -> Board:
    """Judge a Snapshot. Volumes in which nothing changed, limits of time included, keep their rows."""
    now = snapshot.clock.at(snapshot.began_mono_ns)
    lo, hi, middle = now.lo, now.hi, now.middle
    old = previous.judged if previous is not None else {}
    rows: list[Row] = []
    judged: dict[str, _Judged] = {}
    locked = 0
    for view in gently(snapshot.volumes):
        if not view.locks and not view.problem:
            continue
        locked += bool(view.locks)
        kept = old.get(view.name)
        if kept is None or not kept[1].holds(lo, hi, middle) or kept[0] != view:
            kept = (view, window_of(view, now, timing), _rows_of(view, now, timing))
        judged[view.name] = kept
        rows.extend(kept[2])
    claim_width = max((len(kept[0].names.claim_path) for kept in judged.values() if kept[0].names), default=0)
    return Board(
        snapshot=snapshot,
        now=now,
        rows=tuple(rows),
        counts=Counter(row.state for row in gently(rows)),
        locked=locked,
        ghosts=sum(view.ghost for view in gently(snapshot.volumes)),
        unread=sum(row.lock is None for row in gently(rows)),
        clashing=sum(row.clashing for row in gently(rows)),
        owners=any(row.lock and row.lock.record and row.lock.record.owner for row in gently(rows)),
        claims=claim_width > 0,
        volume_width=max((len(name) for name in judged), default=0),
        claim_width=claim_width,
        by_key={row.key: row for row in gently(rows)},
        written=_written(rows),
        judged=judged,
    )


_DOUBTED = (State.HELD, State.LATE, State.WAITING)


def _written(rows: Iterable[Row]) -> dict[State, list[int]]:
    found: dict[State, list[int]] = {state_: [] for state_ in _DOUBTED}
    for row in gently(rows):
        if row.state in found and row.lock is not None and row.lock.modified_ns is not None:
            found[row.state].append(row.lock.modified_ns)
    return {state_: sorted(times) for state_, times in found.items()}


def state_now(row: Row, now: Span, timing: Timing = LONGHORN) -> State:
    """The state to show at `now`, which is later than the sweep.

    What lived when it was read and would have ended by now is in doubt, not dead: nobody has looked since.
    """
    modified = row.lock.modified_ns if row.lock else None
    if modified is None or row.state not in _DOUBTED:
        return row.state
    return State.UNSURE if now.middle - modified > timing.duration_ns else row.state


def ttl_ns(lock: LockFile | None, now: Span, timing: Timing = LONGHORN) -> int | None:
    """Nanoseconds until a lock ends unless it is refreshed, negative if it has; None where unknown."""
    if lock is None or lock.modified_ns is None or lock.flaw is Flaw.UNREADABLE:
        return None
    return lock.modified_ns + timing.duration_ns - now.middle


def attention(row: Row) -> tuple[int, int, int, str]:
    """Sort key: what needs a person comes first.

    Failed exclusion, then dead locks (those that stand beside live ones first), late ones, doubtful ones,
    unreadable ones, waiting ones, and at last those that are well: the ones that others wait for first,
    then the one that ends first.
    """
    rank = 0 if row.clashing else _RANK[row.state]
    waiting = row.standing.rivals.blocks.count if row.standing else 0
    concerned = row.together if row.state is State.STALE else waiting
    modified = row.lock.modified_ns if row.lock else None
    return rank, -concerned, modified or 0, row.key


_RANK = {
    State.STALE: 1,
    State.LATE: 2,
    State.UNSURE: 3,
    State.BAD: 4,
    State.WAITING: 5,
    State.HELD: 6,
}


def _modified(row: Row) -> tuple[bool, int, str]:
    found = row.lock.modified_ns if row.lock else None
    return found is None, found or 0, row.key


def _owner(row: Row) -> tuple[bool, str, str]:
    owner = row.lock.record.owner if row.lock and row.lock.record else None
    return owner is None, owner.host if owner else "", row.key


def _type(row: Row) -> tuple[int, str]:
    record = row.lock.record if row.lock else None
    return record.type if record else 1 << 63, row.key


SORTS: dict[str, Callable[[Row], tuple[object, ...]]] = {
    "attention": attention,
    "ttl": _modified,
    "volume": lambda row: (row.volume.name, row.key),
    "claim": lambda row: (not row.claim, row.claim, row.volume.name, row.key),
    "type": _type,
    "state": lambda row: (_RANK[row.state], row.key),
    "owner": _owner,
    "context": lambda row: (context_of(row), *attention(row)),
}
"""The orders a table can have, by name; each ends in the key, so that no two rows ever tie."""


def _place(row: Row) -> tuple[bool, int, str]:
    place = row.standing.place if row.standing else None
    return place is None, place or 0, row.key


def is_dead_request(lock: LockFile, now: Span) -> bool:
    """Whether whoever asked has died since: a request is decided 2 s after it was written."""
    return asks(lock) and now.middle - (lock.modified_ns or 0) > DEAD_REQUEST_NS


def _rows_of(view: VolumeView, now: Span, timing: Timing) -> tuple[Row, ...]:
    standings = judge(view.locks, now, timing)
    alive = sum(standing.expired is not True for standing in standings.values())
    rows = [
        Row(
            key=lock.key,
            volume=view,
            lock=lock,
            state=state(lock, now, timing),
            standing=standings[lock.key],
            together=alive - (standings[lock.key].expired is not True),
        )
        for lock in view.locks
    ]
    if view.problem:
        rows.append(Row(VOLUME_ROW + view.name, view, None, State.BAD))
    return tuple(rows)
