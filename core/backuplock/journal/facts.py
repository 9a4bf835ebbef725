"""What a journal knows that no single sweep can: since when, how regularly, how often in the way."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from backuplock.journal import codec
from backuplock.journal.reader import Reader
from backuplock.model import Operation
from backuplock.rules import LONGHORN, Timing, conflicts
from backuplock.watch import EventKind

_Ask = Any
"""Runs one statement with its parameters; as `Reader` gives it."""


@dataclass(frozen=True, slots=True)
class HeldSince:
    """Since when a lock is held, as far as anybody who recorded has seen; local wall clock.

    `seen_wall_ns` is the first look that showed it acquired, without a look since that showed otherwise.
    `not_before_wall_ns` is the last look before that which showed it absent or only requested; None if there
    is none: then it may have been held long before (`lower_bound`). `last_wall_ns` is the last look that
    showed it. `stamped_ns` is the file's own time when it was first seen acquired, on the store's clock.
    """

    seen_wall_ns: int
    not_before_wall_ns: int | None
    last_wall_ns: int
    stamped_ns: int | None

    @property
    def lower_bound(self) -> bool:
        """Whether all that is known is "at least since"."""
        return self.not_before_wall_ns is None


@dataclass(frozen=True, slots=True)
class Refresh:
    """One version of a lock file: its time by the store, when it was first seen by the local wall clock, and
    the nanoseconds between it and the version seen before (None for the first)."""

    modified_ns: int
    seen_wall_ns: int
    gap_ns: int | None


@dataclass(frozen=True, slots=True)
class Contention:
    """How much a volume's clients were in each other's way while it was recorded.

    `requests` counts locks seen, `granted` those of them seen acquired, `refused` those that went without.
    `waited_ns` is the time they were seen waiting, `longest_wait_ns` the longest. `kept_out_ns` is how long
    each operation could not have started, each counted once however many locks stood against it.
    """

    volume: str
    requests: int
    granted: int
    refused: int
    waited_ns: int
    longest_wait_ns: int
    kept_out_ns: Mapping[Operation, int]
    expired: int
    clashes: int


def held_since(reader: Reader, key: str) -> HeldSince | None:
    """Since when a lock is, or was last, held; None if it was never seen acquired."""
    with reader.asking() as ask:
        rows = _versions(ask, key)
        stretches: dict[int, list[tuple[int, int]]] = defaultdict(list)
        for run, first, last, _, _, acquired in rows:
            if acquired:
                stretches[run].append((first, last))
        sights = [
            (_wall_from(ask, run, first), _wall_until(ask, run, last), modified)
            for run, first, last, modified, _, acquired in rows
            if acquired
        ]
        seen = [(begun, ended, modified) for begun, ended, modified in sights if begun is not None]
        if not seen:
            return None
        latest = max(ended for _, ended, _ in seen)
        denials = [
            wall
            for (run,) in ask("SELECT id FROM run").fetchall()
            if (wall := _last_denial(ask, run, key, stretches.get(run, []), latest)) is not None
        ]
    not_before = max(denials, default=None)
    since = [found for found in seen if not_before is None or found[1] > not_before]
    start = min(since, key=lambda sight: sight[0])
    return HeldSince(
        start[0] if not_before is None else max(start[0], not_before), not_before, latest, start[2]
    )


def refreshes(reader: Reader, key: str) -> tuple[Refresh, ...]:
    """The versions of a lock in the order of their times, whoever saw them."""
    seen: dict[tuple[int, str], int] = {}
    with reader.asking() as ask:
        for run, first, _, modified, etag, _ in _versions(ask, key):
            wall = _wall_from(ask, run, first)
            if modified is not None and wall is not None:
                version = modified, etag
                seen[version] = min(wall, seen.get(version, wall))
    found: list[Refresh] = []
    for (modified, _), wall in sorted(seen.items()):
        gap = modified - found[-1].modified_ns if found else None
        found.append(Refresh(modified, wall, gap))
    return tuple(found)


def contention(reader: Reader, timing: Timing = LONGHORN) -> tuple[Contention, ...]:
    """All volumes in which locks were seen: those that kept others out longest first."""
    with reader.asking() as ask:
        looks = {
            (run, seq): (
                codec.get_int(wall),
                codec.get_int(ended) + (codec.get_int(lo) + codec.get_int(hi)) // 2,
            )
            for run, seq, wall, ended, lo, hi in ask("SELECT run, seq, wall, ended, lo, hi FROM look")
        }
        floors = dict(ask("SELECT id, floor FROM run").fetchall())
        records = {row: codec.get_json(value)[2] for row, value in ask("SELECT id, value FROM body")}
        rows = ask(
            "SELECT v.value, l.key, l.run, l.first, coalesce(l.last, r.last), l.modified, l.body"
            " FROM lock l JOIN run r ON r.id = l.run JOIN name v ON v.id = l.volume ORDER BY l.volume"
        ).fetchall()
    volumes: dict[str, _Tally] = {}
    for name, key, run, first, last, modified, body in rows:
        begun, ended = looks.get((run, max(first, floors[run]))), looks.get((run, last))
        if begun is not None and ended is not None:
            tally = volumes.setdefault(codec.get_text(name), _Tally())
            tally.add(key, begun, ended[0], codec.get_maybe(modified), records[body], timing)
    counts: dict[tuple[str, EventKind], int] = defaultdict(int)
    for event in reader.events():
        counts[event.volume, event.kind] += 1
    found = [tally.sum(name, counts) for name, tally in volumes.items()]
    return tuple(sorted(found, key=lambda one: (-sum(one.kept_out_ns.values()), one.volume)))


class _Tally:
    """What the versions of a volume's locks add up to."""

    def __init__(self) -> None:
        self._out: dict[Operation, list[tuple[int, int]]] = {operation: [] for operation in Operation}
        self._waits: dict[int, tuple[int, int]] = {}
        self._granted: dict[int, int] = {}
        self._keys: set[int] = set()

    def add(
        self,
        key: int,
        begun: tuple[int, int],
        ended: int,
        modified: int | None,
        record: list[Any] | None,
        timing: Timing,
    ) -> None:
        """One version: seen first at `begun` (local wall clock, store's clock), last at `ended`."""
        wall, store = begun
        left = timing.duration_ns if modified is None else timing.duration_ns - (store - modified)
        until = min(ended, wall + left)
        self._keys.add(key)
        for operation in Operation:
            if until > wall and (record is None or conflicts(record[1], operation.lock_type)):
                self._out[operation].append((wall, until))
        if record is not None and record[2]:
            self._granted[key] = min(wall, self._granted.get(key, wall))
        elif record is not None:
            first, last = self._waits.get(key, (wall, ended))
            self._waits[key] = min(first, wall), max(last, ended)

    def sum(self, volume: str, counts: Mapping[tuple[str, EventKind], int]) -> Contention:
        """The result."""
        # Whoever was granted waited until that was seen, others as long as they were seen.
        waits = [max(0, self._granted.get(key, last) - first) for key, (first, last) in self._waits.items()]
        return Contention(
            volume=volume,
            requests=len(self._keys),
            granted=len(self._granted),
            refused=counts.get((volume, EventKind.REFUSED), 0),
            waited_ns=sum(waits),
            longest_wait_ns=max(waits, default=0),
            kept_out_ns={operation: _covered(spans) for operation, spans in self._out.items()},
            expired=counts.get((volume, EventKind.EXPIRED), 0),
            clashes=counts.get((volume, EventKind.CLASH), 0),
        )


