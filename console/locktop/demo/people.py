"""Who lives in the demo's store: volumes with names, backups, and locks in every state.

A scene is a value, made from a seed and a given now: the same pair gives the same files, so that pictures
and tests can use it too. Nothing of it is recorded from a real cluster; it has the form of one.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path

from backuplock import layout
from backuplock.clock import SECOND, nanoseconds
from backuplock.model import LockRecord, LockType, Operation, Owner
from backuplock.wire import encode
from locktop.demo.bodies import backup_cfg, volume_cfg

VOLUMES = 60


@dataclass(frozen=True, slots=True)
class File:
    """An object of the scene: last written `age_s` seconds before the scene's now (negative: after)."""

    key: str
    body: bytes
    age_s: float = 86_400.0


@dataclass(frozen=True, slots=True)
class Tenant:
    """A volume and the names people know it by."""

    volume: str
    namespace: str
    claim: str
    workload: str


@dataclass(frozen=True, slots=True)
class Holder:
    """A lock of the scene whose holder is alive, and goes on for `left_s` seconds.

    It was last refreshed `age_s` ago and is refreshed each `every_s`; Longhorn does so each 60 s.
    """

    volume: str
    record: LockRecord
    age_s: float
    left_s: float
    every_s: float = 60.0

    @property
    def key(self) -> str:
        """Where it lies."""
        return layout.lock_key(self.volume, self.record.name)


@dataclass(frozen=True, slots=True)
class Scene:
    """A peopled store. `files` includes the holders' locks."""

    tenants: tuple[Tenant, ...]
    files: tuple[File, ...]
    holders: tuple[Holder, ...]


_APPS = (
    # namespace, workload, stem of its claims, replicas
    ("shop", "postgres", "data-postgres", 3),
    ("shop", "redis", "data-redis", 3),
    ("shop", "catalog", "catalog-images", 1),
    ("billing", "postgres", "data-postgres", 3),
    ("billing", "invoices", "invoice-archive", 1),
    ("billing", "rabbitmq", "data-rabbitmq", 3),
    ("identity", "keycloak-db", "data-keycloak-db", 2),
    ("identity", "openldap", "ldap-data", 1),
    ("monitoring", "prometheus", "prometheus-db", 2),
    ("monitoring", "loki", "storage-loki", 3),
    ("monitoring", "grafana", "grafana", 1),
    ("mail", "dovecot", "maildirs", 2),
    ("mail", "postfix", "spool", 1),
    ("analytics", "clickhouse", "data-clickhouse", 4),
    ("analytics", "kafka", "data-kafka", 5),
    ("analytics", "zookeeper", "data-zookeeper", 3),
    ("ci", "gitea", "gitea-repositories", 1),
    ("ci", "registry", "registry-layers", 1),
    ("ci", "runner-cache", "cache", 4),
    ("media", "minio", "export-minio", 4),
    ("media", "nextcloud", "nextcloud-data", 1),
    ("media", "transcoder", "scratch", 2),
    ("search", "elasticsearch", "elasticsearch-data", 5),
    ("wiki", "mediawiki-db", "data-mariadb", 1),
    ("wiki", "mediawiki", "uploads", 1),
    ("erp", "odoo-db", "data-odoo-db", 2),
)


def scene(now_ns: int, *, seed: int = 1, volumes: int = VOLUMES) -> Scene:
    """The demo's store as of `now_ns`. `volumes` is 30 at least, for the cast needs as many."""
    if volumes < 30:
        raise ValueError("a scene has 30 volumes at least")
    rng = random.Random(seed)  # noqa: S311
    tenants = tuple(_tenants(rng, volumes))
    files = [file for tenant in tenants for file in _volume(tenant, rng, now_ns)]
    shuffled = rng.sample(tenants, len(tenants))
    holders = _holders(shuffled, rng)
    files += [File(holder.key, encode(holder.record), holder.age_s) for holder in holders]
    files += _troubles(shuffled, rng, now_ns)
    return Scene(tenants, tuple(files), tuple(holders))


def plant(root: Path, made: Scene, now_ns: int) -> None:
    """Write a scene below `root`, with the times that `now_ns` gives it."""
    import os

    for file in made.files:
        path = root / file.key
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.write_bytes(file.body)
        stamp = now_ns - nanoseconds(file.age_s)
        os.utime(path, ns=(stamp, stamp))


def _tenants(rng: random.Random, count: int) -> list[Tenant]:
    found: list[Tenant] = []
    round_ = 0
    while len(found) < count:
        for namespace, workload, stem, replicas in _APPS:
            for replica in range(replicas):
                claim = stem if replicas == 1 else f"{stem}-{replica}"
                where = namespace if round_ == 0 else f"{namespace}-{round_}"
                found.append(Tenant(f"pvc-{_uuid(rng)}", where, claim, workload))
        round_ += 1
    return found[:count]


