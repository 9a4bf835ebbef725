"""One first level of a store in a folder, read in one go: what is plain of it, without a descent into blocks.

Reading folder by folder opens each from the root anew. Here each is opened from its parent's descriptor,
which still follows no link, and of a volume nothing is asked but whether it has `locks`: most have none, and
one question is a tenth of what opening, listing and closing a folder takes. On a local file system second
levels that have not changed since the last time are not read again: names come and go in a folder with its
times.

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
_INSIDE = f"/{layout.LOCKS}"
_Stamp = tuple[int, int, int, int]


class _NotPlainError(Exception):
    """Something here is for the walk by folders."""


@dataclass(frozen=True, slots=True)
class _Second:
    """A second level as it was: its stamp, and the names of its volumes."""

    stamp: _Stamp
    volumes: tuple[str, ...]


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
        return Branch(tuple(reading.locked), tuple(reading.idle), reading.folders)


class _Reading:
    """One reading of one first level, whose descriptor is open; gathers volumes, with locks and without."""

    def __init__(
        self, folder: str, fd: int, locks: Callable[[int], Listing], recent: tuple[int, int]
    ) -> None:
        self._folder = folder
        self._fd = fd
        self._locks = locks
        self._since, self._until = recent
        self.locked: list[Found] = []
        self.idle: list[tuple[str, str]] = []
        self.folders = 0

    def seconds(self) -> list[str]:
        """The second levels."""
        _, names = self._names(self._fd)
        self._settled(os.fstat(self._fd))
        return sorted(name for name in names if layout.is_shard(name))

    def second(self, name: str, known: _Second | None) -> _Second:
        """Find the volumes below a second level, whose names may be known already."""
        locked = None if known is None else self._locked_still(name, known)
        if known is not None and locked is not None and not locked:
            self._gather(name, known.volumes, locked, -1)
            return known
        fd = os.open(name, _FLAGS, dir_fd=self._fd)
        try:
            if known is None or locked is None:
                known, locked = self._anew(fd)
            self._gather(name, known.volumes, locked, fd)
        finally:
            os.close(fd)
        return known

    def _locked_still(self, name: str, known: _Second) -> list[str] | None:
        """The volumes that have locks; None if the names are not what they were."""
        locked = [volume for volume in known.volumes if _has_locks(self._fd, f"{name}/{volume}")]
        stamp = _stamp(os.stat(name, dir_fd=self._fd, follow_symlinks=False))
        return locked if stamp == known.stamp and not self._is_recent(stamp) else None

    def _anew(self, fd: int) -> tuple[_Second, list[str]]:
        """A second level, and those of its volumes that have locks."""
        self.folders += 1
        volumes: list[str] = []
        locked: list[str] = []
        with os.scandir(fd) as items:
            for item in items:
                name = item.name
                if item.is_dir(follow_symlinks=False):
                    if name[0] != ".":
                        volumes.append(name)
                elif name[0] != "." and not item.is_file(follow_symlinks=False):
                    raise _NotPlainError
        for name in volumes:
            # Most have none, and to ask in place costs half of what a call of a function does.
            try:
                found = os.stat(name + _INSIDE, dir_fd=fd, follow_symlinks=False)
            except FileNotFoundError:
                continue
            _stamp(found)
            locked.append(name)
        # After the questions: whatever was put in a volume's place since it was listed shows here.
        return _Second(self._settled(os.fstat(fd)), tuple(volumes)), locked

    def _gather(self, second: str, volumes: tuple[str, ...], locked: list[str], parent: int) -> None:
        folder = f"{self._folder}/{second}/"
        for volume in volumes:
            if volume in locked:
                self.locked.append(self._locked(folder + volume, volume, parent))
            else:
                self.idle.append((volume, folder + volume))

    def _locked(self, folder: str, name: str, parent: int) -> Found:
        fd = os.open(name, _FLAGS, dir_fd=parent)
        try:
            files, folders = self._names(fd)
            self._settled(os.fstat(fd))
            if layout.LOCKS not in folders:
                raise _NotPlainError
            self.folders += 1
            locks_fd = os.open(layout.LOCKS, _FLAGS, dir_fd=fd)
            try:
                locks = self._locks(locks_fd)
            finally:
                os.close(locks_fd)
        finally:
            os.close(fd)
        inside = Listing(tuple(Entry(file) for file in sorted(files)), tuple(sorted(folders)), requests=0)
        return Found(name, folder, inside, locks)

    def _settled(self, state: os.stat_result) -> _Stamp:
        """The stamp of a folder that was read. A change meanwhile has stamped it with a time as recent; one
        just before may have the same stamp as one that comes now."""
        stamp = _stamp(state)
        if self._is_recent(stamp):
            # A name that is written over meanwhile may be missed: that takes a second look.
            raise _NotPlainError
        return stamp

    def _is_recent(self, stamp: _Stamp) -> bool:
        # Times of content can be set back; those of the state cannot.
        return self._since <= stamp[3] <= self._until or self._since <= stamp[2] <= self._until

    def _names(self, fd: int) -> tuple[list[str], list[str]]:
        """Plain files and folders in a folder, without dot files."""
        self.folders += 1
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
        return files, folders


def _has_locks(parent: int, volume: str) -> bool:
    """Whether a volume, a name or a path below the descriptor, has the folder."""
    try:
        found = os.stat(volume + _INSIDE, dir_fd=parent, follow_symlinks=False)
    except FileNotFoundError:
        return False
    if not stat.S_ISDIR(found.st_mode):
        raise _NotPlainError
    return True


def _stamp(state: os.stat_result) -> _Stamp:
    if not stat.S_ISDIR(state.st_mode):
        raise _NotPlainError
    return state.st_dev, state.st_ino, state.st_mtime_ns, state.st_ctime_ns
