"""A Snapshot as a table for people: what needs attention first, cut to the terminal's width.

Away from a terminal nothing is cut: columns are aligned, and a cell too long for its column pushes its own
line only.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.text import Text

from backuplock.clock import SECOND
from backuplock.model import VolumeView
from backuplock.rules import State
from backuplock.text import elapsed, ellipsize_middle, printable
from locktop.format import UNICODE, Glyphs, countdown, owner_label, plural, stops_label, type_label
from locktop.rows import UNCERTAIN_NS, Board, Row, attention, ttl_ns

COLUMN_CAP = 64
"""Cells to which a column is widened by its longest entry."""

_STYLES = {
    State.HELD.value: "#56B4E9",
    State.WAITING.value: "#F0E442",
    State.LATE.value: "#E69F00",
    State.STALE.value: "bold #D55E00",
    State.BAD.value: "#CC79A7",
    State.UNSURE.value: "#CC79A7",
    "unread": "#CC79A7",
}


@dataclass(frozen=True, slots=True)
class _Column:
    """A column: `rank` says when it is given up for want of width (the highest first, 0 never), `least` to
    how many cells it may be shortened in its middle; 0: not at all."""

    title: str
    rank: int
    right: bool = False
    least: int = 0

    @property
    def elastic(self) -> bool:
        return self.least > 0


_COLUMNS = (
    _Column("STATE", 0),
    _Column("VOLUME", 0, least=12),
    _Column("CLAIM", 4, least=12),
    _Column("TYPE", 2),
    _Column("TTL", 1, right=True),
    _Column("AGE", 5, right=True),
    _Column("BLOCKS", 3, least=12),
    _Column("OWNER", 6),
    # The names that Longhorn gives stay whole.
    _Column("LOCK", 7, least=21),
)
_GAP = "  "


def lines(
    board: Board, *, width: int | None = None, everything: bool = False, glyphs: Glyphs = UNICODE
) -> list[Text]:
    """The table, a styled line each, the header first; empty if there is nothing to show.

    Args:
        width: cells of the terminal; None keeps everything.
        everything: also volumes without locks, and leftovers.
        glyphs: what is put where something was cut.
    """
    rows = [_lock(row, board) for row in sorted(board.rows, key=attention) if row.lock is not None]
    for volume in board.snapshot.volumes:
        rows.extend(_volume(volume, everything=everything))
    if not rows:
        return []
    titles = [column.title for column in _COLUMNS]
    widths = _widths([titles, *rows])
    shown = list(range(len(_COLUMNS)))
    if width is not None:
        shown, widths = _fit(shown, widths, width)
    return [
        _line(cells, shown, widths, ellipsis=glyphs.ellipsis if width is not None else None)
        for cells in [titles, *rows]
    ]


def summary(board: Board, glyphs: Glyphs = UNICODE) -> str:
    """One line beside the table: how many locks of which state, and how far the times can be trusted."""
    snapshot = board.snapshot
    states = Counter(row.state for row in board.rows if row.lock is not None)
    counts = ", ".join(f"{states[state]:,} {state.value}" for state in State if states[state])
    skew, error = snapshot.clock.skew(wall_ns=snapshot.taken_wall_ns, mono_ns=snapshot.ended_mono_ns)
    volumes = plural(len(snapshot.volumes), "volume")
    found = f"{plural(len(snapshot.by_key), 'lock')} on {board.locked:,} of {volumes}"
    bar = f"{glyphs.plus_minus} {_tenths(error):.1f} s"
    clock = f"store clock {_tenths(skew):+.1f} s {bar} ({snapshot.clock.source})"
    return "; ".join(part for part in (found, counts, clock) if part)


def _tenths(ns: int) -> float:
    # Adding zero turns a negative zero into a plain one.
    return round(ns / SECOND, 1) + 0.0


def _lock(row: Row, board: Board) -> list[str]:
    lock, standing, ttl = row.lock, row.standing, ttl_ns(row.lock, board.now)
    # Without spaces, as the other words of the table: people cut columns out with awk.
    blocks = stops_label(row).replace(", ", ",")
    if standing is not None and standing.expired is None and standing.stops:
        blocks = f"perhaps {blocks}"
    if standing is not None and standing.blocks:
        blocks += f" (+{standing.rivals.blocks.count} waiting)"
    if row.clashing:
        blocks += " CLASH"
    if lock is not None and lock.flaw is not None:
        blocks += f" ({lock.flaw.value})"
    about = "~" if board.now.error_ns > UNCERTAIN_NS else ""
    aged = lock is not None and lock.modified_ns is not None
    names = row.volume.names
    cells = [
        row.state.value,
        row.volume.name,
        row.claim or (names.backing_image if names else "") or "-",
        type_label(lock.record if lock else None),
        "?" if ttl is None else about + countdown(ttl),
        about + elapsed(board.now.middle - (lock.modified_ns or 0)) if lock and aged else "?",
        blocks,
        owner_label(lock),
        row.name,
    ]
    return [printable(cell) for cell in cells]


def _volume(volume: VolumeView, *, everything: bool) -> list[list[str]]:
    rows: list[list[str]] = []
    if volume.problem:
        rows.append(_row("unread", volume, f"unknown: {volume.problem}"))
    elif everything and not volume.locks:
        rows.append(_row("ghost" if volume.ghost else "unlocked", volume, "-"))
    if everything:
        rows.extend(
            _row("leftover", volume, "-", lock=one.key.rpartition("/")[2]) for one in volume.leftovers
        )
    return rows


def _row(kind: str, volume: VolumeView, blocks: str, lock: str = "-") -> list[str]:
    names = volume.names
    claim = (names.claim_path or names.backing_image) if names else ""
    cells = [kind, volume.name, claim or "-", "-", "-", "-", blocks, "-", lock]
    return [printable(cell) for cell in cells]


def _widths(table: Sequence[Sequence[str]]) -> list[int]:
    return [
        max(min(cell_len(row[at]), COLUMN_CAP) if n else cell_len(row[at]) for n, row in enumerate(table))
        for at in range(len(_COLUMNS))
    ]


def _fit(shown: list[int], widths: list[int], width: int) -> tuple[list[int], list[int]]:
    """Give up columns, then shorten elastic ones, until a line fits."""

    def least(at: int) -> int:
        return min(widths[at], _COLUMNS[at].least or widths[at])

    def total(cells: list[int]) -> int:
        return sum(cells) + len(_GAP) * (len(cells) - 1)

    # The volume keeps 24 cells as long as there is a less important column to give up.
    while total([max(least(at), min(widths[at], 24 if at == 1 else 0)) for at in shown]) > width:
        victim = max(shown, key=lambda at: _COLUMNS[at].rank)
        if _COLUMNS[victim].rank == 0:
            break
        shown = [at for at in shown if at != victim]
    fitted = list(widths)
    for at in sorted((at for at in shown if _COLUMNS[at].elastic), key=lambda at: -_COLUMNS[at].rank):
        over = total([fitted[each] for each in shown]) - width
        if over > 0:
            fitted[at] = max(least(at), fitted[at] - over)
    return shown, fitted


def _line(cells: Sequence[str], shown: Sequence[int], widths: Sequence[int], *, ellipsis: str | None) -> Text:
    line = Text(no_wrap=True, end="")
    for place, at in enumerate(shown):
        column, cell = _COLUMNS[at], cells[at]
        if ellipsis is not None:
            cell = _shortened(cell, widths[at], ellipsis)
        pad = " " * max(0, widths[at] - cell_len(cell))
        last = place == len(shown) - 1
        style = "bold" if cells[0] == "STATE" else _STYLES.get(cell, "") if at == 0 else ""
        padded = pad + cell if column.right else cell if last else cell + pad
        line.append(padded, style=style)
        if not last:
            line.append(_GAP)
    return line


def _shortened(cell: str, width: int, ellipsis: str) -> str:
    """At most `width` cells: characters may be two cells wide."""
    keep = width
    while cell_len(cell) > width and keep > 0:
        cell, keep = ellipsize_middle(cell, keep, ellipsis), keep - 1
    return cell
