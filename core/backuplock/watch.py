"""Two Snapshots -> what happened between them; many Snapshots -> what we have seen of each lock ourselves.

Polling sees states, not acts. What it cannot see is inferred and marked so: a lock that is gone was released,
or refused, or broken by somebody, and nothing in the store says which.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass, field, replace

from backuplock.clock import SECOND
from backuplock.model import LockFile, Snapshot
from backuplock.rules import LONGHORN, State, Timing, judge, state

RETURN_NS = 75 * SECOND
"""How long after a lock went its return under the same key counts as "came back": one refresh and slack."""


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
    """A file's time moved backwards, or into the future: a clock was set, or a copy was restored."""
    CLASH = "two types active"
    """Locks of opposite types are acquired at once: exclusion has failed."""


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened, at the latest at `seen_wall_ns` (local clock), since the Snapshot before.

    `store_ns` is when it happened by the store's clock where the file itself tells. `inferred` is true
    where the pictures allow more than one story.
    """

    kind: EventKind
    key: str
    volume: str
    type: int | None
    seen_wall_ns: int
    store_ns: int | None = None
    inferred: bool = False
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Track:
    """What we have seen of one lock ourselves, on the monotonic clock.

    `lock` is the file as last seen. `first_seen_mono` and `first_seen_wall` are when we first saw it.
    `same_since` is the end of the first look that showed its present version, `same_until` the beginning
    of the last one: between these two nobody wrote it. `refreshes` counts the rewrites seen, `state` is
    what it amounted to last.
    """

    lock: LockFile
    first_seen_mono: int
    first_seen_wall: int
    same_since: int
    same_until: int
    refreshes: int = 0
    ever_acquired: bool = False
    state: State = State.HELD

    @property
    def unchanged_ns(self) -> int:
        """For how long we know that nobody wrote it."""
        return max(0, self.same_until - self.same_since)


@dataclass(frozen=True, slots=True)
class Watch:
    """The state of watching a store: the last Snapshot, a Track for each lock in it, the locks that went.

    Immutable: `look` gives the next Watch and the events.
    """

    snapshot: Snapshot | None = None
    tracks: Mapping[str, Track] = field(default_factory=dict)
    gone: Mapping[str, int] = field(default_factory=dict)
    clashing: frozenset[frozenset[str]] = frozenset()
    timing: Timing = LONGHORN

    def look(
        self,
        after: Snapshot,
        *,
        broken: frozenset[str] = frozenset(),
        restored: frozenset[str] = frozenset(),
    ) -> tuple[Watch, tuple[Event, ...]]:
        """The Watch after one more Snapshot, and what happened since the one before.

        Args:
            broken: keys that we removed ourselves since then. restored: keys that we put back ourselves: no
                holder came back with them.

        The first Snapshot gives no events: nothing is known to have *happened*. What could not be read
        this time keeps its track, and its absence proves nothing.
        """
        before = self.snapshot
        now = after.clock.at(after.ended_mono_ns)
        states = {lock.key: state(lock, now, self.timing) for lock in after.locks}
        tracks = {lock.key: self._track(lock, after, states[lock.key]) for lock in after.locks}
        events: list[Event] = []
        gone = {key: at for key, at in self.gone.items() if after.ended_mono_ns - at <= RETURN_NS}
        clashing = _clashes(after, self.timing)
        if before is not None:
            hidden = _hidden_volumes(after)
            for key, track in self.tracks.items():
                if key in after.by_key:
                    continue
                if track.lock.volume in hidden or after.problems:
                    tracks[key] = track
                    continue
                gone[key] = after.ended_mono_ns
                events.append(self._departure(track, after, broken))
            for lock in after.locks:
                events.extend(self._changes(lock, after, states[lock.key], gone.keys() - restored))
            events.extend(self._new_clashes(after, clashing))
        for key in tracks:
            gone.pop(key, None)
        return replace(self, snapshot=after, tracks=tracks, gone=gone, clashing=clashing), tuple(events)

    # -- one lock

    def _track(self, lock: LockFile, after: Snapshot, now_is: State) -> Track:
        old = self.tracks.get(lock.key)
        acquired = lock.record is not None and lock.record.acquired
        if old is None:
            ended = after.ended_mono_ns
            return Track(lock, ended, after.taken_wall_ns, ended, ended, 0, acquired, now_is)
        same = _version(old.lock) == _version(lock)
        return replace(
            old,
            lock=lock,
            same_since=old.same_since if same else after.ended_mono_ns,
            same_until=after.began_mono_ns if same else after.ended_mono_ns,
            refreshes=old.refreshes + (0 if same else 1),
            ever_acquired=old.ever_acquired or acquired,
            state=now_is,
        )

    def _departure(self, track: Track, after: Snapshot, broken: frozenset[str]) -> Event:
        old = track.lock
        if old.key in broken:
            return _event(EventKind.BROKEN, old, after)
        if track.state in (State.STALE, State.BAD):
            return _event(EventKind.CLEARED, old, after, inferred=True)
        if track.ever_acquired:
            return _event(EventKind.RELEASED, old, after, inferred=True)
        return _event(EventKind.REFUSED, old, after, inferred=True)

    def _changes(self, lock: LockFile, after: Snapshot, now_is: State, gone: Set[str]) -> Iterator[Event]:
        was = self.tracks.get(lock.key)
        acquired = lock.record is not None and lock.record.acquired
        stamped = lock.modified_ns
        if was is None:
            if lock.key in gone:
                yield _event(EventKind.CAME_BACK, lock, after, store_ns=stamped)
            if lock.record is None:
                yield _event(EventKind.CORRUPT, lock, after, store_ns=stamped, detail=lock.reason)
            else:
                # Acquired at first sight: it was requested since the last look, too fast for us to see.
                kind = EventKind.ACQUIRED if acquired else EventKind.REQUESTED
                yield _event(kind, lock, after, store_ns=stamped)
            return
        old = was.lock
        if lock.record is None and old.record is not None:
            yield _event(EventKind.CORRUPT, lock, after, store_ns=stamped, detail=lock.reason)
        elif lock.record is not None and old.record is None:
            yield _event(EventKind.RECOVERED, lock, after, store_ns=stamped)
        if old.modified_ns is not None and stamped is not None and stamped < old.modified_ns:
            back = (old.modified_ns - stamped) / SECOND
            yield _event(EventKind.TIME_JUMPED, lock, after, store_ns=stamped, detail=f"back by {back:.0f} s")
        elif old.record is not None and acquired and not old.record.acquired:
            yield _event(EventKind.ACQUIRED, lock, after, store_ns=stamped)
        elif _version(old) != _version(lock) and lock.record is not None and old.record is not None:
            yield _event(EventKind.RENEWED, lock, after, store_ns=stamped)
        if now_is is not was.state and now_is is State.LATE:
            yield _event(EventKind.LATE, lock, after)
        if now_is is not was.state and now_is is State.STALE:
            ended = None if stamped is None else stamped + self.timing.duration_ns
            yield _event(EventKind.EXPIRED, lock, after, store_ns=ended)

    def _new_clashes(self, after: Snapshot, clashing: frozenset[frozenset[str]]) -> Iterator[Event]:
        for pair in sorted(clashing - self.clashing, key=sorted):
            one, other = sorted(pair)
            yield _event(EventKind.CLASH, after.by_key[one], after, detail=f"with {other}")


def _event(
    kind: EventKind,
    lock: LockFile,
    after: Snapshot,
    *,
    store_ns: int | None = None,
    inferred: bool = False,
    detail: str = "",
) -> Event:
    type_ = None if lock.record is None else lock.record.type
    return Event(kind, lock.key, lock.volume, type_, after.taken_wall_ns, store_ns, inferred, detail)


def _version(lock: LockFile) -> tuple[int | None, str, int]:
    return lock.modified_ns, lock.etag, lock.size


def _hidden_volumes(after: Snapshot) -> frozenset[str]:
    return frozenset(volume.name for volume in after.volumes if volume.problem)


def _clashes(after: Snapshot, timing: Timing) -> frozenset[frozenset[str]]:
    span = after.clock.at(after.ended_mono_ns)
    pairs: set[frozenset[str]] = set()
    for volume in after.volumes:
        if len(volume.locks) < 2:
            continue
        for standing in judge(volume.locks, span, timing).values():
            pairs.update(frozenset((standing.key, other)) for other in standing.clashes)
    return frozenset(pairs)
