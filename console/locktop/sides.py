"""Several contexts in one picture: their rows beside each other, and what is said of them together.

Pure: a Status of each in, rows, text and tones out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from backuplock.clock import Span
from backuplock.rules import State
from locktop.badge import Badge
from locktop.deeds import Care
from locktop.filters import Filter
from locktop.format import Glyphs, Line, Part, fit, number, plural, short_seconds, utc_time
from locktop.header import counted, pulse
from locktop.rows import Board, Row, SideRow
from locktop.status import Status, banner
from locktop.widgets.painted import width_of

FULL, WIDE = 110, 84
"""Cells from which the clock is told, and from which the cost is."""


class Beside:
    """Makes the rows of several boards rows of one; a row that stays is the same object each time."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[Row, SideRow]] = {}

    def board_of(self, boards: Sequence[Board | None], badges: Sequence[Badge]) -> Board | None:
        """The rows of all boards as one board, whose Snapshot and time are those of the first: what is said
        of rows is said with the board of their own. None if there is no board yet."""
        there = [(at, board) for at, board in enumerate(boards) if board is not None]
        if not there:
            return None
        known: dict[int, tuple[Row, SideRow]] = {}
        rows: list[SideRow] = []
        for at, board in there:
            for row in board.rows:
                kept = self._known.get(id(row))
                # By identity: as long as it is known it lives, and nothing else has its place.
                if kept is None or kept[0] is not row or kept[1].side != at:
                    kept = (row, _beside(row, at, badges[at].name))
                known[id(row)] = kept
                rows.append(kept[1])
        self._known = known
        first = there[0][1]
        every = [board for _, board in there]
        counts: Counter[State] = Counter()
        for board in every:
            counts.update(board.counts)
        return Board(
            snapshot=first.snapshot,
            now=first.now,
            rows=tuple(rows),
            counts=counts,
            locked=sum(board.locked for board in every),
            ghosts=sum(board.ghosts for board in every),
            unread=sum(board.unread for board in every),
            clashing=sum(board.clashing for board in every),
            owners=any(board.owners for board in every),
            claims=any(board.claims for board in every),
            volume_width=max(board.volume_width for board in every),
            claim_width=max(board.claim_width for board in every),
            by_key={row.key: row for row in rows},
            written={},
            judged={},
        )


def _beside(row: Row, side: int, context: str) -> SideRow:
    return SideRow(
        key=f"{side}\0{row.key}",
        volume=row.volume,
        lock=row.lock,
        state=row.state,
        standing=row.standing,
        together=row.together,
        own=row,
        side=side,
        context=context,
    )


class SideFilter(Filter):
    """A filter for rows of several boards, each at its store's time."""

    def __init__(self) -> None:
        super().__init__()
        self.boards: Sequence[Board | None] = ()

    def now_of(self, row: Row, now: Span) -> Span:
        """The time that a row was judged at."""
        board = self.boards[row.side] if isinstance(row, SideRow) and row.side < len(self.boards) else None
        return now if board is None else board.now


# -- what is said of all


def header(statuses: Sequence[Status], glyphs: Glyphs, width: int) -> tuple[Line, Line]:
    """The first line: each context with its mode and what is wrong with it; pulse, the oldest age, the sum of
    what they cost."""
    first = statuses[0]
    right: Line = [*pulse(_healthiest(statuses), glyphs, exact=width >= 70)]
    ages = [status.age_ns for status in statuses if status.age_ns is not None]
    if ages:
        old = any(status.outdated for status in statuses)
        right += [("   ", "text"), (f"{short_seconds(max(ages))} old", "stale" if old else "text")]
    priced = [status for status in statuses if status.pace is not None and not status.budget.prices.free]
    if priced and width >= WIDE:
        dollars = sum(status.pace.dollars_per_day for status in priced if status.pace is not None)
        right += [("   ", "text"), (f"${dollars:.2f}", "text"), ("/d", "dim")]
    if width < 100:
        right += [(" ", "text"), *counts(statuses, glyphs, words=False)]
    elif width >= FULL and first.board is not None:
        right += [("   UTC ", "dim"), (utc_time(first.now.middle), "text")]
    right.append((" ", "text"))
    return _who(statuses, glyphs, width - width_of(right)), right


