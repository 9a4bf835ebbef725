"""The journal of one backup target: written while a store is watched, asked at any time.

Several processes may record into one file at once: each is a run of its own, and what is asked is answered
from all of them.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TypeVar

from backuplock.journal import codec, exchange, facts
from backuplock.journal.errors import JournalMismatch, JournalMissing, told_of
from backuplock.journal.facts import Contention, HeldSince, Refresh
from backuplock.journal.prune import Bounds, Pruner
from backuplock.journal.reader import Reader
from backuplock.journal.schema import open_to_read, open_to_write
from backuplock.journal.writer import Run
from backuplock.model import Snapshot
from backuplock.watch import Event

T = TypeVar("T")


class Journal(Reader):
    """A journal open for recording (`open`) or for reading only (`Journal.read`).

    Every method raises `JournalError`, after which the journal is as it was: a caller may drop the look and
    try the next one, or go on without.
    """

    def __init__(self, connection: sqlite3.Connection, path: Path, bounds: Bounds | None) -> None:
        super().__init__(connection, path)
        self._run: Run | None = None
        self._pruner = None if bounds is None else Pruner(connection, bounds)
        self._inode = path.stat().st_ino

    @classmethod
    def open(cls, path: Path, *, target: str = "", bounds: Bounds | None = None) -> Journal:
        """Open for recording; the file is made if it is not there.

        Args:
            target: the URL of the target that will be recorded; by default that of the first Snapshot.

        Raises:
            JournalMismatch: the file holds another target's recording; it is left as it is.
            JournalError: it cannot be opened, or is no recording.
        """
        connection = open_to_write(path)
        with _given_back(connection), told_of(path):
            journal = cls(connection, path, bounds or Bounds())
            if target:
                journal._in_transaction(lambda: journal._claim(target))
        return journal

    @classmethod
    def read(cls, path: Path) -> Journal:
        """Open for reading only, also while others record.

        Raises:
            JournalError: it cannot be opened, or is no recording.
        """
        connection = open_to_read(path)
        with _given_back(connection), told_of(path):
            return cls(connection, path, None)

    # -- recording

    def record(self, snapshot: Snapshot, events: Iterable[Event] = ()) -> None:
        """Write what one sweep showed; what did not change since the last costs nothing."""
        events = tuple(events)
        with self._guard, told_of(self.path):
            try:
                self._write(snapshot, events)
            except sqlite3.OperationalError as error:
                pruner = self._writable()
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_FULL or not pruner.make_room():
                    raise
                self._write(snapshot, events)
            # The look is kept whether or not there was time to tidy up after it.
            with contextlib.suppress(sqlite3.OperationalError):
                self._writable().tidy(snapshot.taken_wall_ns)

    def record_gap(self, wall_ns: int, kind: str, line: str) -> None:
        """Write that a sweep failed as a whole at `wall_ns`; failures in a row make one gap.

        Args:
            kind: a word for the failure. line: the failure in one line.

        Raises:
            ValueError: the target is not known yet.
        """
        with self._guard, told_of(self.path):
            if not self.target:
                raise ValueError("a gap of which target?")
            self._in_transaction(lambda: self._current_run().write_gap(wall_ns, kind, line))

    def _write(self, snapshot: Snapshot, events: tuple[Event, ...]) -> None:
        def look() -> Callable[[], None]:
            self._claim(snapshot.target)
            return self._current_run().write(snapshot, events)

        self._in_transaction(look)()

    def _current_run(self) -> Run:
        if self._run is None or not self._run.stands():
            self._run = Run(self._connection)
        return self._run

    def _claim(self, target: str) -> None:
        claimed = self.target
        if claimed and claimed != target:
            raise JournalMismatch(
                f"{self.path} is a recording of {claimed}, not of {target}", advice="name another file"
            )
        if not claimed:
            self._connection.execute("INSERT INTO meta VALUES ('target', ?)", (codec.put_text(target),))

    def _in_transaction(self, work: Callable[[], T]) -> T:
        self._writable()
        run = self._run
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            result = work()
            self._connection.execute("COMMIT")
        except BaseException:
            # A run begun in here went with the transaction.
            self._run = run
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise
        return result

    def _writable(self) -> Pruner:
        if self._pruner is None:
            raise RuntimeError("this journal was opened for reading")
        try:
            same = self.path.stat().st_ino == self._inode
        except OSError:
            same = False
        if not same:
            raise JournalMissing(
                f"recording {self.path} was removed while it was written", advice="start anew"
            )
        return self._pruner

    # -- asking

    def held_since(self, key: str) -> HeldSince | None:
        """Since when a lock is, or was last, held; None if nobody saw it acquired."""
        return facts.held_since(self, key)

    def refreshes(self, key: str) -> tuple[Refresh, ...]:
        """The versions of a lock, by their times."""
        return facts.refreshes(self, key)

    def contention(self) -> tuple[Contention, ...]:
        """Volume by volume, how much clients were in each other's way."""
        return facts.contention(self)

    # -- travelling

    def export(self, path: Path) -> None:
        """Write a copy into a new file; the journal may be written on meanwhile."""
        with self._guard, told_of(path):
            exchange.copy_to(self._connection, path)

    def import_from(self, path: Path) -> int:
        """Take in another journal of the same target; how many runs were new or longer there.

        Raises:
            JournalMismatch: it is of another target.
        """
        other = Journal.read(path)
        target = other.target
        other.close()
        with self._guard, told_of(self.path):
            self._writable()
            if target and self.target and target != self.target:
                raise JournalMismatch(f"{path} is a recording of {target}, not of {self.target}")
            return exchange.take_in(self._connection, path)

    @property
    def size(self) -> int:
        """Bytes of the file that are in use."""
        with self._guard, told_of(self.path):
            return self._writable().used()


@contextlib.contextmanager
def _given_back(connection: sqlite3.Connection) -> Iterator[None]:
    try:
        yield
    except BaseException:
        connection.close()
        raise
