"""The part of the app that goes to another context, and looks as a person likes it."""

from __future__ import annotations

from dataclasses import replace

from textual.command import CommandPalette
from textual.theme import Theme, ThemeProvider

from backuplock.errors import BackupLockError
from backuplock.text import printable
from locktop.acting import LONG_S, Acting
from locktop.badge import Contexts
from locktop.controls import USUAL
from locktop.habits import Memory
from locktop.keymap import Keymap
from locktop.screens.base import Sheet
from locktop.screens.contexts import ContextsScreen
from locktop.session import Session

NO_CONTEXTS = Contexts()


class Choosing(Acting, inherit_bindings=False):
    """Acting on a session that may be left for one on another context.

    Args:
        contexts: those that can be gone to.
        words: what has to be told of the session before this one.
        keymap: keys of a person's own. memory: how the person likes it.
    """

    def __init__(
        self,
        session: Session,
        *,
        contexts: Contexts = NO_CONTEXTS,
        words: tuple[str, ...] = (),
        keymap: Keymap = USUAL,
        memory: Memory | None = None,
    ) -> None:
        super().__init__(session, keymap=keymap)
        self.contexts = contexts
        self.memory = memory or Memory()
        self.next_sessions: tuple[Session, ...] = ()
        self._words = words

    # -- how a person likes it

    def wear_theme(self) -> None:
        """Put on the theme of last time."""
        theme = self.memory.recall().theme
        if theme in self.available_themes:
            self.theme = theme

    def begin(self) -> None:
        """Remember every theme from now on, and tell what was left undone before."""
        self.theme_changed_signal.subscribe(self, self._remember_theme)
        for line in self._words:
            self.notify(line, markup=False, severity="warning", timeout=LONG_S)

    def _remember_theme(self, theme: Theme) -> None:
        self.memory.keep(lambda habits: replace(habits, theme=theme.name))

    def action_themes(self) -> None:
        """Choose how it looks; the theme of the beginning is safe for colour-blind eyes."""
        if not isinstance(self.screen, CommandPalette):
            plain = "-ascii" if self.plain else None
            self.push_screen(
                CommandPalette(providers=[ThemeProvider], placeholder="which theme?", classes=plain)
            )

    # -- contexts

    @property
    def plain(self) -> bool:
        """Whether everything is drawn in ASCII."""
        raise NotImplementedError

    def action_contexts(self) -> None:
        """Choose another context."""
        if not isinstance(self.screen, Sheet):
            self.push_screen(ContextsScreen(self.contexts))

    @property
    def pending(self) -> tuple[str, ...]:
        """What would be left undone or unwatched if this session ended now."""
        return self.session.breaker.pending if self.session.breaker is not None else ()

    def is_open(self, *names: str) -> bool:
        """Whether going there ends nothing."""
        return names == (self.session.badge.name,)

    def go_to(self, *names: str) -> None:
        """End this session; whoever runs the app begins the next one, or several side by side, with nothing
        marked or filtered."""
        if self.contexts.open is None:
            return
        try:
            self.next_sessions = tuple(self.contexts.open(name) for name in names)
        except BackupLockError as error:
            words = printable(str(error), limit=500)
            self.notify(words, markup=False, severity="error", timeout=LONG_S)
            return
        self.exit(return_code=0)
