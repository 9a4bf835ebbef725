"""What a person does in the table of locks: move, mark, follow, order, search, choose columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

from textual.screen import ModalScreen

from backuplock.clock import SECOND
from locktop.broken_rows import BrokenRow, is_gone
from locktop.columns import EXTRA, SORT_OF
from locktop.copies import Here
from locktop.exports import Export, of_locks
from locktop.filters import Filter, next_match
from locktop.format import name, plural
from locktop.messages import (
    ColumnsChosen,
    DetailsRequested,
    FilterChanged,
    FilterClosed,
    SortRequested,
)
from locktop.rows import SORTS, Board, Row, own_of
from locktop.screens.base import View
from locktop.screens.columns import ColumnsScreen
from locktop.status import Status
from locktop.widgets.filter_bar import FilterBar
from locktop.widgets.lock_table import LockTable
from locktop.widths import Wish

HOLD_NS = 3 * SECOND
"""How long the order stays as it is after a person moved in the table."""

WIND_S = 10
"""Seconds by which left and right wind a recording where there are no columns to go to."""

_BROKEN = "that lock is broken already: u shows its copy, and puts it back"

ZOOMS = ("", "-pane", "-table")
"""Room for both, for the details, for the table: classes of the screen."""


class LockHands(View):
    """The keys of the locks screen. What is marked and what is followed is known by its key, which outlives
    orders, filters and Snapshots."""

    several: ClassVar[bool] = False
    """Whether rows of several contexts stand side by side."""

    def __init__(self) -> None:
        super().__init__()
        self._filter, self._search = Filter(), Filter()
        self._sort, self._reverse = "attention", False
        self._hidden = EXTRA
        self._marked: frozenset[str] = frozenset()
        self._followed: str | None = None
        self._zoom = ZOOMS[0]
        self._order: Sequence[Row] = ()
        self._visible: Sequence[Row] = ()
        self._board: Board | None = None
        self._hold_until = 0

    # -- what subclasses do

    def arrange_anew(self) -> None:
        """The order was changed: put the rows into it."""
        raise NotImplementedError

    def show_rows(self, status: Status) -> None:
        """Other rows or columns are wanted: show them."""
        raise NotImplementedError

    def show_title(self, status: Status) -> None:
        """Say what is shown."""
        raise NotImplementedError

    def dismiss_broken(self) -> None:
        """Put away the rows of broken locks whose fate is told."""
        raise NotImplementedError

    def show_details(self, status: Status) -> None:
        """Describe the row under the cursor."""
        raise NotImplementedError

    # -- what others ask

    @property
    def _own_row(self) -> Row | None:
        """The row under the cursor as the board of its context has it."""
        row = self.table.cursor_row
        return own_of(row) if row is not None else None

    @property
    def table(self) -> LockTable:
        """The table."""
        return self.query_one(LockTable)

    @property
    def chosen_locks(self) -> tuple[str, ...]:
        """Those that are marked; without marks the one under the cursor."""
        if self._marked and self._board is not None:
            return tuple(key for key in self._board.by_key if key in self._marked)
        row = self.table.cursor_row
        return (row.key,) if row is not None else ()

    @property
    def here(self) -> Here | None:
        """The row under the cursor."""
        row = self.table.cursor_row
        return Here(row.volume, own_of(row)) if row is not None else None

    @property
    def export(self) -> Export | None:
        """The rows that are marked; without marks those that the filter leaves, all of them."""
        if self._board is None:
            return None
        marked = self._marked
        rows = [row for row in self._visible if not marked or row.key in marked]
        return of_locks(self._board, rows, plural(sum(row.lock is not None for row in rows), "lock"))

    @property
    def broken_entry(self) -> str:
        """The transaction of the broken lock under the cursor."""
        row = self._own_row
        return row.care.entry if isinstance(row, BrokenRow) and row.gone and row.care is not None else ""

    @property
    def why_not_break(self) -> str:
        """Why what is chosen cannot be broken."""
        return _BROKEN if is_gone(self.table.cursor_row) and not self._marked else ""

    def chosen_volumes(self) -> tuple[str, ...] | None:
        """The volumes of the marked rows; without marks of those that the filter leaves, without a filter
        None: all that there are."""
        if self._marked and self._board is not None:
            found = [row for key, row in self._board.by_key.items() if key in self._marked]
        elif self._filter.narrows:
            found = list(self._visible)
        else:
            return None
        return tuple(dict.fromkeys(row.volume.name for row in found))

    def holding(self, status: Status) -> bool:
        """Whether rows stay where they are: somebody reads, chooses, or answers a dialog."""
        dialog = isinstance(self.app.screen, ModalScreen)
        return status.paused or bool(self._marked) or dialog or status.mono_ns < self._hold_until

    @property
    def order_name(self) -> str:
        """The order of the rows; where names people know stand first, they are what is sorted by."""
        return "claim" if self._sort == "volume" and self.table.claims_first else self._sort

    def drop_gone(self, board: Board) -> None:
        """What is marked or followed may have gone: that is said, but for what was broken here."""
        there = self._marked & board.by_key.keys()
        kept = frozenset(key for key in there if not is_gone(board.by_key[key]))
        if kept != self._marked:
            if away := len(self._marked - there):
                gone = plural(away, "marked lock")
                self.notify(f"{gone} went away, {len(kept)} marked", markup=False)
            self._marked = kept
            self.table.show_marks(kept)
        if self._followed is not None and self._followed not in board.by_key:
            gone = name(self._followed.rpartition("/")[2])
            self.notify(f"gone: {gone}, which was followed", markup=False, severity="warning")
            self._followed = None

    # -- moving

    def _hands_on(self) -> None:
        row = self.table.cursor_row
        if self._followed is not None and row is not None and row.key != self._followed:
            self._followed = None
        self._hold_until = self.locktop.session.clock.mono_ns() + HOLD_NS
        self.show_title(self.locktop.status)

    def action_move(self, by: int) -> None:
        """Move the cursor by rows."""
        self.table.move(by)
        self._hands_on()

    def action_move_page(self, pages: float) -> None:
        """Move the cursor by pages or parts of one."""
        self.table.move(round(self.table.page_rows * pages))
        self._hands_on()

    def action_move_to(self, end: str) -> None:
        """Move the cursor to the first or last row."""
        self.table.move_to(0) if end == "first" else self.table.move_to_last()
        self._hands_on()

    def action_back(self) -> None:
        """Drop the filter; without one, go back to the top and stay there."""
        if self._filter.text:
            self.query_one(FilterBar).clear()
            self._set_filter("")
        else:
            self._hold_until, self._followed = 0, None
            self.dismiss_broken()
            self.table.release()
            self.show_title(self.locktop.status)

    def action_follow(self) -> None:
        """Stay with the lock under the cursor wherever it goes; or let it go."""
        row = self.table.cursor_row
        if row is None:
            return
        self._followed = None if self._followed == row.key else row.key
        self.table.seek(row.key)
        self.show_title(self.locktop.status)

    # -- finding

    def action_filter(self) -> None:
        """Type a filter."""
        self.query_one(FilterBar).open()

    def action_next_match(self, by: int) -> None:
        """Go to the next row that fits the last filter; without one, that needs attention."""
        row = self.table.cursor_row
        found = next_match(self._visible, row.key if row else "", self._search, self._board, by)
        if found is None:
            what = name(self._search.good) if self._search.narrows else "no lock needs attention"
            words = f"no lock matches {what}" if self._search.narrows else what
            self.notify(words, markup=False)
            return
        self.table.seek(found.key)
        self._hands_on()

    def _set_filter(self, text: str) -> None:
        table = self.table
        before = table.cursor_row
        self._filter.text = text
        if self._filter.narrows:
            self._search.text = self._filter.good
        self.query_one(FilterBar).say(self._filter.problem)
        self.show_rows(self.locktop.status)
        after = table.cursor_row
        if before and after and before.key != after.key:
            # What was under the cursor does not match: begin with the first that does.
            table.move_to(0)
        self.show_title(self.locktop.status)
        self.show_details(self.locktop.status)

    def on_filter_changed(self, message: FilterChanged) -> None:
        """Filter with every character."""
        self._set_filter(message.text)

    def on_filter_closed(self, message: FilterClosed) -> None:
        """Back to the table."""
        if not message.keep:
            self._set_filter("")
        self.table.focus()

    # -- ordering

    def action_sort(self) -> None:
        """The next order."""
        left_out = {"claim"} if self.table.claims_first else set()
        left_out |= set() if self.several else {"context"}
        names = [sort for sort in SORTS if sort not in left_out]
        at = names.index(self._sort) if self._sort in names else names.index("volume")
        self._sort = names[(at + 1) % len(names)]
        self.arrange_anew()

    def action_reverse(self) -> None:
        """The other way round."""
        self._reverse = not self._reverse
        self.arrange_anew()

    def on_sort_requested(self, message: SortRequested) -> None:
        """Order by a column; the same one again is the other way round."""
        wanted = SORT_OF.get(message.column, "")
        if self.table.claims_first and wanted in ("volume", "claim"):
            wanted = "volume"
        if not wanted:
            self.notify("there is no order by that column", markup=False)
            return
        self._reverse = wanted == self._sort and not self._reverse
        self._sort = wanted
        self.arrange_anew()

    # -- columns and room

    def action_names(self) -> None:
        """Volume ids first, or the names people know."""
        before = self.order_name
        self.table.show_names(claims_first=not self.table.claims_first)
        if self.order_name != before:
            self.arrange_anew()

    def action_columns(self) -> None:
        """Choose which columns there are."""
        empty = self.nothing_to_show()
        self.app.push_screen(ColumnsScreen(self, self._hidden, empty))

    def on_columns_chosen(self, message: ColumnsChosen) -> None:
        """Show them at once."""
        self._hidden = message.hidden
        self.show_rows(self.locktop.status)
        self.show_title(self.locktop.status)

    def action_wide(self) -> None:
        """All columns at their full width, or those that fit."""
        wish = self.table.wish
        self.table.show_columns(Wish(wish.hidden, not wish.wide))
        self.show_title(self.locktop.status)

    async def action_skip_columns(self, by: int) -> None:
        """Go right or left among the columns; wind a recording where they are not wide."""
        wish = self.table.wish
        if wish.wide:
            self.table.show_columns(replace(wish, skipped=wish.skipped + by))
            self.show_title(self.locktop.status)
        elif self.locktop.status.tape is not None:
            self.locktop.action_wind(WIND_S * by)
        else:
            self.notify("all columns that fit are shown; w shows the others", markup=False)

    def action_zoom(self) -> None:
        """More room for the details, then for the table, then for both."""
        for zoom in ZOOMS[1:]:
            self.remove_class(zoom)
        self._zoom = ZOOMS[(ZOOMS.index(self._zoom) + 1) % len(ZOOMS)]
        if self._zoom:
            self.add_class(self._zoom)
        self.show_details(self.locktop.status)

    # -- marks

    def action_mark(self) -> None:
        """Mark the row under the cursor, or no longer, and go on to the next."""
        row = self.table.cursor_row
        if is_gone(row):
            self.notify(_BROKEN, markup=False)
        elif row is not None:
            self._mark(self._marked ^ {row.key})
            self.table.move(1)
            self._hands_on()

    def action_unmark(self) -> None:
        """Mark nothing."""
        self._mark(frozenset())

    def _mark(self, keys: frozenset[str]) -> None:
        self._marked = keys
        self.table.show_marks(keys)
        self.show_title(self.locktop.status)

    # -- with the row under the cursor

    def action_details(self) -> None:
        """Everything about the row under the cursor; of a lock that was broken, its copy."""
        self._open(self._own_row)

    async def action_simulate(self) -> None:
        """How operations on the volume under the cursor would fare."""
        row = self.table.cursor_row
        if row is not None:
            await self.locktop.simulate(row.volume.name)

    def action_copy_key(self) -> None:
        """Copy the key of the lock under the cursor."""
        self.locktop.copy_key(self._own_row)

    def on_details_requested(self, message: DetailsRequested) -> None:
        """A row was opened with the mouse."""
        row = self.table.row_of(message.key)
        self._open(own_of(row) if row is not None else None)

    def _open(self, row: Row | None) -> None:
        if isinstance(row, BrokenRow) and row.gone and row.care is not None:
            self.locktop.open_broken(row.care.entry)
        elif row is not None:
            self.locktop.open_volume(row.volume.name, row.key)

    def nothing_to_show(self) -> frozenset[str]:
        """The columns that would be empty."""
        board = self._board
        empty = {"context": not self.several}
        if board is not None:
            empty |= {"owner": not board.owners, "claim": not board.claims}
        return frozenset(column for column, is_empty in empty.items() if is_empty)
