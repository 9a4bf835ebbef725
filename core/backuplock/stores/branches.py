"""One first level of a store in a folder, read in one go: what is plain of it, without a descent into blocks.

Reading folder by folder opens each from the root anew. Here each is opened from its parent's descriptor,
which still follows no link, and on a local file system folders that have not changed since the last time are
not read again: names come and go in a folder with its times. What lies in `locks/` is looked at in any case,
for a file can change without its folder.

Anything that is not plain (a link, a file where a folder should be, no permission, a folder that changes just
now) gives None: the walk by folders, which has words for all that, reads this level then.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from dataclasses import dataclass

from backuplock import layout
from backuplock.errors import StoreError
from backuplock.stores.base import Branch, Entry, Found, Listing
from backuplock.stores.folders import opened

_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW
_EMPTY = Listing((), (), requests=0)
_Stamp = tuple[int, int, int, int]


class _NotPlainError(Exception):
    """Something here is for the walk by folders."""


@dataclass(frozen=True, slots=True)
class _Volume:
    stamp: _Stamp
    found: Found
    locked: bool


@dataclass(frozen=True, slots=True)
class _Second:
    stamp: _Stamp
    volumes: dict[str, _Volume]


class Branches:
    """Reads first levels; safe to use from several threads at once, one level in each.

    Args:
        root: opens the root.
        locks: lists the open folder `locks/`; as `Store.list` would.
        recent: times (ns), first and last, of changes that may share their stamp with one that comes now or
            while a level is read.
        remembers: whether times of folders may be trusted to tell that nothing has changed.
    """

    def __init__(
        self,
        root: Callable[[], int],
        locks: Callable[[int], Listing],
        recent: Callable[[], tuple[int, int]],
        remembers: Callable[[], bool],
    ) -> None:
        self._root = root
        self._locks = locks
        self._recent = recent
        self._remembers = remembers
        self._known: dict[str, dict[str, _Second]] = {}

    def read(self, first: str) -> Branch | None:
        """All volumes below a first level; None if it had better be read folder by folder."""
        recent = self._recent()
        known = self._known.get(first, {}) if self._remembers() else {}
        try:
            with opened(self._root, (*layout.VOLUMES.split("/"), first), listing=True) as fd:
                reading = _Reading(f"{layout.VOLUMES}/{first}", fd, self._locks, recent)
                seconds = {name: reading.second(name, known.get(name)) for name in reading.seconds()}
        except (OSError, StoreError, _NotPlainError):
            self._known.pop(first, None)
            return None
        self._known[first] = seconds
        found = tuple(volume.found for second in seconds.values() for volume in second.volumes.values())
        return Branch(found, reading.folders)


class _Reading:
    """One reading of one first level, whose descriptor is open."""

    def __init__(
        self, folder: str, fd: int, locks: Callable[[int], Listing], recent: tuple[int, int]
    ) -> None:
        self._folder = folder
        self._fd = fd
        self._locks = locks
        self._since, self._until = recent
        self.folders = 0

    def seconds(self) -> list[str]:
        """The second levels."""
        _, names = self._names(self._fd, _stamp(os.fstat(self._fd)))
        return sorted(name for name in names if layout.is_shard(name))

    def second(self, name: str, known: _Second | None) -> _Second:
        """The volumes below a second level, of which some may be known already."""
        stamp = _stamp(os.stat(name, dir_fd=self._fd, follow_symlinks=False))
        if known is not None and known.stamp == stamp and not self._is_recent(stamp):
            volumes = {
                volume: self._still(f"{name}/{volume}", view) or self._anew(name, volume)
                for volume, view in known.volumes.items()
            }
            return _Second(stamp, volumes)
        old = known.volumes if known is not None else {}
        fd = os.open(name, _FLAGS, dir_fd=self._fd)
        try:
            stamp = _stamp(os.fstat(fd))
            _, names = self._names(fd, stamp)
            volumes = {}
            for volume in names:
                view = old.get(volume)
                known_still = None if view is None else self._still(f"{name}/{volume}", view)
                volumes[volume] = known_still or self._volume(name, volume, fd)
        finally:
            os.close(fd)
        return _Second(stamp, volumes)

    def _still(self, path: str, known: _Volume) -> _Volume | None:
        """A volume as it was, if it has no locks and has not changed."""
        if known.locked:
            return None
        stamp = _stamp(os.stat(path, dir_fd=self._fd, follow_symlinks=False))
        return known if known.stamp == stamp and not self._is_recent(stamp) else None

    def _anew(self, second: str, name: str) -> _Volume:
        fd = os.open(second, _FLAGS, dir_fd=self._fd)
        try:
            return self._volume(second, name, fd)
        finally:
            os.close(fd)

    def _volume(self, second: str, name: str, parent: int) -> _Volume:
        fd = os.open(name, _FLAGS, dir_fd=parent)
        try:
            stamp = _stamp(os.fstat(fd))
            files, folders = self._names(fd, stamp)
            if layout.LOCKS in files:
                raise _NotPlainError
            locked = layout.LOCKS in folders
            locks = self._locked(fd) if locked else _EMPTY
        finally:
            os.close(fd)
        inside = Listing(tuple(Entry(file) for file in sorted(files)), tuple(sorted(folders)), requests=0)
        return _Volume(stamp, Found(name, f"{self._folder}/{second}/{name}", inside, locks), locked)

    def _locked(self, volume: int) -> Listing:
        self.folders += 1
        fd = os.open(layout.LOCKS, _FLAGS, dir_fd=volume)
        try:
            return self._locks(fd)
        finally:
            os.close(fd)

    def _is_recent(self, stamp: _Stamp) -> bool:
        # Times of content can be set back; those of the state cannot.
        return any(self._since <= changed <= self._until for changed in stamp[2:])

    def _names(self, fd: int, stamp: _Stamp) -> tuple[list[str], list[str]]:
        """Plain files and folders in a folder that is as its stamp says, without dot files."""
        self.folders += 1
        if self._is_recent(stamp):
            # A name that is written over meanwhile may be missed: that takes a second look.
            raise _NotPlainError
        files: list[str] = []
        folders: list[str] = []
        with os.scandir(fd) as items:
            for item in items:
                name = item.name
                if name[0] == ".":
                    continue
                if item.is_dir(follow_symlinks=False):
                    folders.append(name)
                elif item.is_file(follow_symlinks=False):
                    files.append(name)
                else:
                    raise _NotPlainError
        if _stamp(os.fstat(fd)) != stamp:
            raise _NotPlainError
        return files, folders


def _stamp(state: os.stat_result) -> _Stamp:
    if not stat.S_ISDIR(state.st_mode):
        raise _NotPlainError
    return state.st_dev, state.st_ino, state.st_mtime_ns, state.st_ctime_ns
