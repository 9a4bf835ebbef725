"""Scenes on the kernel's NFS 4.2 server and client."""

from __future__ import annotations

import os
import time
from pathlib import Path

from backuplock.clock import SystemClock
from backuplock.errors import BackupLockError
from backuplock.guarantees import measure_listing_lag
from backuplock.layout import lock_key, locks_folder
from backuplock.lock import BackupLock
from backuplock.model import Operation
from backuplock.stores.filesystem import FilesystemStore
from backuplock.stores.mounts import find_share, read_mounts
from backuplock.survey import sweep
from backuplock.target import parse_target
from harness.builders import Lock, Volume
from umlguest.machine import LONGHORN, Mounted, mount, server_of, shell
from umlguest.scene import Scene, Told, error_of, rounds, seconds_until
from umlguest.shares import Pair, doctor, mount_check

SERVED = Path("/mnt/export/backups")


def act() -> list[Scene]:
    """Set the stage; all scenes."""
    first = mount("a", "nfs4", "/backups", LONGHORN)
    second = mount("b", "nfs4", "/backups", LONGHORN)
    pair = Pair.of(first.point, second.point, SERVED, "nfs-scratch")
    pair.volume("pvc-1")
    return [
        Scene("nfs_target", lambda: target(first, second)),
        Scene("nfs_sight", pair.sight),
        Scene("nfs_doctor", lambda: doctor(first.point, write=True)),
        Scene("nfs_default", lambda: default_options(pair)),
        Scene("nfs_other_options", other_options),
        Scene("nfs_squash", squash),
        Scene("nfs_stale", stale),
        Scene("nfs_clock", lambda: clock(pair)),
        Scene("nfs_locks", pair.locks),
        Scene("nfs_live_refused", pair.live_refused),
        Scene("nfs_break_and_undo", pair.break_and_undo),
        Scene("nfs_renewals", pair.renewals),
        Scene("nfs_race", pair.race),
        Scene("nfs_break_race", lambda: pair.break_race(rounds(60))),
    ]


def target(first: Mounted, second: Mounted) -> Told:
    """A share is found by its URL in the kernel's own table; each client's by its server's address."""

    def found(url: str) -> str:
        return str(find_share(parse_target(url), read_mounts()))

    a, b = server_of("a"), server_of("b")
    store = FilesystemStore(parse_target(f"nfs://{a}:/backups"))
    return {
        "first": [found(f"nfs://{a}:/backups"), str(first.point)],
        "second": [found(f"nfs://{b}:/backups/"), str(second.point)],
        "below": [found(f"nfs://{b}:/backups/deep/er"), f"{second.point}/deep/er"],
        "options": [found(f"nfs://{a}:/backups?nfsOptions=soft,timeo=150"), str(first.point)],
        "not mounted": error_of(lambda: FilesystemStore(parse_target(f"nfs://{a}:/elsewhere"))),
        "volumes": [view.name for view in sweep(store).volumes],
        "kind": store.fs_type,
        "line": list(store.mount.options) if store.mount else [],
    }


def default_options(pair: Pair) -> Told:
    """What `mount` does by itself: caches of up to a minute."""
    plain = mount("b", "nfs4", "/backups", "vers=4.2", "-plain")
    store = FilesystemStore(plain.point, writable=True)
    key = lock_key("pvc-default", "lock-feed000000000001")
    early = store.read(key)
    pair.first.put(key, b"there")
    # The kernel's own word, past our code: a name that was looked for before it was there.
    hidden = not (plain.point / key).exists()
    in_server = (SERVED / key).exists()
    lag = measure_listing_lag(pair.first, store, "backupstore/.locktop/lag", patience_s=4)
    refused = error_of(lambda: BackupLock(store, "pvc-default", Operation.BACKUP).acquire())
    insisted = BackupLock(FilesystemStore(pair.first.root, writable=True), "pvc-default", Operation.BACKUP)
    return {
        "refused": refused,
        "early": early is None,
        "hidden": hidden,
        "on the server": in_server,
        "measured lag": lag,
        "doctor": doctor(plain.point, write=False),
        "not refused with Longhorn's options": insisted.terms.caveat,
    }


