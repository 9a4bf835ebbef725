"""A short list to pick from: a heading, a line for each key, a cursor that is a key."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from textual import events
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from locktop.format import Glyphs, Line
from locktop.messages import CursorMoved, DetailsRequested
from locktop.widgets.painted import Painted, cut

Paint = Callable[[str, int], Line]
"""The line of a key, for a width. Asked when a line is painted and at no other time."""


class Picker(ScrollView, Painted, can_focus=False, inherit_bindings=False):
    """As high as its lines, up to the limit that the stylesheet sets; beyond that it scrolls."""

    def __init__(self, glyphs: Glyphs, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._glyphs = glyphs
        self._keys: Sequence[str] = ()
        self._places: dict[str, int] = {}
        self._heading: Line = []
        self._paint: Paint = _blank
        self._cursor: str | None = None
        self._faded = False

    def show(self, keys: Sequence[str], heading: Line, paint: Paint, *, faded: bool = False) -> None:
        """Show these keys. The cursor stays on its key; if that is gone, where it was."""
        before = self.place
        self._heading, self._paint, self._faded = heading, paint, faded
        if keys is not self._keys:
            grown = len(keys) != len(self._keys)
            self._keys = keys
            self._places = {key: place for place, key in enumerate(keys)}
            if self._cursor not in self._places:
                self._set(keys[min(before, len(keys) - 1)] if keys else None)
            self.virtual_size = Size(self.size.width, len(keys) + 1)
            if grown:
                self.refresh(layout=True)
        self.refresh()

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

    def pick(self, key: str) -> None:
        """Put the cursor on a key, and bring it into view. One that is not there is taken when it comes."""
        self._set(key)
        self._reveal()

    def move(self, by: int) -> None:
        """Move the cursor by lines; it stops at the ends."""
        if self._keys:
            self.pick(self._keys[min(max(0, self.place + by), len(self._keys) - 1)])

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """A line for each key, and the heading."""
        return len(self._keys) + 1

    def render_line(self, y: int) -> Strip:
        """Line 0 is the heading, the others are keys from the scroll offset on."""
        width = self.scrollable_content_region.width
        place = self.scroll_offset.y + y - 1
        if y == 0:
            return self.paint(cut(self._heading, width, self._glyphs.ellipsis), width)
        if place >= len(self._keys):
            return self.paint([], width)
        key = self._keys[place]
        here = key == self._cursor
        parts = [(self._glyphs.cursor if here else " ", "key"), *self._paint(key, width - 1)]
        if self._faded:
            parts = [(text, "dim") for text, _ in parts]
        base = self.cursor_ground if here else None
        return self.paint(cut(parts, width, self._glyphs.ellipsis), width, base)

    def on_resize(self, event: events.Resize) -> None:
        """Keep the cursor in view."""
        self.virtual_size = Size(event.size.width, len(self._keys) + 1)
        self._reveal()

    def on_click(self, event: events.Click) -> None:
        """A click picks, a double click opens."""
        place = self.scroll_offset.y + event.y - 1
        if event.y < 1 or place >= len(self._keys):
            return
        self.pick(self._keys[place])
        if event.chain == 2:
            self.post_message(DetailsRequested(self._keys[place]))

    def _set(self, key: str | None) -> None:
        if key != self._cursor:
            self._cursor = key
            self.post_message(CursorMoved(key))

    def _reveal(self) -> None:
        rows, top = self.size.height - 1, self.scroll_offset.y
        if rows > 0 and self._cursor in self._places:
            want = min(max(top, self.place - rows + 1), self.place)
            if want != top:
                self.scroll_to(y=want, animate=False, immediate=True, force=True)
        self.refresh()


def _blank(_key: str, _width: int) -> Line:
    return []
