"""Looks at a store whenever somebody asks, each with a limit of time, and never two at once.

A store that hangs keeps its thread for as long as it likes; whoever asks meanwhile waits for that look, as
long as the limit allows, and begins none of his own.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotInTime

from backuplock.errors import Unreachable
from backuplock.model import Snapshot


class Looker:
    """Safe for several threads.

    Args:
        sweep: takes a look; its argument is the look before, None the first time and after a failure.
        timeout_s: seconds that a caller waits.
        url: the store's, for the error.
    """

    def __init__(self, sweep: Callable[[Snapshot | None], Snapshot], timeout_s: float, url: str) -> None:
        self._sweep = sweep
        self._timeout_s = timeout_s
        self._url = url
        self._guard = threading.Lock()
        self._under_way: Future[Snapshot] | None = None
        self._previous: Snapshot | None = None

    def look(self) -> Snapshot:
        """A look that ended after it was asked for.

        Raises:
            Unreachable: it took too long.
            BackupLockError: as `sweep` raised it.
        """
        with self._guard:
            if self._under_way is None:
                self._under_way = Future()
                work = threading.Thread(
                    target=self._work, args=(self._under_way, self._previous), name="look", daemon=True
                )
                work.start()
            asked = self._under_way
        try:
            return asked.result(self._timeout_s)
        except NotInTime:
            raise Unreachable(
                f"{self._url}: no complete answer in {self._timeout_s:g} s",
                advice="raise --timeout, or look at the store",
            ) from None

    def _work(self, asked: Future[Snapshot], previous: Snapshot | None) -> None:
        try:
            found = self._sweep(previous)
        except BaseException as error:
            self._end(None)
            asked.set_exception(error)
            if not isinstance(error, Exception):
                raise
            return
        self._end(found)
        asked.set_result(found)

    def _end(self, found: Snapshot | None) -> None:
        with self._guard:
            self._under_way, self._previous = None, found
