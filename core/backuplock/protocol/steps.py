"""The state machine: `start` and `advance`, pure functions.

The action that follows is a function of the claim alone (`action`), so a claim is all there is to keep.
"""

from __future__ import annotations

from dataclasses import replace

from backuplock.protocol.claim import (
    HOLDING,
    Claim,
    LossReason,
    Outcome,
    Phase,
    Result,
    Terms,
)
from backuplock.protocol.endings import conflict, done, fail, leave, lose, refuse
from backuplock.protocol.events import (
    Action,
    Event,
    Failed,
    Look,
    ReleaseAsked,
    Remove,
    Removed,
    Rest,
    Saw,
    Sleep,
    Stop,
    Woke,
    Write,
    Wrote,
)
from backuplock.protocol.sight import Sight, is_older, judge, recognise

_WRITING = frozenset({Phase.FILING, Phase.CLAIMING, Phase.RENEWING})
_LOOKS = frozenset({Phase.CHECKING, Phase.SETTLING, Phase.LOOKING, Phase.CLOSING})
_SLEEPING = frozenset({Phase.QUEUEING, Phase.POLLING, Phase.HELD, Phase.PAUSING})
_ATTEMPTING = frozenset({Phase.QUEUEING, Phase.CHECKING, Phase.CLAIMING, Phase.SETTLING, Phase.POLLING})

TOO_SLOW = "the store or this machine was too slow: our own record would have expired"
NOT_LISTED = "the store's listing lacks the record we had just written"
NOT_OURS = "our own record is not as we left it"
NO_MEASURE = "our own record's time could not be learned, so nobody's age can be judged"
TIME_GAP = "by the store's own times the lease had run out before it was renewed"


def start(terms: Terms, *, key: str, name: str, lock_type: int) -> tuple[Claim, Action]:
    """Begin an attempt: a lock file of this key, `Name` and `LockType`. Each attempt needs a fresh name."""
    claim = Claim(terms, key, name, int(lock_type))
    return claim, action(claim)


def action(claim: Claim) -> Action:
    """What a claim wants done next."""
    phase = claim.phase
    if phase in _WRITING:
        return Write(
            acquired=phase is not Phase.FILING,
            serial=claim.serial,
            if_match=claim.etag if claim.terms.conditional else "",
            before=None if phase is Phase.FILING else claim.until,
        )
    if phase in _LOOKS:
        return Look()
    if phase in _SLEEPING:
        return Sleep(claim.wake)
    if phase is Phase.LEAVING:
        return Remove()
    if phase is Phase.LOST:
        return Rest()
    assert claim.outcome is not None
    return Stop(claim.outcome)


def advance(claim: Claim, event: Event) -> tuple[Claim, Action]:
    """What the claim becomes by an event, and what it wants done next.

    Every action is answered by one event, except that `ReleaseAsked` may be fed instead of performing any
    action. What the events mean is said at their classes.

    Raises:
        ValueError: the event does not answer the action that was asked for.
    """
    claim = _step(claim, event)
    return claim, action(claim)


def remaining(claim: Claim, at: int) -> int:
    """How long the lease is still ours at this lease time; 0 if it is lost or was never won.

    Plain arithmetic: it holds whatever the machine that renews is doing (rule 8).
    """
    if claim.phase not in HOLDING or lapsed(claim, at):
        return 0
    return claim.until - at


def lapsed(claim: Claim, at: int) -> bool:
    """Whether our own clock says that what we wrote last no longer counts (rule 4)."""
    return at >= claim.until


def renewed_until(terms: Terms, began: int, ended: int) -> int:
    """The lease time until which a write counts, given when it began and ended: from its start (rule 4),
    for the store may have stamped it the moment it was sent."""
    del ended
    return began + terms.lease


def _step(claim: Claim, event: Event) -> Claim:
    if claim.phase is Phase.DONE:
        return claim
    if isinstance(event, Wrote | Failed) and _is_writing(claim):
        claim = _note_stored(claim, event)
    if claim.phase is Phase.LOST:
        # Whatever answers come late, the loss stands.
        return leave(claim, claim.outcome or Outcome(Result.LOST)) if _asked(event) else claim
    now = event.at if isinstance(event, Woke | Removed | ReleaseAsked) else event.ended
    if lapsed(claim, now):
        if claim.phase in HOLDING:
            claim = lose(claim, LossReason.EXPIRED, "the lease ran out before it could be renewed")
            return _step(claim, event) if _asked(event) else claim
        if claim.phase in _ATTEMPTING and not isinstance(event, Wrote | ReleaseAsked):
            return fail(claim, TOO_SLOW)
    match event:
        case ReleaseAsked():
            return _release(claim)
        case Wrote():
            return _wrote(claim, event)
        case Saw():
            return _saw(claim, event)
        case Woke():
            return _woke(claim, event.at)
        case Failed():
            return _failed(claim, event)
        case Removed():
            return _removed(claim)


