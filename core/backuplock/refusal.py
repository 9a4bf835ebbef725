"""Why a lock was not had, in words: outcomes of attempts -> errors for people."""

from __future__ import annotations

from backuplock import layout
from backuplock.clock import SECOND, seconds
from backuplock.errors import AcquireFailed, Contended, LockError
from backuplock.model import LockType, Owner
from backuplock.protocol import Blocker, Outcome, Result, Terms
from backuplock.text import elapsed, printable

_NAMED = 3
"""Blockers that are named; the others are counted."""


def refusal(what: str, terms: Terms, outcome: Outcome, *, at: int, left_until: int | None) -> LockError:
    """The error for an attempt that ended in `outcome` at the lease time `at`.

    Args:
        what: the volume and the operation, "pvc-1 for backup".
        left_until: lease time until which a file of ours, of this attempt or one before, may block others.
    """
    where = f"cannot lock {what}"
    left = None if left_until is None else max(0.0, seconds(left_until - at))
    told = fate(outcome, left)
    if outcome.result is Result.REFUSED:
        after = free_after(terms, outcome.blockers)
        return Contended(
            f"{where}: {_list(outcome.blockers)}{told}",
            advice=_when_free(outcome.blockers, after),
            blockers=outcome.blockers,
            retry_after=after,
            left_for=left,
        )
    why = "it was released meanwhile" if outcome.result is Result.WITHDRAWN else outcome.detail
    return AcquireFailed(f"{where}: {printable(why)}{told}", final=outcome.final, left_for=left)


def fate(outcome: Outcome, left_for: float | None) -> str:
    """What became of our own file, as the end of a sentence; empty if it is surely gone."""
    if not left_for:
        return ""
    if outcome.left:
        there = "is left there and" if outcome.sure else "may be left there and then"
        return f"; our own file {there} keeps the other type out for {left_for:.0f} s at most"
    return (
        "; a write of ours went unanswered: if the store still executes it, our file"
        f" keeps the other type out for {left_for:.0f} s at most"
    )


def free_after(terms: Terms, blockers: tuple[Blocker, ...]) -> float | None:
    """Seconds until the last blocker ends if all holders died now, from ages: no clock is compared."""
    ages = [blocker.age for blocker in blockers]
    if not ages or None in ages:
        return None
    return max(0.0, *(seconds(terms.timing.duration_ns - (age or 0)) for age in ages))


def _when_free(blockers: tuple[Blocker, ...], after: float | None) -> str:
    """What ends it, and by when it ends if that never happens because whoever should do it is dead."""
    one = len(blockers) == 1
    it = "it is" if one else "they are"
    if any(blocker.acquired for blocker in blockers):
        done, who = "released", "its holder dies" if one else "their holders die"
        by_itself = f"if {who} now, in {after or 0:.0f} s"
    elif all(blocker.acquired is None for blocker in blockers):
        done, by_itself = "removed", f"by itself in {after or 0:.0f} s"
    else:
        done = "withdrawn or, once granted, released"
        by_itself = f"if nobody is behind {'it' if one else 'them'}, in {after or 0:.0f} s"
    return f"the way is free when {it} {done}; {'no other end is known' if after is None else by_itself}"


def describe_blocker(blocker: Blocker) -> str:
    """A blocker in words: name, type, state and age, and the holder where the lock names one."""
    kinds: dict[int | None, str] = {
        LockType.BACKUP_RESTORE: "backup or restore",
        LockType.DELETION: "deletion",
        None: "unreadable",
    }
    kind = kinds.get(blocker.type, f"type {blocker.type}")
    name = blocker.key.rpartition("/")[2].removesuffix(layout.LOCK_SUFFIX)
    state = "" if blocker.acquired is None else ", held" if blocker.acquired else ", waiting"
    return f"{printable(name, limit=80)} ({kind}{state}{_age(blocker.age)}{_holder(blocker.owner)})"


def _age(age: int | None) -> str:
    if age is None:
        return ""
    # Ages are lower bounds: a little less than nothing is a lock that was written just now.
    if age < -10 * SECOND:
        return f", dated {elapsed(-age)} in the future"
    return f", refreshed {elapsed(max(0, age))} ago"


def _holder(owner: Owner | None) -> str:
    if owner is None:
        return ""
    parts = [owner.host, f"process {owner.pid}" if owner.pid else "", owner.user and f"user {owner.user}"]
    who = ", ".join(printable(part, limit=80) for part in parts if part)
    note = f", note: {printable(owner.note, limit=200)}" if owner.note else ""
    return (f", by {who}" if who else "") + note


def _list(blockers: tuple[Blocker, ...]) -> str:
    named = "; ".join(map(describe_blocker, blockers[:_NAMED]))
    more = len(blockers) - _NAMED
    return f"{named}; and {more} more" if more > 0 else named
