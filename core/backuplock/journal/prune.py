"""Keeping a journal within its bounds: the oldest looks go first, a few at a time."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from backuplock.clock import SECOND
from backuplock.journal.schema import PAGE

_STEP = 64
"""Looks that go in one transaction, so that nobody waits for long."""

_GARBAGE_EACH = 32
"""Steps between two searches for names and bodies that nothing refers to."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much a journal keeps.

    `age_ns` counts back from the latest look recorded. `size` is bytes of the file, its log of some MiB
    beside it not counted: SQLite refuses to grow beyond, and pruning starts well before.
    """

    age_ns: int = 7 * 86_400 * SECOND
    size: int = 256 * 1024 * 1024

    def __post_init__(self) -> None:
        if self.age_ns <= 0 or self.size < 64 * PAGE:
            raise ValueError("a journal needs some time and 256 KiB at least")


class Pruner:
    """Applies bounds to a connection that is not in a transaction."""

    def __init__(self, connection: sqlite3.Connection, bounds: Bounds) -> None:
        self._connection = connection
        self._bounds = bounds
        self._steps = 0
        connection.execute(f"PRAGMA max_page_count = {bounds.size // self._one('PRAGMA page_size')}")

    def used(self) -> int:
        """Bytes in use: the file's size without its free pages."""
        pages = self._one("PRAGMA page_count") - self._one("PRAGMA freelist_count")
        return pages * self._one("PRAGMA page_size")

    def tidy(self, now_wall_ns: int) -> None:
        """A small step towards the bounds; to be called after each look."""
        horizon = now_wall_ns - self._bounds.age_ns
        if self._one("SELECT min(wall) FROM look", default=horizon) < horizon:
            self._step(horizon)
        if self.used() > self._bounds.size * 8 // 10:
            self._step(None)
        if self.used() > self._bounds.size * 9 // 10:
            self.make_room()

    def make_room(self) -> bool:
        """Drop the oldest looks until three quarters are in use; false if nothing could be dropped."""
        dropped = False
        while self.used() > self._bounds.size * 3 // 4:
            if not self._step(None):
                self._sweep_garbage()
                return dropped
            dropped = True
            if self.used() > self._bounds.size * 3 // 4 and self._steps % 4 == 0:
                self._sweep_garbage()
        self._sweep_garbage()
        return dropped

    def _step(self, horizon: int | None) -> bool:
        """Drop up to `_STEP` looks of the run that has the oldest; the last look of all stays."""
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            cut = self._cut(horizon)
            if cut is not None:
                self._drop(*cut)
            self._connection.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise
        if cut is None:
            return False
        self._steps += 1
        # With a whole run, most names that only it knew have gone.
        gone = self._one(f"SELECT count(*) FROM run WHERE id = {cut[0]}") == 0
        if gone or self._steps % _GARBAGE_EACH == 0:
            self._sweep_garbage()
        self._give_back()
        return True

    def _cut(self, horizon: int | None) -> tuple[int, int] | None:
        """The run with the oldest look, and the look up to which it is dropped."""
        row = self._connection.execute("SELECT run FROM look ORDER BY wall, run, seq LIMIT 1").fetchone()
        if row is None:
            return None
        run = row[0]
        limit, given = "", [run]
        if horizon is not None:
            limit, given = "AND wall < ?", [run, horizon]
        else:
            youngest = self._connection.execute(
                "SELECT run, seq FROM look ORDER BY wall DESC, run DESC, seq DESC LIMIT 1"
            ).fetchone()
            if youngest[0] == run:
                limit, given = "AND seq < ?", [run, youngest[1]]
        query = (
            f"SELECT max(seq) FROM (SELECT seq FROM look WHERE run = ? {limit} ORDER BY seq LIMIT {_STEP})"
        )
        found = self._connection.execute(query, given).fetchone()[0]
        return None if found is None else (run, found)

    def _drop(self, run: int, seq: int) -> None:
        execute = self._connection.execute
        execute("DELETE FROM look WHERE run = ? AND seq <= ?", (run, seq))
        for table, column in (("lock", "last"), ("view", "last"), ("event", "seq"), ("gap", "seq")):
            execute(f"DELETE FROM {table} WHERE run = ? AND {column} <= ?", (run, seq))
        execute("UPDATE run SET floor = ? WHERE id = ?", (seq + 1, run))
        if execute("SELECT 1 FROM look WHERE run = ? LIMIT 1", (run,)).fetchone() is None:
            drop_run(self._connection, run)

    def _sweep_garbage(self) -> None:
        execute = self._connection.execute
        execute("BEGIN IMMEDIATE")
        try:
            execute("DELETE FROM body WHERE id NOT IN (SELECT body FROM lock)")
            execute(
                "DELETE FROM name WHERE id NOT IN (SELECT key FROM lock UNION SELECT volume FROM lock"
                " UNION SELECT volume FROM view UNION SELECT key FROM event UNION SELECT volume FROM event)"
            )
            execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                execute("ROLLBACK")
            raise
        self._give_back()

    def _give_back(self) -> None:
        """Some free pages go back to the file system; the rest is soon used again."""
        self._connection.execute("PRAGMA incremental_vacuum(512)").fetchall()

    def _one(self, question: str, *, default: int = 0) -> int:
        found = self._connection.execute(question).fetchone()
        return default if found is None or found[0] is None else int(found[0])


def drop_run(connection: sqlite3.Connection, run: int) -> None:
    """Forget a run altogether."""
    for table in ("look", "lock", "view", "event", "gap"):
        connection.execute(f"DELETE FROM {table} WHERE run = ?", (run,))
    connection.execute("DELETE FROM run WHERE id = ?", (run,))
