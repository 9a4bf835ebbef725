"""The first lines of every view: target, pulse, age of the data, clocks, and how many locks in which state.

Pure: a `Status` in, text and tones out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from rich.cells import cell_len

from backuplock.clock import SECOND
from backuplock.rules import State
from locktop.format import (
    Glyphs,
    Line,
    Part,
    fit,
    number,
    rtt,
    short_seconds,
    signed_seconds,
    utc_instant,
    utc_time,
)
from locktop.playback import Tape
from locktop.status import Status

OFF_NS, WIDE_BAR_NS = 5 * SECOND, 2 * SECOND
"""Skew beyond its error bar, and an error bar, that a person must know of."""

ORDER = (State.STALE, State.LATE, State.UNSURE, State.BAD, State.WAITING, State.HELD)
"""States in the order of attention."""


def header(status: Status, glyphs: Glyphs, width: int) -> tuple[Line, Line]:
    """The first line: left and right end. What matters least goes first as the width shrinks."""
    if status.tape is not None:
        # What the recording's time and speed are must be known at any width.
        right = [*_playing(status.tape, glyphs), *(_age(status) if width >= 84 else []), (" ", "text")]
        room = width - sum(cell_len(text) for text, _ in right)
        return _who(status, glyphs, room, full=False), right
    right = [*pulse(status, glyphs, exact=width >= 70), *_age(status)]
    snapshot = status.board.snapshot if status.board else None
    wide, full = width >= 84, width >= 110
    skewed = not wide and _clock_matters(status)
    if not full and width >= 70 and not skewed and _priced(status):
        # Where there is room for one of them, money is worth more than milliseconds.
        right += _dollars(status, full=False)
    elif snapshot is not None and width >= 70 and not skewed:
        delay = rtt(snapshot.rtt_ns)
        right += [("   rtt " if wide else "  ", "dim"), (delay, "text")]
    if full:
        right += _cost(status)
    if snapshot is not None and (wide or skewed):
        right += _skew(status, glyphs, full)
    if width < 100:
        right += [(" ", "text"), *counts(status, glyphs, words=False)]
    elif snapshot is not None:
        mark = "~" if snapshot.clock.source == "assumed" else ""
        right += [("   UTC ", "dim"), (mark + utc_time(status.now.middle), "text")]
    right.append((" ", "text"))
    room = width - sum(cell_len(text) for text, _ in right)
    return _who(status, glyphs, room, full=full), right


def _who(status: Status, glyphs: Glyphs, room: int, *, full: bool) -> Line:
    """The target and the mode; the target's name gives way, the mode does not."""
    known = status.label or status.url
    known = fit(known, min(cell_len(known), max(4, room - 17)), ellipsis=glyphs.ellipsis, middle=True)
    mode = ("[RO]", "dim") if status.read_only else ("[RW]", "late")
    badge = status.badge
    tone = f"accent-{badge.accent}" if badge.accent else "strong"
    left: Line = [(" locktop ", "brand"), (" ", "text"), (known, tone), (" ", "text"), mode]
    if full and (badge.name or status.label not in status.url):
        left.append(("  " + status.url, "dim"))
    return left


def caution(status: Status) -> Line:
    """What stands in the line under the header of a context to be careful with; empty for others."""
    return [(f" protected: {status.badge.name} ", "danger")] if status.badge.protected else []


def pulse(status: Status, glyphs: Glyphs, *, exact: bool) -> list[Part]:
    """Whether the picture moves, and how often; `exact` where there is room."""
    if status.paused:
        more = f" +{number(status.unseen)} new" if status.unseen else ""
        return [(f"{glyphs.paused} PAUSED", "waiting"), (more, "strong")]
    interval = max(status.interval_ns, status.pace.least_ns if status.pace else 0)
    pace = f" {_pace(interval, exact=exact)}"
    if status.failure is not None:
        return [(f"{glyphs.warn} RETRY", "stale")]
    if status.hanging:
        return [(f"{glyphs.warn} HANGS", "stale")]
    return [(f"{glyphs.live} LIVE", "good"), (pace, "text")]


