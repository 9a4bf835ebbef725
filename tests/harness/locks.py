"""Locks for tests: a world of manual time around a memory store, and rivals as Longhorn writes them."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from backuplock.clock import SECOND, Clock, ManualClock
from backuplock.guarantees import terms_for
from backuplock.lock import BackupLock
from backuplock.model import Operation
from backuplock.protocol import Terms
from backuplock.rules import Timing
from backuplock.stores.base import Store
from backuplock.stores.memory import MemoryStore
from harness.builders import body, volume_folder
from harness.troubled import ManualScheduler, TroubledStore

VOLUME = "pvc-1"
DEADLINE_S = 60.0
"""How long a test waits for what must happen; generous, for machines are shared."""


def short_terms(store: Store, lease_s: float = 3.0) -> Terms:
    """Longhorn's periods, scaled to a lease of so many seconds."""
    scale = lease_s / 150
    timing = Timing(*(round(s * scale * SECOND) for s in (150, 60, 2, 5)))
    return terms_for(store.capabilities, timing=timing)


def until(condition: Callable[[], object], what: str = "") -> None:
    """Wait until it is true."""
    give_up = time.monotonic() + DEADLINE_S
    while not condition():
        if time.monotonic() > give_up:
            raise AssertionError(f"waited in vain {what}")
        time.sleep(0.005)


def locks_in(store: Store, volume: str = VOLUME) -> list[str]:
    """Names of the lock files of a volume."""
    found = store.list(f"{volume_folder(volume)}/locks").entries
    return [entry.name for entry in found if entry.name.endswith(".lck")]


@dataclass
class World:
    """A memory store behind trouble, manual time, and locks that live in it."""

    clock: ManualClock = field(default_factory=ManualClock)
    grain_ns: int = 1

    def __post_init__(self) -> None:
        self.memory = MemoryStore(self.clock, grain_ns=self.grain_ns)
        self.store = TroubledStore(self.memory)
        self.scheduler = ManualScheduler(self.clock)

    def lock(
        self, operation: Operation = Operation.BACKUP, *, volume: str = VOLUME, **options: Any
    ) -> BackupLock:
        options.setdefault("clock", self.clock)
        options.setdefault("scheduler", self.scheduler)
        options.setdefault("jitter", lambda: 0.5)
        return BackupLock(self.store, volume, operation, **options)

    def pass_s(self, s: float) -> None:
        """Let seconds pass, with all that is scheduled in them."""
        self.scheduler.pass_time(round(s * SECOND))

    def rival(self, type_: int = 2, *, acquired: bool = True, name: str = "lock-feed000000000001") -> str:
        """Write a lock as Longhorn does; its key."""
        key = f"{volume_folder(VOLUME)}/locks/{name}.lck"
        self.memory.put(key, body(name, type_, acquired))
        return key

    def files(self) -> list[str]:
        return locks_in(self.memory)


def system_lock(store: Store, operation: Operation, clock: Clock | None = None, **options: Any) -> BackupLock:
    """A lock in earnest, of short periods."""
    options.setdefault("terms", short_terms(store))
    return BackupLock(store, options.pop("volume", VOLUME), operation, clock=clock, **options)
