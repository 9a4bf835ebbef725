"""The tasks of a sweep that reads a store's keys in order, and when it had better list folders instead."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from backuplock.asking import Asking
from backuplock.clock import SECOND
from backuplock.errors import Malformed, StoreError, Unreachable
from backuplock.model import VolumeView
from backuplock.scan import ROLLED_PAGE, Disordered, PageSize, Scan, scans
from backuplock.stores.base import Branched, Found, Keys, Ranged, rolling_of
from backuplock.views import Views, unlistable

NO_KEYS = (".", "..")
"""Names that an object's key may hold and that lead elsewhere on the way to it."""

_FAILURES = 2
"""Ranges that fail before folders are listed everywhere: one may be an accident."""

_SLOW_NS = 2 * SECOND
_SLOW_TIMES = 20
_SLOW_PAGES = 3
"""Stores that keep no sorted keys (gateways to file systems) may walk through all blocks for one page. Pages
that take so long, and so many times as long as the listing of a folder, are the mark of it."""


@dataclass(frozen=True, slots=True)
class Done:
    """What one task brought: more tasks, finished volumes by their folders, perhaps a problem."""

    tasks: tuple[Task, ...] = ()
    volumes: tuple[tuple[str, VolumeView], ...] = ()
    problem: str = ""
    new_volumes: int = 0
    unreachable: StoreError | None = None


Task = Callable[[], Done]


def sorted_out(
    views: Views, found: Iterable[Found]
) -> tuple[tuple[tuple[str, VolumeView], ...], tuple[Task, ...]]:
    """The views of volumes for which nothing need be read, and a task for each of the others."""
    ready: list[tuple[str, VolumeView]] = []
    tasks: list[Task] = []
    for volume in found:
        if volume.name in NO_KEYS:
            ready.append((volume.folder, nameless(volume.name)))
        elif views.needs_reading(volume.name, volume.folder, volume.inside, volume.locks):
            tasks.append(_reading(views, volume))
        else:
            ready.append((volume.folder, _view(views, volume)))
    return tuple(ready), tuple(tasks)


def _view(views: Views, volume: Found) -> VolumeView:
    return views.of(volume.name, volume.folder, volume.inside, volume.locks)


def _reading(views: Views, volume: Found) -> Task:
    return lambda: Done(volumes=((volume.folder, _view(views, volume)),))


class Chain:
    """Branches that are read one after the other, several a task.

    Args:
        by_folders: the task that lists one first level folder by folder.
    """

    def __init__(
        self, branched: Branched, asking: Asking, views: Views, by_folders: Callable[[str], Task]
    ) -> None:
        self._branched = branched
        self._alone = branched.chains == 1
        self._asking = asking
        self._views = views
        self._by_folders = by_folders

    def begin(self, firsts: tuple[str, ...]) -> tuple[Task, ...]:
        """The tasks to begin with."""
        chains = max(1, min(self._branched.chains, len(firsts)))
        return tuple(self._link(firsts[number::chains]) for number in range(chains))

    def _link(self, firsts: tuple[str, ...]) -> Task:
        def task() -> Done:
            ready: list[tuple[str, VolumeView]] = []
            tasks: list[Task] = []
            for first in firsts[:_LINK]:
                branch = self._asking.branch(self._branched, first)
                if branch is None:
                    tasks.append(self._by_folders(first))
                    continue
                ready += [(folder, self._views.idle(name, folder)) for name, folder in branch.idle]
                if self._alone:
                    # Threads would only wait for each other: what is read is as near as what is listed.
                    ready += [(volume.folder, _view(self._views, volume)) for volume in branch.volumes]
                    continue
                views, reads = sorted_out(self._views, branch.volumes)
                ready += views
                tasks += reads
            if firsts[_LINK:]:
                tasks.append(self._link(firsts[_LINK:]))
            return Done(tasks=tuple(tasks), volumes=tuple(ready), new_volumes=len(ready))

        return task


_LINK = 8
"""Branches a task: whoever stops a sweep waits for so many, and progress is told between them."""


