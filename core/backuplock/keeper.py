"""Who renews: one scheduler for all locks of a process on one store, on a few threads of its own.

A thousand locks need no thousand threads; but one request that hangs must not keep the others waiting, so
threads are added while work is due and all are busy. They are daemons: a hung file server cannot keep the
process from ending. Each store has threads of its own, for all that wait for one store may hang at once;
and so have those that watch over the ends of leases and those that tell of them, whoever is told.
"""

from __future__ import annotations

import heapq
import itertools
import logging
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from backuplock.clock import SECOND, Clock, SystemClock

MAX_THREADS = 32
_WATCHERS = 2
_IDLE_S = 1.0
"""Longest wait in one go: the waits of threads do not count suspend, so the clocks are asked this often."""
_STEP_NS = SECOND // 10
"""What the wall clock gains on the monotonic one between two looks without being a step."""

_log = logging.getLogger(__name__)

Task = Callable[[], None]


class Scheduler(Protocol):
    """Runs tasks at monotonic instants, each in some thread, possibly several at once."""

    def schedule(self, at_mono_ns: int, task: Task) -> None:
        """Run `task` once, when the monotonic clock reads this or more."""
        ...


@dataclass(frozen=True, slots=True)
class Schedulers:
    """Who does what for a lease: `keeper` the renewals, which may hang; `watcher` watches its end, where
    nothing ever waits; `teller` calls back, and that may do anything."""

    keeper: Scheduler
    watcher: Scheduler
    teller: Scheduler


class Keeper:
    """The scheduler in earnest. Threads start with the first task and end some time after the last.

    Where the wall clock steps ahead of the monotonic one, as it does when a virtual machine was paused, tasks
    are due by as much earlier: a lease may have run out meanwhile. A task must bear to come early.

    Args:
        clock: what "when" means.
        max_threads: threads at most; tasks beyond wait their turn.
        name: what its threads are called.
    """

    def __init__(
        self, clock: Clock | None = None, *, max_threads: int = MAX_THREADS, name: str = "backuplock-keeper"
    ) -> None:
        self._clock = clock or SystemClock()
        self._max = max_threads
        self._name = name
        self._due = threading.Condition()
        self._heap: list[tuple[int, int, Task]] = []
        self._order = itertools.count()
        self._threads = 0
        self._idle = 0
        self._ahead = 0
        self._offset = self._clock.wall_ns() - self._clock.mono_ns()

    def schedule(self, at_mono_ns: int, task: Task) -> None:
        """As `Scheduler.schedule`.

        Raises:
            RuntimeError: there is no thread and the system gives none; the task will not run.
        """
        with self._due:
            self._now()
            entry = (at_mono_ns + self._ahead, next(self._order), task)
            heapq.heappush(self._heap, entry)
            refused = self._staff()
            if refused is not None and self._threads == 0:
                self._heap.remove(entry)
                heapq.heapify(self._heap)
                raise refused
            self._due.notify()

    def _now(self) -> int:
        """The monotonic clock, ahead by all steps of the wall clock so far."""
        mono = self._clock.mono_ns()
        offset = self._clock.wall_ns() - mono
        if offset - self._offset >= _STEP_NS:
            self._ahead += offset - self._offset
        self._offset = offset
        return mono + self._ahead

    def _staff(self) -> RuntimeError | None:
        """One more thread if none is free to watch the queue; the error if the system gives none."""
        if self._idle == 0 and self._threads < self._max:
            self._threads += 1
            name = f"{self._name}-{self._threads}"
            thread = threading.Thread(target=self._work, name=name, daemon=True)
            try:
                thread.start()
            except RuntimeError as error:
                # Out of threads, or the interpreter is ending: those that run must do.
                self._threads -= 1
                return error
        return None

    def _work(self) -> None:
        while (task := self._next()) is not None:
            try:
                task()
            except BaseException:  # noqa: BLE001 - logged; see below
                # A task's failure is its own, also a callback's sys.exit(): the other locks must be
                # renewed all the same, and a thread that ends here would be missed for ever.
                _log.exception("a scheduled task failed")
            # While it waits for the next one, a thread must not keep the last one's lock alive.
            del task

    def _next(self) -> Task | None:
        """The next task that is due; None when there is nothing left to wait for."""
        with self._due:
            self._idle += 1
            try:
                # Two watchers are enough: one may be about to take a task.
                while self._heap and self._idle <= _WATCHERS:
                    wait_ns = self._heap[0][0] - self._now()
                    if wait_ns <= 0:
                        return heapq.heappop(self._heap)[2]
                    self._due.wait(min(wait_ns / SECOND, _IDLE_S))
                self._threads -= 1
                return None
            finally:
                self._idle -= 1
                if self._heap:
                    self._staff()


_shared: dict[tuple[int, str, str], Keeper] = {}
_guard = threading.Lock()


def shared_keeper(store: str = "") -> Keeper:
    """The process's own keeper for what makes requests to the store of this URL; a forked child gets a new
    one."""
    return _of_this_process("backuplock-keeper", store)


def shared_watcher() -> Keeper:
    """The process's own scheduler for what never waits: the watch over the ends of leases."""
    return _of_this_process("backuplock-watcher")


def shared_teller(store: str = "") -> Keeper:
    """The process's own scheduler for callbacks, which may do anything, by the URL of the store."""
    return _of_this_process("backuplock-teller", store)


def _of_this_process(name: str, store: str = "") -> Keeper:
    with _guard:
        mine = (os.getpid(), name, store)
        if mine not in _shared:
            # Threads do not survive a fork: what a parent left is of no use.
            for other in [one for one in _shared if one[0] != mine[0]]:
                del _shared[other]
            _shared[mine] = Keeper(name=name)
        return _shared[mine]


def _renew_guard() -> None:
    # The parent's guard may have been held at the moment of the fork.
    global _guard
    _guard = threading.Lock()


os.register_at_fork(after_in_child=_renew_guard)
