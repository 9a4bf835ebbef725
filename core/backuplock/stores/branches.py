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
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from backuplock import layout
from backuplock.errors import StoreError
from backuplock.stores.base import Branch, Entry, Found, Listing
from backuplock.stores.folders import opened

if TYPE_CHECKING:
    from collections.abc import Iterator

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
        is_recent: whether a change at this time (ns) may share its stamp with one that comes now.
        remembers: whether times of folders may be trusted to tell that nothing has changed.
    """

    def __init__(
        self,
        root: Callable[[], int],
        locks: Callable[[int], Listing],
        is_recent: Callable[[int], bool],
        remembers: Callable[[], bool],
    ) -> None:
        self._root = root
        self._locks = locks
        self._is_recent = is_recent
        self._remembers = remembers
        self._known: dict[str, dict[str, _Second]] = {}

    def read(self, first: str) -> Branch | None:
        """All volumes below a first level; None if it had better be read folder by folder."""
        known = self._known.get(first, {}) if self._remembers() else {}
        try:
            with opened(self._root, (*layout.VOLUMES.split("/"), first), listing=True) as fd:
                reading = _Reading(f"{layout.VOLUMES}/{first}", fd, self._locks, self._is_recent)
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
        self, folder: str, fd: int, locks: Callable[[int], Listing], is_recent: Callable[[int], bool]
    ) -> None:
        self._folder = folder
        self._fd = fd
        self._locks = locks
        self._is_recent = is_recent
        self.folders = 0

    def seconds(self) -> list[str]:
        """The second levels."""
        _, names = self._names(self._fd)
        return sorted(name for name in names if layout.is_shard(name))

    def second(self, name: str, known: _Second | None) -> _Second:
        """The volumes below a second level, of which some may be known already."""
        old = known.volumes if known is not None else {}
        stamp = _stamp(os.stat(name, dir_fd=self._fd, follow_symlinks=False))
        if known is None or known.stamp != stamp or self._is_recent(stamp[2]):
            with _inside(name, self._fd) as fd:
                stamp = _stamp(os.fstat(fd))
                _, names = self._names(fd)
                volumes = {
                    volume: self._volume(f"{name}/{volume}", volume, fd, volume, old.get(volume))
                    for volume in sorted(names)
                }
            return _Second(stamp, volumes)
        volumes = {
            volume: self._volume(f"{name}/{volume}", volume, self._fd, f"{name}/{volume}", view)
            for volume, view in old.items()
        }
        return _Second(stamp, volumes)

    def _volume(self, below: str, name: str, parent: int, path: str, known: _Volume | None) -> _Volume:
        if known is not None:
            stamp = _stamp(os.stat(path, dir_fd=parent, follow_symlinks=False))
            if known.stamp == stamp and not known.locked and not self._is_recent(stamp[2]):
                return known
        with _stepped(path, parent) as fd:
            stamp = _stamp(os.fstat(fd))
            files, folders = self._names(fd)
            if layout.LOCKS in files:
                raise _NotPlainError
            locked = layout.LOCKS in folders
            locks = _EMPTY
            if locked:
                with _inside(layout.LOCKS, fd) as inner:
                    self.folders += 1
                    locks = self._locks(inner)
        inside = Listing(tuple(Entry(file) for file in sorted(files)), tuple(sorted(folders)), requests=0)
        return _Volume(stamp, Found(name, f"{self._folder}/{below}", inside, locks), locked)

    def _names(self, fd: int) -> tuple[list[str], list[str]]:
        """Plain files and folders in a folder, without dot files."""
        self.folders += 1
        before = os.fstat(fd)
        if self._is_recent(before.st_mtime_ns):
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
        if os.fstat(fd).st_mtime_ns != before.st_mtime_ns:
            raise _NotPlainError
        return files, folders


def _stamp(state: os.stat_result) -> _Stamp:
    if not stat.S_ISDIR(state.st_mode):
        raise _NotPlainError
    return state.st_dev, state.st_ino, state.st_mtime_ns, state.st_ctime_ns


@contextmanager
def _inside(name: str, parent: int) -> Iterator[int]:
    fd = os.open(name, _FLAGS, dir_fd=parent)
    try:
        yield fd
    finally:
        os.close(fd)


@contextmanager
def _stepped(path: str, parent: int) -> Iterator[int]:
    """A folder one or two steps below another, no step over a link."""
    head, slash, tail = path.partition("/")
    if not slash:
        with _inside(head, parent) as fd:
            yield fd
        return
    with _inside(head, parent) as between, _inside(tail, between) as fd:
        yield fd
