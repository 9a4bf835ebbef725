"""The file of the audit trail: SQLite, appended to only, on disk before it is believed."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from platformdirs import user_state_path

from backuplock.breaking.errors import AuditError
from backuplock.text import printable

APPLICATION_ID = 0x4C4B4155
"""Marks the file as ours in SQLite's header: `LKAU`."""
VERSION = 1
BUSY_S = 15.0
"""How long to wait for another process that writes; an entry is written in milliseconds."""

_TABLES = """
CREATE TABLE entry (
  seq INTEGER PRIMARY KEY, previous TEXT NOT NULL, hash TEXT NOT NULL, content TEXT NOT NULL
);
CREATE TABLE head (one INTEGER PRIMARY KEY CHECK (one = 1), seq INTEGER NOT NULL, hash TEXT NOT NULL)
"""
_GUARDS = tuple(
    f"CREATE TRIGGER entry_{verb} BEFORE {verb} ON entry"
    " BEGIN SELECT RAISE(ABORT, 'entries are never changed'); END"
    for verb in ("update", "delete")
)


def audit_path(folder: Path | None = None) -> Path:
    """Where the audit trail lies: one file for all targets, `locktop/audit.db` in the XDG state folder."""
    folder = folder if folder is not None else user_state_path("locktop", appauthor=False)
    return folder / "audit.db"


def open_to_write(path: Path) -> sqlite3.Connection:
    """A connection for appending; the file is made, readable by its owner only, if it is not there.

    Raises:
        AuditError: one line on what is wrong with it.
    """
    with told_of(path):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        connection = _connect(path, "mode=rw")
    with _closed_on_error(connection), told_of(path):
        _check(connection, path, may_be_empty=True)
        # A rollback journal, not a log: it works on network homes, and leaves one file behind. EXTRA waits
        # for the folder as well: an entry that was lost with the power would make the act it tells of untold.
        connection.execute("PRAGMA journal_mode = DELETE")
        connection.execute("PRAGMA synchronous = EXTRA")
        with transaction(connection):
            if _version(connection) == 0:
                for statement in (*_TABLES.split(";"), *_GUARDS):
                    connection.execute(statement)
                connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
                connection.execute(f"PRAGMA user_version = {VERSION}")
    return connection


def open_to_read(path: Path) -> sqlite3.Connection:
    """A connection that changes nothing.

    Raises:
        AuditError: one line on what is wrong with it, also if it is not there.
    """
    with told_of(path):
        with path.open("rb"):
            pass
        # Whoever died while writing left a journal to roll back, which needs the right to write.
        connection = _connect(path, "mode=rw" if os.access(path, os.W_OK) else "mode=ro")
    with _closed_on_error(connection), told_of(path):
        connection.execute("PRAGMA query_only = ON")
        _check(connection, path, may_be_empty=False)
    return connection


@contextlib.contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Alone with the file, from the first read to the commit."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


@contextlib.contextmanager
def told_of(path: Path) -> Iterator[None]:
    """Turn what SQLite and the system raise into an `AuditError` about `path`."""
    shown = printable(str(path), limit=300)
    try:
        yield
    except FileNotFoundError as error:
        raise AuditError(f"there is no audit trail {shown}", advice="nothing was broken from here") from error
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise AuditError(f"audit trail {shown}: {why}", advice="check the rights of the folder") from error
    except (sqlite3.Error, UnicodeDecodeError) as error:
        why = printable(str(error), limit=160)
        raise AuditError(f"audit trail {shown}: {why}", advice="look at the file and its disk") from error


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    where = f"file:{quote(os.fsencode(path.absolute()))}?{mode}"
    connection = sqlite3.connect(
        where, uri=True, timeout=BUSY_S, isolation_level=None, check_same_thread=False
    )
    with _closed_on_error(connection):
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.execute("PRAGMA cell_size_check = ON")
    return connection


def _check(connection: sqlite3.Connection, path: Path, *, may_be_empty: bool) -> None:
    empty = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0
    shown = printable(str(path), limit=300)
    if empty and _version(connection) == 0:
        if not may_be_empty:
            raise AuditError(f"{shown} is empty", advice="name an audit trail of locktop's")
        return
    if connection.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
        raise AuditError(f"{shown} is no audit trail of locktop's", advice="move it away")
    if _version(connection) > VERSION:
        raise AuditError(f"audit trail {shown} was written by a newer locktop", advice="update locktop")


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


@contextlib.contextmanager
def _closed_on_error(connection: sqlite3.Connection) -> Iterator[None]:
    try:
        yield
    except BaseException:
        connection.close()
        raise
