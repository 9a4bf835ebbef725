"""A stand-in for one of Longhorn's clients: takes a lock as Longhorn does, weaknesses included.

Only for the demo and its tests: a program that wants a lock takes `backuplock`'s own. Source of the steps:
Longhorn backupstore `lock.go`: write `Acquired:false`, wait, list and read, decide by the local clock,
write `Acquired:true`, rewrite it blindly until the work is done, delete.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, replace

from backuplock import layout
from backuplock.clock import Clock, nanoseconds
from backuplock.errors import Malformed, StoreError
from backuplock.model import LockRecord, Operation
from backuplock.rules import LONGHORN, Contender, Timing, can_acquire
from backuplock.stores.base import Store
from backuplock.wire import decode, encode
from locktop.demo.bodies import backup_cfg
from locktop.demo.people import Holder

Pause = Callable[[int], bool]
"""Waits so many nanoseconds; true if the client is to end at once, without tidying up: it was killed."""


class Killed(Exception):
    """The client ends where it stands, and leaves what it wrote."""


@dataclass(frozen=True, slots=True)
class World:
    """What a client needs around itself."""

    store: Store
    clock: Clock
    pause: Pause
    timing: Timing = LONGHORN

    def sleep(self, duration_ns: int) -> None:
        """Wait.

        Raises:
            Killed: the client is to end.
        """
        if self.pause(max(0, duration_ns)):
            raise Killed


def operate(world: World, volume: str, operation: Operation, *, lasts_s: float) -> bool:
    """One operation under its lock, from asking to releasing; false if it was refused."""
    record = LockRecord(layout.new_lock_name(), operation.lock_type, False)
    key = layout.lock_key(volume, record.name)
    world.store.put(key, encode(record))
    world.sleep(world.timing.settle_ns)
    if not _granted(world, volume, record):
        world.store.delete(key)
        return False
    record = replace(record, acquired=True)
    world.store.put(key, encode(record))
    finish = _begin(world, volume, operation)
    _refresh_until(world, key, encode(record), nanoseconds(lasts_s), world.timing.refresh_ns, 0)
    finish()
    world.store.delete(key)
    return True


def carry_on(world: World, holder: Holder) -> None:
    """Go on as the holder of a lock that lies in the store already, then release it."""
    every = nanoseconds(holder.every_s)
    age = nanoseconds(holder.age_s)
    _refresh_until(world, holder.key, encode(holder.record), nanoseconds(holder.left_s), every, age)
    world.store.delete(holder.key)


def _granted(world: World, volume: str, mine: LockRecord) -> bool:
    """Longhorn's look at the others: what it cannot read it skips."""
    folder = layout.locks_folder(volume)
    seen: dict[str, Contender] = {}
    for entry in world.store.list(folder).entries:
        if not layout.is_lock_file(entry.name):
            continue
        try:
            blob = world.store.read(f"{folder}/{entry.name}")
            record = decode(blob.body) if blob is not None else None
        except (StoreError, Malformed):
            continue
        if blob is not None and record is not None:
            seen[record.name] = Contender(record.name, record.type, record.acquired, blob.modified_ns)
    own = seen.pop(mine.name, Contender(mine.name, mine.type, False, 0))
    return can_acquire(own, seen.values(), world.clock.wall_ns(), world.timing)


def _refresh_until(world: World, key: str, body: bytes, lasts_ns: int, every_ns: int, age_ns: int) -> None:
    began = world.clock.mono_ns()
    refreshed = began - age_ns
    while (left := lasts_ns - (world.clock.mono_ns() - began)) > 0:
        due = refreshed + every_ns - world.clock.mono_ns()
        world.sleep(min(left, due))
        if world.clock.mono_ns() >= refreshed + every_ns:
            world.store.put(key, body)
            refreshed = world.clock.mono_ns()


def _begin(world: World, volume: str, operation: Operation) -> Callable[[], None]:
    """Start the work itself, as far as the store shows it; the result finishes it."""
    if operation is Operation.DELETE:
        return lambda: _delete_oldest(world, volume)
    if operation is Operation.RESTORE:
        return lambda: None
    name = f"backup-{random.getrandbits(64):016x}"
    key = layout.backup_cfg(volume, name)
    began = world.clock.wall_ns()
    world.store.put(key, backup_cfg(volume, name, began, finished=False))

    def finish() -> None:
        world.store.put(key, backup_cfg(volume, name, world.clock.wall_ns(), finished=True))

    return finish


def _delete_oldest(world: World, volume: str) -> None:
    folder = f"{layout.volume_folder(volume)}/backups"
    backups = [entry for entry in world.store.list(folder).entries if entry.regular]
    # A volume keeps its last backup: the demo's volumes shall not run out of them.
    if len(backups) > 1:
        oldest = min(backups, key=lambda entry: entry.modified_ns or 0)
        world.store.delete(f"{folder}/{oldest.name}")
