"""Keys of a Longhorn backup store, and which names are what.

Source: Longhorn backupstore, `<path>/backupstore/volumes/<c0c1>/<c2c3>/<volume>/`, where c is the hex
SHA-512 of the volume's name. All keys here are relative to the target's root.
"""

from __future__ import annotations

import hashlib
import re
import secrets

from backuplock.errors import Malformed

ROOT = "backupstore"
VOLUMES = f"{ROOT}/volumes"
LOCKS = "locks"
BACKUPS = "backups"
BLOCKS = "blocks"
LOCK_SUFFIX = ".lck"
VOLUME_CFG = "volume.cfg"
BACKING_IMAGE = "BACKINGIMAGE"
"""The pseudo volume whose locks guard all backing images of a target."""

_STEM = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+")
_VOLUME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]*")
_SHARD = re.compile(r"[0-9a-f]{2}")


def shards(volume: str) -> tuple[str, str]:
    """The two folder levels above a volume: the first four hex digits of its name's SHA-512."""
    digest = hashlib.sha512(volume.encode("utf-8", "surrogateescape")).hexdigest()
    return digest[0:2], digest[2:4]


def volume_folder(volume: str) -> str:
    """`backupstore/volumes/xx/yy/<volume>`.

    Raises:
        Malformed: the name could leave its folder or cannot name one; see `check_volume_name`.
    """
    check_volume_name(volume)
    first, second = shards(volume)
    return f"{VOLUMES}/{first}/{second}/{volume}"


def volume_cfg(volume: str) -> str:
    """The key of a volume's `volume.cfg`."""
    return f"{volume_folder(volume)}/{VOLUME_CFG}"


def backup_cfg(volume: str, backup: str) -> str:
    """The key of one backup's description."""
    return f"{volume_folder(volume)}/backups/backup_{backup}.cfg"


def locks_folder(volume: str) -> str:
    """The folder that holds a volume's locks."""
    return f"{volume_folder(volume)}/{LOCKS}"


def lock_key(volume: str, name: str) -> str:
    """The key of the lock `name` of a volume.

    Raises:
        Malformed: Longhorn would not take a file of this name for a lock.
    """
    if not _STEM.fullmatch(name):
        raise Malformed(
            f"lock name {name[:80]!a} is not one Longhorn would see",
            advice="use letters, digits, '_', '.', '-', two or more, the first a letter or digit",
        )
    return f"{locks_folder(volume)}/{name}{LOCK_SUFFIX}"


def is_lock_file(file_name: str) -> bool:
    """Whether Longhorn takes a file under `locks/` for a lock, by its name alone."""
    return file_name.endswith(LOCK_SUFFIX) and bool(_STEM.fullmatch(file_name[: -len(LOCK_SUFFIX)]))


def is_shard(folder: str) -> bool:
    """Whether a folder name is one of the two hash levels."""
    return bool(_SHARD.fullmatch(folder))


def new_lock_name() -> str:
    """A fresh lock name in Longhorn's form: `lock-` and 16 hex digits."""
    return f"lock-{secrets.token_hex(8)}"


def check_volume_name(volume: str) -> None:
    """Refuse names that cannot be a volume's.

    Longhorn's volume names are Kubernetes names; what is refused here is what could escape the folder or
    cannot stand as one path element, so that no key we derive ever leaves the target's root.

    Raises:
        Malformed: naming the volume and the rule.
    """
    if not _VOLUME.fullmatch(volume) or len(volume) > 253:
        shown = volume if len(volume) <= 80 else volume[:77] + "..."
        raise Malformed(
            f"{shown!a} is not a volume name",
            advice="use letters, digits, '_', '.', '-', the first a letter or digit, 253 at most",
        )
