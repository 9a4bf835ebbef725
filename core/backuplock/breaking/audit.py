"""The audit trail: who did what to which lock, when, why, and what came of it; chained, so that it shows.

Each entry holds the hash of the one before it. Changing, dropping or adding one in the middle breaks the
chain; cutting off the end shows against the head that the file keeps, and a head that was noted down
elsewhere (`verify` gives it, `export` prints it) shows also a trail that was forged as a whole.

Each act has an entry before, on disk before the store is touched, and one after. An act without the second
one was interrupted; as long as its process lives it holds a file lock, which ends with it, however it ends.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import sqlite3
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from backuplock.breaking.audit_file import open_to_read, open_to_write, told_of, transaction
from backuplock.breaking.errors import AuditError
from backuplock.text import printable

Act = Literal["break", "undo", "purge", "tidy", "verdict"]
Phase = Literal["before", "after"]
Fields = Mapping[str, Any]

_GENESIS = "0" * 64


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One entry. `fields` are plain JSON values: those that `Audit.append` was given, and what it added.

    Common ones: `act`, `phase`, `id` (of the transaction), `at_ns` (local wall clock), `target`; before a
    break also `user`, `host`, `tool`, `key`, `body` (base64), `modified_ns`, `etag`, `digest`, `store_ns`,
    `evidence`, `reason`, `live`; after one `outcome`, `detail`, `window_ns`.
    """

    seq: int
    previous: str
    hash: str
    fields: Fields

    def get(self, name: str) -> str:
        """A field as text; "" if it is missing or no text."""
        value = self.fields.get(name)
        return value if isinstance(value, str) else ""


@dataclass(frozen=True, slots=True)
class Verified:
    """What a check of the chain found: entries, the hash of the last, and what is wrong, "" if nothing is."""

    entries: int
    head: str
    problem: str = ""


