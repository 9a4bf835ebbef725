"""Transactions that did not end: what they left in the store and in the audit trail, and what that means."""

from __future__ import annotations

import base64
import binascii
import enum
from dataclasses import dataclass, replace

from backuplock.breaking import quarantine
from backuplock.breaking.audit import Audit, AuditEntry
from backuplock.breaking.errors import Because, Refused
from backuplock.breaking.quarantine import Kept, Listed
from backuplock.breaking.token import Token, difference, digest_of
from backuplock.breaking.writer import Writer, place_of
from backuplock.clock import SECOND
from backuplock.errors import Malformed, StoreError
from backuplock.stores.base import Blob, Store

FOREIGN_NS = 600 * SECOND
"""A transaction of another machine without an end is told of after this long: it may be at work."""


class Stage(enum.StrEnum):
    """Where a transaction that did not end left its lock."""

    UNTOUCHED = "untouched"
    """It is where it was, as it was."""
    REMOVED = "removed"
    """It is out of its place, its copy is in the quarantine."""
    SWEPT = "swept"
    """Its file was renamed away after it had been refreshed: it belongs back."""
    BACK = "back"
    """It was written since: its holder lives."""
    GONE = "gone"
    """It went without us: nothing of it was copied yet."""
    UNDOING = "undoing"
    """Putting it back began and did not end."""
    UNKNOWN = "unknown"
    """It could not be looked at."""


_WORDS = {
    Stage.UNTOUCHED: "the lock is as it was; finishing removes it if it is dead still, undoing leaves it",
    Stage.REMOVED: "the lock is gone and its copy is kept; finishing leaves it so, undoing puts it back",
    Stage.SWEPT: "the lock had been refreshed when it was moved; either way it goes back to its place",
    Stage.BACK: "the lock was written since, its holder lives; either way it stays",
    Stage.GONE: "the lock is gone, and not through this; either way there is nothing left to do",
    Stage.UNDOING: "putting the lock back did not come to its end; undoing once more ends that",
    Stage.UNKNOWN: "the store does not say where the lock is; look again",
}


@dataclass(frozen=True, slots=True)
class Unfinished:
    """One of them.

    Attributes:
        kept: what was to be removed; None if it cannot be understood.
        ours: it was begun with the audit trail at hand. running: a process of this machine works on it.
        why: what could not be read, or what the trail says of it.
    """

    id: str
    stage: Stage
    kept: Kept | None
    ours: bool
    running: bool
    why: str = ""

    @property
    def words(self) -> str:
        """What is the matter and what can be done, one sentence."""
        if self.running:
            return "a process of this machine is at work on it"
        return f"interrupted: {_WORDS[self.stage]}"

    @property
    def can_finish(self) -> bool:
        """Whether `finish` makes sense now. What another machine only meant to do is not done here."""
        if self.running or self.kept is None or self.stage in (Stage.UNKNOWN, Stage.UNDOING):
            return False
        return self.ours or self.stage is not Stage.UNTOUCHED

    @property
    def can_undo(self) -> bool:
        """Whether `take_back` makes sense now."""
        return not self.running and self.kept is not None and self.stage is not Stage.UNKNOWN


def unfinished(store: Store, audit: Audit | None, wall_ns: int, *, mine: str = "") -> tuple[Unfinished, ...]:
    """The transactions of this store that did not end, oldest first; nothing is written.

    Args:
        audit: the trail at hand; without one only what the store tells is known.
        wall_ns: the local wall clock, for the age of those of other machines.
        mine: the transaction that the caller works on, which is told as if nobody did.

    Raises:
        StoreError: the quarantine could not be listed.
    """
    listing = {one.id: one for one in quarantine.listed(store)}
    trail = _trail(audit)
    # The same store may have been named otherwise, and another one may have the same name.
    begun = {id_: one for id_, one in trail.open.items() if id_ in listing or _is_here(store, one)}
    foreign = {one.id for one in listing.values() if one.open and one.described and one.id not in trail.known}
    found = [
        _back_through_us(
            store, trail, _one(store, audit, entry, listing.get(entry), begun.get(entry), mine=mine)
        )
        for entry in sorted({*begun, *foreign})
    ]
    found += [
        _undoing(store, audit, listing[entry], mine=mine)
        for entry in sorted(trail.undoing - begun.keys())
        if entry in listing and listing[entry].described
    ]
    ours = [one for one in found if one.ours or _is_old(one, listing.get(one.id), wall_ns)]
    return tuple(sorted(ours, key=lambda one: one.id))


@dataclass(frozen=True, slots=True)
class _Trail:
    """What the audit trail tells: breaks without an end, all breaks, undos without an end."""

    open: dict[str, AuditEntry]
    known: frozenset[str]
    undoing: frozenset[str]


