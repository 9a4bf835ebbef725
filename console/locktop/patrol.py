"""One look after the other at a store, each reading what is due: for the console, `watch` and `record`."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable

from backuplock.clock import SECOND, Clock
from backuplock.model import Snapshot
from backuplock.rounds import Budget, Rounds, Schedule
from backuplock.stores.base import Store
from backuplock.survey import Progress, refresh, sweep
from backuplock.watch import Event

STIRRED_NS = 150 * SECOND
"""For how long a volume in which something happened is looked at each time: for a lease."""


class Patrol:
    """Not for several threads; `pace` and `budget` may be read from any.

    Args:
        clock: what looks are timed by. clock_error_ns: how far a store's clock may be off that tells nothing.
    """

    def __init__(self, clock: Clock, clock_error_ns: int) -> None:
        self._clock = clock
        self._clock_error_ns = clock_error_ns
        self._rounds = Rounds()
        self._stirred: dict[str, int] = {}

    @property
    def pace(self) -> Schedule | None:
        """How often is looked within the budget, and what that costs; None before anything is known of it."""
        return self._rounds.pace

    @property
    def budget(self) -> Budget:
        """What looking may cost."""
        return self._rounds.budget

    @budget.setter
    def budget(self, budget: Budget) -> None:
        self._rounds.budget = budget

    def pause_ns(self, interval_ns: int) -> int:
        """How long to wait between two looks, if somebody wants that interval."""
        return interval_ns if self.pace is None else max(interval_ns, self.pace.least_ns)

    def look(
        self,
        store: Store,
        before: Snapshot | None,
        interval_ns: int,
        *,
        cared_for: Collection[str] = (),
        whole: bool = False,
        progress: Callable[[Progress], None] | None = None,
        stop: threading.Event | None = None,
    ) -> Snapshot:
        """Read what is due.

        Args:
            before: the last Snapshot. interval_ns: how often somebody wants to look.
            cared_for: names of volumes to read in any case. whole: read everything.

        Raises:
            As `backuplock.survey.sweep`.
        """
        now = self._clock.mono_ns()
        self._stirred = {name: until for name, until in self._stirred.items() if until > now}
        names = self._stirred.keys() | set(cared_for)
        todo = self._rounds.next(before, now, interval_ns, cared_for=names, whole=whole)
        clock, error, rate = self._clock, self._clock_error_ns, self.budget.requests_per_s
        if todo.whole or before is None:
            found = sweep(
                store,
                before,
                clock=clock,
                clock_error_ns=error,
                progress=progress,
                stop=stop,
                requests_per_s=rate,
            )
        else:
            found = refresh(
                store,
                before,
                todo.volumes,
                todo.part,
                clock=clock,
                clock_error_ns=error,
                stop=stop,
                requests_per_s=rate,
            )
        self._rounds.took(todo, found)
        return found

    def heed(self, events: Iterable[Event]) -> None:
        """Something happened: what follows there is seen soon, even where the last lock is gone."""
        until = self._clock.mono_ns() + STIRRED_NS
        self._stirred |= {event.volume: until for event in events if event.volume and not event.routine}
