"""The part of the app that breaks locks and puts them back: opens the dialogs, says what came of it."""

from __future__ import annotations

from backuplock.breaking import Fate, Token, token_of
from backuplock.errors import Malformed
from backuplock.model import Snapshot
from locktop.break_sheet import told
from locktop.controls import USUAL, Controls
from locktop.deeds import MOST, Acted, Care, Restored, Shelf, Stumbled
from locktop.format import plural
from locktop.keymap import Keymap
from locktop.keys import REASONS, dangerous_keys
from locktop.screens.base import Sheet, View
from locktop.screens.break_ import BreakScreen
from locktop.screens.undo import UndoScreen
from locktop.session import Event, Session
from locktop.watch_lines import came_back

LONG_S = 15
"""For how long a toast is seen that must not be missed."""


class Acting(Controls, inherit_bindings=False):
    """Controls of a session that may have somebody who breaks locks."""

    def __init__(self, session: Session, *, keymap: Keymap = USUAL) -> None:
        breaker = session.breaker
        super().__init__(session, read_only=breaker is None or not breaker.writable, keymap=keymap)
        self._alarmed: frozenset[str] = frozenset()
        self._restored: frozenset[str] = frozenset()
        for key in dangerous_keys():
            off = self.shut
            names = ",".join(keymap.keys_of(key))
            self.bind(names, f"say_off('{key.needs}')" if off else key.action, description=key.words)

    @property
    def shut(self) -> bool:
        """Whether nothing here can ever be written to."""
        return self.picture.status.read_only

    def action_say_off(self, needs: str) -> None:
        """Why a dangerous key does nothing."""
        reason = REASONS["store"] if self.session.playback is not None else REASONS[needs]
        self.notify(f"that is off: {reason}", markup=False, severity="warning")

    # -- breaking

    def action_break_locks(self) -> None:
        """Ask whether the locks that are chosen on the screen shall be broken."""
        screen, board = self.screen, self.picture.status.board
        if self.picture.status.read_only or not isinstance(screen, View) or board is None:
            return
        if screen.why_not_break:
            self.notify(screen.why_not_break, markup=False, severity="warning")
            return
        keys = screen.chosen_locks
        if len(keys) > MOST:
            most = f"{plural(len(keys), 'lock')} are marked, {MOST} at most are broken at once"
            self.notify(most, markup=False, severity="warning")
            return
        tokens = self._tokens(keys, board.snapshot)
        if tokens:
            self.push_screen(BreakScreen(tokens, board.snapshot))

    def _tokens(self, keys: tuple[str, ...], snapshot: Snapshot) -> tuple[Token, ...]:
        """The versions that a person sees; what has none is said."""
        found: list[Token] = []
        why = "no lock is chosen"
        for key in keys:
            lock = snapshot.by_key.get(key)
            if lock is None:
                why = "that lock is not there any more, or is none"
                continue
            try:
                found.append(token_of(snapshot.target, lock))
            except Malformed as error:
                why = error.what
        if len(found) < max(1, len(keys)):
            self.notify(why, markup=False, severity="warning")
        return tuple(found)

    # -- putting back

    def action_undo_view(self) -> None:
        """What was broken, and can be put back, beginning with what is chosen on the screen."""
        screen = self.screen
        if isinstance(screen, Sheet):
            screen.dismiss()
        self.open_broken(screen.broken_entry if isinstance(screen, View) else "")

    def open_broken(self, entry: str) -> None:
        """The copies of broken locks; `entry` is the transaction to begin with."""
        if not any(isinstance(screen, UndoScreen) for screen in self.screen_stack):
            self.push_screen(UndoScreen(entry))

    def action_refresh_now(self) -> None:
        """What was broken is read anew as well where that is shown."""
        super().action_refresh_now()
        if isinstance(self.screen, UndoScreen):
            self.screen.read()

    # -- what came of it

    def hear_deed(self, event: Event) -> None:
        """Say what a person must not miss."""
        match event:
            case Acted():
                words, fine = told(event.outcomes)
                self.notify(words, markup=False, severity="information" if fine else "error", timeout=LONG_S)
                self.session.refresh_now()
            case Restored():
                self.notify(
                    event.words,
                    markup=False,
                    severity="information" if event.done else "error",
                    timeout=LONG_S,
                )
                self.session.refresh_now()
            case Shelf(at_start=True) if self.picture.status.deeds.interrupted:
                count = plural(len(self.picture.status.deeds.interrupted), "break")
                self.notify(
                    f"{count} did not end: u shows it", markup=False, severity="warning", timeout=LONG_S
                )
            case Stumbled():
                self.notify(event.line, markup=False, severity="error", timeout=LONG_S)
        self._ring(self.picture.status.deeds.cares)

    def _ring(self, cares: tuple[Care, ...]) -> None:
        """Once for each lock that came back; that somebody put back is told without an alarm."""
        for care in came_back(cares):
            if care.entry not in self._alarmed:
                words = f"{care.vigil.words}; {care.vigil.help}"
                self.notify(words, markup=False, severity="error", timeout=2 * LONG_S)
                self.bell()
        self._alarmed = frozenset(care.entry for care in came_back(cares))
        back = {care.entry: care.vigil.words for care in cares if care.vigil.fate is Fate.PUT_BACK}
        for entry in back.keys() - self._restored:
            self.notify(back[entry], markup=False, timeout=LONG_S)
        self._restored = frozenset(back)
