"""All that can be said of one volume now: its locks, who blocks whom, who lives, what else the store tells.

Only reads. With `watch_ns` it goes on looking until every lock that counts has shown a sign of life, or the
time is over: the one proof of life that needs no clock to be right.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

from backuplock.clock import SECOND, Clock, Span, SystemClock
from backuplock.errors import Malformed, StoreError
from backuplock.evidence import Surroundings, surroundings
from backuplock.findings import Finding, Watched, findings
from backuplock.liveness import Life, Liveness, liveness
from backuplock.lookup import Lookup, find_volume
from backuplock.model import LockFile, Snapshot, VolumeView
from backuplock.rules import LONGHORN, Timing
from backuplock.stores.base import Store
from backuplock.survey import look
from backuplock.tree import Tree, tree_of
from backuplock.watch import Event, Track, Watch

LOOK_EVERY_NS = 2 * SECOND


@dataclass(frozen=True, slots=True)
class Inquiry:
    """What was found out about one volume.

    `lives` has a verdict for each lock, by key. `watched_ns` is for how long it was watched, 0 for a single
    look. `local_now_ns` is this machine's wall clock at the last look.
    """

    snapshot: Snapshot
    view: VolumeView
    tree: Tree
    around: Surroundings
    findings: tuple[Finding, ...]
    lives: Mapping[str, Liveness]
    watched_ns: int = 0

    @property
    def now(self) -> Span:
        """The store's time that everything is judged at."""
        return self.tree.now

    @property
    def local_now_ns(self) -> int:
        """This machine's wall clock at the last look."""
        return self.snapshot.taken_wall_ns

    def about(self, lock: str) -> tuple[Finding, ...]:
        """The findings about one lock, by key; "" for those about the volume."""
        return tuple(one for one in self.findings if one.lock == lock)


@dataclass(frozen=True, slots=True)
class Watching:
    """How long to watch, how often to look, and who is told what happens; `sleep` waits that long."""

    watch_ns: int = 0
    every_ns: int = LOOK_EVERY_NS
    told: Callable[[tuple[Event, ...]], None] | None = None
    lost: Callable[[StoreError], None] | None = None


@dataclass(slots=True)
class _Looks:
    """The looks so far, and what they add up to."""

    store: Store
    how: Lookup
    clock: Clock
    timing: Timing
    watch: Watch = field(default_factory=Watch)
    around: Surroundings = field(default_factory=Surroundings)
    still_since: int = 0

    def take(self, snapshot: Snapshot) -> tuple[Event, ...]:
        self.watch, events = self.watch.look(snapshot)
        return events

    def look_beside(self, volume: str) -> None:
        try:
            found = surroundings(self.store, volume)
        except Malformed as error:
            found = Surroundings(problem=str(error))
        if found.digest != self.around.digest or not self.still_since:
            self.still_since = self.clock.mono_ns()
        self.around = found


def inquire(
    store: Store,
    name: str,
    how: Lookup | None = None,
    *,
    watching: Watching | None = None,
    timing: Timing = LONGHORN,
) -> Inquiry:
    """Find a volume by any of its names and find out about it.

    Raises:
        Missing, Malformed: as `lookup.find_volume`.
        StoreError: the store could not be read at the first look.
    """
    how = how or Lookup()
    clock = how.clock or SystemClock()
    began = clock.mono_ns()
    looks = _Looks(store, how, clock, timing, Watch(timing=timing))
    snapshot = find_volume(store, name, how)
    volume = snapshot.volumes[0].name
    looks.take(snapshot)
    looks.look_beside(volume)
    if watching is not None and watching.watch_ns:
        snapshot = _watch(looks, snapshot, volume, watching, began + watching.watch_ns)
        looks.look_beside(volume)
    watched = clock.mono_ns() - began if watching is not None and watching.watch_ns else 0
    return _inquiry(looks, snapshot, volume, watched)


def _watch(looks: _Looks, snapshot: Snapshot, volume: str, watching: Watching, until_mono: int) -> Snapshot:
    while not _settled(looks, snapshot) and (left := until_mono - looks.clock.mono_ns()) > 0:
        looks.clock.sleep(min(left, watching.every_ns))
        try:
            snapshot = look(
                looks.store, volume, snapshot, clock=looks.clock, clock_error_ns=looks.how.clock_error_ns
            )
        except StoreError as error:
            if watching.lost is not None:
                watching.lost(error)
            continue
        events = looks.take(snapshot)
        if watching.told is not None and events:
            watching.told(events)
    return snapshot


def _settled(looks: _Looks, snapshot: Snapshot) -> bool:
    """Whether every lock that counts was refreshed under our eyes: more watching would tell no more."""
    lives = _lives(looks, snapshot)
    return all(
        lives[lock.key].life is Life.STALE or looks.watch.tracks[lock.key].refreshes
        for lock in snapshot.locks
    )


def _lives(looks: _Looks, snapshot: Snapshot) -> dict[str, Liveness]:
    return lives(snapshot, snapshot.locks, looks.watch.tracks, looks.timing)


def _inquiry(looks: _Looks, snapshot: Snapshot, volume: str, watched_ns: int) -> Inquiry:
    # What went away while it was watched is free, not missing.
    view = snapshot.volumes[0] if snapshot.volumes else VolumeView(volume)
    snapshot = replace(snapshot, volumes=(view,))
    still = looks.clock.mono_ns() - looks.still_since
    seen = Watched(looks.watch.tracks, still)
    return inquiry_of(snapshot, view, looks.around, seen, watched_ns=watched_ns, timing=looks.timing)


def inquiry_of(
    snapshot: Snapshot,
    view: VolumeView,
    around: Surroundings | None = None,
    seen: Watched | None = None,
    *,
    watched_ns: int = 0,
    timing: Timing = LONGHORN,
) -> Inquiry:
    """All that a Snapshot tells of one of its volumes; nothing is read.

    Args:
        around: what lies beside the locks, where somebody looked.
        seen: what watching has shown.
        watched_ns: for how long it was watched.
    """
    around, seen = around or Surroundings(), seen or Watched({})
    now = snapshot.clock.at(snapshot.began_mono_ns)
    return Inquiry(
        snapshot=snapshot,
        view=view,
        tree=tree_of(view, now, local_now_ns=snapshot.taken_wall_ns, timing=timing),
        around=around,
        findings=findings(view, around, now, seen, timing),
        lives=lives(snapshot, view.locks, seen.tracks, timing),
        watched_ns=watched_ns,
    )


def lives(
    snapshot: Snapshot, locks: Iterable[LockFile], tracks: Mapping[str, Track], timing: Timing = LONGHORN
) -> dict[str, Liveness]:
    """A verdict on each of some locks of a Snapshot, by key, from it and from what was seen before."""
    # The instant that its tree is judged at; what was read later only lives longer.
    now = snapshot.clock.at(snapshot.began_mono_ns)
    return {
        lock.key: liveness(
            lock,
            tracks.get(lock.key),
            store_now=now,
            local_now_ns=snapshot.taken_wall_ns,
            mono_now_ns=snapshot.ended_mono_ns,
            timing=timing,
        )
        for lock in locks
    }
