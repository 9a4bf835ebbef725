"""What happened, as far as looking again and again can tell."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from textual.widget import Widget

from locktop.keys import Place, bindings
from locktop.screens.base import View
from locktop.status import Status
from locktop.widgets.bars import TitleRule
from locktop.widgets.panes import Scroller


class EventsScreen(View):
    """What happened, as far as looking again and again can tell."""

    PLACE: ClassVar[Place] = "events"
    VIEW: ClassVar[str] = "events"
    BINDINGS: ClassVar = bindings("events")
    AUTO_FOCUS: ClassVar[str] = "Scroller"

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
