"""What can happen to a lock, and what we have seen of one ourselves."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from backuplock.model import LockFile
from backuplock.rules import State


class EventKind(enum.StrEnum):
    """What happened to a lock."""

    REQUESTED = "requested"
    ACQUIRED = "acquired"
    RENEWED = "renewed"
    LATE = "late"
    EXPIRED = "expired"
    RELEASED = "released"
    REFUSED = "refused or gone"
    """A waiting lock went away without ever having been seen acquired."""
    BROKEN = "broken"
    """We removed it ourselves."""
    CLEARED = "cleared"
    """An expired or unreadable file went away: somebody tidied up, or its volume was deleted."""
    CAME_BACK = "came back"
    CORRUPT = "corrupt"
    RECOVERED = "readable again"
    TIME_JUMPED = "time jumped"
    """A file's time moved backwards, or into the future, or the store's clock itself moved against ours: a
    clock was set, or a copy was restored."""
    CLASH = "two types active"
    """Locks of opposite types are acquired at once: exclusion has failed."""


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened, at the latest at `seen_wall_ns` (local clock), since the Snapshot before.

    `store_ns` is when it happened by the store's clock where the file itself tells. `inferred` is true
    where the pictures allow more than one story; it may then have happened long before. `key` and `volume`
    are empty for what concerns the store as a whole: its clock.
    """

    kind: EventKind
    key: str
    volume: str
    type: int | None
    seen_wall_ns: int
    store_ns: int | None = None
    inferred: bool = False
    detail: str = ""

    @property
    def routine(self) -> bool:
        """Whether it is no news: a renewal in time. One of a lock that was late or had expired, by which it
        lives after all, says so in `detail`."""
        return self.kind is EventKind.RENEWED and not self.detail


@dataclass(frozen=True, slots=True)
class Track:
    """What we have seen of one lock ourselves, on the monotonic clock.

    `lock` is the file as last seen. `first_seen_mono` and `first_seen_wall` are when we first saw it.
    `same_since` is the end of the first look that showed its present version, `same_until` the beginning
    of the last one: between these two nobody wrote it. `refreshes` counts the rewrites seen, `state` is
    what it amounted to last, `overdue` (LATE, STALE or None) the worst that its present version came to.
    """

    lock: LockFile
    first_seen_mono: int
    first_seen_wall: int
    same_since: int
    same_until: int
    refreshes: int = 0
    ever_acquired: bool = False
    state: State = State.HELD
    overdue: State | None = None

    @property
    def unchanged_ns(self) -> int:
        """For how long we know that nobody wrote it."""
        return max(0, self.same_until - self.same_since)
