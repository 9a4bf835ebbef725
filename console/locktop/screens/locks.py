"""The main view: every lock of the store, what needs a person first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import ClassVar

from textual.containers import Container, Vertical
from textual.widget import Widget

from locktop.broken_rows import BrokenRow, facts, first, with_broken
from locktop.broken_rows import summary as broken_summary
from locktop.columns import COLUMNS
from locktop.deeds import Care
from locktop.describe import Fact, describe, summary, verdicts
from locktop.describe import View as Seen
from locktop.filters import held_still
from locktop.format import Line, name, number
from locktop.keys import Place, bindings
from locktop.messages import CursorMoved, TableScrolled
from locktop.ordering import Ordering
from locktop.rows import Board, Row
from locktop.screens.lock_hands import LockHands
from locktop.status import Status, emptiness, extent, is_long, on_its_way
from locktop.widgets.bars import TitleRule
from locktop.widgets.filter_bar import FilterBar
from locktop.widgets.lock_table import LockTable
from locktop.widgets.panes import DetailPane

WIDE = 160
"""Cells from which the details stand beside the table, with room for more of them."""


class LocksScreen(LockHands):
    """The table of locks with its header, details and footer."""

    PLACE: ClassVar[Place] = "locks"
    VIEW: ClassVar[str] = "locks"
    BINDINGS: ClassVar = bindings("locks")
    AUTO_FOCUS: ClassVar[str] = "LockTable"

    def body(self) -> Iterable[Widget]:
        """Table and details, filter."""
        glyphs = self.locktop.glyphs
        with Container(id="body"):
            with Vertical(id="main"):
                yield TitleRule(glyphs)
                yield LockTable(glyphs)
            yield DetailPane(glyphs)
        yield FilterBar(glyphs)

    def __init__(self) -> None:
        super().__init__()
        self._seen: object = None
        self._dismissed: frozenset[str] = frozenset()
        self._ordering = Ordering()

    # -- status -> widgets

    def show_status(self, status: Status) -> None:
        """New data is arranged; between data, only time moves on."""
        self.tick(status)
        known, seen = self.news(status)
        if known and seen != self._seen:
            self._take(status, hold=self.holding(status))
        elif not known and self._board is not None:
            # A recording was wound to where nothing is known.
            self._board, self._order = None, ()
            self.show_rows(status)
        elif not self._visible:
            self.show_rows(status)
        self.show_title(status)
        self.show_details(status)

    def tick(self, status: Status) -> None:
        """Time has passed."""
        self.table.tick(status)

    def news(self, status: Status) -> tuple[bool, object]:
        """Whether there are rows, and what makes them others if it differs."""
        return status.board is not None, (status.board, status.deeds.cares)

    def cares(self, status: Status) -> tuple[Care, ...]:
        """The watches over locks that were broken from here."""
        return status.deeds.cares

    def board_of(self, status: Status) -> Board | None:
        """All rows that there are, broken ones among them."""
        if status.board is None:
            return None
        return with_broken(status.board, status.deeds.cares, self._dismissed)

    def _take(self, status: Status, *, hold: bool) -> None:
        """A new board, or other fates of broken locks; while the order is held, in the one on the screen."""
        self._dismissed &= {care.entry for care in self.cares(status)}
        board = self.board_of(status)
        if board is None:
            return
        _, self._seen = self.news(status)
        self.drop_gone(board)
        self._put_in_order(board, hold=hold)
        self._board = board
        self.show_rows(self.locktop.status)
        if self._followed is not None:
            self.table.seek(self._followed)

    def _put_in_order(self, board: Board, *, hold: bool) -> None:
        order = self.order_name
        if not hold:
            self.locktop.session.arrange_by(order)
        if hold and self._order:
            shown = [row.key for row in self._order]
            self._order = held_still(shown, board, order, reverse=self._reverse)
        else:
            self._order = self._arranged(board, order)

    def _arranged(self, board: Board, order: str) -> Sequence[Row]:
        """The rows in order; the session has prepared it, unless a person changed it just now, or broke a
        lock."""
        ready = board.arranged.get(order)
        if ready is None:
            return first(self._ordering.arrange(board, order, reverse=self._reverse))
        return ready.rows[::-1] if self._reverse else ready.rows

    def dismiss_broken(self) -> None:
        """Put away the rows of broken locks whose fate is told."""
        status = self.locktop.status
        told = frozenset(care.entry for care in self.cares(status) if care.vigil.decided)
        if not told <= self._dismissed:
            self._dismissed |= told
            self._take(status, hold=False)

    def arrange_anew(self) -> None:
        """The order was changed: put the rows into it."""
        self.table.mark_sort(self.order_name, reverse=self._reverse)
        if self._board is not None:
            self._put_in_order(self._board, hold=False)
            self.show_rows(self.locktop.status)
        self.show_title(self.locktop.status)

    def show_rows(self, status: Status) -> None:
        """The rows that the filter leaves, with the columns that are wanted and have something to show."""
        board, table = self._board, self.table
        self._visible = self._filter.apply(self._order, board.now) if board is not None else []
        table.show(self._visible, [] if self._visible else self.empty_lines(status), board)
        table.show_columns(replace(table.wish, hidden=self._hidden | self.nothing_to_show()))

    def empty_lines(self, status: Status) -> list[Line]:
        """What stands in place of rows."""
        return emptiness(status, self._filter.good)

    def show_title(self, status: Status) -> None:
        """How many there are, in which order, and what keeps rows from being seen or from moving."""
        glyphs = self.locktop.glyphs
        left: Line = self.view_title()
        if self._marked:
            left += [(f"{number(len(self._marked))} marked", "key"), ("   ", "text")]
        elif self._board is not None and not left:
            left += [*self.extent(self._board), ("   ", "text")]
        left += [("by ", "dim"), (self.order_name, "text")]
        if self._reverse:
            left.append((", reversed", "text"))
        if self._followed is not None:
            out = "" if self.table.row_of(self._followed) else ", hidden by the filter"
            left.append((f"   following{out}", "key"))
        if self._filter.narrows:
            left += [("   matching ", "dim"), (name(self._filter.good), "key")]
        if status.progress is not None and not status.paused and is_long(status, status.progress):
            left += [(f"   reading {on_its_way(status, status.progress)}", "dim")]
        if self._board is not None and self.holding(status):
            left += [(f"   {glyphs.paused} order held", "waiting")]
        self.query_one(TitleRule).show(left, self._title_end())

    def extent(self, board: Board) -> Line:
        """How many locks on how many volumes."""
        return extent(board)

    def _title_end(self) -> Line:
        first, last = self.table.in_view
        total, shown = len(self._order), len(self._visible)
        right: Line = []
        wish = self.table.wish
        if wish.wide:
            seen = len(self.table.columns)
            every = sum(column.id not in wish.hidden for column in COLUMNS)
            after = every - seen - wish.skipped
            hints = [f"h {wish.skipped} more"] * bool(wish.skipped) + [f"l {after} more"] * bool(after)
            right.append((f"columns {', '.join(hints) or 'all'}   ", "key"))
        if shown:
            right += [(f"{number(first)}-{number(last)}", "text"), (f" of {number(shown)}", "dim")]
        if shown != total:
            right += [(f" ({number(total)} in all)", "dim")]
        return right

    def show_details(self, status: Status) -> None:
        """What there is to say about the row under the cursor."""
        self.describe_row(self.table.cursor_row, status)

    def describe_row(self, row: Row | None, status: Status) -> None:
        """Fill the pane."""
        pane = self.query_one(DetailPane)
        if row is None or status.board is None:
            pane.show([], (), [])
            return
        if isinstance(row, BrokenRow) and row.gone:
            pane.show(_title(row), facts(row, status.mono_ns), broken_summary(row, status.mono_ns), ())
            return
        seen = Seen(status.board, status.now, status.wall_ns, self.locktop.glyphs)
        roomy = self.app.size.width >= WIDE or self._zoom == "-pane"
        more = [Fact("asked now", ()), *verdicts(row, seen)] if roomy else ()
        pane.show(_title(row), describe(row, seen), summary(row, seen), more)

    # -- messages

    def on_cursor_moved(self, _: CursorMoved) -> None:
        """Other details."""
        self.show_details(self.locktop.status)

    def on_table_scrolled(self, _: TableScrolled) -> None:
        """Other rows."""
        self.show_title(self.locktop.status)


def _title(row: Row) -> Line:
    """Volume, claim, workload, lock."""
    title: Line = [(name(row.volume.name), "strong")]
    if row.claim:
        title += [("  ", "text"), (name(row.claim), "key")]
    if row.volume.names and row.volume.names.workload:
        title += [("  ", "text"), (name(row.volume.names.workload), "dim")]
    if row.name:
        title += [("  ", "text"), (name(row.name), "dim")]
    return title
