"""Who renews: one scheduler for all locks of a process, on a few threads of its own.

A thousand locks need no thousand threads; but one request that hangs must not keep the others waiting, so
threads are added while work is due and all are busy. They are daemons: a hung file server cannot keep the
process from ending.
"""

from __future__ import annotations

import heapq
import itertools
import logging
import os
import threading
from collections.abc import Callable
from typing import Protocol

from backuplock.clock import SECOND, Clock, SystemClock

MAX_THREADS = 32
_WATCHERS = 2
_IDLE_S = 1.0
"""Longest wait in one go: the waits of threads do not count suspend, so the clock is asked this often."""

_log = logging.getLogger(__name__)

Task = Callable[[], None]


class Scheduler(Protocol):
    """Runs tasks at monotonic instants, each in some thread, possibly several at once."""

    def schedule(self, at_mono_ns: int, task: Task) -> None:
        """Run `task` once, when the monotonic clock reads this or more."""
        ...


class Keeper:
    """The scheduler in earnest. Threads start with the first task and end some time after the last.

    Args:
        clock: what "when" means.
        max_threads: threads at most; tasks beyond wait their turn.
    """

    def __init__(self, clock: Clock | None = None, *, max_threads: int = MAX_THREADS) -> None:
        self._clock = clock or SystemClock()
        self._max = max_threads
        self._due = threading.Condition()
        self._heap: list[tuple[int, int, Task]] = []
        self._order = itertools.count()
        self._threads = 0
        self._idle = 0

    def schedule(self, at_mono_ns: int, task: Task) -> None:
        with self._due:
            heapq.heappush(self._heap, (at_mono_ns, next(self._order), task))
            self._staff()
            self._due.notify()

    def _staff(self) -> None:
        """One more thread if none is free to watch the queue."""
        if self._idle == 0 and self._threads < self._max:
            self._threads += 1
            name = f"backuplock-keeper-{self._threads}"
            threading.Thread(target=self._work, name=name, daemon=True).start()

    def _work(self) -> None:
        while (task := self._next()) is not None:
            try:
                task()
            except Exception:  # noqa: BLE001 - logged; see below
                # A task's failure is its own: the other locks must be renewed all the same.
                _log.exception("a scheduled task failed")

    def _next(self) -> Task | None:
        """The next task that is due; None when there is nothing left to wait for."""
        with self._due:
            self._idle += 1
            try:
                # Two watchers are enough: one may be about to take a task.
                while self._heap and self._idle <= _WATCHERS:
                    wait_ns = self._heap[0][0] - self._clock.mono_ns()
                    if wait_ns <= 0:
                        return heapq.heappop(self._heap)[2]
                    self._due.wait(min(wait_ns / SECOND, _IDLE_S))
                self._threads -= 1
                return None
            finally:
                self._idle -= 1
                if self._heap:
                    self._staff()


_shared: dict[int, Keeper] = {}
_guard = threading.Lock()


def shared_keeper() -> Keeper:
    """The process's own keeper; a forked child gets a new one, for threads do not survive a fork."""
    with _guard:
        pid = os.getpid()
        if pid not in _shared:
            _shared.clear()
            _shared[pid] = Keeper()
        return _shared[pid]


def _renew_guard() -> None:
    # The parent's guard may have been held at the moment of the fork.
    global _guard
    _guard = threading.Lock()


os.register_at_fork(after_in_child=_renew_guard)
