"""What is told about breaking locks and putting them back: values that go from the breaker's thread to the
screens, and what the screens know of it all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from backuplock.breaking import Check, Copy, Plan, Token, Unfinished, Vigil
from backuplock.evidence import Surroundings
from backuplock.model import Snapshot
from backuplock.watch import Track
from locktop.rows import Row

MOST = 50
"""How many locks one dialog breaks at most."""


@dataclass(frozen=True, slots=True, eq=False)
class Question:
    """What would breaking these versions of these locks do, as things are now?

    `opened` is the Snapshot in which a person saw them, `latest` the youngest there is; `around` is what lies
    beside the locks of the volume, where somebody looked.
    """

    number: int
    tokens: tuple[Token, ...]
    opened: Snapshot
    latest: Snapshot
    tracks: Mapping[str, Track] = field(default_factory=dict)
    around: Surroundings | None = None


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A lock that is not broken along with the others, and why not."""

    token: Token
    why: str


@dataclass(frozen=True, slots=True, eq=False)
class Proposal:
    """The answer to a Question: a plan for each lock that may be broken, the others `left_out`.

    For a single lock there is a plan in any case, and `checks` are its preconditions, read from the store
    just now. `problem` says why there is no answer, one printable line.
    """

    number: int
    plans: tuple[Plan, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    checks: tuple[Check, ...] = ()
    mono_ns: int = 0
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one lock: done or not, and a line about it."""

    token: Token
    done: bool
    words: str
    entry: str = ""


@dataclass(frozen=True, slots=True)
class Care:
    """The watch over a lock that was broken here; `entry` is the id of the transaction, `row` the lock
    as it was seen last."""

    entry: str
    vigil: Vigil
    row: Row | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    """A dialog's work is on its way: locks dealt with, locks in all."""

    number: int
    done: int
    total: int


@dataclass(frozen=True, slots=True)
class Acted:
    """A dialog's work has ended; `cares` are all watches there are now."""

    number: int
    outcomes: tuple[Outcome, ...]
    cares: tuple[Care, ...] = ()


@dataclass(frozen=True, slots=True)
class Restored:
    """An attempt to put a lock back, or to finish what was interrupted, has ended."""

    entry: str
    done: bool
    words: str


@dataclass(frozen=True, slots=True)
class Shelf:
    """What the quarantine holds, the youngest first, and the transactions that did not end.

    `problem` says why it could not be read. `at_start`: nobody asked for it.
    """

    copies: tuple[Copy, ...] = ()
    interrupted: tuple[Unfinished, ...] = ()
    problem: str = ""
    at_start: bool = False


@dataclass(frozen=True, slots=True)
class Stumbled:
    """Something that nobody foresaw; one printable line."""

    line: str


DeedEvent = Proposal | Progress | Acted | Restored | Shelf | Stumbled


@dataclass(frozen=True, slots=True, eq=False)
class Deeds:
    """The latest of each that the screens know."""

    proposal: Proposal | None = None
    progress: Progress | None = None
    acted: Acted | None = None
    shelf: Shelf | None = None
    cares: tuple[Care, ...] = ()

    def take(self, event: DeedEvent) -> Deeds:
        """With one more event."""
        match event:
            case Proposal():
                return replace(self, proposal=event)
            case Progress():
                return replace(self, progress=event)
            case Acted():
                return replace(self, acted=event, progress=None, cares=event.cares)
            case Shelf(at_start=True) if self.shelf is not None:
                return self
            case Shelf():
                return replace(self, shelf=event)
            case _:
                return self

    @property
    def interrupted(self) -> tuple[Unfinished, ...]:
        """Transactions that did not end, and that nobody works on."""
        return tuple(one for one in self.shelf.interrupted if not one.running) if self.shelf else ()
