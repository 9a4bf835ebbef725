"""Is its holder alive, and how do we know: a verdict with its evidence, not a mere age.

Three witnesses, none of them perfect: the store's clock against the file's time; this machine's clock against
it; and our own watching, which needs no clock but a monotonic one. Having seen a file unchanged for a full
lease counts most. The store's time may veto that; alone it condemns nobody, for it may be wrong.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

from backuplock.clock import SECOND, Span
from backuplock.model import LockFile
from backuplock.rules import LONGHORN, Timing, expired
from backuplock.text import elapsed
from backuplock.watch import Track


class Life(enum.StrEnum):
    """What we make of a lock's holder."""

    LIVE = "live"
    LATE = "late"
    STALE = "stale"
    UNKNOWN = "unknown"


class Doubt(enum.StrEnum):
    """Why it cannot be told whether a holder lives; stable names, for programs."""

    UNREADABLE = "unreadable"
    """Nobody knows what the file says."""
    CLOCKS = "clocks"
    """The clocks do not tell, or contradict each other or our own eyes."""
    ARRIVED = "just arrived"
    """It was written within a refresh, and nobody has seen it refreshed: the next refresh tells."""
    ASKS = "only asks"
    """It is a request, and who asks refreshes nothing."""


@dataclass(frozen=True, slots=True)
class Liveness:
    """A verdict on a lock's holder, and why: each reason one short clause for people, the weightiest first.

    `condemned_by` names the witnesses that say it is dead: some of "own observation", "store clock",
    "local clock". `doubt` is why it cannot be told, None where it can.
    """

    life: Life
    reasons: tuple[str, ...]
    condemned_by: tuple[str, ...] = ()
    doubt: Doubt | None = None

    @property
    def shows_life(self) -> bool:
        """Whether somebody wrote it within a lease, by clocks that can be relied on."""
        return self.life in (Life.LIVE, Life.LATE) or self.doubt in (Doubt.ARRIVED, Doubt.ASKS)


def liveness(
    lock: LockFile,
    track: Track | None,
    *,
    store_now: Span,
    local_now_ns: int,
    mono_now_ns: int,
    timing: Timing = LONGHORN,
) -> Liveness:
    """Judge one lock.

    Args:
        track: what our own watching has seen of it; None if it was never seen before.
        store_now: the store's time now, with its error bar.
        local_now_ns: this machine's wall clock now. mono_now_ns: its monotonic clock.
    """
    if lock.modified_ns is None or lock.record is None:
        why = f"its content could not be read: {lock.reason or lock.flaw}"
        return Liveness(Life.UNKNOWN, (why,), doubt=Doubt.UNREADABLE)
    by_store = expired(lock.modified_ns, store_now, timing)
    by_local = local_now_ns - lock.modified_ns > timing.duration_ns
    watched = track.unchanged_ns if track is not None else 0
    by_us = watched > timing.duration_ns
    seen = _seen(track, mono_now_ns)
    age = elapsed(store_now.middle - lock.modified_ns)
    witnesses = tuple(
        name
        for name, says in (
            ("own observation", by_us),
            ("store clock", by_store is True),
            ("local clock", by_local),
        )
        if says
    )
    if by_us and by_store is False:
        return Liveness(
            Life.UNKNOWN,
            (f"unchanged for {elapsed(watched)} under our eyes, yet {age} old on the store's clock",),
            witnesses,
            Doubt.CLOCKS,
        )
    if by_us:
        return Liveness(
            Life.STALE, (f"nobody wrote it for {elapsed(watched)} under our eyes", *seen), witnesses
        )
    if by_store is None:
        bar = f"the store's clock is known to {elapsed(store_now.error_ns)} only"
        return Liveness(Life.UNKNOWN, (bar, *seen), witnesses, Doubt.CLOCKS)
    if by_store and not by_local:
        why = f"{age} old on the store's clock, but not on this machine's: the clocks disagree"
        return Liveness(Life.UNKNOWN, (why, *seen), witnesses, Doubt.CLOCKS)
    if by_store:
        why = f"last written {age} ago on the store's clock and on this machine's"
        return Liveness(Life.STALE, (why, *seen), witnesses)
    ahead = lock.modified_ns - store_now.middle
    dated = f"dated {elapsed(ahead)} in the future" if ahead >= SECOND else f"written {age} ago"
    if not lock.record.acquired:
        return Liveness(Life.UNKNOWN, (f"{dated}; {_ASKS}", *seen), witnesses, Doubt.ASKS)
    if -ahead > timing.refresh_ns + timing.slack_ns:
        missed = max(1, (-ahead - timing.slack_ns) // timing.refresh_ns)
        return Liveness(Life.LATE, (f"missed {missed} refresh{'es' if missed > 1 else ''}", *seen), witnesses)
    counted = _counted(lock)
    if (track is not None and track.refreshes) or counted:
        return Liveness(Life.LIVE, (dated, *seen, *counted), witnesses)
    due = elapsed(max(SECOND, timing.refresh_ns + timing.slack_ns + ahead))
    why = f"just arrived: {dated}; if its holder lives it writes again within {due}"
    return Liveness(Life.UNKNOWN, (why, *seen), witnesses, Doubt.ARRIVED)


_ASKS = "who only asks refreshes nothing, so life cannot be seen"


def _counted(lock: LockFile) -> tuple[str, ...]:
    """What a lock says of its own refreshes; Longhorn's say nothing."""
    owner = lock.record.owner if lock.record is not None else None
    if owner is None or not owner.renewals:
        return ()
    times = "once" if owner.renewals == 1 else f"{owner.renewals} times"
    return (f"renewed {times}, says the lock itself",)


def _seen(track: Track | None, mono_now_ns: int) -> tuple[str, ...]:
    if track is None or mono_now_ns - track.first_seen_mono < SECOND:
        return ("seen for the first time",)
    since = elapsed(mono_now_ns - track.first_seen_mono)
    if track.refreshes:
        times = "refresh" if track.refreshes == 1 else "refreshes"
        return (f"{track.refreshes} {times} seen in {since} of watching",)
    return (f"no refresh seen in {since} of watching",)
