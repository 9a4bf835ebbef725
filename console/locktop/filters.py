"""Which rows a person asked to see, and in which order.

Pure: rows in, rows out. What a filter may say stands in `locktop.query`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from backuplock.clock import Span
from backuplock.rules import State
from backuplock.text import printable
from locktop.broken_rows import is_gone
from locktop.format import NAME_LIMIT, owner_label, type_label, type_words
from locktop.query import Query, understand
from locktop.rows import SORTS, Board, Row, context_of


def haystack(row: Row) -> str:
    """Everything a filter searches of a row: volume, names people know, type, state, lock, owner."""
    names = row.volume.names
    record = row.lock.record if row.lock else None
    fields = (
        row.volume.name,
        row.claim,
        names.workload if names else "",
        names.backing_image if names else "",
        type_label(record),
        type_words(record),
        row.state.value,
        row.name,
        owner_label(row.lock),
        row.lock.flaw.value if row.lock and row.lock.flaw else "",
        "ghost" if row.volume.ghost else "",
        "broken" if is_gone(row) else "",
        context_of(row),
    )
    # Nothing that can be typed matches across two fields.
    return "\x00".join(printable(field, limit=NAME_LIMIT) for field in fields).casefold()


class Filter:
    """Matches rows against a filter; keeps the searched text of rows that stay as they were.

    Terms that cannot be meant are left out, and `problem` says why: while somebody types, the rest holds.
    """

    def __init__(self) -> None:
        self.problem = ""
        """What is wrong with the text, one printable line; empty while nothing is."""
        self._text = ""
        self._query = Query("")
        self._known: dict[int, tuple[Row, str]] = {}

    @property
    def text(self) -> str:
        """What was typed."""
        return self._text

    @text.setter
    def text(self, text: str) -> None:
        self._text = text
        self._query, self.problem = understand(text)

    @property
    def narrows(self) -> bool:
        """Whether it asks for anything."""
        return not self._query.everything

    @property
    def good(self) -> str:
        """The part of the text that is in force."""
        return self._query.text

    def apply(self, rows: Sequence[Row], now: Span) -> Sequence[Row]:
        """The rows that match, in the given order; `now` is the time that they were judged at."""
        query = self._query
        if query.everything:
            self._known = {}
            return rows
        known = self._known
        fresh: dict[int, tuple[Row, str]] = {}
        found = []
        for row in rows:
            # By identity: an unchanged row is the same object from one Snapshot to the next.
            kept = known.get(id(row)) or (row, haystack(row) if query.words else "")
            if query.words and not kept[1]:
                kept = (row, haystack(row))
            fresh[id(row)] = kept
            if query.fits(row, kept[1], self.now_of(row, now)):
                found.append(row)
        self._known = fresh
        return found

    def now_of(self, _row: Row, now: Span) -> Span:
        """The time that a row was judged at."""
        return now


def narrowed(board: Board, query: Query) -> Board:
    """A board with the rows that fit; volumes that could not be read stay."""
    kept = [row for row in board.rows if row.lock is None or query.fits(row, haystack(row), board.now)]
    return replace(board, rows=tuple(kept))


def arrange(rows: Iterable[Row], sort: str, *, reverse: bool = False) -> list[Row]:
    """Rows in one of the orders of `rows.SORTS`."""
    return sorted(rows, key=SORTS[sort], reverse=reverse)


def held_still(shown: Sequence[str], board: Board, sort: str, *, reverse: bool = False) -> list[Row]:
    """The rows of a new board in the order that is on the screen: nothing moves under a person's hands.

    Rows that vanished are left out, new ones follow at the end in their own order.
    """
    there = board.by_key
    kept = [row for row in map(there.get, shown) if row is not None]
    new = [there[key] for key in there.keys() - set(shown)]
    return kept + arrange(new, sort, reverse=reverse)


def next_match(rows: Sequence[Row], key: str, wanted: Filter, board: Board | None, by: int) -> Row | None:
    """The next row after the one called `key`, or with `by` -1 the one before, that fits; past the ends it
    goes on at the other. Where nothing is wanted, those fit that need attention."""
    if board is None:
        return None
    if wanted.narrows:
        fit = wanted.apply(rows, board.now)
    else:
        fit = [row for row in rows if (row.clashing or row.state is not State.HELD) and not is_gone(row)]
    places = {row.key: place for place, row in enumerate(rows)}
    here = places.get(key, -1)
    if by > 0:
        after = [row for row in fit if places[row.key] > here]
        return after[0] if after else fit[0] if fit else None
    before = [row for row in fit if places[row.key] < here]
    return before[-1] if before else fit[-1] if fit else None
