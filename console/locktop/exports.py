"""The present view as text for a file: what is shown, as JSON and as CSV.

Pure. JSON is that of the command which tells the same (`locktop ls`, `blocked`, `watch`), whose `--schema`
explains it; CSV is safe to open in a spreadsheet.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from backuplock.watch import Event
from locktop.broken_rows import is_gone
from locktop.output import blocked, csv_, event_lines, json_
from locktop.output.blocked import Blockage
from locktop.output.csv_ import safe_cell
from locktop.output.fields import iso
from locktop.rows import Board, Row

FORMS = ("json", "csv")


@dataclass(frozen=True, slots=True)
class Export:
    """What a view offers: a word for the file's name, what it holds in words, and how to make it."""

    word: str
    holds: str
    make: Mapping[str, Callable[[], str]]


def of_locks(board: Board, rows: Iterable[Row], holds: str) -> Export:
    """The rows that are shown, broken ones left out: they are no locks any more."""
    kept = tuple(row for row in rows if not is_gone(row))
    wanted = {row.volume.name for row in kept}
    # What could not be read stays: without it the file would claim to be complete.
    views = tuple(view for view in board.snapshot.volumes if view.problem or view.name in wanted)
    shown = replace(board, rows=kept, snapshot=replace(board.snapshot, volumes=views))
    return Export(
        "locks", holds, {"json": lambda: json_.text(shown), "csv": lambda: csv_.text(shown, as_shown=True)}
    )


def of_sides(parts: Sequence[tuple[str, Board, Sequence[Row]]], holds: str) -> Export:
    """The rows that are shown of several contexts: as JSON a document of each, by its name; as CSV in one
    table whose first column is the context."""
    each = [(context, of_locks(board, rows, holds)) for context, board, rows in parts]

    def as_json() -> str:
        documents = {context: json.loads(one.make["json"]()) for context, one in each}
        return json.dumps({"version": json_.VERSION, "contexts": documents}, indent=2) + "\n"

    def as_csv() -> str:
        tables = [(context, list(csv.reader(io.StringIO(one.make["csv"]())))) for context, one in each]
        lines = [[safe_cell(context), *line] for context, table in tables for line in table[1:]]
        out = io.StringIO()
        csv.writer(out, lineterminator="\r\n").writerows([["context", *tables[0][1][0]], *lines])
        return out.getvalue()

    return Export("locks", holds, {"json": as_json, "csv": as_csv})


def of_blocked(board: Board, found: Sequence[Blockage], holds: str) -> Export:
    """The volumes that are shown."""

    def as_json() -> str:
        document = blocked.document(board.snapshot, found, len(board.snapshot.volumes))
        return json.dumps(document, indent=2) + "\n"

    def as_csv() -> str:
        columns = ("volume", "namespace", "claim", "operation", "result", "until", "blockers", "waiting")
        return _csv(columns, (cells for one in found for cells in _blocked_cells(one)))

    return Export("blocked", holds, {"json": as_json, "csv": as_csv})


def of_events(events: Sequence[Event], target: str, holds: str) -> Export:
    """The events that are shown, the oldest first."""
    columns = ("seen_at", "at", "kind", "volume", "lock", "operation", "inferred", "detail", "key")

    def as_json() -> str:
        told = [event_lines.fields(event) for event in events]
        return json.dumps({"version": event_lines.VERSION, "target": target, "events": told}, indent=2) + "\n"

    def as_csv() -> str:
        fields = (event_lines.fields(event) for event in events)
        return _csv(columns, ([one[column] for column in columns] for one in fields))

    return Export("events", holds, {"json": as_json, "csv": as_csv})


def _blocked_cells(one: Blockage) -> Iterable[list[object]]:
    names = one.view.names
    for verdict in one.verdicts:
        yield [
            one.view.name,
            names.namespace if names else "",
            names.claim if names else "",
            verdict.operation.value,
            "blocked" if verdict.granted is False else "unknown",
            iso(verdict.until_ns),
            " ".join(verdict.blockers),
            " ".join(node.lock.key for node in one.waiting(verdict.operation)),
        ]


def _csv(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(columns)
    writer.writerows([safe_cell(cell) for cell in row] for row in rows)
    return out.getvalue()
