"""What is supposed to happen to a volume's locks, and how it plays out: the data of `backuplock.simulate`."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from backuplock.clock import SECOND
from backuplock.model import Operation
from backuplock.protocol import Blocker


class Act(enum.StrEnum):
    """What a lane of the timeline shows from an instant on."""

    ASKS = "asks"
    HOLDS = "holds"
    REFUSED = "refused"
    DEAD = "dead"
    """Its file lies there unrefreshed: it still counts until its lease ends."""
    EXPIRED = "expired"
    GONE = "gone"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class Client:
    """One more client that asks: when (from now), for how long it holds, whether it dies on the way.

    Args:
        lasts_ns: how long it works once it holds the lock; None: until the horizon.
        crash_after_ns: how long after getting the lock it dies without releasing; None: never.
        timeout_ns: how long it goes on trying; 0 makes one attempt, as Longhorn does.
    """

    operation: Operation
    start_ns: int = 0
    lasts_ns: int | None = None
    crash_after_ns: int | None = None
    timeout_ns: int = 0
    label: str = ""


@dataclass(frozen=True, slots=True)
class Scenario:
    """What is supposed to happen. All times are nanoseconds from now.

    Args:
        clients: who asks; the first is the one the forecast is about.
        dies: keys of present locks whose holders die, and when. Those of dead locks need not be named.
        ends: keys of present locks that are released, and when.
        breaks: keys of present lock files that somebody removes, and when.
        refreshing: keys of present locks whose holders live; None: all that are acquired and not expired.
        horizon_ns: how far to look.
    """

    clients: tuple[Client, ...]
    dies: tuple[tuple[str, int], ...] = ()
    ends: tuple[tuple[str, int], ...] = ()
    breaks: tuple[tuple[str, int], ...] = ()
    refreshing: frozenset[str] | None = None
    horizon_ns: int = 1800 * SECOND


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt of a client: from when to when, and how it ended. Nanoseconds from now."""

    client: int
    began_ns: int
    decided_ns: int
    granted: bool
    blockers: tuple[Blocker, ...] = ()
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """From `at_ns` (nanoseconds from now) on, a lane shows `act`."""

    at_ns: int
    act: Act


@dataclass(frozen=True, slots=True)
class Lane:
    """What one lock, present or simulated, does over time; `client` is None for a present one."""

    key: str
    label: str
    type: int | None
    client: int | None
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Forecast:
    """How a scenario plays out. `granted_ns`: when the first client gets its lock; None: not at all."""

    attempts: tuple[Attempt, ...]
    lanes: tuple[Lane, ...]
    granted_ns: int | None
    horizon_ns: int

    @property
    def first(self) -> Attempt:
        """The first client's first attempt: what it would meet if it asked."""
        return next(attempt for attempt in self.attempts if attempt.client == 0)
