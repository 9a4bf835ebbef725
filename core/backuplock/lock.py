"""`BackupLock`: take part in Longhorn's locking of a backup volume, from a program.

lock = BackupLock(store, "pvc-...", Operation.BACKUP, note="nightly copy")
with lock.hold(timeout=300):
    for block in blocks:
        lock.check()
        copy(block)
"""

from __future__ import annotations

import contextlib
import getpass
import os
import random
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from types import TracebackType
from typing import NoReturn, Self

from backuplock import __version__, layout
from backuplock.clock import SECOND, Clock, LeaseClock, SystemClock, nanoseconds, seconds
from backuplock.driver import Hands
from backuplock.errors import AcquireFailed, Contended, LockError
from backuplock.guarantees import terms_for
from backuplock.keeper import Scheduler, shared_keeper
from backuplock.lease import Lease
from backuplock.model import LockType, Operation, Owner
from backuplock.protocol import (
    Blocker,
    Certificate,
    Loss,
    Outcome,
    Proof,
    Result,
    Terms,
    next_attempt,
    start,
)
from backuplock.share import Holding, Share, leave_block
from backuplock.stores.base import Store
from backuplock.text import printable


class BackupLock:
    """A lock of one volume for one operation. May be acquired, released, and acquired again.

    Args:
        store: where; opened for writing.
        volume: the backup volume's name, or `layout.BACKING_IMAGE`.
        operation: decides the lock's type; backup and restore share one.
        note: a few words for people who find the lock; goes into the lock file.
        on_lost: called with the `Loss`, in a thread of the keeper, when the lease is lost while held.
        terms: periods and store habits; by default Longhorn's, with what the store's capabilities allow.
        clock, scheduler, jitter: for tests; the system's clocks, the process's keeper, `random.random`.

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
        self.terms = terms or terms_for(store.capabilities)
        self._store = store
        self._note = note
        self._on_lost = on_lost
        self._clock = clock or SystemClock()
        self._scheduler = scheduler
        self._jitter = jitter
        self._guard = threading.Lock()
        self._trying: Lease | None = None
        self._held: Share | None = None
        self._cancel = threading.Event()

    # -- getting it

    def acquire(self, timeout: float = 0.0) -> None:
        """Take the lock, waiting at most `timeout` seconds; 0 makes one attempt, as Longhorn does.

        One attempt takes a few requests, and two seconds where listings may lag or others are there. While
        it waits for the next one, nothing of ours is in the store.

        Raises:
            Contended: others hold it; names them.
            AcquireFailed: it could not be decided safely, or `release` was called meanwhile.
            RuntimeError: it is held or being acquired already.
        """
        with self._guard:
            if self._trying is not None or self._held is not None:
                raise RuntimeError(f"the lock of {self.volume} is held or being acquired; use share()")
            self._cancel.clear()
            lease = self._trying = self._attempt(LeaseClock(self._clock))
        deadline = lease.lease_clock.now() + nanoseconds(timeout)
        what = f"the lock of {self.volume} for {self.operation}"
        try:
            lease = self._try_until(lease, deadline)
            with self._guard:
                if not self._cancel.is_set():
                    self._held = Share(Holding(lease, self._scheduler or shared_keeper(), what))
                    return
            raise AcquireFailed(f"{what} was released while it was being acquired")
        except BaseException:
            # Won, but nobody will know: it must not be renewed for ever.
            lease.finish()
            raise
        finally:
            with self._guard:
                self._trying = None

    def release(self) -> Certificate:
        """Give this reference back; when all shares are too, the lock file is removed.

        Waits for a request that is under way. A lost lock is released as well: its file is removed.

        Returns: what can be said of exclusivity so far; final with the last reference.

        Raises:
            LeftBehind: the file could not be removed; the lock is released all the same.
            RuntimeError: it is not held.
        """
        with self._guard:
            share, trying = self._held, self._trying
            self._held = None
            if trying is not None:
                self._cancel.set()
        if trying is not None:
            trying.finish()
            return Certificate(Proof.NOT_PROVEN, "it was never held")
        if share is None:
            raise RuntimeError(f"the lock of {self.volume} is not held")
        return share.release()

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
        return self._held is not None

    @property
    def lost(self) -> threading.Event:
        """Set when the lease is lost; a new one with each acquisition. Not held: RuntimeError."""
        return self._share().lost

    @property
    def key(self) -> str:
        """The key of the lock file that is held."""
        return self._share().key

    def certificate(self) -> Certificate:
        """What can be said of exclusivity so far."""
        return self._share().certificate()

    def __reduce__(self) -> NoReturn:
        raise TypeError("a lock belongs to its process and cannot be pickled; share() hands it to a thread")

    # -- within

    def _share(self) -> Share:
        share = self._held
        if share is None:
            raise RuntimeError(f"the lock of {self.volume} is not held")
        return share

    def _leave_block(self, error: BaseException | None) -> None:
        with self._guard:
            share, self._held = self._held, None
        if share is not None:
            leave_block(share, error)

    def _attempt(self, lease_clock: LeaseClock) -> Lease:
        name = layout.new_lock_name()
        claim, action = start(
            self.terms,
            key=layout.lock_key(self.volume, name),
            name=name,
            lock_type=self.operation.lock_type,
        )
        owner = replace(_me(), operation=self.operation.value, note=self._note, acquired_at=self._today())
        hands = Hands(self._store, self.volume, owner, lease_clock)
        scheduler = self._scheduler or shared_keeper()
        return Lease(claim, action, hands, self._clock, scheduler, self._on_lost)

    def _try_until(self, lease: Lease, deadline: int) -> Lease:
        tries = 0
        while True:
            tries += 1
            outcome = lease.run()
            if outcome is None:
                return lease
            at = lease.lease_clock.now()
            again = next_attempt(
                self.terms, outcome, at=at, deadline=deadline, tries=tries, jitter=self._jitter()
            )
            if again is None or outcome.left or self._clock.sleep(again - at, self._cancel):
                raise self._refusal(outcome, at)
            with self._guard:
                if self._cancel.is_set():
                    raise self._refusal(replace(outcome, result=Result.WITHDRAWN), at)
                lease = self._trying = self._attempt(lease.lease_clock)

    def _refusal(self, outcome: Outcome, at: int) -> LockError:
        left = None if outcome.left_until is None else max(0.0, seconds(outcome.left_until - at))
        where = f"cannot lock {self.volume} for {self.operation}"
        told = f"; our own file is left there for {left:.0f} s at most" if outcome.left and left else ""
        if outcome.result is Result.REFUSED:
            after = self._until(outcome.blockers)
            when = "when it ends is not known" if after is None else f"at the earliest in {after:.0f} s"
            return Contended(
                f"{where}: {'; '.join(map(describe_blocker, outcome.blockers[:3]))}{told}",
                advice=f"it is free when they are released, {when}",
                blockers=outcome.blockers,
                retry_after=after,
                left_for=left,
            )
        why = "it was released meanwhile" if outcome.result is Result.WITHDRAWN else outcome.detail
        return AcquireFailed(f"{where}: {printable(why)}{told}", final=outcome.final, left_for=left)

    def _until(self, blockers: tuple[Blocker, ...]) -> float | None:
        """Seconds until the last blocker ends if all holders died now, from ages: no clock is compared."""
        ages = [blocker.age for blocker in blockers]
        if any(age is None for age in ages):
            return None
        return max(seconds(self.terms.timing.duration_ns - (age or 0)) for age in ages)

    def _today(self) -> str:
        return datetime.fromtimestamp(self._clock.wall_ns() // SECOND, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def describe_blocker(blocker: Blocker) -> str:
    """A blocker in words: name, type, state, age and the earliest end."""
    kinds: dict[int | None, str] = {
        LockType.BACKUP_RESTORE: "backup or restore",
        LockType.DELETION: "deletion",
        None: "unreadable",
    }
    kind = kinds.get(blocker.type, f"type {blocker.type}")
    name = blocker.key.rpartition("/")[2].removesuffix(layout.LOCK_SUFFIX)
    state = "" if blocker.acquired is None else ", held" if blocker.acquired else ", waiting"
    age = "" if blocker.age is None else f", refreshed {seconds(blocker.age):.0f} s ago"
    return f"{printable(name, limit=80)} ({kind}{state}{age})"


def _me() -> Owner:
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = str(os.getuid())
    return Owner(host=socket.gethostname(), pid=os.getpid(), user=user, tool=f"backuplock/{__version__}")
