"""A few threads for many small requests, which can be left behind: a hung store keeps nobody."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Generic, Self, TypeVar

from backuplock.clock import SystemClock, nanoseconds, seconds
from backuplock.courtesy import give_way

T = TypeVar("T")

LEAVE_S = 0.2
"""How long those who are dismissed are waited for, in all."""


class Crew(Generic[T]):
    """Threads that do tasks, in the order in which they were given, and hand in what came of each.

    They are daemons, unlike those of `concurrent.futures`: neither the end of the block nor that of the
    process waits for a task that hangs. What such a task brings later is dropped.

    Args:
        size: threads at most; they start as they are needed. Raised later, more of them will.
        name: what they are called.
    """

    def __init__(self, size: int, name: str) -> None:
        self.size = size
        self._name = name
        self._tasks: queue.SimpleQueue[Callable[[], T] | None] = queue.SimpleQueue()
        self._done: queue.SimpleQueue[tuple[T] | BaseException] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._given = 0
        self._dismissed = threading.Event()

    @property
    def busy(self) -> int:
        """Tasks that were given and whose results were not taken yet."""
        return self._given

    def give(self, task: Callable[[], T]) -> None:
        """One more task.

        Raises:
            RuntimeError: there is no thread, and the system gives none.
        """
        self._given += 1
        self._tasks.put(task)
        if len(self._threads) < min(self.size, self._given):
            thread = threading.Thread(
                target=self._work, name=f"{self._name}-{len(self._threads)}", daemon=True
            )
            try:
                thread.start()
            except RuntimeError:
                if not self._threads:
                    raise
                return  # those that run must do
            self._threads.append(thread)

    def take(self, timeout_s: float) -> list[T]:
        """What has come of tasks, once something has; empty if nothing does in so many seconds.

        Raises: what a task raised.
        """
        found: list[T] = []
        try:
            found.append(self._taken(self._done.get(timeout=timeout_s)))
            while True:
                found.append(self._taken(self._done.get_nowait()))
        except queue.Empty:
            return found

    def dismiss(self, wait_s: float = LEAVE_S) -> None:
        """Begin no further task, and let the threads go; they are waited for so many seconds at most."""
        self._dismissed.set()
        for _ in self._threads:
            self._tasks.put(None)
        clock = SystemClock()
        give_up = clock.mono_ns() + nanoseconds(wait_s)
        for thread in self._threads:
            thread.join(max(0.0, seconds(give_up - clock.mono_ns())))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.dismiss()

    def _taken(self, result: tuple[T] | BaseException) -> T:
        self._given -= 1
        if isinstance(result, BaseException):
            raise result
        return result[0]

    def _work(self) -> None:
        while (task := self._tasks.get()) is not None and not self._dismissed.is_set():
            give_way()
            result: tuple[T] | BaseException
            try:
                result = (task(),)
            except BaseException as error:  # noqa: BLE001 - handed to whoever takes the results
                result = error
            self._done.put(result)
