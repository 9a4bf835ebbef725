"""Scenes on Samba and the kernel's CIFS client."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from backuplock.lock import BackupLock
from backuplock.model import Operation
from backuplock.stores.filesystem import FilesystemStore
from backuplock.stores.mounts import find_share, read_mounts
from backuplock.survey import sweep
from backuplock.target import parse_target
from harness.builders import Lock
from umlguest.machine import Mounted, mount, server_of, shell, smb_options
from umlguest.scene import Scene, Told, error_of, rounds
from umlguest.shares import Pair, doctor, mount_check

SERVED = Path("/mnt/smb-share")


def act() -> list[Scene]:
    """Set the stage; all scenes."""
    first = mount("a", "cifs", "/backups", smb_options())
    second = mount("b", "cifs", "/backups", smb_options())
    pair = Pair.of(first.point, second.point, SERVED, "cifs-scratch")
    pair.volume("pvc-1")
    return [
        Scene("cifs_target", lambda: target(first, second)),
        Scene("cifs_sight", pair.sight),
        Scene("cifs_doctor", lambda: doctor(first.point, write=True)),
        Scene("cifs_options", options),
        Scene("cifs_rights", lambda: rights(pair)),
        Scene("cifs_locks", pair.locks),
        Scene("cifs_live_refused", pair.live_refused),
        Scene("cifs_break_and_undo", pair.break_and_undo),
        Scene("cifs_renewals", pair.renewals),
        Scene("cifs_race", pair.race),
        Scene("cifs_break_race", lambda: pair.break_race(rounds(12))),
    ]


def target(first: Mounted, second: Mounted) -> Told:
    """A share is found by its URL in the kernel's own table, in any case of letters."""

    def found(url: str) -> str:
        return str(find_share(parse_target(url), read_mounts()))

    a, b = server_of("a"), server_of("b")
    store = FilesystemStore(parse_target(f"cifs://{a}/backups"))
    return {
        "first": [found(f"cifs://{a}/backups"), str(first.point)],
        "second": [found(f"cifs://{b}/Backups/"), str(second.point)],
        "below": [found(f"cifs://{b}/backups/deep"), f"{second.point}/deep"],
        "not mounted": error_of(lambda: FilesystemStore(parse_target(f"cifs://{a}/elsewhere"))),
        "volumes": [view.name for view in sweep(store).volumes],
        "kind": store.fs_type,
        "line": list(store.mount.options) if store.mount else [],
    }


def options() -> Told:
    """What doctor says of mounts as people make them."""
    told: Told = {}
    for number, more in enumerate(("actimeo=60", "actimeo=1", "cache=none", "vers=2.1", "hard")):
        share = mount("c", "cifs", "/backups", smb_options(more), f"-{number}")
        told[more] = mount_check(share.point)
        if more == "actimeo=60":
            told["refused"] = error_of(partial(_taken, share.point))
        shell(f"umount {share.point}")
    return told


def _taken(point: Path) -> None:
    BackupLock(FilesystemStore(point, writable=True), "pvc-1", Operation.BACKUP).acquire()


def rights(pair: Pair) -> Told:
    """A share for reading only, and one whose folder is another user's."""
    looking = FilesystemStore(mount("c", "cifs", "/looking", smb_options(), "-looking").point, writable=True)
    closed = FilesystemStore(
        mount("c", "cifs", "/closed", smb_options(user="nobody"), "-closed").point, writable=True
    )
    lock = Lock("pvc-rights", "lock-feed000000000001")
    pair.first.put(lock.key, lock.content)
    told: Told = {
        "seen": sorted(sweep(looking).by_key),
        "put": error_of(lambda: looking.put(lock.key, b"x")),
        "delete": error_of(lambda: looking.delete(lock.key)),
        "lock": error_of(lambda: BackupLock(looking, "pvc-rights", Operation.BACKUP).acquire()),
        "closed sweep": error_of(lambda: sweep(closed)),
        "closed put": error_of(lambda: closed.put(lock.key, b"x")),
    }
    pair.first.delete(lock.key)
    return told
