"""One lock for as long as a command lives: opened, acquired, given back, bounded though the store hangs.

What asks the store runs in threads of its own: a call into a dead mount cannot be ended, only left.
"""

from __future__ import annotations

import contextlib
import secrets
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar, runtime_checkable

from backuplock.clock import SECOND, Clock, SystemClock, nanoseconds, seconds
from backuplock.errors import (
    AcquireFailed,
    BackupLockError,
    Contended,
    LeftBehind,
    LockLost,
    StoreError,
    Unreachable,
)
from backuplock.guarantees import Guarantee, terms_for
from backuplock.layout import ROOT
from backuplock.lock import BackupLock
from backuplock.model import Operation
from backuplock.protocol import Certificate, Proof
from backuplock.rules import LONGHORN, Timing
from backuplock.stores import open_store
from backuplock.stores.base import Capabilities
from backuplock.target import Target
from locktop.durations import show_duration
from locktop.exits import SIGNALLED
from locktop.inbox import ENDING, Inbox
from locktop.output.streams import say
from locktop.presence import check_presence

_T = TypeVar("_T")

PROBES = f"{ROOT}/.locktop"
"""Below it conditions are tried, on small objects that are removed again; Longhorn does not look there."""
HANG_S = 90.0
"""How much longer than agreed an acquisition may take before the store counts as hung: some requests at
their own time limits."""
RELEASE_S = 60.0
"""How long a release may take."""
_GIVE_UP_S = 25.0
"""How long an interrupted acquisition gets to take its file away."""
_FIRST_PAUSE_NS = SECOND
_SILENCE_NS = 3 * SECOND
"""How long a store may take over the first question until the person is told that it does."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be locked, what for, and how long to wait for it (seconds; 0: one attempt).

    `new_store`, `new_volume`: lock it though there is no store, or no such volume in it, see `presence`.
    `probe`: try whether an S3 store honours conditions, so that renewals can rely on them.
    `environ`: where the store's credentials are looked up, the process's environment by default.
    """

    target: Target
    volume: str
    operation: Operation
    timeout_s: float = 0.0
    note: str = ""
    accept_lagging: bool = False
    quiet: bool = False
    new_store: bool = False
    new_volume: bool = False
    probe: bool = True
    environ: Mapping[str, str] | None = field(default=None, repr=False)


@runtime_checkable
class CanProbe(Protocol):
    """A store that can find out whether it honours conditions: S3."""

    def probe_conditional(self, folder: str) -> Capabilities:
        """As `S3Store.probe_conditional`."""
        ...


class Ended(SystemExit):
    """A signal asked the program to end; the exit code says which."""

    def __init__(self, number: int) -> None:
        super().__init__(SIGNALLED + number)


class Task(Generic[_T]):
    """A call in a daemon thread; `wake` is called when it is over."""

    def __init__(self, call: Callable[[], _T], wake: Callable[[], None]) -> None:
        self._call = call
        self._wake = wake
        self._over = threading.Event()
        self._found: list[_T] = []
        self._error: BaseException | None = None
        threading.Thread(target=self._run, name="locktop-holder", daemon=True).start()

    @property
    def over(self) -> bool:
        """Whether it returned or raised."""
        return self._over.is_set()

    def result(self) -> _T:
        """What it returned, or the error it raised."""
        if self._error is not None:
            raise self._error
        return self._found[0]

    def _run(self) -> None:
        try:
            self._found.append(self._call())
        except BaseException as error:
            self._error = error
            if not isinstance(error, Exception):
                raise
        finally:
            self._over.set()
            self._wake()


