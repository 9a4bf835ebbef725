"""The only caller of the library: sweeps a store in a thread of its own and tells what came of it.

Everything that can block (opening the store, which imports an S3 client; every request) happens in that
thread. It is a daemon: a store that hangs delays neither the screen nor quitting. Each sweep ends in one
event, a value that the receiver may keep; events come from the session's thread.
"""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from backuplock.clock import SECOND, Clock, SystemClock, nanoseconds
from backuplock.errors import BackupLockError, Denied, Malformed, Missing, Unreachable
from backuplock.journal import Journal
from backuplock.journal.reader import Gap
from backuplock.model import Snapshot
from backuplock.rounds import Budget, Schedule
from backuplock.stores.base import Store
from backuplock.survey import ASSUMED_ERROR_NS, Cancelled, Progress
from backuplock.text import printable
from backuplock.watch import Event as LockEvent
from backuplock.watch import Track
from locktop.badge import NO_BADGE, Badge
from locktop.block_list import BlockList, blocks_of
from locktop.breaker import Breaker
from locktop.chronicle import Chronicle, Explored
from locktop.deeds import Care, DeedEvent
from locktop.ordering import Ordering
from locktop.patrol import Patrol
from locktop.playback import Playback
from locktop.rows import Board, board_of

MAX_RETRY_NS = 30 * SECOND
"""The longest pause between attempts to reach a store that fails."""

PROGRESS_NS = SECOND // 10
"""The shortest time between two events about the progress of one sweep."""

PAST = 500
"""How many events of before this session are fetched from the journal."""

Kind = Literal["unreachable", "denied", "missing", "malformed", "internal"]


@dataclass(frozen=True, slots=True)
class SnapshotArrived:
    """A sweep ended well; `board` is its Snapshot, judged.

    `happened` is what has happened since the one before, `tracks` what was seen of each lock so far, by key.
    `past` is what the journal tells of before this session, the youngest first, `gaps` when nothing was seen
    then; only the first one has them. It is `anew` if nothing of before goes on: a recording was wound.
    `unrecorded` says why the journal is not written although it should be. `cares` are the watches over locks
    that were broken here.
    """

    snapshot: Snapshot
    board: Board
    blocks: BlockList
    happened: tuple[LockEvent, ...] = ()
    tracks: Mapping[str, Track] = field(default_factory=dict)
    past: tuple[LockEvent, ...] = ()
    gaps: tuple[Gap, ...] = ()
    anew: bool = False
    unrecorded: str = ""
    cares: tuple[Care, ...] = ()


@dataclass(frozen=True, slots=True)
class SweepFailed:
    """A sweep failed as a whole; the last good Snapshot still stands.

    `line` is one printable line, `retry_at_mono_ns` when the next attempt is due by the session's clock,
    `attempts` how many failed in a row. `anew` as in `SnapshotArrived`: no Snapshot stands any more.
    """

    line: str
    kind: Kind
    retry_at_mono_ns: int
    attempts: int
    anew: bool = False


@dataclass(frozen=True, slots=True)
class SweepProgress:
    """A sweep is on its way: volumes read, volumes found so far; when it began, by the session's clock."""

    done: int
    known: int
    began_mono_ns: int | None = None


@dataclass(frozen=True, slots=True)
class VolumeExplored:
    """Somebody looked beside the locks of the volume that is attended."""

    explored: Explored


Event = SnapshotArrived | SweepFailed | SweepProgress | VolumeExplored | DeedEvent
log = logging.getLogger(__name__)
# Without a handler of its own, logging prints to stderr, across the screen.
log.addHandler(logging.NullHandler())


