"""Scenarios played beside the screen: what is asked, what came of it, and the lines that tell of it."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass

from backuplock.clock import Clock, Span
from backuplock.model import Operation, VolumeView
from backuplock.simulate import terms_on
from locktop.format import Glyphs, Line, fit, name, short_seconds
from locktop.output.paper import Para, blank
from locktop.output.simulate_text import (
    VERDICTS,
    assumed_paras,
    because,
    count_paras,
    lane_labels,
    numbers_of,
    verdict_paras,
)
from locktop.output.timeline import timeline
from locktop.rows import Board
from locktop.scenario import Reading
from locktop.status import Status, emptiness
from locktop.what_if import Played, Wish, play, play_all
from locktop.widgets.panes import para_lines

VERDICT_CELLS = 14
"""Cells of a verdict in the list of volumes."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A scenario to be played on volumes of one Snapshot; `many` if it is the same over all of them."""

    board: Board
    views: Sequence[VolumeView]
    wish: Wish
    operation: Operation
    many: bool

    @property
    def now(self) -> Span:
        """The store's time that everything starts at: when the Snapshot was begun."""
        return self.board.now


@dataclass(frozen=True, slots=True)
class Told:
    """What came of it; `took_ns` is how long that took. `partial` if it was stopped."""

    asked: Asked
    rows: Sequence[tuple[VolumeView, Played]]
    took_ns: int
    ended_mono_ns: int
    partial: bool = False

    @property
    def kept_out(self) -> dict[str, tuple[VolumeView, Played]]:
        """The volumes on which it is not surely granted, by id."""
        return {view.name: (view, one) for view, one in self.rows if one.result != "granted"}


def alike(one: Asked, other: Asked | None) -> bool:
    """Whether two scenarios are the same, maybe on different pictures of the store."""
    if other is None or (one.wish, one.operation, one.many) != (other.wish, other.operation, other.many):
        return False
    return one.many or [view.name for view in one.views] == [view.name for view in other.views]


def the_same(one: Asked, other: Asked | None) -> bool:
    """Whether two scenarios are the same on the same picture: what came of one holds for the other."""
    return (
        other is not None
        and one.board is other.board
        and alike(one, other)
        and len(one.views) == len(other.views)
        and all(a is b for a, b in zip(one.views, other.views, strict=True))
    )


def foretell(asked: Asked, clock: Clock, stop: threading.Event) -> Told:
    """Play it. Writes to no store: it runs on copies of the locks, in virtual time."""
    began = clock.mono_ns()
    terms = terms_on(asked.board.snapshot.capabilities)
    rows: Sequence[tuple[VolumeView, Played]]
    if asked.many:
        rows = play_all(asked.views, asked.now, asked.wish, asked.operation, terms, stopped=stop.is_set)
    else:
        rows = [(view, play(view, asked.now, asked.wish, asked.operation, terms)) for view in asked.views]
    ended = clock.mono_ns()
    return Told(asked, rows, ended - began, ended, partial=len(rows) < len(asked.views))


def one_lines(told: Told, width: int, glyphs: Glyphs) -> list[Line]:
    """How it ends on one volume: the verdict, the reason, the timeline, what is assumed of the others."""
    view, played = told.rows[0]
    now, numbers = told.asked.now, numbers_of(view, told.asked.now)
    paras = verdict_paras(played, view, now, numbers, glyphs)
    if played.forecast is not None:
        labels = lane_labels(played, view, numbers)
        drawn = timeline(played.forecast, labels, now.middle, width=width - 2, glyphs=glyphs)
        paras += [blank(), *drawn]
    indented = [
        Para(para.parts, para.first + 1, para.hang + 1, para.wrap)
        for para in [*paras, blank(), *assumed_paras(played, view, now, numbers)]
    ]
    return para_lines(indented, width)


def count_lines(told: Told, width: int) -> list[Line]:
    """On how many volumes it ends how."""
    paras = [Para(para.parts, 1, 3) for para in count_paras(told.rows)]
    return para_lines(paras, width)


def volume_line(view: VolumeView, played: Played, now: Span, width: int, glyphs: Glyphs) -> Line:
    """One of the volumes on which it fails: the verdict, the volume, what is in the way."""
    word, tone = VERDICTS[played.result]
    called = name(view.names.claim_path) if view.names else ""
    wide = width >= VERDICT_CELLS + 100
    cells = (40, 24) if wide else (20, 24)
    line: Line = [(f"{fit(word, VERDICT_CELLS, ellipsis=glyphs.ellipsis)}  ", tone)]
    line.append((fit(name(view.name), cells[0], ellipsis=glyphs.ellipsis, middle=True), "text"))
    line.append(("  " + fit(called, cells[1], ellipsis=glyphs.ellipsis, middle=True), "key"))
    return [*line, ("  ", "text"), *because(played, view, numbers_of(view, now))]


def whence(told: Told, status: Status, *, current: bool) -> Line:
    """What a result is about; `current` if it is of the scenario that is filled in."""
    if not current:
        return [("of the scenario before", "late")]
    old = max(0, status.mono_ns - told.asked.board.snapshot.began_mono_ns)
    return [(f"plays on what was {short_seconds(old)} ago", "late" if status.outdated else "dim")]


def instead(status: Status, reading: Reading) -> list[Line]:
    """What stands in place of a result while there is none."""
    board = status.board
    if board is None or not board.snapshot.store_present:
        return [[], *([("  ", "text"), *line] for line in emptiness(status, ""))]
    if not board.snapshot.volumes:
        return [[], [("  the store has no backup volumes", "strong")]]
    if reading.wish is not None or reading.problems:
        return []
    return [
        [],
        [("  Name a volume: shift+tab goes to the field.", "strong")],
        [("  Or press a on a lock; b plays the same operation over many volumes.", "dim")],
    ]
