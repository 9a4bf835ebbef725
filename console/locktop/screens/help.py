"""The help: made from the table of keys, so that it cannot lie."""

from __future__ import annotations

from collections.abc import Sequence
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
    State.STALE: "ended, its holder is gone",
    State.LATE: "missed a refresh",
    State.UNSURE: "ended or not: unknown",
    State.BAD: "unreadable or odd type",
    State.WAITING: "asks, is not granted yet",
    State.HELD: "granted, refreshed in time",
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
        status = self.locktop.status
        replay = status.tape is not None
        lines = help_lines(self._place, self.locktop.glyphs, read_only=status.read_only, replay=replay)
        self.query_one(Scroller).show(lines)

    def action_back(self) -> None:
        """Close."""
        self.dismiss()

    def action_scroll(self, by: int) -> None:
        """Scroll by lines."""
        self.query_one(Scroller).scroll_lines(by)


def help_lines(place: Place, glyphs: Glyphs, *, read_only: bool, replay: bool = False) -> list[Line]:
    """The whole sheet: 80 cells wide, and 23 lines at most so that it fits under its title."""
    groups = [_group(title, keys) for title, keys in help_groups(place, replay=replay).items()]
    left, right = min(
        ((_stack(groups[:cut]), _stack(groups[cut:])) for cut in range(1, len(groups))),
        key=lambda sides: max(map(len, sides)),
    )
    lines: list[Line] = []
    for at in range(max(len(left), len(right))):
        first = left[at] if at < len(left) else []
        second = right[at] if at < len(right) else []
        pad = COLUMN - sum(cell_len(text) for text, _ in first)
        lines.append([*first, (" " * max(1, pad), "text"), *second])
    return [*lines, [], *_states(glyphs), [], *_closing(read_only=read_only)]


def _stack(groups: Sequence[list[Line]]) -> list[Line]:
    return [line for at, group in enumerate(groups) for line in ([[], *group] if at else group)]


def _group(title: str, keys: Sequence[Key]) -> list[Line]:
    return [
        [(f"  {title}", "dim")],
        *([(f"  {key.shown:<10}", "key"), (key.words, "text")] for key in keys),
    ]


def _states(glyphs: Glyphs) -> list[Line]:
    lines: list[Line] = [[("  STATES", "dim")]]
    pairs = list(MEANINGS.items())
    half = len(pairs) // 2
    for row in zip(pairs[:half], pairs[half:], strict=True):
        line: Line = []
        for state, words in row:
            text = f"{state.value:<8}{words}"
            line += [(f"  {glyphs.states[state]} ", state.value), (f"{text:<{COLUMN - 4}}", "text")]
        lines.append(line)
    return lines


def _closing(*, read_only: bool) -> list[Line]:
    lines: list[Line] = [
        [("  TTL ", "dim"), ("until it ends unless refreshed, ~ where clocks are unsure", "text")],
        [("  BLOCKS NOW ", "dim"), ("what cannot start because of it, and how many wait", "text")],
    ]
    if read_only:
        lines.append([("  [RO] ", "dim"), ("read-only: nothing here writes to the store", "text")])
    return lines
