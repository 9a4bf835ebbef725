"""A store in a folder: `vfs` and plain paths, and NFS and CIFS shares once they are mounted.

What Longhorn does there (longhorn/backupstore, fsops.go): a file is written beside its place as
`<name>.tmp.<unix ns>` and renamed, folders are 0700, removal climbs over empty folders up to
`backupstore`. Differences, each for a reason: the time is set just before the rename, for between stamp
and rename a lock is old and not yet seen; a put is repeated when a peer's climb took the folder away; no
link is followed; a failed put leaves nothing behind.
"""

from __future__ import annotations

import dataclasses
import errno
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from backuplock.clock import SECOND, Clock, Observation, SystemClock
from backuplock.errors import Missing, ReadOnly, Unreachable, Unsupported
from backuplock.layout import ROOT, VOLUMES
from backuplock.rules import LONGHORN
from backuplock.stores import mounts as table
from backuplock.stores.aside import FolderAside
from backuplock.stores.base import (
    BODY_CAP,
    Blob,
    Branch,
    Branched,
    Capabilities,
    Entry,
    Known,
    Listing,
    Version,
)
from backuplock.stores.branches import Branches
from backuplock.stores.files import (
    beside,
    no_afterlife,
    not_plain,
    read_version,
    rename,
    server_stat,
    unlink,
    write_all,
)
from backuplock.stores.folders import climb, failed, make, opened, scan, split_key
from backuplock.stores.patience import PATIENCE_S, patiently
from backuplock.stores.renames import Renames
from backuplock.stores.tries import is_stale, is_vanished, tries
from backuplock.target import Target, local_target, store_root
from backuplock.text import printable

_TICK_NS = 10_000_000
"""A kernel stamps files with the time of its last tick: up to 10 ms (HZ=100) behind its clock."""
_NET_TICK_NS = 20_000_000
"""The same of a server whose kernel is unknown; 15 ms have been seen."""
_ABSENT = (FileNotFoundError, NotADirectoryError)
"""What says for certain that there is nothing of this name; every other error is a failure."""
_READ_TRIES = 10
_MISSES = 10
_PUT_TRIES = 100
_T = TypeVar("_T")
_CHAINS = 16


def _stale() -> OSError:
    """An error of its own: one that was kept would keep the frames of its callers, and their locks, alive."""
    return OSError(errno.ESTALE, os.strerror(errno.ESTALE))


@dataclass(frozen=True, slots=True)
class _Place:
    """Where the root is and what it lies on; found anew whenever the device under the root changes."""

    root: str
    fs_type: str
    device: int | None
    local: bool
    steady_inodes: bool
    lags: Known
    cifs: bool = False


