"""Why a lock was not had, in words: outcomes of attempts -> errors for people."""

from __future__ import annotations

from backuplock import layout
from backuplock.clock import seconds
from backuplock.errors import AcquireFailed, Contended, LockError
from backuplock.model import LockType
from backuplock.protocol import Blocker, Outcome, Result, Terms
from backuplock.text import printable

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
    told = fate(outcome.left, left)
    if outcome.result is Result.REFUSED:
        after = free_after(terms, outcome.blockers)
        when = "when it ends is not known" if after is None else f"at the earliest in {after:.0f} s"
        return Contended(
            f"{where}: {_list(outcome.blockers)}{told}",
            advice=f"it is free when they are released, {when}",
            blockers=outcome.blockers,
            retry_after=after,
            left_for=left,
        )
    why = "it was released meanwhile" if outcome.result is Result.WITHDRAWN else outcome.detail
    return AcquireFailed(f"{where}: {printable(why)}{told}", final=outcome.final, left_for=left)


def fate(left: bool, left_for: float | None) -> str:
    """What became of our own file, as the end of a sentence; empty if it is surely gone."""
    if not left_for:
        return ""
    if left:
        return f"; our own file is left there and keeps the other type out for {left_for:.0f} s at most"
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


def describe_blocker(blocker: Blocker) -> str:
    """A blocker in words: name, type, state and age."""
    kinds: dict[int | None, str] = {
        LockType.BACKUP_RESTORE: "backup or restore",
        LockType.DELETION: "deletion",
        None: "unreadable",
    }
    kind = kinds.get(blocker.type, f"type {blocker.type}")
    name = blocker.key.rpartition("/")[2].removesuffix(layout.LOCK_SUFFIX)
    state = "" if blocker.acquired is None else ", held" if blocker.acquired else ", waiting"
    age = "" if blocker.age is None else f", refreshed {seconds(blocker.age):.0f} s ago"
    return f"{printable(name, limit=80)} ({kind}{state}{age})"


def _list(blockers: tuple[Blocker, ...]) -> str:
    named = "; ".join(map(describe_blocker, blockers[:_NAMED]))
    more = len(blockers) - _NAMED
    return f"{named}; and {more} more" if more > 0 else named
