"""What can be wrong with a journal: one line each. Whoever records catches `JournalError` and goes on
without; a journal that fails must never stop the watch itself."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from backuplock.errors import BackupLockError, Conflict, Denied, Malformed, Missing, Unreachable
from backuplock.text import printable


class JournalError(BackupLockError):
    """A journal could not be opened, written or understood."""


class JournalMalformed(JournalError, Malformed):
    """The file is no recording, is damaged, or was written by a newer locktop."""


class JournalMissing(JournalError, Missing):
    """There is no such recording."""


class JournalDenied(JournalError, Denied):
    """The file or its folder may not be read or written."""


class JournalMismatch(JournalError, Conflict):
    """The recording is one of another backup target."""


class JournalBusy(JournalError, Unreachable):
    """Another process held the file for too long; nothing was written, the next attempt may succeed."""


class JournalFull(JournalError, Unreachable):
    """The disk or the journal's own bound is full; nothing was written."""


_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_FORMAT, sqlite3.SQLITE_MISMATCH)
_REFUSED = (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH, sqlite3.SQLITE_CANTOPEN)


@contextmanager
def told_of(path: Path) -> Iterator[None]:
    """Turn what SQLite raises into a `JournalError` about `path`."""
    try:
        yield
    except sqlite3.Error as error:
        raise _translated(path, error) from error
    except UnicodeDecodeError as error:
        # SQLite's own words about a damaged schema quote it.
        raise damaged(path, "what it holds is no text") from error


@contextmanager
def decoding(path: Path) -> Iterator[None]:
    """As `told_of`, and the same for contents that do not decode; for what reads only."""
    try:
        with told_of(path):
            yield
    except (KeyError, IndexError, TypeError, ValueError, OverflowError, RecursionError) as error:
        # What was written by us decodes; what does not was written or damaged by somebody else.
        raise damaged(path, f"{type(error).__name__} in its contents") from error


def damaged(path: Path, why: str) -> JournalMalformed:
    """The error for a file whose contents make no sense."""
    told = f"recording {path} is damaged ({printable(why, limit=200)})"
    return JournalMalformed(told, advice="move it away and record anew")


def _translated(path: Path, error: sqlite3.Error) -> JournalError:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code == sqlite3.SQLITE_NOTADB:
        return JournalMalformed(f"{path} is no recording", advice="name a file made by locktop record")
    if code in _DAMAGED:
        return damaged(path, str(error))
    if code in _REFUSED:
        return JournalDenied(
            f"recording {path}: {error}", advice="check the rights of the file and its folder"
        )
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return JournalBusy(f"recording {path} is held by another process", advice="try again")
    if code == sqlite3.SQLITE_FULL:
        return JournalFull(f"recording {path}: no space is left", advice="make room, or record elsewhere")
    if code in (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_NOLFS):
        return JournalError(f"recording {path}: {error}", advice="look at the disk")
    return damaged(path, str(error))
