"""A short menu over a view: what to copy, in which form to export."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.cells import cell_len
from textual import events
from textual.app import ComposeResult
from textual.containers import Container

from locktop.format import Line, fit
from locktop.keys import Place, bindings, footer_keys
from locktop.messages import DetailsRequested
from locktop.screens.base import Sheet
from locktop.widgets.bars import FooterBar, TitleRule, TooSmall
from locktop.widgets.key_list import KeyList


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of a menu: what it is called, and what it would give, in a line that is cut in its middle."""

    name: str
    hint: str


class MenuScreen(Sheet):
    """Entries to choose one from.

    Args:
        title: what is asked. entries: by no means empty.
        chosen: hears which one, after the menu has gone.
    """

    PLACE: ClassVar[Place] = "menu"
    BINDINGS: ClassVar = bindings("menu")
    AUTO_FOCUS: ClassVar[str] = "KeyList"

    def __init__(self, title: str, entries: Sequence[Entry], chosen: Callable[[int], None]) -> None:
        super().__init__()
        self._title = title
        self._entries = {str(at): entry for at, entry in enumerate(entries)}
        self._chosen = chosen

    def compose(self) -> ComposeResult:
        """A sheet in the middle."""
        glyphs = self.locktop.glyphs
        with Container(id="sheet"):
            yield TitleRule(glyphs)
            yield KeyList(glyphs)
            yield FooterBar([key for key in footer_keys("menu") if key.place == "menu"])
        yield TooSmall()

    def on_mount(self) -> None:
        """List them, the first one under the cursor."""
        super().on_mount()
        self.query_one(TitleRule).show([(self._title, "strong")], [])
        self.query_one(KeyList).show(list(self._entries), _heading, self._line)
        self._fit(self.app.size.height)

    def on_resize(self, event: events.Resize) -> None:
        """As high as what it lists."""
        super().on_resize(event)
        self._fit(event.size.height)

    def _fit(self, height: int) -> None:
        self.query_one("#sheet").styles.height = min(len(self._entries) + 3, height)

    def _line(self, key: str, width: int) -> Line:
        entry = self._entries[key]
        names = max(cell_len(one.name) for one in self._entries.values())
        room = max(8, width - names - 3)
        hint = fit(
            entry.hint,
            min(room, cell_len(entry.hint)),
            ellipsis=self.locktop.glyphs.ellipsis,
            middle=True,
        )
        return [(f" {entry.name:<{names}}", "strong"), ("  ", "text"), (hint, "dim")]

    # -- what people do

    def action_move(self, by: int) -> None:
        """Move the cursor."""
        self.query_one(KeyList).move(by)

    def action_choose(self) -> None:
        """Take the entry under the cursor."""
        at = self.query_one(KeyList).cursor
        self.dismiss()
        if at is not None:
            self._chosen(int(at))

    def on_details_requested(self, message: DetailsRequested) -> None:
        """A double click does the same."""
        message.stop()
        self.action_choose()

    def action_back(self) -> None:
        """Close."""
        self.dismiss()


def _heading(_width: int) -> Line:
    return []
