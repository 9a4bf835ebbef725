"""The two kinds of clients: ours, a small driver around the shipped state machine; and the original."""

from __future__ import annotations

import random
from collections.abc import Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from backuplock.model import Flaw
from backuplock.protocol import (
    Claim,
    Event,
    Failed,
    Look,
    Outcome,
    Own,
    ReleaseAsked,
    Remove,
    Removed,
    Rest,
    Saw,
    Seen,
    Sleep,
    Stop,
    Terms,
    Woke,
    Write,
    Wrote,
    advance,
    needs_own,
    next_attempt,
    start,
    steps,
)
from backuplock.rules import LONGHORN, Contender, can_acquire
from simulation.engine import SECOND, Ask, Body, LocalClock, Process, Refused, SleepTo
from simulation.store import Body as Record
from simulation.store import Listed, Store, Version

if TYPE_CHECKING:
    from simulation.observer import Observer


@dataclass(frozen=True, slots=True)
class Plan:
    """What one client is to do. Times in nanoseconds of true time.

    `patience`: how long it keeps trying; 0: one attempt. `hold`: how long it holds before it releases.
    """

    name: str
    lock_type: int
    begins: int
    hold: int
    patience: int = 0


class Client(Process):
    """What both kinds have in common: a name, a type, belief."""

    ours = False

    def __init__(self, plan: Plan, store: Store, observer: Observer, clock: LocalClock) -> None:
        super().__init__(store.engine, store.submit, clock)
        self.plan = plan
        self.name = plan.name
        self.store = store
        self.observer = observer
        self.causes: set[str] = set()
        """What went wrong in the present attempt or lease that no other client can make good."""
        self.stale_looks = 0
        self.broken_at: int | None = None

    def believes(self, now: int) -> bool:
        """Whether it would say that it holds its lock."""
        raise NotImplementedError

    def run(self) -> Body:
        """Its life."""
        raise NotImplementedError


class OurClient(Client):
    """Ours: performs what the state machine asks for."""

    ours = True

    def __init__(
        self,
        plan: Plan,
        store: Store,
        observer: Observer,
        clock: LocalClock,
        terms: Terms,
        rng: random.Random,
    ) -> None:
        super().__init__(plan, store, observer, clock)
        self.terms = terms
        self.rng = rng
        self.claim: Claim | None = None
        self.release_at: int | None = None
        self.outcomes: list[Outcome] = []
        self.latency = 0
        self.began_look = 0
        self.last: Listed | None = None
        self._memory: dict[str, tuple[tuple[str, int], Seen]] = {}

    def believes(self, now: int) -> bool:
        if self.dead or self.claim is None:
            return False
        return steps.remaining(self.claim, self.clock.lease(now)) > 0

    def lease(self) -> int:
        return self.clock.lease(self.engine.now)

    def run(self) -> Body:
        deadline = self.lease() + self.plan.patience
        tries = 0
        while True:
            tries += 1
            outcome = yield from self._attempt(f"{self.name}.{tries}")
            self.outcomes.append(outcome)
            self.observer.over(self, outcome)
            again = None
            if self.plan.patience:
                again = next_attempt(
                    self.terms,
                    outcome,
                    at=self.lease(),
                    deadline=deadline,
                    tries=tries,
                    jitter=self.rng.random(),
                )
            if again is None:
                return
            yield SleepTo(self.clock.true(again))

    def _attempt(self, key: str) -> Generator[Any, Any, Outcome]:
        self.causes, self.stale_looks, self.release_at, self.broken_at = set(), 0, None, None
        began = self.engine.now
        claim, action = start(self.terms, key=key, name=key, lock_type=self.plan.lock_type)
        self.claim = claim
        while not isinstance(action, Stop):
            event: Event
            if self.release_at is not None and self.engine.now >= self.release_at:
                event, self.release_at = ReleaseAsked(self.lease()), None
            else:
                answer = yield from self._perform(claim, action)
                if answer is None:
                    continue
                event = answer
            before = claim
            claim, action = advance(claim, event)
            self.claim = claim
            if claim.granted and not before.granted:
                self.latency = self.engine.now - began
                self.release_at = self.engine.now + self.plan.hold
            if claim.loss is not None and before.loss is None:
                self.release_at = self.engine.now + self.rng.randrange(5 * SECOND)
            self.observer.moved(self, before, claim, event)
        return action.outcome

    def _perform(self, claim: Claim, action: object) -> Generator[Any, Any, Event | None]:
        began = self.lease()
        if isinstance(action, Sleep | Rest):
            wake = self.clock.true(action.until) if isinstance(action, Sleep) else None
            if self.release_at is not None:
                wake = self.release_at if wake is None else min(wake, self.release_at)
            assert wake is not None, "nobody would ever wake this client"
            yield SleepTo(wake)
            due = self.release_at is not None and self.engine.now >= self.release_at
            return None if due else Woke(self.lease())
        if isinstance(action, Write):
            if action.before is not None and began >= action.before:
                return Woke(began)
            record = Record(claim.name, self.plan.lock_type, action.acquired, action.serial)
            self.observer.sends_write(self, action)
            answer = yield Ask("put", claim.key, record, action.if_match)
            if isinstance(answer, Refused):
                return self._failed(began, answer)
            told = answer.modified if self.store.habits.tells_time else None
            return Wrote(began, self.lease(), told, answer.etag, self._date(), self.clock.lead)
        if isinstance(action, Look):
            event = yield from self._look(claim, began)
            return event
        assert isinstance(action, Remove)
        answer = yield Ask("delete", claim.key)
        return self._failed(began, answer) if isinstance(answer, Refused) else Removed(self.lease())

    def _look(self, claim: Claim, began: int) -> Generator[Any, Any, Event]:
        self.began_look = self.engine.now
        listed = yield Ask("list")
        if isinstance(listed, Refused):
            return self._failed(began, listed)
        self.stale_looks += listed.stale
        self.last = listed
        others: list[Seen] = []
        for key, version in listed.entries.items():
            if key == claim.key:
                continue
            known = self._memory.get(key)
            if known is None or known[0] != version:
                found = yield Ask("get", key)
                if found is None:
                    continue
                known = (version, _seen(key, found))
                if not isinstance(found, Refused) and (found.etag, found.modified) == version:
                    self._memory[key] = known
            others.append(known[1])
        own = None
        if claim.key in listed.entries:
            own = Own(listed.entries[claim.key][0])
            if needs_own(claim, own.etag, others):
                mine = yield Ask("get", claim.key)
                if isinstance(mine, Refused):
                    return self._failed(began, mine)
                own = None if mine is None else Own(mine.etag, mine.modified, mine.body.serial)
        return Saw(began, self.lease(), own, tuple(others), self._date(), self.clock.lead)

    def _failed(self, began: int, answer: Refused) -> Failed:
        return Failed(began, self.lease(), answer.detail, answer.ambiguous, answer.conflict)

    def _date(self) -> int | None:
        """The store's clock as its answer told it, when it was on its way back; cut to seconds."""
        if not self.store.habits.dates:
            return None
        now = self.store.clock(self.engine.now) - self.store.habits.latency
        return now - now % SECOND


