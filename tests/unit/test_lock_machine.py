"""Random lives of three locks on one volume, over a store that fails and a world that interferes.

No thread runs: what is scheduled is done when time passes. Every rule is followed by all invariants.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from backuplock.clock import SECOND, ManualClock
from backuplock.errors import Denied, LeftBehind, LockError, LockLost, StoreError, Unreachable
from backuplock.lock import BackupLock
from backuplock.model import LockType, Operation
from backuplock.protocol import Certificate, Loss, Phase, Proof
from backuplock.share import Share
from backuplock.stores.base import Version
from backuplock.stores.memory import MemoryStore
from harness.builders import body, volume_folder
from harness.locks import VOLUME, World

FOLDER = f"{volume_folder(VOLUME)}/locks"
RIVALS = [f"lock-feed{n:012x}" for n in range(3)]
PERIODS = st.sampled_from([0.5, 2.0, 19.0, 21.0, 45.0, 89.0, 91.0, 151.0, 400.0])


class PairedClock(ManualClock):
    """A client's clock, and the store's: time passes on both, but only the client's is ever set."""

    def __init__(self) -> None:
        super().__init__()
        self.store = ManualClock(self.wall_ns() + 7_000 * SECOND)

    def advance(self, duration_ns: int) -> None:
        super().advance(duration_ns)
        self.store.advance(duration_ns)


@dataclass
class Term:
    """One acquisition: what the test knows of it, apart from what the lock says."""

    lock: BackupLock
    key: str
    type: LockType
    shares: list[Share] = field(default_factory=list)
    own: bool = True
    tampered: bool = False
    lost: bool = False
    told: list[Loss] = field(default_factory=list)
    puts_when_lost: int = 0

    @property
    def references(self) -> int:
        return self.own + len(self.shares)


