"""The line in which a filter is typed; every character counts at once."""

from __future__ import annotations

from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.widgets import Input, Label

from locktop.format import Glyphs
from locktop.messages import FilterChanged, FilterClosed
from locktop.query import advise, complete, wrong_with
from locktop.widgets.bars import Bar


class FilterBar(Vertical):
    """`/` and a text field, and under it what is wrong with a filter, or may come next. Hidden while closed,
    when the field has no focus either.

    Args:
        columns: whether names of columns are completed by tab, and their values told.
    """

    can_focus = False

    def __init__(self, glyphs: Glyphs, *, columns: bool = True) -> None:
        super().__init__()
        self._glyphs = glyphs
        self._columns = columns

    def compose(self) -> ComposeResult:
        """The prompt and the field, and a line for what there is to say."""
        with Horizontal():
            yield Label("/", markup=False)
            yield Input(compact=True, select_on_focus=False, id="filter")
            yield Label("enter keeps it, esc clears it", markup=False, id="filter-hint")
        yield Bar(self._glyphs, id="filter-says")

    def open(self) -> None:
        """Show the field and type into it, from the very next key on."""
        self.add_class("-open")
        # What is hidden takes no focus, and styles come with the next refresh: too late for a fast hand.
        self.display = True
        self.call_after_refresh(self.styles.clear_rule, "display")
        field = self.query_one(Input)
        field.cursor_blink = False
        self.screen.set_focus(field)

    def clear(self) -> None:
        """Empty and hide the field."""
        self.query_one(Input).value = ""
        self.say("")
        self._close()

    def _close(self) -> None:
        self.remove_class("-open")
        self.styles.clear_rule("display")

    def say(self, problem: str) -> None:
        """What is wrong with the filter; while nothing is, what may come next."""
        advice = advise(self.query_one(Input).value) if self._columns else ""
        self.set_class(bool(problem or advice), "-says")
        mark = (f" {self._glyphs.warn} ", "alert") if problem else ("   ", "text")
        self.query_one("#filter-says", Bar).show([mark, (problem or advice, "alert" if problem else "dim")])

    def on_input_changed(self, event: Input.Changed) -> None:
        """Say so with every character."""
        event.stop()
        self.post_message(FilterChanged(event.value))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter goes back to the table; an empty filter is none, and one that cannot be meant stays open."""
        event.stop()
        if self._columns and (problem := wrong_with(event.value)):
            self.say(problem)
            return
        if not event.value:
            self._close()
        self.post_message(FilterClosed(keep=bool(event.value)))

    def on_key(self, event: events.Key) -> None:
        """Escape drops the filter, tab completes it."""
        if event.key == "escape":
            event.stop()
            self.clear()
            self.post_message(FilterClosed(keep=False))
        elif event.key == "tab":
            event.stop()
            event.prevent_default()
            field = self.query_one(Input)
            if self._columns and field.cursor_position == len(field.value):
                field.value = complete(field.value)
                field.cursor_position = len(field.value)
