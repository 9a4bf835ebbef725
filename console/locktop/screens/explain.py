"""An error message of Longhorn, pasted, and the present picture of its volume."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from textual.widget import Widget

from locktop.keys import Place, bindings
from locktop.screens.base import View
from locktop.status import Status
from locktop.widgets.bars import TitleRule
from locktop.widgets.panes import Scroller


class ExplainScreen(View):
    """An error message of Longhorn, pasted, and the present picture of its volume."""

    PLACE: ClassVar[Place] = "explain"
    BINDINGS: ClassVar = bindings("explain")
    AUTO_FOCUS: ClassVar[str] = "Scroller"

    def __init__(self, text: str = "") -> None:
        super().__init__()
        self._text = text

    def body(self) -> Iterable[Widget]:
        """A sheet under its title."""
        glyphs = self.locktop.glyphs
        yield TitleRule(glyphs)
        yield Scroller(glyphs)

    def show_status(self, status: Status) -> None:
        """New data, or time that has passed."""
        self.query_one(TitleRule).show(self.view_title())

    def action_back(self) -> None:
        """Back to where one came from."""
        if len(self.app.screen_stack) > 1:
            self.dismiss()
