"""Events of locks as lines for people and as JSON lines.

A JSON line has `version` 1 and `record`:

event    kind (`backuplock.watch.EventKind`), volume, lock (the name), key, type (null without a record),
         operation, seen_at (local clock; it happened since the look before), at (the store's clock, where the
         file itself tells), inferred (true: the pictures allow another story too), detail (of "renewed":
         empty unless it was late or had expired). volume, lock and key are empty for what concerns the whole
         store: its clock moved
started  target, volumes, locks, complete, taken_at: the first look
lost     at (local clock), reason: the store does not answer; what happens meanwhile is not seen
regained at, for_seconds: it answers again
ended    at, looks, events
"""

from __future__ import annotations

import json
from typing import Any

from backuplock.model import LockRecord
from backuplock.watch import Event, EventKind
from locktop.format import ASCII, UNICODE, Glyphs, name, type_label, utc_time
from locktop.output.fields import iso, purpose

VERSION = 1

_UNICODE = {
    EventKind.REQUESTED: "○",
    EventKind.ACQUIRED: "●",
    EventKind.RENEWED: "·",
    EventKind.LATE: "◐",
    EventKind.EXPIRED: "▲",
    EventKind.RELEASED: "▽",
    EventKind.REFUSED: "-",
    EventKind.BROKEN: "x",
    EventKind.CLEARED: "x",
    EventKind.CAME_BACK: "!",
    EventKind.CORRUPT: "?",
    EventKind.RECOVERED: "○",
    EventKind.TIME_JUMPED: "!",
    EventKind.CLASH: "!",
}
_ASCII = _UNICODE | {
    EventKind.REQUESTED: "o",
    EventKind.ACQUIRED: "*",
    EventKind.RENEWED: ".",
    EventKind.LATE: "~",
    EventKind.EXPIRED: "!",
    EventKind.RELEASED: "v",
    EventKind.RECOVERED: "o",
}
STORE = "(the store)"
"""Stands for the volume of what concerns all of them."""
_WIDEST = max(len(kind.value) for kind in EventKind)


def symbol(kind: EventKind, glyphs: Glyphs) -> str:
    """The character that stands for a kind of event."""
    return (_UNICODE if glyphs is UNICODE else _ASCII)[kind]


def line(event: Event, glyphs: Glyphs = ASCII, claim: str = "") -> str:
    """`03:04:06 * acquired         pvc-...  delete  lock-...`, the time by the local clock in UTC."""
    kind = "?" if event.type is None else type_label(LockRecord("", event.type, False))
    kind = kind if event.key else ""
    what = f"{event.kind.value.upper():<{_WIDEST}}"
    inferred = " (inferred)" if event.inferred else ""
    detail = f": {name(event.detail)}" if event.detail else ""
    called = f" ({name(claim)})" if claim else ""
    lock = name(event.key.rpartition("/")[2].removesuffix(".lck"))
    at = f"{utc_time(event.seen_wall_ns)} {symbol(event.kind, glyphs)}"
    return f"{at} {what}  {name(event.volume) or STORE}{called}  {kind:<8}  {lock}{detail}{inferred}"


def fields(event: Event) -> dict[str, Any]:
    """One event as JSON fields."""
    return {
        "kind": event.kind.value,
        "volume": event.volume,
        "lock": event.key.rpartition("/")[2].removesuffix(".lck"),
        "key": event.key,
        "type": event.type,
        "operation": purpose(None if event.type is None else LockRecord("", event.type, False)),
        "seen_at": iso(event.seen_wall_ns),
        "at": iso(event.store_ns),
        "inferred": event.inferred,
        "detail": event.detail,
    }


def record(kind: str, found: dict[str, Any]) -> str:
    """A JSON line, with its end."""
    return json.dumps({"version": VERSION, "record": kind, **found}) + "\n"