def _covered(spans: Iterable[tuple[int, int]]) -> int:
    total, reached = 0, None
    for begin, end in sorted(spans):
        start = begin if reached is None else max(begin, reached)
        total += max(0, end - start)
        reached = end if reached is None else max(reached, end)
    return total


def _versions(ask: _Ask, key: str) -> list[tuple[int, int, int, int | None, str, bool]]:
    """Run, first and last look, time, etag, acquired: of each version recorded of a lock."""
    rows = ask(
        "SELECT l.run, max(l.first, r.floor), coalesce(l.last, r.last), l.modified, l.etag, b.value"
        " FROM lock l JOIN run r ON r.id = l.run JOIN body b ON b.id = l.body"
        " WHERE l.key = (SELECT id FROM name WHERE value = ?) ORDER BY l.run, l.first",
        codec.put_text(key),
    ).fetchall()
    found = []
    for run, first, last, modified, etag, body in rows:
        record = codec.get_json(body)[2]
        acquired = record is not None and bool(record[2])
        found.append((run, first, last, codec.get_maybe(modified), codec.get_text(etag), acquired))
    return found


def _wall_from(ask: _Ask, run: int, seq: int) -> int | None:
    row = ask("SELECT wall FROM look WHERE run = ? AND seq >= ? ORDER BY seq LIMIT 1", run, seq).fetchone()
    return None if row is None else codec.get_int(row[0])


def _wall_until(ask: _Ask, run: int, seq: int) -> int:
    row = ask(
        "SELECT wall FROM look WHERE run = ? AND seq <= ? ORDER BY seq DESC LIMIT 1", run, seq
    ).fetchone()
    return 0 if row is None else codec.get_int(row[0])


def _last_denial(
    ask: _Ask, run: int, key: str, stretches: list[tuple[int, int]], before_wall: int
) -> int | None:
    """The last look of a run, earlier than `before_wall`, that saw its whole store and not this lock held.

    A look that could not read something denies nothing.
    """
    upper = _ANY
    for first, last in [*sorted(stretches, reverse=True), (-1, -1)]:
        row = ask(
            "SELECT wall FROM look o WHERE run = ?1 AND seq > ?2 AND seq < ?3 AND wall < ?4"
            " AND problems IS NULL AND NOT EXISTS ("
            "  SELECT 1 FROM view w JOIN name v ON v.id = w.volume"
            "  WHERE w.run = o.run AND w.value IS NOT NULL AND instr(w.value, '\"problem\":')"
            "  AND w.first <= o.seq AND coalesce(w.last, o.seq) >= o.seq"
            "  AND instr(?5, '/' || v.value || '/'))"
            " ORDER BY seq DESC LIMIT 1",
            run,
            last,
            upper,
            before_wall,
            key,
        ).fetchone()
        if row is not None:
            return codec.get_int(row[0])
        upper = first
    return None


_ANY = 2**62
