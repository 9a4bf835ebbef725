"""What was listed of one volume -> its VolumeView, reading what is new of its locks and names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from backuplock import layout
from backuplock.asking import Asking
from backuplock.errors import Malformed, StoreError
from backuplock.evidence import volume_names
from backuplock.model import Leftover, LockFile, Snapshot, VolumeNames, VolumeView
from backuplock.reading import folder_locks, is_unchanged, read_lock
from backuplock.stores.base import Listing

VOLUME_CFG_CAP = 256 * 1024


class Views:
    """Makes the views of one sweep.

    Args:
        previous: the last Snapshot of the same store: what is unchanged since then is not read again.
        all_names: read the names people know of volumes without locks too.
    """

    def __init__(self, asking: Asking, previous: Snapshot | None, all_names: bool) -> None:
        self._asking = asking
        self._all_names = all_names
        self._known: Mapping[str, LockFile] = previous.by_key if previous else {}
        self._names: dict[str, VolumeNames] = {
            volume.name: volume.names for volume in (previous.volumes if previous else ()) if volume.names
        }

    def listed(self, name: str, folder: str) -> VolumeView:
        """The view of a volume that is listed here: its folder, and its locks if it has any.

        Raises:
            StoreError: the volume could not be listed.
            Malformed: its name cannot be part of a key.
        """
        return self.of(name, folder, self._asking.list(folder))

    def of(self, name: str, folder: str, inside: Listing, locks: Listing | None = None) -> VolumeView:
        """The view of a volume whose folder was listed, and `locks/` perhaps too.

        Raises: as `listed`.
        """
        names = self._volume_names(name, folder, inside) if self._all_names else None
        if layout.LOCKS not in inside.folders:
            return VolumeView(name, names=names, problem=_odd_locks(inside))
        listing = self._asking.list(f"{folder}/{layout.LOCKS}") if locks is None else locks
        found, leftovers = self._locks(name, f"{folder}/{layout.LOCKS}", listing)
        if found and not self._all_names:
            names = self._volume_names(name, folder, inside)
        return VolumeView(
            name=name,
            locks=found,
            leftovers=leftovers,
            names=names,
            ghost=not inside.entries and inside.folders == (layout.LOCKS,) and name != layout.BACKING_IMAGE,
        )

    def idle(self, name: str, folder: str) -> VolumeView:
        """The view of a volume that is known to have no locks, and of which nothing else is known."""
        return VolumeView(name, names=self._names_of(name, folder)) if self._all_names else VolumeView(name)

    def again(self, before: VolumeView, folder: str) -> VolumeView:
        """The view of a volume whose `locks/` is listed here; all else is as it was.

        Raises:
            StoreError: it could not be listed.
        """
        locks = f"{folder}/{layout.LOCKS}"
        found, leftovers = self._locks(before.name, locks, self._asking.list(locks))
        names = before.names
        if found and names is None and not before.locks and not before.ghost:
            names = self._names_of(before.name, folder)
        return replace(before, locks=found, leftovers=leftovers, names=names)

    def needs_reading(self, name: str, folder: str, inside: Listing, locks: Listing) -> bool:
        """Whether `of` would send a request."""
        if (locks.entries or self._all_names) and name not in self._names and _has_cfg(inside):
            return True
        for entry in locks.entries:
            known = self._known.get(f"{folder}/{layout.LOCKS}/{entry.name}")
            if layout.is_lock_file(entry.name) and (known is None or not is_unchanged(known, entry)):
                return True
        return False

    def _locks(
        self, volume: str, folder: str, listing: Listing
    ) -> tuple[tuple[LockFile, ...], tuple[Leftover, ...]]:
        locks: list[LockFile] = []
        leftovers: list[Leftover] = []
        for entry in listing.entries:
            key = f"{folder}/{entry.name}"
            if not layout.is_lock_file(entry.name):
                leftovers.append(Leftover(key, entry.size, entry.modified_ns))
            elif (lock := read_lock(self._asking.read, volume, key, entry, self._known.get(key))) is not None:
                locks.append(lock)
        locks.extend(folder_locks(volume, folder, listing))
        return tuple(locks), tuple(leftovers)

    def _volume_names(self, name: str, folder: str, inside: Listing) -> VolumeNames | None:
        return self._names_of(name, folder) if _has_cfg(inside) else None

    def _names_of(self, name: str, folder: str) -> VolumeNames | None:
        # A claim keeps its name for the life of the volume: one read a volume is enough.
        if name in self._names:
            return self._names[name]
        try:
            blob = self._asking.read(f"{folder}/{layout.VOLUME_CFG}", VOLUME_CFG_CAP)
        except (StoreError, Malformed):
            # Names are a courtesy: the locks are shown without them.
            return None
        return volume_names(blob.body) if blob else None


def unlistable(name: str, error: Exception) -> VolumeView:
    """A volume that is there and could not be looked into: never absent and never free."""
    return VolumeView(name, problem=f"could not be listed: {error}")


def _has_cfg(inside: Listing) -> bool:
    return any(entry.name == layout.VOLUME_CFG and entry.regular for entry in inside.entries)


def _odd_locks(inside: Listing) -> str:
    odd = any(entry.name == layout.LOCKS for entry in inside.entries)
    return f"{layout.LOCKS!r} is not a folder here and is not followed" if odd else ""
