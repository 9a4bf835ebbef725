"""What to do about a lock, in a sentence or two.

Pure. Source of the advice: how Longhorn's own code behaves, release 1.1.0 to 1.12.1.
"""

from __future__ import annotations

from backuplock.clock import SECOND, Span
from backuplock.layout import BACKING_IMAGE
from backuplock.model import Flaw, LockFile, LockType
from backuplock.rules import LONGHORN, State
from backuplock.text import elapsed
from locktop.format import utc_near
from locktop.rows import UNCERTAIN_NS, Row, state_now
from locktop.windows import DEAD_REQUEST_NS

FUTURE_NS = 2 * SECOND
"""How far ahead of the store's clock a lock may be dated before that is worth a word."""


def hint(row: Row, lock: LockFile, now: Span, local_now_ns: int) -> str:
    """What a person can do about a lock, in a sentence or two."""
    ghost = (
        ' The volume\'s folder holds only locks/: a ghost volume ("cannot find volume.cfg").'
        if row.volume.ghost
        else ""
    )
    return _advice(row, lock, now, local_now_ns) + ghost


def _advice(row: Row, lock: LockFile, now: Span, local_now_ns: int) -> str:
    if row.clashing:
        return "Two operations that exclude each other both hold a lock: stop one of them now."
    if lock.modified_ns is not None and lock.modified_ns > now.hi + FUTURE_NS:
        return "It is dated in the future and lives longer by just that much: a clock is wrong, fix it first."
    state = state_now(row, now)
    if state is State.BAD:
        return _advice_bad(lock)
    if state is State.WAITING:
        return _advice_waiting(lock, now)
    if state is State.HELD and lock.record and lock.record.type == LockType.DELETION:
        return (
            "Written on time. A deletion works block by block, minutes to many hours: wait, or find "
            "its holder."
        )
    if state is State.HELD and row.volume.name == BACKING_IMAGE:
        return "Written on time. This one lock domain guards all backing images of the target."
    off = _clock_off(now, local_now_ns)
    if state is State.STALE and off is not None:
        return (
            f"Ended by the store's clock, but this machine is {off} off: fix the clocks first, "
            "Longhorn's nodes may be off as well."
        )
    return _ADVICE[state]


_ADVICE = {
    State.HELD: "Written on time. Wait for it, or find its holder.",
    State.LATE: "Missed a refresh: a slow store, or a hung or dead holder. Watch it; do not remove it.",
    State.STALE: "Its holder is gone. Longhorn ignores the file and never cleans it up; it may be removed.",
    State.UNSURE: "Alive or dead, it cannot be told yet. Do not remove it.",
}


def _advice_bad(lock: LockFile) -> str:
    if lock.record is not None:
        return (
            "Longhorn writes no such type; while it lives it blocks backup, restore and deletion. Clean up."
        )
    if lock.flaw is Flaw.UNREADABLE:
        return "What it says is unknown, so it counts as a lock. Check the permissions on it."
    if lock.flaw is Flaw.IRREGULAR:
        return "Not a file, so not followed. Find out who put it there."
    return "Not a lock that Longhorn can read. Find out who wrote it, then clean up."


def _advice_waiting(lock: LockFile, now: Span) -> str:
    gone = now.middle - (lock.modified_ns or 0)
    if gone < 10 * SECOND:
        return "A request inside its two seconds of waiting: nothing to do."
    if gone <= DEAD_REQUEST_NS:
        return "Should have been decided by now. Watch it."
    end = utc_near((lock.modified_ns or 0) + LONGHORN.duration_ns, now.middle)
    return (
        "Died while asking, or may not delete its own file. It still blocks the other kind; "
        f"it may be removed after {end} UTC."
    )


def _clock_off(now: Span, local_now_ns: int) -> str | None:
    off = now.middle - local_now_ns
    return elapsed(abs(off)) if abs(off) > 30 * SECOND and now.error_ns < UNCERTAIN_NS else None
