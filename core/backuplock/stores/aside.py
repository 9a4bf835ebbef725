"""Renaming within a file-system store: out of its place whole, and back over nothing.

A rename takes whatever stands at a name at that moment, and all of it: what was taken can be looked at in
peace, for nobody else knows its new name. Back it goes by link(2), which never replaces what stands there;
where a file system has no links, a look comes before the rename.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TypeVar

from backuplock.errors import Conflict, Unreachable
from backuplock.stores.base import Version
from backuplock.stores.folders import failed, opened, split_key

_ABSENT = (FileNotFoundError, NotADirectoryError)
_NO_LINKS = frozenset({errno.EPERM, errno.EACCES, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EXDEV})
_TRIES = 100

_T = TypeVar("_T")

Beside = Callable[[int, str, bytes], AbstractContextManager[tuple[str, int, Version]]]


class FolderAside:
    """`Aside` for a store in a folder.

    Args:
        root: opens the root of the store.
        check: raises `ReadOnly` for a key, if writing is not allowed.
        make: makes the folders of these parts; that a peer took one away again meanwhile is no error.
        climb: removes the empty folders above the parts of a key.
        doing: words for a verb and a key.
        write: writes a body beside the place of a name, under another name.
    """

    def __init__(
        self,
        root: Callable[[], int],
        *,
        check: Callable[[str], None],
        make: Callable[[tuple[str, ...]], None],
        climb: Callable[[tuple[str, ...]], None],
        doing: Callable[[str, str], str],
        write: Beside,
    ) -> None:
        self._root = root
        self._check = check
        self._make = make
        self._climb = climb
        self._doing = doing
        self._write = write

    def put_aside(self, key: str, to: str) -> bool:
        """As the protocol says. On disk when it returns: what follows builds on it."""
        self._check(key)
        source, target = split_key(key), split_key(to)
        doing = self._doing("put aside", key)

        def once() -> bool:
            with opened(self._root, target[:-1]) as new:
                if _exists(new, target[-1]):
                    raise Conflict(f"{doing}: something stands where it should go")
                return self._rename_from(source, new, target[-1])

        moved = self._with_folder(target, doing, once)
        if moved:
            self._sync(target[:-1])
            self._sync(source[:-1])
        return moved

    def _rename_from(self, source: tuple[str, ...], new: int, name: str) -> bool:
        try:
            with opened(self._root, source[:-1]) as old:
                if not _exists(old, source[-1]):
                    return False
                os.rename(source[-1], name, src_dir_fd=old, dst_dir_fd=new)
        except _ABSENT:
            # Of the two folders only the new one stays open, so that it is there: the file went, unless the
            # rename was done and its answer got lost (NFS).
            return _exists(new, name)
        return True

    def put_back(self, aside: str, key: str) -> bool:
        self._check(key)
        source, target = split_key(aside), split_key(key)
        doing = self._doing("put back", key)

        def once() -> bool:
            with opened(self._root, source[:-1]) as old:
                if not _exists(old, source[-1]):
                    raise Conflict(f"{doing}: what was put aside is not there any more")
                with opened(self._root, target[:-1]) as new:
                    return _place(old, source[-1], new, target[-1])

        done = self._with_folder(target, doing, once)
        if done:
            self._sync(target[:-1])
        return done

    def create(self, key: str, body: bytes) -> Version:
        self._check(key)
        parts = split_key(key)
        doing = self._doing("write", key)

        def once() -> Version:
            with (
                opened(self._root, parts[:-1]) as folder,
                self._write(folder, parts[-1], body) as (tmp, _inode, version),
            ):
                if not _place(folder, tmp, folder, parts[-1]):
                    raise Conflict(f"{doing}: it is there already")
            return version

        return self._with_folder(parts, doing, once)

    def tidy(self, key: str) -> None:
        self._check(key)
        self._climb(split_key(key))

    def _with_folder(self, parts: tuple[str, ...], doing: str, once: Callable[[], _T]) -> _T:
        """Do it once the folder of `parts` is there; a peer's climb may take it away again and again."""
        made = done = False
        try:
            for _ in range(_TRIES):
                try:
                    result = once()
                    done = True
                    return result
                except FileNotFoundError:
                    made = True
                    self._make(parts[:-1])
            raise Unreachable(f"{doing}: its folder vanished {_TRIES} times", advice="try again")
        except OSError as error:
            raise failed(doing, error) from error
        finally:
            if made and not done:
                self._climb(parts)

    def _sync(self, folder: tuple[str, ...]) -> None:
        try:
            with opened(self._root, folder, listing=True) as fd:
                os.fsync(fd)
        except OSError:
            pass  # Some file systems cannot, some folders are gone: the rename itself was done.


def _exists(folder: int, name: str) -> bool:
    try:
        os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def _place(old: int, source: str, new: int, name: str) -> bool:
    """Rename, but never over anything; false if something stands at `name`."""
    try:
        os.link(source, name, src_dir_fd=old, dst_dir_fd=new, follow_symlinks=False)
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        if _exists(new, name):
            return False
        os.rename(source, name, src_dir_fd=old, dst_dir_fd=new)
        return True
    os.unlink(source, dir_fd=old)
    return True