def _trail(audit: Audit | None) -> _Trail:
    if audit is None:
        return _Trail({}, frozenset(), frozenset())
    known = frozenset(one.get("id") for one in audit.entries())
    return _Trail({one.get("id"): one for one in audit.open_acts()}, known, audit.open_undos())


def _is_here(store: Store, begun: AuditEntry) -> bool:
    place = begun.get("place")
    return begun.get("target") == store.url and place in ("", place_of(store))


def _is_old(one: Unfinished, there: Listed | None, wall_ns: int) -> bool:
    if one.kept is None:
        return True
    age = there.age_ns if there is not None else None
    return (wall_ns - one.kept.broken_wall_ns if age is None else age) > FOREIGN_NS


def find(writer: Writer, entry: str, *, mine: str = "") -> Unfinished:
    """One transaction by its id; `mine` as in `unfinished`.

    Raises:
        Refused: it is over, or there is none.
    """
    quarantine.check_id(entry)
    for one in unfinished(writer.store, writer.audit, writer.clock.wall_ns(), mine=mine):
        if one.id == entry:
            return one
    raise Refused(f"{entry} is over, or is no transaction on this store", because=Because.NOT_NOW)


# -- what there is


def _undoing(store: Store, audit: Audit | None, there: Listed, *, mine: str) -> Unfinished:
    try:
        kept, why = quarantine.read(store, there.id), ""
    except (StoreError, Malformed) as error:
        kept, why = None, str(error)
    stage = Stage.UNDOING if kept is not None else Stage.UNKNOWN
    return Unfinished(there.id, stage, kept, True, _is_running(audit, there.id, mine), why)


def _back_through_us(store: Store, trail: _Trail, one: Unfinished) -> Unfinished:
    """Where an interrupted break was being taken back: that the lock is there again may be our doing."""
    # Where times have a grain of a second, what was put back at once looks as if it had never gone.
    there = one.stage in (Stage.BACK, Stage.UNTOUCHED)
    if not there or one.id not in trail.undoing or one.kept is None:
        return one
    try:
        now = store.read(one.kept.key)
    except StoreError as error:
        return replace(one, stage=Stage.UNKNOWN, why=error.what)
    ours = now is not None and now.body == one.kept.body
    return replace(one, stage=Stage.UNDOING) if ours else one


def _is_running(audit: Audit | None, entry: str, mine: str) -> bool:
    return audit is not None and entry != mine and audit.is_at_work(entry)


def _one(
    store: Store,
    audit: Audit | None,
    entry: str,
    there: Listed | None,
    begun: AuditEntry | None,
    *,
    mine: str,
) -> Unfinished:
    running = _is_running(audit, entry, mine)
    kept: Kept | None = None
    why = ""
    try:
        copied = quarantine.read(store, entry) if there is not None and there.described else None
        kept = copied or (None if begun is None else _from_trail(store, begun))
        stage = Stage.UNKNOWN if kept is None else _stage(store, kept, there, copied=copied is not None)
    except (StoreError, Malformed) as error:
        stage, why = Stage.UNKNOWN, str(error)
    return Unfinished(entry, stage, kept, begun is not None, running, why)


def _stage(store: Store, kept: Kept, there: Listed | None, *, copied: bool) -> Stage:
    now = store.read(kept.key)
    if there is not None and there.file:
        swept = _differs(kept, store.read(quarantine.file_of(kept.id)))
        if now is not None:
            return Stage.BACK
        return Stage.SWEPT if swept else Stage.REMOVED
    if now is None:
        # Without a rename in between, a lock that has a copy may have gone through us or through others.
        return Stage.REMOVED if copied else Stage.GONE
    return Stage.BACK if _differs(kept, now) else Stage.UNTOUCHED


def _differs(kept: Kept, found: Blob | None) -> bool:
    return found is None or bool(difference(kept.token, found))


def _from_trail(store: Store, begun: AuditEntry) -> Kept:
    """The copy as the audit trail has it, where the transaction ended before it wrote one to the store."""
    fields = begun.fields
    try:
        body = base64.b64decode(begun.get("body"), validate=True)
        token = Token(
            store.url,
            begun.get("key"),
            int(fields["modified_ns"]),
            begun.get("etag"),
            len(body),
            digest_of(body),
        )
        wall = int(fields["at_ns"])
    except (KeyError, TypeError, ValueError, binascii.Error) as error:
        raise Malformed(f"entry {begun.seq} of the audit trail makes no sense", advice="verify it") from error
    return Kept(
        id=begun.get("id"),
        token=token,
        body=body,
        broken_wall_ns=wall,
        user=begun.get("user"),
        host=begun.get("host"),
        tool=begun.get("tool"),
        reason=begun.get("reason"),
        life=begun.get("life"),
        had_volume=fields.get("had_volume") is True,
    )
