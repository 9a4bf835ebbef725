"""Durations and instants as people type them: `90`, `90s`, `5m`, `1h30m`, `+2m`, `LOCK@+5m`."""

from __future__ import annotations

import re

from backuplock.clock import SECOND
from backuplock.text import printable
from locktop.settings import Usage

_UNITS = {"ms": SECOND // 1000, "s": SECOND, "m": 60 * SECOND, "h": 3600 * SECOND, "d": 86_400 * SECOND}
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_NUMBER = re.compile(r"\d+(?:\.\d+)?")

LONGEST_NS = 366 * 86_400 * SECOND


def duration(text: str, flag: str) -> int:
    """A duration in nanoseconds; a plain number counts seconds, a leading `+` is allowed.

    Raises:
        Usage: it does not have the form, or exceeds a year; names `flag`.
    """
    given = text.strip().lower().removeprefix("+")
    if _NUMBER.fullmatch(given):
        given += "s"
    parts = _PART.findall(given)
    if not parts or "".join(number + unit for number, unit in parts) != given:
        raise Usage(
            f"{flag}: {printable(text, limit=60)!r} is not a duration",
            advice="write 90s, 5m, 1h30m or the like",
        )
    whole = sum(round(float(number) * _UNITS[unit]) for number, unit in parts)
    if whole > LONGEST_NS:
        raise Usage(f"{flag}: {printable(text, limit=60)!r} is more than a year", advice="give less")
    return whole


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
    return what.strip(), duration(when, flag)


def short(ns: int) -> str:
    """As it would be typed: `90s` is `1m30s`, `2h`."""
    left, found = ns, ""
    for unit in ("d", "h", "m", "s"):
        count, left = divmod(left, _UNITS[unit])
        if count:
            found += f"{count}{unit}"
    return found or (f"{left // _UNITS['ms']}ms" if left else "0s")
