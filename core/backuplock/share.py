"""Counted references to a held lock: whoever gives the last one back removes the file, exactly once."""

from __future__ import annotations

import atexit
import os
import threading
import warnings
import weakref
from types import TracebackType
from typing import NoReturn, Self

from backuplock.clock import SECOND, SystemClock, seconds
from backuplock.errors import LeftBehind, LockLost
from backuplock.keeper import Scheduler
from backuplock.lease import Lease
from backuplock.protocol import Certificate, Loss, Outcome, Proof

_EXIT_WAIT_S = 15.0
"""How long the end of the process waits, in all, for the files of locks that nobody released."""

ELSEWHERE = Certificate(Proof.NOT_PROVEN, "the lock is the parent process's, not this fork's")


class Holding:
    """A won lease and the number of references to it. Internal to the package."""

    def __init__(self, lease: Lease, scheduler: Scheduler, what: str) -> None:
        self.lease = lease
        self.what = what
        self.key = lease.claim.key
        self.pid = os.getpid()
        self._scheduler = scheduler
        self._guard = threading.Lock()
        self._count = 0
        _living[id(self)] = self

    @property
    def elsewhere(self) -> bool:
        """Whether this is a forked child's copy: the lock is the parent's.

        To be asked before any guard is taken: a thread of the parent may have held it during the fork.
        """
        return os.getpid() != self.pid

    def take(self) -> None:
        """One more reference."""
        with self._guard:
            self._count += 1

    def drop(self) -> Outcome | None:
        """One less; the outcome if it was the last. A forked child changes nothing."""
        if self.elsewhere:
            return None
        with self._guard:
            self._count -= 1
            last = self._count == 0
        if not last:
            return None
        return self.finish()

    def finish(self) -> Outcome:
        """Remove the file, whoever still refers to it; interrupted, the end of the process tries again."""
        outcome = self.lease.finish()
        _living.pop(id(self), None)
        return outcome

    def forgotten(self) -> None:
        """A reference was collected without a release: say so, and release in a thread of the scheduler,
        for the garbage collector is no place for requests."""
        if self.elsewhere:
            return
        self._scheduler.schedule(0, lambda: _drop_quietly(self))
        # Last, for a filter may make it an error.
        warnings.warn(f"{self.what} was forgotten without release()", ResourceWarning, stacklevel=2)

    def finish_soon(self) -> threading.Event:
        """Remove the file in a thread of the scheduler; the event is set when that is over."""
        over = threading.Event()

        def finish() -> None:
            try:
                self.finish()
            finally:
                over.set()

        try:
            self._scheduler.schedule(0, finish)
        except RuntimeError:
            # No thread is left and an ending interpreter starts none.
            finish()
        return over


