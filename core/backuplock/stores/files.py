"""Single files of a file-system store: one version read whole, one written beside its place and renamed.

All names are single components, relative to the descriptor of their folder (`backuplock.stores.folders`).
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager

from backuplock.errors import Irregular, TooLarge

_NAME_MAX = 255
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def not_plain(doing: str) -> Irregular:
    """The error for a name that stands for something else than a plain file."""
    return Irregular(f"{doing}: it is not a plain file", advice="look at it by hand; links are not followed")


def read_version(folder: int, name: str, cap: int, doing: str) -> tuple[bytes, os.stat_result] | None:
    """Body and state of one version, or None if it changed while it was read.

    Raises:
        Irregular: it is not a plain file; a FIFO does not make this wait.
        TooLarge: it has more than `cap` bytes; none of them is read.
        OSError: as the system says.
    """
    fd = os.open(name, _READ, dir_fd=folder)
    try:
        before = os.fstat(fd)
        if not stat.S_ISREG(before.st_mode):
            raise not_plain(doing)
        if before.st_size > cap:
            raise TooLarge(f"{doing}: {before.st_size} bytes are more than the {cap} that are read")
        body = _read_up_to(fd, cap + 1)
        after = os.fstat(fd)
    finally:
        os.close(fd)
    sizes = {before.st_size, len(body), after.st_size}
    return (body, after) if len(sizes) == 1 and before.st_mtime_ns == after.st_mtime_ns else None


def _read_up_to(fd: int, size: int) -> bytes:
    chunks: list[bytes] = []
    while size > 0 and (chunk := os.read(fd, size)):
        chunks.append(chunk)
        size -= len(chunk)
    return b"".join(chunks)


@contextmanager
def beside(folder: int, name: str, unix_ns: int) -> Iterator[tuple[int, str]]:
    """A new file `<name>.tmp.<unix ns>`, open for writing, gone again if the block fails.

    The name is Longhorn's, cut where it would be too long. The block closes the descriptor.
    """
    while True:
        suffix = f".tmp.{unix_ns}"
        tmp = os.fsdecode(os.fsencode(name)[: _NAME_MAX - len(suffix)]) + suffix
        try:
            fd = os.open(tmp, _CREATE, 0o666, dir_fd=folder)
            break
        except FileExistsError:
            unix_ns += 1
    try:
        yield fd, tmp
    except BaseException:
        try:
            os.unlink(tmp, dir_fd=folder)
        except OSError:
            pass  # The error that led here is the one to tell.
        raise


def write_all(fd: int, body: bytes) -> None:
    """Write the whole body; a full disk may take a part of it first."""
    view = memoryview(body)
    while view:
        view = view[os.write(fd, view) :]


def rename(folder: int, tmp: str, name: str, inode: int) -> None:
    """Put `tmp` in the place of `name`, atomically."""
    try:
        os.replace(tmp, name, src_dir_fd=folder, dst_dir_fd=folder)
    except FileNotFoundError:
        # NFS may say so of a rename that was done, when its answer got lost and it was asked again.
        if os.stat(name, dir_fd=folder, follow_symlinks=False).st_ino != inode:
            raise


def unlink(folder: int, name: str, doing: str) -> None:
    """Remove a file, or a link itself.

    Raises:
        Irregular: it is a folder.
        OSError: as the system says.
    """
    try:
        os.unlink(name, dir_fd=folder)
    except (IsADirectoryError, PermissionError) as error:
        # POSIX has EPERM for a folder, Linux EISDIR.
        if stat.S_ISDIR(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
            raise not_plain(doing) from error
        raise
