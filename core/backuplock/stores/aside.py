"""Renaming within a file-system store: out of its place whole, and back over nothing.

A rename takes whatever stands at a name at that moment, and all of it: what was taken can be looked at in
peace, for nobody else knows its new name. Back it goes by link(2), which never replaces what stands there;
where a file system has no links, a look comes before the rename.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from typing import Any, TypeVar

from backuplock.errors import Conflict, Unreachable
from backuplock.stores.base import Version
from backuplock.stores.folders import failed, opened, split_key
from backuplock.stores.patience import go_on

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
        patiently: does a piece of work where it can be left behind, if the store may hang.
        tries: so many attempts, or as many as the store is worth.
        is_vanished: whether an error says that the folder of a name is gone.
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
        patiently: Callable[[str, Callable[[], Any]], Any],
        tries: Callable[[int], Iterable[int]],
        is_vanished: Callable[[OSError], bool],
    ) -> None:
        self._root = root
        self._check = check
        self._make = make
        self._climb = climb
        self._doing = doing
        self._write = write
        self._patiently = patiently
        self._tries = tries
        self._is_vanished = is_vanished

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

        def whole() -> bool:
            moved = self._with_folder(target, doing, once)
            if moved:
                self._sync(target[:-1])
                self._sync(source[:-1])
            return moved

        return bool(self._patiently(doing, whole))

    def _rename_from(self, source: tuple[str, ...], new: int, name: str) -> bool:
        try:
            with opened(self._root, source[:-1]) as old:
                if not _exists(old, source[-1]):
                    return False
                go_on()
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

        def whole() -> bool:
            done = self._with_folder(target, doing, once)
            if done:
                self._sync(target[:-1])
            return done

        return bool(self._patiently(doing, whole))

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

        made: Version = self._patiently(doing, lambda: self._with_folder(parts, doing, once))
        return made

    def tidy(self, key: str) -> None:
        self._check(key)
        parts = split_key(key)
        self._patiently(self._doing("tidy up", key), lambda: self._climb(parts))

    def _with_folder(self, parts: tuple[str, ...], doing: str, once: Callable[[], _T]) -> _T:
        """Do it once the folder of `parts` is there; a peer's climb may take it away again and again."""
        made = done = False
        try:
            for _ in self._tries(_TRIES):
                try:
                    result = once()
                    done = True
                    return result
                except OSError as error:
                    if not self._is_vanished(error):
                        raise
                made = True
                self._make(parts[:-1])
            raise Unreachable(f"{doing}: its folder vanished again and again", advice="try again")
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
    go_on()
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
