"""Who blocks whom in one volume, by which rule and until when, and where Longhorn itself sees it otherwise.

Pure data, derived from `backuplock.rules`; words and drawing are the console's business.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from backuplock.clock import Span
from backuplock.model import Flaw, LockFile, Operation, VolumeView
from backuplock.rules import (
    LONGHORN,
    Contender,
    Standing,
    State,
    Timing,
    Verdict,
    contender,
    judge,
    judge_as_longhorn,
    state,
    verdict_among,
    verdict_of_longhorn,
)


class Rule(enum.StrEnum):
    """Which part of Longhorn's order decides between two locks of different types."""

    ACQUIRED = "acquired"
    """The one is acquired, the other waits."""
    TIME = "time"
    """Neither or both are acquired: the earlier time comes first."""
    NAME = "name"
    """Same time: the name in the body that sorts before."""
    UNREAD = "unread"
    """The one cannot be read: it may be anything, so it counts. A rule of ours, not of Longhorn."""
    CLASH = "clash"
    """Both are acquired: neither blocks the other any more, exclusion has failed."""


class Fate(enum.StrEnum):
    """What one lock comes to, among the others of its volume."""

    IGNORED = "ignored"
    """Expired: it blocks nobody, and stays until its file is removed."""
    HOLDS = "holds"
    FAILS = "fails"
    """It waits, and will be refused because of another."""
    PASSES = "passes"
    """It waits, and nothing is in its way."""
    CLASHES = "clashes"
    COUNTS = "counts"
    """It gives no record; it counts against everybody all the same."""
    UNKNOWN = "unknown"
    """The error bar of the store's clock decides about it, or about what is in its way."""


class Difference(enum.StrEnum):
    """How Longhorn, by the clock of this machine, sees a lock otherwise than we do."""

    UNDECODABLE = "undecodable"
    """Longhorn ignores it: it cannot decode it."""
    UNREAD = "unread"
    """We did not read it. Longhorn may; if it cannot either, it ignores it. What it does is unknown."""
    ENDED_HERE = "ended by the local clock"
    """Longhorn ignores it: by this machine's clock it has expired."""
    COUNTS_HERE = "counts by the local clock"
    """Longhorn still counts it: by this machine's clock it has not expired."""


@dataclass(frozen=True, slots=True)
class Edge:
    """One lock keeps another from being granted, or (`Rule.CLASH`) holds beside it.

    `sure` is false where it cannot be told whether the blocker has expired. `ends_ns` is the store time at
    which it ends by itself if the blocker is not refreshed again; a release ends it sooner. None: unknown.
    `longhorn` is whether Longhorn, by this machine's clock, sees the edge too; None: unknown, for it may
    read a file that we do not.
    """

    blocker: str
    blocked: str
    rule: Rule
    sure: bool
    ends_ns: int | None
    longhorn: bool | None


@dataclass(frozen=True, slots=True)
class Node:
    """One lock of the tree; `number` counts them from 1 in the order in which the store ranks them, files
    without a record last."""

    number: int
    lock: LockFile
    state: State
    standing: Standing
    fate: Fate
    difference: Difference | None


@dataclass(frozen=True, slots=True)
class Tree:
    """The locks of one volume, who blocks whom, and what each operation would meet if it asked now.

    `verdicts` are ours: fail closed, on the store's clock `now`. `longhorns` are those of Longhorn on a
    machine whose clock says what this one's does. Both in the order of `Operation`. In a crowd only the
    first edges into each lock are told; `untold` is how many more there are.
    """

    volume: str
    now: Span
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    verdicts: tuple[Verdict, ...]
    longhorns: tuple[Verdict, ...]
    untold: int
    _nodes: Mapping[str, Node] = field(repr=False, compare=False)
    _into: Mapping[str, tuple[Edge, ...]] = field(repr=False, compare=False)
    _out_of: Mapping[str, tuple[Edge, ...]] = field(repr=False, compare=False)

    def node(self, key: str) -> Node:
        """The node of a lock. KeyError: there is none."""
        return self._nodes[key]

    def verdict(self, operation: Operation) -> Verdict:
        """Our verdict on one operation."""
        return next(one for one in self.verdicts if one.operation is operation)

    def longhorn(self, operation: Operation) -> Verdict:
        """Longhorn's verdict on one operation."""
        return next(one for one in self.longhorns if one.operation is operation)

    def blocked_by(self, key: str) -> tuple[Edge, ...]:
        """The edges that end at a lock."""
        return self._into.get(key, ())

    def blocking(self, key: str) -> tuple[Edge, ...]:
        """The edges that begin at a lock."""
        return self._out_of.get(key, ())


