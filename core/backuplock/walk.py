"""The walk through the folders of a store, level by level; for `backuplock.survey`."""

from __future__ import annotations

import statistics
import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from backuplock import layout
from backuplock.clock import SECOND, Clock, Observation, StoreClock, assumed, observe
from backuplock.crew import Crew
from backuplock.errors import Irregular, StoreError, Unreachable
from backuplock.evidence import volume_names
from backuplock.model import Leftover, LockFile, Snapshot, VolumeNames, VolumeView
from backuplock.reading import folder_locks, read_lock
from backuplock.stores.base import BODY_CAP, Blob, Listing, Store

WORKERS = 16
"""Requests in flight at most; a boto3 client keeps 10 to 50 connections and gains nothing beyond."""

ASSUMED_ERROR_NS = 900 * SECOND
"""Error bar of a store's clock of which nothing is known. S3 refuses clients more than 15 min off."""

GIVE_UP_AFTER = 8
"""Failures to reach the store in a row that end the sweep: a dead store is one fact, not 256."""

_HEED_S = 0.1
"""How often it is asked whether the sweep is to stop while no answer comes."""

VOLUME_CFG_CAP = 256 * 1024


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a sweep has come: volumes read, volumes found so far, requests made."""

    volumes_done: int
    volumes_known: int
    requests: int


class Cancelled(Exception):
    """The sweep was told to stop."""


_Task = Callable[[], "_Found"]


@dataclass(frozen=True, slots=True)
class _Found:
    """What one task brought: more tasks, and perhaps a finished volume or a problem."""

    tasks: tuple[_Task, ...] = ()
    volume: VolumeView | None = None
    problem: str = ""
    new_volumes: int = 0
    unreachable: StoreError | None = None


class Walk:
    """The state of one sweep."""

    def __init__(
        self,
        store: Store,
        previous: Snapshot | None,
        clock: Clock,
        progress: Callable[[Progress], None] | None,
        stop: threading.Event,
        all_names: bool,
    ) -> None:
        self._store = store
        self._all_names = all_names
        self._previous = previous
        self._known: Mapping[str, LockFile] = previous.by_key if previous else {}
        self._names: dict[str, VolumeNames] = {
            volume.name: volume.names for volume in (previous.volumes if previous else ()) if volume.names
        }
        self._clock = clock
        self._progress = progress
        self._stop = stop
        self._guard = threading.Lock()
        self._requests = 0
        self._bodies = 0
        self._rtts: deque[int] = deque(maxlen=512)
        self._seen: StoreClock | None = previous.clock if previous else None

    # -- the run

    def run(self, workers: int, clock_error_ns: int) -> Snapshot:
        began = self._clock.mono_ns()
        root = self._list(layout.VOLUMES)
        present = bool(root.folders or root.entries) or self._has_backupstore()
        volumes: list[VolumeView] = []
        problems: list[str] = []
        tasks = tuple(self._first_level(name) for name in _leading_on(root) if layout.is_shard(name))
        with Crew[_Found](workers, "sweep") as crew:
            self._drain(crew, tasks, volumes, problems)
        return self._snapshot(began, volumes, problems, clock_error_ns, present=present)

    def look(self, volume: str, folder: str, clock_error_ns: int) -> Snapshot:
        began = self._clock.mono_ns()
        try:
            inside = self._list(folder)
        except Irregular as error:
            # Longhorn follows it: what it holds is unknown, not nothing.
            view = VolumeView(volume, problem=f"could not be listed: {error}")
            return self._snapshot(began, [view], [], clock_error_ns, present=True)
        found = bool(inside.entries or inside.folders)
        present = found or self._has_backupstore()
        volumes = [self._inside(volume, folder, inside)] if found else []
        return self._snapshot(began, volumes, [], clock_error_ns, present=present)

    def _drain(
        self,
        crew: Crew[_Found],
        tasks: tuple[_Task, ...],
        volumes: list[VolumeView],
        problems: list[str],
    ) -> None:
        waiting: deque[_Task] = deque(tasks)
        known = failed_in_row = 0
        while waiting or crew.busy:
            if self._stop.is_set():
                raise Cancelled
            while waiting and crew.busy < 4 * WORKERS:
                crew.give(waiting.popleft())
            done = crew.take(_HEED_S)
            for found in done:
                # Depth first: a volume that was found is finished before the next folder is opened.
                waiting.extendleft(found.tasks)
                known += found.new_volumes
                if found.volume is not None:
                    volumes.append(found.volume)
                if found.problem:
                    problems.append(found.problem)
                failed_in_row = failed_in_row + 1 if found.unreachable else 0
                if found.unreachable and failed_in_row >= GIVE_UP_AFTER:
                    raise found.unreachable
            if self._progress is not None and done:
                self._progress(Progress(len(volumes), known, self._requests))

    def _snapshot(
        self,
        began: int,
        volumes: list[VolumeView],
        problems: list[str],
        clock_error_ns: int,
        *,
        present: bool,
    ) -> Snapshot:
        ended, wall = self._clock.mono_ns(), self._clock.wall_ns()
        ordered = tuple(sorted(volumes, key=lambda volume: volume.name))
        by_key = {lock.key: lock for volume in ordered for lock in volume.locks}
        for seen in self._refreshes(by_key, ended):
            self._seen = observe(self._seen, seen, "refreshes seen")
        known = self._seen
        if known is None or known.source == "assumed":
            known = assumed(wall_ns=wall, mono_ns=ended, error_ns=clock_error_ns)
        return Snapshot(
            target=self._store.url,
            volumes=ordered,
            clock=known,
            began_mono_ns=began,
            ended_mono_ns=ended,
            taken_wall_ns=wall,
            requests=self._requests,
            bodies_read=self._bodies,
            rtt_ns=round(statistics.median(self._rtts)) if self._rtts else None,
            problems=tuple(sorted(problems)),
            store_present=present,
            capabilities=self._store.capabilities,
            by_key=by_key,
        )

    def _refreshes(self, by_key: Mapping[str, LockFile], ended: int) -> list[Observation]:
        """A lock that was rewritten between two looks was stamped between them: where a store says nothing
        about its clock (NFS opened for reading), its holders do."""
        before = self._previous
        if before is None or (self._seen is not None and self._seen.source not in _PASSIVE):
            return []
        grain = self._store.capabilities.grain_ns
        return [
            Observation(before.began_mono_ns, ended, lock.modified_ns, grain)
            for key, lock in by_key.items()
            if (old := self._known.get(key)) is not None
            and old.modified_ns is not None
            and lock.modified_ns is not None
            and lock.modified_ns > old.modified_ns
        ]

    # -- the levels of the tree

    def _first_level(self, first: str) -> _Task:
        folder = f"{layout.VOLUMES}/{first}"

        def task() -> _Found:
            return self._listed(
                folder, lambda names: tuple(self._second_level(f"{folder}/{n}") for n in names)
            )

        return task

    def _second_level(self, folder: str) -> _Task:
        def volume_task(name: str) -> _Task:
            return lambda: self._volume(name, f"{folder}/{name}")

        def task() -> _Found:
            return self._listed(folder, lambda names: tuple(map(volume_task, names)), volumes=True)

        return task

    def _listed(
        self, folder: str, then: Callable[[tuple[str, ...]], tuple[_Task, ...]], *, volumes: bool = False
    ) -> _Found:
        try:
            listing = self._list(folder)
        except StoreError as error:
            return _Found(problem=f"{folder} could not be listed: {error}", unreachable=_lost(error))
        names = tuple(name for name in _leading_on(listing) if volumes or layout.is_shard(name))
        return _Found(tasks=then(names), new_volumes=len(names) if volumes else 0)

    def _volume(self, name: str, folder: str) -> _Found:
        try:
            return _Found(volume=self._inside(name, folder, self._list(folder)))
        except StoreError as error:
            return _Found(
                volume=VolumeView(name, problem=f"could not be listed: {error}"), unreachable=_lost(error)
            )

    def _inside(self, name: str, folder: str, inside: Listing) -> VolumeView:
        names = self._volume_names(name, folder, inside) if self._all_names else None
        if layout.LOCKS not in inside.folders:
            return VolumeView(name, names=names, problem=_odd_locks(inside))
        listing = self._list(f"{folder}/{layout.LOCKS}")
        locks, leftovers = self._locks(name, f"{folder}/{layout.LOCKS}", listing)
        if locks and not self._all_names:
            names = self._volume_names(name, folder, inside)
        return VolumeView(
            name=name,
            locks=locks,
            leftovers=leftovers,
            names=names,
            ghost=not inside.entries and inside.folders == (layout.LOCKS,) and name != layout.BACKING_IMAGE,
        )

    def _locks(
        self, volume: str, folder: str, listing: Listing
    ) -> tuple[tuple[LockFile, ...], tuple[Leftover, ...]]:
        locks: list[LockFile] = []
        leftovers: list[Leftover] = []
        for entry in listing.entries:
            key = f"{folder}/{entry.name}"
            if not layout.is_lock_file(entry.name):
                leftovers.append(Leftover(key, entry.size, entry.modified_ns))
            elif (lock := read_lock(self._read, volume, key, entry, self._known.get(key))) is not None:
                locks.append(lock)
        locks.extend(folder_locks(volume, folder, listing))
        return tuple(locks), tuple(leftovers)

    def _volume_names(self, name: str, folder: str, inside: Listing) -> VolumeNames | None:
        if not any(entry.name == layout.VOLUME_CFG and entry.regular for entry in inside.entries):
            return None
        # A claim keeps its name for the life of the volume: one read a volume is enough.
        if name in self._names:
            return self._names[name]
        try:
            blob = self._read(f"{folder}/{layout.VOLUME_CFG}", VOLUME_CFG_CAP)
        except StoreError:
            # Names are a courtesy: the locks are shown without them.
            return None
        return volume_names(blob.body) if blob else None

    # -- requests

    def _has_backupstore(self) -> bool:
        root = self._list("")
        return layout.ROOT in root.folders

    def _list(self, folder: str) -> Listing:
        began = self._clock.mono_ns()
        listing = self._store.list(folder)
        took = self._clock.mono_ns() - began
        with self._guard:
            self._requests += listing.requests
            self._rtts.append(took // max(1, listing.requests))
            self._note(listing.observed)
        return listing

    def _read(self, key: str, cap: int = BODY_CAP) -> Blob | None:
        with self._guard:
            self._requests += 1
            self._bodies += 1
        blob = self._store.read(key, cap=cap)
        if blob is not None:
            with self._guard:
                self._note(blob.observed)
        return blob

    def _note(self, seen: Observation | None) -> None:
        if seen is not None:
            self._seen = observe(self._seen, seen, f"{self._store.capabilities.kind} replies")


def _leading_on(listing: Listing) -> tuple[str, ...]:
    """Names below which there may be locks: folders, and links, which Longhorn follows and we do not. To list
    a link fails, and that is told; what else is irregular (a pipe) turns out to have nothing in it."""
    odd = [entry.name for entry in listing.entries if not entry.regular]
    return tuple(sorted({*listing.folders, *odd})) if odd else listing.folders


_PASSIVE = ("assumed", "refreshes seen")


def _odd_locks(inside: Listing) -> str:
    odd = any(entry.name == layout.LOCKS for entry in inside.entries)
    return f"{layout.LOCKS!r} is not a folder here and is not followed" if odd else ""


def _lost(error: StoreError) -> StoreError | None:
    return error if isinstance(error, Unreachable) else None
