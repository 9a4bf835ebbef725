"""The data of the protocol: terms, claim, outcomes. Frozen, hashable, integers for time.

Two clocks, never mixed. *Lease time* is local: a clock that counts through suspend and never runs slow
against the wall clock (`began`, `ended`, `at`, `until`, `wake`). *Store time* is the store's own
(`modified`, `store_now`). The unit is the caller's: nanoseconds in earnest, small numbers in a model.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

from backuplock.clock import SECOND
from backuplock.model import Owner
from backuplock.rules import LONGHORN, Timing


@dataclass(frozen=True, slots=True)
class Terms:
    """What is fixed for a lease: periods, and what the store can do. Times in nanoseconds in earnest.

    Attributes:
        timing: the periods that everybody on the store keeps (Longhorn's).
        margin: how long before the lease ends by the store's count we count it as lost. It must exceed
            the longest step that is done between two checks, and the longest request.
        renew: from the start of one good write to the next renewal.
        retry: first pause after a failed renewal; doubled with each further failure, `renew` at most.
        poll: pause between two looks while a rival that was pending is watched.
        watch: how long to watch an expired acquired lock before overriding it; 0: not at all.
        grain: coarseness of the store's times; ages are judged that much younger.
        removals: tries to remove our own file before it is reported as left.
        eager: claim without the settle wait if nobody else is there. Only where a listing cannot lag.
        conditional: the store honours `if_match` on writes, proved.
        closing_look: look once more before a held lock is removed, so that the certificate covers its end.
        caveat: why no certificate on this store can be "proven" (its listings lag, say); empty if it can.
        limits: what even a "proven" certificate on this store does not cover.
    """

    timing: Timing = LONGHORN
    margin: int = 60 * SECOND
    renew: int = 20 * SECOND
    retry: int = 2 * SECOND
    poll: int = SECOND
    watch: int = 0
    grain: int = 0
    removals: int = 4
    eager: bool = False
    conditional: bool = False
    closing_look: bool = True
    caveat: str = ""
    limits: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not 0 <= self.margin < self.timing.duration_ns:
            raise ValueError("the margin must be shorter than the lease")
        if not 0 < self.renew < self.lease:
            raise ValueError("the renewal interval must be shorter than lease minus margin")
        if self.timing.settle_ns + self.watch >= self.lease:
            raise ValueError("the waits before claiming must be shorter than lease minus margin")
        if self.removals < 1 or min(self.retry, self.poll) < 1 or min(self.watch, self.grain) < 0:
            raise ValueError("pauses and tries must be positive")

    @property
    def lease(self) -> int:
        """From the start of a good write to the instant at which we count the lease as lost."""
        return self.timing.duration_ns - self.margin


class Phase(enum.StrEnum):
    """Where an attempt, or the lease it won, stands."""

    FILING = "filing"
    """Writing the pending record."""
    QUEUEING = "queueing"
    """Waiting: the settle wait, or watching an expired lock."""
    CHECKING = "checking"
    """Looking whether somebody comes before us."""
    CLAIMING = "claiming"
    """Writing the acquired record."""
    SETTLING = "settling"
    """Looking whether somebody claimed at the same time."""
    POLLING = "polling"
    """Pausing between two looks of settling."""
    HELD = "held"
    """The lease is ours; sleeping until the next renewal."""
    LOOKING = "looking"
    """The lease is ours; looking before renewing."""
    RENEWING = "renewing"
    """The lease is ours; writing."""
    LOST = "lost"
    """It was ours. Final: nothing is written any more, the file is removed when release is asked."""
    CLOSING = "closing"
    """Release was asked; a last look for the certificate."""
    LEAVING = "leaving"
    """Removing our own file."""
    PAUSING = "pausing"
    """Pausing between two tries to remove it."""
    DONE = "done"


HOLDING = frozenset({Phase.HELD, Phase.LOOKING, Phase.RENEWING})
"""Phases in which the lease is ours, as long as the clock agrees (`steps.remaining`)."""


class LossReason(enum.StrEnum):
    """Why a lease is gone."""

    EXPIRED = "expired"
    REMOVED = "removed"
    CONFLICT = "conflict"


@dataclass(frozen=True, slots=True)
class Blocker:
    """A lock that refused us or took our lease: what it says and, in store time, how old it is.

    `type` and `acquired` are None for a file without a record. `age` is a lower bound at the moment the
    look began; `ends` is the store time at which it ends if its holder dies now. None: not known. `owner` is
    what a lock of our own says of its holder; it decides nothing.
    """

    key: str
    name: str
    type: int | None
    acquired: bool | None
    age: int | None
    ends: int | None
    owner: Owner | None = None


@dataclass(frozen=True, slots=True)
class Loss:
    """How a lease was lost; `by` are the locks of another type, for a conflict."""

    reason: LossReason
    detail: str
    by: tuple[Blocker, ...] = ()


class Proof(enum.StrEnum):
    """What can be said of exclusivity at the end of a lease."""

    PROVEN = "proven"
    NOT_PROVEN = "not proven"
    VIOLATED = "violated"


@dataclass(frozen=True, slots=True)
class Certificate:
    """Whether the lease was ours alone while it lasted; `reason` is empty for `PROVEN` only.

    `caveats` are what could not have shown on this store, whatever `proof` says; to be told along with it.
    """

    proof: Proof
    reason: str = ""
    caveats: tuple[str, ...] = ()

    def __str__(self) -> str:
        told = f"{self.proof}: {self.reason}" if self.reason else str(self.proof)
        return f"{told} (but {'; '.join(self.caveats)})" if self.caveats else told


class Result(enum.StrEnum):
    """How an attempt, or a lease, ended."""

    REFUSED = "refused"
    """Others come first: see `blockers`."""
    FAILED = "failed"
    """It could not be decided safely (a request failed, a file could not be read, too slow)."""
    WITHDRAWN = "withdrawn"
    """Release was asked before the lease was won."""
    RELEASED = "released"
    """Held and released within the lease."""
    LOST = "lost"
    """Held and lost before release was asked."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The end of an attempt or a lease.

    Attributes:
        blockers: for `REFUSED`, who comes first.
        detail: for `FAILED` and `LOST`, one line for people; it names no instants.
        final: asking again will not help (access denied).
        loss: for `LOST`.
        left: our own file may still be in the store (its removal failed): it blocks other types until
            `left_until` at the latest. sure: it is known to be there.
        may_return: a write of ours went unanswered; if the store is still to execute it, our file comes
            back and blocks other types until `left_until` at the latest (as far as can be known).
        left_until: lease time.
        certificate: of leases that were won.
    """

    result: Result
    blockers: tuple[Blocker, ...] = ()
    detail: str = ""
    final: bool = False
    loss: Loss | None = None
    left: bool = False
    sure: bool = False
    may_return: bool = False
    left_until: int | None = None
    certificate: Certificate | None = None


@dataclass(frozen=True, slots=True)
class Claim:
    """One attempt to hold a lock under a fresh name, and the lease if it is won.

    Attributes:
        key, name, type: of our own lock file.
        serial: number of the last write that was asked for: 0 the pending record, 1 the acquired one.
        landed: number of the version that we know to be in the store, -1 before the first.
        etag: of that version, if the store told.
        modified: its store time, if known (S3 does not tell before the record is read).
        ended: when that write ended, on the slow local clock (lease time minus `lead`).
        anchor: store time minus slow local time is at least this; None if unknown.
        stamp: store time of the version before that one, if known.
        heard: the store's clock as its reply to the last good write gave it.
        until: lease time at which what we hold counts as lost, and after which nothing is written.
        wake: lease time at which the present sleep ends.
        failures: consecutive failed renewals, or removals.
        waited: the settle wait is over. watched: so is the watch of an expired lock.
        polled: rivals seen pending, whose end settling has to see. missing: those of them that the last
            look did not show pending; it takes two such looks.
        settling: the first look of settling is over.
        unanswered: numbers of writes that failed without an answer and may have landed, or may yet.
        stored_until: lease time at which whatever we may have written has expired.
        granted: the lease was won. doubt: why exclusivity is not proven, the first reason.
    """

    terms: Terms
    key: str
    name: str
    type: int
    phase: Phase = Phase.FILING
    serial: int = 0
    landed: int = -1
    etag: str = ""
    modified: int | None = None
    ended: int = 0
    anchor: int | None = None
    stamp: int | None = None
    heard: int | None = None
    until: int = 0
    wake: int = 0
    failures: int = 0
    waited: bool = False
    watched: bool = False
    polled: frozenset[str] = frozenset()
    missing: frozenset[str] = frozenset()
    settling: bool = False
    unanswered: frozenset[int] = frozenset()
    stored_until: int | None = None
    granted: bool = False
    doubt: str = ""
    loss: Loss | None = None
    outcome: Outcome | None = None
