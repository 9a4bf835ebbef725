"""The simulated store: delays, errors, late visibility, stale listings, coarse times, its own clock."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from simulation.engine import SECOND, Ask, Engine, Process, Refused


class Body(NamedTuple):
    """What a lock file says; `serial` is 0 in the original's."""

    name: str
    type: int
    acquired: bool
    serial: int = 0


class Version(NamedTuple):
    """One version of a lock file: its store time as readers see it, and the true time of that."""

    body: Body
    modified: int
    stamped: int
    etag: str


class Listed(NamedTuple):
    """A listing: key -> (etag, time), and whether it shows the past; for the observer, when it was made
    and what was there in truth."""

    entries: dict[str, tuple[str, int]]
    stale: bool = False
    made: int = 0
    files: dict[str, Version] = {}  # noqa: RUF012 - a NamedTuple's default, never changed


@dataclass(frozen=True, slots=True)
class Habits:
    """What a store is like. Times in nanoseconds, `p_...` chances per request.

    Attributes:
        latency: typical time to execute a request, and again to answer it. slow: chance of ten times that.
        grain: of its times. offset: of its clock. tells_time: a put's answer has the time. dates: answers
            tell its clock (in whole seconds). conditional: it honours `if_match`.
        visible_after: at most so long after its stamp a write shows.
        p_stale, stale_by: listings that show the past, and how far back.
        p_error: the request is not executed. p_lost: executed, not answered. p_late: not answered, executed
            up to `late_by` later.
        timeout: how long an unanswered request takes to fail.
    """

    latency: int = SECOND // 50
    slow: float = 0.02
    grain: int = SECOND
    offset: int = 0
    tells_time: bool = False
    dates: bool = True
    conditional: bool = False
    visible_after: int = 0
    p_stale: float = 0.0
    stale_by: int = 3 * SECOND
    p_error: float = 0.0
    p_lost: float = 0.0
    p_late: float = 0.0
    late_by: int = 120 * SECOND
    timeout: int = 5 * SECOND


@dataclass
class Store:
    """Files by key, and who asked for what how often."""

    engine: Engine
    habits: Habits
    rng: random.Random
    log: Callable[[str], None] | None = None
    on_put: Callable[[Process, Ask, Version | None], None] | None = None
    files: dict[str, Version] = field(default_factory=dict)
    history: dict[str, list[tuple[int, Version | None]]] = field(default_factory=dict)
    asked: dict[str, int] = field(default_factory=dict)

    def clock(self, now: int) -> int:
        """The store's clock, exactly."""
        return now + self.habits.offset

    def submit(self, process: Process, ask: Ask) -> None:
        """A request is sent: decide its fate."""
        self.asked[ask.verb] = self.asked.get(ask.verb, 0) + 1
        habits, rng, now = self.habits, self.rng, self.engine.now
        there, back = self._delay(), self._delay()
        fate = rng.random()
        if fate < habits.p_error:
            quick = rng.random() < 0.5
            ambiguous = not quick and ask.verb in ("put", "delete")
            self._tell(process, ask, "fails")
            when = now + (there + back if quick else habits.timeout)
            process.answer_later(when, Refused("the store failed", ambiguous))
        elif fate < habits.p_error + habits.p_lost:
            self._tell(process, ask, "will not be answered")
            self.engine.at(now + there, self._execute, process, ask, None)
            process.answer_later(now + habits.timeout, Refused("no answer"))
        elif fate < habits.p_error + habits.p_lost + habits.p_late and ask.verb == "put":
            self._tell(process, ask, "is given up, and will be executed")
            self.engine.at(now + rng.randrange(habits.late_by), self._execute, process, ask, None)
            process.answer_later(now + habits.timeout, Refused("no answer"))
        else:
            self.engine.at(now + there, self._execute, process, ask, back)

    def _tell(self, process: Process, ask: Ask, what: str) -> None:
        if self.log is not None:
            self.log(f"{process.name}: {ask.verb} {ask.key} {what}")  # type: ignore[attr-defined]

    def _delay(self) -> int:
        latency = self.habits.latency
        delay = self.rng.randrange(latency // 2, latency * 2)
        return delay * 10 if self.rng.random() < self.habits.slow else delay

    def _execute(self, process: Process, ask: Ask, back: int | None) -> None:
        if ask.verb == "put":
            self._put(process, ask, back)
            return
        answer: Any
        if ask.verb == "list":
            answer = self._list()
        elif ask.verb in ("get", "head"):
            answer = self.files.get(ask.key)
        else:
            self._set(ask.key, None)
            answer = True
        self._answer(process, ask, answer, back)

    def _answer(self, process: Process, ask: Ask, answer: Any, back: int | None) -> None:
        if self.log is not None:
            self._tell(process, ask, f"executed: {answer}")
        if back is not None:
            process.answer_later(self.engine.now + back, answer)

    def _put(self, process: Process, ask: Ask, back: int | None) -> None:
        """The write is stamped; it shows now or, on some stores, a little later."""
        stamped = self.engine.now
        later = self.habits.visible_after
        if later:
            self.engine.at(stamped + self.rng.randrange(later), self._show, process, ask, back, stamped)
        else:
            self._show(process, ask, back, stamped)

    def _show(self, process: Process, ask: Ask, back: int | None, stamped: int) -> None:
        there = self.files.get(ask.key)
        if ask.if_match and self.habits.conditional and (there is None or there.etag != ask.if_match):
            self._answer(process, ask, Refused("another version", ambiguous=False, conflict=True), back)
            return
        if self.on_put is not None:
            self.on_put(process, ask, there)
        time = self.clock(stamped)
        body: Body = ask.record
        version = Version(
            body, time - time % self.habits.grain, stamped, f"{body.serial}{'a' if body.acquired else 'p'}"
        )
        self._set(ask.key, version)
        self._answer(process, ask, version, back)

    def take_away(self, key: str) -> None:
        """Somebody else removes a file."""
        self._set(key, None)

    def _set(self, key: str, version: Version | None) -> None:
        if version is None:
            self.files.pop(key, None)
        else:
            self.files[key] = version
        if self.habits.p_stale:
            self.history.setdefault(key, []).append((self.engine.now, version))

    def _list(self) -> Listed:
        fresh = {key: (found.etag, found.modified) for key, found in self.files.items()}
        if not self.habits.p_stale or self.rng.random() >= self.habits.p_stale:
            return Listed(fresh, False, self.engine.now, dict(self.files))
        then = self.engine.now - self.rng.randrange(self.habits.stale_by)
        past: dict[str, tuple[str, int]] = {}
        for key, versions in self.history.items():
            shown = [version for when, version in versions if when <= then]
            if shown and (last := shown[-1]) is not None:
                past[key] = (last.etag, last.modified)
        return Listed(past, past != fresh, self.engine.now, dict(self.files))