class Audit:
    """An audit trail, open for appending (`open`) or for reading only (`read`). Safe for several threads.

    Every method raises `AuditError` where the file does not do its part.
    """

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._connection = connection
        self._guard = threading.Lock()
        self.path = path

    @classmethod
    def open(cls, path: Path) -> Audit:
        """Open for appending; the file is made if it is not there."""
        return cls(open_to_write(path), path)

    @classmethod
    def read(cls, path: Path) -> Audit:
        """Open for reading only."""
        return cls(open_to_read(path), path)

    def close(self) -> None:
        """Give the file back."""
        with self._guard:
            self._connection.close()

    def append(self, act: Act, phase: Phase, entry: str, at_ns: int, fields: Fields) -> AuditEntry:
        """Add an entry; it is on disk when this returns."""
        everything = {**fields, "act": act, "phase": phase, "id": entry, "at_ns": at_ns}
        content = json.dumps(everything, sort_keys=True, separators=(",", ":"))
        with self._guard, told_of(self.path), transaction(self._connection):
            seq, previous = self._head()
            made = AuditEntry(seq + 1, previous, _hash(seq + 1, previous, content), everything)
            self._connection.execute(
                "INSERT INTO entry VALUES (?, ?, ?, ?)", (made.seq, previous, made.hash, content)
            )
            self._connection.execute("INSERT OR REPLACE INTO head VALUES (1, ?, ?)", (made.seq, made.hash))
        return made

    def entries(self, *, entry: str = "", target: str = "", last: int = 0) -> tuple[AuditEntry, ...]:
        """The entries, oldest first: of one transaction, of one target, the last so many of all."""
        found: list[AuditEntry] = []
        for one in self._rows(last):
            if entry and one.get("id") != entry:
                continue
            if target and one.get("target") != target:
                continue
            found.append(one)
        return tuple(found)

    def open_acts(self, target: str = "") -> tuple[AuditEntry, ...]:
        """The entries before breaks, of a target or of all, of which no end is known: interrupted, or at work
        now."""
        begun: dict[str, AuditEntry] = {}
        for one in self._rows():
            if target and one.get("target") != target:
                continue
            act, outcome = one.get("act"), one.get("outcome")
            if (act, one.get("phase")) == ("break", "before"):
                begun[one.get("id")] = one
            elif (act == "break" and outcome not in ("", "unknown")) or (act, outcome) == ("undo", "undone"):
                begun.pop(one.get("id"), None)
        return tuple(begun.values())

    def open_undos(self) -> frozenset[str]:
        """The transactions of which an undo began and did not end, or ended without knowing how."""
        begun: set[str] = set()
        for one in self._rows():
            if one.get("act") == "undo":
                ended = one.get("phase") == "after" and one.get("outcome") != "unknown"
                (begun.discard if ended else begun.add)(one.get("id"))
        return frozenset(begun)

    def verify(self, head: str = "") -> Verified:
        """Check the whole chain.

        Args:
            head: a hash noted down earlier; it must be in the chain.
        """
        previous, seq, seen = _GENESIS, 0, not head
        with self._guard, told_of(self.path):
            rows = self._connection.execute("SELECT * FROM entry ORDER BY seq").fetchall()
            told = self._head()
        for number, before, digest, content in rows:
            seq += 1
            if number != seq:
                return Verified(seq - 1, previous, f"entry {seq} is missing")
            if before != previous or digest != _hash(seq, previous, str(content)):
                return Verified(seq - 1, previous, f"entry {seq} was changed, or one before it")
            previous = digest
            seen = seen or digest == head
        if told != (seq, previous):
            return Verified(seq, previous, f"entries after {seq} were cut off")
        return Verified(seq, previous, "" if seen else "the head noted down earlier is not in this chain")

    def export(self) -> Iterator[str]:
        """The trail as lines of JSON, with each entry's `seq`, `previous` and `hash`."""
        for one in self._rows():
            told = {**one.fields, "seq": one.seq, "previous": one.previous, "hash": one.hash}
            yield json.dumps(told, sort_keys=True)

    @contextmanager
    def at_work(self, entry: str) -> Iterator[None]:
        """Hold the file lock that shows that the transaction is being worked on.

        Raises:
            AuditError: another process works on it.
        """
        path = self._sign(entry)
        with told_of(path):
            path.parent.mkdir(mode=0o700, exist_ok=True)
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            if not _locked(fd):
                raise AuditError(f"another process works on {printable(entry)}", advice="wait for it")
            try:
                yield
            finally:
                path.unlink(missing_ok=True)
        finally:
            os.close(fd)

    def is_at_work(self, entry: str) -> bool:
        """Whether a living process of this machine works on the transaction."""
        try:
            fd = os.open(self._sign(entry), os.O_RDWR | os.O_CLOEXEC)
        except OSError:
            return False
        try:
            return not _locked(fd)
        finally:
            os.close(fd)

    def _sign(self, entry: str) -> Path:
        name = hashlib.sha256(entry.encode("utf-8", "surrogatepass")).hexdigest()[:32]
        return self.path.with_name(f"{self.path.name}.at-work") / name

    def _rows(self, last: int = 0) -> Iterator[AuditEntry]:
        with self._guard, told_of(self.path):
            rows = self._connection.execute(
                "SELECT * FROM (SELECT * FROM entry ORDER BY seq DESC LIMIT ?) ORDER BY seq", (last or -1,)
            ).fetchall()
        for seq, previous, digest, content in rows:
            try:
                fields = json.loads(content)
            except (ValueError, RecursionError):
                fields = None
            if not isinstance(fields, dict):
                raise AuditError(f"audit trail {self.path}: entry {seq} makes no sense", advice="verify it")
            yield AuditEntry(seq, previous, digest, fields)

    def _head(self) -> tuple[int, str]:
        row = self._connection.execute("SELECT seq, hash FROM head").fetchone()
        return (0, _GENESIS) if row is None else (int(row[0]), str(row[1]))


def _hash(seq: int, previous: str, content: str) -> str:
    return hashlib.sha256(f"{seq}\n{previous}\n{content}".encode("utf-8", "surrogatepass")).hexdigest()


def _locked(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
