"""`BackupLock`: take part in Longhorn's locking of a backup volume, from a program.

lock = BackupLock(store, "pvc-...", Operation.BACKUP, note="nightly copy")
with lock.hold(timeout=300):
    for block in blocks:
        lock.check()
        copy(block)
"""

from __future__ import annotations

import contextlib
import math
import os
import random
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import NoReturn, Self

from backuplock import layout
from backuplock.clock import Clock, LeaseClock, SystemClock, nanoseconds, seconds
from backuplock.driver import Hands, owner_here
from backuplock.errors import LeftBehind, LockError
from backuplock.guarantees import Guarantee, guarantees, terms_for
from backuplock.keeper import Scheduler, Schedulers, shared_keeper, shared_teller, shared_watcher
from backuplock.lease import Lease
from backuplock.model import Operation
from backuplock.protocol import Certificate, Loss, Outcome, Proof, Result, Terms, next_attempt, start
from backuplock.refusal import describe_blocker, fate, refusal
from backuplock.share import ELSEWHERE, Holding, Share, leave_block
from backuplock.stores.base import Store

__all__ = ["BackupLock", "describe_blocker"]


@dataclass(slots=True, eq=False)
class _Call:
    """One call of `acquire`: its present attempt, what ends it, and what it won."""

    lease: Lease
    cancel: threading.Event
    share: Share | None = None


