"""A scenario as people type it -> forecasts, and whether they can be trusted.

The library plays a scenario at one instant of the store's clock. Here it is played at both ends of what is
known of that clock: where they disagree the answer is "unknown".
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from backuplock.clock import SECOND, Span
from backuplock.model import UNREAD, LockFile, Operation, VolumeView
from backuplock.protocol import Terms
from backuplock.simulate import HORIZON_NS, Act, Attempt, Client, Forecast, Lane, Scenario, forecast
from backuplock.text import printable
from locktop.settings import Usage

Result = Literal["granted", "refused", "lost", "unknown"]

LEAST_HORIZON_NS = 1800 * SECOND
_AFTER_NS = 300 * SECOND
"""How far beyond the last thing that is supposed to happen a scenario is played."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What is supposed to happen, as typed; locks by name or a part of it. Nanoseconds from now.

    `also` are further clients: operation and start. They work and hold on as the first one does.
    """

    at_ns: int = 0
    lasts_ns: int | None = None
    crash_after_ns: int | None = None
    timeout_ns: int = 0
    also: tuple[tuple[Operation, int], ...] = ()
    dies: tuple[tuple[str, int], ...] = ()
    released: tuple[tuple[str, int], ...] = ()
    broken: tuple[tuple[str, int], ...] = ()

    @property
    def names_locks(self) -> bool:
        """Whether it speaks of single locks."""
        return bool(self.dies or self.released or self.broken)


@dataclass(frozen=True, slots=True)
class Played:
    """How one operation fares. `forecast` is the one at the store's most likely time; None if the volume
    could not be read. `doubt` says why a result is unknown."""

    operation: Operation
    result: Result
    scenario: Scenario
    forecast: Forecast | None
    doubt: str = ""

    @property
    def decisive(self) -> Attempt | None:
        """The attempt that was granted, else the last one that ended."""
        if self.forecast is None:
            return None
        mine = [attempt for attempt in self.forecast.attempts if attempt.client == 0]
        won = [attempt for attempt in mine if attempt.granted]
        return next(iter(won or mine[-1:]), None)

    @property
    def tries(self) -> int:
        """How often the first client asked."""
        return sum(attempt.client == 0 for attempt in self.forecast.attempts) if self.forecast else 0


def scenario_for(wish: Wish, operation: Operation, locks: Sequence[LockFile]) -> Scenario:
    """The scenario of a wish among the locks of a volume.

    Raises:
        Usage: a lock is named that is not there, or several fit, or it lies more than a day ahead.
    """
    clients = [_client(wish, operation, wish.at_ns)]
    clients += [_client(wish, other, start) for other, start in wish.also]
    times = [wish.at_ns, *(start for _, start in wish.also)]
    ends = [at + (wish.lasts_ns or 0) + (wish.crash_after_ns or 0) + wish.timeout_ns for at in times]
    ends += [when for _, when in (*wish.dies, *wish.released, *wish.broken)]
    horizon = max(LEAST_HORIZON_NS, max(ends) + _AFTER_NS)
    if horizon > HORIZON_NS + _AFTER_NS:
        raise Usage(
            "the scenario goes beyond 24 hours", advice="look at less; nobody's locks are known so far"
        )
    return Scenario(
        clients=tuple(clients),
        dies=tuple((lock_named(locks, name, "--holder-dies"), when) for name, when in wish.dies),
        ends=tuple((lock_named(locks, name, "--released"), when) for name, when in wish.released),
        breaks=tuple((lock_named(locks, name, "--after-break"), when) for name, when in wish.broken),
        horizon_ns=horizon,
    )


def lock_named(locks: Sequence[LockFile], name: str, flag: str) -> str:
    """The key of the one lock that has `name` as its name, or whose name contains it.

    Raises:
        Usage: none or several do; names them.
    """
    fitting = locks_named(locks, name)
    if len(fitting) == 1:
        return fitting[0].key
    shown = printable(name, limit=60)
    among = ", ".join(printable(lock.stem, limit=60) for lock in (fitting or locks)[:5]) or "none"
    what = "fits several locks" if fitting else "is no lock of this volume"
    raise Usage(f"{flag}: {shown!r} {what}", advice=f"there are: {among}")


def locks_named(locks: Sequence[LockFile], name: str) -> list[LockFile]:
    """The locks that a name means: the one that is called so, else those whose names contain it."""
    stem = name.rpartition("/")[2].removesuffix(".lck")
    return [lock for lock in locks if lock.stem == stem] or [lock for lock in locks if stem in lock.stem]


def play(view: VolumeView, now: Span, wish: Wish, operation: Operation, terms: Terms | None = None) -> Played:
    """Play a wish for one operation on one volume, as of the store time `now`, with the store's terms.

    Raises:
        Usage: as `scenario_for`.
    """
    scenario = scenario_for(wish, operation, view.locks)
    if view.problem:
        return Played(operation, "unknown", scenario, None, f"the volume could not be read: {view.problem}")
    forecasts = [
        forecast(view.name, view.locks, instant, scenario, terms)
        for instant in (dict.fromkeys((now.middle, now.lo, now.hi)) if view.locks else (now.middle,))
    ]
    results = {_result(found, view) for found in forecasts}
    if len(results) > 1:
        error = now.error_ns / SECOND
        doubt = f"the store's clock is known to {error:.0f} s only, and that decides"
        return Played(operation, "unknown", scenario, forecasts[0], doubt)
    result = results.pop()
    doubt = _unread(forecasts[0], view) if result == "unknown" else ""
    return Played(operation, result, scenario, forecasts[0], doubt)


def play_all(
    views: Sequence[VolumeView],
    now: Span,
    wish: Wish,
    operation: Operation,
    terms: Terms | None = None,
    *,
    stopped: Callable[[], bool] = lambda: False,
) -> list[tuple[VolumeView, Played]]:
    """Play a wish on many volumes; it names no locks.

    How long the work lasts is not asked of each: unless the wish says so it is over at once. `stopped` is
    asked before each volume; once it says so the rest is left out.
    """
    if wish.lasts_ns is None and wish.crash_after_ns is None:
        wish = replace(wish, lasts_ns=SECOND)
    # All volumes without locks fare alike, and there may be thousands.
    free: Played | None = None
    rows: list[tuple[VolumeView, Played]] = []
    for view in views:
        if stopped():
            break
        empty = not view.locks and not view.problem
        played = free if empty and free is not None else play(view, now, wish, operation, terms)
        free = played if empty else free
        rows.append((view, played))
    return rows


def act_at(lane: Lane, when_ns: int) -> Act | None:
    """What a lane shows at an instant; None before anything happens in it."""
    shown = [step.act for step in lane.steps if step.at_ns <= when_ns]
    return shown[-1] if shown else None


def held_until(played: Played) -> tuple[int, int | None] | None:
    """From when to when the first client keeps others out, from now; an end of None: beyond the horizon."""
    lane = next(
        (lane for lane in (played.forecast.lanes if played.forecast else ()) if lane.client == 0), None
    )
    if lane is None or played.forecast is None or played.forecast.granted_ns is None:
        return None
    ends = [step.at_ns for step in lane.steps if step.act in (Act.GONE, Act.EXPIRED, Act.LOST)]
    return played.forecast.granted_ns, (min(ends) if ends else None)


def _unread(found: Forecast, view: VolumeView) -> str:
    """Which files nobody could read, for a forecast that cannot be told."""
    asked = {key.key for attempt in found.attempts for key in attempt.blockers}
    stems = [
        printable(lock.stem, limit=60) for lock in view.locks if lock.key in asked and lock.flaw in UNREAD
    ]
    if not stems:
        return "a lock could not be read, and may be any lock"
    more = f" and {len(stems) - 3} more" if len(stems) > 3 else ""
    return f"{', '.join(stems[:3])}{more} could not be read, and may be any lock"


def _client(wish: Wish, operation: Operation, start_ns: int) -> Client:
    return Client(
        operation,
        start_ns=start_ns,
        lasts_ns=wish.lasts_ns,
        crash_after_ns=wish.crash_after_ns,
        timeout_ns=wish.timeout_ns,
    )


def _result(found: Forecast, view: VolumeView) -> Result:
    mine = next(lane for lane in found.lanes if lane.client == 0)
    if found.granted_ns is not None:
        return "lost" if any(step.act is Act.LOST for step in mine.steps) else "granted"
    flaws = {lock.key: lock.flaw for lock in view.locks}
    last = [attempt for attempt in found.attempts if attempt.client == 0][-1:]
    known = [one for attempt in last for one in attempt.blockers if flaws.get(one.key) not in UNREAD]
    return "refused" if known else "unknown"
