"""A store that fails, hangs or tells as a test wants it, and a scheduler that a test steers."""

from __future__ import annotations

import heapq
import itertools
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from backuplock.clock import ManualClock
from backuplock.keeper import Task
from backuplock.stores.base import BODY_CAP, Aside, Blob, Capabilities, Listing, Store, Version, aside_of

Act = Callable[[], None] | BaseException


@dataclass(eq=False)
class Trouble:
    """What happens at a verb: an exception is raised or a function is called, before the store is asked, or
    after it has done it. `times`: how often, None for always."""

    verb: str
    before: Act | None = None
    after: Act | None = None
    times: int | None = None


class TroubledStore:
    """Wraps a store. `calls` counts what reached the wrapper, by verb; `puts` are (key, body) asked for."""

    def __init__(self, inner: Store) -> None:
        self.inner = inner
        self.calls: Counter[str] = Counter()
        self.puts: list[tuple[str, bytes]] = []
        self._troubles: list[Trouble] = []
        self._guard = threading.Lock()

    @property
    def url(self) -> str:
        return self.inner.url

    @property
    def capabilities(self) -> Capabilities:
        return self.inner.capabilities

    def add(
        self, verb: str, *, before: Act | None = None, after: Act | None = None, times: int | None = None
    ) -> Trouble:
        trouble = Trouble(verb, before, after, times)
        with self._guard:
            self._troubles.append(trouble)
        return trouble

    def clear(self) -> None:
        with self._guard:
            self._troubles.clear()

    def list(self, folder: str) -> Listing:
        trouble = self._meet("list")
        found = self.inner.list(folder)
        _act(trouble and trouble.after)
        return found

    def read(self, key: str, *, cap: int = BODY_CAP) -> Blob | None:
        trouble = self._meet("read")
        found = self.inner.read(key, cap=cap)
        _act(trouble and trouble.after)
        return found

    def put(self, key: str, body: bytes, *, if_match: str | None = None, if_absent: bool = False) -> Version:
        self.puts.append((key, body))
        trouble = self._meet("put")
        made = self.inner.put(key, body, if_match=if_match, if_absent=if_absent)
        _act(trouble and trouble.after)
        return made

    def delete(self, key: str, *, if_match: str | None = None) -> None:
        trouble = self._meet("delete")
        self.inner.delete(key, if_match=if_match)
        _act(trouble and trouble.after)

    @property
    def aside(self) -> Aside | None:
        """Renames are not troubled, but a file that is made by one is a put like any other."""
        inner = aside_of(self.inner)
        return None if inner is None else TroubledAside(self, inner)

    def close(self) -> None:
        self.inner.close()

    def create(self, inner: Aside, key: str, body: bytes) -> Version:
        self.puts.append((key, body))
        trouble = self._meet("put")
        made = inner.create(key, body)
        _act(trouble and trouble.after)
        return made

    def _meet(self, verb: str) -> Trouble | None:
        with self._guard:
            self.calls[verb] += 1
            found = next((one for one in self._troubles if one.verb == verb and one.times != 0), None)
            if found is not None and found.times is not None:
                found.times -= 1
        _act(found and found.before)
        return found


class TroubledAside:
    """The renames of a troubled store."""

    def __init__(self, store: TroubledStore, inner: Aside) -> None:
        self._store, self._inner = store, inner

    def put_aside(self, key: str, to: str) -> bool:
        return self._inner.put_aside(key, to)

    def put_back(self, aside: str, key: str) -> bool:
        return self._inner.put_back(aside, key)

    def tidy(self, key: str) -> None:
        self._inner.tidy(key)

    def create(self, key: str, body: bytes) -> Version:
        return self._store.create(self._inner, key, body)


def _act(act: Act | None) -> None:
    if isinstance(act, BaseException):
        raise act
    if act is not None:
        act()


class Gate:
    """Where requests hang until the test opens it."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self.open = threading.Event()

    def __call__(self) -> None:
        self.reached.set()
        if not self.open.wait(60):
            raise AssertionError("the test never opened the gate")


class ManualScheduler:
    """Runs tasks in the test's own thread, when the test lets time pass."""

    def __init__(self, clock: ManualClock) -> None:
        self._clock = clock
        self._heap: list[tuple[int, int, Task]] = []
        self._order = itertools.count()

    def schedule(self, at_mono_ns: int, task: Task) -> None:
        heapq.heappush(self._heap, (at_mono_ns, next(self._order), task))

    def run_due(self) -> None:
        """Run what is due now."""
        while self._heap and self._heap[0][0] <= self._clock.mono_ns():
            heapq.heappop(self._heap)[2]()

    def pass_time(self, ns: int) -> None:
        """Let time pass, running each task at its time (or late, if another one took time)."""
        end = self._clock.mono_ns() + ns
        while self._heap and self._heap[0][0] <= end:
            self._clock.advance(max(0, self._heap[0][0] - self._clock.mono_ns()))
            heapq.heappop(self._heap)[2]()
        self._clock.advance(max(0, end - self._clock.mono_ns()))

    def skip_time(self, ns: int) -> None:
        """Let time pass in which nothing runs: this process was stopped or the machine was suspended."""
        self._clock.advance(ns)
