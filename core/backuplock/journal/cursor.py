"""One look of one run, rebuilt from its intervals, and stepped to a later one by what changed."""

from __future__ import annotations

import sqlite3
from typing import Any

from backuplock.journal import codec
from backuplock.model import LockFile, VolumeView

_Ident = tuple[int, int]
"""A volume: the id of its name, and which it is of those of one name (a misplaced copy has it too)."""

_LOCKS = (
    "SELECT l.id, l.volume, l.nth, k.value, v.value, l.modified, l.etag, l.listed, l.listed_etag, b.value"
    " FROM lock l JOIN name k ON k.id = l.key JOIN name v ON v.id = l.volume JOIN body b ON b.id = l.body"
)
_VIEWS = "SELECT w.id, w.volume, w.nth, v.value, w.value FROM view w JOIN name v ON v.id = w.volume"


class Cursor:
    """The volumes at look `seq` of a run; used within a reading transaction only."""

    def __init__(self, connection: sqlite3.Connection, run: int, seq: int) -> None:
        self._connection = connection
        self._run = run
        self._seq = seq
        self._locks: dict[_Ident, dict[str, LockFile]] = {}
        self._lock_rows: dict[int, tuple[_Ident, str]] = {}
        self._views: dict[_Ident, tuple[str, Any]] = {}
        self._view_rows: dict[int, _Ident] = {}
        self._built: dict[_Ident, VolumeView] = {}
        self._dirty: set[_Ident] = set()
        for last in ("l.last IS NULL", "l.last >= ?2"):
            self._add_locks(f"l.run = ?1 AND {last} AND l.first <= ?2", run, seq)
        for last in ("w.last IS NULL", "w.last >= ?2"):
            self._add_views(f"w.run = ?1 AND {last} AND w.first <= ?2", run, seq)

    def reaches(self, run: int, seq: int, floor: int) -> bool:
        """Whether a look can be stepped to; not if what happened on the way has been pruned."""
        return run == self._run and max(self._seq, floor) <= seq and floor <= self._seq

    def move(self, seq: int) -> None:
        """Step forward."""
        span = self._run, self._seq, seq
        if seq == self._seq:
            return
        for row in self._ended("lock", span):
            if row in self._lock_rows:
                ident, key = self._lock_rows.pop(row)
                del self._locks[ident][key]
                self._dirty.add(ident)
        for row in self._ended("view", span):
            if row in self._view_rows:
                ident = self._view_rows.pop(row)
                del self._views[ident]
                self._dirty.add(ident)
        begun = "{0}.run = ?1 AND {0}.first > ?2 AND {0}.first <= ?3 AND ({0}.last IS NULL OR {0}.last >= ?3)"
        self._add_locks(begun.format("l"), *span)
        self._add_views(begun.format("w"), *span)
        self._seq = seq

    def volumes(self) -> tuple[VolumeView, ...]:
        """All volumes, sorted by name."""
        for ident in self._dirty:
            if ident in self._views:
                name, shape = self._views[ident]
                self._built[ident] = codec.get_view(shape, name, self._locks.get(ident, {}))
            else:
                self._built.pop(ident, None)
        self._dirty.clear()
        order = sorted(self._built, key=lambda ident: (self._built[ident].name, ident[1]))
        return tuple(self._built[ident] for ident in order)

    def _ended(self, table: str, span: tuple[int, int, int]) -> list[int]:
        found = self._connection.execute(
            f"SELECT id FROM {table} WHERE run = ?1 AND last >= ?2 AND last < ?3",
            span,
        )
        return [row for (row,) in found]

    def _add_locks(self, where: str, *given: int) -> None:
        for row, volume, nth, key, name, *rest in self._connection.execute(f"{_LOCKS} WHERE {where}", given):
            modified, etag, listed, listed_etag, body = rest
            lock = codec.get_body(
                body,
                key=codec.get_text(key),
                volume=codec.get_text(name),
                modified=modified,
                etag=etag,
                listed=listed,
                listed_etag=listed_etag,
            )
            ident = volume, nth
            self._locks.setdefault(ident, {})[lock.key] = lock
            self._lock_rows[row] = ident, lock.key
            self._dirty.add(ident)

    def _add_views(self, where: str, *given: int) -> None:
        for row, volume, nth, name, shape in self._connection.execute(f"{_VIEWS} WHERE {where}", given):
            ident = volume, nth
            self._views[ident] = codec.get_text(name), shape
            self._view_rows[row] = ident
            self._dirty.add(ident)