class Session:
    """A store under observation.

    Args:
        open_store: makes the store; called in the session's thread, again after it failed.
        label: what people call the target; `url`: the target as they write it, without secrets.
        interval_s: seconds from the end of one sweep to the start of the next.
        clock_error_s: seconds the store's clock may be off while it has said nothing.
        jitter: gives numbers in [0, 1); spreads the retries of many consoles.
        open_journal: makes the journal that everything seen is written to, in the session's thread. Without
            one nothing is written; one that fails is done without.
        playback: the recording that `clock` plays, for a replay. It takes the place of the journal.
        breaker: who breaks locks and puts them back; started and closed along with the session.
        badge: how the context of the target is marked.
        budget: what looking may cost, asked of each store that is opened.
    """

    def __init__(
        self,
        open_store: Callable[[], Store],
        *,
        label: str,
        url: str,
        interval_s: float = 2.0,
        clock: Clock | None = None,
        clock_error_s: float = ASSUMED_ERROR_NS / SECOND,
        jitter: Callable[[], float] = random.random,
        open_journal: Callable[[], Journal] | None = None,
        playback: Playback | None = None,
        breaker: Breaker | None = None,
        badge: Badge = NO_BADGE,
        budget: Callable[[Store], Budget] | None = None,
    ) -> None:
        self.badge = badge
        self.label = printable(label)
        self.url = printable(url)
        self.clock: Clock = clock or SystemClock()
        self.board: Board | None = None
        self.playback = playback
        self.breaker = breaker
        self.last_words: tuple[str, ...] = ()
        self._blocks: BlockList | None = None
        self._jumps, self._anew = 0, False
        self._open = open_store
        self._budget = budget
        self._patrol = Patrol(self.clock, nanoseconds(clock_error_s))
        self._interval_ns = nanoseconds(interval_s)
        self._jitter = jitter
        self._deliver: Callable[[Event], object] = _drop
        self._wake = threading.Event()
        self._stop = threading.Event()
        self._asked = threading.Event()
        self._chronicle = Chronicle(self.clock, open_journal, target=self.url)
        self._ordering, self._sort = Ordering(polite=True), ""
        self._attended: str | None = None
        self._newly_attended = threading.Event()
        self._failures = 0
        # The first look is due whatever the monotonic clock says: on many systems it begins with the boot.
        self._due = -(1 << 62)
        self._sweeping_since: int | None = None
        self._thread = threading.Thread(target=self._run, name="locktop-session", daemon=True)

    # -- what the console may ask at any time

    @property
    def snapshot(self) -> Snapshot | None:
        """The last good Snapshot."""
        return self.board.snapshot if self.board else None

    @property
    def tracks(self) -> Mapping[str, Track]:
        """What was seen of each lock up to that one, by key."""
        return self._chronicle.tracks

    @property
    def interval_ns(self) -> int:
        """Nanoseconds between two sweeps."""
        return self._interval_ns

    @property
    def pace(self) -> Schedule | None:
        """How often is looked within the budget, and what that costs; None before anything is known of it."""
        return self._patrol.pace

    @property
    def budget(self) -> Budget:
        """What looking may cost."""
        return self._patrol.budget

    @property
    def sweeping_since_mono_ns(self) -> int | None:
        """When the running sweep began, None between sweeps."""
        return self._sweeping_since

    # -- what the console may tell it

    def start(self, deliver: Callable[[Event], object]) -> None:
        """Begin to sweep; `deliver` is called from the session's thread, and must not block.

        Raises:
            RuntimeError: it was started before.
        """
        self._deliver = deliver
        self._thread.start()
        if self.breaker is not None:
            self.breaker.start(deliver)

    def refresh_now(self) -> None:
        """Sweep at once; while a sweep runs, another follows it."""
        self._asked.set()
        self._wake.set()

    def attend(self, volume: str | None) -> None:
        """Look beside the locks of a volume too, now and every few sweeps; None: of none."""
        self._attended = volume
        if volume is not None:
            self._newly_attended.set()
            self._wake.set()

    def arrange_by(self, sort: str) -> None:
        """Have the rows of each board put into one of the orders of `rows.SORTS`."""
        self._sort = sort

    def set_interval(self, interval_s: float) -> None:
        """Change the pace; counts from the end of the last sweep.

        Raises:
            ValueError: not a positive number.
        """
        if not interval_s > 0:
            raise ValueError(f"an interval must be positive, not {interval_s}")
        self._interval_ns = nanoseconds(interval_s)
        self._wake.set()

    def close(self, wait_s: float = 0.5) -> None:
        """Stop. Returns after `wait_s` seconds at most: a request that hangs is abandoned, not awaited."""
        self._deliver = _drop
        self._stop.set()
        self._wake.set()
        if self.breaker is not None:
            self.last_words = self.breaker.close()
        if self._thread.is_alive():
            self._thread.join(wait_s)

    # -- the thread

    def _run(self) -> None:
        store: Store | None = None
        while self._wait():
            if self._is_due():
                store, event = self._look(store)
                if event is None:
                    break
                if not self._wound:
                    self._deliver(event)
            if store is not None:
                self._explore(store)
        if store is not None:
            _close(store)
        self._chronicle.close()

    def _look(self, store: Store | None) -> tuple[Store | None, Event | None]:
        """Sweep once; the store to go on with, and what came of it (None: it was cancelled)."""
        whole = self._asked.is_set() or self._failures > 0
        self._asked.clear()
        if self._wound:
            self._forget()
        self._sweeping_since = self.clock.mono_ns()
        try:
            if store is None:
                store = self._open()
                self._patrol.budget = self._budget(store) if self._budget is not None else Budget()
            event: Event = self._sweep(store, whole=whole)
        except Cancelled:
            return store, None
        except BackupLockError as error:
            event = self._failed(str(error), _kind(error), getattr(error, "retry_after", None))
        except Exception as error:
            # An unforeseen error must be seen on the screen, not end the watch in silence.
            log.exception("a sweep of %s failed", self.url)
            event = self._failed(f"{type(error).__name__}: {error}", "internal", None)
        self._sweeping_since = None
        if store is not None and isinstance(event, SweepFailed):
            # A share may have been mounted anew, a pool of connections may be spent.
            _close(store)
            store = None
        return store, event

    def _explore(self, store: Store) -> None:
        self._newly_attended.clear()
        volume = self._attended
        if volume is None or self._stop.is_set() or not self._chronicle.is_due(volume):
            return
        try:
            explored = self._chronicle.explore(store, volume)
        except Exception:
            # The locks are what matters; what lies beside them is not worth the watch.
            log.exception("looking beside the locks of %s failed", printable(volume))
            return
        self._deliver(VolumeExplored(explored))

    def _left(self) -> int:
        pause = 0 if self._failures else self._patrol.pause_ns(self._interval_ns)
        return self._due + pause - self.clock.mono_ns()

    def _is_due(self) -> bool:
        return self._asked.is_set() or self._left() <= 0

    def _wait(self) -> bool:
        """Until there is something to do; false when there shall be no more."""
        while not self._stop.is_set():
            self._wake.clear()
            if self._is_due() or self._newly_attended.is_set():
                return True
            if not self._stop.is_set():
                self.clock.sleep(self._left(), self._wake)
        return False

    @property
    def _wound(self) -> bool:
        """Whether the recording is elsewhere now than where it was looked at: that look shows no moment."""
        return self.playback is not None and self.playback.jumps != self._jumps

    def _forget(self) -> None:
        self._jumps, self._anew = self.playback.jumps if self.playback else 0, True
        self.board = self._blocks = None
        self._chronicle.forget()

    def _cared_for(self) -> set[str]:
        """Volumes to look at each time, with locks or without."""
        cared = set() if self._attended is None else {self._attended}
        if self.breaker is not None:
            # That a broken lock stays away is only known of a volume that is looked at.
            cared.update(care.vigil.token.volume for care in self.breaker.aftermath.cares)
        return cared

    def _sweep(self, store: Store, *, whole: bool) -> SnapshotArrived:
        snapshot = self._patrol.look(
            store,
            self.snapshot,
            self._interval_ns,
            cared_for=self._cared_for(),
            # A recording is a picture at each instant: there is nothing to spare.
            whole=whole or self.playback is not None,
            progress=self._reporter(),
            stop=self._stop,
        )
        source = self.playback or self._chronicle
        past, gaps = source.past(PAST) if self.board is None else ((), ())
        self.board = board_of(snapshot, self.board)
        if self._sort:
            self._ordering.prepare(self.board, self._sort)
        self._blocks = blocks_of(self.board, self._blocks)
        happened, cares = self._take(store, snapshot)
        self._patrol.heed(happened)
        self._failures = 0
        self._due = self.clock.mono_ns()
        anew, self._anew = self._anew, False
        told = self._chronicle
        return SnapshotArrived(
            snapshot, self.board, self._blocks, happened, told.tracks, past, gaps, anew, told.problem, cares
        )

    def _take(self, store: Store, snapshot: Snapshot) -> tuple[tuple[LockEvent, ...], tuple[Care, ...]]:
        """What happened, and how it stands with the locks that were broken here."""
        if self.breaker is None:
            return self._chronicle.take(snapshot), ()
        after = self.breaker.aftermath
        self.breaker.recognize(store, snapshot)
        happened = self._chronicle.take(snapshot, after.leaving(), after.returning())
        return happened, self.breaker.look(snapshot, frozenset(self._chronicle.tracks))

    def _failed(self, line: str, kind: Kind, retry_after_s: float | None) -> SweepFailed:
        self._failures += 1
        pause = min(self._interval_ns << min(self._failures - 1, 10), MAX_RETRY_NS)
        pause = max(pause, self._interval_ns, nanoseconds(retry_after_s or 0))
        self._due = self.clock.mono_ns() + round(pause * (0.8 + 0.4 * self._jitter()))
        self._chronicle.lose(kind, printable(line, limit=500))
        if self.breaker is not None:
            self.breaker.lose(self.clock.mono_ns())
        return SweepFailed(printable(line), kind, self._due, self._failures, self._anew)

    def _reporter(self) -> Callable[[Progress], None]:
        began = last = self.clock.mono_ns()

        def report(progress: Progress) -> None:
            nonlocal last
            now = self.clock.mono_ns()
            if now - last >= PROGRESS_NS:
                last = now
                self._deliver(SweepProgress(progress.volumes_done, progress.volumes_known, began))

        return report


def _kind(error: BackupLockError) -> Kind:
    kinds: tuple[tuple[type[BackupLockError], Kind], ...] = (
        (Unreachable, "unreachable"),
        (Denied, "denied"),
        (Missing, "missing"),
        (Malformed, "malformed"),
    )
    return next((kind for type_, kind in kinds if isinstance(error, type_)), "unreachable")


def _close(store: Store) -> None:
    try:
        store.close()
    except Exception:
        # What cannot be given back is lost either way; the watch goes on.
        log.exception("closing a store failed")


def _drop(_event: Event) -> None:
    """Nobody listens."""
