"""Panes of running text: the facts about the row under the cursor, and a sheet that scrolls."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from locktop.describe import Fact
from locktop.format import Glyphs, Line
from locktop.output.paper import Para
from locktop.widgets.painted import Painted, cut, width_of, wrap

LABEL = 11
"""Cells of the labels before facts."""


def fact_lines(facts: Sequence[Fact], width: int) -> list[Line]:
    """Facts as lines: the label at the left, the text wrapped beside it."""
    lines: list[Line] = []
    for fact in facts:
        wrapped = wrap(fact.parts, max(20, width - LABEL - 3))
        for place, parts in enumerate(wrapped):
            label = fact.label if place == 0 else ""
            lines.append([(f"  {label:<{LABEL}}", "dim"), *parts])
    return lines


def para_lines(paras: Iterable[Para], width: int) -> list[Line]:
    """What the command line prints, as lines for a sheet of `width` cells."""
    lines: list[Line] = []
    for para in paras:
        parts: Line = [(" " * para.first, "text"), *para.parts] if para.parts else []
        if not parts or not para.wrap:
            lines.append(parts)
        else:
            lines.extend(wrap(parts, max(20, width), para.hang))
    return lines


class DetailPane(Painted):
    """What there is to say about one row; a single line where there is no room for more."""

    can_focus = False

    def __init__(self, glyphs: Glyphs) -> None:
        super().__init__()
        self._glyphs = glyphs
        self._title: Line = []
        self._facts: Sequence[Fact] = ()
        self._summary: Line = []
        self._more: Sequence[Fact] = ()
        self._wrapped: tuple[tuple[int, int], list[Line]] = ((-1, -1), [])

    def show(self, title: Line, facts: Sequence[Fact], summary: Line, more: Sequence[Fact] = ()) -> None:
        """Replace what is shown; `more` follows after a blank line where there is plenty of room."""
        shown = (title, facts, summary, more)
        if shown != (self._title, self._facts, self._summary, self._more):
            self._title, self._facts, self._summary, self._more = shown
            self._wrapped = ((-1, -1), [])
            self.refresh()

    def render_line(self, y: int) -> Strip:
        """A rule with the row's name, then the facts; or the summary on the rule."""
        width, height = self.size.width, self.size.height
        if y == 0:
            words = self._summary if height == 1 else self._title
            return self._rule(words, width)
        return self.paint_line(self._lines(width, height - 1), y - 1)

    def _rule(self, words: Line, width: int) -> Strip:
        rule = self._glyphs.rule
        shown = [(" ", "faint"), *words, (" ", "faint")] if words else []
        shown = cut(shown, width - 4, self._glyphs.ellipsis)
        rest = max(0, width - 2 - width_of(shown))
        return self.paint([(rule * 2, "faint"), *shown, (rule * rest, "faint")], width)

    def _lines(self, width: int, height: int) -> list[Line]:
        if self._wrapped[0] != (width, height):
            self._wrapped = ((width, height), self._fitted(width, height))
        return self._wrapped[1]

    def _fitted(self, width: int, height: int) -> list[Line]:
        """All facts if they fit; else the ones at the end give way to the last, which is the hint."""
        lines = fact_lines(self._facts, width)
        more = fact_lines(self._more, width)
        if more and len(lines) + len(more) < height:
            return [*lines, [], *more]
        if len(lines) <= height or not self._facts:
            return lines
        hint = fact_lines(self._facts[-1:], width)
        if len(hint) >= height:
            return hint[:height]
        return lines[: height - len(hint)] + hint


class Scroller(ScrollView, Painted, can_focus=True, inherit_bindings=False):
    """A sheet of lines, wrapped to the width, that scrolls."""

    def __init__(self, glyphs: Glyphs, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._glyphs = glyphs
        self._source: list[Line] = []
        self._wrapped: tuple[int, list[Line]] = (-1, [])

    def show(self, lines: list[Line]) -> None:
        """Replace the lines; the place scrolled to stays."""
        if lines != self._source:
            self._source = lines
            self._wrapped = (-1, [])
            self._measure()
            self.refresh()

    def _measure(self) -> None:
        self.virtual_size = Size(self.size.width, len(self._lines()))

    def _lines(self) -> list[Line]:
        width = max(20, self.size.width)
        if self._wrapped[0] != width:
            wrapped = [
                part for line in self._source for part in (wrap(line, width, _hang(line)) if line else [[]])
            ]
            self._wrapped = (width, wrapped)
        return self._wrapped[1]

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """As many lines as there are."""
        return len(self._source)

    def render_line(self, y: int) -> Strip:
        """One line from the scroll offset on."""
        return self.paint_line(self._lines(), self.scroll_offset.y + y)

    def on_resize(self) -> None:
        """Wrap anew."""
        self._measure()

    def scroll_lines(self, by: int) -> None:
        """Scroll by lines."""
        self.scroll_to(y=self.scroll_offset.y + by, animate=False, immediate=True)


def _hang(line: Line) -> int:
    """Lines that follow begin under the text, not under the label."""
    first = line[0][0] if line else ""
    return len(first) if len(first) <= LABEL + 4 else 2
