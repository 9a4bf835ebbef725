"""What else the store says about a volume: names people know, backups in progress, signs of work.

Reads are bounded: one listing of the volume, one of its `backups/`, and a few small descriptions. Of blocks,
of which there may be millions, a random sample is looked at, and only where somebody asks (`with_blocks`).

Sources: Longhorn's `volume.cfg`, whose label `KubernetesStatus` is a JSON string inside the JSON; its
`backups/backup_<name>.cfg`, which has an empty `CreatedTime` from when the upload begins until it has ended.
"""

from __future__ import annotations

import hashlib
import json
import random
from dataclasses import dataclass, replace
from typing import Any, Protocol, runtime_checkable

from backuplock import layout
from backuplock.errors import StoreError
from backuplock.model import VolumeNames
from backuplock.stores.base import BODY_CAP, Entry, Store

MOST_READ = 20
"""Descriptions of backups that are read of one volume at most, the newest first."""

PARTS = 8
"""Of the 256 parts of a volume's blocks, those that are looked at."""
MOST_BLOCKS = 500
"""Blocks of one part that are looked at."""
_MOST_FOLDERS = 32
"""Folders of one part that are listed where a store lists one level at a time."""

_PREFIX, _SUFFIX = "backup_", ".cfg"


@runtime_checkable
class Deep(Protocol):
    """A store that lists a folder with all that lies below it in one request, as object stores do."""

    def newest_below(self, folder: str, most: int) -> int | None:
        """When the youngest of the first `most` objects below `folder` was written; None: there are none."""