class Ranges:
    """The ranges of one sweep.

    Args:
        ranged: what the store offers; None if it does not.
        by_folders: the task that lists one first level folder by folder.
    """

    def __init__(
        self,
        ranged: Ranged | None,
        asking: Asking,
        views: Views,
        by_folders: Callable[[str], Task],
    ) -> None:
        self._ranged = ranged
        self._rolling = rolling_of(ranged)
        self._asking = asking
        self._views = views
        self._by_folders = by_folders
        self._size = PageSize()
        self._guard = threading.Lock()
        self._usable = ranged is not None
        self._running = self._failed = self._pages = self._slow = 0
        self._limit_ns = _SLOW_NS

    def begin(self, firsts: tuple[str, ...], *, part: bool = False) -> tuple[Task, ...]:
        """The tasks that read these first levels, sorted; one folder has been listed before. `part`: there
        are others, and between these there are none."""
        if self._ranged is None:
            return tuple(map(self._by_folders, firsts))
        begun = scans(firsts, part=part)
        self._running = len(begun)
        self._limit_ns = max(_SLOW_NS, _SLOW_TIMES * (self._asking.rtt_ns or 0))
        return tuple(self._page_of(self._ranged, scan) for scan in begun)

    def end(self, *, well: bool) -> None:
        """The sweep is over. Where folders could be listed and ranges could not, the next need not try."""
        if well and self._ranged is not None and not self._usable:
            self._ranged.distrust()

    def _page_of(self, ranged: Ranged, scan: Scan) -> Task:
        def task() -> Done:
            if not self._usable:
                return self._instead(scan)
            try:
                page, took, limit = self._ask(ranged, scan)
                found = scan.take(page)
            except Disordered:
                ranged.distrust()
                self._usable = False
                return self._instead(scan)
            except StoreError as error:
                # Such a listing may be forbidden where one of a folder is not, or cost a store more than it
                # can give. What fails in any case is told by the folders' own failures.
                self._note(failed=_FAILURES if not isinstance(error, Unreachable) else 1)
                return self._instead(scan)
            if limit is not None:
                self._size.learn(limit, scan.wasted)
            self._note(slow=took > self._limit_ns)
            return self._onward(ranged, scan, found)

        return task

    def _ask(self, ranged: Ranged, scan: Scan) -> tuple[Keys, int, int | None]:
        """The next page of a range, how long it took, and how many keys were asked for (None: enough)."""
        rolling = self._rolling
        if rolling is not None:
            page, took = self._asking.rolled(rolling, scan.prefix, scan.after, ROLLED_PAGE)
            if page is not None and scan.fits(page):
                return page, took, None
            self._rolling = None
        limit = self._size.keys
        page, took = self._asking.keys(ranged, scan.prefix, scan.after, limit)
        return page, took, limit

    def _onward(self, ranged: Ranged, scan: Scan, found: list[Found]) -> Done:
        ready, tasks = sorted_out(self._views, found)
        with self._guard:
            other = None
            if scan.done:
                self._running -= 1
            elif self._running < self._asking.pace.most and (other := scan.split()) is not None:
                self._running += 1
        if scan.done:
            onward = [self._by_folders(first) for first in scan.missed()]
        else:
            onward = [self._page_of(ranged, part) for part in (scan, other) if part is not None]
        return Done(tasks=(*onward, *tasks), volumes=ready, new_volumes=len(found))

    def _instead(self, scan: Scan) -> Done:
        with self._guard:
            self._running -= 1
        return Done(tasks=tuple(map(self._by_folders, scan.left())))

    def _note(self, *, failed: int = 0, slow: bool = False) -> None:
        with self._guard:
            self._pages += 1
            self._failed += failed
            self._slow += slow
            walks = self._slow >= _SLOW_PAGES and 2 * self._slow > self._pages
            if walks and self._rolling is not None:
                # It walks through the blocks that it leaves out: cheaper to leap over them from here.
                self._rolling.unroll()
                self._rolling, self._pages, self._slow = None, 0, 0
            elif self._failed >= _FAILURES or walks:
                self._usable = False


def nameless(name: str) -> VolumeView:
    """A volume that no request can be about."""
    return unlistable(name, Malformed(f"{name!r} is no part of a key that can be asked for"))
