"""Parts of a form: a choice among a few things, a line of text, a row of them, what is wrong with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.strip import Strip
from textual.widget import Widget
from textual.widgets import Input, Label

from backuplock.rules import State
from locktop.format import Glyphs, Line
from locktop.messages import ChoiceMade
from locktop.widgets.bars import Bar
from locktop.widgets.painted import Painted, cut, width_of


@dataclass(frozen=True, slots=True)
class Option:
    """Something to choose: what it is known by, and what is shown of it, printable."""

    value: str
    words: str


class Choice(Painted, can_focus=True):
    """One of a few: all side by side where they fit, else the chosen one between arrows.

    What is chosen is a value, never a place: it stays when the options change, and is shown as gone if it is
    none of them any more.
    """

    def __init__(self, glyphs: Glyphs, options: Sequence[Option], *, id: str) -> None:  # noqa: A002
        super().__init__(id=id)
        self._glyphs = glyphs
        self._options = tuple(options)
        self._value = self._options[0].value

    @property
    def value(self) -> str:
        """What is chosen."""
        return self._value

    def offer(self, options: Sequence[Option]) -> None:
        """Other options; what is chosen stays."""
        if tuple(options) != self._options:
            self._options = tuple(options)
            self.refresh()

    def take(self, value: str) -> None:
        """Choose, without a message."""
        if value != self._value:
            self._value = value
            self.refresh()

    def cycle(self, by: int) -> None:
        """The next option, or the one before; from the last to the first."""
        values = [option.value for option in self._options]
        at = values.index(self._value) if self._value in values else -by
        self._choose(values[(at + by) % len(values)])

    def _choose(self, value: str) -> None:
        if value != self._value:
            self.take(value)
            self.post_message(ChoiceMade(self.id or "", value))

    def render_line(self, y: int) -> Strip:
        """The options."""
        width = self.size.width
        parts = [part for _, line in self._cells(width) for part in line]
        base = self.cursor_ground if self.has_focus else None
        return self.paint(cut(parts, width, self._glyphs.ellipsis), width, base)

    def _cells(self, width: int) -> list[tuple[str, Line]]:
        """Pieces of the line, each with the value that a click on it chooses; "<" and ">" go round."""
        radio: list[tuple[str, Line]] = []
        for option in self._options:
            chosen = option.value == self._value
            mark = self._glyphs.states[State.HELD if chosen else State.WAITING]
            tones = ("key", "strong") if chosen else ("faint", "dim")
            radio.append((option.value, [(f"{mark} ", tones[0]), (f"{option.words}   ", tones[1])]))
        known = any(option.value == self._value for option in self._options)
        if known and sum(width_of(line) for _, line in radio) - 3 <= width and len(radio) <= 4:
            return radio
        words = next((one.words for one in self._options if one.value == self._value), "gone from the store")
        more = len(self._options) > 1
        tone = "late" if not known else "strong" if self._options[0].value != self._value else "dim"
        shown = cut([(words, tone)], width - 4, self._glyphs.ellipsis)
        arrow = "key" if more else "faint"
        return [("<", [("< ", arrow)]), (self._value, shown), (">", [(" >", arrow)])]

    def on_focus(self) -> None:
        """Be seen."""
        self.refresh()

    def on_blur(self) -> None:
        """Be seen no more."""
        self.refresh()

    def on_click(self, event: events.Click) -> None:
        """A click chooses what it hits."""
        begin = 0
        for value, line in self._cells(self.size.width):
            end = begin + width_of(line)
            if begin <= event.x < end:
                if value in ("<", ">"):
                    self.cycle(1 if value == ">" else -1)
                else:
                    self._choose(value)
                return
            begin = end


class Row(Horizontal):
    """A line of the form: labels, each before its part."""

    can_focus = False

    def __init__(self, *parts: tuple[str, Widget], id: str) -> None:  # noqa: A002
        super().__init__(id=id)
        self._parts = parts

    def compose(self) -> ComposeResult:
        """Label, part, label, part."""
        for place, (label, part) in enumerate(self._parts):
            if label:
                found = Label(label, markup=False, classes="first" if place == 0 else "next")
                found.styles.width = 13 if place == 0 else cell_len(label) + 2
                yield found
            yield part


class Problem(Bar):
    """What is wrong with the row above; no line at all while nothing is."""

    def say(self, text: str) -> None:
        """One printable line, or nothing."""
        self.set_class(bool(text), "-shown")
        self.show([(" " * 13 + f"{self._glyphs.warn} {text}", "late")] if text else [])


def typed(placeholder: str, *, id: str) -> Input:  # noqa: A002
    """A line of text; the placeholder says what holds while it is empty."""
    field = Input(placeholder=placeholder, compact=True, select_on_focus=True, id=id)
    field.cursor_blink = False
    return field
