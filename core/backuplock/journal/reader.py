"""What a journal holds, read back: looks, Snapshots, events, gaps."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backuplock.clock import StoreClock
from backuplock.journal import codec
from backuplock.journal.cursor import Cursor
from backuplock.journal.errors import decoding
from backuplock.model import Snapshot
from backuplock.watch import RETURN_NS, Event, EventKind


@dataclass(frozen=True, slots=True, order=True)
class Look:
    """One recorded sweep: its end by the recorder's wall clock, and which it is (`seq`) of which run."""

    wall_ns: int
    run: int
    seq: int


@dataclass(frozen=True, slots=True)
class Gap:
    """A time without answers: the first and the last failed look, by the recorder's wall clock.

    `kind` is a word for the failure ("unreachable", "denied", ...), `line` the last failure in full.
    """

    run: int
    seq: int
    began_wall_ns: int
    ended_wall_ns: int
    kind: str
    line: str


class Reader:
    """The reading side of a journal; safe to call from several threads.

    Every method raises `JournalError`: what a damaged file says is refused, in one line.
    """

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self.path = path
        self._connection = connection
        self._guard = threading.RLock()
        self._cursor: Cursor | None = None

    @property
    def target(self) -> str:
        """The URL of the recorded target; empty while nothing was recorded."""
        with self.asking() as ask:
            row = ask("SELECT value FROM meta WHERE name = 'target'").fetchone()
            return "" if row is None else codec.get_text(row[0])

    def close(self) -> None:
        """Give the file back."""
        with self._guard:
            self._connection.close()

    # -- looks

    def looks(self) -> tuple[Look, ...]:
        """All looks of all recorders, the earliest first."""
        with self.asking() as ask:
            rows = ask("SELECT wall, run, seq FROM look").fetchall()
            return tuple(sorted(Look(codec.get_int(wall), run, seq) for wall, run, seq in rows))

    def span(self) -> tuple[Look, Look] | None:
        """The first and the last look; None if there is none."""
        with self.asking() as ask:
            first = ask("SELECT wall, run, seq FROM look ORDER BY wall, run, seq LIMIT 1").fetchone()
            last = ask("SELECT wall, run, seq FROM look ORDER BY wall DESC, run DESC, seq DESC LIMIT 1")
            return None if first is None else (Look(*first), Look(*last.fetchone()))

    def look_at(self, wall_ns: int) -> Look | None:
        """The last look that had ended at an instant of the wall clock; None before the first."""
        with self.asking() as ask:
            row = ask(
                "SELECT wall, run, seq FROM look WHERE wall <= ?"
                " ORDER BY wall DESC, run DESC, seq DESC LIMIT 1",
                wall_ns,
            ).fetchone()
            return None if row is None else Look(*row)

    def snapshot(self, look: Look) -> Snapshot:
        """The Snapshot that was recorded, equal in every field.

        Raises:
            LookupError: the look is not there (any more).
        """
        with self._guard, decoding(self.path):
            found = self._snapshot(look)
        if found is None:
            raise LookupError(f"look {look.seq} of run {look.run} is not in {self.path}")
        return found

    def snapshot_at(self, wall_ns: int) -> Snapshot | None:
        """What was known at an instant of the wall clock; None before the first look."""
        look = self.look_at(wall_ns)
        if look is None:
            return None
        with self._guard, decoding(self.path):
            # Pruned by somebody else between the two questions: then nothing that old is known.
            return self._snapshot(look)

    # -- events and gaps

    def events(self, after_ns: int | None = None, until_ns: int | None = None) -> tuple[Event, ...]:
        """Events seen in `(after_ns, until_ns]` of the wall clock, in order, told once."""
        where = "WHERE 1"
        given: list[int] = []
        if after_ns is not None:
            where, given = f"{where} AND e.wall > ?", [*given, after_ns]
        if until_ns is not None:
            where, given = f"{where} AND e.wall <= ?", [*given, until_ns]
        with self.asking() as ask:
            return once(ask(f"{_EVENTS} {where} ORDER BY e.wall, e.run, e.id", *given).fetchall())

    def history(self, volume: str, limit: int = 100) -> tuple[Event, ...]:
        """The latest events of a volume, the youngest first, each told once whoever saw it."""
        where = "WHERE e.volume = (SELECT id FROM name WHERE value = ?)"
        return self._latest(where, [codec.put_text(volume)], limit)

    def latest(self, limit: int = 100, until_ns: int | None = None) -> tuple[Event, ...]:
        """The latest events of all volumes, the youngest first, each told once whoever saw it; those seen up
        to `until_ns` of the wall clock, if it is given."""
        if until_ns is None:
            return self._latest("", [], limit)
        return self._latest("WHERE e.wall <= ?", [until_ns], limit)

    def next_news(self, wall_ns: int) -> int | None:
        """When something happened next: the first event after an instant of the wall clock that is not a mere
        renewal (`Event.routine`), or the first failed look; None if nothing did."""
        return self._news("min", ">", wall_ns)

    def previous_news(self, wall_ns: int) -> int | None:
        """When something happened last before an instant, see `next_news`."""
        return self._news("max", "<", wall_ns)

    def _news(self, which: str, side: str, wall_ns: int) -> int | None:
        with self.asking() as ask:
            row = ask(
                f"SELECT {which}(at) FROM (SELECT {which}(wall) AS at FROM event"
                f" WHERE wall {side} ?1 AND NOT (kind = ?2 AND detail = '')"
                f" UNION ALL SELECT {which}(began) FROM gap WHERE began {side} ?1)",
                wall_ns,
                EventKind.RENEWED.value,
            ).fetchone()
            return codec.get_maybe(row[0])

    def _latest(self, where: str, given: list[codec.Value], limit: int) -> tuple[Event, ...]:
        with self.asking() as ask:
            # Two recorders tell twice; a few more make up for what is dropped.
            rows = ask(
                f"{_EVENTS} {where} ORDER BY e.wall DESC, e.run DESC, e.id DESC LIMIT ?", *given, 4 * limit
            ).fetchall()
            return tuple(reversed(once(rows[::-1])))[:limit]

    def gaps(self) -> tuple[Gap, ...]:
        """The times without answers, the earliest first."""
        with self.asking() as ask:
            rows = ask("SELECT run, seq, began, ended, kind, line FROM gap ORDER BY began, id").fetchall()
            return tuple(_gap(row) for row in rows)

    def gap_at(self, wall_ns: int) -> Gap | None:
        """The time without answers that an instant falls into, unless somebody else had an answer then."""
        with self.asking() as ask:
            row = ask(
                "SELECT run, seq, began, ended, kind, line FROM gap WHERE began <= ?1 AND ended >= ?1"
                " AND NOT EXISTS (SELECT 1 FROM look WHERE look.wall > gap.began AND look.wall <= ?1)"
                " ORDER BY began DESC LIMIT 1",
                wall_ns,
            ).fetchone()
            return None if row is None else _gap(row)

    def next_change(self, wall_ns: int) -> int:
        """The next instant at which what is known changes: a look, or a gap's begin or end."""
        with self.asking() as ask:
            row = ask(
                "SELECT min(at) FROM (SELECT min(wall) AS at FROM look WHERE wall > ?1"
                " UNION ALL SELECT min(began) FROM gap WHERE began > ?1"
                " UNION ALL SELECT min(ended) + 1 FROM gap WHERE ended >= ?1)",
                wall_ns,
            ).fetchone()
            return _NEVER if row[0] is None else codec.get_int(row[0])

    # -- inside

    @contextmanager
    def asking(self) -> Iterator[Any]:
        """Questions of one moment: what others write meanwhile is not seen in half."""
        with self._guard, decoding(self.path):
            inside = self._connection.in_transaction
            if not inside:
                self._connection.execute("BEGIN")
            try:
                yield lambda statement, *given: self._connection.execute(statement, given)
            finally:
                if not inside and self._connection.in_transaction:
                    self._connection.execute("COMMIT")

    def _snapshot(self, look: Look) -> Snapshot | None:
        with self.asking() as ask:
            row = ask(
                "SELECT look.*, run.floor, meta.value FROM look JOIN run ON run.id = look.run"
                " JOIN meta ON meta.name = 'target' WHERE look.run = ? AND look.seq = ?",
                look.run,
                look.seq,
            ).fetchone()
            if row is None:
                return None
            floor, target = row[-2:]
            if self._cursor is None or not self._cursor.reaches(look.run, look.seq, floor):
                self._cursor = None
                cursor = Cursor(self._connection, look.run, look.seq)
            else:
                cursor, self._cursor = self._cursor, None
                cursor.move(look.seq)
            volumes = cursor.volumes()
            # Kept only if nothing failed half way.
            self._cursor = cursor
        wall, began, ended, lo, hi, as_of = map(codec.get_int, row[2:8])
        source, requests, bodies, rtt, present, problems = row[8:14]
        return Snapshot(
            target=codec.get_text(target),
            volumes=volumes,
            clock=StoreClock(lo, hi, as_of, codec.get_text(source)),
            began_mono_ns=began,
            ended_mono_ns=ended,
            taken_wall_ns=wall,
            requests=requests,
            bodies_read=bodies,
            rtt_ns=codec.get_maybe(rtt),
            problems=() if problems is None else tuple(codec.get_json(problems)),
            store_present=bool(present),
            by_key={lock.key: lock for volume in volumes for lock in volume.locks},
        )