def tree_of(view: VolumeView, now: Span, *, local_now_ns: int, timing: Timing = LONGHORN) -> Tree:
    """The tree of one volume at the store time `now`; `local_now_ns` is this machine's wall clock.

    A volume that could not be read (`view.problem`) gives verdicts of None, Longhorn's as well as ours:
    nothing is proved free.
    """
    ours = judge(view.locks, now, timing)
    theirs = judge_as_longhorn(view.locks, local_now_ns, timing)
    ordered = sorted(view.locks, key=lambda lock: (ours[lock.key].place is None, ours[lock.key].place or 0))
    nodes = tuple(
        Node(
            number,
            lock,
            state(lock, now, timing),
            ours[lock.key],
            _fate(lock, ours[lock.key]),
            _difference(lock, ours[lock.key], theirs[lock.key]),
        )
        for number, lock in enumerate(ordered, start=1)
    )
    edges = tuple(_edges(ordered, ours, theirs))
    return Tree(
        volume=view.name,
        now=now,
        nodes=nodes,
        edges=edges,
        untold=_pairs(ours) - len(edges),
        _nodes={node.lock.key: node for node in nodes},
        _into=_grouped(edges, lambda edge: edge.blocked),
        _out_of=_grouped(edges, lambda edge: edge.blocker),
        verdicts=verdicts_of(view, ours),
        longhorns=tuple(
            _unless_unread(
                view,
                verdict_of_longhorn(
                    view.locks, operation, store_now_ns=now.middle, local_now_ns=local_now_ns, timing=timing
                ),
            )
            for operation in Operation
        ),
    )


def verdicts_of(view: VolumeView, ours: Mapping[str, Standing]) -> tuple[Verdict, ...]:
    """Our verdicts on each operation, in the order of `Operation`; `ours` are all its locks as `judge` sees
    them."""
    return tuple(_unless_unread(view, verdict_among(view.locks, ours, operation)) for operation in Operation)


def rule_between(first: Contender | None, second: Contender | None) -> Rule:
    """The rule by which `first` comes before `second`; None stands for a file without a record."""
    if first is None or second is None:
        return Rule.UNREAD
    if first.acquired and second.acquired:
        return Rule.CLASH
    if first.acquired != second.acquired:
        return Rule.ACQUIRED
    return Rule.TIME if first.modified_ns != second.modified_ns else Rule.NAME


def _grouped(edges: Iterable[Edge], by: Callable[[Edge], str]) -> dict[str, tuple[Edge, ...]]:
    found: dict[str, list[Edge]] = {}
    for edge in edges:
        found.setdefault(by(edge), []).append(edge)
    return {key: tuple(group) for key, group in found.items()}


def _unless_unread(view: VolumeView, found: Verdict) -> Verdict:
    """A verdict that is not taken for free if the volume, or a part of it, could not be read."""
    return Verdict(found.operation, None) if view.problem and found.granted else found


def _edges(
    ordered: list[LockFile], ours: Mapping[str, Standing], theirs: Mapping[str, Standing]
) -> list[Edge]:
    seen = {lock.key: contender(lock) for lock in ordered}
    found: list[Edge] = []
    for lock in ordered:
        standing = ours[lock.key]
        for rule, blockers in (
            (None, standing.blocked_by),
            # Of a pair that clashes the earlier one is told, once.
            (Rule.CLASH, _before(lock.key, standing.clashes, ours)),
        ):
            found.extend(
                Edge(
                    blocker=blocker,
                    blocked=lock.key,
                    rule=rule or rule_between(seen[blocker], seen[lock.key]),
                    sure=ours[blocker].expired is False and standing.expired is False,
                    ends_ns=ours[blocker].ends_ns,
                    longhorn=_sees(theirs[blocker], theirs[lock.key]),
                )
                for blocker in blockers
            )
    return found


def _sees(blocker: Standing, blocked: Standing) -> bool | None:
    """Whether Longhorn sees an edge of ours: if both count for it, for types and order are the same."""
    if blocked.expired is True:
        return False
    return None if blocker.may_stop else bool(blocker.stops)


def _pairs(ours: Mapping[str, Standing]) -> int:
    """All edges that there are, told or not."""
    blocked = sum(one.rivals.blocked_by.count for one in ours.values())
    clashes = sum(one.rivals.clashes.count for one in ours.values())
    return blocked + clashes // 2


def _before(key: str, others: tuple[str, ...], ours: Mapping[str, Standing]) -> tuple[str, ...]:
    place = ours[key].place or 0
    return tuple(other for other in others if (ours[other].place or 0) < place)


def _fate(lock: LockFile, mine: Standing) -> Fate:
    if mine.expired is True:
        return Fate.IGNORED
    if mine.clashes:
        return Fate.CLASHES
    if lock.record is None:
        return Fate.COUNTS if mine.expired is False or lock.flaw is Flaw.UNREADABLE else Fate.UNKNOWN
    if mine.expired is None:
        return Fate.UNKNOWN
    if lock.record.acquired:
        return Fate.HOLDS
    if not mine.blocked_by:
        return Fate.PASSES
    return Fate.FAILS if mine.rivals.surely else Fate.UNKNOWN


def _difference(lock: LockFile, ours: Standing, theirs: Standing) -> Difference | None:
    if lock.flaw is Flaw.UNDECODABLE:
        return Difference.UNDECODABLE if ours.stops else None
    if theirs.may_stop or (lock.flaw is not None and ours.stops):
        return Difference.UNREAD
    if ours.expired is True and theirs.expired is False:
        return Difference.COUNTS_HERE
    if ours.expired is not True and theirs.expired is True:
        return Difference.ENDED_HERE
    return None
