"""The columns of the locks table: what each shows.

Pure: a row and the time in, text and tones out. Cells are made for visible lines only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from backuplock.clock import SECOND, Span
from backuplock.liveness import Doubt, Life, liveness
from backuplock.rules import State
from backuplock.text import elapsed
from backuplock.watch import Track
from locktop.badge import NO_BADGE, Badge
from locktop.broken_rows import MARK as BROKEN_MARK
from locktop.broken_rows import BrokenRow, is_gone
from locktop.broken_rows import cell as broken_cell
from locktop.format import (
    Glyphs,
    Part,
    countdown,
    fit,
    name,
    number,
    owner_label,
    stops_label,
    type_label,
    utc_near,
)
from locktop.rows import UNCERTAIN_NS, Board, Row, state_now, ttl_ns

MARGIN = 3
"""Cells before the first column: cursor, state glyph and the blanks around them."""
GAP = 2
"""Cells between columns."""
LONG_ID, SHORT_ID = 40, 10
"""Cells of a volume id of Kubernetes' making, and those that are left of one at the very least."""


@dataclass(frozen=True, slots=True)
class Ctx:
    """What cells need beside the row. `claims_first`: names people know stand in place of volume ids.
    `tracks` is what was seen of each lock until `board`, `mono_ns` the time by the session's clock, `badge`
    how the context is marked."""

    glyphs: Glyphs
    now: Span
    claims_first: bool = False
    board: Board | None = None
    tracks: Mapping[str, Track] = field(default_factory=dict)
    mono_ns: int = 0
    badge: Badge = NO_BADGE

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


def _context(_row: Row, ctx: Ctx) -> Part:
    return (name(ctx.badge.name), f"accent-{ctx.badge.accent}" if ctx.badge.accent else "text")


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
    return (elapsed(ctx.now.middle - modified) if modified is not None else "-", "dim")


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


def _life(row: Row, ctx: Ctx) -> Part:
    if row.lock is None or ctx.board is None:
        return ("-", "dim")
    snapshot = ctx.board.snapshot
    # As of the look: what nobody has looked at since has neither lived on nor died.
    found = liveness(
        row.lock,
        ctx.tracks.get(row.key),
        store_now=ctx.board.now,
        local_now_ns=snapshot.taken_wall_ns,
        mono_now_ns=snapshot.ended_mono_ns,
    )
    if found.doubt in _DOUBTS:
        return (_DOUBTS[found.doubt], "waiting")
    return (found.life.value.upper(), _LIFE_TONES[found.life])


def _seen(row: Row, ctx: Ctx) -> Part:
    track = ctx.tracks.get(row.key)
    return (utc_near(track.first_seen_wall, ctx.now.middle) if track else "-", "dim")


def _refreshes(row: Row, ctx: Ctx) -> Part:
    track = ctx.tracks.get(row.key)
    return (number(track.refreshes) if track else "-", "dim")


_LIFE_TONES = {Life.LIVE: "text", Life.LATE: "late", Life.STALE: "stale", Life.UNKNOWN: "unsure"}
_DOUBTS = {Doubt.ARRIVED: "UNSEEN", Doubt.ASKS: "ASKS"}
_COLOURED = (State.STALE, State.LATE, State.UNSURE, State.BAD, State.WAITING)

COLUMNS: tuple[Column, ...] = (
    Column("volume", "VOLUME", _volume, 16, 40, elastic=True, middle=True),
    Column("context", "CONTEXT", _context, 7, 7, keeps=20),
    Column("claim", "CLAIM", _claim, 16, 30, keeps=36, elastic=True, middle=True),
    Column("type", "TYPE", _type, 8, 8, keeps=16),
    Column("state", "STATE", _state, 7, 7, keeps=42),
    Column("ttl", "TTL", _ttl, 7, 7, keeps=0, right=True),
    Column("owner", "OWNER", _owner, 14, 22, keeps=52),
    Column("age", "AGE", _age, 7, 7, keeps=52, right=True),
    Column("lock", "LOCK", _lock, 21, 21, keeps=54, middle=True),
    Column("refresh", "LAST REFRESH", _refresh, 12, 12, keeps=54),
    Column("life", "LIFE", _life, 7, 7, keeps=16),
    Column("seen", "SEEN SINCE", _seen, 10, 10, keeps=16),
    Column("refreshes", "REFRESHES", _refreshes, 9, 9, keeps=16, right=True),
    Column("blocks", "BLOCKS NOW", _blocks, 15, 18, keeps=18),
)
"""From left to right."""

