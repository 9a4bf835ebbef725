"""Choosing the columns of the locks table; the table behind the sheet follows at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual import events
from textual.app import ComposeResult
from textual.containers import Container

from locktop.columns import COLUMNS, EXTRA, MEANINGS
from locktop.format import Line
from locktop.keys import Place, bindings, footer_keys
from locktop.messages import ColumnsChosen, ColumnToggled
from locktop.screens.base import Sheet
from locktop.widgets.bars import FooterBar, TitleRule, TooSmall
from locktop.widgets.key_list import KeyList

if TYPE_CHECKING:
    from locktop.screens.lock_hands import LockHands

FIRST = "volume"
"""The column that cannot be taken away: without it a row is of nothing."""


class CheckList(KeyList):
    """A list in which a click is a decision."""

    def on_click(self, event: events.Click) -> None:
        """Textual moves the cursor by the handler of the base."""
        place = self.scroll_offset.y + event.y - 1
        if event.y >= 1 and place < len(self.keys):
            self.post_message(ColumnToggled(self.keys[place]))


class ColumnsScreen(Sheet):
    """A line for each column, from left to right.

    Args:
        owner: the screen that is told of every change. hidden: the columns that are not wanted.
        empty: those that have nothing to show at present.
    """

    PLACE: ClassVar[Place] = "columns"
    BINDINGS: ClassVar = bindings("columns")
    AUTO_FOCUS: ClassVar[str] = "CheckList"

    def __init__(self, owner: LockHands, hidden: frozenset[str], empty: frozenset[str]) -> None:
        super().__init__()
        self._owner = owner
        self._hidden = hidden
        self._empty = empty

    def compose(self) -> ComposeResult:
        """A sheet in the middle."""
        glyphs = self.locktop.glyphs
        with Container(id="sheet"):
            yield TitleRule(glyphs)
            yield CheckList(glyphs)
            yield FooterBar([key for key in footer_keys("columns") if key.place == "columns"])
        yield TooSmall()

    def on_mount(self) -> None:
        """List them."""
        super().on_mount()
        self.query_one(TitleRule).show([("Columns", "strong")], [("w shows all that are chosen", "dim")])
        # Where there is one context only, its column is none to choose.
        columns = [column.id for column in COLUMNS if column.id != "context" or self._owner.several]
        self.query_one(CheckList).show(columns, _heading, self._line)

    def _line(self, column: str, _width: int) -> Line:
        title = next(one.title for one in COLUMNS if one.id == column)
        box = "[x]" if column not in self._hidden else "[ ]"
        words = "nothing to show here at present" if column in self._empty else MEANINGS[column]
        off = column in self._hidden
        return [
            (f" {box} ", "dim" if column == FIRST else "key"),
            (f"{title:<14}", "dim" if off else "strong"),
            (words, "dim" if off or column in self._empty else "text"),
        ]

    # -- what people do

    def action_move(self, by: int) -> None:
        """Move the cursor."""
        self.query_one(CheckList).move(by)

    def action_toggle_column(self) -> None:
        """Show the column under the cursor, or no longer."""
        self._toggle(self.query_one(CheckList).cursor or FIRST)

    def on_column_toggled(self, message: ColumnToggled) -> None:
        """A click does the same."""
        self._toggle(message.column)

    def action_usual(self) -> None:
        """The columns as they were in the beginning."""
        self._choose(EXTRA)

    def action_back(self) -> None:
        """Close."""
        self.dismiss()

    def _toggle(self, column: str) -> None:
        if column == FIRST:
            self.notify("VOLUME stays: without it nobody knows whose lock it is", markup=False)
            return
        self._choose(self._hidden ^ {column})

    def _choose(self, hidden: frozenset[str]) -> None:
        self._hidden = hidden
        self.query_one(CheckList).refresh()
        self._owner.post_message(ColumnsChosen(hidden))


def _heading(_width: int) -> Line:
    return [("     COLUMN        WHAT IT SHOWS", "dim")]
