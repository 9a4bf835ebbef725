"""The table of locks: one strip a visible line, a cursor that is a key.

Rows come in whole and in order; cells are made when a line is painted and at no other time, so that ten
thousand rows cost as much as thirty. Textual's own DataTable keeps cells and an index for a cursor.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from rich.style import Style
from textual import events
from textual.geometry import Region, Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from backuplock.clock import Span
from locktop.columns import GAP, MARGIN, Ctx, Layout, heading, row_parts
from locktop.format import Glyphs, Line
from locktop.messages import CursorMoved, DetailsRequested, SortRequested, TableScrolled
from locktop.rows import Board, Row, SideRow, own_of
from locktop.status import Status
from locktop.widgets.painted import Painted, cut, width_of, wrap
from locktop.widths import Wish, lay_out, most_skipped, widths_on

_CONTEXT = 16
"""The most cells of a context's name."""


class LockTable(ScrollView, Painted, can_focus=True, inherit_bindings=False):
    """Locks, one a line, under a line of headings."""

    def __init__(self, glyphs: Glyphs, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._glyphs = glyphs
        self._rows: Sequence[Row] = ()
        self._index: Mapping[str, int] = {}
        self._cursor: str | None = None
        self._chosen = False
        self._ctx = Ctx(glyphs, Span(0, 0))
        self._wanted: dict[str, int] = {}
        self._wish = Wish()
        self._marked: frozenset[str] = frozenset()
        self._layout: tuple[int, Layout] = (-1, ())
        self._sort = ("attention", False)
        self._outdated = False
        self._sides: Sequence[tuple[Ctx, bool]] = ()
        self._instead: list[Line] = []

    # -- what it is told

    def show(self, rows: Sequence[Row], instead: list[Line], board: Board | None = None) -> None:
        """Show these rows in this order, or if there are none the lines `instead`. The cursor stays on its
        lock, and that on its line of the screen; if the lock is gone, the cursor stays where it was. `board`
        is the one that they are of."""
        before = self._position()
        line = before - self.scroll_offset.y
        was_visible = 0 <= line < self.page_rows
        self._rows, self._instead = rows, instead
        self._index = _places(rows, board)
        self._wanted = widths_on(board, rows)
        self._wanted["context"] = min(
            _CONTEXT, max((len(ctx.badge.name) for ctx, _ in self._sides), default=0)
        )
        self._layout = (-1, ())
        self._settle_cursor(before)
        self.virtual_size = Size(self.size.width, len(rows) + 1)
        if self._chosen and was_visible:
            self.scroll_to(y=self._position() - line, animate=False, immediate=True, force=True)
        self._clamp_scroll()
        self.refresh()

    def tick(self, status: Status) -> None:
        """Time has passed: the countdowns move, nothing else does."""
        self._ctx = Ctx(
            self._glyphs, status.now, self._ctx.claims_first, status.board, status.tracks, status.mono_ns
        )
        self._outdated = status.outdated
        self.refresh()

    def tick_sides(self, statuses: Sequence[Status]) -> None:
        """As `tick`, for rows of several contexts, each at its store's time."""
        first = self._ctx.claims_first
        self._sides = [
            (
                Ctx(self._glyphs, one.now, first, one.board, one.tracks, one.mono_ns, one.badge),
                one.outdated,
            )
            for one in statuses
        ]
        self.refresh()

    def show_names(self, *, claims_first: bool) -> None:
        """Volume ids first, or the names people know."""
        self._ctx = replace(self._ctx, claims_first=claims_first)
        self._layout = (-1, ())
        self.refresh()

    def show_columns(self, wish: Wish) -> None:
        """Other columns; no more of them go out of sight at the left than must for the last to be seen."""
        if wish.wide:
            most = most_skipped(self._room, self._wanted, wish)
            wish = replace(wish, skipped=min(max(0, wish.skipped), most))
        if wish != self._wish:
            self._wish, self._layout = wish, (-1, ())
            self.refresh()

    def show_marks(self, marked: frozenset[str]) -> None:
        """Which rows are marked, by key."""
        self._marked = marked
        self.refresh()

    def mark_sort(self, sort: str, *, reverse: bool) -> None:
        """Which column's heading tells the order."""
        self._sort = (sort, reverse)
        self.refresh()

    # -- what it tells

    @property
    def cursor_row(self) -> Row | None:
        """The row under the cursor."""
        return self.row_of(self._cursor or "")

    def row_of(self, key: str) -> Row | None:
        """The row of a key, if there is one."""
        place = self._index.get(key)
        return self._rows[place] if place is not None else None

    @property
    def claims_first(self) -> bool:
        """Whether names people know stand in place of volume ids."""
        return self._ctx.claims_first

    @property
    def wish(self) -> Wish:
        """The columns that are wanted, and which of them are out of sight."""
        return self._wish

    @property
    def columns(self) -> Sequence[str]:
        """The columns in sight, by id."""
        return [column.id for column, _ in self._columns(self._room)]

    @property
    def page_rows(self) -> int:
        """How many rows are in view."""
        return max(1, self.size.height - 1)

    @property
    def in_view(self) -> tuple[int, int]:
        """The first and last row in view, counted from 1."""
        top = self.scroll_offset.y
        return min(top + 1, len(self._rows)), min(top + self.page_rows, len(self._rows))

    @property
    def rows(self) -> Sequence[Row]:
        """All rows in order, those out of view as well."""
        return self._rows

    # -- the cursor

    def move(self, by: int) -> None:
        """Move the cursor by rows; it stops at the ends."""
        self.move_to(self._position() + by)

    def move_to(self, place: int) -> None:
        """Put the cursor on a row by its place, or the end beyond which that is, and bring it into view."""
        if not self._rows:
            return
        last = len(self._rows) - 1
        place = last if place > last else max(0, place)
        before, top = self._position(), self.scroll_offset.y
        self._chosen = True
        self._set_cursor(self._rows[place].key)
        if self.size.height < 2:
            # Not laid out yet: `on_resize` follows.
            return
        if place < top:
            self.scroll_to(y=place, animate=False, immediate=True, force=True)
        elif place >= top + self.page_rows:
            self.scroll_to(y=place - self.page_rows + 1, animate=False, immediate=True, force=True)
        else:
            self._refresh_rows({before, place})
            return
        self.refresh()

    def _refresh_rows(self, places: Iterable[int]) -> None:
        """Paint these rows anew: a page is thirty times the work of the two that a step changes."""
        lines = [place - self.scroll_offset.y + 1 for place in places]
        seen = [line for line in lines if 0 < line < self.size.height]
        self.refresh(*(Region(0, line, self.size.width, 1) for line in seen))

    def seek(self, key: str) -> bool:
        """Put the cursor on a key and bring it into view; whether it is there."""
        place = self._index.get(key)
        if place is not None:
            self.move_to(place)
        return place is not None

    def move_to_last(self) -> None:
        """Put the cursor on the last row."""
        self.move_to(len(self._rows))

    def release(self) -> None:
        """Let go of the lock under the cursor: the cursor stays at the top, whatever comes there."""
        self._chosen = False
        self.scroll_to(y=0, animate=False, immediate=True, force=True)
        self._settle_cursor(0)
        self.refresh()

    def _position(self) -> int:
        return self._index.get(self._cursor or "", 0)

    def _settle_cursor(self, before: int) -> None:
        if not self._rows:
            self._set_cursor(None)
        elif not self._chosen:
            self._set_cursor(self._rows[0].key)
        elif self._cursor not in self._index:
            self._set_cursor(self._rows[min(before, len(self._rows) - 1)].key)

    def _set_cursor(self, key: str | None) -> None:
        if key != self._cursor:
            self._cursor = key
            self.post_message(CursorMoved(key))

    def _clamp_scroll(self) -> None:
        most = max(0, len(self._rows) - self.page_rows)
        if self.scroll_offset.y > most:
            self.scroll_to(y=most, animate=False, immediate=True, force=True)

    # -- what Textual asks

    def render_line(self, y: int) -> Strip:
        """Line 0 is the headings, the others are rows from the scroll offset on."""
        # The last cell stays free beside a scrollbar.
        width = self._room
        if not self._rows:
            return self._paint_instead(y, width)
        if y == 0:
            sort, reverse = self._sort
            return self.paint(heading(self._columns(width), self._ctx, sort, reverse=reverse), width)
        place = self.scroll_offset.y + y - 1
        if place >= len(self._rows):
            return self.paint([], width)
        row = self._rows[place]
        cursor = row.key == self._cursor
        own, (ctx, outdated) = own_of(row), self._of(row)
        parts = row_parts(own, self._columns(width), ctx, cursor=cursor, marked=row.key in self._marked)
        if outdated:
            parts = [(text, "dim") for text, _ in parts]
        base: Style | None = None
        if cursor:
            base = self.cursor_ground
        return self.paint(parts, width, base)

    def _of(self, row: Row) -> tuple[Ctx, bool]:
        """What the cells of a row need, and whether it is of the past."""
        if not isinstance(row, SideRow):
            return self._ctx, self._outdated
        ctx, outdated = self._sides[row.side]
        if ctx.claims_first != self._ctx.claims_first:
            ctx = replace(ctx, claims_first=self._ctx.claims_first)
        return ctx, outdated

    def _paint_instead(self, y: int, width: int) -> Strip:
        lines = [line for parts in self._instead for line in wrap(parts, max(20, width - 8))]
        at = y - max(2, (self.size.height - len(lines)) // 3)
        if not 0 <= at < len(lines):
            return self.paint([], width)
        shown = cut(lines[at], width, self._glyphs.ellipsis)
        return self.paint([(" " * ((width - width_of(shown)) // 2), "text"), *shown], width)

    @property
    def _room(self) -> int:
        return self.scrollable_content_region.width

    def _columns(self, width: int) -> Layout:
        if self._layout[0] != width:
            self._layout = (width, lay_out(width - 1, self._wanted, self._wish))
        return self._layout[1]

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Tell when other rows come into view."""
        super().watch_scroll_y(old_value, new_value)
        if round(old_value) != round(new_value):
            self.post_message(TableScrolled())

    def on_resize(self, event: events.Resize) -> None:
        """Keep the cursor in view."""
        self.virtual_size = Size(event.size.width, len(self._rows) + 1)
        if self._chosen:
            place = self._position()
            top = self.scroll_offset.y
            if not top <= place < top + self.page_rows:
                self.move_to(place)
        self._clamp_scroll()
        self.post_message(TableScrolled())

    def on_click(self, event: events.Click) -> None:
        """A click selects, a double click opens; on a heading it orders by that column."""
        place = self.scroll_offset.y + event.y - 1
        if event.y < 1 and self._rows:
            self._order_by(event.x - MARGIN)
        if event.y < 1 or place >= len(self._rows):
            return
        self.move_to(place)
        if event.chain == 2:
            self.post_message(DetailsRequested(self._rows[place].key))

    def _order_by(self, x: int) -> None:
        for column, width in self._columns(self._room):
            if 0 <= x < width:
                self.post_message(SortRequested(column.id))
            x -= width + GAP


def _places(rows: Sequence[Row], board: Board | None) -> Mapping[str, int]:
    """The place of each row by its key; of all rows of a board it may be known."""
    for ready in board.arranged.values() if board is not None else ():
        if ready.rows is rows:
            return ready.places
    return {row.key: place for place, row in enumerate(rows)}
