"""Locks that are to be broken: in memory and in folders of any age, on servers as old as they are."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from backuplock.breaking import Audit, Broken, Plan, Step, Writer, execute, make_plan
from backuplock.clock import Clock, SystemClock
from backuplock.model import Snapshot
from backuplock.rules import LONGHORN, Timing
from backuplock.stores.base import Store
from backuplock.stores.filesystem import FilesystemStore
from backuplock.stores.memory import MemoryStore
from backuplock.survey import sweep
from harness.builders import NS, Lock, Volume, body, write

QUARANTINE = "backupstore/.locktop/quarantine"
VOLUME = "pvc-1"
NAME = "lock-feed000000000001"


@dataclass
class Scene:
    """A store with one volume, an audit trail, and whatever is needed to break a lock there.

    `plant` writes a file of a certain age in seconds; None where a store stamps everything itself.
    """

    store: Store
    folder: Path
    plant: Callable[[str, bytes, float], None] | None = None
    timing: Timing = LONGHORN
    clock: Clock = field(default_factory=SystemClock)

    def __post_init__(self) -> None:
        self.audit = Audit.open(self.folder / "audit.db")

    def volume(self, name: str = VOLUME) -> None:
        """Make a volume."""
        self.store.put(Volume(name).cfg_key, Volume(name).cfg)

    def lock(self, name: str = NAME, volume: str = VOLUME, **what: Any) -> Lock:
        """Write a lock, dead for long unless its age is given, where the store lets it have one."""
        lock = Lock(volume, name, **{"age_s": 500.0, **what})
        self.put(lock.key, lock.content, lock.age_s)
        return lock

    def put(self, key: str, content: bytes, age_s: float = 0.0) -> None:
        """Write a file."""
        if self.plant is None:
            self.store.put(key, content)
        else:
            self.plant(key, content, age_s)

    def refresh(self, lock: Lock) -> None:
        """Write it as Longhorn refreshes: the same bytes, blindly."""
        self.store.put(lock.key, lock.content)

    def look(self) -> Snapshot:
        """A sweep."""
        return sweep(self.store, clock=self.clock)

    def plan(self, lock: Lock, store: Store | None = None) -> Plan:
        """The plan for a lock as it is now."""
        return make_plan(store or self.store, self.look(), lock.key, timing=self.timing)

    def writer(self, store: Store | None = None, told: Callable[[Step], None] = lambda _: None) -> Writer:
        """The right to write."""
        return Writer(store or self.store, self.audit, clock=self.clock, told=told, timing=self.timing)

    def break_(self, lock: Lock, *, allow_live: bool = False) -> Broken:
        """Plan and execute."""
        return execute(self.writer(), self.plan(lock).order, reason="a test", allow_live=allow_live)

    def names(self, folder: str = "") -> list[str]:
        """What lies in a folder; by default in the `locks/` of the volume."""
        where = folder or Lock(VOLUME, NAME).key.rpartition("/")[0]
        return [entry.name for entry in self.store.list(where).entries]

    def kept(self) -> list[str]:
        """The endings of what lies in the quarantine."""
        return sorted(name.partition(".")[2] for name in self.names(QUARANTINE))

    def outcomes(self) -> list[str]:
        """What the audit trail says came of what was begun; it has to be whole."""
        verified = self.audit.verify()
        assert verified.problem == ""
        return [one.get("outcome") for one in self.audit.entries() if one.get("phase") == "after"]


def memory_scene(folder: Path) -> Scene:
    """In memory: conditions are honoured, equal bytes have equal etags."""
    store = MemoryStore()

    def plant(key: str, content: bytes, age_s: float) -> None:
        store.plant(key, content, SystemClock().wall_ns() - round(age_s * NS))

    scene = Scene(store, folder, plant)
    scene.volume()
    return scene


def plain_scene(folder: Path) -> Scene:
    """In memory, where no conditions are honoured."""
    scene = memory_scene(folder)
    assert isinstance(scene.store, MemoryStore)
    unconditional(scene.store)
    return scene


def folder_scene(folder: Path) -> Scene:
    """In a folder."""
    root = folder / "store"
    root.mkdir()

    def plant(key: str, content: bytes, age_s: float) -> None:
        write(root, key, content, SystemClock().wall_ns() - round(age_s * NS))

    scene = Scene(FilesystemStore(root, writable=True), folder, plant)
    scene.volume()
    return scene


def at(step: Step, act: Callable[[], object]) -> Callable[[Step], None]:
    """Do something right after a step."""

    def told(now: Step) -> None:
        if now is step:
            act()

    return told


def unconditional(store: MemoryStore) -> MemoryStore:
    """A store in memory that honours no conditions, as several servers do not."""
    store.capabilities = replace(store.capabilities, conditional_put="no", conditional_delete="no")
    return store


def kill_at(step: Step, url: str, audit: Path, key: str, environ: Mapping[str, str]) -> None:
    """Break a lock in a process of its own that is killed right after a step."""
    paths = os.pathsep.join(path for path in sys.path if path)
    ran = subprocess.run(
        [sys.executable, "-m", "harness.break_worker", "kill", url, str(audit), key, step.value],
        env={**os.environ, **environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert ran.returncode == -signal.SIGKILL, (ran.stdout, ran.stderr)


def other_body() -> bytes:
    """The content of a lock of another name."""
    return body("lock-other", 2, True)
