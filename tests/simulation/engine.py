"""Virtual time: a queue of things to come, and processes that sleep and ask a store.

True time is integer nanoseconds from 0. A process is a generator: it yields a command, and is sent the
answer. Everything that happens follows from the seed.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any

SECOND = 1_000_000_000


@dataclass(frozen=True, slots=True)
class SleepTo:
    """Sleep until this true time."""

    at: int


@dataclass(frozen=True, slots=True)
class Ask:
    """One request: `verb` list, get, head, put, delete; `key`; for put the record and the condition."""

    verb: str
    key: str = ""
    record: Any = None
    if_match: str = ""


@dataclass(frozen=True, slots=True)
class Refused:
    """An answer that is none: the request failed. `ambiguous`: it may have been executed, or may yet."""

    detail: str
    ambiguous: bool = True
    conflict: bool = False


Command = SleepTo | Ask
Body = Generator[Command, Any, None]


class Engine:
    """What happens when."""

    def __init__(self) -> None:
        self.now = 0
        self._queue: list[tuple[int, int, Callable[..., None], tuple[Any, ...]]] = []
        self._count = 0

    def at(self, when: int, act: Callable[..., None], *arguments: Any) -> None:
        """Do something at a true time (now, if that is past)."""
        self._count += 1
        heapq.heappush(self._queue, (max(when, self.now), self._count, act, arguments))

    def run(self, until: int) -> None:
        """Let everything happen up to a true time."""
        while self._queue and self._queue[0][0] <= until:
            self.now, _, act, arguments = heapq.heappop(self._queue)
            act(*arguments)
        self.now = max(self.now, until)


class LocalClock:
    """One machine's clock: off by `offset`, fast by `ppm` millionths, and now and then set forward.

    `lease` is lease time, what our protocol counts in; `lead` is how far steps have pushed it.
    """

    def __init__(self, offset: int, ppm: int) -> None:
        self.offset = offset
        self.ppm = ppm
        self.lead = 0

    def mono(self, now: int) -> int:
        return now + now * self.ppm // 1_000_000 + self.offset

    def lease(self, now: int) -> int:
        return self.mono(now) + self.lead

    def true(self, lease: int) -> int:
        """The earliest true time at which lease time has reached this."""
        elapsed = lease - self.lead - self.offset
        guess = elapsed * 1_000_000 // (1_000_000 + self.ppm)
        while self.lease(guess) < lease:
            guess += 1
        return guess


class Process:
    """A client process: can be paused and killed."""

    def __init__(self, engine: Engine, submit: Callable[[Process, Ask], None], clock: LocalClock) -> None:
        self.engine = engine
        self.submit = submit
        self.clock = clock
        self.body: Body | None = None
        self.dead = False
        self.paused_until = 0
        self.pauses = 0
        self._turn = 0

    def begin(self, body: Body) -> None:
        self.body = body
        self.resume(None, self._turn)

    def resume(self, answer: Any, turn: int) -> None:
        """Go on with an answer, if it is still awaited."""
        if self.dead or turn != self._turn or self.body is None:
            return
        if self.engine.now < self.paused_until:
            self.engine.at(self.paused_until, self.resume, answer, turn)
            return
        self._turn += 1
        try:
            command = self.body.send(answer)
        except StopIteration:
            self.body = None
            return
        if isinstance(command, SleepTo):
            self.engine.at(command.at, self.resume, None, self._turn)
        else:
            self.submit(self, command)

    def answer_later(self, when: int, answer: Any) -> None:
        """An answer to the request under way arrives then."""
        self.engine.at(when, self.resume, answer, self._turn)

    def pause(self, duration: int) -> None:
        self.paused_until = max(self.paused_until, self.engine.now + duration)
        self.pauses += 1

    def kill(self) -> None:
        self.dead = True
