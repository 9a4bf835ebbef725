"""For how long the states of a volume's locks stay as they were judged, if nothing in the store changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from backuplock.clock import SECOND, Span
from backuplock.model import LockFile, VolumeView
from backuplock.rules import Timing

DEAD_REQUEST_NS = 30 * SECOND
"""Age from which a request has died: granted or refused it would have been 2 s after it was written."""

_NEVER = 1 << 100


def asks(lock: LockFile) -> bool:
    """Whether it is a request, whose age is known."""
    record = lock.record
    return record is not None and not record.acquired and lock.modified_ns is not None


@dataclass(frozen=True, slots=True)
class Window:
    """The store's times between the limits passed last and those that are passed next.

    Three pairs, each open at its beginning: for the least, the greatest and the middle time that it may be.
    """

    lo: tuple[int, int]
    hi: tuple[int, int]
    middle: tuple[int, int]

    def holds(self, lo: int, hi: int, middle: int) -> bool:
        """Whether no limit lies between then and the span of these times."""
        return (
            self.lo[0] < lo <= self.lo[1]
            and self.hi[0] < hi <= self.hi[1]
            and self.middle[0] < middle <= self.middle[1]
        )


def window_of(view: VolumeView, now: Span, timing: Timing) -> Window:
    """The window that `now` lies in."""
    ends: list[int] = []
    turns: list[int] = []
    for lock in view.locks:
        if lock.modified_ns is None:
            continue
        ends.append(lock.modified_ns + timing.duration_ns)
        turns.append(lock.modified_ns + timing.refresh_ns + timing.slack_ns)
        if asks(lock):
            turns.append(lock.modified_ns + DEAD_REQUEST_NS)
    return Window(_between(ends, now.lo), _between(ends, now.hi), _between(turns, now.middle))


def _between(limits: Sequence[int], at: int) -> tuple[int, int]:
    """A limit is passed by what is greater."""
    passed = max((limit for limit in limits if limit < at), default=-_NEVER)
    return passed, min((limit for limit in limits if limit >= at), default=_NEVER)