@dataclass(frozen=True, slots=True)
class Unfinished:
    """A backup whose description says that it has not ended: in progress, or left by a holder that died.

    `written_ns` is the store time at which the description was last written, `snapshot_at` the time of the
    volume's snapshot as Longhorn writes it ("" if it says none).
    """

    name: str
    key: str
    written_ns: int
    snapshot: str = ""
    snapshot_at: str = ""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What lies beside the locks of a volume.

    Attributes:
        unfinished: backups that have not ended, the newest first.
        backups: descriptions of backups that are there, finished or not.
        newest_ns: store time at which the newest of them was last written; None: no such. `volume.cfg` says
            nothing of a backup in progress: Longhorn writes it for other reasons, too.
        newest_finished_ns: the same for descriptions that were not found unfinished.
        newest_block_ns: when the youngest block of a sample was written; None: no such, or nobody looked.
        unread: descriptions that could be unfinished and were not read, for they are too many or failed.
        digest: of the two listings, locks left out; the same digest means that nothing of them changed.
        problem: why something is missing here, "" if nothing is.
    """

    unfinished: tuple[Unfinished, ...] = ()
    backups: int = 0
    newest_ns: int | None = None
    newest_finished_ns: int | None = None
    newest_block_ns: int | None = None
    unread: int = 0
    digest: str = ""
    problem: str = ""


def surroundings(store: Store, volume: str, *, most_read: int = MOST_READ) -> Surroundings:
    """Look at what lies beside the locks of a volume; what fails is said in `problem`.

    Raises:
        Malformed: `volume` is no volume's name.
    """
    folder = layout.volume_folder(volume)
    try:
        inside = store.list(folder)
        # A volume that never had a backup has no such folder, and an object store would be asked in vain.
        backups = store.list(f"{folder}/{layout.BACKUPS}").entries if layout.BACKUPS in inside.folders else ()
    except StoreError as error:
        return Surroundings(problem=f"what lies beside the locks could not be listed: {error}")
    cfgs = sorted(filter(_is_backup, backups), key=lambda entry: (entry.modified_ns or 0, entry.name))[::-1]
    # A finished backup's description lists its blocks: only a small one can be of a backup in progress.
    small = [entry for entry in cfgs if entry.size <= BODY_CAP]
    found: list[Unfinished] = []
    failed = 0
    for entry in small[:most_read]:
        try:
            unfinished = _unfinished(store, f"{folder}/{layout.BACKUPS}/{entry.name}")
        except StoreError:
            failed += 1
            continue
        if unfinished is not None:
            found.append(unfinished)
    names = {f"{_PREFIX}{one.name}{_SUFFIX}" for one in found}
    cfg = [entry for entry in inside.entries if entry.name == layout.VOLUME_CFG]
    return Surroundings(
        unfinished=tuple(found),
        backups=len(cfgs),
        newest_ns=_newest(cfgs),
        newest_finished_ns=_newest([entry for entry in cfgs if entry.name not in names]),
        unread=failed + max(0, len(small) - most_read),
        digest=_fingerprint([*cfg, *backups]),
        problem=f"{failed} of the descriptions of its backups could not be read" if failed else "",
    )


def with_blocks(store: Store, volume: str, found: Surroundings) -> Surroundings:
    """`found`, after a look at a sample of the volume's blocks, if a backup may be writing some: for hours
    nothing else of it changes.

    Longhorn names a block by its checksum and puts it into the folder of that name's first digits, so that
    what a backup writes is spread evenly, and a few folders at random show whether anything is written.

    Raises:
        Malformed: `volume` is no volume's name.
    """
    if not (found.unfinished or found.unread):
        return found
    folder = f"{layout.volume_folder(volume)}/{layout.BLOCKS}"
    try:
        parts = [name for name in store.list(folder).folders if layout.is_shard(name)]
        chosen = random.sample(parts, min(PARTS, len(parts)))
        times = [_newest_of_part(store, f"{folder}/{part}") for part in chosen]
    except StoreError as error:
        return replace(found, problem=found.problem or f"its blocks could not be listed: {error}")
    return replace(found, newest_block_ns=max((one for one in times if one is not None), default=None))


def _newest_of_part(store: Store, folder: str) -> int | None:
    if isinstance(store, Deep):
        return store.newest_below(folder, MOST_BLOCKS)
    names = store.list(folder).folders
    chosen = random.sample(names, min(_MOST_FOLDERS, len(names)))
    return _newest([entry for name in chosen for entry in store.list(f"{folder}/{name}").entries])


def _is_backup(entry: Entry) -> bool:
    return entry.regular and entry.name.startswith(_PREFIX) and entry.name.endswith(_SUFFIX)


def _newest(entries: list[Entry]) -> int | None:
    return max((entry.modified_ns for entry in entries if entry.modified_ns is not None), default=None)


def _fingerprint(entries: list[Entry]) -> str:
    shown = repr([(entry.name, entry.size, entry.modified_ns, entry.etag) for entry in entries])
    return hashlib.sha256(shown.encode("utf-8", "backslashreplace")).hexdigest()[:16]


def _unfinished(store: Store, key: str) -> Unfinished | None:
    blob = store.read(key)
    fields = _object(blob.body) if blob is not None else None
    if blob is None or fields is None or _text(fields.get("CreatedTime")):
        return None
    if not _text(fields.get("Name")) and "CreatedTime" not in fields:
        # Not a description of a backup at all.
        return None
    file_name = key.rpartition("/")[2]
    return Unfinished(
        name=file_name[len(_PREFIX) : -len(_SUFFIX)],
        key=key,
        written_ns=blob.modified_ns,
        snapshot=_text(fields.get("SnapshotName")),
        snapshot_at=_text(fields.get("SnapshotCreatedAt")),
    )


def volume_names(body: bytes) -> VolumeNames | None:
    """The names in a `volume.cfg`; None if it cannot be understood. Nothing in it is trusted to be well
    formed: it decides nothing and is only shown."""
    config = _object(body)
    if config is None:
        return None
    labels = config.get("Labels")
    status = _object(labels.get("KubernetesStatus")) if isinstance(labels, dict) else None
    workloads = (status or {}).get("workloadsStatus")
    first = workloads[0] if isinstance(workloads, list) and workloads else None
    workload = first if isinstance(first, dict) else {}
    return VolumeNames(
        namespace=_text((status or {}).get("namespace")),
        claim=_text((status or {}).get("pvcName")),
        workload=_text(workload.get("workloadName")) or _text(workload.get("podName")),
        backing_image=_unwrapped(config.get("BackingImageName")),
    )


def _object(raw: object) -> dict[str, Any] | None:
    if not isinstance(raw, (str, bytes)):
        return None
    try:
        found = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _unwrapped(value: object) -> str:
    """Some fields are JSON strings inside JSON strings: `"\\"lz4\\""`."""
    text = _text(value)
    if text.startswith('"'):
        try:
            return _text(json.loads(text))
        except ValueError:
            return text
    return text