class LockMachine(RuleBasedStateMachine):
    """Three locks, three rivals, faults."""

    @initialize(grain_s=st.sampled_from([0, 1]))
    def begin(self, grain_s: int) -> None:
        self.clock = PairedClock()
        self.world = World(self.clock)
        self.memory = MemoryStore(self.clock.store, grain_ns=grain_s * SECOND or 1)
        self.world.memory = self.memory
        self.world.store.inner = self.memory
        self.clock._on_sleep = self.world.scheduler.pass_time
        self.late_writes: list[str] = []
        self.guard_writes()
        kinds = (Operation.BACKUP, Operation.DELETE, Operation.RESTORE)
        self.losses: list[list[Loss]] = [[] for _ in kinds]
        self.locks = [
            self.world.lock(kind, on_lost=losses.append)
            for kind, losses in zip(kinds, self.losses, strict=True)
        ]
        self.terms: list[Term] = []
        self.removed: set[str] = set()
        self.told_left: set[str] = set()

    def guard_writes(self) -> None:
        """Note every write of a lease that had ended when it was sent."""
        put: Callable[..., Version] = self.world.store.put

        def guarded(key: str, content: bytes, **conditions: object) -> Version:
            for term in self.terms:
                if term.key == key and term.references:
                    share = term.lock._held if term.own else term.shares[0]
                    assert share is not None
                    lease = share._holding.lease
                    if lease.lease_clock.now() >= lease.claim.until or lease.claim.phase is Phase.LOST:
                        self.late_writes.append(key)
            return put(key, content, **conditions)

        self.world.store.put = guarded  # type: ignore[method-assign]

    # -- ours

    @rule(which=st.integers(0, 2), timeout=st.sampled_from([0.0, 0.0, 8.0]))
    def acquire(self, which: int, timeout: float) -> None:
        if self.locks[which].held:
            return
        if any(term.lock is self.locks[which] for term in self.terms):
            # Losses are told by lock: while shares of its last term are out, another one is taken.
            self.losses[which] = []
            kind = self.locks[which].operation
            self.locks[which] = self.world.lock(kind, on_lost=self.losses[which].append)
        lock = self.locks[which]
        before = {key for key, _ in self.world.store.puts}
        try:
            lock.acquire(timeout)
        except LockError as error:
            if getattr(error, "left_for", None):
                self.told_left |= {key for key, _ in self.world.store.puts} - before
            return
        # A rival that only the last look before a release found is told afterwards.
        self.world.scheduler.run_due()
        self.losses[which].clear()
        term = Term(lock, lock.key, lock.operation.lock_type, told=self.losses[which])
        self.terms.append(term)

    @precondition(lambda self: self.terms)
    @rule(data=st.data())
    def share(self, data: st.DataObject) -> None:
        term = data.draw(st.sampled_from(self.terms))
        source: BackupLock | Share = term.lock if term.own else term.shares[0]
        try:
            term.shares.append(source.share())
        except LockLost:
            self.note_lost(term)

    @precondition(lambda self: self.terms)
    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        term = data.draw(st.sampled_from(self.terms))
        last = term.references == 1
        lease = (term.lock._held if term.own else term.shares[0])._holding.lease  # type: ignore[union-attr]
        deletes = self.world.store.calls["delete"]
        try:
            if term.own:
                term.own = False
                certificate = term.lock.release()
            else:
                certificate = term.shares.pop().release()
        except LeftBehind as left:
            assert last
            self.told_left.add(term.key)
            certificate = left.certificate
        assert (self.world.store.calls["delete"] > deletes) is last
        if last:
            self.terms.remove(term)
            outcome = lease.claim.outcome
            assert outcome is not None
            if outcome.may_return:
                self.told_left.add(term.key)
            self.check_certificate(term, certificate)

    def check_certificate(self, term: Term, certificate: Certificate) -> None:
        if term.lost or term.tampered:
            assert certificate.proof is not Proof.PROVEN
        if term.told and term.told[0].reason == "conflict":
            assert certificate.proof is Proof.VIOLATED
        if self.opposed(term):
            assert certificate.proof is not Proof.PROVEN
        if certificate.proof is not Proof.PROVEN:
            assert certificate.reason

    def opposed(self, term: Term) -> bool:
        """Whether a live acquired rival of another type stands beside it now."""
        now = self.clock.store.wall_ns()
        for name in RIVALS:
            blob = self.memory.read(f"{FOLDER}/{name}.lck")
            if blob is not None and now - blob.modified_ns < 149 * SECOND:
                text = blob.body.decode()
                if '"Acquired":true' in text and f'"Type":{int(term.type)}' not in text:
                    return True
        return False

    # -- time

    @rule(s=PERIODS)
    def time_passes(self, s: float) -> None:
        self.world.pass_s(s)

    @rule(s=PERIODS)
    def nothing_runs_for_a_while(self, s: float) -> None:
        self.world.scheduler.skip_time(round(s * SECOND))

    @rule(s=st.sampled_from([-3600, -30, 30, 3600]))
    def the_clock_is_set(self, s: int) -> None:
        self.clock.step_wall(s * SECOND)

    # -- the store

    @rule(
        verb=st.sampled_from(["list", "read", "put", "delete"]),
        error=st.sampled_from([Unreachable("no answer"), Denied("access denied")]),
        late=st.booleans(),
        times=st.integers(1, 5),
    )
    def the_store_will_fail(self, verb: str, error: StoreError, late: bool, times: int) -> None:
        if late and isinstance(error, Denied):
            return  # what a store refuses it does not do
        when = "after" if late else "before"
        self.world.store.add(verb, **{when: error}, times=times)

    @rule()
    def the_store_recovers(self) -> None:
        self.world.store.clear()

    # -- the others

    @rule(name=st.sampled_from(RIVALS), type_=st.sampled_from([0, 1, 2, 7]), acquired=st.booleans())
    def a_rival_writes(self, name: str, type_: int, acquired: bool) -> None:
        self.memory.put(f"{FOLDER}/{name}.lck", body(name, type_, acquired))

    @rule(name=st.sampled_from(RIVALS))
    def a_rival_vanishes(self, name: str) -> None:
        self.memory.delete(f"{FOLDER}/{name}.lck")

    @precondition(lambda self: self.terms)
    @rule(data=st.data(), content=st.sampled_from([None, b"", body("lock-x", 2, True)]))
    def somebody_tampers(self, data: st.DataObject, content: bytes | None) -> None:
        term = data.draw(st.sampled_from(self.terms))
        term.tampered = True
        if content is None:
            self.memory.delete(term.key)
            self.removed.add(term.key)
        elif self.memory.read(term.key) is not None:
            self.memory.put(term.key, content)

    # -- what must hold

    def note_lost(self, term: Term) -> None:
        if not term.lost:
            term.lost = True
            term.puts_when_lost = sum(key == term.key for key, _ in self.world.store.puts)

    @invariant()
    def all_holds(self) -> None:
        if not hasattr(self, "terms"):
            return
        # What is due runs first, so that all that follows looks at one moment.
        self.world.scheduler.run_due()
        self.no_two_types_are_held()
        # The losses that this found are told in turn.
        self.world.scheduler.run_due()
        self.losses_are_told_once()
        self.nothing_is_written_after_the_end()
        self.no_file_is_there_that_nobody_holds_or_was_told_of()
        assert all(self.memory.read(key) is None for key in self.removed), "a removed lock came back"

    def no_two_types_are_held(self) -> None:
        believers: set[LockType] = set()
        for term in self.terms:
            for reference in [term.lock] * term.own + term.shares:
                try:
                    reference.check()
                except LockLost:
                    self.note_lost(term)
                    assert reference.remaining() == 0
                    assert reference.lost.is_set()
                    continue
                assert not term.lost, "a loss was taken back"
                assert reference.remaining() > 0
                # A file that others took away or replaced protects nobody until the next look.
                if not term.tampered:
                    believers.add(term.type)
        assert len(believers) <= 1

    def losses_are_told_once(self) -> None:
        for term in self.terms:
            assert len(term.told) == term.lost

    def nothing_is_written_after_the_end(self) -> None:
        assert self.late_writes == []
        for term in self.terms:
            if term.lost:
                assert sum(key == term.key for key, _ in self.world.store.puts) == term.puts_when_lost

    def no_file_is_there_that_nobody_holds_or_was_told_of(self) -> None:
        theirs = {f"{name}.lck" for name in RIVALS}
        there = {f"{FOLDER}/{name}" for name in self.world.files() if name not in theirs}
        assert there <= {term.key for term in self.terms} | self.told_left
        assert all(term.key in there for term in self.terms if not term.tampered)

    def teardown(self) -> None:
        if not hasattr(self, "terms"):
            return
        self.world.store.clear()
        for term in list(self.terms):
            for share in term.shares:
                share.release()
            if term.own:
                term.lock.release()
        left = {f"{FOLDER}/{name}" for name in self.world.files()} - {
            f"{FOLDER}/{name}.lck" for name in RIVALS
        }
        assert left <= self.told_left


def test_random_lives() -> None:
    run_state_machine_as_test(
        LockMachine,
        settings=settings(
            max_examples=200,
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
