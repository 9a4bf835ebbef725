"""The help: made from the table of keys, so that it cannot lie."""

from __future__ import annotations

from typing import ClassVar

from rich.cells import cell_len
from textual.app import ComposeResult
from textual.containers import Container

from backuplock.rules import State
from locktop.format import Glyphs, Line
from locktop.keys import Key, Place, bindings, help_groups
from locktop.screens.base import Sheet
from locktop.widgets.bars import TitleRule, TooSmall
from locktop.widgets.panes import Scroller

COLUMN = 38
"""Cells of one of the two columns."""

MEANINGS = {
    State.HELD: "acquired and refreshed on time",
    State.WAITING: "asks, not acquired",
    State.LATE: "missed a refresh: watch it",
    State.STALE: "ended: its holder is gone",
    State.UNSURE: "ended or not, it cannot be told",
    State.BAD: "unreadable, or of unknown type",
}


class HelpScreen(Sheet):
    """Keys by intent, the states and their glyphs.

    Args:
        place: the view it was asked in.
    """

    BINDINGS: ClassVar = bindings("help")
    AUTO_FOCUS: ClassVar[str] = "Scroller"

    def __init__(self, place: Place) -> None:
        super().__init__()
        self._place = place

    def compose(self) -> ComposeResult:
        """A sheet in the middle."""
        glyphs = self.locktop.glyphs
        with Container(id="sheet"):
            yield TitleRule(glyphs)
            yield Scroller(glyphs)
        yield TooSmall()

    def on_mount(self) -> None:
        """Write the sheet."""
        super().on_mount()
        self.query_one(TitleRule).show([("Help", "strong")], [("? or esc closes", "dim")])
        read_only = self.locktop.status.read_only
        self.query_one(Scroller).show(help_lines(self._place, self.locktop.glyphs, read_only=read_only))

    def action_back(self) -> None:
        """Close."""
        self.dismiss()

    def action_scroll(self, by: int) -> None:
        """Scroll by lines."""
        self.query_one(Scroller).scroll_lines(by)


def help_lines(place: Place, glyphs: Glyphs, *, read_only: bool) -> list[Line]:
    """The whole sheet, 80 cells wide at most."""
    groups = list(help_groups(place).items())
    heights = [len(keys) + 2 for _, keys in groups]
    left: list[Line] = []
    right: list[Line] = []
    for (title, keys), height in zip(groups, heights, strict=True):
        # The shorter column takes the next group, once the first holds half.
        side = left if len(left) + height // 2 <= sum(heights) / 2 else right
        side += [*_group(title, keys), []]
    lines: list[Line] = [[]]
    for place_ in range(max(len(left), len(right))):
        first = left[place_] if place_ < len(left) else []
        second = right[place_] if place_ < len(right) else []
        pad = COLUMN - sum(cell_len(text) for text, _ in first)
        lines.append([*first, (" " * max(1, pad), "text"), *second])
    return lines + _states(glyphs) + _closing(read_only=read_only)


def _group(title: str, keys: list[Key]) -> list[Line]:
    return [
        [(f"  {title}", "dim")],
        *([(f"  {key.shown:<10}", "key"), (key.words, "text")] for key in keys),
    ]


def _states(glyphs: Glyphs) -> list[Line]:
    lines: list[Line] = [[("  STATES", "dim")]]
    pairs = list(MEANINGS.items())
    for first, second in zip(pairs[::2], pairs[1::2], strict=True):
        line: Line = []
        for state, words in (first, second):
            text = f"{state.value:<8}{words}"
            line += [
                (f"  {glyphs.states[state]} ", state.value),
                (f"{text:<{COLUMN - 4}}"[: COLUMN + 8], "text"),
            ]
        lines.append(line)
    return lines


def _closing(*, read_only: bool) -> list[Line]:
    mode = "Read-only: nothing here writes to the store." if read_only else ""
    return [
        [],
        [("  TTL      time until a lock ends unless refreshed; ~ where clocks are unsure", "dim")],
        [("  BLOCKS   what cannot start because of it, and how many wait for it", "dim")],
        [(f"  {mode}", "dim")],
    ]