def _playing(tape: Tape, glyphs: Glyphs) -> list[Part]:
    mark = glyphs.paused if tape.paused else glyphs.warn if tape.ended else glyphs.cursor
    word = " END" if tape.ended else ""
    tone = "waiting" if tape.paused or tape.ended else "good"
    return [
        (f"{mark} REPLAY x{tape.speed:g}{word}", tone),
        (f"  {utc_instant(tape.wall_ns)}", "strong"),
    ]


def _pace(ns: int, *, exact: bool) -> str:
    return f"{ns / SECOND:.3g}s" if exact or ns < SECOND else f"{ns / SECOND:.0f}s"


def _age(status: Status) -> list[Part]:
    if status.age_ns is None:
        return []
    old = status.outdated or (not status.paused and status.age_ns > 3 * status.interval_ns + 10 * SECOND)
    return [("   ", "text"), (f"{short_seconds(status.age_ns)} old", "stale" if old else "text")]


def _cost(status: Status) -> list[Part]:
    """Requests a second and dollars a day, beside what they may be, where they cost or are limited."""
    pace, budget = status.pace, status.budget
    if pace is None or (budget.prices.free and budget.requests_per_s is None):
        return []
    parts: list[Part] = [("   ", "text"), (f"{pace.requests_per_s:.1f}", "text")]
    parts.append((f"/{budget.requests_per_s:g} a s" if budget.requests_per_s else "/s", "dim"))
    return parts + _dollars(status, full=True) if _priced(status) else parts


def _priced(status: Status) -> bool:
    return status.pace is not None and not status.budget.prices.free


def _dollars(status: Status, *, full: bool) -> list[Part]:
    budget, dollars = status.budget, status.pace.dollars_per_day if status.pace else 0.0
    near = budget.dollars_per_day is not None and dollars > 0.9 * budget.dollars_per_day
    of = f" of {budget.dollars_per_day:g}" if full and budget.dollars_per_day is not None else ""
    return [(f"{' ' if full else '  '}${dollars:.2f}", "late" if near else "text"), (f"{of}/d", "dim")]


def _skew(status: Status, glyphs: Glyphs, full: bool) -> list[Part]:
    """Store time minus local time. The bar is shown where there is room, or where it is wide."""
    if status.board is None:
        return []
    clock = status.board.snapshot.clock
    if clock.source == "assumed":
        return [("   skew ", "dim"), ("?", "unsure")]
    off, bar = clock.skew(wall_ns=status.wall_ns, mono_ns=status.mono_ns)
    tone = "late" if _is_off(off, bar) else "text"
    shown = signed_seconds(off)
    if full or bar > WIDE_BAR_NS:
        shown += f" {glyphs.plus_minus}{short_seconds(bar)}"
    return [("   skew ", "dim"), (shown, tone)]


def _clock_matters(status: Status) -> bool:
    """Whether the clocks are so that a person must know it, however narrow the screen."""
    if status.board is None or status.board.snapshot.clock.source == "assumed":
        return False
    off, bar = status.board.snapshot.clock.skew(wall_ns=status.wall_ns, mono_ns=status.mono_ns)
    return _is_off(off, bar) or bar > WIDE_BAR_NS


def _is_off(off: int, bar: int) -> bool:
    return abs(off) > bar + OFF_NS


def counts(status: Status, glyphs: Glyphs, *, words: bool = True) -> Line:
    """How many locks in each state: the right end of the second line, or without words of the first."""
    found = status.board.counts_at(status.now) if status.board else Counter[State]()
    return counted(found, glyphs, words=words)


def counted(found: Mapping[State, int], glyphs: Glyphs, *, words: bool) -> Line:
    """Numbers of locks by state, what needs attention first."""
    line: Line = []
    for state in ORDER:
        if not found.get(state):
            continue
        if words:
            line.append((f"{glyphs.states[state]} ", state.value))
            line.append((f"{number(found[state])} ", "strong" if state is not State.HELD else "text"))
            line.append((f"{state.value}   ", "dim"))
        else:
            line.append((f" {glyphs.states[state]}{number(found[state])}", state.value))
    return line
