"""The file of a journal: its tables, its version, and how it is opened.

A *run* is one recorder at work. Its looks are numbered from 1; what they showed is kept as intervals of
looks (`first` to `last`, open while `last` is null), so that what does not change costs nothing, any look
can be rebuilt, and old looks can be dropped without touching younger ones. Names and bodies are kept once.

Columns have no type, hence no affinity: a number beyond 64 bits is kept as decimal text and would otherwise
become a float, text that is not Unicode (a lone surrogate out of a file name) is kept as bytes.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from backuplock.journal.errors import JournalDenied, JournalError, JournalMalformed, JournalMissing, told_of

APPLICATION_ID = 0x4C4B5450
"""Marks the file as ours in SQLite's header: `LKTP`."""

VERSION = 1
"""Version of the tables below; a file of a newer one is refused."""

BUSY_S = 2.0
"""How long to wait for another process that writes; far less than a person waits for a screen."""

PAGE = 4096

_TABLES = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE run (id INTEGER PRIMARY KEY AUTOINCREMENT, token UNIQUE, last, floor);
CREATE TABLE look (
  run, seq, wall, began, ended, lo, hi, as_of, source, requests, bodies, rtt, present, problems,
  PRIMARY KEY (run, seq)
) WITHOUT ROWID;
CREATE INDEX look_wall ON look (wall);
CREATE TABLE name (id INTEGER PRIMARY KEY, value UNIQUE);
CREATE TABLE body (id INTEGER PRIMARY KEY, digest UNIQUE, value);
CREATE TABLE lock (
  id INTEGER PRIMARY KEY, run, key, volume, nth, first, last, modified, etag, listed, listed_etag, body
);
CREATE INDEX lock_first ON lock (run, first);
CREATE INDEX lock_last ON lock (run, last);
CREATE INDEX lock_key ON lock (key);
CREATE TABLE view (id INTEGER PRIMARY KEY, run, volume, nth, first, last, value);
CREATE INDEX view_first ON view (run, first);
CREATE INDEX view_last ON view (run, last);
CREATE TABLE event (
  id INTEGER PRIMARY KEY, run, seq, wall, kind, key, volume, type, store, inferred, detail
);
CREATE INDEX event_run ON event (run, seq);
CREATE INDEX event_volume ON event (volume, wall);
CREATE TABLE gap (id INTEGER PRIMARY KEY, run, seq, began, ended, kind, line);
CREATE INDEX gap_run ON gap (run, seq);
"""


def open_to_write(path: Path) -> sqlite3.Connection:
    """A connection for recording; the file is made, readable by its owner only, if it is not there.

    Raises:
        JournalError: one line on what is wrong with it.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except FileNotFoundError as error:
        raise JournalDenied(f"{path} cannot be made", advice="name a file in a folder of yours") from error
    except OSError as error:
        raise _refused(path, error) from error
    with told_of(path):
        connection = _connect(path, "mode=rw")
    with _closed_on_error(connection), told_of(path):
        _check_header(connection, path, may_be_empty=True)
        if _version(connection) == 0:
            # Only an empty file can still choose this; later it would need a VACUUM.
            connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        connection.execute("PRAGMA journal_mode = WAL")
        # A crash of the machine may cost the last looks, never the file; a commit need not wait for the disk.
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute(f"PRAGMA journal_size_limit = {1024 * PAGE}")
        connection.execute("BEGIN IMMEDIATE")
        if _version(connection) == 0:
            for statement in _TABLES.split(";"):
                connection.execute(statement)
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {VERSION}")
        connection.execute("COMMIT")
    return connection


def open_to_read(path: Path) -> sqlite3.Connection:
    """A connection that changes nothing, also while somebody records, also on a read-only medium.

    Raises:
        JournalError: one line on what is wrong with it.
    """
    try:
        with path.open("rb"):
            pass
    except OSError as error:
        raise _refused(path, error) from error
    failure: sqlite3.Error | None = None
    # The first needs the right to write, for the log of a recorder that died is played back, and leaves
    # nothing lying about; the last works where not even a lock can be taken.
    for mode in ("mode=rw", "mode=ro", "immutable=1"):
        if mode == "immutable=1" and _holds_a_log(path):
            break
        connection: sqlite3.Connection | None = None
        try:
            connection = _connect(path, mode)
            connection.execute("PRAGMA query_only = ON")
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        except sqlite3.OperationalError as error:
            failure = error
            if connection is not None:
                connection.close()
        except (sqlite3.Error, UnicodeDecodeError):
            if connection is not None:
                connection.close()
            with told_of(path):
                raise
        else:
            with _closed_on_error(connection), told_of(path):
                _check_header(connection, path, may_be_empty=False)
            return connection
    with told_of(path):
        raise failure or sqlite3.OperationalError("unable to open database file")


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    where = f"file:{quote(os.fsencode(path.absolute()))}?{mode}"
    # Guarded by the journal's own lock: the console writes from one thread and asks from another.
    connection = sqlite3.connect(
        where, uri=True, timeout=BUSY_S, isolation_level=None, check_same_thread=False
    )
    with _closed_on_error(connection):
        # A recording out of a bug report is a stranger's file: no code hides in its schema.
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.execute("PRAGMA cell_size_check = ON")
    return connection


def _check_header(connection: sqlite3.Connection, path: Path, *, may_be_empty: bool) -> None:
    empty = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    version = _version(connection)
    if empty and version == 0:
        if may_be_empty:
            return
        raise JournalMalformed(f"{path} is empty", advice="name a file made by locktop record")
    if application != APPLICATION_ID:
        raise JournalMalformed(
            f"{path} is a database of another program", advice="name a file made by locktop record"
        )
    if version > VERSION:
        raise JournalMalformed(
            f"recording {path} has format {version}, this locktop knows {VERSION} at most",
            advice="update locktop, or record into another file",
        )


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _holds_a_log(path: Path) -> bool:
    try:
        return path.with_name(f"{path.name}-wal").stat().st_size > 0
    except OSError:
        return False


@contextlib.contextmanager
def _closed_on_error(connection: sqlite3.Connection) -> Iterator[None]:
    try:
        yield
    except BaseException:
        connection.close()
        raise


def _refused(path: Path, error: OSError) -> JournalError:
    why = error.strerror or str(error)
    if isinstance(error, FileNotFoundError):
        return JournalMissing(f"there is no recording {path}", advice="check the path")
    if isinstance(error, IsADirectoryError):
        return JournalMalformed(f"{path} is a folder", advice="name a file")
    return JournalDenied(f"recording {path}: {why}", advice="check the rights of the file and its folder")
