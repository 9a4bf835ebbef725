"""Which columns of the locks table a width has room for, and how wide each of them is.

Pure: widths in, widths out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from locktop.broken_rows import WATCH_CELLS, BrokenRow
from locktop.columns import COLUMNS, EXTRA, GAP, LONG_ID, MARGIN, SHORT_ID, Layout
from locktop.rows import Board, Row

PRIORITY = (
    *("volume", "ttl", "type", "context", "blocks"),
    # Whoever wants these wants them more than the rest.
    *("life", "refreshes", "seen"),
    *("claim", "state", "owner", "age", "lock", "refresh"),
)
"""Who stays when room is short, most important first."""

GROWTH = ("volume", "blocks", "claim", "owner")
"""Who gets the room that is left over."""


def fit_columns(width: int, wanted: Mapping[str, int], hidden: frozenset[str] = EXTRA) -> Layout:
    """The columns that `width` cells have room for, each with its width.

    `wanted` gives the natural width of elastic columns, and of others that need more than they have by
    themselves; `hidden` names columns that have nothing to show.
    """
    columns = {column.id: column for column in COLUMNS if column.id not in hidden}
    natural = _natural(wanted, hidden)
    sizes = {"volume": 0}
    left = width - MARGIN
    for id_ in PRIORITY[1:]:
        column = columns.get(id_)
        if column is None:
            continue
        least = min(column.least, natural[id_]) if column.elastic else max(column.least, wanted.get(id_, 0))
        keeps = column.keeps - max(0, LONG_ID - natural["volume"])
        if left - least - GAP < max(keeps, SHORT_ID):
            # Less important columns do not slip in where a more important one found no room.
            break
        sizes[id_] = least
        left -= least + GAP
    sizes["volume"] = max(0, min(left, natural["volume"]))
    left -= sizes["volume"]
    for id_ in GROWTH:
        more = max(0, min(left, natural.get(id_, 0) - sizes[id_])) if id_ in sizes else 0
        if more:
            sizes[id_] += more
            left -= more
    return tuple((column, sizes[column.id]) for column in columns.values() if column.id in sizes)


@dataclass(frozen=True, slots=True)
class Wish:
    """Which columns a person wants: without `hidden` ones, and if `wide` all others at their full width, the
    first `skipped` of those beside VOLUME out of sight at the left."""

    hidden: frozenset[str] = EXTRA
    wide: bool = False
    skipped: int = 0


def lay_out(width: int, wanted: Mapping[str, int], wish: Wish) -> Layout:
    """The columns to show; `wanted` is as in `fit_columns`."""
    if not wish.wide:
        return fit_columns(width, wanted, wish.hidden)
    volume, *others = (column for column in COLUMNS if column.id not in wish.hidden)
    sizes = _natural(wanted, wish.hidden)
    first = min(sizes[volume.id], max(SHORT_ID, width // 2))
    left = width - MARGIN - first
    shown = [(volume, first)]
    for column in others[wish.skipped :]:
        # Half a number would be another number.
        size = min(sizes[column.id], max(column.least, left - GAP)) if column.elastic else sizes[column.id]
        if left < size + GAP:
            break
        shown.append((column, size))
        left -= size + GAP
    return tuple(shown)


def most_skipped(width: int, wanted: Mapping[str, int], wish: Wish) -> int:
    """How many columns may be out of sight at the left: the last ones then fill the screen."""
    total = sum(column.id not in wish.hidden for column in COLUMNS) - 1
    for skipped in range(total):
        if len(lay_out(width, wanted, Wish(wish.hidden, True, skipped))) - 1 >= total - skipped:
            return skipped
    return max(0, total - 1)


def _natural(wanted: Mapping[str, int], hidden: frozenset[str]) -> dict[str, int]:
    return {
        column.id: max(len(column.title), min(wanted.get(column.id, column.most), 64))
        if column.elastic
        else max(column.most, wanted.get(column.id, 0))
        for column in COLUMNS
        if column.id not in hidden
    }


def widths_on(board: Board | None, rows: Sequence[Row]) -> dict[str, int]:
    """How wide the names of these rows of a board are; those of all its rows it knows itself."""
    # Rows of broken locks stand at the end of a board.
    if board is None or len(rows) != len(board.rows) or (rows and isinstance(board.rows[-1], BrokenRow)):
        return natural_widths(rows)
    return {"volume": board.volume_width, "claim": board.claim_width, "ttl": 0}


def natural_widths(rows: Sequence[Row]) -> dict[str, int]:
    """How wide the names of rows are."""
    volume = max((len(row.volume.name) for row in rows), default=0)
    claim = max((len(row.claim) for row in rows), default=0)
    broken = any(isinstance(row, BrokenRow) for row in rows)
    return {"volume": volume, "claim": claim, "ttl": WATCH_CELLS if broken else 0}
