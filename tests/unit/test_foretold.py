"""What is foretold, attempt for attempt, is what happens when the same is played with real locks.

Each story is played on a folder store of its own: our clients are `BackupLock`s, or a process that is killed;
the holder that is there before is the stand-in for Longhorn, or such a process. All are played at once.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from backuplock.clock import SECOND, LeaseClock
from backuplock.errors import LockError
from backuplock.lease import Lease
from backuplock.lock import BackupLock
from backuplock.model import Operation
from backuplock.protocol import Blocker, Proof, Terms
from backuplock.simulate import Act, Attempt, Client, Forecast, Scenario, forecast
from backuplock.stores.base import Store, Version
from backuplock.stores.filesystem import FilesystemStore
from backuplock.survey import look
from harness.locks import short_terms
from harness.longhorn_peer import LonghornPeer
from harness.mortal import Mortal

VOLUME = "pvc-1"
LEASE_S = 5.0
"""Longhorn refreshes each 2 s then, ours each 0.67 s and counts on 3 s. Pauses between attempts are not
scaled: 1, 2, 4 s. What the stories let happen lies well apart from both."""
TOLERANCE_S = 3.0
"""How much earlier or later than foretold a thing may happen, on a shared machine."""


def ask(operation: Operation, start_s: float = 0.0, **seconds: float) -> Client:
    """A client of a story; other times by name: `lasts`, `crash_after`, `timeout`."""
    times = {f"{name}_ns": round(value * SECOND) for name, value in seconds.items()}
    return replace(Client(operation, start_ns=round(start_s * SECOND)), **times)


@dataclass(frozen=True)
class Story:
    """Who asks, what the holder that is there before does, and what must come of it, in order."""

    clients: tuple[Client, ...]
    expected: tuple[str, ...]
    holder: Operation | None = None
    ours: bool = False
    """The holder before is one of our kind, not Longhorn."""
    dies_s: float | None = None
    ends_s: float | None = None
    broken_s: float | None = None
    settle_s: float | None = None
    renew_s: float | None = None

    def terms(self, store: Store) -> Terms:
        terms = short_terms(store, LEASE_S)
        if self.settle_s is not None:
            timing = replace(terms.timing, settle_ns=round(self.settle_s * SECOND))
            terms = replace(terms, timing=timing, eager=False)
        return terms if self.renew_s is None else replace(terms, renew=round(self.renew_s * SECOND))


BACKUP, RESTORE, DELETE = Operation.BACKUP, Operation.RESTORE, Operation.DELETE

STORIES = {
    "a late start": Story(
        (ask(DELETE), ask(DELETE, 2.2, lasts=0.5)),
        (
            *("0 asks", "0 refused by holder", "holder gone"),
            *("1 asks", "1 granted", "1 ended"),
        ),
        holder=RESTORE,
        ends_s=1.0,
    ),
    "works so long and ends": Story(
        (ask(BACKUP, lasts=2.0), ask(DELETE, 0.9), ask(DELETE, 3.0, lasts=1.0)),
        (
            *("0 asks", "0 granted", "1 asks", "1 refused by 0", "0 ended"),
            *("2 asks", "2 granted", "2 ended"),
        ),
    ),
    "crashes and leaves its lock": Story(
        (ask(BACKUP, crash_after=1.0), ask(DELETE, 1.6, timeout=25, lasts=0.5)),
        (
            *("0 asks", "0 granted", "0 dies"),
            *("1 asks", "1 refused by 0") * 3,
            *("1 asks", "1 granted", "1 ended"),
        ),
    ),
    "opposite kinds, one retries": Story(
        (ask(BACKUP, lasts=2.4), ask(DELETE, 0.6, timeout=20, lasts=0.5)),
        (
            *("0 asks", "0 granted", "1 asks", "1 refused by 0", "1 asks", "1 refused by 0", "0 ended"),
            *("1 asks", "1 granted", "1 ended"),
        ),
    ),
    "opposite kinds, both undecided": Story(
        (ask(BACKUP, lasts=1.0), ask(DELETE, 0.6)),
        ("0 asks", "1 asks", "1 refused by 0", "0 granted", "0 ended"),
        settle_s=1.3,
    ),
    "the same kind shares": Story(
        (ask(BACKUP, lasts=2.5), ask(RESTORE, 0.8, lasts=0.8), ask(DELETE, 3.4, lasts=0.5)),
        (
            *("0 asks", "0 granted", "1 asks", "1 granted", "1 ended", "0 ended"),
            *("2 asks", "2 granted", "2 ended"),
        ),
    ),
    "the holder dies while one retries": Story(
        (ask(BACKUP, timeout=25, lasts=0.5),),
        (
            *("0 asks", "0 refused by holder") * 2,
            "holder dies",
            *("0 asks", "0 refused by holder", "0 asks", "0 granted", "0 ended"),
        ),
        holder=DELETE,
        dies_s=1.7,
    ),
    "broken under a live holder": Story(
        (ask(DELETE, 1.0, lasts=20),),
        ("holder gone", "0 asks", "0 granted", "holder back", "0 lost", "0 ended"),
        holder=BACKUP,
        broken_s=0.5,
    ),
    "broken under a live holder, found at the end": Story(
        (ask(DELETE, 1.0, lasts=1.6),),
        ("holder gone", "0 asks", "0 granted", "holder back", "0 lost", "0 ended"),
        holder=BACKUP,
        broken_s=0.5,
        renew_s=2.9,
    ),
    "broken under a live holder of our kind": Story(
        (ask(BACKUP, 1.5, lasts=3.5),),
        ("holder gone", "0 asks", "0 granted", "0 ended"),
        holder=DELETE,
        ours=True,
        broken_s=0.3,
    ),
    "a holder of our kind dies": Story(
        # It renewed 1.3 s from the beginning: what it wrote then lasts until 6.3 s.
        (ask(BACKUP, 5.6), ask(BACKUP, 9.0, lasts=0.5)),
        ("holder dies", "0 asks", "0 refused by holder", "1 asks", "1 granted", "1 ended"),
        holder=DELETE,
        ours=True,
        dies_s=1.7,
    ),
}


@dataclass(frozen=True)
class Told:
    """One thing that happened: when, in seconds from the beginning, who and what. `by`: keys of blockers."""

    at_s: float
    what: str
    by: tuple[str, ...] = ()


@dataclass
class Chronicle:
    """What happens while a story is played in earnest."""

    began: float = field(default_factory=time.monotonic)
    told: list[Told] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)
    """Who has which lock, by key."""
    _guard: threading.Lock = field(default_factory=threading.Lock)

    def tell(self, what: str, blockers: tuple[Blocker, ...] = ()) -> None:
        with self._guard:
            by = tuple(blocker.key for blocker in blockers)
            self.told.append(Told(time.monotonic() - self.began, what, by))

    def until(self, s: float) -> None:
        time.sleep(max(0.0, self.began + s - time.monotonic()))


class Watched(BackupLock):
    """A lock that tells of each of its attempts."""

    def __init__(self, store: Store, client: Client, number: int, terms: Terms, chronicle: Chronicle) -> None:
        super().__init__(store, VOLUME, client.operation, terms=terms, jitter=self._after_an_attempt)
        self._number, self._chronicle = number, chronicle
        self._leases: list[Lease] = []

    def _attempt(self, lease_clock: LeaseClock) -> Lease:
        lease = super()._attempt(lease_clock)
        self._leases.append(lease)
        self._chronicle.names[lease.claim.key] = str(self._number)
        self._chronicle.tell(f"{self._number} asks")
        return lease

    def _after_an_attempt(self) -> float:
        outcome = self._leases[-1].claim.outcome
        assert outcome is not None
        self._chronicle.tell(f"{self._number} {outcome.result}", outcome.blockers)
        return 0.0


class Holder:
    """The holder that is there before the story begins, with all that it does in it."""

    def __init__(self, story: Story, root: Path, terms: Terms) -> None:
        assert story.holder is not None
        self._story = story
        self._chronicle: Chronicle | None = None
        self._gone = False
        self._store = _Announcing(root, self._written)
        self._who: LonghornPeer | Mortal
        if story.ours:
            self._who = Mortal(root, VOLUME, story.holder, LEASE_S)
            assert self._who.ask()
        else:
            self._who = LonghornPeer(self._store, VOLUME, story.holder.lock_type, terms.timing)
            assert self._who.lock()
        self.key = self._who.key

    def act(self, chronicle: Chronicle) -> None:
        """What the story has it do, at its time."""
        story, self._chronicle = self._story, chronicle
        if story.dies_s is not None:
            chronicle.until(story.dies_s)
            self._who.die()
            chronicle.tell("holder dies")
        elif story.ends_s is not None:
            assert isinstance(self._who, LonghornPeer)
            chronicle.until(story.ends_s)
            self._who.unlock()
            chronicle.tell("holder gone")
        elif story.broken_s is not None:
            chronicle.until(story.broken_s)
            self._store.delete(self.key)
            self._gone = True
            chronicle.tell("holder gone")

    def close(self) -> None:
        self._who.die()
        self._store.close()

    def _written(self) -> None:
        if self._gone and self._chronicle is not None:
            self._gone = False
            self._chronicle.tell("holder back")


class _Announcing(FilesystemStore):
    """A store that tells of each write."""

    def __init__(self, root: Path, written: object) -> None:
        super().__init__(root, writable=True)
        assert callable(written)
        self._written = written

    def put(self, key: str, body: bytes, *, if_match: str | None = None, if_absent: bool = False) -> Version:
        version = super().put(key, body, if_match=if_match, if_absent=if_absent)
        self._written()
        return version


def live(client: Client, number: int, store: Store, terms: Terms, chronicle: Chronicle) -> None:
    """One of our clients, from its start to its end."""
    chronicle.until(client.start_ns / SECOND)
    lock = Watched(store, client, number, terms, chronicle)
    try:
        lock.acquire(client.timeout_ns / SECOND)
    except LockError:
        return
    chronicle.tell(f"{number} granted")
    assert client.lasts_ns is not None
    lost = lock.lost.wait(client.lasts_ns / SECOND)
    if lost:
        chronicle.tell(f"{number} lost")
    certificate = lock.release()
    if certificate.proof is Proof.VIOLATED and not lost:
        chronicle.tell(f"{number} lost")
    chronicle.tell(f"{number} ended")


def live_and_die(client: Client, number: int, mortal: Mortal, chronicle: Chronicle) -> None:
    """A client that is killed while it works."""
    chronicle.until(client.start_ns / SECOND)
    chronicle.tell(f"{number} asks")
    assert mortal.ask()
    chronicle.names[mortal.key] = str(number)
    chronicle.tell(f"{number} granted")
    assert client.crash_after_ns is not None
    time.sleep(client.crash_after_ns / SECOND)
    mortal.die()
    chronicle.tell(f"{number} dies")


def foretold(found: Forecast, holder_key: str | None) -> list[Told]:
    """A forecast's events, as a chronicle tells them."""
    words = {Act.ASKS: "asks", Act.HOLDS: "granted", Act.LOST: "lost", Act.GONE: "ended", Act.DEAD: "dies"}
    told: list[Told] = []
    for lane in found.lanes:
        if lane.client is None:
            assert lane.key == holder_key
            acts = {Act.DEAD: "dies", Act.GONE: "gone", Act.HOLDS: "back"}
            lines = [(step.at_ns, f"holder {acts[step.act]}") for step in lane.steps[1:] if step.act in acts]
        else:
            lines = [
                (step.at_ns, f"{lane.client} {words[step.act]}") for step in lane.steps if step.act in words
            ]
        told += [Told(at_ns / SECOND, what) for at_ns, what in lines]
    told += [_refused(attempt) for attempt in found.attempts if not attempt.granted]
    return sorted(told, key=lambda one: one.at_s)


