"""Virtual time, a copy of a volume's locks in it, and clients that live there; for `backuplock.simulate`."""

from __future__ import annotations

import functools
import heapq
import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from backuplock import layout
from backuplock.clock import SECOND, LeaseClock, ManualClock
from backuplock.driver import Hands
from backuplock.errors import Irregular, TooLarge, Unreachable
from backuplock.model import Flaw, LockFile, Owner
from backuplock.protocol import (
    Action,
    Claim,
    Event,
    Outcome,
    ReleaseAsked,
    Rest,
    Result,
    Sleep,
    Stop,
    Terms,
    Woke,
    advance,
    next_attempt,
    start,
)
from backuplock.scenario import Act, Attempt, Client, Forecast, Lane, Scenario, Step
from backuplock.stores.base import BODY_CAP, Blob
from backuplock.stores.memory import MemoryStore

_REQUEST_NS = SECOND // 50
"""What a request takes in virtual time: 20 ms, a typical object store."""


class _Virtual(MemoryStore):
    """The copy of the volume: what could not be read in earnest cannot be read here either."""

    def __init__(self, clock: ManualClock, flaws: Mapping[str, Flaw], grain_ns: int) -> None:
        super().__init__(clock, url="simulation:", grain_ns=grain_ns)
        self._flaws = flaws

    def read(self, key: str, *, cap: int = BODY_CAP) -> Blob | None:
        flaw = self._flaws.get(key)
        if flaw is Flaw.UNREADABLE:
            raise Unreachable(f"{key} could not be read when the snapshot was taken")
        if flaw is Flaw.IRREGULAR:
            raise Irregular(f"{key} is not a plain file and is not followed")
        if flaw is Flaw.TOO_LARGE:
            raise TooLarge(f"{key} is larger than what is read of a lock")
        return super().read(key, cap=cap)


class World:
    """Virtual time, a virtual store, and an agenda of who does what when."""

    def __init__(
        self, volume: str, locks: Sequence[LockFile], now_ns: int, scenario: Scenario, terms: Terms
    ) -> None:
        self.volume = volume
        self.terms = terms
        self.scenario = scenario
        self.clock = ManualClock(now_ns)
        self.now_ns = now_ns
        self.store = _Virtual(
            self.clock,
            {lock.key: lock.flaw for lock in locks if lock.flaw is not None},
            max(1, terms.grain),
        )
        self.steps: dict[str, list[Step]] = {}
        self.lanes: dict[str, Lane] = {}
        self.attempts: list[Attempt] = []
        self._agenda: list[tuple[int, int, Callable[[], None]]] = []
        self._order = itertools.count()
        for lock in locks:
            _Present(self, lock)
        for number, client in enumerate(scenario.clients):
            runner = _Runner(self, number, client)
            self.at(client.start_ns, runner.attempt)

    @property
    def elapsed_ns(self) -> int:
        return self.clock.wall_ns() - self.now_ns

    def at(self, ns: int, do: Callable[[], None]) -> None:
        heapq.heappush(self._agenda, (max(ns, self.elapsed_ns), next(self._order), do))

    def show(self, key: str, act: Act) -> None:
        self.steps.setdefault(key, []).append(Step(self.elapsed_ns, act))

    def play(self) -> Forecast:
        while self._agenda and self._agenda[0][0] <= self.scenario.horizon_ns:
            when, _, do = heapq.heappop(self._agenda)
            self.clock.advance(max(0, when - self.elapsed_ns))
            do()
        lanes = tuple(replace(lane, steps=tuple(self.steps.get(key, ()))) for key, lane in self.lanes.items())
        granted = [one.decided_ns for one in self.attempts if one.client == 0 and one.granted]
        attempts = tuple(sorted(self.attempts, key=lambda one: (one.began_ns, one.client)))
        return Forecast(attempts, lanes, granted[0] if granted else None, self.scenario.horizon_ns)


class _Present:
    """A lock that is there already, and its holder as the scenario supposes it."""

    def __init__(self, world: World, lock: LockFile) -> None:
        self._world = world
        self._lock = lock
        self._alive = False
        modified = lock.modified_ns if lock.modified_ns is not None else world.now_ns
        self._body = lock.raw if len(lock.raw) == lock.size else b""
        world.store.plant(lock.key, self._body, modified)
        type_ = None if lock.record is None else lock.record.type
        world.lanes[lock.key] = Lane(lock.key, lock.stem, type_, None, ())
        self._modified = modified
        # A holder of our kind renews more often than Longhorn, and looks first.
        self._ours = lock.record is not None and lock.record.owner is not None
        self._pause_ns = world.terms.renew if self._ours else world.terms.timing.refresh_ns
        self._begin()

    def _begin(self) -> None:
        world, lock, timing = self._world, self._lock, self._world.terms.timing
        age = world.now_ns - self._modified
        acquired = lock.record is not None and lock.record.acquired
        chosen = world.scenario.refreshing
        # Ours gives its lease up a margin before others count it as ended.
        limit = world.terms.lease if self._ours else timing.duration_ns
        self._alive = acquired and (age <= limit if chosen is None else lock.key in chosen)
        if age > timing.duration_ns and not self._alive:
            world.show(lock.key, Act.EXPIRED)
        else:
            world.show(lock.key, Act.HOLDS if acquired else Act.ASKS)
            self._expire_later()
        if self._alive:
            world.at(max(0, self._pause_ns - age), self._refresh)
        for key, when in world.scenario.dies:
            if key == lock.key:
                world.at(when, self._die)
        for key, when in (*world.scenario.ends, *world.scenario.breaks):
            if key == lock.key:
                broken = (key, when) in world.scenario.breaks
                world.at(when, functools.partial(self._go, broken=broken))

    def _refresh(self) -> None:
        if not self._alive:
            return
        world = self._world
        if self._ours and world.steps[self._lock.key][-1].act is Act.GONE:
            self._alive = False
            return
        # As Longhorn does: blindly. A lock that was broken under a live holder comes back.
        world.store.put(self._lock.key, self._body)
        if world.steps[self._lock.key][-1].act is not Act.HOLDS:
            world.show(self._lock.key, Act.HOLDS)
        self._modified = world.clock.wall_ns()
        self._expire_later()
        world.at(world.elapsed_ns + self._pause_ns, self._refresh)

    def _expire_later(self) -> None:
        modified = self._modified

        def expire() -> None:
            last = self._world.steps[self._lock.key][-1].act
            if self._modified == modified and last is not Act.GONE:
                self._world.show(self._lock.key, Act.EXPIRED)

        self._world.at(modified + self._world.terms.timing.duration_ns + 1 - self._world.now_ns, expire)

    def _die(self) -> None:
        if self._alive:
            self._alive = False
            self._world.show(self._lock.key, Act.DEAD)

    def _go(self, *, broken: bool) -> None:
        if not broken:
            self._alive = False
        self._world.store.delete(self._lock.key)
        self._world.show(self._lock.key, Act.GONE)


