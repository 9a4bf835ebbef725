"""Sees true time and everybody's belief, and says what went wrong and why.

A belief can only come to clash with another at the moment when somebody is granted a lock, or when a
lost lease comes to life again; both are watched.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from backuplock.protocol import HOLDING, Claim, Event, Outcome, Phase, Result, Write
from backuplock.rules import LONGHORN
from simulation.clients import Client, Original, OurClient
from simulation.engine import SECOND, Ask, Engine, Process
from simulation.store import Store, Version

if TYPE_CHECKING:
    from collections.abc import Callable

DURATION = LONGHORN.duration_ns


class Observer:
    """Collects violations (must be none), and what no client of ours could prevent (counted)."""

    def __init__(self, engine: Engine, log: Callable[[str], None] | None = None) -> None:
        self.engine = engine
        self.log = log
        self.clients: list[Client] = []
        self.store: Store | None = None
        self.violations: list[str] = []
        self.excused: Counter[str] = Counter()
        self.counts: Counter[str] = Counter()

    # --- what clients tell

    def moved(self, client: OurClient, before: Claim, after: Claim, event: Event) -> None:
        """A claim has changed."""
        if self.log is not None:
            self.log(f"{client.name}: {before.phase} + {type(event).__name__} -> {after.phase}")
        if after.granted and not before.granted:
            self.counts["granted"] += 1
            self._granted(client)
        if before.loss is not None and after.phase in HOLDING:
            self._wrong(f"a lost lease of {client.name} came back to life")
        if after.loss is not None and before.loss is None:
            self.counts[f"lost: {after.loss.reason}"] += 1
        if after.phase is Phase.CLAIMING and before.phase is not Phase.CLAIMING:
            self._check_order(client, after)
        if after.outcome is not None and before.outcome is None and after.outcome.result is Result.REFUSED:
            self._check_refusal(client, after)

    def sends_write(self, client: OurClient, write: Write) -> None:
        """A write leaves."""
        claim = client.claim
        assert claim is not None
        if claim.loss is not None or (write.acquired and client.lease() >= claim.until):
            self._wrong(f"{client.name} writes after its lease")

    def over(self, client: OurClient, outcome: Outcome) -> None:
        """An attempt or a lease has ended."""
        self.counts[str(outcome.result)] += 1
        if outcome.certificate is not None:
            self.counts[f"certificate: {outcome.certificate.proof}"] += 1
        assert client.claim is not None
        assert self.store is not None
        if outcome.left or outcome.may_return:
            self.counts["told that a file may be left"] += 1
        elif client.claim.key in self.store.files:
            self._wrong(f"the file of {client.claim.key}, which is over, is still there")

    def original_granted(self, client: Original) -> None:
        """The original has been granted its lock."""
        self.counts["original granted"] += 1
        self._granted(client)

    def put(self, process: Process, ask: Ask, there: Version | None) -> None:
        """A write takes effect."""
        if isinstance(process, Original):
            if there is not None and self.engine.now - there.stamped > DURATION:
                process.causes.add("it refreshed later than its lease lasts")
            return
        assert isinstance(process, OurClient)
        claim = process.claim
        if there is not None or ask.record.serial < 2 or claim is None or claim.key != ask.key:
            return
        if process.broken_at is None or claim.unanswered or process.dead:
            return  # the late effect of a write that went unanswered
        seen = process.last is not None and process.last.made >= process.broken_at
        conditional = bool(ask.if_match) and self.store is not None and self.store.habits.conditional
        if seen or conditional:
            self._wrong(f"{process.name} brought back a record that had been removed")

    def broke(self, client: OurClient) -> None:
        """An operator has removed a client's file."""
        client.broken_at = self.engine.now
        client.causes.add("somebody broke its lock")

    # --- what is checked

    def _wrong(self, what: str) -> None:
        if self.log is not None:
            self.log(f"VIOLATION: {what}")
        self.violations.append(what)

    def _granted(self, late: Client) -> None:
        now = self.engine.now
        for early in self.clients:
            if early is late or early.plan.lock_type == late.plan.lock_type or not early.believes(now):
                continue
            if not late.ours and not early.ours:
                self.excused["originals among themselves"] += 1
                continue
            why = self._excuse(late, early)
            if why:
                self.excused[why] += 1
                if self.log is not None:
                    self.log(f"{late.name} is granted beside {early.name}: {why}")
            else:
                self._wrong(f"{late.name} was granted its lock while {early.name} held another type")

    def _excuse(self, late: Client, early: Client) -> str:
        """Why nobody of ours could prevent a clash; empty: we could."""
        broken = "somebody broke its lock"
        if broken in early.causes or broken in late.causes:
            return broken
        if isinstance(late, OurClient):
            hidden = late.stale_looks >= 2 or (late.stale_looks and late.store.habits.visible_after)
            if hidden:
                return "two stale listings, or one and late visibility"
        if isinstance(early, Original):
            theirs = early.causes & {"it refreshed later than its lease lasts"}
            if theirs or self._age(early.key) > DURATION:
                return "an original worked on past its lease"
        if isinstance(late, Original) and late.causes:
            return "an original: " + min(late.causes)
        return ""

    def _age(self, key: str) -> int:
        assert self.store is not None
        there = self.store.files.get(key)
        return 0 if there is None else self.engine.now - there.stamped

    def _check_order(self, client: OurClient, claim: Claim) -> None:
        """Whoever claims must not do so beside an earlier pending record that its look could see."""
        look, store = client.last, self.store
        if look is None or look.stale or store is None:
            return
        mine = look.files.get(claim.key)
        if mine is None:
            return
        for key, then in look.files.items():
            still = store.files.get(key)
            if key == claim.key or still is None or still.body.type == client.plan.lock_type:
                continue
            if then.body.acquired or still.body.acquired or then.stamped != still.stamped:
                continue
            earlier = (then.modified, then.body.name) < (mine.modified, claim.name)
            if earlier and self.engine.now - then.stamped <= DURATION:
                self._wrong(f"{client.name} claims beside {key}, which is pending and comes first")

    def _check_refusal(self, client: OurClient, claim: Claim) -> None:
        """Nobody is refused by a lock that has been dead for longer than the limits of what can be known."""
        assert claim.outcome is not None
        assert self.store is not None
        if client.pauses:
            return
        habits = self.store.habits
        slack = LONGHORN.settle_ns + 2 * habits.grain + 40 * habits.latency + habits.visible_after
        for blocker in claim.outcome.blockers:
            began = self.store.clock(client.began_look)
            if blocker.ends is not None and began > blocker.ends + slack:
                late = (began - blocker.ends) / SECOND
                self._wrong(f"{client.name} was refused by {blocker.key}, dead for {late:.1f} s")
