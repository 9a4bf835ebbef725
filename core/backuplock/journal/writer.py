"""One recorder's run: each Snapshot is compared with the last one recorded, only what differs is written."""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass, field

from backuplock.journal import codec
from backuplock.model import LockFile, Snapshot, VolumeView
from backuplock.watch import Event

_Ident = tuple[str, int]
"""A volume's name, and which of that name it is."""


@dataclass(frozen=True, slots=True)
class _OpenLock:
    row: int
    ident: _Ident
    lock: LockFile


@dataclass(frozen=True, slots=True)
class _OpenView:
    row: int
    view: VolumeView
    shape: bytes | None


@dataclass(slots=True)
class _Change:
    """What one look changes: to be written in a transaction, and remembered only after it was committed."""

    ended_locks: list[str] = field(default_factory=list)
    ended_views: list[_Ident] = field(default_factory=list)
    begun_locks: list[tuple[_Ident, LockFile]] = field(default_factory=list)
    views: list[tuple[_Ident, VolumeView, bytes | None]] = field(default_factory=list)


class Run:
    """The open intervals of one recorder. Used within one writing transaction at a time."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._token = secrets.token_hex(16)
        self._locks: dict[str, _OpenLock] = {}
        self._views: dict[_Ident, _OpenView] = {}
        self.seq = 0
        row = connection.execute("INSERT INTO run (token, last, floor) VALUES (?, 0, 1)", (self._token,))
        self.id = row.lastrowid or 0

    def stands(self) -> bool:
        """Whether the file still has this run as this recorder left it; it may have been pruned."""
        row = self._connection.execute("SELECT token, last FROM run WHERE id = ?", (self.id,)).fetchone()
        return bool(row == (self._token, self.seq))

    def write(self, snapshot: Snapshot, events: Iterable[Event]) -> _Adoption:
        """Write one look; the result is called after the commit, and nothing is remembered without it."""
        seq = self.seq + 1
        change = self._compare(snapshot.volumes)
        self._end(change, seq - 1)
        locks, views = self._begin(change, seq)
        self._connection.execute(
            f"INSERT INTO look VALUES ({', '.join('?' * 14)})",
            (
                self.id,
                seq,
                *map(codec.put_int, (snapshot.taken_wall_ns, snapshot.began_mono_ns, snapshot.ended_mono_ns)),
                *map(codec.put_int, (snapshot.clock.lo, snapshot.clock.hi, snapshot.clock.as_of)),
                codec.put_text(snapshot.clock.source),
                *map(codec.put_int, (snapshot.requests, snapshot.bodies_read, snapshot.rtt_ns)),
                snapshot.store_present,
                codec.put_json(snapshot.problems) if snapshot.problems else None,
            ),
        )
        for event in events:
            self._event(event, seq)
        self._connection.execute("UPDATE run SET last = ? WHERE id = ?", (seq, self.id))
        return _Adoption(self, seq, change, locks, views)

    def write_gap(self, wall_ns: int, kind: str, line: str) -> None:
        """Write that a look failed; failures in a row are one gap."""
        found = self._connection.execute(
            "UPDATE gap SET ended = max(ended, ?), kind = ?, line = ? WHERE run = ? AND seq = ?",
            (wall_ns, kind, codec.put_text(line), self.id, self.seq),
        )
        if not found.rowcount:
            self._connection.execute(
                "INSERT INTO gap (run, seq, began, ended, kind, line) VALUES (?, ?, ?, ?, ?, ?)",
                (self.id, self.seq, wall_ns, wall_ns, kind, codec.put_text(line)),
            )

    # -- comparing

    def _compare(self, volumes: Iterable[VolumeView]) -> _Change:
        change = _Change()
        seen: dict[str, int] = {}
        present: set[_Ident] = set()
        for view in volumes:
            nth = seen.get(view.name, 0)
            seen[view.name] = nth + 1
            ident = view.name, nth
            present.add(ident)
            old = self._views.get(ident)
            # Volumes and locks that did not change are mostly the very same objects: this is cheap.
            if old is None or old.view != view:
                self._compare_volume(ident, old, view, change)
        for ident in self._views.keys() - present:
            change.ended_views.append(ident)
            change.ended_locks.extend(lock.key for lock in self._views[ident].view.locks)
        return change

    def _compare_volume(
        self, ident: _Ident, old: _OpenView | None, view: VolumeView, change: _Change
    ) -> None:
        was = {lock.key: lock for lock in old.view.locks} if old is not None else {}
        now = {lock.key: lock for lock in view.locks}
        change.ended_locks.extend(key for key, lock in was.items() if now.get(key) != lock)
        change.begun_locks.extend((ident, lock) for key, lock in now.items() if was.get(key) != lock)
        change.views.append((ident, view, codec.put_view(view)))

    # -- writing

    def _end(self, change: _Change, last: int) -> None:
        execute = self._connection.execute
        for key in change.ended_locks:
            execute("UPDATE lock SET last = ? WHERE id = ?", (last, self._locks[key].row))
        ended = [
            *change.ended_views,
            *(ident for ident, _, shape in change.views if self._reshaped(ident, shape)),
        ]
        for ident in ended:
            execute("UPDATE view SET last = ? WHERE id = ?", (last, self._views[ident].row))

    def _reshaped(self, ident: _Ident, shape: bytes | None) -> bool:
        old = self._views.get(ident)
        return old is not None and old.shape != shape

    def _begin(self, change: _Change, seq: int) -> tuple[list[_OpenLock], dict[_Ident, _OpenView]]:
        execute = self._connection.execute
        views: dict[_Ident, _OpenView] = {}
        for ident, view, shape in change.views:
            old = self._views.get(ident)
            if old is not None and old.shape == shape:
                views[ident] = _OpenView(old.row, view, shape)
                continue
            row = execute(
                "INSERT INTO view (run, volume, nth, first, value) VALUES (?, ?, ?, ?, ?)",
                (self.id, self._name(ident[0]), ident[1], seq, shape),
            )
            views[ident] = _OpenView(row.lastrowid or 0, view, shape)
        locks: list[_OpenLock] = []
        for ident, lock in change.begun_locks:
            row = execute(
                "INSERT INTO lock (run, key, volume, nth, first, modified, etag, listed, listed_etag, body)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    self.id,
                    self._name(lock.key),
                    self._name(ident[0]),
                    ident[1],
                    seq,
                    codec.put_int(lock.modified_ns),
                    codec.put_text(lock.etag),
                    codec.put_int(lock.listed_ns),
                    codec.put_text(lock.listed_etag),
                    self._body(lock),
                ),
            )
            locks.append(_OpenLock(row.lastrowid or 0, ident, lock))
        return locks, views

    def _event(self, event: Event, seq: int) -> None:
        self._connection.execute(
            "INSERT INTO event (run, seq, wall, kind, key, volume, type, store, inferred, detail)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                self.id,
                seq,
                codec.put_int(event.seen_wall_ns),
                event.kind.value,
                self._name(event.key),
                self._name(event.volume),
                codec.put_int(event.type),
                codec.put_int(event.store_ns),
                event.inferred,
                codec.put_text(event.detail),
            ),
        )

    def _name(self, text: str) -> int:
        # Looked up each time: a name that nothing refers to may have been swept away by another process.
        return self._once("name", "value", (codec.put_text(text),))

    def _body(self, lock: LockFile) -> int:
        return self._once("body", "digest, value", codec.put_body(lock))

    def _once(self, table: str, columns: str, values: tuple[codec.Value, ...]) -> int:
        unique = columns.partition(",")[0]
        # Table and column names are the ones above.
        found = self._connection.execute(f"SELECT id FROM {table} WHERE {unique} = ?", values[:1])
        if (row := found.fetchone()) is not None:
            return int(row[0])
        places = ", ".join("?" * len(values))
        made = self._connection.execute(f"INSERT INTO {table} ({columns}) VALUES ({places})", values)
        return made.lastrowid or 0

    def adopt(
        self, seq: int, change: _Change, locks: list[_OpenLock], views: dict[_Ident, _OpenView]
    ) -> None:
        """Remember what was committed."""
        self.seq = seq
        for key in change.ended_locks:
            self._locks.pop(key, None)
        for ident in change.ended_views:
            del self._views[ident]
        self._locks.update((found.lock.key, found) for found in locks)
        self._views.update(views)


@dataclass(frozen=True, slots=True)
class _Adoption:
    """What a run remembers once a look is committed."""

    run: Run
    seq: int
    change: _Change
    locks: list[_OpenLock]
    views: dict[_Ident, _OpenView]

    def __call__(self) -> None:
        self.run.adopt(self.seq, self.change, self.locks, self.views)
