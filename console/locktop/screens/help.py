"""The help: made from the table of keys, so that it cannot lie."""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.containers import Container as Box

from backuplock.rules import State
from locktop.controls import USUAL
from locktop.format import Glyphs, Line
from locktop.keymap import Keymap
from locktop.keys import KEYS, Key, Place, bindings, help_groups
from locktop.screens.base import Sheet
from locktop.widgets.bars import TitleRule, TooSmall
from locktop.widgets.painted import width_of, wrap
from locktop.widgets.panes import Scroller

COLUMN = 38
"""Cells of one of the two columns, or more where its words need it."""
FULL = 80
"""Cells that two columns need; where there are less, everything stands below each other."""
_LABEL = 12

MEANINGS = {
    State.STALE: "ended, its holder is gone",
    State.LATE: "missed a refresh",
    State.UNSURE: "ended or not: unknown",
    State.BAD: "unreadable or odd type",
    State.WAITING: "asks, is not granted yet",
    State.HELD: "granted, written on time",
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
        with Box(id="sheet"):
            yield TitleRule(glyphs)
            yield Scroller(glyphs)
        yield TooSmall()

    def on_mount(self) -> None:
        """Write the sheet."""
        super().on_mount()
        self._write(self.app.size.width)

    def on_resize(self, event: events.Resize) -> None:
        """In one column or two; say whether there is more than fits."""
        super().on_resize(event)
        self._write(event.size.width)

    def _write(self, width: int) -> None:
        lines = help_lines(self._place, self.locktop.glyphs, self._about(), width)
        self.query_one(Scroller).show(lines)
        self.call_after_refresh(self._title)

    def _about(self) -> About:
        status = self.locktop.status
        off = tuple((key, why) for key in KEYS if (why := self.locktop.why_off(key)))
        return About(status.read_only, status.tape is not None, status.unrecorded, off, self.locktop.labels)

    def _title(self) -> None:
        more = "j k more below   " * (self.query_one(Scroller).max_scroll_y > 0)
        self.query_one(TitleRule).show([("Help", "strong")], [(f"{more}? or esc closes", "dim")])

    def action_back(self) -> None:
        """Close."""
        self.dismiss()

    def action_scroll(self, by: int) -> None:
        """Scroll by lines."""
        self.query_one(Scroller).scroll_lines(by)


@dataclass(frozen=True, slots=True)
class About:
    """The session that the help is of.

    `off` are the keys that do nothing in it, each with the reason; `labels` says which keys are on what.
    """

    read_only: bool = True
    replay: bool = False
    unrecorded: str = ""
    off: tuple[tuple[Key, str], ...] = ()
    labels: Keymap = USUAL


def help_lines(place: Place, glyphs: Glyphs, about: About, width: int = FULL) -> list[Line]:
    """The whole sheet, 80 cells wide or `width` if that is less: keys first, which are what is looked for."""
    off = {key for key, _ in about.off}
    named = help_groups(place, replay=about.replay)
    groups = [_group(title, keys, off, about.labels) for title, keys in named.items()]
    keys = _stack(groups) if width < FULL else _beside(*_two_columns(groups))
    listed = {key for keys_of in named.values() for key in keys_of}
    reasons = [(key, why) for key, why in about.off if key in listed]
    lines = [*keys, *_off(reasons, about.labels), [], *_states(glyphs, width), [], *_closing(place, about)]
    if width >= FULL:
        return lines
    # Two cells are the bar's.
    return [part for line in lines for part in (wrap(line, width - 2, _LABEL + 1) if line else [line])]


def _beside(left: Sequence[Line], right: Sequence[Line]) -> list[Line]:
    column = max([COLUMN, *(width_of(line) + 1 for line in left)])
    lines: list[Line] = []
    for first, second in zip_longest(left, right, fillvalue=()):
        pad = " " * (column - width_of(first)) if second else ""
        lines.append([*first, (pad, "text"), *second])
    return lines


def _two_columns(groups: Sequence[list[Line]]) -> tuple[list[Line], list[Line]]:
    """The groups in two columns of about the same length, the first one at the top of the left."""
    splits = [
        (
            _stack([group for at, group in enumerate(groups) if not right >> at & 1]),
            _stack([group for at, group in enumerate(groups) if right >> at & 1]),
        )
        for right in range(0, 1 << len(groups), 2)
    ]
    return min(splits, key=lambda sides: (max(map(len, sides)), -len(sides[0])))


def _stack(groups: Sequence[list[Line]]) -> list[Line]:
    return [line for at, group in enumerate(groups) for line in ([[], *group] if at else group)]


def _group(title: str, keys: Sequence[Key], off: Container[Key], labels: Keymap) -> list[Line]:
    return [
        [(f"  {title}", "dim")],
        *(
            [(f"  {labels.shown(key):<10}", "faint" if key in off else "key"), (key.words, _tone(key, off))]
            for key in keys
        ),
    ]


def _tone(key: Key, off: Container[Key]) -> str:
    return "dim" if key in off else "text"


def _off(reasons: Sequence[tuple[Key, str]], labels: Keymap) -> list[Line]:
    return [[(f"  ({labels.shown(key)} is off: {why})", "dim")] for key, why in reasons]


def _states(glyphs: Glyphs, width: int) -> list[Line]:
    cells = [
        [(f"  {glyphs.states[state]} ", state.value), (f"{state.value:<8}{words}", "text")]
        for state, words in MEANINGS.items()
    ]
    half = len(cells) // 2
    lines = cells if width < FULL else _beside(cells[:half], cells[half:])
    return [[("  STATES", "dim")], *lines]


_FILTER = [
    ("FILTER", 'type:delete state:stale,late !owner:node-2 ttl:<30s "two words"'),
    ("", "a comma is or, ! is not, tab completes; times as of the last look"),
]
_OTHERS = [
    ("TTL", "until it ends unless refreshed, ~ where clocks are unsure"),
    ("BLOCKS NOW", "what cannot start because of it, and how many wait"),
]
_NOTES: dict[str, list[tuple[str, str]]] = {
    "locks": [
        *_FILTER,
        ("n N", "to what the last filter found; without one, to what is not well"),
        ("ORDER", "rests 3 s after a move, and while marked, paused or in a dialog"),
        *_OTHERS,
    ],
    "blocked": [
        *_FILTER,
        ("HOLDER", "alive: a refresh was seen; unseen: not yet, a minute tells"),
        *_OTHERS,
    ],
}


def _closing(place: Place, about: About) -> list[Line]:
    notes = list(_NOTES.get(place, _OTHERS))
    notes.append(("UNSURE", "also what would have ended since the last look, as in a pause"))
    if about.read_only:
        notes.append(("[RO]", "read-only: nothing here writes to the store"))
    if about.unrecorded:
        notes.append(("RECORD", f"nothing is recorded: {about.unrecorded}"))
    return [[(f"  {label:<10} ", "dim"), (words, "text")] for label, words in notes]
