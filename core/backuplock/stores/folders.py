"""Folders below a root, walked without following a link, and what the errors of the system mean.

Each step opens one component from the descriptor of its parent with O_NOFOLLOW: O_NOFOLLOW on a whole
path would guard the last component only, and a link planted above it could lead out of the store. Where the
kernel resolves a whole path without links, that is one step.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from backuplock.errors import Denied, Irregular, Malformed, StoreError, Unreachable, Unsupported
from backuplock.layout import LOCK_SUFFIX
from backuplock.stores.resolve import opener
from backuplock.text import printable

# A descriptor that only leads on needs no right to read the folder, and on NFS costs no OPEN.
_PASS = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_CLOEXEC
_LIST = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_ERESTARTSYS = 512
"""Not for programs, but NFS lets it through when a mount is aborted (`umount -f`)."""
_TRIES = 5
_SCANS = 3

_ADVICE: dict[int, tuple[type[StoreError], str]] = {
    errno.EACCES: (Denied, "run as the user who owns the store; Longhorn's folders are 0700 of root"),
    errno.EPERM: (Denied, "run as the user who owns the store; Longhorn's folders are 0700 of root"),
    errno.EROFS: (Denied, "mount the file system for writing"),
    errno.ENOSPC: (Unreachable, "free space or inodes on the file system of the store"),
    errno.EDQUOT: (Unreachable, "raise the quota, or free space"),
    errno.EFBIG: (Unreachable, "raise the limit on file sizes (ulimit -f)"),
    errno.ESTALE: (Unreachable, "try again; if it stays, mount the share again"),
    errno.EMFILE: (Unreachable, "raise the limit on open files (ulimit -n)"),
    errno.ENFILE: (Unreachable, "the system has too many files open"),
    errno.ENOTDIR: (Irregular, "a file stands where a folder should; look at it by hand"),
    errno.ENAMETOOLONG: (Unsupported, "choose a shorter name"),
    errno.EILSEQ: (Unsupported, "this file system takes only names in its own encoding"),
}


def split_key(key: str) -> tuple[str, ...]:
    """The parts of a key.

    Raises:
        Malformed: it could name something outside the store, or nothing.
    """
    parts = tuple(key.split("/"))
    if "\0" in key or any(part in ("", ".", "..") for part in parts):
        raise Malformed(
            f"{printable(key, limit=200)!r} is not a key of a store",
            advice="parts are joined by '/', none is empty, '.' or '..'",
        )
    try:
        os.fsencode(key)
    except UnicodeEncodeError:
        raise Malformed(f"{printable(key, limit=200)!r} is not a file name on this system") from None
    return parts


def failed(doing: str, error: OSError) -> StoreError:
    """The error of the family for one of the system; `doing` says what was tried, and where."""
    kind, advice = _ADVICE.get(
        error.errno or 0, (Unreachable, "look at the file system, its mount and its server")
    )
    what = error.strerror or type(error).__name__
    if error.errno == _ERESTARTSYS:
        what = "the kernel gave the call up"
    found = kind(f"{doing}: {what}", advice=advice)
    # Others, such as EIO of a soft mount, may stand for an answer that got lost.
    found.untouched = error.errno in _ADVICE and error.errno != errno.ESTALE
    return found


@contextmanager
def opened(root: Callable[[], int], parts: tuple[str, ...], *, listing: bool = False) -> Iterator[int]:
    """A descriptor of the folder that `parts` lead to from the root.

    Args:
        root: opens the root; the descriptor is closed here.
        parts: names, one a level.
        listing: whether the folder will be listed; else the descriptor only leads on.

    Raises:
        FileNotFoundError: a folder on the way, or the last, is not there.
        NotADirectoryError: a file stands in its place, so there is nothing below it.
        Irregular: a symbolic link stands in its place; what is behind it is not looked at.
        OSError: as the system says.
    """
    fd = _walk(root, parts, listing)
    try:
        yield fd
    finally:
        os.close(fd)


def _walk(root: Callable[[], int], parts: tuple[str, ...], listing: bool) -> int:
    fd = root()
    try:
        if len(parts) > 1 and (whole := _at_once(fd, parts, _LIST if listing else _PASS)) >= 0:
            return _replaced(fd, whole)
        if not parts and listing:
            # The root's own descriptor only leads on; it is opened once more, for reading.
            fd = _replaced(fd, os.open(".", _LIST, dir_fd=fd))
        for depth, name in enumerate(parts, 1):
            flags = _LIST if listing and depth == len(parts) else _PASS
            fd = _replaced(fd, _step(fd, name, flags, "/".join(parts[:depth])))
    except BaseException:
        os.close(fd)
        raise
    return fd


def _at_once(parent: int, parts: tuple[str, ...], flags: int) -> int:
    """A descriptor of a path that is all folders; -1 where step by step may do better, or has words for it.

    Raises:
        FileNotFoundError: some folder of it is not there.
    """
    whole = opener()
    if whole is None:
        return -1
    try:
        return whole(parent, os.fsencode("/".join(parts)), flags)
    except FileNotFoundError:
        raise
    except OSError:
        return -1


def _replaced(old: int, new: int) -> int:
    os.close(old)
    return new


def _step(parent: int, name: str, flags: int, where: str) -> int:
    for _ in range(_TRIES):
        try:
            return os.open(name, flags | os.O_NOFOLLOW, dir_fd=parent)
        except OSError as error:
            # Linux says ENOTDIR or ELOOP for a link, by kind of descriptor; which of them it was, and
            # whether it is still so, only a look at the name tells.
            if error.errno not in (errno.ENOTDIR, errno.ELOOP):
                raise
        mode = os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode
        if stat.S_ISLNK(mode):
            shown = printable(where, limit=300)
            raise Irregular(
                f"{shown} is a link, not a folder", advice="look at it by hand; it is not followed"
            )
        if not stat.S_ISDIR(mode):
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
    raise Unreachable(f"{printable(where, limit=300)} keeps changing", advice="try again", untouched=True)


def make(root: Callable[[], int], parts: tuple[str, ...]) -> int | None:
    """Make the folders that are missing, 0700 as Longhorn makes them; the root itself is never made.

    Returns: the index in `parts` of the first that was made here; None if none was.

    Raises:
        FileNotFoundError: a peer removed one of them again meanwhile.
        NotADirectoryError, Irregular, OSError: as `opened`.
    """
    fd = root()
    first: int | None = None
    try:
        for depth, name in enumerate(parts, 1):
            where = "/".join(parts[:depth])
            try:
                fd = _replaced(fd, _step(fd, name, _PASS, where))
            except FileNotFoundError:
                try:
                    os.mkdir(name, 0o700, dir_fd=fd)
                    first = depth - 1 if first is None else first
                except FileExistsError:
                    pass
                fd = _replaced(fd, _step(fd, name, _PASS, where))
    finally:
        os.close(fd)
    return first


def climb(root: Callable[[], int], parts: tuple[str, ...], top: int) -> None:
    """Remove empty folders, from the deepest of `parts` up to and without the first `top` of them.

    Stops without an error at the first that cannot be removed: what it was for is done already.
    """
    for depth in range(len(parts), top, -1):
        try:
            with opened(root, parts[: depth - 1]) as parent:
                os.rmdir(parts[depth - 1], dir_fd=parent)
        except (FileNotFoundError, NotADirectoryError):
            continue
        except (OSError, StoreError):
            return


def scan(fd: int, is_recent: Callable[[int], bool]) -> dict[str, os.stat_result | None]:
    """The names in a folder, each with its state, None for a folder; dot files are left out.

    A folder that is named like a lock has a state as well, for it hides a lock.

    A name that is renamed over while the folder is read may be missed (POSIX leaves it open, and btrfs
    may give it a new place): a live lock would look gone in the moment of its renewal. So a folder that
    changed meanwhile, or so lately that its time need not show it, is read again, and what one reading
    had and the next has not is asked for by name.

    Args:
        fd: the folder, opened for listing.
        is_recent: whether a change at this time (ns) may share its stamp with one that comes now.
    """
    found: dict[str, os.stat_result | None] = {}
    for _ in range(_SCANS):
        before = os.fstat(fd).st_mtime_ns
        again = _read_folder(fd)
        for name in found.keys() - again.keys():
            try:
                again[name] = _state(name, os.stat(name, dir_fd=fd, follow_symlinks=False))
            except FileNotFoundError:
                continue
        found = again
        if os.fstat(fd).st_mtime_ns == before and not is_recent(before):
            break
    return found


def _read_folder(fd: int) -> dict[str, os.stat_result | None]:
    found: dict[str, os.stat_result | None] = {}
    with os.scandir(fd) as items:
        for item in items:
            if item.name.startswith("."):
                continue
            try:
                # Most folders need no look: the listing itself tells what they are.
                plain = item.is_dir(follow_symlinks=False) and not item.name.endswith(LOCK_SUFFIX)
                found[item.name] = None if plain else item.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue  # Removed since the folder was read.
    return found


def _state(name: str, found: os.stat_result) -> os.stat_result | None:
    return None if stat.S_ISDIR(found.st_mode) and not name.endswith(LOCK_SUFFIX) else found
