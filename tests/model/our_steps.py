"""How our client moves in the model: the driver's part, one request at a time, and what can go wrong."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from backuplock.protocol import HOLDING, Look, Phase, Remove, Write
from model.ours import LANDED
from model.peer import Peer
from model.world import (
    BROUGHT_BACK,
    MISJUDGED,
    UNKNOWING,
    WROTE_LATE,
    File,
    Flight,
    Ours,
    Request,
    State,
    Step,
)

if TYPE_CHECKING:
    from model.world import World


class OurSteps:
    """The steps of client `who`."""

    def __init__(self, world: World, who: int) -> None:
        self.world = world
        self.who = who
        self.book = world.books[who]
        self.setup = world.setup

    # --- what the world asks

    def mine(self, state: State) -> Ours:
        client = state.clients[self.who]
        assert isinstance(client, Ours)
        return client

    def works(self, state: State) -> bool:
        client = self.mine(state)
        return client.status == 1 and self.book.facts[client.claim].works

    def was_refused(self, state: State) -> bool:
        client = self.mine(state)
        return client.status == 1 and self.book.facts[client.claim].result == "refused"

    def wrong(self, state: State) -> str:
        client = self.mine(state)
        facts = self.book.facts[client.claim]
        if facts.lost and (facts.phase in HOLDING or isinstance(facts.action, Write)):
            return "S4: a lost lease lives on"
        if client.broken == BROUGHT_BACK:
            return "S4: a removed lock was brought back"
        if client.broken == WROTE_LATE:
            return "S4: a write after the lease"
        if client.broken == MISJUDGED:
            return "J1: a lock in use was judged dead"
        done = client.status == 1 and facts.phase is Phase.DONE
        claim = self.book.claims[client.claim]
        assert claim.outcome is not None or not done
        if (
            done
            and claim.outcome
            and not claim.outcome.left
            and not claim.unanswered
            and state.files[self.who]
        ):
            return "S5: the file of a lock that is over is still there"
        return ""

    def lets_time_pass(self, state: State) -> bool:
        client = self.mine(state)
        if client.status != 1 or client.stalled:
            return True
        if client.request is not None and client.request.kind == "w" and client.request.stage == 1:
            return client.lag < self.setup.early
        return client.lag < self.setup.lag or not self._due(client)

    def _due(self, client: Ours) -> bool:
        return self.book.facts[client.claim].due_in == 0

    def tick(self, state: State) -> Ours:
        client = self.mine(state)
        if client.status == 0 or client.status > 1:
            return client
        lag = client.lag
        if self._due(client):
            lag = min(lag + 1, max(1, self.setup.lag, self.setup.early))
        request = client.request
        if request is not None:
            least = -self.world.floor
            own = request.own
            if own is not None and own[1] is not None:
                own = (own[0], max(own[1] - 1, least))
            request = request._replace(
                began=max(request.began - 1, least),
                stamp=max(request.stamp - 1, least) if request.kind == "w" and request.stage else 0,
                own=own,
                reads=tuple((who, is_acquired, max(at - 1, least)) for who, is_acquired, at in request.reads),
            )
        return client._replace(claim=self.book.tick(client.claim), request=request, lag=lag)

    # --- steps

    def steps(self, state: State) -> Iterator[Step]:
        client = self.mine(state)
        if client.status == 0:
            yield self._say("begins"), self._become(state, client._replace(status=1), client.claim)
            return
        if client.status > 1:
            return
        facts = self.book.facts[client.claim]
        if facts.phase in (Phase.HELD, Phase.LOST):
            yield self._say("releases"), self._become(state, client, self.book.asked(client.claim))
        if facts.phase is Phase.DONE:
            if self._may_start_over(state, client):
                fresh = Ours(claim=self.book.first)
                yield self._say("starts over"), self._put(state, fresh)
            return
        yield from self._general_faults(state, client)
        if not self._due(client):
            return
        request = client.request
        if request is None:
            yield self._say("wakes"), self._become(state, client, self.book.woke(client.claim))
        elif request.kind == "w":
            yield from self._write(state, client, request)
        elif request.kind == "l":
            yield from self._look(state, client, request)
        else:
            yield from self._remove(state, client, request)

    def _general_faults(self, state: State, client: Ours) -> Iterator[Step]:
        if self._can(state, "stall") and not client.stalled and self._due(client):
            yield self._say("stalls"), _charge(self._put(state, client._replace(stalled=True)))
        if self._can(state, "crash"):
            held = self.book.facts[client.claim].works and not client.broken
            dead = Ours(status=3 if held else 2, claim=self.book.first)
            yield self._say("dies"), _charge(self._put(state, dead))
        if self._can(state, "break") and not client.broken:
            file = state.files[self.who]
            if file is not None and file.acquired and self.book.facts[client.claim].phase in HOLDING:
                broken = self._put(state, client._replace(broken=1))
                yield self._say("has its lock broken"), _charge(self._file(broken, None))

    def _write(self, state: State, client: Ours, request: Request) -> Iterator[Step]:
        if request.stage == 2:
            if client.lag:
                yield self._say("hears that its write is done"), self._wrote(state, client, request)
            return
        action = self.book.facts[client.claim].action
        assert isinstance(action, Write)
        if request.stage == 0 and self.setup.early:
            stamped = client._replace(request=request._replace(stage=1, stamp=0), lag=0, stalled=False)
            yield self._say("has its write stamped"), self._put(state, stamped)
        if request.stage == 1 and not client.lag:
            return
        stamp = request.stamp if request.stage == 1 else 0
        there = state.files[self.who]
        claim = client.claim
        if action.if_match and (there is None or str(there.serial) != action.if_match):
            refused = self.book.failed(claim, request.began, ambiguous=False, conflict=True)
            yield self._say("has its conditional write refused"), self._become(state, client, refused)
            return
        if client.broken in (1, 2):
            knew = client.broken == 2 or self.setup.terms.conditional
            client = client._replace(broken=BROUGHT_BACK if knew else UNKNOWING)
        landed = self._file(state, File(action.acquired, stamp, action.serial))
        landed = self._note_first(landed)
        done = request._replace(stage=2, stamp=stamp)
        yield self._say(f"writes {_kind(action.acquired)}"), self._wrote(landed, client, done)
        yield from self._delay_answer(landed, client, done)
        if self._can(state, "put"):
            failed = self.book.failed(claim, request.began, ambiguous=True)
            yield self._say("fails to write"), _charge(self._become(state, client, failed))
            yield self._say("writes, and hears nothing"), _charge(self._become(landed, client, failed))
        if self._can(state, "late"):
            flight = Flight(self.who, action.acquired, action.serial, action.if_match)
            failed = self.book.failed(claim, request.began, ambiguous=True)
            flying = state._replace(flights=tuple(sorted((*state.flights, flight))))
            yield self._say("gives up a write that will land"), _charge(self._become(flying, client, failed))

    def _wrote(self, state: State, client: Ours, request: Request) -> State:
        action = self.book.facts[client.claim].action
        assert isinstance(action, Write)
        after = self.book.wrote(
            client.claim,
            request.began,
            request.stamp,
            action.serial,
            self.setup.tells_time,
            self.setup.dates,
        )
        return self._become(state, client, after)

    def _look(self, state: State, client: Ours, request: Request) -> Iterator[Step]:
        if request.stage == 2:
            if client.lag:
                yield self._say("hears the end of its look"), self._saw(state, client, request)
            return
        if request.stage == 0:
            yield from self._list(state, client, request)
            return
        rival, rest = request.left[0], request.left[1:]
        file = state.files[rival]
        reads = request.reads
        if file is not None:
            reads = (*reads, (rival, file.acquired, file.at))
        yield from self._read_on(
            state, client, request._replace(left=rest, reads=reads), f"reads {_show(file)} of {rival}"
        )
        if self._can(state, "read"):
            unread = request._replace(left=rest, reads=(*request.reads, (rival, None, 0)))
            yield from self._read_on(_charge(state), client, unread, f"fails to read the file of {rival}")

    def _list(self, state: State, client: Ours, request: Request) -> Iterator[Step]:
        if client.broken == 1:
            client = client._replace(broken=2)
        mine = state.files[self.who]
        own = None if mine is None else (mine.serial, None)
        others = tuple(i for i, file in enumerate(state.files) if file is not None and i != self.who)
        listed = request._replace(stage=1, own=own, left=others)
        yield from self._read_on(state, client, listed, f"lists {len(others) + (own is not None)} files")
        if others and self._can(state, "stale"):
            for hidden in others:
                less = listed._replace(left=tuple(i for i in others if i != hidden))
                yield from self._read_on(_charge(state), client, less, f"lists all but the file of {hidden}")
        if self._can(state, "empty"):
            nothing = listed._replace(own=None, left=())
            yield from self._read_on(_charge(state), client, nothing, "lists nothing at all")
        if self._can(state, "list"):
            failed = self.book.failed(client.claim, request.began, ambiguous=False)
            yield self._say("fails to list"), _charge(self._become(state, client, failed))

    def _read_on(self, state: State, client: Ours, request: Request, said: str) -> Iterator[Step]:
        """After a listing or a read: the next read, or our own, or the end of the look."""
        moved = client._replace(lag=0, stalled=False)
        if request.left:
            yield self._say(said), self._put(state, moved._replace(request=request))
            return
        if request.own is not None and self.book.needs_own(client.claim, request.own[0], request.reads):
            mine = state.files[self.who]
            said += " and its own"
            request = request._replace(own=None if mine is None else (mine.serial, mine.at))
            if self._can(state, "read"):
                failed = self.book.failed(client.claim, request.began, ambiguous=False)
                yield self._say(said + " in vain"), _charge(self._become(state, client, failed))
        request = request._replace(stage=2)
        yield self._say(said), self._saw(state, client, request)
        yield from self._delay_answer(state, client, request)

    def _saw(self, state: State, client: Ours, request: Request) -> State:
        look = (client.claim, request.began, request.own, request.reads)
        after = self.book.saw(*look, self.setup.dates)
        for who in self.book.judged_dead(*look):
            in_use = self.world.drivers[who].works(state) and self.setup.kinds[who] == "o"
            if in_use and not self.world.is_broken(state, self.who, who):
                client = client._replace(broken=MISJUDGED)
        return self._become(state, client, after)

    def _remove(self, state: State, client: Ours, request: Request) -> Iterator[Step]:
        gone = self._file(state, None)
        yield self._say("removes its file"), self._become(gone, client, self.book.removed(client.claim))
        if self._can(state, "delete"):
            failed = self.book.failed(client.claim, request.began, ambiguous=True)
            yield self._say("fails to remove its file"), _charge(self._become(state, client, failed))
            yield (
                self._say("removes its file, and hears nothing"),
                _charge(self._become(gone, client, failed)),
            )

    # --- parts

    def _delay_answer(self, state: State, client: Ours, request: Request) -> Iterator[Step]:
        """The answer to what was just done takes its time."""
        waiting = client._replace(request=request, lag=0, stalled=False)
        if self.setup.lag:
            yield self._say("waits for the answer"), self._put(state, waiting)
        elif self._can(state, "stall"):
            stalled = self._put(state, waiting._replace(stalled=True))
            yield self._say("stalls before the answer"), _charge(stalled)

    def _can(self, state: State, fault: str) -> bool:
        return self.world.can_fail(state, self.who, fault)

    def _say(self, text: str) -> str:
        return f"{self.who}: {text}"

    def _put(self, state: State, client: Ours) -> State:
        clients = state.clients
        return state._replace(clients=(*clients[: self.who], client, *clients[self.who + 1 :]))

    def _file(self, state: State, file: File | None) -> State:
        files = state.files
        return state._replace(files=(*files[: self.who], file, *files[self.who + 1 :]))

    def _become(self, state: State, client: Ours, cid: int) -> State:
        """The client's claim has become `cid`; its next request is sent at once."""
        facts = self.book.facts[cid]
        action = facts.action
        if isinstance(action, Write) and action.before is not None and action.before <= self.book.now:
            woken = self.book.woke(cid)
            if woken == cid:
                return self._put(state, client._replace(claim=cid, request=None, broken=WROTE_LATE))
            return self._become(state, client, woken)
        kind = {Write: "w", Look: "l", Remove: "r"}.get(type(action))
        request = None if kind is None else Request(kind)
        if isinstance(action, Write) and not action.acquired:
            client = client._replace(broken=0)
        client = client._replace(claim=cid, request=request, lag=0, stalled=False)
        return self._rebase(self._put(state, client))

    def _rebase(self, state: State) -> State:
        """Count serials from the version that landed last, so that renewals do not count up for ever."""
        client = self.mine(state)
        claim = self.book.claims[client.claim]
        file = state.files[self.who]
        flights = [flight for flight in state.flights if flight.who == self.who]
        alive = {flight.serial for flight in flights} | ({file.serial} if file is not None else set())
        by = claim.landed - LANDED if claim.landed >= 1 else 0
        if not by and claim.unanswered <= alive:
            return state
        serials = self._renumber(alive | {claim.landed, claim.serial}, by)
        client = client._replace(claim=self.book.rebase(client.claim, serials))
        if file is not None:
            state = self._file(state, file._replace(serial=serials[file.serial]))
        others = [flight for flight in state.flights if flight.who != self.who]
        moved = [
            flight._replace(serial=serials[flight.serial], if_match=self._condition(flight, serials))
            for flight in flights
            # What waits for a version that was overwritten never lands.
            if not flight.if_match or int(flight.if_match) >= claim.landed
        ]
        return self._put(state._replace(flights=tuple(sorted(others + moved))), client)

    @staticmethod
    def _renumber(alive: set[int], by: int) -> dict[int, int]:
        """New numbers for those that matter: old ones close up, but stay distinct and in order."""
        numbers: dict[int, int] = {}
        least = LANDED + 9
        for serial in sorted(alive, reverse=True):
            moved = serial - by
            least = numbers[serial] = moved if moved >= LANDED else min(least, LANDED) - 1
        return numbers

    @staticmethod
    def _condition(flight: Flight, serials: dict[int, int]) -> str:
        return str(serials.get(int(flight.if_match), LANDED)) if flight.if_match else ""

    def _may_start_over(self, state: State, client: Ours) -> bool:
        return (
            self.setup.again
            and state.files[self.who] is None
            and not any(flight.who == self.who for flight in state.flights)
        )

    def _note_first(self, state: State) -> State:
        """Who comes first among pendings that were all there before anybody looked."""
        if "F1" not in self.setup.checks or state.first >= 0 or None in state.files:
            return state
        for i, client in enumerate(state.clients):
            file = state.files[i]
            if isinstance(client, Peer) or file is None or file.acquired:
                return state
            phase = self.world.books[i].facts[client.claim].phase
            if phase not in (Phase.FILING, Phase.QUEUEING):
                return state
        ranks = [(file.at, i) for i, file in enumerate(state.files) if file is not None]
        return state._replace(first=min(ranks)[1])


def _charge(state: State) -> State:
    return state._replace(budget=state.budget - 1)


def _kind(acquired: bool) -> str:
    return "acquired" if acquired else "pending"


def _show(file: File | None) -> str:
    return "nothing" if file is None else _kind(file.acquired)
