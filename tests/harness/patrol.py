"""A store watched for hours of virtual time: what is seen how late, and what it costs."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from backuplock.clock import SECOND, ManualClock
from backuplock.model import Snapshot
from backuplock.rounds import Budget, Rounds
from backuplock.survey import refresh, sweep
from harness.builders import Lock, Volume
from harness.fleets import Counted, Rolls, Short


@dataclass(frozen=True, slots=True)
class Patrol:
    """How a watch went. Latencies in seconds: `hot` of releases of locks that were known, `quiet` of locks
    that came to volumes without any."""

    hours: float
    hot_s: float
    quiet_s: float
    listings: int
    reads: int
    dollars_per_day: float
    told_dollars_per_day: float
    busiest: int
    """Listings of the round that took most, after the first."""


def watch(
    *,
    volumes: int,
    locked: int,
    hours: float,
    budget: Budget,
    interval_s: float = 5.0,
    rolls: bool = True,
    seed: int = 0,
    told: Callable[[float], None] | None = None,
) -> Patrol:
    """Watch a store in which locks are refreshed each minute, and one after another is released and one comes
    to a volume that had none."""
    clock, chance = ManualClock(10**18), random.Random(seed)
    inner = (Rolls if rolls else Short)(clock, ranged=True)
    held = _plant(inner, volumes, locked)
    quiet = [f"pvc-{number}" for number in range(locked, volumes)]
    store, rounds = Counted(inner), Rounds(budget)
    seen: Snapshot | None = None
    waits: dict[str, tuple[int, bool]] = {}
    late: dict[bool, list[int]] = {True: [], False: []}
    began, busiest, count = clock.mono_ns(), 0, 0
    change_at = clock.mono_ns() + 60 * SECOND
    while clock.mono_ns() - began < hours * 3600 * SECOND:
        now = clock.mono_ns()
        for lock, at in list(held.items()):
            if now - at >= 60 * SECOND:
                inner.put(lock.key, lock.content)
                held[lock] = now
        if now >= change_at:
            change_at = now + 90 * SECOND
            gone = chance.choice(list(held))
            del held[gone]
            inner.delete(gone.key)
            waits[gone.key] = (now, False)
            count += 1
            come = Lock(quiet.pop(chance.randrange(len(quiet))), f"lock-new-{count}")
            quiet.append(gone.volume)
            inner.put(come.key, come.content)
            held[come] = now
            waits[come.key] = (now, True)
        asked = store.listings
        todo = rounds.next(seen, now, round(interval_s * SECOND))
        first = seen is None
        if todo.whole or seen is None:
            seen = sweep(store, seen, clock=clock, workers=1)
        else:
            seen = refresh(store, seen, todo.volumes, todo.part, clock=clock, workers=1)
        rounds.took(todo, seen)
        busiest = busiest if first else max(busiest, store.listings - asked)
        for key, (at, comes) in list(waits.items()):
            if (key in seen.by_key) is comes:
                late[comes].append(now - at)
                del waits[key]
        if told is not None:
            told((now - began) / SECOND)
        clock.advance(rounds.pace.interval_ns if rounds.pace else round(interval_s * SECOND))
    spent = (clock.mono_ns() - began) / (86_400 * SECOND)
    prices = budget.prices
    dollars = (store.listings * prices.listing + store.reads * prices.read) / 1000 / spent
    # What changed while nobody looked is seen at the next look at the latest: half an interval on average.
    step = rounds.pace.interval_ns if rounds.pace else 0
    return Patrol(
        hours,
        (max(late[False]) + step) / SECOND,
        (max(late[True]) + step) / SECOND,
        store.listings,
        store.reads,
        dollars,
        rounds.pace.dollars_per_day if rounds.pace else 0.0,
        busiest,
    )


def _plant(store: Short, volumes: int, locked: int) -> dict[Lock, int]:
    held = {}
    for number in range(volumes):
        volume = Volume(f"pvc-{number}")
        folder = volume.cfg_key.rpartition("/")[0]
        store.put(volume.cfg_key, volume.cfg)
        for block in range(3):
            store.put(f"{folder}/blocks/{block:02}/00/x.blk", b"")
        store.put(f"{folder}/backups/backup_a.cfg", b"{}")
        if number < locked:
            lock = Lock(volume.name, f"lock-{number}")
            store.put(lock.key, lock.content)
            held[lock] = 10**18
    return held
