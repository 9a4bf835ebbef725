"""Long computations give way to a thread that a person waits for.

Threads of one interpreter take turns. What reckons for a second over tens of thousands of locks takes every
other turn from the one that answers a key, however short the turns are; so it asks between two locks whether
somebody is being answered, and stands aside. A process where nobody says so pays for the question only.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from typing import TypeVar

from backuplock.clock import SECOND, Clock, SystemClock

T = TypeVar("T")

MOST_NS = SECOND // 10
"""For how long one stands aside at once: an answer that never ends must not stop the watch."""

TURN_NS = SECOND // 50
"""For how long one goes on after that, whoever is being answered."""

_NAP_NS = SECOND // 1000


class Courtesy:
    """Who is being answered, and how others stand aside; one for the process, as there is one interpreter.

    For any number of threads. Asking costs no lock: who asks too early or too late by one item does no harm.
    """

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._answering: int | None = None
        self._door = threading.Lock()
        self._turn_ends = threading.local()

    def answering(self) -> None:
        """This thread answers a person now."""
        self._answering = threading.get_ident()

    def answered(self) -> None:
        """It does not any more."""
        self._answering = None

    def give_way(self) -> None:
        """Return when nobody else is being answered, or after a tenth of a second."""
        if self._answering is not None:
            self._stand_aside()

    def gently(self, items: Iterable[T]) -> Iterator[T]:
        """The items, standing aside before each."""
        for item in items:
            if self._answering is not None:
                self._stand_aside()
            yield item

    def _stand_aside(self) -> None:
        if self._answering == threading.get_ident():
            return
        began = now = self._clock.mono_ns()
        if now < getattr(self._turn_ends, "at", now):
            return
        # One looks whether the door is open, all others wait behind it: each who looks takes a turn for that.
        with self._door:
            while self._answering is not None and now - began < MOST_NS:
                self._clock.sleep(_NAP_NS)
                now = self._clock.mono_ns()
        if self._answering is not None:
            self._turn_ends.at = now + TURN_NS


COURTESY = Courtesy()
"""The one of this process."""

give_way, gently = COURTESY.give_way, COURTESY.gently
