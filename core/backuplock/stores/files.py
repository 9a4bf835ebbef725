"""Single files of a file-system store: one version read whole, one written beside its place and renamed.

All names are single components, relative to the descriptor of their folder (`backuplock.stores.folders`).
"""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager

from backuplock.errors import Irregular, TooLarge
from backuplock.stores.patience import go_on

_NAME_MAX = 255
_FAR = 1 << 40
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def not_plain(doing: str) -> Irregular:
    """The error for a name that stands for something else than a plain file."""
    return Irregular(f"{doing}: it is not a plain file", advice="look at it by hand; links are not followed")


def no_afterlife(fd: int, *, writing: bool = False) -> None:
    """See to it that the CIFS client closes the file when we do.

    Else it keeps it open for `closetimeo` (mount.cifs(8): 1 s) in case somebody opens it again, whom it then
    gives what it has: a file that is read once a second, and renamed over on the server, is the old one for
    ever, to read and to stat. Closing is put off of no file that was ever locked (`cifs_close` and
    CIFS_INO_CLOSE_ON_LOCK in fs/smb/client/file.c of Linux 6.1), so a byte is locked where no file has one.
    """
    try:
        kind = fcntl.LOCK_EX if writing else fcntl.LOCK_SH
        fcntl.lockf(fd, kind | fcntl.LOCK_NB, 1, _FAR)
    except OSError:
        pass  # A server without locks: then it is as it is.


def read_version(
    folder: int, name: str, cap: int, doing: str, *, cifs: bool = False
) -> tuple[bytes, os.stat_result] | None:
    """Body and state of one version, or None if it changed while it was read.

    Args:
        cifs: see `no_afterlife`.

    Raises:
        Irregular: it is not a plain file; a FIFO does not make this wait.
        TooLarge: it has more than `cap` bytes; none of them is read.
        OSError: as the system says.
    """
    fd = os.open(name, _READ, dir_fd=folder)
    try:
        if cifs:
            no_afterlife(fd)
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


def server_stat(folder: int, name: str) -> os.stat_result:
    """The state of a file on CIFS as the server has it: to open it asks the server. To look at it may answer
    from memory, and of a file that was just written with this machine's time."""
    fd = os.open(name, _READ, dir_fd=folder)
    try:
        no_afterlife(fd)
        return os.fstat(fd)
    finally:
        os.close(fd)


def rename(folder: int, tmp: str, name: str, inode: int) -> None:
    """Put `tmp` in the place of `name`, atomically."""
    go_on()
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
    go_on()
    try:
        os.unlink(name, dir_fd=folder)
    except (IsADirectoryError, PermissionError) as error:
        # POSIX has EPERM for a folder, Linux EISDIR.
        if stat.S_ISDIR(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
            raise not_plain(doing) from error
        raise
