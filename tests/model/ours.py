"""Our client in the model: the shipped `advance`, run over claims that are normalised to "now".

The rules do not depend on absolute time, so a claim is kept with all its instants relative to the present
and clamped where further ageing makes no difference. Claims are interned: a state of the model holds small
integers, and `advance` runs once for each distinct claim and event (looked up in the package at each
call, so that a mutant is what is run).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from backuplock.model import Flaw
from backuplock.protocol import (
    Action,
    Claim,
    Event,
    Failed,
    Look,
    Loss,
    Outcome,
    Own,
    Phase,
    ReleaseAsked,
    Remove,
    Removed,
    Saw,
    Seen,
    Sleep,
    Terms,
    Woke,
    Write,
    Wrote,
    steps,
)
from backuplock.protocol.sight import judge, needs_own, recognise
from backuplock.rules import Contender

NAMES = "abc"
LANDED = 9
"""The number that the version which landed last gets: renewals must not count up for ever."""

type_of_read = tuple[int, bool | None, int]
"""One read of somebody's file: client, acquired (None: the read failed), store time."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What the model needs to know of an interned claim, worked out once."""

    phase: Phase
    action: Action
    works: bool
    granted: bool
    due_in: int
    """Ticks until a sleep ends; 0 for everything else that is to be done at once; -1: nothing to do."""
    result: str
    lost: str