def _who(statuses: Sequence[Status], glyphs: Glyphs, room: int) -> Line:
    """The names give way, the modes do not."""
    left: Line = [(" locktop ", "brand")]
    each = max(4, (room - 10) // len(statuses) - 8)
    for status in statuses:
        known = status.badge.name or status.label
        tone = f"accent-{status.badge.accent}" if status.badge.accent else "strong"
        troubled = status.failure is not None or status.hanging
        mode: Part = ("[RO]", "dim") if status.read_only else ("[RW]", "late")
        shown = fit(known, min(len(known), each), ellipsis=glyphs.ellipsis, middle=True)
        left += [(" ", "text"), (shown, "stale" if troubled else tone), (" ", "text"), mode]
        if troubled:
            left.append((f" {glyphs.warn}", "stale"))
    return left if width_of(left) <= room else _how_many(statuses, glyphs)


def _how_many(statuses: Sequence[Status], glyphs: Glyphs) -> Line:
    """Where there is no room for the names: the rows have them."""
    shut = all(status.read_only for status in statuses)
    troubled = sum(status.failure is not None or status.hanging for status in statuses)
    mode: Part = ("[RO]", "dim") if shut else ("[RW]", "late")
    trouble: Line = [(f" {glyphs.warn}{troubled}", "stale")] if troubled else []
    return [(f" {plural(len(statuses), 'context')} ", "strong"), mode, *trouble]


def _healthiest(statuses: Sequence[Status]) -> Status:
    """What the pulse tells of: those that fail are named themselves."""
    well = [status for status in statuses if status.failure is None and not status.hanging]
    return well[0] if well else statuses[0]


def counts(statuses: Sequence[Status], glyphs: Glyphs, *, words: bool = True) -> Line:
    """How many locks there are in each state, in all contexts."""
    found: Counter[State] = Counter()
    for status in statuses:
        found.update(status.board.counts_at(status.now) if status.board is not None else {})
    return counted(found, glyphs, words=words)


def trouble(statuses: Sequence[Status], glyphs: Glyphs) -> Line:
    """The banner: what is wrong with the first of those with which anything is."""
    lines = [
        (status, line) for status in statuses if (line := banner(status, glyphs) or _lost(status, glyphs))
    ]
    if not lines:
        return []
    status, line = lines[0]
    named: Line = [line[0], (f"{status.badge.name or status.label}: ", "strong"), *line[1:]]
    others = ", ".join(one.badge.name or one.label for one, _ in lines[1:])
    return [*named, (f"   also {others}", "text")] if others else named


def _lost(status: Status, glyphs: Glyphs) -> Line:
    """A context of which there is nothing to show: where that is said of one are rows of others."""
    if status.board is None and status.failure is not None:
        return [(f" {glyphs.warn} ", "alert"), (status.failure.line, "alert")]
    return []


def extent(boards: Iterable[Board | None]) -> Line:
    """How many locks on how many volumes of how many contexts."""
    there = [board for board in boards if board is not None]
    locks = sum(len(board.snapshot.by_key) for board in there)
    volumes = sum(len(board.snapshot.volumes) for board in there)
    locked = sum(board.locked for board in there)
    words = f" on {number(locked)} of {plural(volumes, 'volume')} in {plural(len(there), 'context')}"
    return [(number(locks), "strong"), (words, "dim")]


def cares(statuses: Iterable[Status]) -> tuple[Care, ...]:
    """All watches over locks that were broken from here."""
    return tuple(care for status in statuses for care in status.deeds.cares)