def _volume(tenant: Tenant, rng: random.Random, now_ns: int) -> list[File]:
    folder = layout.volume_folder(tenant.volume)
    nightly = range(rng.randint(1, 4), 0, -1)
    names = [f"backup-{rng.getrandbits(64):016x}" for _ in nightly]
    written = [now_ns - (day * 86_400 - 3_600) * SECOND for day in nightly]
    size = rng.choice((2, 5, 10, 20, 50, 100)) << 30
    files = [
        File(f"{folder}/volume.cfg", volume_cfg(tenant, size, names[-1], written[-1]), 82_800.0),
    ]
    for name, at in zip(names, written, strict=True):
        key = layout.backup_cfg(tenant.volume, name)
        files.append(File(key, backup_cfg(tenant.volume, name, at, finished=True), (now_ns - at) / SECOND))
    for _ in range(2):
        checksum = f"{rng.getrandbits(512):0128x}"
        block = f"{folder}/blocks/{checksum[:2]}/{checksum[2:4]}/{checksum}.blk"
        files.append(File(block, rng.randbytes(512)))
    return files


_BACKUP, _DELETE = int(LockType.BACKUP_RESTORE), int(LockType.DELETION)


def _holders(cast: list[Tenant], rng: random.Random) -> list[Holder]:
    """Locks whose holders live: refreshed by a client process each, in the demo."""
    kinds = [_BACKUP] * 8 + [_DELETE] * 2
    found = [
        Holder(tenant.volume, _record(rng, kind), age_s=3.0 + 5.3 * n, left_s=25.0 + 17.0 * n)
        for n, (tenant, kind) in enumerate(zip(cast, kinds, strict=False))
    ]
    # Backup and restore go together: a second lock of that type on the first volume.
    found.append(Holder(cast[0].volume, _record(rng, _BACKUP), 11.0, 180.0))
    found.append(Holder(layout.BACKING_IMAGE, _record(rng, _BACKUP), 27.0, 400.0))
    # A slow store: each refresh comes late, none so late that the lease ends.
    found.append(Holder(cast[10].volume, _record(rng, _BACKUP), 70.0, 1_000.0, every_s=110.0))
    note = "nightly copy to tape"
    owner = Owner("backup-ops-1", 4711, "backup", Operation.BACKUP.value, note, tool="locktop 0.1.0")
    found.append(Holder(cast[11].volume, _record(rng, _BACKUP, owner), 8.0, 600.0, every_s=20.0))
    return found


def _troubles(cast: list[Tenant], rng: random.Random, now_ns: int) -> list[File]:
    """Locks that nobody holds any more, or that nobody understands, and other things that lie about."""

    def lock(tenant: Tenant, body: bytes, age_s: float) -> File:
        return File(layout.lock_key(tenant.volume, _name(rng)), body, age_s)

    def dead(tenant: Tenant, kind: int, age_s: float, *, acquired: bool = True) -> File:
        record = _record(rng, kind, acquired=acquired)
        return File(layout.lock_key(tenant.volume, record.name), encode(record), age_s)

    ghost = f"pvc-{_uuid(rng)}"
    stamp = now_ns - 7_200 * SECOND
    return [
        dead(cast[12], _DELETE, 213.0),
        dead(cast[13], _BACKUP, 19 * 60.0),
        dead(cast[14], _DELETE, 9_700.0),
        # Beside a live one: whoever looks at the folder by hand takes it for the culprit.
        dead(cast[1], _DELETE, 3 * 86_400.0),
        dead(cast[15], _BACKUP, 92.0),
        dead(cast[16], _DELETE, 127.0),
        # Died while asking, behind a live backup.
        dead(cast[2], _DELETE, 35.0, acquired=False),
        dead(cast[17], _BACKUP, 6.0, acquired=False),
        lock(cast[18], encode(_record(rng, _BACKUP))[:23], 40.0),
        lock(cast[19], b"", 600.0),
        lock(cast[20], b"{}", 55.0),
        lock(cast[21], encode(_record(rng, 7)), 30.0),
        # Written by a host whose clock is nine minutes ahead, on a store that believes it.
        dead(cast[22], _BACKUP, -540.0),
        File(layout.lock_key(ghost, _name(rng)), encode(_record(rng, _BACKUP)), 5 * 3_600.0),
        File(f"{layout.locks_folder(cast[0].volume)}/{_name(rng)}.lck.tmp.{stamp}", b"", 7_200.0),
        File(f"{layout.locks_folder(cast[23].volume)}/{_name(rng)}.lck.tmp.{stamp}", b"", 7_200.0),
    ]


def _record(
    rng: random.Random, kind: int, owner: Owner | None = None, *, acquired: bool = True
) -> LockRecord:
    return LockRecord(_name(rng), kind, acquired, owner)


def _name(rng: random.Random) -> str:
    return f"lock-{rng.getrandbits(64):016x}"


def _uuid(rng: random.Random) -> str:
    digits = f"{rng.getrandbits(128):032x}"
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))
