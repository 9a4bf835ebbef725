"""The application: wires the session to the screens, and leaves the terminal as it was."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Mapping
from typing import ClassVar

from rich.style import Style
from textual import events
from textual.command import CommandPalette
from textual.driver import Driver
from textual.reactive import reactive
from textual.screen import Screen

from backuplock.text import ellipsize_middle, printable
from locktop.badge import Contexts
from locktop.choosing import NO_CONTEXTS
from locktop.commands import KeyCommands
from locktop.controls import USUAL
from locktop.drivers import wiping
from locktop.format import ASCII, Glyphs, name, pick_glyphs
from locktop.habits import Memory
from locktop.keymap import Keymap
from locktop.keys import Place, bindings
from locktop.messages import SessionReported, SimulateRequested
from locktop.rows import Row
from locktop.screens.base import Sheet, View
from locktop.screens.remembering import RememberingLocks
from locktop.screens.views import blocked, details, events_, explain, help_, is_explain, simulate
from locktop.session import Event, Session
from locktop.status import Status
from locktop.taking import Taking
from locktop.theme import DARK, inks, styles
from locktop.tidy import Tidy, put_by

LAST_RESORT_S = 15.0
"""How long after a signal the process ends if it has not ended in good order; longer than acts on the
store are waited for."""

_WIDTHS: list[tuple[int, str]] = [(0, "-narrow"), (100, "-normal"), (160, "-wide")]
_HEIGHTS: list[tuple[int, str]] = [(0, "-short"), (30, "-tall")]
_NOTHING = Status("", "", read_only=True, mono_ns=0, wall_ns=0, interval_ns=0)


class LocktopApp(Taking, inherit_bindings=False):
    """The console on one session.

    Args:
        session: not yet started; the app starts and closes it.
        ascii_only: draw in plain ASCII; else the terminal's locale decides.
        handle_signals: SIGTERM, SIGHUP and SIGINT end the app in good order.
        contexts, words, keymap, memory: see `Choosing`.
    """

    TITLE = "locktop"
    CSS_PATH = "styles/locktop.tcss"
    BINDINGS: ClassVar = bindings("app")
    MODES: ClassVar = {
        "locks": RememberingLocks,
        "blocked": blocked,
        "simulate": simulate,
        "events": events_,
    }
    COMMANDS: ClassVar = {KeyCommands}
    HORIZONTAL_BREAKPOINTS = _WIDTHS
    VERTICAL_BREAKPOINTS = _HEIGHTS

    status: reactive[Status] = reactive(_NOTHING, always_update=True)
    """What is known as of now. Screens watch it; nothing else tells them anything."""

    def __init__(
        self,
        session: Session,
        *,
        ascii_only: bool = False,
        handle_signals: bool = False,
        contexts: Contexts = NO_CONTEXTS,
        words: tuple[str, ...] = (),
        keymap: Keymap = USUAL,
        memory: Memory | None = None,
    ) -> None:
        super().__init__(session, contexts=contexts, words=words, keymap=keymap, memory=memory)
        self._tidy = Tidy()
        self._toned: object = None
        self._tones: Mapping[str, Style] = {}
        self.glyphs: Glyphs = pick_glyphs(ascii_only=ascii_only)
        self._handle_signals = handle_signals
        self.register_theme(DARK)
        self.theme = DARK.name
        self.wear_theme()
        self.set_reactive(LocktopApp.status, self.picture.status)

    @property
    def plain(self) -> bool:
        """Whether everything is drawn in ASCII."""
        return self.glyphs is ASCII

    def get_driver_class(self) -> type[Driver]:
        """The terminal's, which wipes the first line away before it takes the screen."""
        return wiping(super().get_driver_class())

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """What our styles need and themes of others do not define."""
        return inks(self.current_theme)

    @property
    def tones(self) -> Mapping[str, Style]:
        """What each tone looks like in the present theme."""
        if self._toned is not self.theme_variables:
            self._toned, self._tones = self.theme_variables, styles(self.theme_variables)
        return self._tones

    # -- life

    def on_mount(self) -> None:
        """Paint at once; the store is opened by the session's thread after that."""
        self.switch_mode("locks")
        self.set_interval(1.0, self.refresh_status)
        if self._handle_signals:
            self._catch_signals()
        self.call_after_refresh(self.session.start, self._hear)
        self.begin()

    def on_unmount(self) -> None:
        """Nothing more is asked of the store."""
        self.session.close()

    def _catch_signals(self) -> None:
        loop = asyncio.get_running_loop()

        def caught(number: int, _frame: object) -> None:
            # Not the loop's own handlers: a terminal that went away, or that nobody reads, may hold the loop
            # up for ever in the middle of a write.
            loop.call_soon_threadsafe(self._leave, 128 + number)
            last = threading.Timer(LAST_RESORT_S, os._exit, (128 + number,))
            last.daemon = True
            last.start()

        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            signal.signal(number, caught)

    def _leave(self, code: int) -> None:
        self.exit(return_code=code)

    # -- session -> status

    def _hear(self, event: Event) -> None:
        """Called in the session's thread: hand over and return."""
        self.post_message(SessionReported(event))

    def on_session_reported(self, message: SessionReported) -> None:
        """Take in what the session tells, and show it."""
        self.take_in(message.event)

    def take_in(self, event: Event) -> None:
        """What the session tells."""
        before = self.picture.status
        self.picture.hear(event)
        self.show_now()
        if before.board is None and self.picture.status.board is not None:
            put_by()
        self.hear_deed(event)
        self.tell_unrecorded(before.unrecorded, self.picture.status.unrecorded)

    def show_now(self) -> None:
        """Have the screens show the picture as it is."""
        self.status = self.picture.status

    def tidy_up(self) -> None:
        """Look for garbage if it is time for that."""
        self._tidy.tick()

    def refresh_status(self) -> None:
        """Time has passed, or a person changed something."""
        before, now = self.status.tape, self.picture.tick().tape
        if now is not None and now.ended and not (before is not None and before.ended):
            # A clock that has reached its end lets no further look come due: this one shows the end.
            self.session.refresh_now()
        self.show_now()
        self.tidy_up()

    async def on_event(self, event: events.Event) -> None:
        """Know when a person is at work."""
        if isinstance(event, events.InputEvent):
            self._tidy.touched()
        await super().on_event(event)

    @property
    def tab_counts(self) -> Mapping[str, int]:
        """How many there are to see in each view."""
        board = self.status.board
        return {
            "locks": len(board.snapshot.by_key) if board else 0,
            "blocked": len(self.status.blocks.blocks) if self.status.blocks else 0,
            "events": self.status.happened,
        }

    def place_of(self, screen: Screen[object]) -> Place:
        """Which part of the table of keys holds for a screen."""
        return screen.PLACE if isinstance(screen, View | Sheet) else "app"

    # -- what people do anywhere

    def action_help(self) -> None:
        """Explain the keys of the view."""
        if not isinstance(self.screen, Sheet):
            self.push_screen(help_(self.place_of(self.screen)))

    async def action_show_view(self, view: str) -> None:
        """Go to one of the numbered views: to the view itself, whatever was open in it before."""
        if isinstance(self.screen, Sheet):
            self.screen.dismiss()
        if view != self.current_mode:
            await self.switch_mode(view)
        while len(self.screen_stack) > 1:
            await self.pop_screen()

    def action_explain(self) -> None:
        """Take a message of Longhorn."""
        self._explain("")

    def on_paste(self, event: events.Paste) -> None:
        """What is pasted into a view is a message that somebody wants explained."""
        if event.text.strip():
            self._explain(event.text)

    def _explain(self, text: str) -> None:
        screen = self.screen
        if is_explain(screen):
            if text:
                screen.give(text)
            else:
                screen.another()
        elif isinstance(screen, View):
            self.push_screen(explain(text))

    def open_volume(self, volume: str, lock: str = "") -> None:
        """Everything about a volume; `lock` is the key of the lock to begin with."""
        self.push_screen(details(volume, lock))

    async def simulate(self, volume: str) -> None:
        """How operations on a volume would fare."""
        if isinstance(self.screen, Sheet):
            self.screen.dismiss()
        came_from = self.current_mode
        await self.switch_mode("simulate")
        self.screen.post_message(SimulateRequested(volume, came_from))

    def attend(self) -> None:
        """Have the session look beside the locks of the volume that is on the screen, of none if none is."""
        views = [screen for screen in self.screen_stack if isinstance(screen, View)]
        self.session.attend(views[-1].attended if views else None)

    def action_command_palette(self) -> None:
        """Everything that can be done, to be searched by its words."""
        if not isinstance(self.screen, CommandPalette):
            plain = "-ascii" if self.plain else None
            self.push_screen(CommandPalette(placeholder="what do you want to do?", classes=plain))

    def action_redraw(self) -> None:
        """Paint everything again."""
        self.refresh(layout=True)

    async def action_quit(self) -> None:
        """Leave."""
        self.exit(return_code=0)

    def copy_key(self, row: Row | None) -> None:
        """Put a row's key on the clipboard of the person's terminal, and say so."""
        if row is None:
            return
        if row.lock is None:
            self.notify("nothing to copy: this row is a volume, not a lock", markup=False, severity="warning")
            return
        # The key goes out as text that is safe to paste: it came from the store.
        self.copy_to_clipboard(printable(row.key, limit=4096))
        self.notify(f"copied {ellipsize_middle(name(row.key), 60, self.glyphs.ellipsis)}", markup=False)
