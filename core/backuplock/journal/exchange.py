"""Journals that travel: a copy in one file, and the runs of one journal taken into another."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from pathlib import Path
from urllib.parse import quote

from backuplock.journal.errors import JournalDenied, JournalError
from backuplock.journal.prune import drop_run


def copy_to(connection: sqlite3.Connection, path: Path) -> None:
    """Write all that is known now into a new file, readable by its owner only.

    Raises:
        JournalError: the file exists, or cannot be written.
    """
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        raise JournalError(f"{path} exists", advice="name a new file") from None
    except OSError as error:
        raise JournalDenied(f"{path}: {error.strerror}", advice="name a file in a folder of yours") from error
    try:
        connection.execute("VACUUM INTO ?", (str(path),))
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def take_in(connection: sqlite3.Connection, path: Path) -> int:
    """Copy the runs of another journal that are not here, or longer there; the number of runs copied.

    Both were checked to be journals of the same target, and no transaction is open.
    """
    connection.execute(f"ATTACH 'file:{quote(os.fsencode(path.absolute()))}?mode=rw' AS src")
    try:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("INSERT OR IGNORE INTO main.name (value) SELECT value FROM src.name")
        connection.execute(
            "INSERT OR IGNORE INTO main.body (digest, value) SELECT digest, value FROM src.body"
        )
        connection.execute("INSERT OR IGNORE INTO main.meta SELECT * FROM src.meta")
        taken = 0
        for run, token, last, floor in connection.execute(
            "SELECT id, token, last, floor FROM src.run"
        ).fetchall():
            here = connection.execute("SELECT id, last FROM main.run WHERE token = ?", (token,)).fetchone()
            if here is not None and here[1] >= last:
                continue
            if here is not None:
                drop_run(connection, here[0])
            _copy_run(connection, run, (token, last, floor))
            taken += 1
        connection.execute("COMMIT")
    except BaseException:
        with contextlib.suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        raise
    finally:
        with contextlib.suppress(sqlite3.Error):
            connection.execute("DETACH src")
    return taken


_LOOK = "seq, wall, began, ended, lo, hi, as_of, source, requests, bodies, rtt, present, problems"
_GAP = "seq, began, ended, kind, line"
_NAME = "(SELECT m.id FROM src.name s JOIN main.name m ON m.value = s.value WHERE s.id = t.{0})"
_BODY = "(SELECT m.id FROM src.body s JOIN main.body m ON m.digest = s.digest WHERE s.id = t.body)"
_COPIED = {
    # table: columns that name names, other columns
    "lock": (("key", "volume"), "nth, first, last, modified, etag, listed, listed_etag"),
    "view": (("volume",), "nth, first, last, value"),
    "event": (("key", "volume"), "seq, wall, kind, type, store, inferred, detail"),
}


def _copy_run(connection: sqlite3.Connection, run: int, values: tuple[object, ...]) -> None:
    made = connection.execute("INSERT INTO main.run (token, last, floor) VALUES (?, ?, ?)", values).lastrowid
    # All that stands in these statements is written above.
    for table, plain in (("look", _LOOK), ("gap", _GAP)):
        connection.execute(
            f"INSERT INTO main.{table} (run, {plain}) SELECT ?, {plain} FROM src.{table} WHERE run = ?",
            (made, run),
        )
    for table, (names, plain) in _COPIED.items():
        columns, values_ = [*names, plain], [*(_NAME.format(name) for name in names), plain]
        if table == "lock":
            columns, values_ = [*columns, "body"], [*values_, _BODY]
        connection.execute(
            f"INSERT INTO main.{table} (run, {', '.join(columns)})"
            f" SELECT ?, {', '.join(values_)} FROM src.{table} t WHERE run = ?",
            (made, run),
        )
    # A run that was being recorded when it was copied has ended here.
    for table in ("lock", "view"):
        connection.execute(
            f"UPDATE main.{table} SET last = ? WHERE run = ? AND last IS NULL", (values[1], made)
        )
