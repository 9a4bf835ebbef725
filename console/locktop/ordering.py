"""Rows in an order, kept from one board to the next: only what changed is put into its place.

Pure but for what it keeps. Putting 50,000 rows in order takes a fifth of a second; a few hundred that
changed, a few thousandths.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from heapq import merge
from operator import itemgetter

from backuplock.courtesy import gently
from locktop.rows import SORTS, Arranged, Board, Row

FEW = 16
"""One row in so many may have changed; of more, all are put in order anew."""


_Key = Callable[[Row], tuple[object, ...]]

RUN = 2_000
"""Rows that are put in order without a pause: a few thousandths of a second."""


class Ordering:
    """The rows of one board after the other, in one of the orders of `rows.SORTS`.

    Args:
        polite: for threads that nobody waits for: takes longer, and keeps nobody waiting.
    """

    def __init__(self, *, polite: bool = False) -> None:
        self._sorted = _sorted_politely if polite else _sorted
        self._board: Board | None = None
        self._sort = ""
        self._rows: list[Row] = []

    def arrange(self, board: Board, sort: str, *, reverse: bool = False) -> list[Row]:
        """What `filters.arrange` makes of the board's rows."""
        before = self._board
        if before is None or sort != self._sort:
            self._rows = self._sorted(board.rows, SORTS[sort])
        elif board is not before:
            self._rows = self._following(board, before, sort)
        self._board, self._sort = board, sort
        return self._rows[::-1] if reverse else list(self._rows)

    def prepare(self, board: Board, sort: str) -> None:
        """Leave the rows in this order with the board, for who shows them."""
        rows = self.arrange(board, sort)
        board.arranged[sort] = Arranged(rows, {row.key: place for place, row in enumerate(gently(rows))})

    def _following(self, board: Board, before: Board, sort: str) -> list[Row]:
        there, was = board.by_key, before.by_key
        key = SORTS[sort]
        # By identity: a row that stays as it was is the same object, and so stays where it is.
        new = [row for row in gently(board.rows) if was.get(row.key) is not row]
        if len(new) * FEW > len(board.rows):
            return self._sorted(board.rows, key)
        kept = [row for row in gently(self._rows) if there.get(row.key) is row]
        return _merged(kept, [(bisect_left(kept, key(row), key=key), row) for row in sorted(new, key=key)])


def _sorted(rows: Iterable[Row], key: _Key) -> list[Row]:
    return sorted(rows, key=key)


def _sorted_politely(rows: Iterable[Row], key: _Key) -> list[Row]:
    """As `sorted`, which lets nobody in between until it is done."""
    keyed = [(key(row), row) for row in gently(rows)]
    runs = [sorted(keyed[at : at + RUN], key=itemgetter(0)) for at in gently(range(0, len(keyed), RUN))]
    return [row for _, row in gently(merge(*runs, key=itemgetter(0)))]


def _merged(kept: list[Row], new: Sequence[tuple[int, Row]]) -> list[Row]:
    """Rows put in before the places of those that were kept; the places ascend."""
    found: list[Row] = []
    done = 0
    for place, row in new:
        found += kept[done:place]
        found.append(row)
        done = place
    return found + kept[done:]
