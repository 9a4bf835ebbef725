"""How the original moves in the model: one request a step, errors taken for absence."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from model.peer import ZERO, Peer, Stage, decide, due, tick, works
from model.world import File, State, Step

if TYPE_CHECKING:
    from model.world import World


class PeerSteps:
    """The steps of client `who`, an original."""

    def __init__(self, world: World, who: int) -> None:
        self.world = world
        self.who = who
        self.setup = world.setup

    def mine(self, state: State) -> Peer:
        client = state.clients[self.who]
        assert isinstance(client, Peer)
        return client

    def works(self, state: State) -> bool:
        return works(self.mine(state))

    def was_refused(self, state: State) -> bool:
        return self.mine(state).stage is Stage.REFUSED

    def wrong(self, state: State) -> str:
        return ""

    def lets_time_pass(self, state: State) -> bool:
        peer = self.mine(state)
        return peer.stalled or not due(peer)

    def tick(self, state: State) -> Peer:
        return tick(self.mine(state), self.world.floor)

    def steps(self, state: State) -> Iterator[Step]:
        peer = self.mine(state)
        if peer.stage is Stage.IDLE:
            yield self._say("begins"), self._put(state, Peer(stage=Stage.FILE))
        if peer.stage is Stage.HELD:
            yield self._say("releases"), self._put(state, Peer(stage=Stage.DELETE))
        if peer.stage is Stage.DONE and self.setup.again and state.files[self.who] is None:
            yield self._say("starts over"), self._put(state, Peer())
        if peer.stage in (Stage.IDLE, Stage.DONE, Stage.DEAD):
            return
        if self._can(state, "stall") and not peer.stalled and due(peer):
            yield self._say("stalls"), _charge(self._put(state, peer._replace(stalled=True)))
        if self._can(state, "crash"):
            yield self._say("dies"), _charge(self._put(state, Peer(stage=Stage.DEAD)))
        if due(peer):
            yield from self._request(state, peer._replace(stalled=False))

    def _request(self, state: State, peer: Peer) -> Iterator[Step]:
        stage = peer.stage
        if stage in (Stage.FILE, Stage.CLAIM, Stage.HELD):
            yield from self._write(state, peer)
        elif stage is Stage.READ_OWN_TIME:
            yield from self._own_time(state, peer)
        elif stage is Stage.WAIT:
            yield self._say("wakes"), self._put(state, peer._replace(stage=Stage.LIST))
        elif stage is Stage.LIST:
            yield from self._list(state, peer)
        elif stage is Stage.READ_BODY:
            yield from self._body(state, peer)
        elif stage is Stage.READ_TIME:
            yield from self._time(state, peer)
        elif stage in (Stage.DELETE, Stage.REFUSED):
            gone = self._file(state, None)
            yield self._say("removes its file"), self._put(gone, Peer(stage=Stage.DONE))

    def _write(self, state: State, peer: Peer) -> Iterator[Step]:
        timing = self.setup.terms.timing
        if peer.stage is Stage.FILE:
            after, said = Peer(stage=Stage.READ_OWN_TIME), "writes pending"
        else:
            after = Peer(stage=Stage.HELD, timer=timing.refresh_ns)
            said = "writes acquired" if peer.stage is Stage.CLAIM else "refreshes"
        record = File(peer.stage is not Stage.FILE, 0, 0)
        yield self._say(said), self._put(self._file(state, record), after)
        if peer.stage is Stage.HELD and self._can(state, "put"):
            yield self._say("fails to refresh, silently"), _charge(self._put(state, after))

    def _own_time(self, state: State, peer: Peer) -> Iterator[Step]:
        file = state.files[self.who]
        wait = peer._replace(stage=Stage.WAIT, timer=self.setup.terms.timing.settle_ns)
        at = ZERO if file is None else file.at
        yield self._say("reads its own time"), self._put(state, wait._replace(own_time=at))
        if self._can(state, "head"):
            failed = self._put(state, wait._replace(own_time=ZERO))
            yield self._say("fails to read its own time"), _charge(failed)

    def _list(self, state: State, peer: Peer) -> Iterator[Step]:
        others = tuple(i for i, file in enumerate(state.files) if file is not None and i != self.who)
        listed = peer._replace(stage=Stage.READ_BODY, left=others)
        yield self._say(f"lists {len(others)} other files"), self._go_on(state, listed)
        if self._can(state, "list"):
            nothing = self._go_on(state, listed._replace(left=()))
            yield self._say("fails to list, and goes on"), _charge(nothing)
        if others and self._can(state, "stale"):
            nothing = self._go_on(state, listed._replace(left=()))
            yield self._say("lists none of the other files"), _charge(nothing)

    def _body(self, state: State, peer: Peer) -> Iterator[Step]:
        rival = peer.left[0]
        file = state.files[rival]
        if file is None:
            skipped = peer._replace(left=peer.left[1:])
            yield self._say(f"finds no file of {rival}"), self._go_on(state, skipped)
            return
        said = f"reads the body of {rival}, {'acquired' if file.acquired else 'pending'}"
        if self.setup.torn:
            read = peer._replace(stage=Stage.READ_TIME, body=file.acquired)
            yield self._say(said), self._put(state, read)
        else:
            yield self._say(said + ", and its time"), self._note(state, peer, file.acquired, file.at)
        if self._can(state, "read"):
            skipped = peer._replace(left=peer.left[1:])
            yield self._say(f"fails to read {rival}, and goes on"), _charge(self._go_on(state, skipped))

    def _time(self, state: State, peer: Peer) -> Iterator[Step]:
        rival = peer.left[0]
        file = state.files[rival]
        at = ZERO if file is None else file.at
        yield self._say(f"reads the time of {rival}"), self._note(state, peer, peer.body, at)
        if self._can(state, "head"):
            failed = self._note(state, peer, peer.body, ZERO)
            yield self._say(f"fails to read the time of {rival}, and goes on"), _charge(failed)

    def _note(self, state: State, peer: Peer, acquired: bool, at: int) -> State:
        seen = (*peer.seen, (peer.left[0], acquired, at))
        noted = peer._replace(stage=Stage.READ_BODY, left=peer.left[1:], seen=seen, body=False)
        return self._go_on(state, noted)

    def _go_on(self, state: State, peer: Peer) -> State:
        if not peer.left:
            skew = self.setup.skews[self.who]
            peer = decide(peer, self.who, self.setup.types, skew, self.setup.terms.timing)
        return self._put(state, peer)

    def _can(self, state: State, fault: str) -> bool:
        return self.world.can_fail(state, self.who, fault)

    def _say(self, text: str) -> str:
        return f"{self.who}: {text}"

    def _put(self, state: State, peer: Peer) -> State:
        clients = state.clients
        return state._replace(clients=(*clients[: self.who], peer, *clients[self.who + 1 :]))

    def _file(self, state: State, file: File | None) -> State:
        files = state.files
        return state._replace(files=(*files[: self.who], file, *files[self.who + 1 :]))


def _charge(state: State) -> State:
    return state._replace(budget=state.budget - 1)
