"""Values -> short words for people: durations, times, types, owners, states.

Pure, and free of any terminal library, so that the screen, `locktop ls` and the export say the same.
Text that came from a store is made printable here; nothing here is ever parsed as markup.
"""

from __future__ import annotations

import locale
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from rich.cells import cell_len, set_cell_size

from backuplock.clock import SECOND
from backuplock.model import LockFile, LockRecord, LockType, Operation, Owner
from backuplock.rules import State
from backuplock.text import elapsed, printable
from locktop.rows import Row

Part = tuple[str, str]
"""A piece of a line: printable text, and the name of the tone it is shown in (`locktop.theme`)."""

Line = list[Part]
"""One line of a screen."""

MINUTE, HOUR, DAY = 60, 3_600, 86_400
NAME_LIMIT = 300
"""Characters that are kept of any one name for the screen."""


@dataclass(frozen=True, slots=True)
class Glyphs:
    """The characters that are not letters; two sets exist, `UNICODE` and `ASCII`."""

    states: Mapping[State, str]
    cursor: str
    ellipsis: str
    rule: str
    bold_rule: str
    dot: str
    up: str
    down: str
    plus_minus: str
    full: str
    empty: str
    live: str
    paused: str
    warn: str


UNICODE = Glyphs(
    states={
        State.HELD: "●",
        State.WAITING: "○",
        State.LATE: "◐",
        State.STALE: "▲",
        State.BAD: "?",
        State.UNSURE: "◇",
    },
    cursor="▌",
    ellipsis="…",
    rule="─",
    bold_rule="━",
    dot="·",
    up="▲",
    down="▼",
    plus_minus="±",
    full="━",
    empty="─",
    live="●",
    paused="‖",
    warn="▲",
)

ASCII = Glyphs(
    states={
        State.HELD: "*",
        State.WAITING: "o",
        State.LATE: "~",
        State.STALE: "!",
        State.BAD: "?",
        State.UNSURE: "%",
    },
    cursor=">",
    ellipsis="..",
    rule="-",
    bold_rule="=",
    dot="|",
    up="^",
    down="v",
    plus_minus="+-",
    full="#",
    empty=".",
    live="*",
    paused="=",
    warn="!",
)


def pick_glyphs(
    *, ascii_only: bool = False, encoding: str | None = None, environ: Mapping[str, str] | None = None
) -> Glyphs:
    """The set this terminal shows well.

    The state glyphs have *ambiguous* width in East Asian locales, where they may take two cells; there, and
    where the output is not UTF-8, the ASCII set is taken.
    """
    env = os.environ if environ is None else environ
    stream = encoding or getattr(sys.__stdout__, "encoding", None) or locale.getpreferredencoding(False)
    name = env.get("LC_ALL") or env.get("LC_CTYPE") or env.get("LANG") or ""
    plain = stream.lower().replace("-", "").replace("_", "") not in ("utf8", "utf8sig")
    east_asian = name[:2] in ("ja", "ko", "zh")
    return ASCII if ascii_only or plain or east_asian else UNICODE


def name(raw: str) -> str:
    """A name from a store, printable and bounded."""
    return printable(raw, limit=NAME_LIMIT)


def countdown(ns: int) -> str:
    """Time left: `2:05`, past the end `-1:03`; from an hour on `1h04m`, `3d02h`."""
    sign = "-" if ns < 0 else ""
    whole = abs(ns) // SECOND
    if whole < HOUR:
        return f"{sign}{whole // MINUTE}:{whole % MINUTE:02d}"
    return sign + elapsed(whole * SECOND)


def short_seconds(ns: int) -> str:
    """A small duration with the precision it deserves: `0.8s`, `14s`, `3m12s`."""
    return f"{max(0, ns) / SECOND:.1f}s" if ns < 9_950_000_000 else elapsed(ns)


def rtt(ns: int | None) -> str:
    """A round trip: `0.4ms`, `41ms`, `1.3s`; `-` where there was none."""
    if ns is None:
        return "-"
    ms = ns / 1_000_000
    if ms < 10:
        return f"{ms:.1f}ms"
    return f"{ms:.0f}ms" if ms < 1000 else f"{ms / 1000:.1f}s"


def signed_seconds(ns: int) -> str:
    """A difference of clocks: `+0.2s`, `-14s`, `+3m12s`."""
    # What rounds to nothing has no sign worth a thought.
    sign = "-" if ns <= -SECOND // 20 else "+"
    return sign + short_seconds(abs(ns))


