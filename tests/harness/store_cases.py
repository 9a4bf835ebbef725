"""Every store that the conformance suite is run on, and the facts in which they differ."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from backuplock.stores import open_store
from backuplock.stores.base import Capabilities, Known, Store
from backuplock.stores.memory import MemoryStore
from backuplock.target import parse_target

if TYPE_CHECKING:
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
        conditional_put, conditional_delete: what a probe must find; None: whatever it finds.
    """

    name: str
    make_store: Callable[[bool], Store]
    make_rootless: Callable[[], Store] | None
    shared: bool = True
    etag_of_body: bool = True
    atomic_overwrite: bool = True
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


def proven(store: Store) -> Capabilities:
    """A store's capabilities, after a probe where the store knows one."""
    probe = getattr(store, "probe_conditional", None)
    if probe is not None:
        probe("scratch")
    return store.capabilities
