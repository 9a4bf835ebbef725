"""The part of the session that changes a store: breaks locks, puts them back, in a thread of its own.

Everything that a person asks for goes to that thread and ends in an event. It has a store of its own, opened
when it is first needed, so that the watch is never the one that may write. Without a right to write it still
tells what the quarantine holds.
"""

from __future__ import annotations

import itertools
import logging
import queue
import secrets
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

from backuplock.breaking import (
    Audit,
    AuditError,
    Plan,
    Refused,
    Who,
    Window,
    Writer,
    audit_path,
    check_dead,
    copies,
    execute,
    record_fate,
    told_apart,
    unfinished,
    vigil_of,
    who_here,
    window_of,
)
from backuplock.clock import Clock, SystemClock
from backuplock.errors import BackupLockError, StoreError
from backuplock.model import Snapshot
from backuplock.stores.base import Store
from backuplock.target import Target
from backuplock.text import printable
from locktop import __version__
from locktop.aftermath import Aftermath
from locktop.broken_rows import row_before
from locktop.deeds import (
    Acted,
    Care,
    DeedEvent,
    Outcome,
    Progress,
    Proposal,
    Question,
    Restored,
    Shelf,
    Stumbled,
)
from locktop.holder import PROBES, CanProbe
from locktop.proposals import propose
from locktop.restoring import finish_one, put_back

LINE = 500
"""Characters of a line that is told."""

ENDING_S = 5.0
"""How long leaving the console waits for an act that has begun. One that takes longer is left behind as a
crash would leave it: the next start tells of it."""

Deliver = Callable[[DeedEvent], object]
log = logging.getLogger(__name__)
log.addHandler(logging.NullHandler())


