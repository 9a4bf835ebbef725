"""What a dialog about breaking locks is told: a plan for each version that was seen, as things are now."""

from __future__ import annotations

from backuplock.breaking import Plan, Token, Window, make_plan, preconditions, token_of
from backuplock.clock import Clock
from backuplock.errors import BackupLockError, Malformed
from backuplock.evidence import Surroundings, surroundings, with_blocks
from backuplock.model import Snapshot
from backuplock.stores.base import Store
from locktop.deeds import LeftOut, Proposal, Question


def propose(store: Store, question: Question, window: Window | None, clock: Clock) -> Proposal:
    """The answer to a question. Of a single lock the store is asked; of many the youngest Snapshot tells, for
    each is read again before it is broken.

    Args:
        window: what earlier breaks on the store have measured.

    Raises:
        BackupLockError: a lock of the question is none.
    """
    now = clock.mono_ns()
    if len(question.tokens) == 1:
        plan = _plan(store, question, question.tokens[0], window)
        checks = preconditions(store, plan, question.latest, clock=clock)
        return Proposal(question.number, (plan,), (), checks, now)
    plans: list[Plan] = []
    left_out: list[LeftOut] = []
    for token in question.tokens:
        if why := moved(token, question.latest):
            left_out.append(LeftOut(token, why))
            continue
        plan = _plan(store, question, token, window)
        if plan.unfit or not plan.dead:
            why = plan.unfit or "; ".join(plan.elsewhere) or "nothing shows that its holder is dead"
            left_out.append(LeftOut(token, why))
        else:
            plans.append(plan)
    return Proposal(question.number, tuple(plans), tuple(left_out), (), now)


def moved(token: Token, latest: Snapshot) -> str:
    """In what way a lock is not the version that was seen any more, in a Snapshot; "" if it is."""
    lock = latest.by_key.get(token.key)
    if lock is None:
        return "it is gone"
    try:
        now = token_of(latest.target, lock)
    except Malformed:
        return "it could not be read this time"
    if (now.modified_ns, now.etag, now.size) == (token.modified_ns, token.etag, token.size):
        return ""
    return "it was refreshed meanwhile" if now.modified_ns > token.modified_ns else "it changed meanwhile"


def _plan(store: Store, question: Question, token: Token, window: Window | None) -> Plan:
    """By the youngest Snapshot while that shows the version that was seen, else by the one of then."""
    shown = question.opened if moved(token, question.latest) else question.latest
    around = _beside(store, question, token) if len(question.tokens) == 1 else None
    return make_plan(store, shown, token.key, tracks=question.tracks, around=around, window=window)


def _beside(store: Store, question: Question, token: Token) -> Surroundings | None:
    """What lies beside the locks of a single lock's volume: looked at here until the session has looked, for
    somebody at work there must show before anybody can be quick enough."""
    try:
        around = question.around if question.around is not None else surroundings(store, token.volume)
        return with_blocks(store, token.volume, around)
    except BackupLockError:
        return None