def utc_time(ns: int) -> str:
    """The time of day, `03:04:05`."""
    return _utc(ns).strftime("%H:%M:%S")


def utc_instant(ns: int) -> str:
    """Day and time in UTC, `2026-01-02 03:04:05`."""
    return _utc(ns).strftime("%Y-%m-%d %H:%M:%S")


def utc_near(ns: int, now_ns: int) -> str:
    """The time of day, with the day if it is not today's."""
    return utc_time(ns) if _utc(ns).date() == _utc(now_ns).date() else utc_instant(ns)


def _utc(ns: int) -> datetime:
    # A lock may be dated to any int64; datetime ends with the year 9999.
    return datetime.fromtimestamp(min(max(ns // SECOND, -62_135_596_800), 253_402_300_799), UTC)


def type_label(record: LockRecord | None) -> str:
    """What the lock is for, short: `bkup/rst`, `delete`, `untyped`, `type 7`, `?`.

    Type 1 stands for backup *or* restore; only locks that name their operation tell which.
    """
    if record is None:
        return "?"
    if record.type == LockType.BACKUP_RESTORE:
        operation = stated_operation(record)
        return operation.value if operation else "bkup/rst"
    if record.type == LockType.DELETION:
        return "delete"
    return "untyped" if record.type == LockType.UNTYPED else f"type {record.type}"


def type_words(record: LockRecord | None) -> str:
    """What the lock is for, in words."""
    if record is None:
        return "unknown"
    if record.type == LockType.BACKUP_RESTORE:
        operation = stated_operation(record)
        return f"{operation.value}, says its holder" if operation else "backup or restore"
    if record.type == LockType.DELETION:
        return "deletion"
    return "none given" if record.type == LockType.UNTYPED else f"unknown, {record.type}"


def stated_operation(record: LockRecord) -> Operation | None:
    """The operation a lock of our own names, if it fits its type."""
    stated = record.owner.operation if record.owner else ""
    fits = [operation for operation in Operation if operation.lock_type == record.type]
    return next((operation for operation in fits if operation.value == stated), None)


def owner_label(lock: LockFile | None) -> str:
    """`host/pid`, as the lock says; `-` for Longhorn's, which name nobody."""
    owner = lock.record.owner if lock and lock.record else None
    return owner_name(owner) or "-"


def owner_name(owner: Owner | None) -> str:
    """`host/pid`, or what there is of it."""
    if owner is None:
        return ""
    who = name(owner.host or owner.user or owner.tool)
    return f"{who}/{owner.pid}" if owner.pid else who


def stops_label(row: Row) -> str:
    """The operations that a newcomer cannot start because of this row: `delete`, `backup, restore`,
    `all`; `-` for none, `?` where the volume could not be read."""
    if row.standing is None:
        return "?"
    stops = row.standing.stops
    if len(stops) == len(Operation):
        return "all"
    return ", ".join(operation.value for operation in Operation if operation in stops) or "-"


def number(count: int) -> str:
    """`1,286`."""
    return f"{count:,}"


def plural(count: int, one: str, many: str = "") -> str:
    """`1 lock`, `2 locks`."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def if_dead(holders: int) -> str:
    """`if its holder dies now`, `if their holders die now`: when an end can be reckoned."""
    return "if its holder dies now" if holders == 1 else "if their holders die now"


def fit(text: str, width: int, *, ellipsis: str = "…", middle: bool = False, right: bool = False) -> str:
    """Exactly `width` cells: cut with an ellipsis at the end or in the middle, or padded.

    Counts cells, not characters: wide characters take two.
    """
    used = cell_len(text)
    if used <= width:
        return " " * (width - used) + text if right else text + " " * (width - used)
    if width <= len(ellipsis):
        return ellipsis[: max(0, width)]
    keep = width - len(ellipsis)
    if not middle:
        return set_cell_size(text, keep) + ellipsis
    head = (keep + 1) // 2
    tail = keep - head
    left = set_cell_size(text, head)
    return left + ellipsis + _last_cells(text, tail)


def _last_cells(text: str, width: int) -> str:
    end = len(text)
    while end > 0 and cell_len(text[end - 1 :]) <= width:
        end -= 1
    kept = text[end:]
    return " " * (width - cell_len(kept)) + kept