class FilesystemStore:
    """A store below a folder. Conditions are not offered: file systems have no compare-and-swap.

    Args:
        target: a `vfs`, `nfs` or `cifs` target, or the path of the folder that holds `backupstore`.
        writable: false refuses `put` and `delete`.
        clock: for names of temporary files and, on local file systems, for the store's own time.
        mounts: gives the kernel's mount table.
        patience_s: how long a verb may take where the folder lies on a share, in seconds.

    Raises:
        Missing: the share is not mounted; the advice is the command that mounts it.
        Unreachable: its server does not answer.
    """

    def __init__(
        self,
        target: Target | str | Path,
        *,
        writable: bool = False,
        clock: Clock | None = None,
        mounts: Callable[[], tuple[table.Mount, ...]] = table.read_mounts,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self._target = target if isinstance(target, Target) else local_target(target)
        self.url = self._target.url
        self._writable = writable
        self._clock = clock or SystemClock()
        self._mounts = mounts
        self._patience_s = patience_s
        # A link in the path may lead to a share, or a folder on the way be one: nothing is known yet.
        self._place = self._called(self._doing("open", ""), lambda: self._locate(None))
        self._began_store = False
        self._renames = Renames(self._clock)
        self._branches = Branches(
            self._root,
            lambda fd: self._listing(self._names(fd), None),
            self._recent,
            # Attributes that a client of a network keeps are as old as its listings may be, and others stamp.
            lambda: self._place.local,
        )

    @classmethod
    def open(cls, target: Target, *, writable: bool = False) -> FilesystemStore:
        """The store of a target; as the constructor."""
        return cls(target, writable=writable)

    @property
    def root(self) -> Path:
        """The folder in the local file system that the store's keys are relative to."""
        return Path(self._place.root)

    @property
    def fs_type(self) -> str:
        """The kernel's word for the file system the root lies on; empty where it is unknown."""
        return self._place.fs_type

    @property
    def mount(self) -> table.Mount | None:
        """The line of the mount table for the file system the root lies on, if there is one."""
        doing = self._doing("open", "")
        path = self._called(doing, lambda: os.path.realpath(self._place.root))
        return table.mount_of(path, self._mounts())

    @property
    def capabilities(self) -> Capabilities:
        """As the file system under the root allows; a listing is trusted on local ones only."""
        place = self._place
        return Capabilities(
            kind="filesystem",
            atomic_read=True,
            # A link(2) to a new name would be atomic, but `conditional_put` promises `if_match` as well.
            conditional_put="no",
            conditional_delete="no",
            listing_lags=place.lags,
            grain_ns=table.grain_ns(place.fs_type),
            writable=self._writable,
        )

    def list(self, folder: str) -> Listing:
        """One level of `folder`. Names that start with a dot are invisible, as they are to Longhorn.

        Raises:
            Irregular: `folder`, or one above it, is a symbolic link.
            Missing, Denied, Unreachable: as every verb.
        """
        parts = split_key(folder) if folder else ()
        doing = self._doing("list", folder)
        began = self._observe()
        found = self._patiently(doing, lambda: self._scan(parts, doing))
        if found is None:
            return Listing((), (), began)
        return self._listing(found, began)

    def _listing(self, found: dict[str, os.stat_result | None], began: Observation | None) -> Listing:
        ordered = sorted(found.items())
        entries = tuple(self._entry(name, state) for name, state in ordered if state is not None)
        folders = tuple(name for name, state in ordered if state is None or stat.S_ISDIR(state.st_mode))
        return Listing(entries, folders, began)

    @property
    def branched(self) -> Branched:
        """Folders opened from one another, and on a local file system read only if they changed."""
        return self

    @property
    def chains(self) -> int:
        """One where the kernel has it all, for threads only wait for each other there; on a network many."""
        return 1 if self._place.local else _CHAINS

    def branch(self, first: str) -> Branch | None:
        began = self._observe()
        doing = self._doing("list", f"{VOLUMES}/{first}")
        found = self._patiently(doing, lambda: self._branches.read(first))
        return None if found is None else dataclasses.replace(found, observed=began)

    def _scan(self, parts: tuple[str, ...], doing: str) -> dict[str, os.stat_result | None] | None:
        try:
            for _ in self._tries(_READ_TRIES):
                try:
                    with opened(self._root, parts, listing=True) as fd:
                        return self._names(fd)
                except OSError as error:
                    if not is_stale(error):
                        raise
            raise _stale()
        except _ABSENT:
            return None
        except OSError as error:
            raise failed(doing, error) from error

    def _names(self, fd: int) -> dict[str, os.stat_result | None]:
        if not self._place.cifs:
            return scan(fd, self._is_recent)
        return self._renames.settled(lambda: scan(fd, self._is_recent))

    def _entry(self, name: str, state: os.stat_result) -> Entry:
        regular = stat.S_ISREG(state.st_mode)
        return Entry(name, state.st_size, state.st_mtime_ns, self._etag(state), regular)

    def _recent(self) -> tuple[int, int]:
        now = self._clock.wall_ns()
        return now - (_TICK_NS if self._place.local else SECOND), now + SECOND

    def _is_recent(self, time_ns: int) -> bool:
        limit = _TICK_NS if self._place.local else SECOND
        return abs(self._clock.wall_ns() - time_ns) <= limit

    def read(self, key: str, *, cap: int = BODY_CAP) -> Blob | None:
        """Body and time of the one version that was opened; None only if the name is not there."""
        parts = split_key(key)
        doing = self._doing("read", key)
        version = self._patiently(doing, lambda: self._read(parts, cap, doing))
        if version is None:
            return None
        body, found = version
        return Blob(body, found.st_mtime_ns, self._etag(found), self._observe())

    def _read(self, parts: tuple[str, ...], cap: int, doing: str) -> tuple[bytes, os.stat_result] | None:
        stale, missed = False, 0
        # On CIFS it may be there again in an instant (`backuplock.stores.renames`). It may also be listed and
        # gone: a file that was removed while somebody has it open.
        most = _MISSES if self._place.cifs else 0
        for _ in self._tries(_READ_TRIES):
            try:
                with opened(self._root, parts[:-1]) as folder:
                    version = read_version(folder, parts[-1], cap, doing, cifs=self._place.cifs)
            except _ABSENT:
                missed += 1
                if missed > most or parts[-1] not in (self._scan(parts[:-1], doing) or ()):
                    return None
                continue
            except OSError as error:
                if is_stale(error):
                    stale = True
                    continue  # NFS: the file was replaced under the name, or under the open descriptor.
                if error.errno in (errno.ELOOP, errno.ENXIO, errno.ENODEV):
                    raise not_plain(doing) from error
                raise failed(doing, error) from error
            stale, missed = False, 0
            if version is not None:
                return version
        if stale:
            raise failed(doing, _stale())
        raise Unreachable(f"{doing}: it kept changing while it was read", advice="try again")

    def put(self, key: str, body: bytes, *, if_match: str | None = None, if_absent: bool = False) -> Version:
        """Write beside the place and rename; the time is that of the renamed file."""
        self._check_writable(key)
        if if_match is not None or if_absent:
            raise Unsupported(f"{self.url}: a file system cannot put under a condition")
        parts = split_key(key)
        doing = self._doing("write", key)
        return self._patiently(doing, lambda: self._put(parts, body, doing))

    def _put(self, parts: tuple[str, ...], body: bytes, doing: str) -> Version:
        made = done = False
        no_folder = stale = False
        try:
            for _ in self._tries(_PUT_TRIES):
                try:
                    version = self._put_once(parts, body)
                    done = True
                    return version
                except OSError as error:
                    if not self._is_vanished(error):
                        raise
                    no_folder, stale = isinstance(error, NotADirectoryError), is_stale(error)
                # The folders are not there yet, or a peer's climb has just taken them away.
                made = True
                self._make(parts[:-1])
            if no_folder:
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
            if stale:
                raise _stale()
            raise Unreachable(f"{doing}: its folder vanished again and again", advice="try again")
        except IsADirectoryError as error:
            raise not_plain(doing) from error
        except OSError as error:
            raise failed(doing, error) from error
        finally:
            if made and not done:
                self._climb(parts)

    def _put_once(self, parts: tuple[str, ...], body: bytes) -> Version:
        with (
            opened(self._root, parts[:-1]) as folder,
            self._write_beside(folder, parts[-1], body) as (tmp, inode, version),
        ):
            rename(folder, tmp, parts[-1], inode)
        return version

    @contextmanager
    def _write_beside(self, folder: int, name: str, body: bytes) -> Iterator[tuple[str, int, Version]]:
        """A whole file beside the place of `name`, under another name, gone again if the block fails."""
        with beside(folder, name, self._clock.wall_ns()) as (fd, tmp):
            found, observed = self._fill(fd, folder, tmp, body)
            yield tmp, found.st_ino, Version(found.st_mtime_ns, self._etag(found), observed)

    def _fill(self, fd: int, folder: int, tmp: str, body: bytes) -> tuple[os.stat_result, Observation | None]:
        """Write, stamp, close: the file's state then, and what the stamp tells of the store's time."""
        place = self._place
        # "Now" of whoever stamps files. CIFS and FUSE may send this machine's time instead.
        stamps = place.local or table.is_nfs(place.fs_type)
        began = self._clock.mono_ns()
        try:
            write_all(fd, body)
            if not place.local:
                # What the cache writes later would move the time again, and tell of a full disk too late.
                # A local disk needs no such thing: a lock need not outlive a crash of its machine.
                os.fsync(fd)
            if place.cifs:
                no_afterlife(fd, writing=True)
            if stamps:
                began = self._clock.mono_ns()
                os.utime(fd)
            found = os.fstat(fd)
        finally:
            os.close(fd)
        if place.local:
            return found, self._observe()
        if place.cifs:
            found = server_stat(folder, tmp)
        elif not stamps:
            found = os.stat(tmp, dir_fd=folder, follow_symlinks=False)
        return found, Observation(began, self._clock.mono_ns(), found.st_mtime_ns, _NET_TICK_NS)

    def delete(self, key: str, *, if_match: str | None = None) -> None:
        """Remove the file, then the folders that this leaves empty, up to `backupstore`.

        That one goes too if this store made it: left there empty, it would pass for a store without locks.
        """
        self._check_writable(key)
        if if_match is not None:
            raise Unsupported(f"{self.url}: a file system cannot delete under a condition")
        parts = split_key(key)
        doing = self._doing("remove", key)
        self._patiently(doing, lambda: self._delete(parts, doing))

    def _delete(self, parts: tuple[str, ...], doing: str) -> None:
        try:
            for _ in self._tries(_READ_TRIES):
                try:
                    with opened(self._root, parts[:-1]) as folder:
                        unlink(folder, parts[-1], doing)
                    break
                except OSError as error:
                    if not is_stale(error):
                        raise
            else:
                raise _stale()
        except _ABSENT:
            pass  # That it is not there is success; the folders may still want removing.
        except OSError as error:
            raise failed(doing, error) from error
        self._climb(parts)

    def _make(self, folders: tuple[str, ...]) -> None:
        try:
            if make(self._root, folders) == 0 and folders[0] == ROOT:
                self._began_store = True
        except OSError as error:
            if not self._is_vanished(error):
                raise
            # Taken away again; the next round of the put finds out.

    def _climb(self, parts: tuple[str, ...]) -> None:
        climb(self._root, parts[:-1], 1 if parts[0] == ROOT and not self._began_store else 0)

    @property
    def aside(self) -> FolderAside:
        """Renaming within the store."""
        return FolderAside(
            self._root,
            check=self._check_writable,
            make=self._make,
            climb=self._climb,
            doing=self._doing,
            write=self._write_beside,
            patiently=self._patiently,
            tries=self._tries,
            is_vanished=self._is_vanished,
        )

    def close(self) -> None:
        """Nothing is held between calls."""

    def _root(self) -> int:
        """A descriptor of the root, after making sure that what lies there is what it was."""
        place = self._place
        fd = self._open_root(place)
        try:
            device = os.fstat(fd).st_dev
            if device == place.device:
                return fd
            # First use, or something was mounted or unmounted: an unmounted share leaves an empty
            # folder, which must not be taken for a store without locks.
            place = self._locate(device)
            again = self._open_root(place)
        except OSError as error:
            os.close(fd)
            raise failed(self._doing("open", ""), error) from error
        except BaseException:
            os.close(fd)
            raise
        os.close(fd)
        self._place = place
        return again

    def _open_root(self, place: _Place) -> int:
        flags = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_CLOEXEC
        shown = printable(place.root, limit=300)
        try:
            return os.open(place.root, flags)
        except (FileNotFoundError, NotADirectoryError) as error:
            what = "there is no folder" if isinstance(error, FileNotFoundError) else "this is no folder:"
            raise Missing(
                f"{self.url}: {what} {shown}", advice="make it, mount it, or correct the target"
            ) from error
        except OSError as error:
            raise failed(self._doing("open", ""), error) from error

    def _locate(self, device: int | None) -> _Place:
        target, mounts = self._target, self._mounts()
        root = Path(target.path)
        if target.scheme != "vfs":
            found = table.find_share(target, mounts)
            if found is None:
                raise table.not_mounted(target)
            root = store_root(found)
        mount = table.mount_of(os.path.realpath(root), mounts)
        fs_type = mount.fs_type if mount is not None else ""
        local = table.is_local(fs_type)
        lags: Known = "no" if local else _lags(mount)
        cifs = table.is_cifs(fs_type)
        return _Place(str(root), fs_type, device, local, local or table.is_nfs(fs_type), lags, cifs)

    def _etag(self, found: os.stat_result) -> str:
        # CIFS and FUSE may number one file anew with each look.
        inode = found.st_ino if self._place.steady_inodes else 0
        return f"{inode:x}-{found.st_mtime_ns:x}-{found.st_size:x}"

    def _observe(self) -> Observation | None:
        """On a local file system the kernel whose clock we read is the one that stamps."""
        if not self._place.local:
            return None
        began = self._clock.mono_ns()
        wall = self._clock.wall_ns()
        return Observation(began, self._clock.mono_ns(), wall - _TICK_NS, _TICK_NS)

    def _patiently(self, doing: str, work: Callable[[], _T]) -> _T:
        """A local file system answers, and is not worth a thread."""
        return work() if self._place.local else self._called(doing, work)

    def _called(self, doing: str, work: Callable[[], _T]) -> _T:
        return patiently(self.url, doing, work, self._patience_s, self._clock)

    def _is_vanished(self, error: OSError) -> bool:
        # Of a folder that is being removed CIFS says now and then that it is none.
        return is_vanished(error) or (self._place.cifs and isinstance(error, NotADirectoryError))

    def _tries(self, most: int) -> Iterator[int]:
        return tries(self._clock, most, local=self._place.local)

    def _doing(self, verb: str, key: str) -> str:
        return f"{self.url}: cannot {verb} {printable(key, limit=300) or 'its folder'}"

    def _check_writable(self, key: str) -> None:
        if not self._writable:
            shown = printable(key, limit=300)
            raise ReadOnly(f"{self.url} was opened for reading only, {shown} is left as it is")


def _lags(mount: table.Mount | None) -> Known:
    """Whether listings of a share lag for longer than Longhorn's wait covers, which is two seconds; with
    Longhorn's own mount options (`actimeo=1`) they do not."""
    cached = None if mount is None else table.cache_seconds(mount)
    return "yes" if cached is not None and cached > LONGHORN.settle_ns / SECOND else "unproven"
