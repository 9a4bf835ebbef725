"""The main view: every lock of the store, what needs a person first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

from textual.containers import Container, Vertical
from textual.widget import Widget

from backuplock.clock import SECOND
from locktop.describe import Fact, describe, summary, verdicts
from locktop.describe import View as Seen
from locktop.filters import Filter, arrange, held_still
from locktop.format import Line, name, number
from locktop.keys import Place, bindings
from locktop.messages import CursorMoved, DetailsRequested, FilterChanged, FilterClosed, TableScrolled
from locktop.rows import SORTS, Board, Row
from locktop.screens.base import View
from locktop.status import Status, emptiness, extent
from locktop.widgets.bars import TitleRule
from locktop.widgets.filter_bar import FilterBar
from locktop.widgets.lock_table import LockTable
from locktop.widgets.panes import DetailPane

WIDE = 160
"""Cells from which the details stand beside the table, with room for more of them."""

HOLD_NS = 3 * SECOND
"""How long the order stays as it is after a person moved in the table."""


class LocksScreen(View):
    """The table of locks with its header, details and footer."""

    PLACE: ClassVar[Place] = "locks"
    VIEW: ClassVar[str] = "locks"
    BINDINGS: ClassVar = bindings("locks")
    AUTO_FOCUS: ClassVar[str] = "LockTable"

    def __init__(self) -> None:
        super().__init__()
        self._filter = Filter()
        self._sort, self._reverse = "attention", False
        self._order: Sequence[Row] = ()
        self._visible: Sequence[Row] = ()
        self._board: Board | None = None
        self._hold_until = 0

    def body(self) -> Iterable[Widget]:
        """Table and details, filter."""
        glyphs = self.locktop.glyphs
        with Container(id="body"):
            with Vertical(id="main"):
                yield TitleRule(glyphs)
                yield LockTable(glyphs)
            yield DetailPane(glyphs)
        yield FilterBar()

    def chosen_volumes(self) -> tuple[str, ...] | None:
        """The volumes of the rows that the filter leaves; None without a filter: all that there are."""
        if not self._filter.text:
            return None
        return tuple(dict.fromkeys(row.volume.name for row in self._visible))

    # -- status -> widgets

    def show_status(self, status: Status) -> None:
        """New data is arranged; between data, only time moves on."""
        table = self.query_one(LockTable)
        table.tick(status.now, outdated=status.outdated)
        if status.board is not self._board and status.board is not None:
            self._arrange(status.board, hold=self._holding(status))
        elif status.board is None and self._board is not None:
            # A recording was wound to where nothing is known.
            self._board, self._order = None, ()
            self._show_rows(status)
        elif not self._visible:
            self._show_rows(status)
        self._show_title(status)
        self._show_details(status)

    def _holding(self, status: Status) -> bool:
        return status.paused or status.mono_ns < self._hold_until

    def _arrange(self, board: Board, *, hold: bool) -> None:
        """Put the rows of a board in order; while held, in the order that is on the screen."""
        if hold and self._order:
            shown = [row.key for row in self._order]
            self._order = held_still(shown, board, self._sort, reverse=self._reverse)
        else:
            self._order = arrange(board.rows, self._sort, reverse=self._reverse)
        self._board = board
        self._show_rows(self.locktop.status)

    def _show_rows(self, status: Status) -> None:
        self._visible = self._filter.apply(self._order)
        board = self._board
        hidden = set()
        if board is not None:
            if not board.owners:
                hidden.add("owner")
            if not board.claims:
                hidden.add("claim")
        table = self.query_one(LockTable)
        table.show(self._visible, hidden=frozenset(hidden), instead=emptiness(status, self._filter.text))

    def _show_title(self, status: Status) -> None:
        glyphs = self.locktop.glyphs
        left: Line = self.view_title()
        if self._board is not None and not left:
            left += [*extent(self._board), ("   ", "text")]
        left += [("by ", "dim"), (self._sort, "text")]
        if self._reverse:
            left.append((", reversed", "text"))
        if self._filter.text:
            left += [("   matching ", "dim"), (name(self._filter.text), "key")]
        if self._board is not None and self._holding(status):
            left += [(f"   {glyphs.paused} order held", "waiting")]
        first, last = self.query_one(LockTable).in_view
        total, shown = len(self._order), len(self._visible)
        right: Line = []
        if shown:
            right = [(f"{number(first)}-{number(last)}", "text"), (f" of {number(shown)}", "dim")]
        if shown != total:
            right += [(f" ({number(total)} in all)", "dim")]
        self.query_one(TitleRule).show(left, right)

    def _show_details(self, status: Status) -> None:
        pane = self.query_one(DetailPane)
        row = self.query_one(LockTable).cursor_row
        if row is None or status.board is None:
            pane.show([], (), [])
            return
        seen = Seen(status.board, status.now, status.wall_ns, self.locktop.glyphs)
        title: Line = [(name(row.volume.name), "strong")]
        if row.claim:
            title += [("  ", "text"), (name(row.claim), "key")]
        if row.volume.names and row.volume.names.workload:
            title += [("  ", "text"), (name(row.volume.names.workload), "dim")]
        if row.name:
            title += [("  ", "text"), (name(row.name), "dim")]
        more = [Fact("asked now", ()), *verdicts(row, seen)] if self.app.size.width >= WIDE else ()
        pane.show(title, describe(row, seen), summary(row, seen), more)

    # -- what people do

    def _hands_on(self) -> None:
        self._hold_until = self.locktop.session.clock.mono_ns() + HOLD_NS
        self._show_title(self.locktop.status)

    def action_move(self, by: int) -> None:
        """Move the cursor by rows."""
        self.query_one(LockTable).move(by)
        self._hands_on()

    def action_move_page(self, pages: float) -> None:
        """Move the cursor by pages or parts of one."""
        table = self.query_one(LockTable)
        table.move(round(table.page_rows * pages))
        self._hands_on()

    def action_move_to(self, end: str) -> None:
        """Move the cursor to the first or last row."""
        table = self.query_one(LockTable)
        table.move_to(0) if end == "first" else table.move_to_last()
        self._hands_on()

    def action_filter(self) -> None:
        """Type a filter."""
        self.query_one(FilterBar).open()

    def action_back(self) -> None:
        """Drop the filter; without one, go back to the top and stay there."""
        if self._filter.text:
            self.query_one(FilterBar).clear()
            self._set_filter("")
        else:
            self._hold_until = 0
            self.query_one(LockTable).release()
            self._show_title(self.locktop.status)

    def action_sort(self) -> None:
        """The next order."""
        names = list(SORTS)
        self._sort = names[(names.index(self._sort) + 1) % len(names)]
        self._resort()

    def action_reverse(self) -> None:
        """The other way round."""
        self._reverse = not self._reverse
        self._resort()

    def action_names(self) -> None:
        """Volume ids first, or the names people know."""
        table = self.query_one(LockTable)
        table.show_names(claims_first=not table.claims_first)

    def action_details(self) -> None:
        """Everything about the row under the cursor."""
        row = self.query_one(LockTable).cursor_row
        if row is not None:
            self.locktop.open_volume(row.volume.name, row.key)

    async def action_simulate(self) -> None:
        """How operations on the volume under the cursor would fare."""
        row = self.query_one(LockTable).cursor_row
        if row is not None:
            await self.locktop.simulate(row.volume.name)

    def action_copy_key(self) -> None:
        """Copy the key of the lock under the cursor."""
        self.locktop.copy_key(self.query_one(LockTable).cursor_row)

    def _resort(self) -> None:
        self.query_one(LockTable).mark_sort(self._sort, reverse=self._reverse)
        if self._board is not None:
            self._arrange(self._board, hold=False)
        self._show_title(self.locktop.status)

    def _set_filter(self, text: str) -> None:
        table = self.query_one(LockTable)
        before = table.cursor_row
        self._filter.text = text
        self._show_rows(self.locktop.status)
        after = table.cursor_row
        if before and after and before.key != after.key:
            # What was under the cursor does not match: begin with the first that does.
            table.move_to(0)
        self._show_title(self.locktop.status)
        self._show_details(self.locktop.status)

    def on_filter_changed(self, message: FilterChanged) -> None:
        """Filter with every character."""
        self._set_filter(message.text)

    def on_filter_closed(self, message: FilterClosed) -> None:
        """Back to the table."""
        if not message.keep:
            self._set_filter("")
        self.query_one(LockTable).focus()

    def on_cursor_moved(self, _: CursorMoved) -> None:
        """Other details."""
        self._show_details(self.locktop.status)

    def on_table_scrolled(self, _: TableScrolled) -> None:
        """Other rows."""
        self._show_title(self.locktop.status)

    def on_details_requested(self, message: DetailsRequested) -> None:
        """A row was opened with the mouse."""
        row = self.query_one(LockTable).row_of(message.key)
        if row is not None:
            self.locktop.open_volume(row.volume.name, row.key)
