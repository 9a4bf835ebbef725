"""The locks that were broken on this store: what did not end, and what can be put back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.containers import Container, Horizontal
from textual.widget import Widget

from locktop.deeds import Shelf
from locktop.format import Line, name, plural
from locktop.keys import REASONS, Place, bindings, footer_keys
from locktop.messages import ButtonPressed, CursorMoved, DetailsRequested, RestoreConfirmed
from locktop.screens.base import Sheet, View
from locktop.status import Status
from locktop.undo_list import Entry, about, command, entries_of, heading, line, question
from locktop.widgets.bars import FooterBar, TitleRule, TooSmall
from locktop.widgets.button import Button
from locktop.widgets.key_list import KeyList
from locktop.widgets.panes import Scroller


class UndoScreen(View):
    """A list and, below it, everything about the one under the cursor.

    Args:
        entry: the transaction to begin with.
    """

    PLACE: ClassVar[Place] = "undo"
    BINDINGS: ClassVar = bindings("undo")
    AUTO_FOCUS: ClassVar[str] = "KeyList"

    def __init__(self, entry: str = "") -> None:
        super().__init__()
        self._wanted = entry
        self._shelf: Shelf | None = None
        self._entries: Mapping[str, Entry] = {}

    def body(self) -> Iterable[Widget]:
        """The list and the sheet, each under a title."""
        glyphs = self.locktop.glyphs
        yield TitleRule(glyphs, id="title")
        yield KeyList(glyphs)
        yield TitleRule(glyphs, id="about")
        yield Scroller(glyphs)

    def on_screen_resume(self) -> None:
        """Whatever was done meanwhile shows."""
        super().on_screen_resume()
        self.read()

    def read(self) -> None:
        """Read what there is."""
        breaker = self.locktop.session.breaker
        if breaker is not None:
            breaker.list_copies()

    # -- status -> widgets

    def show_status(self, status: Status) -> None:
        """Another shelf is listed; between two only time moves on."""
        shelf, keys = status.deeds.shelf, self.query_one(KeyList)
        if shelf is not self._shelf and shelf is not None and not shelf.at_start:
            self._shelf = shelf
            self._entries = entries_of(shelf)
            keys.show(list(self._entries), heading, self._paint)
            if self._wanted in self._entries:
                keys.move_to(list(self._entries).index(self._wanted))
                self._wanted = ""
        keys.tick(self._instead(), faded=bool(self._shelf and self._shelf.problem))
        self._show_about(status)

    def _paint(self, key: str, width: int) -> Line:
        return line(self._entries[key], width, self.locktop.glyphs)

    def _instead(self) -> list[Line]:
        shelf = self._shelf
        if self.locktop.session.breaker is None:
            return [[("this console reads no quarantine", "dim")]]
        if shelf is None:
            return [[("reading what was broken", "dim")]]
        if shelf.problem:
            return [[(shelf.problem, "alert")], [], [("esc goes back", "dim")]]
        return [
            [("nothing was broken here, or its copies are gone", "strong")],
            [],
            [("a copy of every broken lock is kept for 30 days", "dim")],
        ]

    def _show_about(self, status: Status) -> None:
        left: Line = [("Broken locks", "key")]
        shelf = self._shelf
        if shelf is not None and not shelf.problem:
            open_ = sum(entry.open is not None for entry in self._entries.values())
            left.append((f"   {plural(len(self._entries), 'entry', 'entries')}", "dim"))
            left += [(f"   {open_} interrupted", "alert")] if open_ else []
        self.query_one("#title", TitleRule).show(left, [("esc back", "dim")])
        entry, pane = self._chosen, self.query_one("#about", TitleRule)
        if entry is None:
            pane.show([], [])
            self.query_one(Scroller).show([])
            return
        shown = entry.kept.token.shown if entry.kept is not None else name(entry.id)
        pane.show([(shown, "strong")], [])
        width = max(40, self.app.size.width - 1)
        off = REASONS["write"] if status.read_only else ""
        self.query_one(Scroller).show(about(entry, status.wall_ns, width, off=off))

    @property
    def _chosen(self) -> Entry | None:
        return self._entries.get(self.query_one(KeyList).cursor or "")

    # -- what people do

    def on_cursor_moved(self, _: CursorMoved) -> None:
        """Another one."""
        self._show_about(self.locktop.status)

    async def on_details_requested(self, _: DetailsRequested) -> None:
        """It was opened with the mouse."""
        await self.app.run_action("restore", self)

    def action_restore(self) -> None:
        """Ask whether it shall be put back."""
        entry = self._chosen
        if entry is None:
            return
        if entry.why_not:
            self.notify(entry.why_not, markup=False, severity="warning")
            return
        self.app.push_screen(ConfirmScreen(self, entry, finish=False))

    def action_finish(self) -> None:
        """Ask whether it shall be brought to its end."""
        entry = self._chosen
        if entry is None:
            return
        if not entry.can_finish:
            why = entry.open.words if entry.open is not None else "it was not interrupted"
            self.notify(f"there is nothing to finish: {why}", markup=False, severity="warning")
            return
        self.app.push_screen(ConfirmScreen(self, entry, finish=True))

    def on_restore_confirmed(self, message: RestoreConfirmed) -> None:
        """Do it."""
        breaker, entry = self.locktop.session.breaker, self._entries.get(message.entry)
        if breaker is None or entry is None or entry.kept is None or self.locktop.status.read_only:
            return
        if message.finish:
            breaker.finish(entry.id, self.locktop.session.snapshot)
        else:
            breaker.put_back(entry.id, entry.kept.key, interrupted=entry.open is not None)

    def action_open(self) -> None:
        """Its volume."""
        entry = self._chosen
        if entry is not None and entry.kept is None:
            self.notify("its volume is not known: the description cannot be read", markup=False)
        elif entry is not None and entry.kept is not None:
            self.locktop.open_volume(entry.kept.token.volume)

    def action_copy(self) -> None:
        """Copy the command line that does it."""
        entry = self._chosen
        line = command(entry, self.locktop.session.url) if entry is not None else ""
        if line:
            self.app.copy_to_clipboard(line)
            self.notify("copied the command line", markup=False)
        elif entry is not None:
            self.notify(f"nothing to copy: {entry.why_not}", markup=False, severity="warning")

    def action_back(self) -> None:
        """Back to where one came from."""
        self.dismiss()

    def action_move(self, by: int) -> None:
        """Move the cursor."""
        self.query_one(KeyList).move(by)

    def action_move_page(self, pages: float) -> None:
        """Move the cursor by pages or parts of one."""
        keys = self.query_one(KeyList)
        keys.move(round(keys.page_rows * pages))

    def action_move_to(self, end: str) -> None:
        """Move the cursor to an end."""
        keys = self.query_one(KeyList)
        keys.move_to(0 if end == "first" else len(keys.keys))


class ConfirmScreen(Sheet):
    """Asks once more; the focus is on Cancel.

    Args:
        owner: the screen that is told. entry: what it is about.
        finish: bring it to its end; else put it back.
    """

    PLACE: ClassVar[Place] = "confirm"
    BINDINGS: ClassVar = bindings("confirm")
    AUTO_FOCUS: ClassVar[str] = "#cancel"

    def __init__(self, owner: UndoScreen, entry: Entry, *, finish: bool) -> None:
        super().__init__()
        self._owner = owner
        self._entry = entry
        self._finish = finish

    def compose(self) -> ComposeResult:
        """A sheet in the middle."""
        glyphs = self.locktop.glyphs
        with Container(id="sheet"):
            yield TitleRule(glyphs)
            yield Scroller(glyphs)
            with Horizontal(id="buttons"):
                yield Button(glyphs, "Cancel", id="cancel")
                yield Button(glyphs, self._words[1], id="do")
            yield FooterBar([key for key in footer_keys("confirm") if key.place == "confirm"])
        yield TooSmall()

    def on_mount(self) -> None:
        """Say what it is about."""
        super().on_mount()
        self.query_one(TitleRule).show([(self._words[0], "key")], [("esc cancels", "dim")])

    @property
    def _words(self) -> tuple[str, str]:
        """The title, and what the button says."""
        if self._finish:
            return "Finish what was interrupted?", "Finish it"
        if self._entry.open is not None:
            return "Take back what was interrupted?", "Take it back"
        return "Put this lock back?", "Put it back"

    def on_resize(self, event: events.Resize) -> None:
        """Whatever is short, the buttons are to be seen."""
        super().on_resize(event)
        sheet, width = self.query_one(Scroller), min(76, event.size.width - 2)
        sheet.show(question(self._entry, finish=self._finish, width=width))
        sheet.styles.max_height = max(1, event.size.height - 5)

    def on_button_pressed(self, message: ButtonPressed) -> None:
        """Tell the list, or nobody; once, however often it was pressed before this screen went."""
        if self.app.screen is not self:
            return
        self.dismiss()
        if message.button == "do":
            self._owner.post_message(RestoreConfirmed(self._entry.id, finish=self._finish))

    def action_field(self, by: int) -> None:
        """The other button."""
        self.focus_next("Button") if by > 0 else self.focus_previous("Button")

    def action_scroll(self, by: int) -> None:
        """Scroll what does not fit."""
        self.query_one(Scroller).scroll_lines(by)

    def action_back(self) -> None:
        """Nothing is done."""
        self.dismiss()
