"""What one look means for a claim: who blocks, who is only pending, who is dead; and what of our own."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from backuplock.clock import DRIFT_PPM, Span
from backuplock.model import Flaw
from backuplock.protocol.claim import Blocker, Claim, Terms
from backuplock.protocol.events import Own, Saw, Seen
from backuplock.rules import Contender, conflicts, expired


@dataclass(frozen=True, slots=True)
class Sight:
    """The others of one look, judged; none of them of our own type.

    Attributes:
        blind: there are others to judge, and our own time, the measure of their age, is not known.
        unreadable: keys that are there and could not be read.
        flawed: files without a record whose lease would not have ended yet.
        acquired: live acquired locks.
        earlier: live pending ones that sort before ours.
        later: live pending ones that sort after ours.
        stale: keys of acquired locks that have expired.
    """

    blind: bool = False
    unreadable: tuple[str, ...] = ()
    flawed: tuple[Blocker, ...] = ()
    acquired: tuple[Blocker, ...] = ()
    earlier: tuple[Blocker, ...] = ()
    later: tuple[Blocker, ...] = ()
    stale: tuple[str, ...] = ()

    @property
    def pending(self) -> tuple[Blocker, ...]:
        """All live pending ones."""
        return self.earlier + self.later


def opposed(claim: Claim, others: Iterable[Seen]) -> bool:
    """Whether any of these could stand against the claim: another type, or nobody knows what."""
    return any(
        other.record is None or conflicts(other.record.type, claim.type)
        for other in others
        if other.flaw is not Flaw.UNREADABLE
    )


def needs_own(claim: Claim, listed_etag: str, others: Iterable[Seen]) -> bool:
    """Whether a look must read our own file too, having listed it with this etag and read the others.

    It must if the listing does not show the version that we left (a write of ours may have landed
    unanswered), and, once for each version, if there is somebody whose place and age are to be judged:
    our own record's time is the measure. With nobody there the listing alone does, and an undisturbed
    acquisition on S3 is PUT, LIST, PUT, LIST.
    """
    if not listed_etag or listed_etag != claim.etag or claim.landed < 0:
        return True
    return claim.modified is None and opposed(claim, others)


def recognise(claim: Claim, own: Own, saw: Saw) -> Claim | None:
    """The claim with what a look says of our own record; None if it is not the record that we left.

    A version other than the last that we know to have landed is ours if its serial is one that we tried
    since, or one whose write went unanswered: it may land late, even over a newer one.
    """
    if claim.landed >= 0 and own.etag and own.etag == claim.etag:
        if claim.modified is None and own.modified is not None:
            return replace(claim, modified=own.modified, anchor=own.modified - claim.ended)
        return claim
    if own.serial is None or not (
        claim.landed <= own.serial <= claim.serial or own.serial in claim.unanswered
    ):
        return None
    # It may have landed long after its sender gave up: all that is sure is that it precedes this look's end.
    ended = saw.ended - saw.lead
    anchor = claim.anchor if own.modified is None else own.modified - ended
    return replace(
        claim,
        landed=own.serial,
        etag=own.etag,
        modified=own.modified,
        stamp=claim.stamp if own.serial == claim.landed else claim.modified,
        ended=ended,
        anchor=anchor,
        unanswered=claim.unanswered - {own.serial},
    )


def is_older(claim: Claim, own: Own) -> bool:
    """Whether a look shows a version of ours from before the last: the store served the past."""
    return own.serial is not None and own.serial < claim.landed


def store_now(claim: Claim, saw: Saw) -> int | None:
    """The store's time when the look began, at least: our own record's time, and the time since.

    Clocks may run at slightly different rates, and times are coarse; both make others younger here.
    """
    if claim.anchor is None:
        return None
    began = saw.began - saw.lead
    drift = max(0, began - claim.ended) * DRIFT_PPM // 1_000_000
    return began + claim.anchor - drift - claim.terms.grain


def is_dead(modified: int | None, now: int, terms: Terms) -> bool:
    """Whether a lock last written then has surely outlived its lease, at this store time."""
    return modified is not None and expired(modified, Span(now, now), terms.timing) is True


def judge(claim: Claim, saw: Saw) -> Sight:
    """Judge the others of a look, failing closed, by the store's clock as of its beginning."""
    unreadable = tuple(other.key for other in saw.others if other.flaw is Flaw.UNREADABLE)
    if not opposed(claim, saw.others):
        return Sight(unreadable=unreadable)
    now = store_now(claim, saw)
    if now is None or claim.modified is None:
        return Sight(blind=True, unreadable=unreadable)
    mine = Contender(claim.name, claim.type, False, claim.modified)
    found: dict[str, list[Blocker]] = {"flawed": [], "acquired": [], "earlier": [], "later": []}
    stale: list[str] = []
    for other in saw.others:
        record = other.record
        if other.flaw is Flaw.UNREADABLE or (record is not None and not conflicts(record.type, claim.type)):
            continue
        if is_dead(other.modified if record is None else record.modified_ns, now, claim.terms):
            if record is not None and record.acquired:
                stale.append(other.key)
        else:
            found[_place(record, mine)].append(_blocker(other, now, claim.terms))
    return Sight(
        unreadable=unreadable,
        flawed=tuple(found["flawed"]),
        acquired=tuple(found["acquired"]),
        earlier=tuple(found["earlier"]),
        later=tuple(found["later"]),
        stale=tuple(stale),
    )


def _place(record: Contender | None, mine: Contender) -> str:
    if record is None:
        return "flawed"
    if record.acquired:
        return "acquired"
    return "earlier" if record.rank <= mine.rank else "later"


def _blocker(other: Seen, now: int, terms: Terms) -> Blocker:
    record = other.record
    modified = other.modified if record is None else record.modified_ns
    return Blocker(
        key=other.key,
        name=record.name if record is not None else "",
        type=record.type if record is not None else None,
        acquired=record.acquired if record is not None else None,
        age=None if modified is None else max(0, now - modified),
        ends=None if modified is None else modified + terms.timing.duration_ns,
        owner=other.owner,
    )
