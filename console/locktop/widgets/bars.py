"""The one-line bars: header, counts, banner, title rule, footer; and the sheet for tiny terminals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, cast

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.strip import Strip

from locktop.format import Glyphs, Line, number
from locktop.keys import VIEWS, Key
from locktop.widgets.painted import Painted, cut, spread, width_of, wrap

if TYPE_CHECKING:
    from locktop.app import LocktopApp

MIN_WIDTH, MIN_HEIGHT = 60, 12
"""Below this nothing useful fits."""


class Bar(Painted):
    """One line: a left end that gives way, a right end that stays."""

    can_focus = False

    def __init__(self, glyphs: Glyphs, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._glyphs = glyphs
        self._left: Line = []
        self._right: Line = []

    def show(self, left: Line, right: Line | None = None) -> None:
        """Replace what is shown; repaints only if it differs."""
        if (left, right or []) != (self._left, self._right):
            self._left, self._right = left, right or []
            self.refresh()

    def render_line(self, y: int) -> Strip:
        """The bar's only line."""
        width = self.size.width
        return self.paint(spread(self._left, self._right, width, self._glyphs.ellipsis), width)


class HeaderBar(Bar):
    """Target, mode, pulse, age of the data, round trip, skew, the store's time."""


class CautionBar(Bar):
    """The red line of a context that people should be careful with."""

    def show(self, left: Line, right: Line | None = None) -> None:
        """An empty line hides it."""
        self.set_class(bool(left), "-shown")
        super().show(left, right)

    def render_line(self, y: int) -> Strip:
        """Words on a thick line."""
        rule, width = self._glyphs.bold_rule, self.size.width
        words = cut(self._left, max(0, width - 4), self._glyphs.ellipsis)
        rest = max(0, width - 2 - width_of(words))
        return self.paint([(rule * 2, "danger"), *words, (rule * rest, "danger")], width)


class TabBar(Bar):
    """The numbered views, and how many locks are in which state."""

    def show_view(self, view: str, numbers: Mapping[str, int], counts: Line) -> None:
        """Which view it is, how many there are to see in each, and the counts at the right."""
        left: Line = [(" ", "text")]
        for at, (id_, title) in enumerate(VIEWS.items(), start=1):
            here = id_ == view
            left.append((f"{at} ", "key" if here else "faint"))
            left.append((title, "strong" if here else "dim"))
            left.append((f" {number(numbers[id_])}" if numbers.get(id_) else "", "dim"))
            left.append(("   ", "text"))
        self.show(left, counts)

    def render_line(self, y: int) -> Strip:
        """The tabs in full; where there is no room beside them, the counts without their words."""
        width, left, right = self.size.width, self._left, self._right
        if width_of(left) + width_of(right) > width:
            right = [(text, tone) for text, tone in right if tone != "dim"]
        return self.paint(spread(left, right, width, self._glyphs.ellipsis), width)

    def on_click(self, event: events.Click) -> None:
        """A click on a tab goes there."""
        at = 1
        for id_, parts in zip(VIEWS, self._tabs(), strict=True):
            if at <= event.x < at + width_of(parts):
                self.run_worker(self.app.run_action(f"show_view('{id_}')", self.app))
                return
            at += width_of(parts)

    def _tabs(self) -> list[Line]:
        """The four parts that each tab is painted from."""
        body = self._left[1:]
        return [body[at : at + 4] for at in range(0, len(body), 4)]


class Banner(Bar):
    """What is wrong, while something is: on one line, or on two where one does not hold it."""

    LINES: ClassVar[int] = 2

    def show(self, left: Line, right: Line | None = None) -> None:
        """An empty line hides the banner."""
        self.set_class(bool(left), "-shown")
        self.set_class(len(self._wrapped(left)) > 1, "-two")
        super().show(left, right)

    def render_line(self, y: int) -> Strip:
        """One of its lines; what exceeds the last is cut."""
        return self.paint_line(self._wrapped(self._left), y)

    def _wrapped(self, parts: Line) -> list[Line]:
        width = max(20, self.app.size.width)
        lines = wrap(parts, width - 1, hang=3)
        if len(lines) <= self.LINES:
            return lines
        rest = [part for line in lines[self.LINES - 1 :] for part in line[line is not lines[1] :]]
        return [*lines[: self.LINES - 1], cut(rest, width, self._glyphs.ellipsis)]


class TitleRule(Bar):
    """A rule with words at both ends."""

    def render_line(self, y: int) -> Strip:
        """Words on a thin line."""
        rule, width = self._glyphs.rule, self.size.width
        left = [(rule * 2 + " ", "faint"), *self._left, (" ", "faint")] if self._left else []
        right = [(" ", "faint"), *self._right, (" " + rule * 2, "faint")] if self._right else []
        left = cut(left, width - width_of(right) - 1, self._glyphs.ellipsis)
        room = width - width_of(left) - width_of(right)
        return self.paint([*left, (rule * max(0, room), "faint"), *right], width)


class FooterBar(Painted):
    """Keys and what they do, as many as fit; a click does the same."""

    can_focus = False
    _GAP: ClassVar[int] = 3

    def __init__(self, keys: Sequence[Key]) -> None:
        super().__init__()
        self._keys = list(keys)

    def render_line(self, y: int) -> Strip:
        """The keys that fit, most important ones first to stay."""
        width = self.size.width
        gap = self._GAP if width >= 100 else 2
        shown = sorted(self._keys, key=lambda key: key.rank)
        labels = cast("LocktopApp", self.app).labels
        label = {id(key): labels.shown(key) for key in self._keys}
        while shown and sum(len(label[id(key)]) + 1 + len(key.footer) + gap for key in shown) > width:
            shown.pop()
        kept = {(key.action, key.place) for key in shown}
        base = self.ground
        segments = [Segment(" ", base)]
        for key in self._keys:
            if (key.action, key.place) in kept:
                scope = "" if key.action.startswith("app.") else "app." if key.place == "app" else "screen."
                click = Style(meta={"@click": scope + key.action})
                # The blank belongs to the first: what draws exported pictures drops one that begins a part.
                name = label[id(key)].split(" ")[0] + " "
                segments.append(Segment(name, self.ink("key") + base + click))
                segments.append(Segment(key.footer, self.ink("dim") + base + click))
                segments.append(Segment(" " * gap, self.ink("dim") + base))
        return Strip(segments).adjust_cell_length(width, base)


class TooSmall(Painted):
    """One sentence instead of a screen that does not fit."""

    def render_line(self, y: int) -> Strip:
        """What there is, what is needed, the way out."""
        size = self.app.size
        text = f"terminal too small: have {size.width}x{size.height}, need {MIN_WIDTH}x{MIN_HEIGHT}, q quits"
        return self.paint_line(wrap([(text, "text")], max(1, self.size.width)), y)