class Book:
    """Interned claims of one client in one model, and what the shipped code makes of them."""

    def __init__(self, index: int, lock_type: int, terms: Terms, types: tuple[int, ...], skew: int) -> None:
        self.index = index
        self.terms = terms
        self.types = types
        self.now = skew
        """What the local clock says at the instant that the store calls 0."""
        self.floor = terms.timing.duration_ns + terms.lease + 2
        self.claims: list[Claim] = []
        self.facts: list[Facts] = []
        self._ids: dict[Claim, int] = {}
        self._ticked: dict[int, int] = {}
        self._judged_dead: dict[tuple[object, ...], tuple[int, ...]] = {}
        self._advanced: dict[tuple[object, ...], int] = {}
        claim, _ = steps.start(terms, key=NAMES[index], name=NAMES[index], lock_type=lock_type)
        self.first = self.intern(claim)

    def intern(self, claim: Claim) -> int:
        known = self._ids.get(claim)
        if known is None:
            known = self._ids[claim] = len(self.claims)
            self.claims.append(claim)
            self.facts.append(self._facts(claim))
        return known

    def _facts(self, claim: Claim) -> Facts:
        action = steps.action(claim)
        due = 0
        if isinstance(action, Sleep):
            due = max(0, action.until - self.now)
        elif not isinstance(action, Write | Look | Remove):
            due = -1
        return Facts(
            phase=claim.phase,
            action=action,
            works=steps.remaining(claim, self.now) > 0,
            granted=claim.granted,
            due_in=due,
            result=str(claim.outcome.result) if claim.phase is Phase.DONE and claim.outcome else "",
            lost=str(claim.loss.reason) if claim.loss else "",
        )

    def tick(self, cid: int) -> int:
        """The claim one tick later."""
        known = self._ticked.get(cid)
        if known is None:
            claim = self.claims[cid]
            older = replace(
                claim,
                until=claim.until - 1,
                wake=claim.wake - 1,
                ended=claim.ended - 1,
                modified=None if claim.modified is None else claim.modified - 1,
                stamp=None if claim.stamp is None else claim.stamp - 1,
                heard=None if claim.heard is None else claim.heard - 1,
            )
            known = self._ticked[cid] = self.intern(self.normal(older))
        return known

    def normal(self, claim: Claim) -> Claim:
        """Drop what can make no difference any more."""
        outcome, loss = claim.outcome, claim.loss
        over = claim.phase in (Phase.DONE, Phase.LOST, Phase.LEAVING, Phase.PAUSING)
        if over:
            claim = replace(
                claim, modified=None, stamp=None, heard=None, anchor=None, until=self.now, ended=self.now
            )
        if claim.phase not in (Phase.QUEUEING, Phase.CHECKING, Phase.POLLING, Phase.HELD, Phase.PAUSING):
            claim = replace(claim, wake=self.now)
        return replace(
            claim,
            until=max(claim.until, self.now - 1),
            wake=max(claim.wake, self.now),
            ended=self.now if claim.modified is not None else max(claim.ended, self.now - self.floor),
            modified=_clamp(claim.modified, -self.floor),
            stamp=_clamp(claim.stamp, -self.floor),
            heard=_clamp(claim.heard, -self.floor),
            failures=min(claim.failures, 3),
            stored_until=None if claim.stored_until is None else self.now,
            polled=frozenset() if over or claim.granted else claim.polled,
            missing=frozenset() if over or claim.granted else claim.missing,
            settling=claim.settling and not (over or claim.granted),
            doubt="",
            loss=None if loss is None else Loss(loss.reason, ""),
            outcome=None if outcome is None else Outcome(outcome.result, left=outcome.left),
        )

    def rebase(self, cid: int, serials: Mapping[int, int]) -> int:
        """The claim with other serials; of those unanswered, only such as may still turn up."""
        claim = self.claims[cid]
        moved = replace(
            claim,
            serial=serials[claim.serial],
            landed=serials[claim.landed],
            etag=str(serials[int(claim.etag)]) if claim.etag else "",
            unanswered=frozenset(serials[serial] for serial in claim.unanswered if serial in serials),
        )
        return self.intern(moved)

    def _advance(self, cid: int, event: Event) -> int:
        claim, _ = steps.advance(self.claims[cid], event)
        return self.intern(self.normal(claim))

    def wrote(self, cid: int, began: int, stamp: int, serial: int, tells_time: bool, dates: bool) -> int:
        key = ("wrote", cid, began, stamp, serial)
        known = self._advanced.get(key)
        if known is None:
            event = Wrote(
                self.now + began,
                self.now,
                modified=stamp if tells_time else None,
                etag=str(serial),
                store_now=0 if dates else None,
            )
            known = self._advanced[key] = self._advance(cid, event)
        return known

    def failed(self, cid: int, began: int, ambiguous: bool, conflict: bool = False) -> int:
        key = ("failed", cid, began, ambiguous, conflict)
        known = self._advanced.get(key)
        if known is None:
            event = Failed(self.now + began, self.now, "failed", ambiguous=ambiguous, conflict=conflict)
            known = self._advanced[key] = self._advance(cid, event)
        return known

    def woke(self, cid: int) -> int:
        return self._simple("woke", cid, Woke(self.now))

    def asked(self, cid: int) -> int:
        return self._simple("asked", cid, ReleaseAsked(self.now))

    def removed(self, cid: int) -> int:
        return self._simple("removed", cid, Removed(self.now))

    def _simple(self, name: str, cid: int, event: Event) -> int:
        key = (name, cid)
        known = self._advanced.get(key)
        if known is None:
            known = self._advanced[key] = self._advance(cid, event)
        return known

    def seen(self, reads: tuple[type_of_read, ...]) -> tuple[Seen, ...]:
        return tuple(
            Seen(NAMES[who], None, Flaw.UNREADABLE)
            if acquired is None
            else Seen(NAMES[who], Contender(NAMES[who], self.types[who], acquired, at), None, at)
            for who, acquired, at in reads
        )

    def needs_own(self, cid: int, listed: int, reads: tuple[type_of_read, ...]) -> bool:
        return needs_own(self.claims[cid], str(listed), self.seen(reads))

    def saw(
        self,
        cid: int,
        began: int,
        own: tuple[int, int | None] | None,
        reads: tuple[type_of_read, ...],
        dates: bool,
    ) -> int:
        """A look: `own` is the serial, and the time if it was read."""
        key = ("saw", cid, began, own, reads)
        known = self._advanced.get(key)
        if known is None:
            mine = None
            if own is not None:
                mine = Own(str(own[0]), own[1], None if own[1] is None else own[0])
            event = Saw(self.now + began, self.now, mine, self.seen(reads), 0 if dates else None)
            self._judged_dead[key] = self._dead(self.claims[cid], event)
            known = self._advanced[key] = self._advance(cid, event)
        return known

    def judged_dead(
        self,
        cid: int,
        began: int,
        own: tuple[int, int | None] | None,
        reads: tuple[type_of_read, ...],
    ) -> tuple[int, ...]:
        """Whose acquired locks a look (one that was fed to `saw`) judged to be dead."""
        return self._judged_dead[("saw", cid, began, own, reads)]

    def _dead(self, claim: Claim, event: Saw) -> tuple[int, ...]:
        known = recognise(claim, event.own, event) if event.own is not None else None
        if known is None or steps.lapsed(claim, self.now):
            return ()
        return tuple(NAMES.index(key) for key in judge(known, event).stale)


def _clamp(value: int | None, least: int) -> int | None:
    return None if value is None else max(value, least)
