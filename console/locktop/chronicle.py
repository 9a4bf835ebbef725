"""What a session has seen so far: a Track of each lock, what happened, and the journal where one is kept.

Belongs to the session's thread. A journal that cannot be written is done without: the watch is worth more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

from backuplock.clock import SECOND, Clock
from backuplock.errors import StoreError
from backuplock.evidence import Surroundings, surroundings
from backuplock.journal import HeldSince, Journal, JournalBusy, JournalError
from backuplock.journal.reader import Gap
from backuplock.model import Snapshot
from backuplock.stores.base import Store
from backuplock.text import printable
from backuplock.watch import Event, Track, Watch

BESIDE_NS = 10 * SECOND
"""How often the surroundings of the volume that a person looks at are read again."""

HISTORY = 200
"""Events of the past that are fetched for one volume."""


@dataclass(frozen=True, slots=True, eq=False)
class Explored:
    """What is known of one volume beside its locks.

    `around` is what lies beside the locks, the same since `still_since_mono_ns`. `history` is what the
    journal knows of the volume, the youngest first; `held` since when its locks are held, by key. Both are
    empty where no journal is kept.
    """

    volume: str
    around: Surroundings
    still_since_mono_ns: int
    looked_mono_ns: int
    history: tuple[Event, ...] = ()
    held: Mapping[str, HeldSince] = field(default_factory=dict)


class Chronicle:
    """Takes in Snapshots, gives events.

    Args:
        open_journal: makes the journal; called once, when it is first needed. None: none is kept.
        target: the URL that the journal files its Snapshots under; as the Snapshots say by default.
    """

    def __init__(
        self, clock: Clock, open_journal: Callable[[], Journal] | None = None, *, target: str = ""
    ) -> None:
        self._clock = clock
        self._open = open_journal
        self._target = target
        self._journal: Journal | None = None
        self._watch = Watch()
        self._explored: Explored | None = None
        self.problem = ""
        """Why no journal is written although one should be; one printable line."""

    @property
    def tracks(self) -> Mapping[str, Track]:
        """What was seen of each lock, by key."""
        return self._watch.tracks

    def take(
        self,
        snapshot: Snapshot,
        broken: frozenset[str] = frozenset(),
        restored: frozenset[str] = frozenset(),
    ) -> tuple[Event, ...]:
        """One more Snapshot; what happened since the one before. `broken` are keys that we removed,
        `restored` those that we put back."""
        self._watch, events = self._watch.look(snapshot, broken=broken, restored=restored)
        self._write(lambda journal: journal.record(self._filed(snapshot), events))
        return events

    def lose(self, kind: str, line: str) -> None:
        """A look failed."""
        self._write(lambda journal: journal.record_gap(self._clock.wall_ns(), kind, line))

    def close(self) -> None:
        """Give the journal back."""
        if self._journal is not None:
            self._journal.close()
            self._journal = None

    def forget(self) -> None:
        """What was seen so far does not go on: a recording was wound."""
        self._watch = Watch()
        self._explored = None

    def past(self, limit: int) -> tuple[tuple[Event, ...], tuple[Gap, ...]]:
        """The latest events of the journal, the youngest first, and the times without answers."""
        journal = self._ready()
        if journal is None:
            return (), ()
        try:
            return journal.latest(limit), journal.gaps()[-limit:]
        except JournalError as error:
            self._give_up(error)
            return (), ()

    def explore(self, store: Store, volume: str) -> Explored:
        """Look beside the locks of a volume, and into its past."""
        try:
            around = surroundings(store, volume)
        except StoreError as error:
            around = Surroundings(problem=printable(str(error)))
        now = self._clock.mono_ns()
        known = self._explored if self._explored and self._explored.volume == volume else None
        same = known is not None and known.around.digest == around.digest
        since = known.still_since_mono_ns if known is not None and same else now
        history, held = self._past_of(volume)
        self._explored = Explored(volume, around, since, now, history, held)
        return self._explored

    def is_due(self, volume: str) -> bool:
        """Whether `explore` would tell news, to the best of our knowledge."""
        known = self._explored
        return (
            known is None
            or known.volume != volume
            or self._clock.mono_ns() - known.looked_mono_ns >= BESIDE_NS
        )

    # -- the journal

    def _past_of(self, volume: str) -> tuple[tuple[Event, ...], dict[str, HeldSince]]:
        journal = self._ready()
        if journal is None:
            return (), {}
        keys: Iterable[str] = (key for key, track in self.tracks.items() if track.lock.volume == volume)
        try:
            history = journal.history(volume, HISTORY)
            held = {key: since for key in keys if (since := journal.held_since(key)) is not None}
        except JournalError as error:
            self._give_up(error)
            return (), {}
        return history, held

    def _filed(self, snapshot: Snapshot) -> Snapshot:
        return replace(snapshot, target=self._target) if self._target else snapshot

    def _write(self, act: Callable[[Journal], None]) -> None:
        journal = self._ready()
        if journal is None:
            return
        try:
            act(journal)
        except JournalBusy as error:
            # Another process writes just now: this look is lost to the journal, the next may not be.
            self.problem = printable(str(error))
        except JournalError as error:
            self._give_up(error)
        else:
            self.problem = ""

    def _ready(self) -> Journal | None:
        if self._journal is None and self._open is not None:
            opener, self._open = self._open, None
            try:
                self._journal = opener()
            except JournalError as error:
                self._give_up(error)
        return self._journal

    def _give_up(self, error: JournalError) -> None:
        self.problem = printable(str(error))
        self.close()
