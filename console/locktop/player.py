"""One scenario at a time, played in a thread beside the screen."""

from __future__ import annotations

import threading
from collections.abc import Callable

from backuplock.clock import Clock
from locktop.foretell import Asked, Told, foretell

REST = 4
"""A new picture is played on after so many times what the last play took, so that most time is left free."""

Start = Callable[[Callable[[], object]], object]
"""Runs something in a thread of its own."""


class Player:
    """Plays what is asked, the latest wish last; what was asked meanwhile and is outdated is left out.

    Args:
        clock: measures how long a play takes.
        start: runs a play in a thread.
        deliver: called in that thread when it ended; what it gets is to be handed to `ended`.
    """

    def __init__(self, clock: Clock, start: Start, deliver: Callable[[Told], object]) -> None:
        self._clock, self._start, self._deliver = clock, start, deliver
        self._running: Asked | None = None
        self._next: Asked | None = None
        self._stop = threading.Event()
        self._due_mono_ns = 0

    @property
    def busy(self) -> bool:
        """Whether something is being played."""
        return self._running is not None

    def rested(self, mono_ns: int) -> bool:
        """Whether it is time to play on a new picture."""
        return not self.busy and mono_ns >= self._due_mono_ns

    def play(self, asked: Asked | None, *, at_once: bool) -> None:
        """Play this next, None: nothing; `at_once` ends what is running."""
        self._next = asked
        if self._running is None:
            self._begin()
        elif at_once:
            self._stop.set()

    def ended(self, told: Told) -> None:
        """A play has come to its end: begin with what was asked meanwhile."""
        self._due_mono_ns = told.ended_mono_ns + REST * told.took_ns
        self._running = None
        self._begin()

    def close(self) -> None:
        """Nobody waits any more."""
        self._next = None
        self._stop.set()

    def _begin(self) -> None:
        asked, self._next = self._next, None
        if asked is None:
            return
        stop = threading.Event()
        self._running, self._stop = asked, stop
        self._start(lambda: self._deliver(foretell(asked, self._clock, stop)))