EXTRA = frozenset({"life", "seen", "refreshes"})
"""Columns that are shown only if a person wants them."""

MEANINGS: dict[str, str] = {
    "volume": "the volume's id, always shown",
    "context": "the context, where several are open",
    "claim": "namespace/claim, as volume.cfg tells",
    "type": "what the lock is for",
    "state": "held, waiting, late, stale, bad, unsure",
    "ttl": "until it ends unless refreshed",
    "owner": "host/pid, where the lock names it",
    "age": "since the last refresh",
    "lock": "the lock's name",
    "refresh": "when it was refreshed last, UTC",
    "life": "does its holder live: all that we know",
    "seen": "when this session saw it first, UTC",
    "refreshes": "refreshes seen by this session",
    "blocks": "what cannot start because of it",
}
"""What each column shows."""

SORT_OF = {
    "volume": "volume",
    "context": "context",
    "claim": "claim",
    "type": "type",
    "state": "state",
    "ttl": "ttl",
    "owner": "owner",
    "age": "ttl",
    "refresh": "ttl",
    "blocks": "attention",
}
"""The order of `rows.SORTS` that a column stands for."""

Layout = tuple[tuple[Column, int], ...]
"""Columns from left to right, each with its cells."""


def heading(layout: Layout, ctx: Ctx, sort: str, *, reverse: bool) -> list[Part]:
    """The line above the rows; the column that orders them is marked."""
    parts: list[Part] = [(" " * MARGIN, "dim")]
    for column, width in layout:
        title = column.title
        if ctx.claims_first and column.id in ("volume", "claim"):
            title = "CLAIM, OR VOLUME" if column.id == "volume" else "VOLUME"
        sorted_by = column.id == _shows(sort, ctx)
        if sorted_by:
            arrow = ctx.glyphs.down if reverse else ctx.glyphs.up
            title = f"{title} {arrow}"
        parts.append((fit(title, width, ellipsis="", right=column.right), "key" if sorted_by else "dim"))
        parts.append((" " * GAP, "dim"))
    return parts


def _shows(sort: str, ctx: Ctx) -> str:
    return "volume" if sort == "claim" and ctx.claims_first else sort


def row_parts(
    row: Row, layout: Layout, ctx: Ctx, *, cursor: bool = False, marked: bool = False
) -> list[Part]:
    """One row of the table."""
    state, gone = state_now(row, ctx.now), is_gone(row)
    back = isinstance(row, BrokenRow) and not gone
    tone = "dim" if gone else "alert" if row.clashing or back else state.value
    parts: list[Part] = [
        (ctx.glyphs.cursor if cursor else " ", "key"),
        (BROKEN_MARK if gone else ctx.glyphs.states[state], tone),
        ("+" if marked else " ", "key"),
    ]
    needed = state in (State.STALE, State.LATE) or row.clashing or back
    strong = cursor or marked or (needed and not gone)
    for column, width in layout:
        told = broken_cell(row, column.id, ctx.mono_ns) if isinstance(row, BrokenRow) else None
        text, ink = told or column.cell(row, ctx)
        if gone and told is None:
            ink = "dim"
        if column.id == "volume" and strong:
            ink = "strong"
        cell = fit(text, width, ellipsis=ctx.glyphs.ellipsis, middle=column.middle, right=column.right)
        parts.append((cell, ink))
        parts.append((" " * GAP, "text"))
    return parts