_NEVER = 2**63
"""Beyond every instant a recording can hold."""


def _gap(row: tuple[Any, ...]) -> Gap:
    run, seq, began, ended, kind, line = row
    return Gap(
        run, seq, codec.get_int(began), codec.get_int(ended), codec.get_text(kind), codec.get_text(line)
    )


_EVENTS = (
    "SELECT e.run, e.wall, e.kind, k.value, v.value, e.type, e.store, e.inferred, e.detail"
    " FROM event e JOIN name k ON k.id = e.key JOIN name v ON v.id = e.volume"
)


def once(rows: list[tuple[Any, ...]]) -> tuple[Event, ...]:
    """Events from rows in order of time; what several recorders saw is told once, by the first."""
    told: dict[tuple[str, str, int | None], tuple[int, int]] = {}
    events: list[Event] = []
    for run, wall, kind, key, volume, type_, store, inferred, detail in rows:
        event = Event(
            EventKind(kind),
            codec.get_text(key),
            codec.get_text(volume),
            codec.get_maybe(type_),
            codec.get_int(wall),
            codec.get_maybe(store),
            bool(inferred),
            codec.get_text(detail),
        )
        by, at = told.get((kind, event.key, event.store_ns), (run, 0))
        # The file's own time identifies what happened; without one, nearness has to do.
        again = by != run and (event.store_ns is not None or event.seen_wall_ns - at <= RETURN_NS)
        if not again:
            told[kind, event.key, event.store_ns] = run, event.seen_wall_ns
            events.append(event)
    return tuple(events)
