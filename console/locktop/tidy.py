"""When the console looks for garbage: while nobody waits for it.

Python looks through every object that there is whenever a quarter more of them have come, and stops all
threads for it: with 50,000 locks that is two thirds of a second under somebody's hands. Almost all of ours
goes without that, for values that hold each other in a ring are rare here.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

from backuplock.clock import SECOND, Clock, SystemClock

QUIET_NS = 5 * SECOND
"""For how long nobody must have pressed a key."""

SHARE = 1_000
"""Of the time, at most one part in so many is spent on it."""

LEAST_NS, MOST_NS = 30 * SECOND, 3_600 * SECOND
"""The shortest time from one to the next, and the time after which a busy person has to wait for it."""

_NEVER = 1 << 30


@contextmanager
def by_hand() -> Iterator[None]:
    """Inside, only what is young is looked through by itself."""
    before = gc.get_threshold()
    gc.set_threshold(before[0], before[1], _NEVER)
    try:
        yield
    finally:
        gc.set_threshold(*before)


class Tidy:
    """Looks through everything now and then."""

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._touched = self._last = self._clock.mono_ns()
        self._pause = LEAST_NS

    def touched(self) -> None:
        """Somebody is at work."""
        self._touched = self._clock.mono_ns()

    def tick(self) -> bool:
        """Look through everything if it is time for that; whether it was."""
        now = self._clock.mono_ns()
        due, quiet = now - self._last >= self._pause, now - self._touched >= QUIET_NS
        if not due or (not quiet and now - self._last < MOST_NS):
            return False
        gc.collect()
        self._last = self._clock.mono_ns()
        self._pause = min(MOST_NS, max(LEAST_NS, (self._last - now) * SHARE))
        return True
