"""The original as a step machine: Longhorn's client, written from the description of its protocol.

write own record, read back its time, wait, list, for each file read the body and then, in another
request, the time; refused iff somebody of another type sorts before and is not expired by the *local*
clock. Errors count as absence. A granted lock is rewritten blindly for ever, until released. It is a model
of the peer, kept with the tests; nothing of the library uses it, except that the decision is
`rules.can_acquire`, which agrees with recorded decisions of the real one.
"""

from __future__ import annotations

import enum
from typing import NamedTuple

from backuplock.rules import Contender, Timing, can_acquire

NAMES = "abc"
ZERO = -1_000
"""The time of what could not be read: long ago."""


class Stage(enum.IntEnum):
    """What the original does next."""

    IDLE = 0
    FILE = 1
    READ_OWN_TIME = 2
    WAIT = 3
    LIST = 4
    READ_BODY = 5
    READ_TIME = 6
    CLAIM = 7
    HELD = 8
    DELETE = 9
    DONE = 10
    DEAD = 11
    REFUSED = 12


class Peer(NamedTuple):
    """An original client. Times are relative to now.

    `timer`: ticks until the wait or the refresh interval ends. `left`: files listed and not yet read.
    `body`: what the body said of the file whose time is read next. `seen`: (client, acquired, time).
    """

    stage: Stage = Stage.IDLE
    timer: int = 0
    own_time: int = 0
    left: tuple[int, ...] = ()
    body: bool = False
    seen: tuple[tuple[int, bool, int], ...] = ()
    lag: int = 0
    stalled: bool = False


def due(peer: Peer) -> bool:
    """Whether it has something to do now."""
    if peer.stage in (Stage.WAIT, Stage.HELD):
        return peer.timer <= 0
    return peer.stage not in (Stage.IDLE, Stage.DONE, Stage.DEAD)


def works(peer: Peer) -> bool:
    """Whether it believes it holds its lock: it never doubts that."""
    return peer.stage is Stage.HELD


def tick(peer: Peer, floor: int) -> Peer:
    """One tick later."""
    return peer._replace(
        timer=max(0, peer.timer - 1),
        own_time=_older(peer.own_time, floor),
        seen=tuple((who, acquired, _older(at, floor)) for who, acquired, at in peer.seen),
    )


def _older(at: int, floor: int) -> int:
    return at if at == ZERO else max(at - 1, -floor)


def decide(peer: Peer, index: int, types: tuple[int, ...], skew: int, timing: Timing) -> Peer:
    """All files are read: claim or withdraw."""
    mine = Contender(NAMES[index], types[index], False, peer.own_time)
    others = [Contender(NAMES[who], types[who], acquired, at) for who, acquired, at in peer.seen]
    free = can_acquire(mine, others, skew, timing)
    return peer._replace(
        stage=Stage.CLAIM if free else Stage.REFUSED, own_time=0, left=(), body=False, seen=()
    )
