"""The line in which a filter is typed; every character counts at once."""

from __future__ import annotations

from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.widgets import Input, Label

from locktop.messages import FilterChanged, FilterClosed


class FilterBar(Horizontal):
    """`/` and a text field. Hidden while closed, when the field has no focus either."""

    can_focus = False

    def compose(self) -> ComposeResult:
        """The prompt and the field."""
        yield Label("/", markup=False)
        yield Input(compact=True, select_on_focus=False, id="filter")
        yield Label("enter keeps it, esc clears it", markup=False, id="filter-hint")

    def open(self) -> None:
        """Show the field and type into it."""
        self.add_class("-open")
        field = self.query_one(Input)
        field.cursor_blink = False
        field.focus()

    def clear(self) -> None:
        """Empty and hide the field."""
        self.query_one(Input).value = ""
        self.remove_class("-open")

    def on_input_changed(self, event: Input.Changed) -> None:
        """Say so with every character."""
        event.stop()
        self.post_message(FilterChanged(event.value))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter goes back to the table; an empty filter is none."""
        event.stop()
        self.set_class(bool(event.value), "-open")
        self.post_message(FilterClosed(keep=bool(event.value)))

    def on_key(self, event: events.Key) -> None:
        """Escape drops the filter."""
        if event.key == "escape":
            event.stop()
            self.clear()
            self.post_message(FilterClosed(keep=False))
