"""One sweep of a backup store -> one immutable Snapshot.

The sweep walks the folders level by level, several requests at a time. What fails is kept beside what
succeeded: a volume that could not be read is in the Snapshot with the reason, never absent and never free.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection

from backuplock import layout
from backuplock.clock import Clock, SystemClock
from backuplock.model import Snapshot
from backuplock.pace import MOST_WORKERS, WORKERS
from backuplock.stores.base import Store
from backuplock.walk import ASSUMED_ERROR_NS, GIVE_UP_AFTER, Cancelled, Progress, Walk

__all__ = [
    "ASSUMED_ERROR_NS",
    "GIVE_UP_AFTER",
    "MOST_WORKERS",
    "WORKERS",
    "Cancelled",
    "Progress",
    "look",
    "refresh",
    "sweep",
]


def sweep(
    store: Store,
    previous: Snapshot | None = None,
    *,
    clock: Clock | None = None,
    clock_error_ns: int = ASSUMED_ERROR_NS,
    progress: Callable[[Progress], None] | None = None,
    stop: threading.Event | None = None,
    workers: int | None = None,
    requests_per_s: float | None = None,
    all_names: bool = False,
) -> Snapshot:
    """Read every lock of a store.

    Args:
        store: any store; nothing is written to it.
        previous: the last Snapshot of the same store: locks whose key, listed time, etag and size are as
            they were are not read again, and what was known of the store's clock is narrowed further.
        clock_error_ns: what to assume of the store's clock while it has said nothing, see `assumed`.
        progress: called from this thread now and then while the sweep runs.
        stop: set it from another thread to end the sweep with `Cancelled`, soon: a request that hangs is
            left behind, and may go on for as long as the store lets it.
        workers: requests in flight at most; None: 16, and up to 64 where each takes long.
        requests_per_s: requests sent in a second at most; folders of a file system do not count.
        all_names: read the names people know of volumes without locks too, one more request each.

    Raises:
        StoreError: nothing at all could be read (the first listing failed, or the store went away).
    """
    ends = stop or threading.Event()
    walk = Walk(store, previous, clock or SystemClock(), progress, ends, all_names, workers, requests_per_s)
    return walk.run(clock_error_ns)


def refresh(
    store: Store,
    before: Snapshot,
    volumes: Collection[str] = (),
    part: Collection[str] = (),
    *,
    clock: Clock | None = None,
    clock_error_ns: int = ASSUMED_ERROR_NS,
    stop: threading.Event | None = None,
    workers: int | None = None,
    requests_per_s: float | None = None,
) -> Snapshot:
    """Read again the volumes that have locks or could not be read, and those that are named: one listing
    each, and what is new of their locks. And sweep a part of the store.

    The Snapshot has all other volumes as `before` has them: locks that come to them, volumes that come, and
    volumes that go are seen by the next `sweep`, or when their part is swept.

    Args:
        before: the last Snapshot of the same store.
        volumes: names; those that `before` does not have are looked up.
        part: first levels, two hex digits each, that are swept as `sweep` would.
        stop, workers, requests_per_s: as for `sweep`.

    Raises:
        Malformed: one of `volumes` is no volume's name.
        StoreError: the store went away.
    """
    ends = stop or threading.Event()
    walk = Walk(store, before, clock or SystemClock(), None, ends, False, workers, requests_per_s)
    return walk.refresh(before, volumes, part, clock_error_ns)


def look(
    store: Store,
    volume: str,
    previous: Snapshot | None = None,
    *,
    clock: Clock | None = None,
    clock_error_ns: int = ASSUMED_ERROR_NS,
) -> Snapshot:
    """Read the locks and names of one volume: two listings, a request a lock, one for its names.

    The Snapshot has this volume only, or none if the store has nothing under its name; `store_present` is
    then asked for. `previous` is a look at the same volume, as for `sweep`.

    Raises:
        Malformed: `volume` is no volume's name.
        StoreError: the volume could not be listed.
    """
    folder = layout.volume_folder(volume)
    walk = Walk(store, previous, clock or SystemClock(), None, threading.Event(), True)
    return walk.look(volume, folder, clock_error_ns)
