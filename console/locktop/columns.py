"""The columns of the locks table: what each shows, and which of them a width has room for.

Pure: a row and the time in, text and tones out. Cells are made for visible lines only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from backuplock.clock import SECOND, Span
from backuplock.rules import State
from locktop.format import (
    Glyphs,
    Part,
    age,
    countdown,
    fit,
    name,
    owner_label,
    stops_label,
    type_label,
    utc_near,
)
from locktop.rows import UNCERTAIN_NS, Row, state_now, ttl_ns

MARGIN = 3
"""Cells before the first column: cursor, state glyph and the blanks around them."""
GAP = 2
"""Cells between columns."""
LONG_ID, SHORT_ID = 40, 10
"""Cells of a volume id of Kubernetes' making, and those that are left of one at the very least."""


@dataclass(frozen=True, slots=True)
class Ctx:
    """What cells need beside the row. `claims_first`: names people know stand in place of volume ids."""

    glyphs: Glyphs
    now: Span
    claims_first: bool = False

    @property
    def uncertain(self) -> bool:
        """Whether countdowns are approximate."""
        return self.now.error_ns > UNCERTAIN_NS


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its heading, its width, how to make a cell.

    `least` is the width below which it is dropped; `most` its natural width, unless the widest name on the
    board says otherwise (`elastic`). `keeps` is what must be left for VOLUME, and for elastic
    columns to grow, if this column is to appear, where volume ids are as long as Kubernetes makes them.
    """

    id: str
    title: str
    cell: Callable[[Row, Ctx], Part]
    least: int
    most: int
    keeps: int = 20
    elastic: bool = False
    middle: bool = False
    right: bool = False


def _volume(row: Row, ctx: Ctx) -> Part:
    return (name((ctx.claims_first and row.claim) or row.volume.name), "text")


def _claim(row: Row, ctx: Ctx) -> Part:
    if ctx.claims_first:
        return (name(row.volume.name), "dim") if row.claim else ("", "dim")
    return (name(row.claim) or "-", "dim")


def _ttl(row: Row, ctx: Ctx) -> Part:
    left = ttl_ns(row.lock, ctx.now)
    if left is None:
        return ("?" if row.lock else "-", "dim")
    # From an hour on the error is below what is shown.
    mark = "~" if ctx.uncertain and abs(left) < 3_600 * SECOND else ""
    state = state_now(row, ctx.now)
    return (mark + countdown(left), state.value if state in _COLOURED else "text")


def _age(row: Row, ctx: Ctx) -> Part:
    modified = row.lock.modified_ns if row.lock else None
    return (age(ctx.now.middle - modified) if modified is not None else "-", "dim")


def _type(row: Row, ctx: Ctx) -> Part:
    return (type_label(row.lock.record) if row.lock else "-", "text")


def _state(row: Row, ctx: Ctx) -> Part:
    state = state_now(row, ctx.now)
    return (state.value.upper(), state.value if state in _COLOURED else "text")


def _blocks(row: Row, ctx: Ctx) -> Part:
    if row.lock is None:
        return ("unknown", "bad")
    if row.clashing:
        return ("FAILED to exclude", "alert")
    stops = stops_label(row)
    waits = row.standing.rivals.blocks.count if row.standing else 0
    if waits:
        # The count stands first: it must not be what a narrow screen cuts off.
        return (f"{ctx.glyphs.states[State.WAITING]}{waits} {stops}", "waiting")
    return (stops, "dim" if stops == "-" else "text")


def _owner(row: Row, ctx: Ctx) -> Part:
    return (owner_label(row.lock), "dim")


def _lock(row: Row, ctx: Ctx) -> Part:
    return (name(row.name) or "-", "dim")


def _refresh(row: Row, ctx: Ctx) -> Part:
    modified = row.lock.modified_ns if row.lock else None
    return (utc_near(modified, ctx.now.middle) if modified is not None else "-", "dim")


_COLOURED = (State.STALE, State.LATE, State.UNSURE, State.BAD, State.WAITING)

COLUMNS: tuple[Column, ...] = (
    Column("volume", "VOLUME", _volume, 16, 40, elastic=True, middle=True),
    Column("claim", "CLAIM", _claim, 16, 30, keeps=36, elastic=True, middle=True),
    Column("type", "TYPE", _type, 8, 8, keeps=16),
    Column("state", "STATE", _state, 7, 7, keeps=42),
    Column("ttl", "TTL", _ttl, 7, 7, keeps=0, right=True),
    Column("owner", "OWNER", _owner, 14, 22, keeps=52),
    Column("age", "AGE", _age, 7, 7, keeps=52, right=True),
    Column("lock", "LOCK", _lock, 21, 21, keeps=54, middle=True),
    Column("refresh", "LAST REFRESH", _refresh, 12, 12, keeps=54),
    Column("blocks", "BLOCKS NOW", _blocks, 15, 18, keeps=18),
)
"""From left to right."""

PRIORITY = ("volume", "ttl", "type", "blocks", "claim", "state", "owner", "age", "lock", "refresh")
"""Who stays when room is short, most important first."""

GROWTH = ("volume", "blocks", "claim", "owner")
"""Who gets the room that is left over."""

Layout = tuple[tuple[Column, int], ...]


def fit_columns(width: int, wanted: Mapping[str, int], hidden: frozenset[str] = frozenset()) -> Layout:
    """The columns that `width` cells have room for, each with its width.

    `wanted` gives the natural width of elastic columns, `hidden` names columns that have nothing to show.
    """
    columns = {column.id: column for column in COLUMNS if column.id not in hidden}
    natural = {
        id_: max(len(column.title), min(wanted.get(id_, column.most), 64)) if column.elastic else column.most
        for id_, column in columns.items()
    }
    sizes = {"volume": 0}
    left = width - MARGIN
    for id_ in PRIORITY[1:]:
        column = columns.get(id_)
        if column is None:
            continue
        least = min(column.least, natural[id_])
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


def heading(layout: Layout, ctx: Ctx, sort: str, *, reverse: bool) -> list[Part]:
    """The line above the rows; the column that orders them is marked."""
    parts: list[Part] = [(" " * MARGIN, "dim")]
    for column, width in layout:
        title = column.title
        if ctx.claims_first and column.id in ("volume", "claim"):
            title = "CLAIM, OR VOLUME" if column.id == "volume" else "VOLUME"
        sorted_by = column.id == sort
        if sorted_by:
            arrow = ctx.glyphs.down if reverse else ctx.glyphs.up
            title = f"{title} {arrow}"
        parts.append((fit(title, width, ellipsis="", right=column.right), "key" if sorted_by else "dim"))
        parts.append((" " * GAP, "dim"))
    return parts


def row_parts(row: Row, layout: Layout, ctx: Ctx, *, cursor: bool = False) -> list[Part]:
    """One row of the table."""
    state = state_now(row, ctx.now)
    tone = "alert" if row.clashing else state.value
    parts: list[Part] = [
        (ctx.glyphs.cursor if cursor else " ", "key"),
        (f"{ctx.glyphs.states[state]} ", tone),
    ]
    strong = cursor or state in (State.STALE, State.LATE) or row.clashing
    for column, width in layout:
        text, ink = column.cell(row, ctx)
        if column.id == "volume" and strong:
            ink = "strong"
        cell = fit(text, width, ellipsis=ctx.glyphs.ellipsis, middle=column.middle, right=column.right)
        parts.append((cell, ink))
        parts.append((" " * GAP, "text"))
    return parts


def natural_widths(rows: Sequence[Row]) -> dict[str, int]:
    """How wide the names on a board are: one pass a Snapshot."""
    volume = max((len(row.volume.name) for row in rows), default=0)
    claim = max((len(row.claim) for row in rows), default=0)
    return {"volume": volume, "claim": claim}
