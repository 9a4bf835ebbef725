"""A store in memory with locks of every kind at a fixed time, and a clock that stands still."""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Callable

from backuplock import layout, wire
from backuplock.clock import SECOND, ManualClock
from backuplock.journal import Journal
from backuplock.model import LockRecord, Owner
from backuplock.rounds import Budget
from backuplock.stores.base import Store
from backuplock.stores.memory import MemoryStore
from locktop.session import Session

NOW = 1_767_323_045 * SECOND
"""2026-01-02 03:04:05 UTC."""

APPS = (
    ("shop", "postgres-data", "postgres"),
    ("shop", "orders-redis", "orders-redis"),
    ("monitoring", "prometheus-db", "prometheus-k8s"),
    ("monitoring", "loki-chunks", "loki-write"),
    ("mail", "dovecot-index", "dovecot"),
    ("git", "gitea-shared-storage", "gitea"),
    ("registry", "harbor-registry", "harbor-registry"),
    ("media", "jellyfin-library-metadata", "jellyfin"),
    ("ci", "runner-cache", "actions-runner"),
    ("analytics", "clickhouse-0", "clickhouse"),
)


class StillClock(ManualClock):
    """Moves only when told to; a sleep lasts until somebody wakes the sleeper."""

    def sleep(self, duration_ns: int, wake: threading.Event | None = None) -> bool:
        if wake is None or duration_ns <= 0:
            return False
        wake.wait(20)
        return wake.is_set()


class Scene:
    """A store to be peopled, and sessions on it."""

    def __init__(self, now: int = NOW, url: str = "s3://lh-backups@eu-central-1/prod") -> None:
        self.clock = StillClock(now)
        self.writer = ManualClock(now)
        self.store = MemoryStore(self.writer, url=url)
        self.now = now
        self._random = random.Random(7)

    def volume(self, name: str, app: tuple[str, str, str] | None = None) -> str:
        """A backup volume with its `volume.cfg`."""
        status = {}
        if app:
            workload = [{"podName": f"{app[2]}-0", "workloadName": app[2], "workloadType": "StatefulSet"}]
            status = {"namespace": app[0], "pvcName": app[1], "workloadsStatus": workload}
        labels = {"KubernetesStatus": json.dumps(status)} if app else {}
        body = json.dumps({"Name": name, "Size": "2147483648", "Labels": labels}).encode()
        self.store.put(layout.volume_cfg(name), body)
        return name

    def lock(
        self,
        volume: str,
        age_s: float,
        type_: int = 1,
        *,
        acquired: bool = True,
        lock: str = "",
        owner: Owner | None = None,
        body: bytes | None = None,
    ) -> str:
        """A lock last refreshed `age_s` seconds ago; its key."""
        lock = lock or f"lock-{self._random.randrange(16**16):016x}"
        if body is None:
            body = wire.encode(LockRecord(lock, type_, acquired, owner))
        key = layout.lock_key(volume, lock)
        self.writer.step_wall(round(self.now - age_s * SECOND) - self.writer.wall_ns())
        self.store.put(key, body)
        self.writer.step_wall(self.now - self.writer.wall_ns())
        return key

    def advance(self, s: float) -> None:
        """Let time pass for the store and the console."""
        self.now += round(s * SECOND)
        self.clock.advance(round(s * SECOND))
        self.writer.advance(round(s * SECOND))

    def session(
        self,
        *,
        open_store: Callable[[], Store] | None = None,
        interval_s: float = 2.0,
        open_journal: Callable[[], Journal] | None = None,
        budget: Budget | None = None,
    ) -> Session:
        """A session on the store, with the clock that stands still."""
        return Session(
            open_store or (lambda: self.store),
            label="prod-eu",
            url=self.store.url,
            interval_s=interval_s,
            clock=self.clock,
            jitter=lambda: 0.5,
            open_journal=open_journal,
            budget=None if budget is None else lambda _: budget,
        )


def uuid_volume(number: int) -> str:
    """A volume id as Kubernetes makes them, always the same for a number."""
    r = random.Random(number)
    digits = f"{r.randrange(16**32):032x}"
    return f"pvc-{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"


def night(held: int = 22, free: int = 40) -> Scene:
    """A night with everything in it: dead, late, waiting, unreadable, untyped, of the future, clashing."""
    scene = Scene()
    volumes = [scene.volume(uuid_volume(n), APPS[n % len(APPS)]) for n in range(held + free + 8)]
    own = Owner(host="node-093", pid=4711, user="ops", operation="backup", tool="locktop 0.1.0", renewals=12)
    scene.lock(volumes[0], 222, lock="lock-9f2c41d07be35a18")
    scene.lock(volumes[1], 213, 2, lock="lock-44be02c1a97d3f60")
    scene.lock(volumes[1], 12, 1, acquired=False, lock="lock-7c1d8e3355a0b2f4")
    scene.lock(volumes[2], 109, 1, lock="lock-0d41a2bb96c8e7f3", owner=own)
    scene.lock(volumes[3], 3 * 86400 + 2 * 3600, body=b'{"Name":"lock-b1', lock="lock-b11a4d0e6a3549ab")
    scene.lock(volumes[4], 1, 1, acquired=False, lock="lock-e5a91c0b3d7f2468")
    scene.lock(volumes[5], 20, 2, lock="lock-c45c27866aa34095")
    scene.lock(volumes[5], 21, 1, acquired=False, lock="lock-5f3e1d2c4b6a7980")
    scene.lock(volumes[6], 30, 7, lock="lock-77aa10b29f0d4c5e")
    for n in range(held):
        scene.lock(volumes[8 + n], 2 + n * 2.5, 2 if n % 5 == 3 else 1)
    return scene


def fleet(count: int, per_volume: int = 1) -> Scene:
    """Many healthy locks."""
    scene = Scene()
    for n in range(count):
        scene.lock(uuid_volume(n // per_volume), 1 + n % 60)
    return scene
