"""The walk through a store, for `backuplock.survey`: folder by folder, or by its keys in order."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from backuplock import layout
from backuplock.asking import Asking
from backuplock.clock import SECOND, Clock, Observation, assumed, observe
from backuplock.courtesy import gently
from backuplock.crew import Crew
from backuplock.errors import Irregular, Malformed, StoreError, Unreachable
from backuplock.model import LockFile, Snapshot, VolumeView
from backuplock.pace import Pace
from backuplock.ranges import NO_KEYS, Chain, Done, Ranges, Task, nameless
from backuplock.stores.base import Listing, Store, branched_of, ranged_of
from backuplock.views import Views, unlistable

ASSUMED_ERROR_NS = 900 * SECOND
"""Error bar of a store's clock of which nothing is known. S3 refuses clients more than 15 min off."""

GIVE_UP_AFTER = 8
"""Failures to reach the store in a row that end the sweep: a dead store is one fact, not 256."""

_HEED_S = 0.1
"""How often it is asked whether the sweep is to stop while no answer comes."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a sweep has come: volumes read, volumes found so far, requests made."""

    volumes_done: int
    volumes_known: int
    requests: int


class Cancelled(Exception):
    """The sweep was told to stop."""


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
        workers: int | None = None,
        per_s: float | None = None,
    ) -> None:
        self._store = store
        self._previous = previous
        self._clock = clock
        self._progress = progress
        self._stop = stop
        self._asking = Asking(
            store, clock, previous.clock if previous else None, Pace(clock, stop, workers, per_s)
        )
        self._views = Views(self._asking, previous, all_names)

    # -- the run

    def run(self, clock_error_ns: int) -> Snapshot:
        began = self._clock.mono_ns()
        root = self._asking.list(layout.VOLUMES)
        present = bool(root.folders or root.entries) or self._has_backupstore()
        firsts = tuple(name for name in _leading_on(root) if layout.is_shard(name))
        volumes: dict[str, VolumeView] = {}
        problems: list[str] = []
        self._read(firsts, (), volumes, problems, part=False)
        return self._snapshot(began, volumes, problems, clock_error_ns, present=present)

    def look(self, volume: str, folder: str, clock_error_ns: int) -> Snapshot:
        began = self._clock.mono_ns()
        try:
            inside = self._asking.list(folder)
        except Irregular as error:
            # Longhorn follows it: what it holds is unknown, not nothing.
            odd = {folder: unlistable(volume, error)}
            return self._snapshot(began, odd, [], clock_error_ns, present=True)
        found = bool(inside.entries or inside.folders)
        present = found or self._has_backupstore()
        volumes = {folder: self._views.of(volume, folder, inside)} if found else {}
        return self._snapshot(began, volumes, [], clock_error_ns, present=present)

    def refresh(
        self, before: Snapshot, volumes: Collection[str], part: Collection[str], clock_error_ns: int
    ) -> Snapshot:
        began = self._clock.mono_ns()
        kept = dict(before.by_folder) or _folders(before.volumes)
        known = {view.name for view in before.volumes}
        problems, there = list(before.problems), before.store_present
        firsts: tuple[str, ...] = ()
        if part:
            root = self._asking.list(layout.VOLUMES)
            there = bool(root.folders or root.entries) or self._has_backupstore()
            firsts = tuple(name for name in _leading_on(root) if layout.is_shard(name) and name in part)
            kept = {folder: view for folder, view in kept.items() if _first(folder) not in part}
            problems = [problem for problem in problems if _first(problem) not in part]
        hot = [folder for folder, view in gently(kept.items()) if _is_hot(view) or view.name in volumes]
        tasks = [self._once_more(kept[folder].name, folder, kept.pop(folder)) for folder in gently(hot)]
        new = sorted(set(volumes) - known)
        tasks += [self._once_more(name, layout.volume_folder(name), None) for name in new]
        views: dict[str, VolumeView] = {}
        self._read(firsts, tuple(tasks), views, problems, part=True)
        return self._snapshot(
            began, kept | views, problems, clock_error_ns, present=there or bool(kept or views)
        )

    def _read(
        self,
        firsts: tuple[str, ...],
        tasks: tuple[Task, ...],
        volumes: dict[str, VolumeView],
        problems: list[str],
        *,
        part: bool,
    ) -> None:
        """Read first levels, whole, and what else there is to do."""
        branched = branched_of(self._store)
        ranges = Ranges(ranged_of(self._store), self._asking, self._views, self._first_level)
        told = len(problems)
        with Crew[Done](self._asking.pace.most, "sweep") as crew:
            if branched is not None:
                begun = Chain(branched, self._asking, self._views, self._first_level).begin(firsts)
            else:
                begun = ranges.begin(firsts, part=part)
            self._drain(crew, (*tasks, *begun), volumes, problems)
        if firsts:
            well = len(problems) == told and not any(view.problem for view in volumes.values())
            ranges.end(well=well)

    def _once_more(self, name: str, folder: str, known: VolumeView | None) -> Task:
        def task() -> Done:
            if known is None or known.problem:
                return self._anew(name, folder)
            try:
                return Done(volumes=((folder, self._views.again(known, folder)),))
            except StoreError as error:
                return Done(volumes=((folder, unlistable(name, error)),), unreachable=_lost(error))

        return task

    def _anew(self, name: str, folder: str) -> Done:
        """A volume of which nothing is known; nothing, if there is none."""
        if name in NO_KEYS:
            return Done(volumes=((folder, nameless(name)),))
        try:
            inside = self._asking.list(folder)
            if not (inside.entries or inside.folders):
                return Done()
            return Done(volumes=((folder, self._views.of(name, folder, inside)),))
        except StoreError as error:
            return Done(volumes=((folder, unlistable(name, error)),), unreachable=_lost(error))

    def _drain(
        self,
        crew: Crew[Done],
        tasks: tuple[Task, ...],
        volumes: dict[str, VolumeView],
        problems: list[str],
    ) -> None:
        waiting: deque[Task] = deque(tasks)
        known = failed_in_row = 0
        while waiting or crew.busy:
            if self._stop.is_set():
                raise Cancelled
            pace = self._asking.pace
            crew.size = pace.most
            # A queue keeps all at work while this thread is not; a busy store gets no more than it can do.
            room = pace.most if pace.slowed else 4 * pace.most
            while waiting and crew.busy < room:
                crew.give(waiting.popleft())
            done = crew.take(_HEED_S)
            for came in gently(done):
                # Depth first: a volume that was found is finished before the next folder is opened.
                waiting.extendleft(came.tasks)
                known += came.new_volumes
                volumes.update(came.volumes)
                if came.problem:
                    problems.append(came.problem)
                failed_in_row = failed_in_row + 1 if came.unreachable else 0
                if came.unreachable and failed_in_row >= GIVE_UP_AFTER:
                    raise came.unreachable
            if self._progress is not None and done:
                self._progress(Progress(len(volumes), max(known, len(volumes)), self._asking.requests))

    def _snapshot(
        self,
        began: int,
        volumes: dict[str, VolumeView],
        problems: list[str],
        clock_error_ns: int,
        *,
        present: bool,
    ) -> Snapshot:
        ended, wall = self._clock.mono_ns(), self._clock.wall_ns()
        ordered = tuple(sorted(volumes.values(), key=lambda volume: volume.name))
        by_key = {lock.key: lock for volume in gently(ordered) for lock in volume.locks}
        for seen in self._refreshes(by_key, ended):
            self._asking.seen = observe(self._asking.seen, seen, "refreshes seen")
        known = self._asking.seen
        if known is None or known.source == "assumed":
            known = assumed(wall_ns=wall, mono_ns=ended, error_ns=clock_error_ns)
        return Snapshot(
            target=self._store.url,
            volumes=ordered,
            clock=known,
            began_mono_ns=began,
            ended_mono_ns=ended,
            taken_wall_ns=wall,
            requests=self._asking.requests,
            bodies_read=self._asking.bodies,
            rtt_ns=self._asking.rtt_ns,
            problems=tuple(sorted(problems)),
            store_present=present,
            capabilities=self._store.capabilities,
            by_key=by_key,
            by_folder=volumes,
        )

    def _refreshes(self, by_key: Mapping[str, LockFile], ended: int) -> list[Observation]:
        """A lock that was rewritten between two looks was stamped between them: where a store says nothing
        about its clock (NFS opened for reading), its holders do."""
        before = self._previous
        known = self._asking.seen
        if before is None or (known is not None and known.source not in _PASSIVE):
            return []
        grain = self._store.capabilities.grain_ns
        return [
            Observation(before.began_mono_ns, ended, lock.modified_ns, grain)
            for key, lock in gently(by_key.items())
            if (old := before.by_key.get(key)) is not None
            and old.modified_ns is not None
            and lock.modified_ns is not None
            and lock.modified_ns > old.modified_ns
        ]

    # -- folder by folder

    def _first_level(self, first: str) -> Task:
        folder = f"{layout.VOLUMES}/{first}"

        def task() -> Done:
            return self._listed(
                folder, lambda names: tuple(self._second_level(f"{folder}/{n}") for n in names)
            )

        return task

    def _second_level(self, folder: str) -> Task:
        def volume_task(name: str) -> Task:
            return lambda: self._volume(name, f"{folder}/{name}")

        def task() -> Done:
            return self._listed(folder, lambda names: tuple(map(volume_task, names)), volumes=True)

        return task

    def _listed(
        self, folder: str, then: Callable[[tuple[str, ...]], tuple[Task, ...]], *, volumes: bool = False
    ) -> Done:
        try:
            listing = self._asking.list(folder)
        except StoreError as error:
            return Done(problem=f"{folder} could not be listed: {error}", unreachable=_lost(error))
        names = tuple(name for name in _leading_on(listing) if volumes or layout.is_shard(name))
        return Done(tasks=then(names), new_volumes=len(names) if volumes else 0)

    def _volume(self, name: str, folder: str) -> Done:
        if name in NO_KEYS:
            return Done(volumes=((folder, nameless(name)),))
        try:
            return Done(volumes=((folder, self._views.listed(name, folder)),))
        except StoreError as error:
            return Done(volumes=((folder, unlistable(name, error)),), unreachable=_lost(error))

    def _has_backupstore(self) -> bool:
        return layout.ROOT in self._asking.list("").folders


