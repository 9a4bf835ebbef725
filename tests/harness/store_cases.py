"""Every store that the conformance suite is run on, and the facts in which they differ."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from backuplock.clock import ManualClock, SystemClock
from backuplock.errors import Unreachable
from backuplock.journal import Journal
from backuplock.replay import ReplayStore
from backuplock.stores import open_store
from backuplock.stores.base import Capabilities, Known, Store
from backuplock.stores.memory import MemoryStore
from backuplock.survey import sweep
from backuplock.target import parse_target

if TYPE_CHECKING:
    from harness.azurite import AzureServer
    from harness.s3 import S3Server


@dataclass(frozen=True, slots=True)
class StoreCase:
    """One kind of store.

    Attributes:
        name: for messages.
        make_store: a store on this case's own root; `writable` is its argument.
        make_rootless: a writable store whose root (bucket, folder) does not exist; None if there is no such.
        shared: stores that `make_store` gives see each other's objects.
        etag_of_body: equal bytes have equal etags.
        atomic_overwrite: a reader never sees the middle of an overwrite. rclone replaces a file in steps:
            some reads among thousands of overwrites meet 404, 500, or the new body cut to the old length.
        backslash: a name may hold one.
        conditional_put, conditional_delete: what a probe must find; None: whatever it finds.
    """

    name: str
    make_store: Callable[[bool], Store]
    make_rootless: Callable[[], Store] | None
    shared: bool = True
    etag_of_body: bool = True
    atomic_overwrite: bool = True
    backslash: bool = True
    conditional_put: Known | None = None
    conditional_delete: Known | None = None


def memory_case() -> StoreCase:
    return StoreCase(
        "memory",
        lambda writable: MemoryStore(writable=writable),
        None,
        shared=False,
        conditional_put="yes",
        conditional_delete="yes",
    )


def filesystem_case(folder: Path) -> StoreCase:
    root = folder / "root"
    root.mkdir()
    return StoreCase(
        "filesystem",
        lambda writable: open_store(parse_target(str(root)), writable=writable),
        lambda: open_store(parse_target(str(folder / "absent")), writable=True),
        etag_of_body=False,
    )


def s3_case(server: S3Server, prefix: str, put: Known, delete: Known) -> StoreCase:
    return StoreCase(
        server.name,
        lambda writable: server.store(prefix, writable=writable),
        lambda: server.store(prefix, bucket="no-such-bucket"),
        atomic_overwrite="rclone" not in server.name,
        conditional_put=put,
        conditional_delete=delete,
    )


def azure_case(server: AzureServer, prefix: str) -> StoreCase:
    return StoreCase(
        "azurite",
        lambda writable: server.store(prefix, writable=writable),
        lambda: server.store(prefix, container="no-such-container"),
        etag_of_body=False,
        backslash=False,
        conditional_put="yes",
        conditional_delete="yes",
    )


def put_all(store: Store, objects: Mapping[str, bytes]) -> None:
    """Write objects, several at a time."""

    def put(item: tuple[str, bytes]) -> None:
        # rclone answers 500 to some of many writes at once into a folder that is new.
        for _ in range(20):
            with contextlib.suppress(Unreachable):
                store.put(*item)
                return
        store.put(*item)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(put, objects.items()))


@dataclass(frozen=True, slots=True)
class ReadingCase:
    """One kind of store to read from. `show` makes these objects, and a store opened for reading where they
    are all that is there. Of a recording they must be what a sweep reads: lock files in `locks/` folders."""

    name: str
    show: Callable[[Mapping[str, bytes]], Store]


def reading_case(case: StoreCase) -> ReadingCase:
    """The reading half of a store that can be written: put there, then opened anew for reading."""

    def show(objects: Mapping[str, bytes]) -> Store:
        put_all(case.make_store(True), objects)
        return case.make_store(False)

    return ReadingCase(case.name, show)


def planted_case() -> ReadingCase:
    """A store in memory, opened for reading."""

    def show(objects: Mapping[str, bytes]) -> Store:
        store, now = MemoryStore(writable=False), SystemClock().wall_ns()
        for key, body in objects.items():
            store.plant(key, body, now)
        return store

    return ReadingCase("memory", show)


def replay_case(journal: Journal) -> ReadingCase:
    """A recording of a sweep of a store in memory, seen at its end."""

    def show(objects: Mapping[str, bytes]) -> Store:
        recorded = sweep(planted_case().show(objects))
        journal.record(recorded)
        return ReplayStore(journal, ManualClock(recorded.taken_wall_ns))

    return ReadingCase("replay", show)


def proven(store: Store) -> Capabilities:
    """A store's capabilities, after a probe where the store knows one."""
    probe = getattr(store, "probe_conditional", None)
    if probe is not None:
        probe("scratch")
    return store.capabilities
