"""A store's reading half with a tally: requests, bodies, how long they took, what was told of its clock."""

from __future__ import annotations

import itertools
import statistics
import threading
from collections import deque
from collections.abc import Callable
from typing import TypeVar

from backuplock.clock import Clock, Observation, StoreClock, observe
from backuplock.errors import Unreachable
from backuplock.pace import Pace
from backuplock.stores.base import BODY_CAP, Blob, Branch, Branched, Keys, Listing, Ranged, Rolling, Store

T = TypeVar("T")


class Asking:
    """What one sweep asks of a store. Safe to use from several threads at once; errors are the store's."""

    def __init__(self, store: Store, clock: Clock, seen: StoreClock | None, pace: Pace) -> None:
        self.pace = pace
        self._store = store
        self._clock = clock
        self._guard = threading.Lock()
        self._rtts: deque[int] = deque(maxlen=512)
        self.requests = 0
        self.bodies = 0
        self.seen = seen

    @property
    def rtt_ns(self) -> int | None:
        """The median time of a listing's request; None before the first."""
        with self._guard:
            return round(statistics.median(self._rtts)) if self._rtts else None

    def list(self, folder: str) -> Listing:
        listing, began = self._answered(lambda: self._store.list(folder))
        self._took(began, listing.requests, listing.observed)
        return listing

    def keys(self, ranged: Ranged, prefix: str, after: str, limit: int) -> tuple[Keys, int]:
        """A page, and how long it took in nanoseconds."""
        page, began = self._answered(lambda: ranged.keys(prefix, after, limit))
        return page, self._took(began, 1, page.observed)

    def rolled(self, rolling: Rolling, prefix: str, after: str, limit: int) -> tuple[Keys | None, int]:
        """As `keys`, of a listing that leaves blocks out; None: the store does not do that."""
        page, began = self._answered(lambda: rolling.rolled(prefix, after, limit))
        return page, 0 if page is None else self._took(began, 1, page.observed)

    def branch(self, branched: Branched, first: str) -> Branch | None:
        began = self._clock.mono_ns()
        found = branched.branch(first)
        if found is not None:
            self._took(began, found.requests, found.observed)
        return found

    def read(self, key: str, cap: int = BODY_CAP) -> Blob | None:
        with self._guard:
            self.requests += 1
            self.bodies += 1
        blob, _ = self._answered(lambda: self._store.read(key, cap=cap))
        if blob is not None:
            with self._guard:
                self._note(blob.observed)
        return blob

    def _answered(self, ask: Callable[[], T]) -> tuple[T, int]:
        """What came of a request, and when it was sent; a busy store is asked again, later."""
        for attempt in itertools.count():
            self.pace.hold()
            began = self._clock.mono_ns()
            try:
                return ask(), began
            except Unreachable as error:
                if not self.pace.heed(error, attempt):
                    raise
            with self._guard:
                self.requests += 1
        raise AssertionError

    def _took(self, began: int, requests: int, observed: Observation | None) -> int:
        took = self._clock.mono_ns() - began
        each = took // max(1, requests)
        self.pace.took(each)
        with self._guard:
            self.requests += requests
            self._rtts.append(each)
            self._note(observed)
        return took

    def _note(self, seen: Observation | None) -> None:
        if seen is not None:
            self.seen = observe(self.seen, seen, f"{self._store.capabilities.kind} replies")
