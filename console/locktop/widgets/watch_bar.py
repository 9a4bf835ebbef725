"""How it stands with the locks that were broken here, while there is something to tell."""

from __future__ import annotations

from locktop.format import Line
from locktop.widgets.bars import Bar


class WatchBar(Bar):
    """One line; hidden while nothing is watched."""

    def show(self, left: Line, right: Line | None = None) -> None:
        """An empty line hides it."""
        self.set_class(bool(left), "-shown")
        super().show(left, right)
