"""The part of the app that goes to another context."""

from __future__ import annotations

from backuplock.errors import BackupLockError
from backuplock.text import printable
from locktop.acting import LONG_S, Acting
from locktop.badge import Contexts
from locktop.screens.base import Sheet
from locktop.screens.contexts import ContextsScreen
from locktop.session import Session


class Choosing(Acting, inherit_bindings=False):
    """Acting on a session that may be left for one on another context.

    Args:
        contexts: those that can be gone to.
        words: what has to be told of the session before this one.
    """

    def __init__(self, session: Session, *, contexts: Contexts, words: tuple[str, ...] = ()) -> None:
        super().__init__(session)
        self.contexts = contexts
        self.next_session: Session | None = None
        self._words = words

    def tell_words(self) -> None:
        """What was left undone when the session before this one ended."""
        for line in self._words:
            self.notify(line, markup=False, severity="warning", timeout=LONG_S)

    def action_contexts(self) -> None:
        """Choose another context."""
        if not isinstance(self.screen, Sheet):
            self.push_screen(ContextsScreen(self.contexts))

    @property
    def pending(self) -> tuple[str, ...]:
        """What would be left undone or unwatched if this session ended now."""
        return self.session.breaker.pending if self.session.breaker is not None else ()

    def go_to(self, name: str) -> None:
        """End this session; whoever runs the app begins the next one, with nothing marked or filtered."""
        if self.contexts.open is None:
            return
        try:
            self.next_session = self.contexts.open(name)
        except BackupLockError as error:
            words = printable(str(error), limit=500)
            self.notify(words, markup=False, severity="error", timeout=LONG_S)
            return
        self.exit(return_code=0)
