"""A Snapshot as CSV (RFC 4180), a line a lock, safe to open in a spreadsheet.

Columns are the flat fields of the JSON document (`locktop.output.json_`); lists are joined by spaces. Text
is made printable, and a cell that a spreadsheet would take for a formula gets an apostrophe in front.
With everything, volumes without locks and leftovers follow: `state` is then `unlocked`, `ghost`, `unread`
or `leftover`.
"""

from __future__ import annotations

import csv
import io
from typing import Any

from backuplock.model import VolumeNames, VolumeView
from backuplock.text import printable
from locktop.format import owner_name
from locktop.output.fields import Held, held, iso
from locktop.output.json_ import lock_fields
from locktop.rows import Board

COLUMNS = (
    "volume",
    "namespace",
    "claim",
    "workload",
    "lock",
    "type",
    "operation",
    "acquired",
    "state",
    "modified_at",
    "age_seconds",
    "ttl_seconds",
    "blocks",
    "waiting_blocked",
    "blocked_by",
    "clashes",
    "owner",
    "flaw",
    "reason",
    "longhorn",
    "key",
    "etag",
    "size",
)

# Also the full-width forms, which some spreadsheets fold to the plain ones.
_FORMULA = frozenset("=+-@＝＋－＠|%")


def text(board: Board, *, everything: bool = False, as_shown: bool = False) -> str:
    """The file's content: a header, then a line each by volume and key, or in the order of the rows."""
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, restval="", lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(_safe(_lock(one)) for one in held(board, as_shown=as_shown))
    for volume in board.snapshot.volumes:
        if volume.problem or (everything and not volume.locks):
            kind = "unread" if volume.problem else "ghost" if volume.ghost else "unlocked"
            writer.writerow(_safe({**_names(volume), "state": kind, "reason": volume.problem}))
        for one in volume.leftovers if everything else ():
            cells = {**_names(volume), "state": "leftover", "key": one.key, "size": one.size}
            writer.writerow(_safe({**cells, "modified_at": iso(one.modified_ns)}))
    return out.getvalue()


def _lock(one: Held) -> dict[str, Any]:
    fields = lock_fields(one)
    record = one.lock.record
    fields["owner"] = owner_name(record.owner if record else None)
    fields["longhorn"] = "; ".join(f"{name}: {_flat(value)}" for name, value in fields["longhorn"].items())
    return {name: fields[name] for name in COLUMNS}


def _names(volume: VolumeView) -> dict[str, Any]:
    names = volume.names or VolumeNames()
    return {
        "volume": volume.name,
        "namespace": names.namespace,
        "claim": names.claim,
        "workload": names.workload,
    }


def _flat(value: object) -> object:
    if isinstance(value, list):
        return " ".join(map(str, value))
    if isinstance(value, bool):
        return "true" if value else "false"
    return value


def _safe(cells: dict[str, Any]) -> dict[str, object]:
    return {name: safe_cell(_flat(value)) for name, value in cells.items()}


def safe_cell(value: object) -> object:
    """A cell that is shown as it is written: numbers stay, text is harmless on a terminal and in a
    spreadsheet."""
    if not isinstance(value, str):
        return "" if value is None else value
    shown = printable(value, limit=4000)
    return f"'{shown}" if shown.lstrip()[:1] in _FORMULA and shown.strip() else shown
