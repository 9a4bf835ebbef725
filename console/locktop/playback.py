"""The recording under a replay: what a person may do to its time."""

from __future__ import annotations

from dataclasses import dataclass

from backuplock.clock import SECOND
from backuplock.journal import JournalError
from backuplock.journal.reader import Gap, Reader
from backuplock.replay import ReplayClock
from backuplock.watch import Event

SPEEDS = (0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0, 1000.0)
"""Times as fast as then: what `+` and `-` step through."""


@dataclass(frozen=True, slots=True)
class Tape:
    """Where a recording stands. Instants of the recorder's wall clock, nanoseconds."""

    wall_ns: int
    first_wall_ns: int
    end_wall_ns: int
    speed: float
    paused: bool

    @property
    def ended(self) -> bool:
        """Whether there is nothing more to come."""
        return self.wall_ns >= self.end_wall_ns


class Playback:
    """A recording and the clock by which it is shown.

    Args:
        reader: the recording; stays the caller's.
        clock: the one that the session and its `ReplayStore` go by.
    """

    def __init__(self, reader: Reader, clock: ReplayClock) -> None:
        self._reader = reader
        self._clock = clock

    @property
    def tape(self) -> Tape:
        """Where it stands now."""
        clock = self._clock
        return Tape(clock.wall_ns(), clock.first_wall_ns, clock.end_wall_ns, clock.speed, clock.paused)

    @property
    def jumps(self) -> int:
        """How often it was wound."""
        return self._clock.jumps

    def pause(self) -> None:
        """Stop, or go on."""
        self._clock.pause(paused=not self._clock.paused)

    def faster(self, by: int) -> None:
        """The next speed, up or down."""
        now = self._clock.speed
        if by > 0:
            pace = min((speed for speed in SPEEDS if speed > now), default=SPEEDS[-1])
        else:
            pace = max((speed for speed in SPEEDS if speed < now), default=SPEEDS[0])
        self._clock.set_speed(pace)

    def wind(self, seconds: float) -> None:
        """Forward, or back."""
        self._clock.seek(self._clock.wall_ns() + round(seconds * SECOND))

    def jump(self, by: int) -> bool:
        """To when something happened next, or before; false if there is no such instant.

        Raises:
            JournalError: the recording cannot be read.
        """
        now = self._clock.wall_ns()
        ask = self._reader.next_news if by > 0 else self._reader.previous_news
        found = ask(now)
        if found is None or not self._clock.first_wall_ns <= found <= self._clock.end_wall_ns:
            return False
        self._clock.seek(found)
        return True

    def past(self, limit: int) -> tuple[tuple[Event, ...], tuple[Gap, ...]]:
        """What had happened by now, the youngest first, and when nothing was seen; empty if the recording
        cannot be read, which the next look at it tells."""
        now = self._clock.wall_ns()
        try:
            gaps = tuple(gap for gap in self._reader.gaps() if gap.ended_wall_ns < now)
            return self._reader.latest(limit, now), gaps
        except JournalError:
            return (), ()
