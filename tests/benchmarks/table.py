"""Rows of a benchmark's table, and rounds of rivals that take turns."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """One line: what was measured, ours, the rival's, their ratio or our figure, and the limit for that."""

    what: str
    ours: str
    rival: str
    figure: float | None = None
    limit: float | None = None

    @property
    def reached(self) -> bool | None:
        """Whether the figure keeps within its limit; None where there is none."""
        return None if self.figure is None or self.limit is None else self.figure <= self.limit


@dataclass(frozen=True, slots=True)
class Run:
    """One round: seconds by the clock, seconds of this process's processor time, and what came of it."""

    wall: float
    cpu: float
    result: object


def tell(what: str) -> None:
    """Say on stderr what begins now."""
    print(f"[{time.strftime('%H:%M:%S')}] {what}", file=sys.stderr, flush=True)


def timed(work: Callable[[], object]) -> Run:
    wall, cpu = time.perf_counter(), time.process_time()
    result = work()
    return Run(time.perf_counter() - wall, time.process_time() - cpu, result)


def rivals(rounds: int, **works: Callable[[], object]) -> dict[str, Run]:
    """Let rivals take turns; the best round of each by the clock."""
    best: dict[str, Run] = {}
    for number in range(rounds):
        for name, work in works.items():
            run = timed(work)
            tell(f"round {number + 1} of {rounds}, {name}: {run.wall:.2f} s, {run.cpu:.2f} s of processor")
            if name not in best or run.wall < best[name].wall:
                best[name] = run
    return best


def show(rows: list[Row]) -> str:
    cells = [("", "ours", "rival", "figure", "limit", "")]
    for row in rows:
        figure = "" if row.figure is None else f"{row.figure:.3f}"
        limit = "" if row.limit is None else f"{row.limit:.3f}"
        cells.append((row.what, row.ours, row.rival, figure, limit, _VERDICT[row.reached]))
    widths = [max(len(line[n]) for line in cells) for n in range(6)]
    return "\n".join(
        "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip()
        for line in cells
    )


_VERDICT = {True: "reached", False: "MISSED", None: ""}
