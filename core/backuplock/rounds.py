"""What is looked at when: volumes where something goes on each few seconds, the rest in a slow pass.

A store that is small, near or leaves out blocks is swept as a whole each time, if that is no dearer. Where
it is, volumes with locks and those somebody cares for are read each round, and a part of the store in some
of them, so that a pass over all parts takes about a minute: no rush at its beginning, and what is new in a
quiet volume is seen within it. A budget makes passes longer first, and rounds rarer when that is not enough.

Pure: what a round has cost goes in, what the next one reads comes out.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass, field

from backuplock import layout
from backuplock.clock import SECOND
from backuplock.model import Snapshot

PASS_NS = 50 * SECOND
"""How long a pass over the whole store takes, where nothing keeps it from that."""

LONGEST_PASS_NS = 900 * SECOND
"""The longest pass that a budget makes before rounds become rarer too."""

DAY_NS = 86_400 * SECOND

_FIRSTS = tuple(f"{first:02x}" for first in range(256))
_LEAST_PART = 8
"""Listings of the store that are worth being a part: each costs one more, of what first levels there are."""
_QUICK = 4
"""A sweep that takes less than this part of the interval disturbs nobody."""


@dataclass(frozen=True, slots=True)
class Prices:
    """Dollars for 1,000 requests. The default is what AWS takes for S3 Standard in us-east-1: 0.005 for PUT,
    COPY, POST and LIST, 0.0004 for GET. Source: Amazon S3 pricing, aws.amazon.com/s3/pricing."""

    listing: float = 0.005
    read: float = 0.0004

    @property
    def free(self) -> bool:
        """Whether nothing costs anything."""
        return self.listing <= 0 and self.read <= 0


FREE = Prices(0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Budget:
    """What watching may cost: requests a second, dollars a day. None: as much as it takes."""

    requests_per_s: float | None = None
    dollars_per_day: float | None = None
    prices: Prices = FREE


@dataclass(frozen=True, slots=True)
class Pace:
    """How often is looked: from one round to the next, and for how long a pass goes on; and what that comes
    to. `whole`: each round reads everything."""

    interval_ns: int
    pass_ns: int
    whole: bool
    requests_per_s: float
    dollars_per_day: float


@dataclass(frozen=True, slots=True)
class Round:
    """What to read: everything, or `volumes` by name and `part` of the store, by its first levels."""

    whole: bool
    volumes: frozenset[str] = frozenset()
    part: tuple[str, ...] = ()


def pace_of(
    interval_ns: int, *, hot: int, whole: int, reads: float = 0.0, quick: bool = False, budget: Budget
) -> Pace:
    """How often to look.

    Args:
        interval_ns: how often somebody wants to look.
        hot: volumes that are read each round. whole: listings that a sweep of everything takes.
        reads: lock files a second that are read because they are new.
        quick: a sweep takes so little that nobody is disturbed.
    """
    prices = budget.prices
    # Whether to sweep all in each round is decided first: it is simpler, and never shows anything late.
    passes = whole / PASS_NS + hot / interval_ns
    if (quick and prices.free and budget.requests_per_s is None) or whole / interval_ns <= passes:
        least = whole / _allowed(budget, reads)
        interval = max(interval_ns, math.ceil(least))
        return Pace(interval, interval, True, *_costs(whole / interval, reads, prices))
    allowed = _allowed(budget, reads)
    interval, pass_ns = interval_ns, PASS_NS
    if hot / interval + whole / pass_ns > allowed:
        left = allowed - hot / interval
        pass_ns = LONGEST_PASS_NS if left <= 0 else min(LONGEST_PASS_NS, math.ceil(whole / left))
        left = allowed - whole / pass_ns
        if left <= 0:
            # Not even the longest pass is paid for: half for each.
            pass_ns, left = math.ceil(2 * whole / allowed), allowed / 2
        if hot:
            interval = max(interval, math.ceil(hot / left))
    return Pace(interval, pass_ns, False, *_costs(hot / interval + whole / pass_ns, reads, prices))


def _allowed(budget: Budget, reads: float) -> float:
    """Listings a nanosecond that the budget allows."""
    most = math.inf
    if budget.requests_per_s is not None:
        most = max(budget.requests_per_s - reads, budget.requests_per_s / 10) / SECOND
    if budget.dollars_per_day is not None and budget.prices.listing > 0:
        day = budget.dollars_per_day
        left = max(day - reads * DAY_NS / SECOND * budget.prices.read / 1000, day / 10)
        most = min(most, left * 1000 / budget.prices.listing / DAY_NS)
    return most


def _costs(listings_per_ns: float, reads: float, prices: Prices) -> tuple[float, float]:
    dollars = (listings_per_ns * DAY_NS * prices.listing + reads * DAY_NS / SECOND * prices.read) / 1000
    return listings_per_ns * SECOND + reads, dollars


@dataclass(slots=True)
class Rounds:
    """The rounds of one watch. Not for several threads.

    Attributes:
        budget: what it may cost; may be set anew.
        pace: what came of it, None before the first sweep.
    """

    budget: Budget = field(default_factory=Budget)
    pace: Pace | None = None
    _whole: int = 0
    _passing: int = 0
    _hot: int = 0
    _took_ns: int = 0
    _at: int = 0
    _due_ns: int = 0
    _reads: float = 0.0

    def next(
        self,
        snapshot: Snapshot | None,
        now_ns: int,
        interval_ns: int,
        *,
        cared_for: Collection[str] = (),
        whole: bool = False,
    ) -> Round:
        """What to read now.

        Args:
            snapshot: the last one. now_ns: the monotonic time.
            cared_for: names of volumes to read in every round, beside those with locks.
            whole: read everything, whatever it costs.
        """
        if snapshot is None or not self._whole:
            return Round(True)
        hot = {view.name for view in snapshot.volumes if view.locks or view.leftovers or view.problem}
        hot.update(cared_for)
        self.pace = pace = pace_of(
            interval_ns,
            hot=len(hot),
            whole=self._whole,
            reads=self._reads,
            quick=self._took_ns * _QUICK <= interval_ns,
            budget=self.budget,
        )
        if whole or pace.whole:
            return Round(True)
        parts = max(1, min(pace.pass_ns // max(1, pace.interval_ns), self._whole // _LEAST_PART, 256))
        part: tuple[str, ...] = ()
        if now_ns >= self._due_ns:
            size = math.ceil(len(_FIRSTS) / parts)
            part = _FIRSTS[self._at : self._at + size]
            self._at = (self._at + size) % len(_FIRSTS) if self._at + size < len(_FIRSTS) else 0
            self._due_ns = max(self._due_ns + pace.pass_ns // parts, now_ns - pace.pass_ns // parts)
        self._hot = sum(1 for name in hot if layout.shards(name)[0] not in part)
        return Round(False, frozenset(cared_for), part)

    def took(self, done: Round, snapshot: Snapshot) -> None:
        """A round has ended with this Snapshot."""
        spent = snapshot.ended_mono_ns - snapshot.began_mono_ns
        if done.whole:
            self._whole = max(1, snapshot.requests - snapshot.bodies_read)
            self._took_ns = spent
            self._at, self._due_ns, self._passing = 0, snapshot.ended_mono_ns, 0
        elif done.part:
            self._passing += max(0, snapshot.requests - snapshot.bodies_read - self._hot)
            if self._at == 0:
                # A store grows and shrinks while it is read in parts: what the next pass costs is this.
                self._whole, self._passing = max(1, self._passing), 0
        # Each holder writes its lock anew once a minute or oftener, and what is new is read.
        self._reads = len(snapshot.by_key) / 60
