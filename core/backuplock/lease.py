"""One attempt and the lease it wins, driven by threads: guards one claim, feeds it events, watches its end.

Everything the protocol decides is decided in `backuplock.protocol`; here is only who runs when.
"""

from __future__ import annotations

import enum
import logging
import threading
from collections.abc import Callable
from dataclasses import replace

from backuplock.clock import SECOND, Clock, LeaseClock
from backuplock.driver import Hands, describe
from backuplock.errors import BackupLockError, StoreError
from backuplock.keeper import Schedulers
from backuplock.protocol import (
    HOLDING,
    Action,
    Certificate,
    Claim,
    Event,
    Failed,
    Loss,
    Outcome,
    Phase,
    ReleaseAsked,
    Rest,
    Result,
    Saw,
    Sleep,
    Stop,
    Woke,
    Wrote,
    advance,
    certificate,
    remaining,
)

_log = logging.getLogger(__name__)

OVERTIME_NS = 15 * SECOND
"""How long after its deadline an attempt that is under way may still be decided."""
_HANGING_NS = 2 * SECOND
"""A request that failed after so long: the next one would hang as well."""
LATE = "it was not decided in time: the store is slow, or others that ask for it have not decided either"


class _Turn(enum.Enum):
    """What became of one turn of the crank."""

    GO_ON = enum.auto()
    SLEEPS = enum.auto()
    ENDED = enum.auto()


