"""What must hold before a lock is broken, asked anew each time: the ticks of a dialog that is open.

The transaction checks for itself what matters; this shows it beforehand, and whatever else speaks against.
"""

from __future__ import annotations

from dataclasses import dataclass

from backuplock.breaking.plan import Plan
from backuplock.breaking.token import difference
from backuplock.clock import SECOND, Clock, SystemClock
from backuplock.errors import Irregular, StoreError, TooLarge
from backuplock.model import Snapshot
from backuplock.stores.base import Store
from backuplock.text import signed_s

SKEW_NS = 5 * SECOND
"""Skew between the store's clock and ours, with its error bar, up to which ages are taken at their word."""


@dataclass(frozen=True, slots=True)
class Check:
    """One precondition: it holds, fails, or (None) is not known; in a few words."""

    name: str
    ok: bool | None
    words: str


def preconditions(
    store: Store, plan: Plan, snapshot: Snapshot, *, clock: Clock | None = None
) -> tuple[Check, ...]:
    """The preconditions of a plan as they are now: one request, nothing is written.

    Args:
        snapshot: the latest, for what is known of the store's clock.
    """
    clock = clock or SystemClock()
    return (
        _writable(store),
        _unchanged(store, plan),
        _dead(plan),
        _clocks(plan, snapshot, clock),
        _elsewhere(plan),
    )


def _writable(store: Store) -> Check:
    if store.capabilities.writable:
        return Check("write access", True, "the store was opened for writing")
    return Check("write access", False, "the store was opened for reading only: --write opens it")


def _unchanged(store: Store, plan: Plan) -> Check:
    name = "unchanged"
    try:
        blob = store.read(plan.token.key)
    except (Irregular, TooLarge) as error:
        return Check(name, False, error.what)
    except StoreError as error:
        return Check(name, None, f"the lock could not be read: {error.what}")
    if blob is None:
        return Check(name, False, "the lock is gone already")
    differs = difference(plan.token, blob)
    return Check(name, not differs, differs or "the lock is as it was seen")


def _dead(plan: Plan) -> Check:
    name, reasons = "holder dead", "; ".join(plan.life.reasons)
    if plan.unfit:
        return Check(name, False, plan.unfit)
    if plan.dead:
        return Check(name, True, reasons)
    return Check(name, False if plan.life.shows_life else None, reasons)


def _clocks(plan: Plan, snapshot: Snapshot, clock: Clock) -> Check:
    name = "clocks"
    if "own observation" in plan.life.condemned_by:
        return Check(name, True, "nobody wrote it while it was watched, whatever the clocks say")
    skew, error = snapshot.clock.skew(wall_ns=clock.wall_ns(), mono_ns=clock.mono_ns())
    told = f"skew {signed_s(skew)}, known to {error / SECOND:.1f} s"
    if abs(skew) + error <= SKEW_NS:
        return Check(name, True, f"{told}: below the limit of {SKEW_NS // SECOND} s")
    if abs(skew) - error > SKEW_NS:
        return Check(name, False, f"{told}: above the limit of {SKEW_NS // SECOND} s")
    return Check(name, None, f"{told}: not known well enough for the limit of {SKEW_NS // SECOND} s")


def _elsewhere(plan: Plan) -> Check:
    name, signs = "no sign of life elsewhere", plan.signs
    if signs.against:
        seen = bool(signs.holder or signs.work)
        return Check(name, False if seen else None, "; ".join(signs.against))
    return Check(name, True, "; ".join(signs.explained) or "none was seen")