def _seen(key: str, found: Version | Refused) -> Seen:
    if isinstance(found, Refused):
        return Seen(key, None, Flaw.UNREADABLE)
    body = found.body
    record = Contender(body.name, body.type, body.acquired, found.modified)
    return Seen(key, record, None, found.modified)


class Original(Client):
    """Longhorn's client: body and time from two requests, errors taken for absence, blind refreshes.

    After each of its writes it asks for the file's time; its listing includes its own file; it removes by
    prefix, which lists first.
    """

    def __init__(self, plan: Plan, store: Store, observer: Observer, clock: LocalClock) -> None:
        super().__init__(plan, store, observer, clock)
        self.key = f"{self.name}.lck"
        self.holds = False
        self.refused = False
        self.filed = 0

    def believes(self, now: int) -> bool:
        return self.holds and not self.dead

    def run(self) -> Body:
        self.filed = self.engine.now
        own_time = yield from self._write(False)
        if own_time is None:
            return
        yield SleepTo(self.engine.now + LONGHORN.settle_ns)
        free = yield from self._check(own_time)
        claimed = None
        if free:
            claimed = yield from self._write(True)
        if claimed is None:
            self.refused = not free
            yield from self._remove()
            return
        if self.engine.now - self.filed > LONGHORN.duration_ns:
            self.causes.add("it claimed later than its pending record lasts")
        self.holds = True
        self.observer.original_granted(self)
        refresh_at = self.engine.now + LONGHORN.refresh_ns
        ends = self.engine.now + self.plan.hold
        while refresh_at <= ends:
            yield SleepTo(refresh_at)
            yield from self._write(True)
            refresh_at += LONGHORN.refresh_ns
        yield SleepTo(ends)
        self.holds = False
        yield from self._remove()

    def _write(self, acquired: bool) -> Generator[Any, Any, int | None]:
        """Write, then ask for the file's time (0 if that fails); None if the write failed."""
        put = yield Ask("put", self.key, Record(self.name, self.plan.lock_type, acquired))
        if isinstance(put, Refused):
            return None
        mine = yield Ask("head", self.key)
        return mine.modified if isinstance(mine, Version) else 0

    def _check(self, own_time: int) -> Generator[Any, Any, bool]:
        listed = yield Ask("list")
        if isinstance(listed, Refused):
            self.causes.add("its listing failed")
            listed = Listed({})
        if listed.stale:
            self.causes.add("its listing was stale")
        others: list[Contender] = []
        began = self.store.clock(self.engine.now)
        for key in listed.entries:
            there = yield Ask("head", key)
            body = yield Ask("get", key)
            time = yield Ask("head", key)
            if any(isinstance(answer, Refused) for answer in (there, body, time)):
                self.causes.add("a read of its failed")
            if key == self.key or not isinstance(there, Version) or not isinstance(body, Version):
                continue
            at = time.modified if isinstance(time, Version) else 0
            record = body.body
            others.append(Contender(record.name, record.type, record.acquired, at))
        mine = Contender(self.name, self.plan.lock_type, False, own_time)
        local = self.clock.mono(self.engine.now)
        free = can_acquire(mine, others, local)
        if free and not can_acquire(mine, others, self.store.clock(self.engine.now)):
            self.causes.add("its clock is fast")
        elif free and not can_acquire(mine, others, began):
            self.causes.add("it judged late what it had read early")
        return free

    def _remove(self) -> Body:
        yield Ask("list")
        yield Ask("delete", self.key)
