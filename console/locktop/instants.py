"""Instants from now on, as people type them: `90`, `+90s`, `1h30m`, and `WHAT@+5m`; in nanoseconds."""

from __future__ import annotations

from backuplock.clock import nanoseconds
from backuplock.text import printable
from locktop.durations import parse_duration
from locktop.settings import Usage

LONGEST_S = 366 * 86_400.0


def offset(text: str, flag: str) -> int:
    """How long from now, nanoseconds; a leading `+` is allowed.

    Raises:
        Usage: it does not have the form of a duration, or exceeds a year; names `flag`.
    """
    return nanoseconds(parse_duration(text.strip().removeprefix("+"), flag, most=LONGEST_S))


def at(text: str, flag: str) -> tuple[str, int]:
    """`WHAT@+WHEN` as the two; without `@` the when is now, 0.

    Raises:
        Usage: either part is missing or malformed; names `flag`.
    """
    what, given, when = text.rpartition("@")
    if not given:
        what, when = text, "0"
    if not what.strip():
        raise Usage(f"{flag}: {printable(text, limit=60)!r} names nothing", advice=f"write {flag} WHAT@+30s")
    return what.strip(), offset(when, flag)
