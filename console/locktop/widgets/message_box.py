"""A field that takes a pasted message, be it a line or a whole log."""

from __future__ import annotations

from textual import events
from textual.widgets import TextArea

from backuplock.text import printable
from locktop.messages import MessageGiven

SHOWN_LINES, SHOWN_CHARACTERS = 40, 4000
"""How much of a pasted text the field shows; all of it is explained."""

_EXAMPLE = "paste an error of Longhorn here, one line or a whole log"


class MessageBox(TextArea):
    """What is typed counts with every character; what is pasted takes the place of what was there."""

    def __init__(self) -> None:
        super().__init__(compact=True, placeholder=_EXAMPLE, highlight_cursor_line=False)
        self._put = ""

    def put(self, text: str) -> None:
        """Show a text that is known already, as much of it as makes sense. No control character of it
        reaches the terminal."""
        lines = text[: SHOWN_CHARACTERS * 4].splitlines()[:SHOWN_LINES]
        self._put = "\n".join(printable(line) for line in lines)[:SHOWN_CHARACTERS]
        self.load_text(self._put)

    async def on_paste(self, event: events.Paste) -> None:
        """What is pasted is given at once."""
        event.stop()
        event.prevent_default()
        self.put(event.text)
        self.post_message(MessageGiven(event.text, done=True))

    async def on_key(self, event: events.Key) -> None:
        """Enter gives what is typed."""
        # Textual calls the handlers of the base classes too, unless that is prevented.
        if event.key == "enter":
            event.stop()
            event.prevent_default()
            self.post_message(MessageGiven(None, done=True))

    def on_text_area_changed(self, event: TextArea.Changed) -> None:
        """Somebody types."""
        event.stop()
        if self.text != self._put:
            self._put = self.text
            self.post_message(MessageGiven(self.text))
