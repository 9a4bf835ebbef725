"""The locks of several contexts in one table, each row in the context that it is of.

The context that everything else is about, from details to breaking, is that of the row under the cursor.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, cast

from locktop import sides
from locktop.broken_rows import with_broken
from locktop.deeds import Care
from locktop.exports import Export, of_sides
from locktop.format import Line, plural
from locktop.header import caution
from locktop.messages import CursorMoved
from locktop.rows import Board, Row, SideRow, own_of
from locktop.screens.remembering import RememberingLocks
from locktop.status import Status, emptiness
from locktop.watch_lines import watch_line
from locktop.widgets.bars import Banner, CautionBar, HeaderBar, TabBar
from locktop.widgets.watch_bar import WatchBar

if TYPE_CHECKING:
    from locktop.side_by_side import SideBySide


class SidesScreen(RememberingLocks):
    """The table of locks, with a column for the context."""

    several: ClassVar[bool] = True

    def __init__(self) -> None:
        super().__init__()
        self._beside = sides.Beside()
        self._filter, self._search = self._side_filter, _ = sides.SideFilter(), sides.SideFilter()

    @property
    def side_by_side(self) -> SideBySide:
        """The app, by its own type."""
        return cast("SideBySide", self.app)

    @property
    def statuses(self) -> Sequence[Status]:
        """The status of each context."""
        return self.side_by_side.statuses

    # -- status -> widgets

    def update_now(self) -> None:
        """Say what is to be said of all of them together."""
        statuses, glyphs, width = self.statuses, self.locktop.glyphs, self.app.size.width
        self.query_one(HeaderBar).show(*sides.header(statuses, glyphs, width))
        self.query_one(CautionBar).show([part for status in statuses for part in caution(status)])
        self.query_one(TabBar).show_view(self.VIEW, self._tab_counts, sides.counts(statuses, glyphs))
        self.query_one(Banner).show(sides.trouble(statuses, glyphs))
        mono_ns = self.locktop.status.mono_ns
        self.query_one(WatchBar).show(watch_line(sides.cares(statuses), mono_ns, glyphs))
        self.show_status(self.locktop.status)

    @property
    def _tab_counts(self) -> dict[str, int]:
        boards = [status.board for status in self.statuses if status.board is not None]
        blocks = [status.blocks for status in self.statuses if status.blocks is not None]
        return {
            "locks": sum(len(board.snapshot.by_key) for board in boards),
            "blocked": sum(len(found.blocks) for found in blocks),
            "events": sum(status.happened for status in self.statuses),
        }

    def tick(self, status: Status) -> None:
        """Time has passed, in each store's own clock."""
        self.table.tick(status)
        self.table.tick_sides(self.statuses)

    def news(self, _status: Status) -> tuple[bool, object]:
        """Whether any context has rows, and what makes them others if it differs."""
        known = any(status.board is not None for status in self.statuses)
        return known, tuple((status.board, status.deeds.cares) for status in self.statuses)

    def cares(self, _status: Status) -> tuple[Care, ...]:
        """The watches over locks that were broken from here, in any of the contexts."""
        return sides.cares(self.statuses)

    def board_of(self, _status: Status) -> Board | None:
        """The rows of all contexts."""
        boards = [
            with_broken(status.board, status.deeds.cares, self._dismissed) if status.board else None
            for status in self.statuses
        ]
        self._side_filter.boards = boards
        cast("sides.SideFilter", self._search).boards = boards
        return self._beside.board_of(boards, [status.badge for status in self.statuses])

    def extent(self, _board: Board) -> Line:
        """How many locks on how many volumes of how many contexts."""
        return sides.extent(status.board for status in self.statuses)

    def empty_lines(self, status: Status) -> list[Line]:
        """What stands in place of rows: what the first says that has an answer."""
        return emptiness(
            next((one for one in self.statuses if one.board is not None), status), self._filter.good
        )

    def describe_row(self, row: Row | None, status: Status) -> None:
        """Describe a row as its own context knows it."""
        if isinstance(row, SideRow):
            super().describe_row(own_of(row), self.statuses[row.side])
        else:
            super().describe_row(row, status)

    # -- the context under the cursor

    def on_cursor_moved(self, message: CursorMoved) -> None:
        """The context is that of the row."""
        self.turn()
        super().on_cursor_moved(message)

    def on_screen_resume(self) -> None:
        """Another row may have come under the cursor meanwhile."""
        self.turn()
        super().on_screen_resume()

    def turn(self) -> None:
        """Be about the context of the row under the cursor."""
        row = self.table.cursor_row
        # What is open over the table is about the context that it was opened in.
        if isinstance(row, SideRow) and self.app.screen is self:
            self.side_by_side.turn_to(row.side)

    def seek_side(self, side: int) -> None:
        """Go to the first row of a context."""
        row = next((row for row in self._visible if isinstance(row, SideRow) and row.side == side), None)
        if row is not None:
            self.table.seek(row.key)

    # -- what others ask

    def _of_side(self, rows: Sequence[Row]) -> list[Row]:
        at = self.side_by_side.at
        return [own_of(row) for row in rows if isinstance(row, SideRow) and row.side == at]

    @property
    def _marked_rows(self) -> list[SideRow]:
        board = self._board
        found = board.by_key.items() if board is not None and self._marked else ()
        return [row for key, row in found if key in self._marked and isinstance(row, SideRow)]

    @property
    def chosen_locks(self) -> tuple[str, ...]:
        """Those that are marked; without marks the one under the cursor: by the keys that the store knows."""
        if self._marked:
            return tuple(row.key for row in self._of_side(self._marked_rows))
        row = self._own_row
        return (row.key,) if row is not None else ()

    @property
    def why_not_break(self) -> str:
        """Locks of two stores are not broken in one dialog."""
        marked = {row.context for row in self._marked_rows}
        here = self.locktop.session.badge.name
        if len(marked) > 1:
            return f"the marked locks are in {plural(len(marked), 'context')}: break those of one at a time"
        if marked and here not in marked:
            return f"the marked locks are in {marked.pop()}, the cursor is in {here}: go to one of them first"
        return super().why_not_break

    def chosen_volumes(self) -> tuple[str, ...] | None:
        """Volumes of the context under the cursor."""
        if not self._marked and not self._filter.narrows:
            return None
        rows: Sequence[Row] = self._marked_rows if self._marked else self._visible
        return tuple(dict.fromkeys(row.volume.name for row in self._of_side(rows)))

    @property
    def export(self) -> Export | None:
        """The rows that are marked; without marks those that the filter leaves, of every context."""
        marked = self._marked
        rows = [row for row in self._visible if not marked or row.key in marked]
        parts = [
            (status.badge.name, status.board, [own_of(row) for row in rows if _is_on(row, side)])
            for side, status in enumerate(self.statuses)
            if status.board is not None
        ]
        return of_sides(parts, plural(sum(row.lock is not None for row in rows), "lock")) if parts else None


def _is_on(row: Row, side: int) -> bool:
    return isinstance(row, SideRow) and row.side == side
