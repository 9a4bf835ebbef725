"""Folders below a root, walked without following a link, and what the errors of the system mean.

Each step opens one component from the descriptor of its parent with O_NOFOLLOW: O_NOFOLLOW on a whole
path would guard the last component only, and a link planted above it could lead out of the store.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from backuplock.errors import Denied, Irregular, Malformed, StoreError, Unreachable, Unsupported
from backuplock.text import printable

# A descriptor that only leads on needs no right to read the folder, and on NFS costs no OPEN.
_PASS = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_CLOEXEC
_LIST = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_TRIES = 5

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
    return kind(f"{doing}: {error.strerror or type(error).__name__}", advice=advice)


def irregular(where: str) -> Irregular:
    """The error for what stands where a folder should and is not followed."""
    return Irregular(f"{where} is not a folder", advice="look at it by hand; links are not followed")


@contextmanager
def opened(root: Callable[[], int], parts: tuple[str, ...], *, listing: bool = False) -> Iterator[int]:
    """A descriptor of the folder that `parts` lead to from the root.

    Args:
        root: opens the root; the descriptor is closed here.
        parts: names, one a level.
        listing: whether the folder will be listed; else the descriptor only leads on.

    Raises:
        FileNotFoundError: a folder on the way, or the last, is not there.
        Irregular: something on the way is not a folder: a symbolic link, a file.
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
        if not stat.S_ISDIR(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode):
            raise irregular(printable(where, limit=300))
    raise Unreachable(f"{printable(where, limit=300)} keeps changing", advice="try again")


def make(root: Callable[[], int], parts: tuple[str, ...]) -> None:
    """Make the folders that are missing, 0700 as Longhorn makes them; the root itself is never made.

    Raises:
        FileNotFoundError: a peer removed one of them again meanwhile.
        Irregular, OSError: as `opened`.
    """
    fd = root()
    try:
        for depth, name in enumerate(parts, 1):
            where = "/".join(parts[:depth])
            try:
                fd = _replaced(fd, _step(fd, name, _PASS, where))
            except FileNotFoundError:
                try:
                    os.mkdir(name, 0o700, dir_fd=fd)
                except FileExistsError:
                    pass
                fd = _replaced(fd, _step(fd, name, _PASS, where))
    finally:
        os.close(fd)


def climb(root: Callable[[], int], parts: tuple[str, ...], top: int) -> None:
    """Remove empty folders, from the deepest of `parts` up to and without the first `top` of them.

    Stops without an error at the first that cannot be removed: what it was for is done already.
    """
    for depth in range(len(parts), top, -1):
        try:
            with opened(root, parts[: depth - 1]) as parent:
                os.rmdir(parts[depth - 1], dir_fd=parent)
        except FileNotFoundError:
            continue
        except (OSError, StoreError):
            return
