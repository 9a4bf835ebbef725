"""How attempts and leases end: refused, failed, lost, released; and what can be said of them then."""

from __future__ import annotations

from dataclasses import replace

from backuplock.protocol.claim import (
    Blocker,
    Certificate,
    Claim,
    Loss,
    LossReason,
    Outcome,
    Phase,
    Proof,
    Result,
)


def certificate(claim: Claim) -> Certificate:
    """What can be said of exclusivity so far; meaningful once the lease was won."""
    limits = claim.terms.limits
    if claim.loss is not None and claim.loss.reason is LossReason.CONFLICT:
        return Certificate(Proof.VIOLATED, claim.loss.detail, limits)
    if claim.loss is not None:
        return Certificate(Proof.NOT_PROVEN, claim.loss.detail, limits)
    reason = claim.doubt or claim.terms.caveat
    return Certificate(Proof.NOT_PROVEN if reason else Proof.PROVEN, reason, limits)


def refuse(claim: Claim, blockers: tuple[Blocker, ...]) -> Claim:
    """Give the attempt up: others come first."""
    return leave(claim, Outcome(Result.REFUSED, blockers=blockers))


def fail(claim: Claim, detail: str, *, final: bool = False) -> Claim:
    """Give the attempt up: it could not be decided safely."""
    return leave(claim, Outcome(Result.FAILED, detail=detail, final=final))


def conflict(claim: Claim, blockers: tuple[Blocker, ...]) -> Claim:
    """The lease is lost to another type that is acquired beside it."""
    detail = f"{blockers[0].key}, of another type, is acquired beside our lock"
    return lose(claim, LossReason.CONFLICT, detail, blockers)


def lose(claim: Claim, reason: LossReason, detail: str, by: tuple[Blocker, ...] = ()) -> Claim:
    """The lease is lost, for good; our file stays until release is asked, for work may go on beside it."""
    loss = Loss(reason, detail, by)
    outcome = Outcome(Result.LOST, blockers=by, detail=detail, loss=loss)
    return replace(claim, phase=Phase.LOST, failures=0, loss=loss, outcome=outcome)


def leave(claim: Claim, outcome: Outcome) -> Claim:
    """It ends like this; our own file, if there may be one, is to be removed first."""
    claim = replace(claim, outcome=outcome, failures=0)
    if claim.stored_until is None:
        return done(claim, left=False)
    return replace(claim, phase=Phase.LEAVING)


def done(claim: Claim, *, left: bool, sure: bool = False) -> Claim:
    """It is over; `left`: our file could not be removed, `sure`: and is known to be there."""
    assert claim.outcome is not None
    may_return = bool(claim.unanswered) and not left
    outcome = replace(
        claim.outcome,
        left=left,
        sure=sure,
        may_return=may_return,
        left_until=claim.stored_until if left or may_return else None,
        certificate=certificate(claim) if claim.granted else None,
    )
    return replace(claim, phase=Phase.DONE, outcome=outcome)
