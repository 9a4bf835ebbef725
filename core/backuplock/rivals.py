"""Who stands in whose way among the locks of one volume, without comparing every pair.

Whoever can write a folder can fill it with thousands of files, each of a type of its own; so pairs are
counted by bisection, and only the first of them are named. The order is that of Longhorn's locks.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

_Rank = tuple[bool, int, str]

MOST_NAMED = 100
"""Rivals of one lock that are named at most."""
_FEWEST_NAMED = 4
_NAMED_IN_ALL = 20_000
"""Rivals that are named of all locks of a volume together, about; a crowd is told by numbers."""


@dataclass(frozen=True, slots=True)
class Entrant:
    """A lock that counts. `rank` sorts it (acquired ones first); None for a file without a record, which is
    in everybody's way. `sure`: it surely counts."""

    key: str
    type: int
    rank: _Rank | None
    sure: bool = True

    @property
    def acquired(self) -> bool:
        """Whether it holds, and does not just wait."""
        return self.rank is not None and not self.rank[0]


@dataclass(frozen=True, slots=True)
class Named:
    """The first of some rivals in their order, and how many more there are."""

    keys: tuple[str, ...] = ()
    more: int = 0

    @property
    def count(self) -> int:
        """All of them."""
        return len(self.keys) + self.more


@dataclass(frozen=True, slots=True)
class Rivalry:
    """Whom a lock keeps from being granted, who keeps it (`surely`: one that surely counts), and who is
    acquired beside it though of another type."""

    blocks: Named = Named()
    blocked_by: Named = Named()
    clashes: Named = Named()
    surely: bool = False


NOBODY = Rivalry()


def named_each(locks: int) -> int:
    """How many rivals are named of each of so many locks."""
    return max(_FEWEST_NAMED, min(MOST_NAMED, _NAMED_IN_ALL // max(1, locks)))


def rivalries(entrants: Sequence[Entrant]) -> dict[str, Rivalry]:
    """The rivalry of each lock, by key; of types that differ, for equal ones never exclude each other."""
    if len(entrants) < 2:
        return {one.key: NOBODY for one in entrants}
    flawed = [one for one in entrants if one.rank is None]
    ranked = [one for one in entrants if one.rank is not None]
    most = named_each(len(entrants))
    order = _Order(ranked, most)
    holding = _Order([one for one in ranked if one.acquired], most)
    waiting = _Order([one for one in ranked if not one.acquired], most)
    found = {one.key: _of_flawed(waiting) for one in flawed}
    for one in ranked:
        if one.acquired:
            found[one.key] = Rivalry(blocks=waiting.after(one), clashes=holding.others(one))
        else:
            found[one.key] = _of_waiting(one, order, waiting, flawed)
    return found


def _of_waiting(one: Entrant, order: _Order, waiting: _Order, flawed: Sequence[Entrant]) -> Rivalry:
    before = order.before(one)
    room = order.most - len(before.keys)
    keys = (*before.keys, *(other.key for other in flawed[:room]))
    more = before.more + max(0, len(flawed) - room)
    surely = any(other.sure for other in flawed) or order.surely_before(one)
    return Rivalry(blocks=waiting.after(one), blocked_by=Named(keys, more), surely=surely)


def _of_flawed(waiting: _Order) -> Rivalry:
    keys = tuple(one.key for one in waiting.entrants[: waiting.most])
    return Rivalry(blocks=Named(keys, len(waiting.entrants) - len(keys)))


class _Order:
    """Locks with records in their order."""

    def __init__(self, entrants: Sequence[Entrant], most: int) -> None:
        self.most = most
        self.entrants = sorted(entrants, key=_place)
        self._ranks = [_rank(one) for one in self.entrants]
        self._of_type: dict[int, list[_Rank]] = {}
        # Of the surely counting ones the first, and the first of another type than that.
        self._first: list[Entrant] = []
        for one in self.entrants:
            self._of_type.setdefault(one.type, []).append(_rank(one))
            if one.sure and len(self._first) < 2 and (not self._first or self._first[0].type != one.type):
                self._first.append(one)
        self._next_type = _next_types(self.entrants)

    def before(self, one: Entrant) -> Named:
        """Those of another type that rank before it."""
        rank = _rank(one)
        count = bisect_left(self._ranks, rank) - bisect_left(self._of_type.get(one.type, []), rank)
        return self._named(one, 0, count)

    def after(self, one: Entrant) -> Named:
        """Those of another type that rank after it."""
        rank = _rank(one)
        same = self._of_type.get(one.type, [])
        start = bisect_right(self._ranks, rank)
        count = len(self._ranks) - start - (len(same) - bisect_right(same, rank))
        return self._named(one, start, count)

    def others(self, one: Entrant) -> Named:
        """All of another type."""
        return self._named(one, 0, len(self._ranks) - len(self._of_type.get(one.type, [])))

    def surely_before(self, one: Entrant) -> bool:
        """Whether one of another type that surely counts ranks before it."""
        rank = _rank(one)
        return any(first.type != one.type and _rank(first) < rank for first in self._first)

    def _named(self, one: Entrant, start: int, count: int) -> Named:
        wanted = min(count, self.most)
        keys: list[str] = []
        for other in self._of_another_type(one.type, start):
            if len(keys) >= wanted:
                break
            keys.append(other.key)
        return Named(tuple(keys), count - len(keys))

    def _of_another_type(self, type_: int, start: int) -> Iterator[Entrant]:
        at = start
        while at < len(self.entrants):
            if self.entrants[at].type == type_:
                at = self._next_type[at]
            else:
                yield self.entrants[at]
                at += 1


def _next_types(entrants: Sequence[Entrant]) -> list[int]:
    """For each place the next one of another type: what makes a long run of one type be passed at once."""
    found = [len(entrants)] * len(entrants)
    for at in range(len(entrants) - 2, -1, -1):
        same = entrants[at].type == entrants[at + 1].type
        found[at] = found[at + 1] if same else at + 1
    return found


def _rank(one: Entrant) -> _Rank:
    assert one.rank is not None
    return one.rank


def _place(one: Entrant) -> tuple[_Rank, str]:
    return _rank(one), one.key
