"""Paragraphs of toned parts -> stdout: styled and wrapped on a terminal, plain and whole away from one."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable
from dataclasses import dataclass

from rich.console import Console
from rich.text import Text

from locktop.format import Line, Part

_STYLES = {
    "held": "#56B4E9",
    "waiting": "#F0E442",
    "late": "#E69F00",
    "stale": "bold #D55E00",
    "bad": "#CC79A7",
    "unsure": "#CC79A7",
    "good": "bold #009E73",
    "alert": "bold #D55E00",
    "strong": "bold",
    "title": "bold",
    "dim": "dim",
    "faint": "dim",
}
_LEAST = 40
"""Cells below which nothing is wrapped: a tower of single words helps nobody."""


@dataclass(frozen=True, slots=True)
class Para:
    """A paragraph: `first` cells before its first line, `hang` before those that follow by wrapping; one
    that must not be wrapped (a drawing) says so."""

    parts: Line
    first: int = 0
    hang: int = 0
    wrap: bool = True


def title(text: str) -> Para:
    """A heading."""
    return Para([(text, "title")])


def blank() -> Para:
    """An empty line."""
    return Para([])


LABEL = 10


def labelled(label: str, parts: Iterable[Part], *, indent: int = 2, width: int = LABEL) -> Para:
    """A label and what is to be said, the text aligned."""
    return Para(
        [(f"{label:<{width}} ", "dim"), *parts], first=indent, hang=indent + max(width, len(label)) + 1
    )


def terminal_width() -> int | None:
    """Cells of a line on stdout; None away from a terminal, where lines may be as long as they are."""
    return max(_LEAST, shutil.get_terminal_size().columns) if sys.stdout.isatty() else None


def print_paras(paras: Iterable[Para]) -> None:
    """Write to stdout."""
    width = terminal_width()
    if width is None:
        for para in paras:
            text = " " * para.first + "".join(text for text, _ in para.parts)
            sys.stdout.write(f"{text.rstrip()}\n")
        return
    console = Console(
        file=sys.stdout,
        width=width,
        no_color=bool(os.environ.get("NO_COLOR")),
        markup=False,
        highlight=False,
        emoji=False,
    )
    for para in paras:
        for line in _lines(para, console, width):
            console.print(line, end="\n", overflow="crop", crop=True, no_wrap=True)


def _lines(para: Para, console: Console, width: int) -> list[Text]:
    text = Text(no_wrap=True, end="")
    for part, tone in para.parts:
        text.append(part, style=_STYLES.get(tone, ""))
    if not para.parts:
        return [text]
    if not para.wrap or width - para.hang < _LEAST // 2:
        return [Text(" " * para.first).append_text(text)]
    # The label stands in the first line; wrapped lines begin under what it labels.
    head = Text(" " * para.first).append_text(text)
    if head.cell_len <= width:
        return [head]
    label = para.hang - para.first if para.hang > para.first else 0
    body = text[label:] if label else text
    wrapped = body.wrap(console, width - para.hang, no_wrap=False)
    found = [Text(" " * para.hang).append_text(line) for line in wrapped]
    if label and found:
        found[0] = Text(" " * para.first).append_text(text[:label]).append_text(wrapped[0])
    return found
