"""The abstract world of the model: clients, an object store, faults; every request a step of its own.

Time is discrete and relative: all instants count from "now", and a tick makes everything one older. Ages
are clamped where more age makes no difference, so the state space is finite although runs are not.

A request of ours is sent (its `began`), takes effect, and is answered; time may pass in between: as much as
`lag` ticks for a client that is in order, any amount for one that is stalled (a fault).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from backuplock.protocol import Look, Phase, Remove, Terms, Write
from backuplock.rules import Timing
from model.ours import Book
from model.peer import Peer

TICKS = Timing(duration_ns=5, refresh_ns=2, settle_ns=1, slack_ns=0)
"""One tick is about half a minute of the real periods: lease 5, Longhorn's refresh 2, settle wait 1."""


def terms(**changes: object) -> Terms:
    """Our terms in ticks: margin 2 (so our lease is 3), renewal after 1."""
    base: dict[str, object] = {
        "timing": TICKS,
        "margin": 2,
        "renew": 1,
        "retry": 1,
        "poll": 1,
        "removals": 2,
        "closing_look": False,
    }
    return Terms(**(base | changes))  # type: ignore[arg-type]


BROUGHT_BACK, WROTE_LATE, UNKNOWING, MISJUDGED = 3, 4, 5, 6
"""Values of `Ours.broken` beyond those told there: three violations, and (unknowing) a removed record that
came back without its owner being able to know."""


class File(NamedTuple):
    """One lock file: the record, its store time (0 is now), and the serial in the body (ours)."""

    acquired: bool
    at: int
    serial: int


class Request(NamedTuple):
    """A request of ours under way.

    `kind` w, l, r: write, look, removal. `stage`: 0 sent; write: 1 stamped and not yet visible, 2 done,
    answer under way; look: 1 listed and reading, 2 all read, answer under way. `own`: our own serial as
    listed, and its time if it was read. `left`: files still to read. `reads`: what was read.
    """

    kind: str
    began: int = 0
    stage: int = 0
    stamp: int = 0
    own: tuple[int, int | None] | None = None
    left: tuple[int, ...] = ()
    reads: tuple[tuple[int, bool | None, int], ...] = ()


class Ours(NamedTuple):
    """One of our clients. `status`: 0 not begun, 1 alive, 2 dead, 3 dead while it held. `broken`: 1 its file
    was removed by somebody, 2 and it has listed the folder since."""

    status: int = 0
    claim: int = 0
    request: Request | None = None
    lag: int = 0
    stalled: bool = False
    broken: int = 0


class Flight(NamedTuple):
    """A write that its sender gave up, and that the store will execute some time."""

    who: int
    acquired: bool
    serial: int
    if_match: str


class State(NamedTuple):
    """The whole world. `first`: who came first among simultaneous pendings (-1: not decided)."""

    clients: tuple[Ours | Peer, ...]
    files: tuple[File | None, ...]
    flights: tuple[Flight, ...] = ()
    budget: int = 0
    first: int = -1


@dataclass(frozen=True)
class Setup:
    """One model: who takes part, what may go wrong, what is checked.

    Attributes:
        kinds: "o" ours, "p" the original ("peer"), one letter each.
        types: lock types.
        terms: ours.
        lag: ticks a step of a client in order may take.
        budget: how many faults may happen. faults: of which kinds. victims: to whom.
        skews: local clock minus the store's, each client's.
        torn: the original reads body and time by two requests; else by one.
        tells_time: the store's answer to a write tells the new version's time. dates: every answer of the
            store tells its clock.
        early: ticks by which a write may be stamped before it becomes visible.
        again: clients start over.
        checks: "F1", "L1", "L2", "R1" beside the invariants that are always checked.
        begin: the state to start from, None for an empty store.
    """

    kinds: str = "oo"
    types: tuple[int, ...] = (1, 2)
    terms: Terms = field(default_factory=terms)
    lag: int = 0
    budget: int = 0
    faults: frozenset[str] = frozenset()
    victims: tuple[int, ...] = (0, 1, 2)
    skews: tuple[int, ...] = (0, 0, 0)
    torn: bool = True
    tells_time: bool = True
    dates: bool = False
    early: int = 0
    again: bool = False
    checks: frozenset[str] = frozenset()
    begin: State | None = None


Step = tuple[str, State]


