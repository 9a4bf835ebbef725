"""Forecasts as JSON; the document of `locktop simulate --json`. Offsets are seconds from `now`.

version     1
target      the target's URL, without secrets
now         the store's time that everything starts at
simulated   true: nothing was written
forecasts   for each volume and operation:
  volume, claim, operation
  result      granted, refused, lost (granted, then lost to somebody of another type), unknown
  doubt       why it is unknown, or ""
  granted_at, granted_after   when it is granted (time; offset), null if it is not
  held_until  time until which it keeps the other kind out; null: not granted, or beyond the horizon
  assumed     start, lasts, crash_after, timeout (offsets; null: never), dies, released, broken: [{lock, at}]
  attempts    client (0 is the one in question), began, decided (offsets), granted, blockers (keys), detail
  lanes       lock (key; null for a client), client (null for a lock), label, type, steps: [{at, act}], act is
              one of asks, holds, refused, dead, expired, gone, lost
  horizon     how far was looked (offset)
counts      by operation: numbers of forecasts by result
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from backuplock.clock import Span, seconds
from backuplock.model import VolumeView
from locktop.output.fields import iso
from locktop.what_if import Played, held_until

VERSION = 1


def document(target: str, now: Span, rows: Sequence[tuple[VolumeView, Played]]) -> dict[str, Any]:
    """The document of the table above."""
    counts: dict[str, Counter[str]] = {}
    for _, played in rows:
        counts.setdefault(played.operation.value, Counter())[played.result] += 1
    return {
        "version": VERSION,
        "target": target,
        "now": iso(now.middle),
        "simulated": True,
        "forecasts": [_forecast(view, played, now) for view, played in rows],
        "counts": {operation: dict(found) for operation, found in counts.items()},
    }


def _forecast(view: VolumeView, played: Played, now: Span) -> dict[str, Any]:
    found, first = played.forecast, played.scenario.clients[0]
    granted = found.granted_ns if found else None
    held = held_until(played)
    until = held[1] if held else None
    return {
        "volume": view.name,
        "claim": view.names.claim_path if view.names else "",
        "operation": played.operation.value,
        "result": played.result,
        "doubt": played.doubt,
        "granted_at": None if granted is None else iso(now.middle + granted),
        "granted_after": _offset(granted),
        "held_until": None if until is None else iso(now.middle + until),
        "assumed": {
            "start": _offset(first.start_ns),
            "lasts": _offset(first.lasts_ns),
            "crash_after": _offset(first.crash_after_ns),
            "timeout": _offset(first.timeout_ns),
            "dies": _pairs(played.scenario.dies),
            "released": _pairs(played.scenario.ends),
            "broken": _pairs(played.scenario.breaks),
        },
        "attempts": [
            {
                "client": one.client,
                "began": _offset(one.began_ns),
                "decided": _offset(one.decided_ns),
                "granted": one.granted,
                "blockers": [blocker.key for blocker in one.blockers],
                "detail": one.detail,
            }
            for one in (found.attempts if found else ())
        ],
        "lanes": [
            {
                "lock": lane.key if lane.client is None else None,
                "client": lane.client,
                "label": lane.label,
                "type": lane.type,
                "steps": [{"at": _offset(step.at_ns), "act": step.act.value} for step in lane.steps],
            }
            for lane in (found.lanes if found else ())
        ],
        "horizon": _offset(played.scenario.horizon_ns),
    }


def _pairs(pairs: Sequence[tuple[str, int]]) -> list[dict[str, Any]]:
    return [{"lock": key, "at": _offset(when)} for key, when in pairs]


def _offset(ns: int | None) -> float | None:
    return None if ns is None else round(seconds(ns), 3)
