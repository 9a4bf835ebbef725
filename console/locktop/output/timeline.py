"""A forecast drawn as lanes over time, a character a column."""

from __future__ import annotations

from collections.abc import Mapping

from rich.cells import cell_len

from backuplock.clock import SECOND
from backuplock.simulate import Act, Forecast, Lane, Step
from locktop.durations import show_duration
from locktop.format import ASCII, UNICODE, Glyphs, Line, fit, utc_time
from locktop.output.paper import Para

_UNICODE = {
    Act.ASKS: "·",
    Act.HOLDS: "━",
    Act.REFUSED: "F",
    Act.DEAD: "╌",
    Act.EXPIRED: "x",
    Act.GONE: " ",
    Act.LOST: "!",
}
_ASCII = _UNICODE | {Act.ASKS: ".", Act.HOLDS: "=", Act.DEAD: "~"}
_TONES = {
    Act.ASKS: "waiting",
    Act.HOLDS: "held",
    Act.REFUSED: "late",
    Act.DEAD: "late",
    Act.EXPIRED: "stale",
    Act.LOST: "alert",
    Act.GONE: "text",
}
_WORDS = {
    Act.ASKS: "asks",
    Act.HOLDS: "holds",
    Act.REFUSED: "refused",
    Act.DEAD: "dead, still counts",
    Act.EXPIRED: "ended, file left",
    Act.LOST: "loses its lease",
}
_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600)
_LEAST_SPAN_NS = 180 * SECOND
_RULER_EVERY = 12


def symbols(glyphs: Glyphs) -> Mapping[Act, str]:
    """What each act is drawn with."""
    return _UNICODE if glyphs is UNICODE else _ASCII


def timeline(
    forecast: Forecast, labels: Mapping[str, str], now_ns: int, *, width: int = 100, glyphs: Glyphs = ASCII
) -> list[Para]:
    """The heading, a ruler, a line for each lane, and what the characters mean.

    Args:
        labels: what stands before each lane, by its key.
        now_ns: store time at the left edge.
        width: cells of a line.
    """
    left = min(max((cell_len(label) for label in labels.values()), default=0), max(12, width // 3))
    columns = max(20, width - left - 4)
    step = step_for(forecast, columns)
    columns = min(columns, -(-_span(forecast) // step))
    paras = [
        Para([(f"Timeline (1 column = {show_duration(step / SECOND)})", "title")]),
        Para([(" " * (left + 2) + _ruler(now_ns, step, columns), "dim")], first=2, wrap=False),
    ]
    drawn = symbols(glyphs)
    for lane in forecast.lanes:
        label = fit(labels.get(lane.key, lane.label), left, ellipsis=glyphs.ellipsis)
        parts: Line = [(f"{label}  ", "strong" if lane.client is not None else "text")]
        parts += [
            (drawn[act] if act else " ", _TONES[act] if act else "text") for act in cells(lane, step, columns)
        ]
        paras.append(Para(_joined(parts), first=2, wrap=False))
    seen = {step.act for lane in forecast.lanes for step in lane.steps}
    legend = "   ".join(f"{drawn[act]} {words}" for act, words in _WORDS.items() if act in seen)
    return [*paras, Para([(legend, "dim")], first=2, hang=2)]


def step_for(forecast: Forecast, columns: int) -> int:
    """Nanoseconds of a column, so that all that happens fits."""
    span = _span(forecast)
    return next((one for s in _STEPS if (one := s * SECOND) * columns >= span), _STEPS[-1] * SECOND)


def cells(lane: Lane, step_ns: int, columns: int) -> list[Act | None]:
    """What each column of a lane shows; None: nothing. What is short is shown rather than what lasts."""
    found: list[Act | None] = []
    for column in range(columns):
        begin, end = column * step_ns, (column + 1) * step_ns
        before = [one for one in lane.steps if one.at_ns < begin]
        within = [one for one in lane.steps if begin <= one.at_ns < end]
        found.append(_cell(before[-1] if before else None, within))
    return found


def _cell(before: Step | None, within: list[Step]) -> Act | None:
    acts = [one.act for one in within]
    for brief in (Act.LOST, Act.REFUSED, Act.ASKS):
        if brief in acts:
            return brief
    lasting = before.act if before and before.act not in (Act.REFUSED, Act.LOST) else None
    if acts and (lasting is None or lasting is Act.GONE):
        return acts[0] if acts[0] is not Act.GONE else None
    if acts and Act.GONE not in acts:
        return acts[-1]
    return None if lasting is Act.GONE else lasting


def _span(forecast: Forecast) -> int:
    last = max((step.at_ns for lane in forecast.lanes for step in lane.steps), default=0)
    return min(max(_LEAST_SPAN_NS, last + last // 8 + 30 * SECOND), max(forecast.horizon_ns, _LEAST_SPAN_NS))


def _ruler(now_ns: int, step_ns: int, columns: int) -> str:
    marks = (utc_time(now_ns + at * step_ns) for at in range(0, max(1, columns - 7), _RULER_EVERY))
    return "".join(f"{mark:<{_RULER_EVERY}}" for mark in marks).rstrip()


def _joined(parts: Line) -> Line:
    """Neighbours of one tone as one part."""
    joined: Line = []
    for text, tone in parts:
        if joined and joined[-1][1] == tone:
            joined[-1] = (joined[-1][0] + text, tone)
        else:
            joined.append((text, tone))
    return joined
