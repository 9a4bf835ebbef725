"""Choosing the context to work in; what would be left undone in this one is told first."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

from rich.cells import cell_len
from textual import events
from textual.app import ComposeResult
from textual.containers import Container

from backuplock.text import ellipsize_middle
from locktop.format import Line, fit
from locktop.keys import Place, bindings, footer_keys
from locktop.screens.base import Sheet
from locktop.widgets.bars import Banner, FooterBar, TitleRule, TooSmall
from locktop.widgets.key_list import KeyList

if TYPE_CHECKING:
    from locktop.badge import Choice, Contexts
    from locktop.messages import DetailsRequested

MARGIN = 3
"""Cells before the name: the cursor, and the mark of the present context."""
NAME_MOST = 24


class ContextsScreen(Sheet):
    """A line for each context: its name in its colour, whether it may be written to, its target.

    Args:
        contexts: those there are.
    """

    PLACE: ClassVar[Place] = "contexts"
    BINDINGS: ClassVar = bindings("contexts")
    AUTO_FOCUS: ClassVar[str] = "KeyList"

    def __init__(self, contexts: Contexts) -> None:
        super().__init__()
        self._contexts = contexts
        self._choices = {choice.badge.name: choice for choice in contexts.choices}
        self._sure: tuple[str, ...] = ()
        self._marked: tuple[str, ...] = ()

    def compose(self) -> ComposeResult:
        """A sheet in the middle."""
        glyphs = self.locktop.glyphs
        with Container(id="sheet"):
            yield TitleRule(glyphs)
            yield Banner(glyphs)
            yield KeyList(glyphs)
            yield FooterBar([key for key in footer_keys("contexts") if key.place == "contexts"])
        yield TooSmall()

    def on_mount(self) -> None:
        """List them, beginning with the present one."""
        super().on_mount()
        file = ellipsize_middle(self._contexts.file, 44, self.locktop.glyphs.ellipsis)
        self.query_one(TitleRule).show([("Contexts", "strong")], [(file, "dim")])
        listed = self.query_one(KeyList)
        listed.tick(_instead(self._contexts), faded=False)
        listed.show(list(self._choices), _heading(self._names), self._line)
        here = self.locktop.session.badge.name
        if here in self._choices:
            listed.move_to(listed.places_before(here))
        self._fit(self.app.size.height)

    def on_resize(self, event: events.Resize) -> None:
        """As high as what it lists."""
        super().on_resize(event)
        self._fit(event.size.height)

    def _fit(self, height: int) -> None:
        lines = max(5, len(self._choices) + 1)
        self.query_one("#sheet").styles.height = min(lines + 2 + 2 * bool(self._sure), height)

    @property
    def _names(self) -> int:
        return min(NAME_MOST, max(cell_len(name) for name in (*self._choices, "CONTEXT")))

    def _line(self, name: str, width: int) -> Line:
        choice = self._choices[name]
        glyphs = self.locktop.glyphs
        here = name == self.locktop.session.badge.name
        names = self._names
        badge = choice.badge
        tone = f"accent-{badge.accent}" if badge.accent else "strong"
        rest = max(8, width - MARGIN - names - 8 - 11)
        return [
            ("+ " if name in self._marked else "* " if here else "  ", "key"),
            (fit(name, names, ellipsis=glyphs.ellipsis, middle=True), tone),
            ("  ", "text"),
            _mode(choice),
            ("  ", "text"),
            ("protected  " if badge.protected else " " * 11, "danger"),
            (
                fit(choice.target, min(rest, cell_len(choice.target)), ellipsis=glyphs.ellipsis, middle=True),
                "dim",
            ),
        ]

    # -- what people do

    def action_move(self, by: int) -> None:
        """Move the cursor."""
        self.query_one(KeyList).move(by)

    def action_choose(self) -> None:
        """Go to the context under the cursor, or all that are marked; if that leaves something undone, when
        asked once more."""
        name = self.query_one(KeyList).cursor
        names = self._marked or ((name,) if name is not None else ())
        if not names or names == (self.locktop.session.badge.name,):
            self.dismiss()
            return
        pending = () if self.locktop.is_open(*names) else self.locktop.pending
        if pending and self._sure != names:
            self._sure = names
            more = f", and {len(pending) - 1} more" if len(pending) > 1 else ""
            self._say([(f" enter leaves all the same. {pending[0]}{more}", "alert")])
            return
        self.locktop.go_to(*names)

    def action_mark(self) -> None:
        """Mark the context under the cursor, or no longer: those that are marked are opened side by side."""
        name = self.query_one(KeyList).cursor
        if name is not None:
            kept = tuple(one for one in self._marked if one != name)
            self._marked = kept if kept != self._marked else (*kept, name)
            self.on_cursor_moved()
            self.query_one(KeyList).move(1)
            self.query_one(KeyList).refresh()

    def on_details_requested(self, message: DetailsRequested) -> None:
        """A double click does the same."""
        message.stop()
        self.action_choose()

    def on_cursor_moved(self) -> None:
        """What was said of another context does not count for this one."""
        if self._sure:
            self._sure = ()
            self._say([])

    def _say(self, line: Line) -> None:
        self.query_one(Banner).show(line)
        self._fit(self.app.size.height)

    def action_back(self) -> None:
        """Close."""
        self.dismiss()


def _mode(choice: Choice) -> tuple[str, str]:
    return ("[RW]", "late") if choice.writable else ("[RO]", "dim")


def _heading(names: int) -> Callable[[int], Line]:
    return lambda _width: [(f"  {'CONTEXT':<{names}}  MODE             TARGET", "dim")]


def _instead(contexts: Contexts) -> list[Line]:
    if not contexts.file:
        return [[("this console was not opened with a settings file", "dim")]]
    return [
        [("no contexts yet", "strong")],
        [(f"name stores in {contexts.file}", "text")],
        [("locktop config init writes an example", "dim")],
    ]