def _leading_on(listing: Listing) -> tuple[str, ...]:
    """Names below which there may be locks: folders, and links, which Longhorn follows and we do not. To list
    a link fails, and that is told; what else is irregular (a pipe) turns out to have nothing in it."""
    odd = [entry.name for entry in listing.entries if not entry.regular]
    return tuple(sorted({*listing.folders, *odd})) if odd else listing.folders


def _is_hot(view: VolumeView) -> bool:
    return bool(view.locks or view.leftovers or view.problem)


def _first(folder: str) -> str:
    """The first level of a folder, or of a problem, which begins with one; "" where there is none."""
    return folder.removeprefix(f"{layout.VOLUMES}/")[:2] if folder.startswith(f"{layout.VOLUMES}/") else ""


def _folders(views: tuple[VolumeView, ...]) -> dict[str, VolumeView]:
    """Where the volumes of a Snapshot lie that does not tell: where their locks do, else where Longhorn would
    have put them."""
    found: dict[str, VolumeView] = {}
    for view in views:
        if view.locks:
            found[view.locks[0].key.rpartition(f"/{layout.LOCKS}/")[0]] = view
            continue
        try:
            found[layout.volume_folder(view.name)] = view
        except Malformed:
            found[f"{layout.VOLUMES}//{view.name}"] = view
    return found


_PASSIVE = ("assumed", "refreshes seen")


def _lost(error: StoreError) -> StoreError | None:
    return error if isinstance(error, Unreachable) else None
