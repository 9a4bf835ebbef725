"""Waiting for a lock is a loop around attempts; between them nothing of ours is in the store.

A pending record with an earlier time keeps the other type out, so whoever waits must not leave one
(Longhorn's own wait did, and was taken out before release).
"""

from __future__ import annotations

from dataclasses import dataclass

from backuplock.clock import SECOND
from backuplock.protocol.claim import Outcome, Result, Terms


@dataclass(frozen=True, slots=True)
class Backoff:
    """Pauses between attempts: `first`, doubled each time, `most` at most; cut by jitter to half at least."""

    first: int = SECOND
    most: int = 10 * SECOND


DEFAULT_BACKOFF = Backoff()


def next_attempt(
    terms: Terms,
    outcome: Outcome,
    *,
    at: int,
    deadline: int,
    tries: int,
    jitter: float,
    backoff: Backoff = DEFAULT_BACKOFF,
) -> int | None:
    """When to try again after an attempt that ended in `outcome`; None: give up.

    The last attempt begins one settle wait before the deadline, so that it is decided about then.

    Args:
        at: lease time now. deadline: lease time after which no attempt begins.
        tries: attempts made so far, at least 1.
        jitter: evenly random in [0, 1), from outside.
    """
    if outcome.result not in (Result.REFUSED, Result.FAILED) or outcome.final:
        return None
    room = deadline - terms.timing.settle_ns - at
    if room <= 0:
        return None
    pause = min(backoff.first << min(tries - 1, 30), backoff.most)
    return at + min(room, max(1, pause - int(pause * jitter / 2)))
