"""A diagnosis as text and as JSON.

The JSON document of `locktop doctor --json`; fields are added within version 1, never changed or removed:

version     1
target      the store's URL, without secrets
tried       whether anything was written (--write)
worst       the worst grade of a check: ok, note, warn, bad; unknown if nothing could be told
checks      name, grade (ok, note, warn, bad, unknown), text, advice ("" if there is nothing to do)
guarantees  name, holds (true, false; null: not proved), why: what follows for locks on this store
clock       skew_seconds (the store's clock minus this machine's; null: unknown), error_seconds
"""

from __future__ import annotations

from typing import Any

from backuplock.clock import SECOND
from backuplock.doctor import Check, Diagnosis, Grade
from backuplock.doctor.checks import of_guarantee
from backuplock.text import printable
from locktop.format import UNICODE, Glyphs, Part
from locktop.output.paper import Para, blank, title

VERSION = 1
_LABEL = 18
_TONES = {
    Grade.OK: "good",
    Grade.NOTE: "text",
    Grade.WARN: "late",
    Grade.BAD: "stale",
    Grade.UNKNOWN: "unsure",
}
_UNICODE = {Grade.OK: "✓", Grade.NOTE: "·", Grade.WARN: "◐", Grade.BAD: "▲", Grade.UNKNOWN: "?"}
_ASCII = {Grade.OK: "+", Grade.NOTE: ".", Grade.WARN: "~", Grade.BAD: "!", Grade.UNKNOWN: "?"}


def document(found: Diagnosis) -> dict[str, Any]:
    """The document of the table above."""
    snapshot = found.snapshot
    off, bar = snapshot.clock.skew(wall_ns=snapshot.taken_wall_ns, mono_ns=snapshot.ended_mono_ns)
    assumed = snapshot.clock.source == "assumed"
    return {
        "version": VERSION,
        "target": found.target,
        "tried": found.tried,
        "worst": found.worst.value,
        "checks": [
            {"name": one.name, "grade": one.grade.value, "text": one.text, "advice": one.advice}
            for one in found.checks
        ],
        "guarantees": [{"name": one.name, "holds": one.holds, "why": one.why} for one in found.guarantees],
        "clock": {"skew_seconds": None if assumed else off / SECOND, "error_seconds": bar / SECOND},
    }


def paras(found: Diagnosis, glyphs: Glyphs) -> list[Para]:
    """A line for each check, its advice below it; then what follows for locks."""
    how = "looked and tried" if found.tried else "only looked, nothing was written"
    lines = [Para([(printable(found.target), "strong"), (f"  {how}", "dim")]), blank()]
    for check in found.checks:
        lines.extend(_check(check, glyphs))
    lines += [blank(), title("What follows for locks")]
    width = max(len(one.name) for one in found.guarantees)
    for guarantee in found.guarantees:
        lines.extend(_check(of_guarantee(guarantee), glyphs, width))
    return lines


def _check(check: Check, glyphs: Glyphs, width: int = _LABEL) -> list[Para]:
    symbol = (_UNICODE if glyphs is UNICODE else _ASCII)[check.grade]
    tone = _TONES[check.grade]
    head: list[Part] = [(f"{symbol} {check.name:<{width}}  ", tone), (check.text, "text")]
    hang = 2 + 2 + width + 2
    lines = [Para(head, first=2, hang=hang)]
    if check.advice:
        arrow = "→" if glyphs is UNICODE else "->"
        lines.append(Para([(f"{arrow} {check.advice}", "dim")], first=hang, hang=hang + len(arrow) + 1))
    return lines
