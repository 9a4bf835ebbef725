"""A long list to move in: a heading, a line for each key, a cursor that is a key.

Lines are made when they are painted and at no other time. Until a person moves, the cursor stays at the top,
whatever comes there; from then on it stays on its key, and that on its line of the screen.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from textual import events
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from locktop.format import Glyphs, Line
from locktop.messages import CursorMoved, DetailsRequested, TableScrolled
from locktop.widgets.painted import Painted, cut, width_of, wrap

Paint = Callable[[str, int], Line]
"""The line of a key, for a width."""


class KeyList(ScrollView, Painted, can_focus=True, inherit_bindings=False):
    """Keys in an order, one a line, under a heading."""

    def __init__(self, glyphs: Glyphs, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._glyphs = glyphs
        self._keys: Sequence[str] = ()
        self._places: dict[str, int] = {}
        self._heading: Callable[[int], Line] = _no_heading
        self._paint: Paint = _blank
        self._cursor: str | None = None
        self._chosen = False
        self._faded = False
        self._instead: list[Line] = []

    # -- what it is told

    def show(self, keys: Sequence[str], heading: Callable[[int], Line], paint: Paint) -> None:
        """Show these keys in this order."""
        before = self.place
        line = before - self.scroll_offset.y
        was_visible = 0 <= line < self.page_rows
        self._keys, self._heading, self._paint = keys, heading, paint
        self._places = {key: place for place, key in enumerate(keys)}
        self._settle(before)
        self.virtual_size = Size(self.size.width, len(keys) + 1)
        if self._chosen and was_visible:
            self._scroll(self.place - line)
        self._scroll(min(self.scroll_offset.y, max(0, len(keys) - self.page_rows)))
        self.refresh()

    def tick(self, instead: list[Line], *, faded: bool) -> None:
        """Time has passed. `instead` stands in place of lines while there are none; what is of the past is
        shown `faded`."""
        self._instead, self._faded = instead, faded
        self.refresh()

    # -- what it tells

    @property
    def cursor(self) -> str | None:
        """The key under the cursor."""
        return self._cursor

    @property
    def place(self) -> int:
        """Where the cursor stands, counted from 0."""
        return self._places.get(self._cursor or "", 0)

    @property
    def keys(self) -> Sequence[str]:
        """All keys, in order."""
        return self._keys

    @property
    def chosen(self) -> bool:
        """Whether a person moved; else the cursor follows the top."""
        return self._chosen

    def places_before(self, key: str) -> int:
        """How many keys stand above one; 0 if it is not there."""
        return self._places.get(key, 0)

    @property
    def page_rows(self) -> int:
        """How many keys are in view."""
        return max(1, self.size.height - 1)

    @property
    def in_view(self) -> tuple[int, int]:
        """The first and last line in view, counted from 1."""
        top = self.scroll_offset.y
        return min(top + 1, len(self._keys)), min(top + self.page_rows, len(self._keys))

    # -- the cursor

    def move(self, by: int) -> None:
        """Move the cursor by lines; it stops at the ends."""
        self.move_to(self.place + by)

    def move_to(self, place: int) -> None:
        """Put the cursor on a line, or the end beyond which that is, and bring it into view."""
        if not self._keys:
            return
        place = min(max(0, place), len(self._keys) - 1)
        self._chosen = True
        self._set(self._keys[place])
        self._reveal()
        self.refresh()

    def release(self) -> None:
        """Let go: the cursor stays at the top from now on."""
        self._chosen = False
        self._scroll(0)
        self._settle(0)
        self.refresh()

    def _settle(self, before: int) -> None:
        if not self._keys:
            self._set(None)
        elif not self._chosen:
            self._set(self._keys[0])
        elif self._cursor not in self._places:
            self._set(self._keys[min(before, len(self._keys) - 1)])

    def _set(self, key: str | None) -> None:
        if key != self._cursor:
            self._cursor = key
            self.post_message(CursorMoved(key))

    def _reveal(self) -> None:
        top = self.scroll_offset.y
        if self.size.height >= 2:
            self._scroll(min(max(top, self.place - self.page_rows + 1), self.place))

    def _scroll(self, y: int) -> None:
        if y != self.scroll_offset.y:
            self.scroll_to(y=max(0, y), animate=False, immediate=True, force=True)

    # -- what Textual asks

    def render_line(self, y: int) -> Strip:
        """Line 0 is the heading, the others are keys from the scroll offset on."""
        width = self.scrollable_content_region.width
        if not self._keys:
            return self._paint_instead(y, width)
        if y == 0:
            heading: Line = [(" ", "text"), *self._heading(width - 1)]
            return self.paint(cut(heading, width, self._glyphs.ellipsis), width)
        place = self.scroll_offset.y + y - 1
        if place >= len(self._keys):
            return self.paint([], width)
        key = self._keys[place]
        here = key == self._cursor
        parts: Line = [(self._glyphs.cursor if here else " ", "key"), *self._paint(key, width - 1)]
        if self._faded:
            parts = [(text, "dim") for text, _ in parts]
        base = self.cursor_ground if here else None
        return self.paint(cut(parts, width, self._glyphs.ellipsis), width, base)

    def _paint_instead(self, y: int, width: int) -> Strip:
        lines = [line for parts in self._instead for line in wrap(parts, max(20, width - 8))]
        at = y - max(2, (self.size.height - len(lines)) // 3)
        if not 0 <= at < len(lines):
            return self.paint([], width)
        shown = cut(lines[at], width, self._glyphs.ellipsis)
        return self.paint([(" " * ((width - width_of(shown)) // 2), "text"), *shown], width)

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Tell when other lines come into view."""
        super().watch_scroll_y(old_value, new_value)
        if round(old_value) != round(new_value):
            self.post_message(TableScrolled())

    def on_resize(self, event: events.Resize) -> None:
        """Keep the cursor in view."""
        self.virtual_size = Size(event.size.width, len(self._keys) + 1)
        if self._chosen:
            self._reveal()
        self.post_message(TableScrolled())

    def on_click(self, event: events.Click) -> None:
        """A click selects, a double click opens."""
        place = self.scroll_offset.y + event.y - 1
        if event.y < 1 or place >= len(self._keys):
            return
        self.move_to(place)
        if event.chain == 2:
            self.post_message(DetailsRequested(self._keys[place]))


def _blank(_key: str, _width: int) -> Line:
    return []


def _no_heading(_width: int) -> Line:
    return []
