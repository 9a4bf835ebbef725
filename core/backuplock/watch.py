"""Two Snapshots -> what happened between them; many Snapshots -> what we have seen of each lock ourselves.

Polling sees states, not acts. What it cannot see is inferred and marked so: a lock that is gone was released,
or refused, or broken by somebody, and nothing in the store says which.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from backuplock.changes import changes, clock_event, event, hidden_volumes, newcomer, pair, version, worst
from backuplock.clock import SECOND
from backuplock.courtesy import gently
from backuplock.event import Event, EventKind, Track
from backuplock.model import LockFile, Snapshot
from backuplock.rules import LONGHORN, State, Timing, judge, state

__all__ = ["RETURN_NS", "Event", "EventKind", "Track", "Watch"]

RETURN_NS = 75 * SECOND
"""How long after a lock went its return under the same key counts as "came back": one refresh and slack."""


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
        now = after.clock.at(after.ended_mono_ns)
        states = {lock.key: state(lock, now, self.timing) for lock in gently(after.locks)}
        seen = {lock.key: self._track(lock, after, states[lock.key]) for lock in gently(after.locks)}
        clashing = _clashes(after, self.timing)
        if self.snapshot is None:
            return replace(self, snapshot=after, tracks=seen, clashing=clashing), ()
        looks = pair(self.snapshot, after, self.timing)
        events = list(clock_event(looks))
        kept, left = self._absent(after)
        gone = {key: at for key, at in self.gone.items() if after.ended_mono_ns - at <= RETURN_NS}
        gone |= {track.lock.key: after.ended_mono_ns for track in left}
        events.extend(self._departure(track, after, broken) for track in left)
        for lock in gently(after.locks):
            was = self.tracks.get(lock.key)
            if was is None:
                events.extend(newcomer(lock, states[lock.key], looks, gone.keys() - restored))
            else:
                events.extend(changes(was, lock, states[lock.key], looks))
        events.extend(self._new_clashes(after, clashing))
        # Two that excluded each other in vain, and cannot be read now, do so still for all we know.
        clashing |= {both for both in self.clashing if both & kept.keys()}
        tracks = seen | kept
        gone = {key: at for key, at in gone.items() if key not in tracks}
        return replace(self, snapshot=after, tracks=tracks, gone=gone, clashing=clashing), tuple(events)

    # -- one lock

    def _track(self, lock: LockFile, after: Snapshot, now_is: State) -> Track:
        old = self.tracks.get(lock.key)
        acquired = lock.record is not None and lock.record.acquired
        if old is None:
            ended = after.ended_mono_ns
            worst_yet = worst(None, now_is)
            return Track(lock, ended, after.taken_wall_ns, ended, ended, 0, acquired, now_is, worst_yet)
        same = version(old.lock) == version(lock)
        return replace(
            old,
            lock=lock,
            same_since=old.same_since if same else after.ended_mono_ns,
            same_until=after.began_mono_ns if same else after.ended_mono_ns,
            refreshes=old.refreshes + (0 if same else 1),
            ever_acquired=old.ever_acquired or acquired,
            state=now_is,
            overdue=worst(old.overdue if same else None, now_is),
        )

    def _absent(self, after: Snapshot) -> tuple[dict[str, Track], list[Track]]:
        """Of the locks that are not in a Snapshot: those that may be there all the same, those that went."""
        hidden = hidden_volumes(after)
        kept: dict[str, Track] = {}
        left: list[Track] = []
        for key, track in gently(self.tracks.items()):
            if key in after.by_key:
                continue
            if track.lock.volume in hidden or after.problems:
                kept[key] = track
            else:
                left.append(track)
        return kept, left

    def _departure(self, track: Track, after: Snapshot, broken: frozenset[str]) -> Event:
        old = track.lock
        if old.key in broken:
            return event(EventKind.BROKEN, old, after)
        if track.state in (State.STALE, State.BAD):
            return event(EventKind.CLEARED, old, after, inferred=True)
        if track.ever_acquired:
            return event(EventKind.RELEASED, old, after, inferred=True)
        return event(EventKind.REFUSED, old, after, inferred=True)

    def _new_clashes(self, after: Snapshot, clashing: frozenset[frozenset[str]]) -> Iterator[Event]:
        for both in sorted(clashing - self.clashing, key=sorted):
            one, other = sorted(both)
            yield event(EventKind.CLASH, after.by_key[one], after, detail=f"with {other}")


def _clashes(after: Snapshot, timing: Timing) -> frozenset[frozenset[str]]:
    span = after.clock.at(after.ended_mono_ns)
    pairs: set[frozenset[str]] = set()
    for volume in gently(after.volumes):
        if len(volume.locks) < 2:
            continue
        for standing in judge(volume.locks, span, timing).values():
            pairs.update(frozenset((standing.key, other)) for other in standing.clashes)
    return frozenset(pairs)
