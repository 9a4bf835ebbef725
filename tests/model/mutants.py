"""Our protocol with one guard taken out, each: the model must miss the guard, or it proves nothing.

A mutant replaces one function of the shipped package while it is searched; nothing of this can be switched
on in the library.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any
from unittest.mock import patch

from backuplock.protocol import (
    HOLDING,
    Action,
    Claim,
    Event,
    Failed,
    Own,
    Phase,
    Saw,
    Terms,
    Write,
    sight,
    steps,
)
from backuplock.protocol.sight import Sight

_real_action = steps.action
_real_judge = sight.judge
_real_lapsed = steps.lapsed
_real_settle = steps._settle
_real_check = steps._check
_real_step = steps._step
_real_failed = steps._failed


def _win(claim: Claim, _sight: Sight, _event: Saw) -> Claim:
    wake = claim.until - claim.terms.lease + claim.terms.renew
    return replace(claim, phase=Phase.HELD, granted=True, wake=wake)


def _settle_for_acquired(claim: Claim, seen: Sight, event: Saw) -> Claim:
    return _real_settle(replace(claim, polled=frozenset()), replace(seen, earlier=(), later=()), event)


def _settle_for_earlier(claim: Claim, seen: Sight, event: Saw) -> Claim:
    """Pendings that our own pending record came before are not watched."""
    if claim.stamp is None:  # its time is not known: every pending may have come before
        return _real_settle(claim, seen, event)
    limit = (claim.stamp + claim.terms.timing.duration_ns, claim.name)
    before = tuple(one for one in seen.pending if one.ends is not None and (one.ends, one.name) < limit)
    return _real_settle(replace(claim, polled=frozenset()), replace(seen, earlier=before, later=()), event)


def _settle_at_once(claim: Claim, seen: Sight, event: Saw) -> Claim:
    """Gone from one listing is gone."""
    pending = frozenset(blocker.key for blocker in seen.pending)
    if claim.settling:
        return _real_settle(replace(claim, missing=claim.polled), seen, event)
    return _real_settle(replace(claim, polled=claim.polled & pending), seen, event)


def _remaining_without_latch(claim: Claim, at: int) -> int:
    return max(0, claim.until - at) if claim.phase in HOLDING else 0


def _remaining_for_ever(claim: Claim, at: int) -> int:
    return 1 if claim.phase in HOLDING else 0


def _never(claim: Claim, at: int) -> bool:
    return False


def _lapsed_if_held(claim: Claim, at: int) -> bool:
    return claim.phase in HOLDING and _real_lapsed(claim, at)


def _untimed_action(claim: Claim) -> Action:
    action = _real_action(claim)
    if isinstance(action, Write) and claim.phase is Phase.CLAIMING:
        return replace(action, before=None)
    return action


def _until_from_end(terms: Terms, began: int, ended: int) -> int:
    return ended + terms.lease


def _now_at_end(claim: Claim, saw: Saw) -> int | None:
    return None if claim.anchor is None else saw.ended + claim.anchor


def _now_by_lease_time(claim: Claim, saw: Saw) -> int | None:
    return None if claim.anchor is None else saw.began + claim.anchor


def _now_by_local_clock(claim: Claim, saw: Saw) -> int | None:
    return saw.began


def _judge_open(claim: Claim, saw: Saw) -> Sight:
    return replace(_real_judge(claim, saw), unreadable=(), blind=False)


def _fail_open(claim: Claim, event: Failed) -> Claim:
    if claim.phase in (Phase.CHECKING, Phase.SETTLING):
        nobody = Saw(event.began, event.ended, None)
        return (steps._check if claim.phase is Phase.CHECKING else steps._settle)(claim, Sight(), nobody)
    return _real_failed(claim, event)


def _saw_without_own(claim: Claim, event: Event) -> Claim:
    """A look that lacks our own record is taken for good."""
    if isinstance(event, Saw) and event.own is None and claim.phase is not Phase.LOOKING:
        event = replace(event, own=Own(claim.etag, 0, None))
    return _real_step(claim, event)


def _renew_blindly(claim: Claim, event: Saw) -> Claim:
    return replace(claim, phase=Phase.RENEWING, serial=claim.serial + 1)


def _out_of_order(claim: Claim, seen: Sight, event: Saw) -> Claim:
    """Claim beside earlier pendings: no order."""
    return _real_check(claim, replace(seen, earlier=()), event)


MUTANTS: dict[str, tuple[tuple[Any, str, Callable[..., Any]], ...]] = {
    "no settle": ((steps, "_settle", _win),),
    "settle watches acquired rivals only": ((steps, "_settle", _settle_for_acquired),),
    "settle watches earlier pendings only": ((steps, "_settle", _settle_for_earlier),),
    "one missing look ends a watch": ((steps, "_settle", _settle_at_once),),
    "no latch": ((steps, "lapsed", _never), (steps, "remaining", _remaining_without_latch)),
    "no stop-work": ((steps, "remaining", _remaining_for_ever),),
    "lease from the end of the write": ((steps, "renewed_until", _until_from_end),),
    "expiry judged late, attempts not timed": (
        (sight, "store_now", _now_at_end),
        (steps, "lapsed", _lapsed_if_held),
        (steps, "action", _untimed_action),
    ),
    "attempts not timed": ((steps, "lapsed", _lapsed_if_held),),
    "expiry by the local clock": ((sight, "store_now", _now_by_local_clock),),
    "unreadable files ignored": ((steps, "judge", _judge_open),),
    "failed listings taken for empty": ((steps, "_failed", _fail_open),),
    "own record not looked for": ((steps, "_step", _saw_without_own),),
    "blind renewal": ((steps, "_look_to_renew", _renew_blindly),),
    "no order among pendings": ((steps, "_check", _out_of_order),),
}


STEPPED: dict[str, tuple[tuple[Any, str, Callable[..., Any]], ...]] = {
    "steps of the wall clock age others": ((sight, "store_now", _now_by_lease_time),),
}
"""Mutants that show only where wall clocks are set: in the simulation, not in the model."""


@contextmanager
def mutant(name: str) -> Iterator[None]:
    """Run the shipped protocol without one of its guards."""
    with ExitStack() as stack:
        for module, attribute, function in (MUTANTS | STEPPED)[name]:
            stack.enter_context(patch.object(module, attribute, function))
        yield