class Breaker:
    """Whoever may break locks on one target, if anybody may.

    Args:
        open_store: makes the store, for writing if that is allowed; called in the breaker's thread.
        open_audit: makes the audit trail, likewise.
        writable: the session may change the store.
        even_if_live: locks whose holders may be alive can be broken as well.
    """

    def __init__(
        self,
        open_store: Callable[[], Store],
        open_audit: Callable[[], Audit],
        *,
        writable: bool = False,
        even_if_live: bool = False,
        clock: Clock | None = None,
    ) -> None:
        self.writable = writable
        self.even_if_live = writable and even_if_live
        self.aftermath = Aftermath()
        self._open_store, self._open_audit = open_store, open_audit
        self._clock = clock or SystemClock()
        self._store: Store | None = None
        self._audit: Audit | None = None
        self._window: Window | None = None
        self._probed = False
        self._jobs: queue.SimpleQueue[Callable[[], DeedEvent | None] | None] = queue.SimpleQueue()
        self._numbers = itertools.count(1)
        self._deliver: Deliver = _drop
        self._last_words: tuple[str, ...] = ()
        self._acting = threading.Lock()
        self._leaving = threading.Event()
        self._asked: dict[int, str] = {}
        self._tickets = itertools.count(1)
        self._thread = threading.Thread(target=self._run, name="locktop-breaker", daemon=True)

    # -- what the session tells

    def start(self, deliver: Deliver) -> None:
        """Begin, with a look for what was interrupted; `deliver` is called from the breaker's thread."""
        self._deliver = deliver
        self._jobs.put(lambda: self._shelf(at_start=True))
        self._thread.start()

    def close(self) -> tuple[str, ...]:
        """End. An act that has begun is waited for, but not for long; none begins any more.

        Returns: what is not done and not watched because of that, printable lines.
        """
        if not self._leaving.is_set():
            self._deliver = _drop
            self._leaving.set()
            ended = self._acting.acquire(timeout=ENDING_S)
            undecided = [care for care in self.aftermath.cares if not care.vigil.decided]
            self._last_words = (*self._asked.values(), *map(_unwatched, undecided), *(() if ended else _LATE))
            for care in undecided:
                given_up = replace(care, vigil=care.vigil.give_up(self._clock.mono_ns()))
                self._jobs.put(partial(self._write_fate, given_up))
            self._jobs.put(None)
            if ended:
                self._acting.release()
                if undecided and self._thread.is_alive():
                    self._thread.join(ENDING_S)
        return self._last_words

    def recognize(self, store: Store, snapshot: Snapshot) -> None:
        """Which of the locks that are there again somebody else put back; to be called before `look`."""
        self._record(self.aftermath.recognize(snapshot, partial(told_apart, store)))

    def look(self, snapshot: Snapshot, known: frozenset[str]) -> tuple[Care, ...]:
        """The watches after one more Snapshot; verdicts go to the audit trail. `known` as in `Aftermath`."""
        self._record(self.aftermath.look(snapshot, known))
        return self.aftermath.cares

    def lose(self, mono_ns: int) -> None:
        """A look failed."""
        self._record(self.aftermath.lose(mono_ns))

    @property
    def pending(self) -> tuple[str, ...]:
        """What would be left undone or unwatched if this ended now, printable lines."""
        undecided = [care for care in self.aftermath.cares if not care.vigil.decided]
        under_way = ("an act on the store is under way",) if self._acting.locked() else ()
        waits = tuple(self._asked.values()) if not under_way else ()
        return (
            *under_way,
            *waits,
            *(f"{care.vigil.token.shown} was broken just now and is watched" for care in undecided),
        )

    # -- what a person asks for

    def number(self) -> int:
        """A number for a dialog; its events bear it."""
        return next(self._numbers)

    def ask(self, question: Question) -> None:
        """Answered by a Proposal."""
        self._jobs.put(lambda: self._propose(question))

    def break_locks(
        self, number: int, plans: tuple[Plan, ...], before: Snapshot, *, reason: str, allow_live: bool = False
    ) -> None:
        """Break one after the other; answered by Progress, and Acted at the end.

        Args:
            allow_live: counts only for a single lock, and only where that was opened at the start.
        """
        live = allow_live and self.even_if_live and len(plans) == 1
        what = plans[0].token.shown if len(plans) == 1 else f"{len(plans)} locks"
        self._put(f"not broken: {what}", lambda: self._break(number, plans, before, reason, allow_live=live))

    def list_copies(self) -> None:
        """Answered by a Shelf."""
        self._jobs.put(self._shelf)

    def put_back(self, entry: str, key: str, *, interrupted: bool) -> None:
        """Put a broken lock back under its key; answered by Restored, and a Shelf."""
        self._put(
            f"{printable(entry)} was not put back",
            lambda: self._act(
                entry, lambda writer: put_back(writer, self.aftermath, entry, key, interrupted=interrupted)
            ),
        )
        self._jobs.put(self._shelf)

    def finish(self, entry: str, before: Snapshot | None) -> None:
        """Bring an interrupted transaction to its end; answered likewise."""
        self._put(
            f"{printable(entry)} was not finished",
            lambda: self._act(entry, lambda writer: finish_one(writer, self.aftermath, entry, before)),
        )
        self._jobs.put(self._shelf)

    def _put(self, words: str, act: Callable[[], DeedEvent]) -> None:
        """Have something done. `words` say that it was not, should it never begin."""
        ticket = next(self._tickets)
        self._asked[ticket] = words

        def begin() -> DeedEvent | None:
            with self._acting:
                if self._leaving.is_set():
                    return None
                del self._asked[ticket]
                return act()

        self._jobs.put(begin)

    # -- the thread

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            try:
                event = job()
            except BackupLockError as error:
                event = Stumbled(_line(error))
                self._forget_store()
            except Exception as error:
                # An unforeseen error must be seen on the screen, not end all breaking in silence.
                log.exception("an act failed")
                event = Stumbled(printable(f"{type(error).__name__}: {error}", limit=LINE))
                self._forget_store()
            if event is not None:
                self._deliver(event)
        self._forget_store()
        if self._audit is not None:
            self._audit.close()

    def _ready(self) -> Store:
        if self._store is None:
            self._store = self._open_store()
        return self._store

    def _writer(self) -> Writer:
        store = self._ready()
        if self._audit is None:
            self._audit = self._open_audit()
        here = who_here()
        who = Who(here.user, here.host, f"locktop/{__version__}")
        return Writer(store, self._audit, who=who, clock=self._clock)

    def _learn(self, store: Store) -> None:
        """What a dialog has to tell of the store: whether it honours conditions, which is tried in a folder
        of our own, and how long earlier breaks took."""
        if self.writable and not self._probed and isinstance(store, CanProbe):
            try:
                store.probe_conditional(f"{PROBES}/probe-{secrets.token_hex(8)}")
            except StoreError:
                # It stays unproven, and the dialog says so: a last look precedes the delete all the same.
                log.info("conditions could not be tried", exc_info=True)
        self._probed = True
        if self._window is None and (trail := self._trail()) is not None:
            self._window = window_of(trail.entries(), store.url)

    def _forget_store(self) -> None:
        store, self._store = self._store, None
        self._probed = False
        if store is None:
            return
        try:
            store.close()
        except Exception:
            # What cannot be given back is lost either way.
            log.exception("closing a store failed")

    def _propose(self, question: Question) -> Proposal:
        try:
            store = self._ready()
            self._learn(store)
            return propose(store, question, self._window, self._clock)
        except BackupLockError as error:
            self._forget_store()
            return Proposal(question.number, mono_ns=self._clock.mono_ns(), problem=_line(error))

    def _break(
        self, number: int, plans: tuple[Plan, ...], before: Snapshot, reason: str, *, allow_live: bool
    ) -> Acted:
        outcomes: list[Outcome] = []
        for done, plan in enumerate(plans):
            if self._leaving.is_set():
                self._asked[0] = f"not broken: {len(plans) - done} of {len(plans)} locks"
                break
            self._deliver(Progress(number, done, len(plans)))
            outcomes.append(self._break_one(plan, before, reason, allow_live=allow_live))
        return Acted(number, tuple(outcomes), self.aftermath.cares)

    def _break_one(self, plan: Plan, before: Snapshot, reason: str, *, allow_live: bool) -> Outcome:
        token = plan.token
        try:
            writer = self._writer()
            if not allow_live:
                # Of many, nobody has looked beside each one's locks.
                check_dead(writer, token)
            broken = execute(writer, plan.order, reason=reason, allow_live=allow_live)
        except Refused as refused:
            return Outcome(token, False, printable(refused.what, limit=LINE))
        except BackupLockError as error:
            self._forget_store()
            return Outcome(token, False, _line(error), getattr(error, "entry", ""))
        self._window = None
        self.aftermath.add(Care(broken.id, vigil_of(broken, before), row_before(token, before)))
        words = "; ".join((f"{token.shown} is broken, a copy is kept", *broken.notes))
        return Outcome(token, True, printable(words, limit=LINE), broken.id)

    def _act(self, entry: str, act: Callable[[Writer], str]) -> Restored:
        try:
            words = act(self._writer())
        except BackupLockError as error:
            return Restored(entry, False, _line(error))
        return Restored(entry, True, printable(words, limit=LINE))

    def _shelf(self, *, at_start: bool = False) -> Shelf:
        try:
            store = self._ready()
            audit = self._trail()
            interrupted = unfinished(store, audit, self._clock.wall_ns())
            found = () if at_start else copies(store)
        except BackupLockError as error:
            self._forget_store()
            return Shelf(problem=_line(error), at_start=at_start)
        return Shelf(found, interrupted, at_start=at_start)

    def _trail(self) -> Audit | None:
        """The audit trail if there is one: a session that only reads makes none."""
        if self._audit is None:
            try:
                self._audit = self._open_audit()
            except AuditError:
                if self.writable:
                    raise
        return self._audit

    def _record(self, decided: tuple[Care, ...]) -> None:
        for care in decided:
            self._jobs.put(partial(self._write_fate, care))

    def _write_fate(self, care: Care) -> None:
        record_fate(self._writer(), care.vigil, care.entry)


def breaker_for(
    target: Target,
    *,
    writable: bool,
    even_if_live: bool = False,
    audit: Path | None = None,
    environ: Mapping[str, str] | None = None,
) -> Breaker:
    """Whoever breaks locks on a target; nothing is opened yet.

    Args:
        audit: where the audit trail lies; this machine's by default.
        environ: where the store's credentials are looked up; the process's environment by default.
    """

    def open_it() -> Store:
        from backuplock.stores import open_store

        return open_store(target, writable=writable, environ=environ)

    def trail() -> Audit:
        path = audit or audit_path()
        return Audit.open(path) if writable else Audit.read(path)

    return Breaker(open_it, trail, writable=writable, even_if_live=even_if_live)


def _unwatched(care: Care) -> str:
    what = care.vigil.token.shown
    return f"{what} was broken and is not watched any more: locktop ls tells whether it came back"


_LATE = ("an act on the store was still under way: locktop undo tells how far it came",)


def _line(error: BackupLockError) -> str:
    return printable(str(error), limit=LINE)


def _drop(_event: DeedEvent) -> None:
    """Nobody listens."""