def _asked(event: Event) -> bool:
    return isinstance(event, ReleaseAsked)


def _misfit(claim: Claim, event: Event) -> ValueError:
    return ValueError(f"{type(event).__name__} does not answer what a claim that is {claim.phase} asked for")


def _is_writing(claim: Claim) -> bool:
    """Whether an answer may be that of a write; a lost lease may still have one under way."""
    return claim.phase in _WRITING or (claim.phase is Phase.LOST and claim.serial > claim.landed)


def _note_stored(claim: Claim, event: Wrote | Failed) -> Claim:
    """Remember that a version of ours may lie in the store, and for how long at most."""
    if isinstance(event, Failed):
        if not event.ambiguous:
            return claim
        claim = replace(claim, unanswered=claim.unanswered | {claim.serial})
    return replace(claim, stored_until=event.ended + claim.terms.timing.duration_ns)


def _wrote(claim: Claim, event: Wrote) -> Claim:
    if claim.phase not in _WRITING:
        raise _misfit(claim, event)
    terms = claim.terms
    gap = _gap(claim, claim.modified, event.modified) or _gap(claim, claim.heard, event.store_now)
    slow_end = event.ended - event.lead
    claim = replace(
        claim,
        landed=claim.serial,
        etag=event.etag,
        modified=event.modified,
        ended=slow_end,
        anchor=event.modified - slow_end if event.modified is not None else claim.anchor,
        stamp=claim.modified,
        heard=event.store_now if event.store_now is not None else claim.heard,
        until=renewed_until(terms, event.began, event.ended),
        failures=0,
    )
    if claim.phase is Phase.RENEWING:
        if gap:
            return lose(claim, LossReason.EXPIRED, TIME_GAP)
        return replace(claim, phase=Phase.HELD, wake=event.began + terms.renew)
    if gap or lapsed(claim, event.ended):
        return fail(claim, TIME_GAP if gap else TOO_SLOW)
    if claim.phase is Phase.CLAIMING:
        return replace(claim, phase=Phase.SETTLING)
    wake = event.ended + terms.timing.settle_ns
    return replace(claim, phase=Phase.CHECKING if terms.eager else Phase.QUEUEING, wake=wake)


def _gap(claim: Claim, before: int | None, after: int | None) -> bool:
    """Whether the store's own times say that the lease ran out between two instants (rule 6).

    Like is compared with like: the clock of a store's replies need not be the clock that stamps.
    """
    return before is not None and after is not None and after - before >= claim.terms.lease


def _woke(claim: Claim, at: int) -> Claim:
    if claim.phase not in _SLEEPING or at < claim.wake:
        return claim  # the same action again: sleep on, or send after all
    if claim.phase is Phase.QUEUEING:
        return replace(claim, phase=Phase.CHECKING, waited=True)
    if claim.phase is Phase.POLLING:
        return replace(claim, phase=Phase.SETTLING)
    if claim.phase is Phase.HELD:
        return replace(claim, phase=Phase.LOOKING)
    return replace(claim, phase=Phase.LEAVING)


def _saw(claim: Claim, event: Saw) -> Claim:
    if claim.phase not in _LOOKS:
        raise _misfit(claim, event)
    if claim.phase is Phase.CLOSING:
        return _close(claim, event)
    if claim.phase is Phase.LOOKING:
        return _look_to_renew(claim, event)
    if event.own is None:
        return fail(claim, NOT_LISTED)
    known = recognise(claim, event.own, event)
    if known is None:
        return fail(claim, NOT_OURS)
    if _gap_in_look(known, event):
        return fail(known, TIME_GAP)
    sight = judge(known, event)
    if sight.unreadable:
        return fail(known, f"{sight.unreadable[0]} is there and could not be read")
    if sight.blind:
        return fail(known, NO_MEASURE)
    return (_check if claim.phase is Phase.CHECKING else _settle)(known, sight, event)


def _gap_in_look(known: Claim, event: Saw) -> bool:
    return _gap(known, known.stamp, known.modified) or _gap(known, known.heard, event.store_now)


def _check(claim: Claim, sight: Sight, event: Saw) -> Claim:
    """Before claiming: nobody acquired, nobody earlier; and after the settle wait unless all alone."""
    ahead = sight.acquired + sight.flawed + sight.earlier
    if not claim.waited and (ahead or sight.later):
        return replace(claim, phase=Phase.QUEUEING)
    if ahead:
        return refuse(claim, ahead)
    if sight.stale and claim.terms.watch and not claim.watched:
        return replace(claim, phase=Phase.QUEUEING, watched=True, wake=event.ended + claim.terms.watch)
    polled = frozenset(blocker.key for blocker in sight.later)
    return replace(claim, phase=Phase.CLAIMING, serial=claim.serial + 1, polled=polled)


