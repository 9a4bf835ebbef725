"""What breaking a lock would do: what is there, what follows, what the store guarantees, what to type."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass

from backuplock.breaking import outlook
from backuplock.breaking.errors import Because, Refused
from backuplock.breaking.promises import Window, promises
from backuplock.breaking.signs import Signs, signs_of
from backuplock.breaking.token import Token, token_of
from backuplock.clock import Span
from backuplock.evidence import Surroundings
from backuplock.guarantees import Guarantee
from backuplock.liveness import Life, Liveness, liveness
from backuplock.model import Flaw, LockFile, Operation, Snapshot
from backuplock.rules import LONGHORN, Standing, State, Timing, expired, judge, state
from backuplock.stores.base import Store, aside_of
from backuplock.text import printable
from backuplock.watch import Track

TYPED = 8
"""Characters of a dead lock's name that a person types to confirm; of any other, all."""


class Outlook(enum.StrEnum):
    """What removing a lock amounts to."""

    TIDY = "tidy"
    """It blocks nobody any more: removing it only tidies up."""
    LIVE = "live"
    """Its holder shows signs of life, or may."""
    PENDING = "pending"
    """Somebody asks for it."""
    BAD = "bad"
    """Nothing is known of its holder, for it says nothing that can be understood."""
    UNSURE = "unsure"
    """Whether it still counts cannot be told: the clocks do not allow it."""


@dataclass(frozen=True, slots=True)
class Order:
    """What a transaction needs to know: the version that goes, and on which grounds.

    Attributes:
        dead: it may be removed without `allow_live`.
        evidence: the grounds, short clauses for the audit trail.
        had_volume: its volume had more than locks; put back into one that has not, it would make a ghost.
        unfit: why it can never be removed by us; "" if it can.
    """

    token: Token
    dead: bool
    life: str
    evidence: tuple[str, ...]
    had_volume: bool
    unfit: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """All that a person should know before a lock is broken.

    Attributes:
        token: what exactly would be removed.
        lock: the same as the Snapshot had it.
        dead: it may be broken without `allow_live`: its lease ended, by every witness, and nothing shows
            that its holder lives elsewhere.
        signs: that its holder lives all the same, or that somebody works in the volume.
        stops: operations that cannot start now because of it. waiting: keys of locks that it keeps waiting.
        consequences: what would follow, sentences, the weightiest first.
        guarantees: what the store gives for it.
        had_volume: as in `Order`.
        unfit: why it can never be broken by us; "" if it can.
    """

    token: Token
    lock: LockFile
    state: State
    life: Liveness
    outlook: Outlook
    dead: bool
    signs: Signs
    stops: frozenset[Operation]
    waiting: tuple[str, ...]
    consequences: tuple[str, ...]
    guarantees: tuple[Guarantee, ...]
    had_volume: bool
    unfit: str = ""

    @property
    def order(self) -> Order:
        """What is to be executed."""
        against = (f"but {sign}" for sign in self.signs.against)
        evidence = (*self.life.reasons, *against, *self.signs.explained)
        return Order(self.token, self.dead, self.life.life.value, evidence, self.had_volume, self.unfit)

    @property
    def elsewhere(self) -> tuple[str, ...]:
        """What speaks against breaking it although its lease ended, clauses."""
        return self.signs.against

    @property
    def to_type(self) -> str:
        """What a person types to confirm: the end of a dead lock's name, the whole name of any other."""
        stem = self.lock.stem
        return stem[-TYPED:] if self.dead else stem


def make_plan(
    store: Store,
    snapshot: Snapshot,
    key: str,
    *,
    tracks: Mapping[str, Track] | None = None,
    around: Surroundings | None = None,
    window: Window | None = None,
    timing: Timing = LONGHORN,
) -> Plan:
    """The plan for one lock of a Snapshot; nothing is read from the store, which only tells what it can do.

    Args:
        tracks: what watching has shown, by key (`Watch.tracks`).
        around: what lies beside the locks of its volume, where somebody looked.
        window: what earlier breaks on the store have measured.

    Raises:
        Refused: the Snapshot has no such lock.
        Malformed: its key is no lock's, or nothing at all is known of its version.
    """
    lock = snapshot.by_key.get(key)
    if lock is None:
        shown = printable(key, limit=300)
        raise Refused(f"there is no {shown}", because=Because.GONE, advice="look again")
    tracks = tracks or {}
    now = snapshot.clock.at(snapshot.ended_mono_ns)
    view = next(view for view in snapshot.volumes if any(one.key == key for one in view.locks))
    locks = view.locks
    standing = judge(locks, now, timing)[key]
    life = _life(snapshot, lock, tracks, timing)
    signs = signs_of(
        snapshot, lock, locks, around, now, timing, lambda one: _life(snapshot, one, tracks, timing)
    )
    finished = _finished(lock, life, now, snapshot.taken_wall_ns, timing)
    seen = outlook_of(lock, standing, state(lock, now, timing), finished=finished)
    own = lock.record is not None and lock.record.owner is not None
    return Plan(
        token=token_of(snapshot.target, lock),
        lock=lock,
        state=state(lock, now, timing),
        life=life,
        outlook=seen,
        dead=finished and not signs.against,
        signs=signs,
        stops=standing.stops,
        waiting=standing.blocks,
        consequences=outlook.consequences(seen, lock, standing, now, timing, signs),
        guarantees=promises(
            store.capabilities, renames=aside_of(store) is not None, changes=own, window=window
        ),
        had_volume=not view.ghost,
        unfit=_unfit(lock),
    )


def outlook_of(lock: LockFile, standing: Standing, now_is: State, *, finished: bool) -> Outlook:
    """What removing it amounts to."""
    if finished:
        return Outlook.TIDY
    if now_is is State.BAD:
        return Outlook.BAD
    if now_is is State.UNSURE or standing.expired is not False:
        return Outlook.UNSURE
    return Outlook.PENDING if now_is is State.WAITING else Outlook.LIVE


def _life(snapshot: Snapshot, lock: LockFile, tracks: Mapping[str, Track], timing: Timing) -> Liveness:
    return liveness(
        lock,
        tracks.get(lock.key),
        store_now=snapshot.clock.at(snapshot.ended_mono_ns),
        local_now_ns=snapshot.taken_wall_ns,
        mono_now_ns=snapshot.ended_mono_ns,
        timing=timing,
    )


def _finished(lock: LockFile, life: Liveness, now: Span, local_now_ns: int, timing: Timing) -> bool:
    """Whether its lease has ended by every witness. A file that nobody can read has no holder to ask."""
    if lock.flaw is Flaw.UNDECODABLE and lock.modified_ns is not None:
        by_local = local_now_ns - lock.modified_ns > timing.duration_ns
        return by_local and expired(lock.modified_ns, now, timing) is True
    return life.life is Life.STALE


def _unfit(lock: LockFile) -> str:
    if lock.flaw is None or lock.flaw is Flaw.UNDECODABLE:
        return ""
    return f"no copy of it can be kept: {lock.reason or lock.flaw}"
