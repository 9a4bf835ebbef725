"""The table of locks as a person left it last."""

from __future__ import annotations

from dataclasses import replace

from locktop.messages import ColumnsChosen
from locktop.screens.locks import LocksScreen


class RememberingLocks(LocksScreen):
    """Begins with the order, the columns and the names of last time, and keeps what is changed."""

    def on_mount(self) -> None:
        """As it was left."""
        habits = self.locktop.memory.recall()
        self._sort, self._reverse, self._hidden = habits.sort, habits.reverse, habits.hidden
        self.table.show_names(claims_first=habits.claims_first)
        super().arrange_anew()

    def arrange_anew(self) -> None:
        """A person chose another order."""
        super().arrange_anew()
        if self._sort != "context":
            # Another time there may be one only.
            self.locktop.memory.keep(lambda habits: replace(habits, sort=self._sort, reverse=self._reverse))

    def on_columns_chosen(self, message: ColumnsChosen) -> None:
        """A person chose other columns."""
        self.locktop.memory.keep(lambda habits: replace(habits, hidden=message.hidden))

    def action_names(self) -> None:
        """Volume ids first, or the names people know."""
        super().action_names()
        self.locktop.memory.keep(lambda habits: replace(habits, claims_first=self.table.claims_first))