class World:
    """The steps of a setup, and its invariants."""

    def __init__(self, setup: Setup) -> None:
        from model.our_steps import OurSteps
        from model.peer_steps import PeerSteps

        self.setup = setup
        self.floor = setup.terms.timing.duration_ns + setup.terms.lease + 2
        self.books = [
            Book(i, setup.types[i], setup.terms, setup.types, setup.skews[i]) for i in range(len(setup.kinds))
        ]
        self.drivers = [
            (OurSteps if kind == "o" else PeerSteps)(self, index) for index, kind in enumerate(setup.kinds)
        ]
        self._older: dict[File | None, File | None] = {}

    def initial(self) -> State:
        if self.setup.begin is not None:
            return self.setup.begin
        clients: list[Ours | Peer] = [
            Ours(claim=self.books[i].first) if kind == "o" else Peer()
            for i, kind in enumerate(self.setup.kinds)
        ]
        return State(tuple(clients), (None,) * len(clients), budget=self.setup.budget)

    def steps(self, state: State) -> Iterator[Step]:
        """Every step that is possible."""
        for driver in self.drivers:
            yield from driver.steps(state)
        for flight in state.flights:
            yield f"{flight.who}: a write it gave up lands", self.land_flight(state, flight)
        if all(driver.lets_time_pass(state) for driver in self.drivers):
            later = self.tick(state)
            if later != state:
                yield "tick", later

    def can_fail(self, state: State, who: int, fault: str) -> bool:
        return state.budget > 0 and fault in self.setup.faults and who in self.setup.victims

    def tick(self, state: State) -> State:
        clients = tuple(driver.tick(state) for driver in self.drivers)
        files = tuple(self.older(file) for file in state.files)
        return state._replace(clients=clients, files=files)

    def older(self, file: File | None) -> File | None:
        known = self._older.get(file, ...)
        if known is ...:
            known = None if file is None else file._replace(at=max(file.at - 1, -self.floor))
            self._older[file] = known
        return known

    def land_flight(self, state: State, flight: Flight) -> State:
        files = state.files
        there = files[flight.who]
        clients = state.clients
        sender = clients[flight.who]
        if not flight.if_match or (there is not None and str(there.serial) == flight.if_match):
            files = _set(files, flight.who, File(flight.acquired, 0, flight.serial))
            if there is None and isinstance(sender, Ours) and sender.broken:
                # The store brings a removed record back by itself; its sender can not tell.
                sender = sender._replace(broken=UNKNOWING)
                clients = (*clients[: flight.who], sender, *clients[flight.who + 1 :])
        flights = tuple(other for other in state.flights if other is not flight)
        if isinstance(sender, Ours) and sender.status == 3:
            # What a dead client's lost write brings back is no lease any more (its own had to be counted).
            clients = (*clients[: flight.who], sender._replace(status=2), *clients[flight.who + 1 :])
        return state._replace(clients=clients, files=files, flights=flights)

    def violation(self, state: State) -> str:
        """Which invariant a state breaks, in words; empty if none."""
        setup = self.setup
        working = [i for i, driver in enumerate(self.drivers) if driver.works(state)]
        for place, i in enumerate(working):
            for j in working[place + 1 :]:
                if setup.types[i] != setup.types[j] and not self.is_broken(state, i, j):
                    name = {"oo": "S1", "pp": "original"}.get(setup.kinds[i] + setup.kinds[j], "S2")
                    return f"{name}: {i} and {j} hold opposite types"
        for i in working:
            for j, client in enumerate(state.clients):
                died = isinstance(client, Ours) and client.status == 3 and not self.is_broken(state, i)
                if died and setup.types[i] != setup.types[j]:
                    file = state.files[j]
                    if file is not None and -file.at <= setup.terms.timing.duration_ns:
                        return f"S3: {i} holds beside the unexpired lease of {j}, which died"
        for i, driver in enumerate(self.drivers):
            wrong = driver.wrong(state)
            if wrong:
                return f"{wrong} ({i})"
        return self._progress(state)

    @staticmethod
    def is_broken(state: State, *pair: int) -> bool:
        """Whether one of them lost its file to somebody who broke the lock: no client can prevent that."""
        clients = (state.clients[i] for i in pair)
        return any(isinstance(client, Ours) and client.broken for client in clients)

    def _progress(self, state: State) -> str:
        checks = self.setup.checks
        if not checks:
            return ""
        claims = [
            self.books[i].facts[client.claim]
            for i, client in enumerate(state.clients)
            if isinstance(client, Ours)
        ]
        over = all(facts.phase is Phase.DONE for facts in claims)
        if "L2" in checks and over and not any(facts.granted for facts in claims):
            return "L2: two prompt rivals, and neither won"
        if "L1" in checks and claims[-1].phase is Phase.DONE and not claims[-1].granted:
            return "L1: refused by a lock that had died long enough ago"
        if "R1" in checks and any(facts.lost for facts in claims):
            return "R1: one failed renewal lost a lease"
        if "F1" in checks and state.first >= 0:
            for i, client in enumerate(state.clients):
                if (
                    isinstance(client, Ours)
                    and self.books[i].facts[client.claim].granted
                    and i != state.first
                ):
                    return f"F1: {i} won although {state.first} came first"
        return ""


def _set(files: tuple[File | None, ...], who: int, file: File | None) -> tuple[File | None, ...]:
    return (*files[:who], file, *files[who + 1 :])


__all__ = [
    "BROUGHT_BACK",
    "MISJUDGED",
    "UNKNOWING",
    "WROTE_LATE",
    "File",
    "Flight",
    "Look",
    "Ours",
    "Remove",
    "Request",
    "Setup",
    "State",
    "Step",
    "World",
    "Write",
    "terms",
]