def _refused(attempt: Attempt) -> Told:
    what = f"{attempt.client} {'failed' if attempt.detail else 'refused'}"
    return Told(attempt.decided_ns / SECOND, what, tuple(one.key for one in attempt.blockers))


def named(told: list[Told], names: dict[str, str]) -> list[str]:
    """Who and what, with names for keys; simulated keys name their client themselves."""

    def name(key: str) -> str:
        stem = key.rpartition("/")[2]
        return names.get(key) or stem.split("-")[1]

    return [f"{one.what} by {', '.join(map(name, one.by))}" if one.by else one.what for one in told]


@dataclass(frozen=True)
class Both:
    """The events as foretold and as they happened, and how they read."""

    foretold: list[Told]
    happened: list[Told]
    foretold_lines: list[str]
    happened_lines: list[str]


def play(story: Story, root: Path) -> Both:
    """Play a story in earnest, and foretell it from what the store showed when it began."""
    store = FilesystemStore(root, writable=True)
    terms = story.terms(store)
    mortals = {
        number: Mortal(root, VOLUME, client.operation, LEASE_S)
        for number, client in enumerate(story.clients)
        if client.crash_after_ns is not None
    }
    holder = Holder(story, root, terms) if story.holder else None
    try:
        snapshot = look(store, VOLUME)
        chronicle = Chronicle()
        if holder is not None:
            chronicle.names[holder.key] = "holder"
        with ThreadPoolExecutor() as pool:
            plays = [
                pool.submit(live_and_die, client, number, mortals[number], chronicle)
                if number in mortals
                else pool.submit(live, client, number, store, terms, chronicle)
                for number, client in enumerate(story.clients)
            ]
            if holder is not None:
                plays.append(pool.submit(holder.act, chronicle))
            for one in plays:
                one.result()
    finally:
        for mortal in mortals.values():
            mortal.die()
        if holder is not None:
            holder.close()
        store.close()
    locks = snapshot.volumes[0].locks if snapshot.volumes else ()
    now = snapshot.clock.at(snapshot.began_mono_ns).middle
    found = forecast(VOLUME, locks, now, _scenario(story, holder.key if holder else ""), terms)
    before = foretold(found, holder.key if holder else None)
    return Both(
        before, chronicle.told, named(before, chronicle.names), named(chronicle.told, chronicle.names)
    )


def _scenario(story: Story, key: str) -> Scenario:
    def acts(at_s: float | None) -> tuple[tuple[str, int], ...]:
        return () if at_s is None else ((key, round(at_s * SECOND)),)

    return Scenario(
        story.clients,
        dies=acts(story.dies_s),
        ends=acts(story.ends_s),
        breaks=acts(story.broken_s),
        horizon_ns=60 * SECOND,
    )


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Future[Both]]]:
    """All stories at once: they wait most of the time."""
    with ThreadPoolExecutor(len(STORIES)) as pool:
        yield {
            name: pool.submit(play, story, tmp_path_factory.mktemp("story"))
            for name, story in STORIES.items()
        }


@pytest.mark.parametrize("name", STORIES)
def test_what_is_foretold_is_what_happens(name: str, played: dict[str, Future[Both]]) -> None:
    both = played[name].result(timeout=120)
    assert both.happened_lines == list(STORIES[name].expected)
    assert both.foretold_lines == both.happened_lines
    for before, after in zip(both.foretold, both.happened, strict=True):
        assert abs(before.at_s - after.at_s) <= TOLERANCE_S, (before, after)
