"""Time, the only module that asks for it.

All instants are `int` nanoseconds: of the Unix epoch (UTC) where the name says `wall` or `store`, of an
arbitrary origin where it says `mono`. Integers, because a file system orders locks by nanoseconds and a
float of today's epoch is exact to 200 ns only.

The *store's* clock judges the age of locks, for it stamps them (`StoreClock`). What is known of it is an
interval, kept against the monotonic clock, so that a step of the local wall clock does not move it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

SECOND = 1_000_000_000
"""Nanoseconds in a second."""

DRIFT_PPM = 200
"""How much two healthy clocks may drift apart, in parts per million; NTP's own bound is 500, typical
quartz is under 50."""


def seconds(ns: int) -> float:
    """Nanoseconds as seconds."""
    return ns / SECOND


def nanoseconds(s: float) -> int:
    """Seconds as whole nanoseconds."""
    return round(s * SECOND)


class Clock(Protocol):
    """What the library needs of time; `SystemClock` in earnest, `ManualClock` in tests and simulations."""

    def wall_ns(self) -> int:
        """Local wall clock, nanoseconds of the epoch; may step."""
        ...

    def mono_ns(self) -> int:
        """Nanoseconds since an arbitrary origin; never steps back, counts through suspend where the
        system offers such a clock."""
        ...

    def sleep(self, duration_ns: int, wake: threading.Event | None = None) -> bool:
        """Sleep, or until `wake` is set; true if it was set."""
        ...


class SystemClock:
    """The clocks of this machine."""

    __slots__ = ()

    def wall_ns(self) -> int:
        return time.time_ns()

    def mono_ns(self) -> int:
        if hasattr(time, "CLOCK_BOOTTIME"):
            return time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        return time.monotonic_ns()

    def sleep(self, duration_ns: int, wake: threading.Event | None = None) -> bool:
        if wake is not None:
            return wake.wait(max(0, duration_ns) / SECOND)
        time.sleep(max(0, duration_ns) / SECOND)
        return False


class ManualClock:
    """A clock that moves only when told to; both readings advance together unless `step_wall` is used.

    Args:
        wall_ns: where the wall clock starts.
        on_sleep: called with the nanoseconds of each sleep instead of just advancing.
    """

    def __init__(
        self, wall_ns: int = 1_767_322_800 * SECOND, on_sleep: Callable[[int], None] | None = None
    ) -> None:
        self._wall = wall_ns
        self._mono = 1_000 * SECOND
        self._on_sleep = on_sleep

    def wall_ns(self) -> int:
        return self._wall

    def mono_ns(self) -> int:
        return self._mono

    def advance(self, duration_ns: int) -> None:
        """Let time pass on both clocks."""
        self._wall += duration_ns
        self._mono += duration_ns

    def step_wall(self, by_ns: int) -> None:
        """Set the wall clock, as an administrator or NTP does; the monotonic clock stays."""
        self._wall += by_ns

    def sleep(self, duration_ns: int, wake: threading.Event | None = None) -> bool:
        if wake is not None and wake.is_set():
            return True
        if self._on_sleep is not None:
            self._on_sleep(duration_ns)
        else:
            self.advance(max(0, duration_ns))
        return wake is not None and wake.is_set()


class LeaseClock:
    """Lease time: what a holder measures its own lease by. Nanoseconds, monotonic.

    It is the clock that counts through suspend, pushed ahead for good by whatever the wall clock has gained
    on it since the beginning (`lead`): a paused virtual machine shows in the wall clock alone. A wall clock
    that steps back changes nothing. So it never runs slow; that it may run fast only costs a lease.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._offset = clock.wall_ns() - clock.mono_ns()
        self._lead = 0
        self._guard = threading.Lock()

    def read(self) -> tuple[int, int]:
        """Lease time now, and the lead that is part of it."""
        with self._guard:
            mono = self._clock.mono_ns()
            self._lead = max(self._lead, self._clock.wall_ns() - mono - self._offset)
            return mono + self._lead, self._lead

    def now(self) -> int:
        """Lease time now."""
        return self.read()[0]

    def mono_at(self, lease_time: int) -> int:
        """The monotonic instant at which lease time will be this, if the wall clock does not step."""
        with self._guard:
            return lease_time - self._lead


@dataclass(frozen=True, slots=True)
class Observation:
    """One statement of a store about its own time.

    The store read its clock somewhere between `began` and `ended` (local monotonic) and saw a time in
    `[store_ns, store_ns + grain_ns]`: an HTTP `Date` is cut to whole seconds.
    """

    began_mono_ns: int
    ended_mono_ns: int
    store_ns: int
    grain_ns: int


@dataclass(frozen=True, slots=True)
class Span:
    """An instant known to lie between two bounds, both included. Nanoseconds of the epoch."""

    lo: int
    hi: int

    @property
    def middle(self) -> int:
        """The best single guess."""
        return (self.lo + self.hi) // 2

    @property
    def error_ns(self) -> int:
        """Half the width: the error bar of `middle`."""
        return (self.hi - self.lo + 1) // 2


@dataclass(frozen=True, slots=True)
class StoreClock:
    """What is known of a store's clock: store time minus local monotonic time lies in `[lo, hi]`.

    `as_of` is the monotonic instant the bounds were last good for; they widen by `DRIFT_PPM` from there.
    `source` says where the knowledge comes from, in a word or two for people.
    """

    lo: int
    hi: int
    as_of: int
    source: str

    def at(self, mono_ns: int) -> Span:
        """The store's time at a local monotonic instant."""
        drift = abs(mono_ns - self.as_of) * DRIFT_PPM // 1_000_000
        return Span(mono_ns + self.lo - drift, mono_ns + self.hi + drift)

    def skew(self, *, wall_ns: int, mono_ns: int) -> tuple[int, int]:
        """Store time minus local wall time, and its error bar, in nanoseconds, at one local instant."""
        now = self.at(mono_ns)
        return now.middle - wall_ns, now.error_ns


def assumed(*, wall_ns: int, mono_ns: int, error_ns: int) -> StoreClock:
    """A store clock taken from the local one with a stated error: an assumption, and named as such."""
    offset = wall_ns - mono_ns
    return StoreClock(offset - error_ns, offset + error_ns, mono_ns, "assumed")


def observe(known: StoreClock | None, seen: Observation, source: str) -> StoreClock:
    """Narrow what is known of a store's clock by one more observation.

    Knowledge that the observation contradicts (a clock was set, a virtual machine was paused) is dropped,
    and so is an assumption: what the store says beats what we supposed.
    """
    lo = seen.store_ns - seen.ended_mono_ns
    hi = seen.store_ns + seen.grain_ns - seen.began_mono_ns
    if known is None or known.source == "assumed":
        return StoreClock(lo, hi, seen.ended_mono_ns, source)
    drift = max(0, seen.ended_mono_ns - known.as_of) * DRIFT_PPM // 1_000_000
    both_lo, both_hi = max(lo, known.lo - drift), min(hi, known.hi + drift)
    if both_lo > both_hi:
        return StoreClock(lo, hi, seen.ended_mono_ns, source)
    return StoreClock(both_lo, both_hi, seen.ended_mono_ns, source)
