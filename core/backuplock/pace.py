"""How many requests of a sweep are under way at once, and when: more of them where each takes long, fewer and
later where the store says that it has too many."""

from __future__ import annotations

import secrets
import threading

from backuplock.clock import SECOND, Clock, nanoseconds
from backuplock.errors import Unreachable

WORKERS = 16
"""Requests in flight where the store is near: one interpreter keeps up with no more, they would only wait."""

MOST_WORKERS = 64
"""Requests in flight at most, however far the store is."""

FEWEST_WORKERS = 4
"""Requests in flight at least, however busy the store is."""

_NS_EACH = SECOND // 1600
"""A request in flight is worth adding for so much of the time that one takes: signing one and reading its
answer takes about as long here."""

_PATIENCE = 3
"""How often one request is sent again to a busy store."""
_PAUSE_NS = SECOND // 4
_LONGEST_NS = 10 * SECOND
_RECOVERED = 200
"""Answers in a row after which a store that was busy is given twice as much again."""


class Pace:
    """Safe to use from several threads at once.

    Args:
        stop: waits end when it is set.
        workers: requests in flight at most; None: as many as the store's distance makes useful.
        per_s: requests that may begin in a second, evenly spread; None: any number.
    """

    def __init__(
        self,
        clock: Clock,
        stop: threading.Event,
        workers: int | None = None,
        per_s: float | None = None,
    ) -> None:
        self._clock = clock
        self._stop = stop
        self._workers = workers
        self._guard = threading.Lock()
        self._least_ns: int | None = None
        self._until = self._turn = clock.mono_ns()
        self._apart_ns = 0 if per_s is None else round(SECOND / per_s)
        self._halvings = self._good = 0

    @property
    def most(self) -> int:
        """Requests in flight at most, as of now."""
        wanted = self._workers
        if wanted is None:
            # The quickest of all: what others took on top is the waiting for one another, here and there.
            wanted = max(WORKERS, min(MOST_WORKERS, (self._least_ns or 0) // _NS_EACH))
        return max(min(wanted, FEWEST_WORKERS), wanted >> self._halvings)

    @property
    def slowed(self) -> bool:
        """Whether the store was too busy lately."""
        return self._halvings > 0

    def took(self, each_ns: int) -> None:
        """A request was answered in this time."""
        with self._guard:
            self._least_ns = each_ns if self._least_ns is None else min(self._least_ns, each_ns)
            self._good += 1
            if self._halvings and self._good >= _RECOVERED:
                self._halvings, self._good = self._halvings - 1, 0

    def hold(self) -> None:
        """Wait until a request may be sent."""
        turn = 0
        if self._apart_ns:
            with self._guard:
                turn = max(self._turn, self._clock.mono_ns())
                self._turn = turn + self._apart_ns
        while (left := max(turn, self._until) - self._clock.mono_ns()) > 0:
            if self._clock.sleep(left, self._stop):
                return

    def heed(self, error: Unreachable, attempt: int) -> bool:
        """Whether a request is to be sent again, after `hold`, that failed for the `attempt`th time (from 0).

        Only where the store said that it has too much to do: then all wait, longer each time and not all
        equally long, and half as many requests go on.
        """
        if not error.busy or attempt >= _PATIENCE or self._stop.is_set():
            return False
        wanted = nanoseconds(error.retry_after or 0.0)
        pause = min(max(_PAUSE_NS << attempt, wanted), _LONGEST_NS)
        # Never earlier than asked for; spread, so that what was refused together does not return together.
        pause += secrets.randbelow(pause // 2)
        now = self._clock.mono_ns()
        with self._guard:
            if now >= self._until and self.most > FEWEST_WORKERS:
                # What is refused while all wait anyway was sent before: it says nothing new.
                self._halvings += 1
            self._good = 0
            self._until = max(self._until, now + pause)
        return True
