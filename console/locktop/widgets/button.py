"""A button: pressed by enter, space or a click, and by nothing else; off, it cannot even be reached."""

from __future__ import annotations

from textual import events
from textual.strip import Strip

from locktop.format import Glyphs, Line
from locktop.messages import ButtonPressed
from locktop.widgets.painted import Painted, width_of


class Button(Painted, can_focus=True):
    """One thing to do.

    Args:
        words: what it says. danger: it destroys something, and looks like it.
    """

    def __init__(self, glyphs: Glyphs, words: str, *, id: str, danger: bool = False) -> None:  # noqa: A002
        super().__init__(id=id)
        self._glyphs = glyphs
        self._words = words
        self.set_class(danger, "-danger")
        self.styles.width = len(words) + 6

    def switch(self, *, on: bool) -> None:
        """On or off; one that goes off gives the focus away."""
        if self.disabled == on:
            self.disabled = not on
            self.refresh()

    def rename(self, words: str) -> None:
        """Say something else."""
        if words != self._words:
            self._words = words
            self.styles.width = len(words) + 6
            self.refresh()

    def render_line(self, y: int) -> Strip:
        """The words between brackets, arrows where the focus is."""
        here = self.has_focus
        tone = "faint" if self.disabled else "strong" if here else "text"
        left, right = (">[ ", " ]<") if here else (" [ ", " ] ")
        parts: Line = [
            (left, "key" if here else "faint"),
            (self._words, tone),
            (right, "key" if here else "faint"),
        ]
        return self.paint(parts, max(self.size.width, width_of(parts)))

    def on_key(self, event: events.Key) -> None:
        """Enter and space press it."""
        if event.key in ("enter", "space"):
            event.stop()
            event.prevent_default()
            self._press()

    def on_click(self, event: events.Click) -> None:
        """A click presses it; the second one of a double click does not count."""
        event.stop()
        if event.chain == 1:
            self._press()

    def _press(self) -> None:
        if not self.disabled and self.id is not None:
            self.post_message(ButtonPressed(self.id))

    def on_focus(self) -> None:
        """Be seen."""
        self.refresh()

    def on_blur(self) -> None:
        """Be seen no more."""
        self.refresh()