def other_options() -> Told:
    """What doctor says of mounts as people make them."""
    options = {
        "hard": "vers=4.2,actimeo=1,hard",
        "noac": "vers=4.2,noac,soft",
        "vers=4.0": "vers=4.0,actimeo=1,soft",
        "acdirmax": "vers=4.2,actimeo=1,acdirmax=30,soft",
        "lookupcache": "vers=4.2,actimeo=1,soft,lookupcache=none",
    }
    told: Told = {}
    for number, (name, words) in enumerate(options.items()):
        share = mount("c", "nfs4", "/backups", words, f"-{number}")
        told[name] = mount_check(share.point)
        shell(f"umount {share.point}")
    return told


def squash() -> Told:
    """A server that takes root for nobody, above folders that are root's alone; and one that lets us in."""
    served = Path("/mnt/export/squashed")
    volume = Volume("pvc-squashed")
    closed = served / volume.cfg_key
    closed.parent.mkdir(parents=True)
    closed.write_bytes(volume.cfg)
    (served / "backupstore").chmod(0o700)
    share = mount("a", "nfs4", "/squashed", LONGHORN, "-squashed")
    store = FilesystemStore(share.point, writable=True)
    key = Lock("pvc-squashed", "lock-feed000000000001").key
    told: Told = {
        "sweep": error_of(lambda: sweep(store)),
        "read": error_of(lambda: store.read(key)),
        "put": error_of(lambda: store.put(key, b"x")),
        "delete": error_of(lambda: store.delete(key)),
        "lock": error_of(lambda: BackupLock(store, "pvc-squashed", Operation.BACKUP).acquire()),
    }
    shell(f"chown -R nobody:nogroup {served}/backupstore")
    seconds_until(lambda: not error_of(lambda: sweep(store)).startswith("Denied"), 20)
    told["doctor"] = doctor(share.point, write=True)
    return told


def stale() -> Told:
    """The folder on the server is replaced by another under the mount: its handle is stale."""
    served = Path("/mnt/export/fleeting/inner")
    (served / "backupstore" / "volumes").mkdir(parents=True)
    share = mount("a", "nfs4", "/fleeting/inner", LONGHORN, "-fleeting")
    store = FilesystemStore(share.point, writable=True)
    before = error_of(lambda: store.list("backupstore"))
    shell(f"rm -r {served}; mkdir -p {served}/backupstore/volumes")
    key = Lock("pvc-stale", "lock-feed000000000001").key
    seconds_until(lambda: "Stale" in error_of(lambda: store.list("backupstore")), 20)
    told: Told = {
        "before": before,
        "list": error_of(lambda: store.list("backupstore")),
        "read": error_of(lambda: store.read(key)),
        "put": error_of(lambda: store.put(key, b"x")),
        "delete": error_of(lambda: store.delete(key)),
    }
    shell(f"umount -l {share.point}; rmdir {share.point}")
    mount("a", "nfs4", "/fleeting/inner", LONGHORN, "-fleeting")
    told["mounted again"] = error_of(lambda: store.list("backupstore"))
    return told


class Late(SystemClock):
    """A wall clock two hours behind."""

    def wall_ns(self) -> int:
        return super().wall_ns() - 7200 * 1_000_000_000


def clock(pair: Pair) -> Told:
    """A client of ours whose clock is two hours behind the server's, which stamps."""
    late = FilesystemStore(pair.second.root, writable=True, clock=Late())
    pair.volume("pvc-clock")
    held = BackupLock(pair.first, "pvc-clock", Operation.BACKUP)
    held.acquire()
    refused = error_of(lambda: BackupLock(late, "pvc-clock", Operation.DELETE, clock=Late()).acquire())
    held.release()
    # A dead lock of a peer's stands in nobody's way, whatever our clock says.
    dead = Lock("pvc-clock", "lock-feed000000000001", type=1)
    pair.first.put(dead.key, dead.content)
    old = time.time() - 400
    os.utime(SERVED / dead.key, (old, old))
    seconds_until(lambda: (blob := late.read(dead.key)) and blob.modified_ns < (old + 1) * 1e9, 20)
    ours = BackupLock(late, "pvc-clock", Operation.DELETE, clock=Late())
    try:
        ours.acquire()
        granted = str(ours.release().proof)
    except BackupLockError as error:
        granted = str(error)
    snapshot = sweep(late, clock=Late())
    off, bar = snapshot.clock.skew(wall_ns=snapshot.taken_wall_ns, mono_ns=snapshot.ended_mono_ns)
    told = {"refused": refused, "granted": granted, "skew source": snapshot.clock.source}
    pair.first.delete(dead.key)
    left = [entry.name for entry in pair.first.list(locks_folder("pvc-clock")).entries]
    return {**told, "skew s": off / 1e9, "bar s": bar / 1e9, "left": left}