class _Runner:
    """A client of ours in virtual time: the protocol, its hands, and no thread."""

    def __init__(self, world: World, number: int, client: Client) -> None:
        self._world = world
        self._number = number
        self._client = client
        self._lease_clock = LeaseClock(world.clock)
        self._tries = 0
        self._began = 0
        self._turn = 0
        self._claim: Claim | None = None
        self._key = ""
        self._hands: Hands
        self._deadline = self._lease_clock.now() + client.start_ns + client.timeout_ns

    def attempt(self) -> None:
        world, name = self._world, f"sim-{self._number}-{self._tries:08d}"
        self._tries += 1
        self._began = world.elapsed_ns
        self._key = layout.lock_key(world.volume, name)
        label = self._client.label or f"{self._client.operation} (simulated)"
        if self._tries == 1:
            type_ = self._client.operation.lock_type
            world.lanes[self._lane] = Lane(self._lane, label, type_, self._number, ())
        world.show(self._lane, Act.ASKS)
        self._hands = Hands(world.store, world.volume, Owner(), self._lease_clock)
        claim, action = start(
            world.terms, key=self._key, name=name, lock_type=self._client.operation.lock_type
        )
        self._go_on(claim, action)

    @property
    def _lane(self) -> str:
        return f"client-{self._number}"

    def _go_on(self, claim: Claim, action: Action) -> None:
        """Perform the action now, and what follows it at its time."""
        if isinstance(action, Stop):
            self._over(claim, action.outcome)
        elif isinstance(action, Rest):
            self._feed(claim, ReleaseAsked(self._lease_clock.now()))
        elif isinstance(action, Sleep):
            wait = max(0, action.until - self._lease_clock.now())
            self._wait(claim, wait, lambda: self._feed(claim, Woke(self._lease_clock.now())))
        else:
            self._feed(claim, self._hands.perform(claim, action), _REQUEST_NS)

    def _feed(self, claim: Claim, event: Event, took_ns: int = 0) -> None:
        after, action = advance(claim, event)
        if after.granted and not claim.granted:
            self._granted()
        if after.loss is not None and claim.loss is None:
            # Found by a look between two renewals, or by the last one before the release.
            self._world.show(self._lane, Act.LOST)
        self._wait(after, took_ns, lambda: self._go_on(after, action))

    def _wait(self, claim: Claim, ns: int, then: Callable[[], None]) -> None:
        """Do `then` in a while, unless something else is decided for this client until then."""
        self._turn += 1
        turn = self._turn
        self._claim = claim

        def do() -> None:
            if turn == self._turn:
                then()

        self._world.at(self._world.elapsed_ns + ns, do)

    def _granted(self) -> None:
        world, client = self._world, self._client
        now = world.elapsed_ns
        world.attempts.append(Attempt(self._number, self._began, now, True))
        world.show(self._lane, Act.HOLDS)
        if client.crash_after_ns is not None:
            world.at(now + client.crash_after_ns, self._crash)
        if client.lasts_ns is not None:
            world.at(now + client.lasts_ns, self._release)

    def _release(self) -> None:
        if self._claim is not None and self._claim.outcome is None:
            self._feed(self._claim, ReleaseAsked(self._lease_clock.now()))

    def _crash(self) -> None:
        claim = self._claim
        if claim is None or claim.outcome is not None:
            return
        self._turn += 1
        self._claim = None
        self._world.show(self._lane, Act.DEAD)
        last = self._world.store.read(self._key)
        if last is not None:
            ends = last.modified_ns + self._world.terms.timing.duration_ns - self._world.now_ns
            self._world.at(ends + 1, lambda: self._world.show(self._lane, Act.EXPIRED))

    def _over(self, claim: Claim, outcome: Outcome) -> None:
        world = self._world
        now = world.elapsed_ns
        if claim.granted:
            world.show(self._lane, Act.GONE)
            return
        world.show(self._lane, Act.REFUSED)
        world.attempts.append(
            Attempt(self._number, self._began, now, False, outcome.blockers, outcome.detail)
        )
        if outcome.result not in (Result.REFUSED, Result.FAILED):
            return
        again = next_attempt(
            world.terms,
            outcome,
            at=self._lease_clock.now(),
            deadline=self._deadline,
            tries=self._tries,
            jitter=0.0,
        )
        if again is not None:
            world.at(now + again - self._lease_clock.now(), self.attempt)