class Holder:
    """A lock and its store.

    Args:
        wish: what to lock.
        inbox: open; a signal in it ends a wait for the lock.
        timing: everybody's periods on the store; other than Longhorn's only where no Longhorn is.
        on_lost: called in a thread of the lock's when the lease is lost.
    """

    def __init__(
        self,
        wish: Wish,
        inbox: Inbox,
        *,
        timing: Timing = LONGHORN,
        on_lost: Callable[[], None] | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.wish = wish
        self.timing = timing
        self.on_lost = on_lost
        self._inbox = inbox
        self._clock = clock or SystemClock()
        self._cancel = threading.Event()
        self._lock: BackupLock | None = None
        self._asked_at: int | None = None

    @property
    def lock(self) -> BackupLock:
        """The lock; there is one once it was acquired."""
        assert self._lock is not None
        return self._lock

    def acquire(self) -> None:
        """Open the store and take the lock, telling the person what is waited for.

        Raises:
            Contended, AcquireFailed: as `BackupLock.acquire`.
            Unreachable: the store hangs. StoreError, Malformed: it cannot be opened.
            Missing: there is no such store or volume.
            Ended: a signal came first; nothing is held then.
        """
        give_up = self._clock.mono_ns() + nanoseconds(self.wish.timeout_s + HANG_S)
        task = Task(self._acquire, self._inbox.poke)
        while not task.over:
            for number in self._inbox.wait(1.0):
                if number in ENDING:
                    self._abandon(task)
                    raise Ended(number)
            self._tell_silence()
            if self._clock.mono_ns() >= give_up and not task.over:
                self._cancel.set()
                raise Unreachable(
                    f"{self.wish.target.url}: the store does not answer",
                    advice="a file of ours may be there and then blocks the other type for 150 s at most",
                )
        task.result()

    def release(self) -> Certificate:
        """Give the lock back and say what can be said of its exclusivity. Raises nothing for the store's
        sake: what is left there is told, and expires by itself."""
        task = Task(self.lock.release, self._inbox.poke)
        give_up = self._clock.mono_ns() + nanoseconds(RELEASE_S)
        while not task.over and self._clock.mono_ns() < give_up:
            self._inbox.wait(1.0)
        if not task.over:
            after = show_duration(seconds(self.timing.duration_ns))
            say(f"{self.wish.volume}: the store does not answer; the lock file expires by itself in {after}")
            return Certificate(Proof.NOT_PROVEN, "the lock could not be given back in time")
        try:
            return task.result()
        except LeftBehind as left:
            say(str(left))
            return left.certificate

    def loss(self) -> LockLost | None:
        """How the lock was lost, if it was."""
        try:
            self.lock.check()
        except LockLost as lost:
            return lost
        return None

    def _acquire(self) -> None:
        wish = self.wish
        store = open_store(wish.target, writable=True, environ=wish.environ)
        self._asked_at = self._clock.mono_ns()
        check_presence(store, wish.volume, new_store=wish.new_store, new_volume=wish.new_volume)
        self._asked_at = None
        if wish.probe and isinstance(store, CanProbe):
            self._probe(store)
        terms = terms_for(store.capabilities, timing=self.timing, accept_lagging=wish.accept_lagging)
        lock = self._lock = BackupLock(
            store,
            wish.volume,
            wish.operation,
            note=wish.note,
            terms=terms,
            on_lost=lambda _loss: self._tell_lost(),
        )
        deadline = self._clock.mono_ns() + nanoseconds(wish.timeout_s)
        try:
            lock.acquire_unless(self._cancel)
        except (Contended, AcquireFailed) as error:
            # The person should know at once whom they are waiting for.
            if not self._worth_waiting(error, deadline):
                raise
            say(f"waiting up to {show_duration(wish.timeout_s)}: {error}")
            self._clock.sleep(_FIRST_PAUSE_NS, self._cancel)
            left = seconds(deadline - self._clock.mono_ns())
            lock.acquire_unless(self._cancel, max(0.0, left))

    def _tell_silence(self) -> None:
        """Once, if the store does not answer: its requests have time limits, but a person has not."""
        asked, now = self._asked_at, self._clock.mono_ns()
        if asked is not None and now - asked >= _SILENCE_NS:
            self._asked_at = None
            if not self.wish.quiet:
                say(f"{self.wish.target.url}: no answer so far, still trying; nothing is written there yet")

    def _probe(self, store: CanProbe) -> None:
        try:
            store.probe_conditional(f"{PROBES}/probe-{secrets.token_hex(8)}")
        except StoreError as error:
            # A look precedes each write all the same.
            if not self.wish.quiet:
                say(f"whether the store honours conditions is not known: {error}")

    def _worth_waiting(self, error: Contended | AcquireFailed, deadline: int) -> bool:
        if self._cancel.is_set() or (isinstance(error, AcquireFailed) and error.final):
            return False
        return deadline - self._clock.mono_ns() > _FIRST_PAUSE_NS + self.timing.settle_ns

    def _tell_lost(self) -> None:
        if self.on_lost is not None:
            self.on_lost()

    def _abandon(self, task: Task[None]) -> None:
        """Make an acquisition give up, and wait a while for its file to be gone."""
        self._cancel.set()
        if self._lock is None:
            # Nothing was written so far, and nothing will be.
            return
        give_up = self._clock.mono_ns() + nanoseconds(_GIVE_UP_S)
        # Cuts short the waits within an attempt, which setting the event does not.
        leaving = Task(self._leave, self._inbox.poke)
        while not (task.over and leaving.over) and self._clock.mono_ns() < give_up:
            self._inbox.wait(1.0)
        if not task.over:
            say(f"{self.wish.target.url}: the store does not answer; a file of ours may be left and expires")
            return
        try:
            task.result()
        except BackupLockError as error:
            if getattr(error, "left_for", None):
                say(str(error))

    def _leave(self) -> None:
        # It may have been won just now, or not even begun.
        with contextlib.suppress(RuntimeError):
            if self._lock is not None:
                self._lock.release()


def what_holds(found: Iterable[Guarantee]) -> str:
    """Guarantees in one line."""
    words = {True: "guaranteed", None: "taken on trust", False: "not guaranteed"}
    by_word = {word: [one.name for one in found if one.holds is holds] for holds, word in words.items()}
    return "; ".join(f"{word}: {', '.join(names)}" for word, names in by_word.items() if names)


def in_words(certificate: Certificate) -> str:
    """What a certificate says, for people, and what it does not cover."""
    if certificate.proof is Proof.PROVEN:
        said = "proven: at every look the lock was as we left it, and no other type held one"
    else:
        word = "VIOLATED" if certificate.proof is Proof.VIOLATED else "not proven"
        said = f"{word}: {certificate.reason}"
    return "; ".join((f"exclusivity {said}", *certificate.caveats))