def _settle(claim: Claim, sight: Sight, event: Saw) -> Claim:
    """After claiming: nobody else acquired, and those who were pending have gone, expired, or lost.

    Who was seen pending, be it in the look before claiming, must be missing from two looks: one stale
    listing would hide an original that read our pending record before we claimed.
    """
    if sight.acquired or sight.flawed:
        return refuse(claim, sight.acquired + sight.flawed)
    pending = frozenset(blocker.key for blocker in sight.pending)
    polled = claim.polled - (claim.missing - pending) if claim.settling else claim.polled | pending
    if not polled:
        wake = claim.until - claim.terms.lease + claim.terms.renew
        return replace(claim, phase=Phase.HELD, granted=True, polled=polled, missing=polled, wake=wake)
    wake = event.ended + claim.terms.poll
    if lapsed(claim, wake):
        return refuse(claim, tuple(blocker for blocker in sight.pending if blocker.key in polled))
    missing = polled - pending
    return replace(claim, phase=Phase.POLLING, polled=polled, missing=missing, settling=True, wake=wake)


def _look_to_renew(claim: Claim, event: Saw) -> Claim:
    """Renewing only what is still there as we left it, with nobody of another type beside it (rule 7)."""
    if event.own is None:
        return lose(claim, LossReason.REMOVED, "somebody removed our lock")
    known = recognise(claim, event.own, event)
    if known is None and is_older(claim, event.own):
        return _retry(claim, event.ended)
    if known is None:
        return lose(claim, LossReason.REMOVED, "somebody replaced our lock")
    if _gap_in_look(known, event):
        return lose(known, LossReason.EXPIRED, TIME_GAP)
    sight = judge(known, event)
    if sight.acquired:
        return conflict(known, sight.acquired)
    if sight.blind:
        return _retry(known, event.ended)
    return replace(_note_doubt(known, sight), phase=Phase.RENEWING, serial=known.serial + 1)


def _close(claim: Claim, event: Saw) -> Claim:
    known = recognise(claim, event.own, event) if event.own is not None else None
    if known is None:
        doubt = claim.doubt or "our lock was not there any more when it was released"
        return leave(replace(claim, doubt=doubt), Outcome(Result.RELEASED))
    sight = judge(known, event)
    if sight.acquired:
        known = conflict(known, sight.acquired)
        assert known.outcome is not None
        return leave(known, known.outcome)
    return leave(_note_doubt(known, sight), Outcome(Result.RELEASED))


def _note_doubt(claim: Claim, sight: Sight) -> Claim:
    unknown = sight.unreadable + tuple(blocker.key for blocker in sight.flawed)
    if claim.doubt or not (unknown or sight.blind):
        return claim
    return replace(claim, doubt=f"{unknown[0] if unknown else 'somebody else'} could not be judged")


def _failed(claim: Claim, event: Failed) -> Claim:
    phase = claim.phase
    if phase in (Phase.LOOKING, Phase.RENEWING):
        return _retry(claim, event.ended)
    if phase is Phase.CLOSING:
        doubt = claim.doubt or "the last look before the release failed"
        return leave(replace(claim, doubt=doubt), Outcome(Result.RELEASED))
    if phase is Phase.LEAVING:
        failures = claim.failures + 1
        if event.final or failures >= claim.terms.removals:
            # After an unanswered write or removal it may be there or not.
            sure = claim.landed >= 0 and failures == 1 and not event.ambiguous
            return done(claim, left=True, sure=sure)
        wake = event.ended + claim.terms.retry * 2 ** (failures - 1)
        return replace(claim, phase=Phase.PAUSING, failures=failures, wake=wake)
    if phase in _WRITING or phase in _LOOKS:
        detail = "our pending record is not there any more" if event.conflict else event.detail
        return fail(claim, detail, final=event.final)
    raise _misfit(claim, event)


def _retry(claim: Claim, now: int) -> Claim:
    """A renewal failed: nothing is lost yet. Soon again, later and later, until the lease runs out."""
    pause = min(claim.terms.retry * 2 ** min(claim.failures, 16), claim.terms.renew)
    wake = min(now + pause, claim.until)
    return replace(claim, phase=Phase.HELD, failures=claim.failures + 1, wake=wake)


def _removed(claim: Claim) -> Claim:
    if claim.phase is not Phase.LEAVING:
        raise _misfit(claim, Removed(0))
    return done(claim, left=False)


def _release(claim: Claim) -> Claim:
    if claim.phase in HOLDING:
        if claim.terms.closing_look:
            return replace(claim, phase=Phase.CLOSING)
        return leave(claim, Outcome(Result.RELEASED))
    if claim.outcome is not None:
        return claim
    if claim.phase is Phase.CLOSING:
        return leave(claim, Outcome(Result.RELEASED))
    return leave(claim, Outcome(Result.WITHDRAWN))
