"""When the console looks for garbage: while nobody waits for it.

Python looks through every object that there is whenever a quarter more of them have come, and stops all
threads for it: with 50,000 locks that is two thirds of a second under somebody's hands. Almost all of ours
goes without that, for values that hold each other in a ring are rare here. So what has stayed once is put by,
and looked through again once an hour only.
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

WHOLE_NS = 3_600 * SECOND
"""The shortest time between two looks through what was put by as well."""

_NEVER = 1 << 30
_inside = False


@contextmanager
def by_hand() -> Iterator[None]:
    """Inside, only what is young is looked through by itself, and what stays may be put by."""
    global _inside
    before = gc.get_threshold()
    gc.set_threshold(before[0], before[1], _NEVER)
    _inside = True
    try:
        yield
    finally:
        _inside = False
        gc.unfreeze()
        gc.set_threshold(*before)


def put_by() -> None:
    """What there is now is there to stay; nothing is done outside of `by_hand`."""
    if _inside:
        gc.freeze()


class Tidy:
    """Looks through everything now and then."""

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._touched = self._last = self._whole = self._clock.mono_ns()
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
        if now - self._whole >= WHOLE_NS:
            self._whole = now
            gc.unfreeze()
        gc.collect()
        put_by()
        self._last = self._clock.mono_ns()
        self._pause = min(MOST_NS, max(LEAST_NS, (self._last - now) * SHARE))
        return True
