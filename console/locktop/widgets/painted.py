"""Lines of text in tones -> strips of a screen; the base of every widget here.

Text is never parsed as markup: a line is a sequence of (text, tone) pairs from the moment it is made.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, cast

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from locktop.format import Line, Part, fit
from locktop.theme import CURSOR

if TYPE_CHECKING:
    from locktop.app import LocktopApp


def width_of(parts: Iterable[Part]) -> int:
    """Cells that parts take."""
    return sum(cell_len(part[0]) for part in parts)


def cut(parts: Sequence[Part], width: int, ellipsis: str) -> list[Part]:
    """At most `width` cells of a line, an ellipsis where it was cut."""
    if width_of(parts) <= width:
        return list(parts)
    kept: list[Part] = []
    left = width
    for part in parts:
        used = cell_len(part[0])
        if used >= left:
            kept.append((fit(part[0] + " ", left, ellipsis=ellipsis), part[1]))
            break
        kept.append(part)
        left -= used
    return kept


def spread(left: Sequence[Part], right: Sequence[Part], width: int, ellipsis: str) -> list[Part]:
    """A line with one group at each end; the left one gives way."""
    room = width - width_of(right)
    if room < 8:
        return cut(left, width, ellipsis)
    shown = cut(left, room - 1, ellipsis)
    return [*shown, (" " * (room - width_of(shown)), "text"), *right]


def wrap(parts: Sequence[Part], width: int, hang: int = 0) -> list[list[Part]]:
    """Break a line at spaces into lines of at most `width` cells; all but the first begin with `hang`
    blanks. Words longer than a line are broken where they must."""
    lines: list[list[Part]] = [[]]
    used = 0
    for text, tone in parts:
        for word in _words(text):
            size = cell_len(word)
            if used + len(word.rstrip()) > width and used > hang:
                lines.append([(" " * hang, "text")])
                used = hang
                word = word.lstrip()
                size = cell_len(word)
            while used + size > width and cell_len(word.rstrip()) > width - used:
                head = fit(word, max(1, width - used), ellipsis="")
                lines[-1].append((head, tone))
                word = word[len(head) :]
                lines.append([(" " * hang, "text")])
                used, size = hang, cell_len(word)
            lines[-1].append((word, tone))
            used += size
    return lines


def _words(text: str) -> list[str]:
    """Pieces that may not be broken, each with the blanks that follow it."""
    words = [piece + " " for piece in text.split(" ")]
    words[-1] = words[-1][:-1]
    return [word for word in words if word]


def joined(parts: Iterable[Part]) -> Iterator[Part]:
    """The same line in fewer parts: neighbours of one tone are one, and blanks go to what stands before them,
    for no tone shows on a blank. What a screen does with a line costs by its parts.

    No part but the first begins with a blank: programs that draw exported pictures drop blanks there.
    """
    whole, tone = "", ""
    for text, its in parts:
        if not text:
            continue
        if its == tone or text.isspace():
            whole, tone = whole + text, tone or its
            continue
        bare = text.lstrip(" ")
        whole += text[: len(text) - len(bare)]
        if whole:
            yield whole, tone or its
        whole, tone = bare, its
    if whole:
        yield whole, tone


class Painted(Widget):
    """A widget that paints its lines itself, in tones."""

    _ground: Style | None = None
    _inks: dict[tuple[str, Style], Style] | None = None

    def render_lines(self, crop: Region) -> list[Strip]:
        """Between two times of painting, colours may change."""
        self._ground = self._inks = None
        return super().render_lines(crop)

    @property
    def ground(self) -> Style:
        """The widget's own background, which Textual leaves to those who paint lines; found once a time."""
        if self._ground is None:
            self._ground = Style(bgcolor=self.rich_style.bgcolor)
        return self._ground

    def ink(self, tone: str) -> Style:
        """The style of a tone, without background: a line keeps that of its row."""
        return self.locktop.tones[tone]

    @property
    def locktop(self) -> LocktopApp:
        """The app, known to be ours."""
        return cast("LocktopApp", self.app)

    @property
    def cursor_ground(self) -> Style:
        """The background of the line under the cursor."""
        return self.ink(CURSOR)

    def paint(self, parts: Iterable[Part], width: int, base: Style | None = None) -> Strip:
        """One strip of exactly `width` cells; `base` gives another background than the widget's."""
        base = base or self.ground
        segments = []
        if self._inks is None:
            self._inks = {}
        inks = self._inks
        for text, tone in joined(parts):
            ink = inks.get((tone, base))
            if ink is None:
                ink = inks[tone, base] = self.ink(tone) + base
            segments.append(Segment(text, ink))
        return Strip(segments).adjust_cell_length(width, base)

    def paint_line(self, lines: Sequence[Line], y: int) -> Strip:
        """The strip of line `y`, blank past the end."""
        return self.paint(lines[y] if y < len(lines) else (), self.size.width)