class Lease:
    """A claim in motion. `run` wins it or not; a scheduler then renews it until `finish`.

    All methods may be called from any thread. Requests are made outside the guard, one at a time; what
    `remaining` answers under the guard is ordered with the events that are fed under it, so that once it
    has answered 0 no late reply makes it more.

    Args:
        on_lost: called once, in a thread of the teller, if the lease is lost before it is released.

    Attributes:
        lost: set when the lease is lost.
        renewals: how many the store has confirmed.
        cause: what went wrong in the store and decided how it ended, as far as it did.
        removal: what went wrong when our file was removed last.
        behind: the call that made the attempt has returned, and a scheduler goes on removing our file.
    """

    def __init__(
        self,
        claim: Claim,
        action: Action,
        hands: Hands,
        clock: Clock,
        schedulers: Schedulers,
        on_lost: Callable[[Loss], None] | None,
    ) -> None:
        self.lost = threading.Event()
        self.renewals = 0
        self.cause: BackupLockError | None = None
        self.removal: BackupLockError | None = None
        self.behind = False
        self._claim = claim
        self._action = action
        self._hands = hands
        self._clock = clock
        self._schedulers = schedulers
        self._on_lost = on_lost
        self._guard = threading.RLock()
        self._crank = threading.Lock()
        self._leave = threading.Event()
        self._announced = False
        self._underway = False
        self._watching = False
        self._hanging = False

    @property
    def lease_clock(self) -> LeaseClock:
        """The clock this lease is measured by."""
        return self._hands.clock

    @property
    def claim(self) -> Claim:
        """The claim as it is now."""
        with self._guard:
            return self._claim

    def run(self, deadline: int | None = None) -> Outcome | None:
        """Drive the attempt in this thread until it is decided; None if the lease was won.

        Whatever interrupts it (Ctrl-C), our file is removed before the interruption goes on.

        Args:
            deadline: lease time after which the caller does not wait for a store that hangs: one request that
                is under way then, and one try to remove our file if the store seems to answer, are waited
                for; a scheduler does the rest, and the outcome says that the file may be left. An attempt
                that is undecided `OVERTIME_NS` later is given up.
        """
        late = False
        try:
            with self._crank:
                while not (self.claim.granted or self._is_to_be_left(deadline)):
                    over = deadline is not None and self.lease_clock.now() >= deadline + OVERTIME_NS
                    if self._leave.is_set() or (over and self.claim.outcome is None):
                        late = not self._leave.is_set()
                        self._feed(ReleaseAsked(self.lease_clock.now()))
                    turn = self._turn()
                    if turn is _Turn.ENDED:
                        return self._told(self._outcome(), late)
                    if turn is _Turn.SLEEPS:
                        self._sleep(deadline)
            if not self.claim.granted:
                return self._hand_over(late)
            self._schedule()
        except BaseException:
            self.finish()
            raise
        return None

    def _is_to_be_left(self, deadline: int | None) -> bool:
        """Whether the rest of the removal is not to be waited for any more."""
        with self._guard:
            phase = self._claim.phase
            if deadline is None or self.lease_clock.now() < deadline:
                return False
            return phase is Phase.PAUSING or (phase is Phase.LEAVING and self._hanging)

    def _hand_over(self, late: bool) -> Outcome:
        self.behind = True
        outcome = replace(self._outcome(), left=True, left_until=self.claim.stored_until)
        try:
            self._schedulers.keeper.schedule(self._clock.mono_ns(), self._go_on)
        except RuntimeError as error:
            # It is said to be left, and expires by itself.
            _log.warning("nobody could be told to remove lock %s: %s", self._claim.name, error)
        return self._told(outcome, late)

    def _told(self, outcome: Outcome, late: bool) -> Outcome:
        if late and outcome.result is Result.WITHDRAWN:
            return replace(outcome, result=Result.FAILED, detail=LATE)
        return outcome

    def _go_on(self) -> None:
        """Remove our file, by the scheduler; a pause between two tries keeps none of its threads."""
        if not self._crank.acquire(blocking=False):
            return  # somebody else does it
        try:
            self._feed(Woke(self.lease_clock.now()))
            while (turn := self._turn()) is _Turn.GO_ON:
                pass
        finally:
            self._crank.release()
        if turn is _Turn.SLEEPS:
            at = self.lease_clock.mono_at(self.lease_clock.now() + self._pause())
            self._schedulers.keeper.schedule(at, self._go_on)

    def remaining_ns(self) -> int:
        """Nanoseconds for which the lease is still ours; 0 once it is not, and for ever after."""
        with self._guard:
            return self._left(self.lease_clock.now())

    def loss(self) -> Loss | None:
        """Why the lease is lost; None while it is not."""
        with self._guard:
            self._left(self.lease_clock.now())
            return self._claim.loss

    def certificate(self) -> Certificate:
        """What can be said of exclusivity so far."""
        with self._guard:
            return certificate(self._claim)

    def finish(self) -> Outcome:
        """Give the lease (or the attempt) up and remove our file; waits for a request under way."""
        self._leave.set()
        with self._crank:
            if self._underway:
                # A request was interrupted, or its answer was: the store may have done what it was asked.
                now = self.lease_clock.now()
                self._feed(Failed(now, now, "it was interrupted"))
            self._feed(ReleaseAsked(self.lease_clock.now()))
            while (turn := self._turn()) is not _Turn.ENDED:
                if turn is _Turn.SLEEPS:
                    self._sleep()
        return self._outcome()

    # -- the crank: one thread at a time

    def _turn(self) -> _Turn:
        """Perform the due action if it is a request, and feed what came of it."""
        with self._guard:
            claim, action = self._claim, self._action
        if isinstance(action, Stop):
            return _Turn.ENDED
        if isinstance(action, Sleep | Rest):
            return _Turn.SLEEPS
        self._underway = True
        try:
            event = self._hands.perform(claim, action)
        except Exception as error:  # noqa: BLE001 - logged; see below
            # A failure that nobody foresaw, after which the store may have done what it was asked.
            now = self.lease_clock.now()
            _log.exception("a request for lock %s failed unexpectedly", claim.name)
            unforeseen = StoreError(describe(error))
            unforeseen.__cause__ = error
            event = Failed(now, now, unforeseen.what, error=unforeseen)
        self._feed(event)
        return _Turn.GO_ON

    def _feed(self, event: Event) -> None:
        with self._guard:
            # Whoever asked for the remaining time while the request ran got an answer by the clock; the
            # event must not be older than that answer, or a late reply would revive what was called lost.
            now, _ = self.lease_clock.read()
            fed: Event
            if isinstance(event, Wrote | Saw | Failed):
                fed = replace(event, ended=max(event.ended, now))
            else:
                fed = replace(event, at=max(event.at, now))
            claim, action = advance(self._claim, fed)
            self._note(claim, event)
            # One statement: an interruption must not come between.
            self._claim, self._action, self._underway = claim, action, False
            self._hanging = isinstance(fed, Failed) and fed.ended - fed.began >= _HANGING_NS
            self._left(now)

    def _note(self, after: Claim, event: Event) -> None:
        """Keep what the protocol has no use for: the count of renewals, and why the store failed us."""
        before = self._claim
        if isinstance(event, Wrote) and (before.phase, after.phase) == (Phase.RENEWING, Phase.HELD):
            self.renewals += 1
        failed = after.outcome is not None and after.outcome.result is Result.FAILED
        error: BackupLockError | None = None
        # A file that could not be read ends an attempt, but no lease: that goes on with a doubt noted.
        if isinstance(event, Failed) or (isinstance(event, Saw) and failed):
            error = event.error
        if before.phase is Phase.LEAVING:
            self.removal = error
        elif before.outcome is None and isinstance(event, Failed | Saw | Wrote):
            # Once it is decided, what fails later has not decided it.
            self.cause = error

    def _left(self, now: int) -> int:
        """The remaining time; under the guard. Latches and announces the end."""
        left = remaining(self._claim, now)
        if self._claim.granted and left == 0 and not self._announced:
            if self._claim.loss is None and self._claim.outcome is None and self._claim.phase in HOLDING:
                # The clock has decided while a request hangs: say it now, and let no reply undo it.
                self._claim, self._action = advance(self._claim, Woke(now))
            if (loss := self._claim.loss) is not None:
                self._announce(loss)
        return left

    def _announce(self, loss: Loss) -> None:
        self._announced = True
        self.lost.set()
        if self._on_lost is not None:
            on_lost = self._on_lost
            try:
                self._schedulers.teller.schedule(self._clock.mono_ns(), lambda: on_lost(loss))
            except RuntimeError as error:
                # `check()` and the event tell it all the same, and `check()` may be who runs this.
                _log.warning("nobody could be told that lock %s is lost: %s", self._claim.name, error)

    def _outcome(self) -> Outcome:
        claim = self.claim
        assert claim.outcome is not None
        return claim.outcome

    def _pause(self) -> int:
        with self._guard:
            action = self._action
        return max(0, action.until - self.lease_clock.now()) if isinstance(action, Sleep) else 0

    def _sleep(self, deadline: int | None = None) -> None:
        # Once it is decided, the only sleep is between two tries to remove our file: nothing cuts it short,
        # but that its caller waits no longer than agreed.
        undecided = self.claim.outcome is None
        pause = self._pause()
        if deadline is not None:
            end = deadline + OVERTIME_NS if undecided else deadline
            pause = min(pause, max(0, end - self.lease_clock.now()))
        if self._clock.sleep(pause, self._leave if undecided else None):
            self._feed(ReleaseAsked(self.lease_clock.now()))
        else:
            self._feed(Woke(self.lease_clock.now()))

    # -- renewal, by the scheduler

    def _schedule(self) -> None:
        with self._guard:
            claim, action = self._claim, self._action
            if self._leave.is_set() or not isinstance(action, Sleep):
                return
            watched, self._watching = self._watching, True
        self._schedulers.keeper.schedule(self.lease_clock.mono_at(action.until), self._renew)
        if not watched:
            # The watch over the end: it is announced in time even if the renewal hangs.
            self._schedulers.watcher.schedule(self.lease_clock.mono_at(claim.until), self._watch)

    def _renew(self) -> None:
        if not self._crank.acquire(blocking=False):
            return  # a release is under way
        try:
            self._feed(Woke(self.lease_clock.now()))
            while not self._leave.is_set():
                if self._turn() is not _Turn.GO_ON:
                    break
        finally:
            self._crank.release()
        self._schedule()

    def _watch(self) -> None:
        """Look whether it has ended; else again when it will, if it is not renewed once more."""
        if self.remaining_ns() and not self._leave.is_set():
            self._schedulers.watcher.schedule(self.lease_clock.mono_at(self.claim.until), self._watch)