class BackupLock:
    """A lock of one volume for one operation. May be acquired, released, and acquired again.

    Args:
        store: where; opened for writing.
        volume: the backup volume's name, or `layout.BACKING_IMAGE`.
        operation: decides the lock's type; backup and restore share one.
        note: a few words for people who find the lock; goes into the lock file.
        on_lost: called with the `Loss`, in a thread of its own kind, when the lease is lost while held.
        terms: periods and store habits; by default Longhorn's, with what the store's capabilities allow.
        clock, scheduler, jitter: for tests; the system's clocks, the process's keepers, `random.random`.

    Raises:
        Malformed: the volume's name is none.
        ReadOnly, Unsupported: see `guarantees.terms_for`; a store opened for reading fails on acquire.
    """

    def __init__(
        self,
        store: Store,
        volume: str,
        operation: Operation,
        *,
        note: str = "",
        on_lost: Callable[[Loss], None] | None = None,
        terms: Terms | None = None,
        clock: Clock | None = None,
        scheduler: Scheduler | None = None,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        layout.check_volume_name(volume)
        self.volume = volume
        self.operation = operation
        self._found = store.capabilities
        self.terms = terms or terms_for(self._found)
        self._store = store
        self._note = note
        self._on_lost = on_lost
        self._clock = clock or SystemClock()
        self._scheduler = scheduler
        self._jitter = jitter
        self._guard = threading.Lock()
        self._pid = os.getpid()
        self._calling: _Call | None = None
        self._held: Share | None = None
        self._last: Share | None = None

    # -- getting it

    def acquire(self, timeout: float = 0.0) -> None:
        """Take the lock, waiting at most `timeout` seconds; 0 makes one attempt, as Longhorn does.

        One attempt takes a few requests, and two seconds where listings may lag or others are there. While
        it waits for the next one, nothing of ours is in the store. If it is interrupted (Ctrl-C), our file
        is removed first; if that fails, a note on the exception says so.

        It takes `timeout` and, on a store that hangs, one request's time limit: of S3 20 s for a write or a
        removal, 41 s for a listing or a read, which are asked twice (`Limits`); of NFS and CIFS
        30 s for each. What is left to be removed then a thread goes on with, and the error says that
        it may be left. An attempt that is under way after `timeout` may be decided up to 15 s later.

        Raises:
            Contended: others hold it; names them.
            AcquireFailed: it could not be decided safely, or `release` was called meanwhile.
            RuntimeError: it is held or being acquired already.
            ValueError: `timeout` is negative or no finite number.
        """
        self.acquire_unless(threading.Event(), timeout)

    def acquire_unless(self, cancel: threading.Event, timeout: float = 0.0) -> None:
        """As `acquire`, but gives up before the next attempt when `cancel` is set, and never holds then."""
        if not (math.isfinite(timeout) and timeout >= 0):
            raise ValueError(f"a timeout is a number of seconds, zero or more, not {timeout!r}")
        lease_clock = LeaseClock(self._clock)
        call = _Call(self._attempt(lease_clock), cancel)
        try:
            self._enter(call)
            self._win(call, lease_clock.now() + nanoseconds(timeout))
            self._keep(call)
        except BaseException as error:
            self._undo(call, error)
            raise

    def release(self) -> Certificate:
        """Give this reference back; when all shares are too, the lock file is removed.

        Waits for a request that is under way. A lost lock is released as well: its file is removed. While
        `acquire` runs in another thread, that is made to give up. In a forked child nothing happens.

        Returns: what can be said of exclusivity so far; final with the last reference.

        Raises:
            LeftBehind: the file could not be removed; the lock is released all the same.
            RuntimeError: it is not held.
        """
        if self._elsewhere:
            if self._held is None and self._calling is None:
                raise self._not_held()
            return ELSEWHERE if self._held is None else self._held.release()
        with self._guard:
            share, call = self._held, self._calling
            self._held = None
            if call is not None:
                call.cancel.set()
        if share is not None:
            return share.release()
        if call is None:
            raise self._not_held()
        call.lease.finish()
        return Certificate(Proof.NOT_PROVEN, "it was never held")

    @contextlib.contextmanager
    def hold(self, timeout: float = 0.0) -> Iterator[Self]:
        """Hold the lock for a `with` block.

        Raises: as `acquire`; at the end of the block `LockLost` if the lease was lost during it, and
        `LeftBehind` as `release` does, unless the block raised something itself.
        """
        self.acquire(timeout)
        error: BaseException | None = None
        try:
            yield self
        except BaseException as raised:
            error = raised
            raise
        finally:
            self._leave_block(error)

    def __enter__(self) -> Self:
        """One attempt, for a `with` block; `hold` waits."""
        self.acquire()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leave_block(error)

    # -- while it is held

    def check(self) -> None:
        """Return if the lock is ours for some time yet; to be called before each step of guarded work.

        Arithmetic on local clocks: cheap, and right even while a renewal hangs.

        Raises:
            LockLost: it is not ours any more.
            RuntimeError: it is not held, or this is a forked child of the process that holds it.
        """
        self._share().check()

    def remaining(self) -> float:
        """Seconds for which the lock is still ours if no renewal succeeds; 0 once it is lost."""
        return self._share().remaining()

    def share(self) -> Share:
        """One more reference, for work that runs on elsewhere: a thread, a pool, a task.

        Raises:
            LockLost: the lock is lost. RuntimeError: it is not held.
        """
        return self._share().share()

    @property
    def held(self) -> bool:
        """Whether this reference is held; says nothing about the lease: that is `check`."""
        return self._held is not None and not self._elsewhere

    @property
    def lost(self) -> threading.Event:
        """Set when the lease is lost; a new one with each acquisition. Not held: RuntimeError."""
        return self._share().lost

    @property
    def key(self) -> str:
        """The key of the lock file that is held."""
        return self._share().key

    @property
    def guarantees(self) -> tuple[Guarantee, ...]:
        """What a lock on this store does or does not guarantee, by what was known of the store when this
        object was made; `S3Store.probe_conditional` before that finds out more."""
        return guarantees(self._found)

    @property
    def renewals(self) -> int:
        """How many renewals the store has confirmed; after release, those of the time it was held last."""
        return self._latest().renewals

    def certificate(self) -> Certificate:
        """What can be said of exclusivity so far; after release, of the time it was held last.

        Raises:
            RuntimeError: it was never held, or not since `acquire` was called again.
        """
        return self._latest().certificate()

    def __reduce__(self) -> NoReturn:
        raise TypeError("a lock belongs to its process and cannot be pickled; share() hands it to a thread")

    # -- within

    @property
    def _elsewhere(self) -> bool:
        """Whether this is a forked child's copy. Asked before the guard is taken: a thread of the parent
        may have held it during the fork."""
        return os.getpid() != self._pid

    def _share(self) -> Share:
        share = self._held
        if share is None:
            raise self._not_held()
        return share

    def _latest(self) -> Share:
        share = self._last
        if share is None:
            raise self._not_held()
        return share

    def _not_held(self) -> RuntimeError:
        return RuntimeError(f"the lock of {self.volume} is not held")

    def _leave_block(self, error: BaseException | None) -> None:
        if self._elsewhere:
            return
        with self._guard:
            share, self._held = self._held, None
        if share is not None:
            leave_block(share, error)

    def _enter(self, call: _Call) -> None:
        if self._elsewhere:
            if self._held is not None or self._calling is not None:
                raise RuntimeError(f"the lock of {self.volume} is the parent process's; make another one")
            self._guard, self._pid = threading.Lock(), os.getpid()
        with self._guard:
            if self._calling is not None or self._held is not None:
                raise RuntimeError(f"the lock of {self.volume} is held or being acquired; use share()")
            self._calling, self._last = call, None

    def _win(self, call: _Call, deadline: int) -> None:
        tries = 0
        left_until: int | None = None
        lease_clock = call.lease.lease_clock
        while True:
            self._heed(call, left_until)
            tries += 1
            outcome = call.lease.run(deadline)
            if outcome is None:
                return
            if outcome.left_until is not None:
                left_until = max(left_until or 0, outcome.left_until)
            at = lease_clock.now()
            again = next_attempt(
                self.terms, outcome, at=at, deadline=deadline, tries=tries, jitter=self._jitter()
            )
            if again is None or outcome.left:
                cause = call.lease.cause or (call.lease.removal if outcome.left else None)
                raise self._refusal(outcome, at, left_until).because(cause)
            self._clock.sleep(again - at, call.cancel)
            with self._guard:
                if not call.cancel.is_set():
                    call.lease = self._attempt(lease_clock)

    def _heed(self, call: _Call, left_until: int | None) -> None:
        """Raise if the call is to give up."""
        if call.cancel.is_set():
            at = call.lease.lease_clock.now()
            raise self._refusal(Outcome(Result.WITHDRAWN), at, left_until)

    def _keep(self, call: _Call) -> None:
        what = f"the lock of {self.volume} for {self.operation}"
        with self._guard:
            self._heed(call, None)
            call.share = Share(Holding(call.lease, self._keeper(), what))
            self._held = self._last = call.share
            self._calling = None

    def _undo(self, call: _Call, error: BaseException) -> None:
        """After a failed or interrupted call: nothing is kept that nobody knows of."""
        with self._guard:
            if self._calling is call:
                self._calling = None
            if call.share is not None and self._held is call.share:
                self._held = self._last = None
        if call.share is not None:
            with contextlib.suppress(RuntimeError):
                try:
                    call.share.release()
                except LeftBehind as left:
                    error.add_note(str(left))
            return
        if call.lease.behind and getattr(error, "left_for", None) is not None:
            return
        outcome = call.lease.finish()
        if getattr(error, "left_for", None) is None and outcome.left_until is not None:
            left_for = seconds(outcome.left_until - call.lease.lease_clock.now())
            error.add_note(f"{call.lease.claim.key}{fate(outcome, max(0.0, left_for))}")

    def _attempt(self, lease_clock: LeaseClock) -> Lease:
        name = layout.new_lock_name()
        claim, action = start(
            self.terms,
            key=layout.lock_key(self.volume, name),
            name=name,
            lock_type=self.operation.lock_type,
        )
        owner = owner_here(self.operation, self._note, self._clock.wall_ns())
        hands = Hands(self._store, self.volume, owner, lease_clock)
        watcher = self._scheduler or shared_watcher()
        teller = self._scheduler or shared_teller(self._store.url)
        crew = Schedulers(self._keeper(), watcher, teller)
        return Lease(claim, action, hands, self._clock, crew, self._on_lost)

    def _keeper(self) -> Scheduler:
        return self._scheduler or shared_keeper(self._store.url)

    def _refusal(self, outcome: Outcome, at: int, left_until: int | None) -> LockError:
        what = f"{self.volume} for {self.operation}"
        return refusal(what, self.terms, outcome, at=at, left_until=left_until)
