"""Which rows a person asked to see, and in which order.

Pure: rows in, rows out. A filter is a text; a row matches if the text stands anywhere in what the row shows
or is known by, upper and lower case alike; several words must all match.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from backuplock.text import printable
from locktop.format import NAME_LIMIT, owner_label, type_label, type_words
from locktop.rows import SORTS, Board, Row


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
    )
    # The words of a filter hold no blanks: none matches across two fields.
    return printable(" ".join(fields), limit=len(fields) * NAME_LIMIT).casefold()


class Filter:
    """Matches rows against a text; keeps the searched text of rows that stay as they were.

    Args:
        text: what to look for; empty matches all.
    """

    def __init__(self) -> None:
        self.text = ""
        self._known: dict[int, tuple[Row, str]] = {}

    def apply(self, rows: Iterable[Row]) -> list[Row]:
        """The rows that match, in the given order."""
        words = self.text.casefold().split()
        if not words:
            self._known = {}
            return list(rows)
        known = self._known
        fresh: dict[int, tuple[Row, str]] = {}
        found = []
        for row in rows:
            # By identity: an unchanged row is the same object from one Snapshot to the next.
            kept = known.get(id(row)) or (row, haystack(row))
            fresh[id(row)] = kept
            if all(word in kept[1] for word in words):
                found.append(row)
        self._known = fresh
        return found


def arrange(rows: Iterable[Row], sort: str, *, reverse: bool = False) -> list[Row]:
    """Rows in one of the orders of `rows.SORTS`."""
    return sorted(rows, key=SORTS[sort], reverse=reverse)


def held_still(shown: Sequence[str], board: Board, sort: str, *, reverse: bool = False) -> list[Row]:
    """The rows of a new board in the order that is on the screen: nothing moves under a person's hands.

    Rows that vanished are left out, new ones follow at the end in their own order.
    """
    before = set(shown)
    kept = [board.by_key[key] for key in shown if key in board.by_key]
    new = [row for row in board.rows if row.key not in before]
    return kept + arrange(new, sort, reverse=reverse)
