"""Showing the console until a person leaves it, on one session after another."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence

from locktop.app import LocktopApp
from locktop.attentive import attentive_loop
from locktop.badge import Contexts
from locktop.choosing import NO_CONTEXTS
from locktop.controls import USUAL
from locktop.habits import Memory, habits_path
from locktop.keymap import Keymap
from locktop.output.streams import say
from locktop.session import Session
from locktop.tidy import by_hand

SWITCH_S = 0.0001
"""Seconds for which a thread computes while another one wants to."""


def run(
    session: Session | Sequence[Session],
    *,
    ascii_only: bool = False,
    mouse: bool = True,
    contexts: Contexts = NO_CONTEXTS,
    keymap: Keymap = USUAL,
    served: bool = False,
) -> int:
    """Show the console on a session, or on several side by side; the exit code of the process.

    Every session gets an app of its own, so that nothing of one store is taken for another's. An error that
    nobody foresaw is raised here, once the terminal is as it was. A request to the store that still hangs by
    then keeps nobody: its thread is a daemon. `served`: the person sits at a browser elsewhere.
    """
    # Threads that sweep have work for seconds: the one that paints waits for each of them after every key.
    sys.setswitchinterval(SWITCH_S)
    # What strangers like is not to be remembered as the person's own.
    memory = Memory() if served else Memory(habits_path())
    told: list[str] = []
    words: tuple[str, ...] = ()
    sessions = [session] if isinstance(session, Session) else list(session)
    try:
        while True:
            app = _app(
                sessions,
                ascii_only=ascii_only,
                contexts=contexts,
                words=words,
                keymap=keymap,
                memory=memory,
            )
            app.served = served
            try:
                with by_hand(), asyncio.Runner(loop_factory=attentive_loop) as runner:
                    runner.run(app.run_async(mouse=mouse))
            finally:
                for one in sessions:
                    one.close()
                words = tuple(line for one in sessions for line in _named(one))
                told += words
            if app.crash is not None:
                raise app.crash
            if not app.next_sessions:
                return app.return_code or 0
            sessions = list(app.next_sessions)
    finally:
        for line in told:
            say(line)


def _app(
    sessions: Sequence[Session],
    *,
    ascii_only: bool,
    contexts: Contexts,
    words: tuple[str, ...],
    keymap: Keymap,
    memory: Memory,
) -> LocktopApp:
    look = {"ascii_only": ascii_only, "handle_signals": True}
    if len(sessions) == 1:
        return LocktopApp(sessions[0], **look, contexts=contexts, words=words, keymap=keymap, memory=memory)
    from locktop.side_by_side import SideBySide

    return SideBySide(sessions, **look, contexts=contexts, words=words, keymap=keymap, memory=memory)


def _named(session: Session) -> tuple[str, ...]:
    name = session.badge.name
    return tuple(f"{name}: {line}" if name else line for line in session.last_words)