class Share:
    """One reference to a held lock; to be released by whoever it was handed to, in any thread."""

    def __init__(self, holding: Holding) -> None:
        holding.take()
        self._holding = holding
        self._guard = threading.Lock()
        self._released = False
        self._finalizer = weakref.finalize(self, holding.forgotten)
        # The end of the process has a way of its own, which waits and makes no noise.
        self._finalizer.atexit = False

    @property
    def key(self) -> str:
        """The key of the lock file."""
        return self._holding.key

    @property
    def lost(self) -> threading.Event:
        """Set when the lease is lost."""
        return self._holding.lease.lost

    def check(self) -> None:
        """Return if the lock is ours for some time yet.

        Raises:
            LockLost: it is not ours any more.
            RuntimeError: this reference was released, or this is a forked child.
        """
        self._alive()
        loss = self._holding.lease.loss()
        if loss is not None:
            raise self._lost(loss)
        if not self._holding.lease.remaining_ns():
            raise RuntimeError(f"{self._holding.what} is being released")

    def remaining(self) -> float:
        """Seconds for which the lock is still ours if no renewal succeeds; 0 once it is lost."""
        self._alive()
        return seconds(self._holding.lease.remaining_ns())

    def share(self) -> Share:
        """One more reference.

        Raises:
            LockLost: the lock is lost. RuntimeError: as `check`.
        """
        with self._guard:
            self.check()
            return Share(self._holding)

    @property
    def renewals(self) -> int:
        """How many renewals the store has confirmed, of all references together; readable after release."""
        return self._holding.lease.renewals

    def certificate(self) -> Certificate:
        """What can be said of exclusivity so far; final with the last reference, and readable after it."""
        return ELSEWHERE if self._holding.elsewhere else self._holding.lease.certificate()

    def release(self) -> Certificate:
        """Give this reference back; the last one removes the lock file, waiting for a request under way.

        In a forked child nothing happens.

        Raises:
            LeftBehind: it was the last, and the file could not be removed.
            RuntimeError: it was released already.
        """
        if self._holding.elsewhere:
            self._finalizer.detach()
            return ELSEWHERE
        with self._guard:
            if self._released:
                raise RuntimeError(f"{self._holding.what} was released already")
            self._released = True
            self._finalizer.detach()
        outcome = self._holding.drop()
        certificate = self.certificate()
        if outcome is not None and outcome.left:
            raise self._left_behind(outcome, certificate)
        return certificate

    @property
    def released(self) -> bool:
        """Whether this reference was given back."""
        return self._released

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        leave_block(self, error)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a lock belongs to its process and cannot be pickled; share() hands it to a thread")

    def _alive(self) -> None:
        if self._holding.elsewhere:
            raise RuntimeError(f"{self._holding.what} is held by the parent process, not by this fork")
        if self._released:
            raise RuntimeError(f"{self._holding.what} was released already")

    def _lost(self, loss: Loss) -> LockLost:
        return LockLost(
            f"{self._holding.what} is lost ({loss.reason}): {loss.detail}",
            advice="stop the work under it",
            loss=loss,
        ).because(self._holding.lease.cause)

    def _left_behind(self, outcome: Outcome, certificate: Certificate) -> LeftBehind:
        now = self._holding.lease.lease_clock.now()
        left = max(0.0, seconds((outcome.left_until or now) - now))
        return LeftBehind(
            f"{self._holding.what} is released, but its file {self.key} could not be removed",
            advice=f"it keeps the other type out for {left:.0f} s at most, then remove it",
            left_for=left,
            certificate=certificate,
        ).because(self._holding.lease.removal)


def leave_block(share: Share, error: BaseException | None) -> None:
    """The end of a `with` block over a reference: release, and let no loss pass unnoticed."""
    if share.released or share._holding.elsewhere:
        return
    loss = share._holding.lease.loss()
    left: LeftBehind | None = None
    try:
        certificate = share.release()
    except LeftBehind as raised:
        left, certificate = raised, raised.certificate
    if certificate.proof is Proof.VIOLATED:
        # Only the last look found that we were not alone: what the block did counts as little.
        loss = loss or share._holding.lease.loss()
    worst = error or (share._lost(loss) if loss is not None else left)
    if left is not None and worst is not None and worst is not left:
        worst.add_note(str(left))
    if worst is not None and worst is not error:
        raise worst


_living: dict[int, Holding] = {}
"""What is to be finished at the end of the process, by identity."""


def _drop_quietly(holding: Holding) -> None:
    outcome = holding.drop()
    if outcome is not None and outcome.left:
        warnings.warn(f"{holding.what}: its file could not be removed", ResourceWarning, stacklevel=2)


def _release_all() -> None:
    """At the end of the process: remove the files of what was never released, but do not hang for it.

    In threads that run already, for an interpreter that ends gives no new ones.
    """
    clock = SystemClock()
    give_up = clock.mono_ns() + round(_EXIT_WAIT_S * SECOND)
    pending = [holding.finish_soon() for holding in list(_living.values()) if not holding.elsewhere]
    for over in pending:
        over.wait(max(0.0, seconds(give_up - clock.mono_ns())))


atexit.register(_release_all)
