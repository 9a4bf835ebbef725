"""Longhorn-like volumes and locks for tests: in any store by `put`, or in a folder with chosen times.

Every planted thing says of itself what a reader must find, from the facts alone (type, acquired, age) and
without the code under test: keys are derived here once more, and states follow from the table of the
protocol's periods.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from backuplock.stores.base import Store

NS = 1_000_000_000
LEASE_S, REFRESH_S, SLACK_S = 150, 60, 5


def volume_folder(volume: str) -> str:
    """Longhorn's folder of a volume."""
    digest = hashlib.sha512(volume.encode("utf-8", "surrogateescape")).hexdigest()
    return f"backupstore/volumes/{digest[:2]}/{digest[2:4]}/{volume}"


def body(name: str, type_: int, acquired: bool) -> bytes:
    """A lock's body as Longhorn writes it."""
    return f'{{"Name":"{name}","Type":{type_},"Acquired":{"true" if acquired else "false"}}}'.encode()


@dataclass(frozen=True)
class Lock:
    """One planted lock file. `raw` is a body instead of its own, one that gives no record."""

    volume: str
    name: str
    type: int = 1
    acquired: bool = True
    age_s: float = 10.0
    raw: bytes | None = None

    @property
    def key(self) -> str:
        """Its key below the target's root."""
        return f"{volume_folder(self.volume)}/locks/{self.name}.lck"

    @property
    def content(self) -> bytes:
        """What lies in the file."""
        return body(self.name, self.type, self.acquired) if self.raw is None else self.raw

    @property
    def state(self) -> str:
        """What it amounts to; ages lie well away from every limit."""
        if self.raw is not None or self.type not in (1, 2):
            return "bad"
        if self.age_s > LEASE_S:
            return "stale"
        if not self.acquired:
            return "waiting"
        return "late" if self.age_s > REFRESH_S + SLACK_S else "held"

    @property
    def blocks(self) -> list[str]:
        """Operations that cannot start because of it."""
        if self.age_s > LEASE_S:
            return []
        if self.raw is None and self.type == 1:
            return ["delete"]
        if self.raw is None and self.type == 2:
            return ["backup", "restore"]
        return ["backup", "restore", "delete"]


@dataclass(frozen=True)
class Volume:
    """One planted volume; a ghost has no `volume.cfg`."""

    name: str
    namespace: str = ""
    claim: str = ""
    workload: str = ""
    ghost: bool = False

    @property
    def cfg(self) -> bytes:
        """Its `volume.cfg`, with the names people know as Longhorn keeps them."""
        status = {
            "namespace": self.namespace,
            "pvcName": self.claim,
            "workloadsStatus": [{"podName": f"{self.workload}-0", "workloadName": self.workload}],
        }
        return json.dumps(
            {"Name": self.name, "Size": "1073741824", "Labels": {"KubernetesStatus": json.dumps(status)}}
        ).encode()

    @property
    def cfg_key(self) -> str:
        """Where that lies."""
        return f"{volume_folder(self.name)}/volume.cfg"


@dataclass(frozen=True)
class Fleet:
    """Volumes and their locks."""

    volumes: tuple[Volume, ...]
    locks: tuple[Lock, ...]


def fleet(volumes: int = 500, locks: int = 60, *, seed: int = 1) -> Fleet:
    """Volumes of which some hold locks in all states, a few two of them; the same for the same seed."""
    rng = random.Random(seed)
    names = [f"pvc-{rng.getrandbits(64):016x}" for _ in range(volumes)]
    made = [
        Volume(name, f"team-{n % 7}", f"data-{n}", f"app-{n % 31}", ghost=n == 1)
        for n, name in enumerate(names)
    ]
    kinds = (
        # type, acquired, age, raw
        (1, True, 20.0, None),
        (2, True, 35.0, None),
        (1, True, 100.0, None),
        (2, True, 110.0, None),
        (1, True, 500.0, None),
        (2, True, 90_000.0, None),
        (1, False, 5.0, None),
        (2, False, 60.0, None),
        (1, False, 4_000.0, None),
        (0, True, 30.0, None),
        (7, True, 30.0, None),
        (1, True, 30.0, b""),
        (1, True, 900.0, b'{"Name":"lock-1","Type":1'),
        (1, True, -400.0, None),
    )
    found: list[Lock] = []
    for n in range(locks):
        type_, acquired, age, raw = kinds[n % len(kinds)]
        # Of each ten locks one lies beside the last, in the same volume.
        volume = names[n - 1 if n % 10 == 9 else n]
        found.append(Lock(volume, f"lock-{rng.getrandbits(64):016x}", type_, acquired, age, raw))
    return Fleet(tuple(made), tuple(found))


def put_all(store: Store, made: Fleet) -> None:
    """Write a fleet into a store; all times are the store's now."""
    for volume in made.volumes:
        if not volume.ghost:
            store.put(volume.cfg_key, volume.cfg)
    for lock in made.locks:
        store.put(lock.key, lock.content)


def write_all(root: Path, made: Fleet, now_ns: int) -> None:
    """Write a fleet into a folder; locks get the times that their ages give them at `now_ns`."""
    for volume in made.volumes:
        if not volume.ghost:
            write(root, volume.cfg_key, volume.cfg)
    write_locks(root, made.locks, now_ns)


def write_locks(root: Path, locks: Iterable[Lock], now_ns: int) -> None:
    """Write locks into a folder, dated by their ages."""
    for lock in locks:
        write(root, lock.key, lock.content, now_ns - round(lock.age_s * NS))


def write(root: Path, key: str, content: bytes, modified_ns: int | None = None) -> Path:
    """Write one file below a folder."""
    path = root / key
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    if modified_ns is not None:
        os.utime(path, ns=(modified_ns, modified_ns))
    return path
