"""Several locks that a person has marked, broken one by one; never a live one."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from backuplock.breaking.again import check_dead
from backuplock.breaking.errors import Because, Failed, Refused
from backuplock.breaking.execute import Broken, execute
from backuplock.breaking.plan import Order
from backuplock.breaking.writer import Writer
from backuplock.errors import StoreError

MOST = 50
"""Locks of one go: a list that a person can still read."""

Outcome = Broken | Refused | Failed | StoreError


@dataclass(frozen=True, slots=True)
class Result:
    """What came of one of them."""

    order: Order
    outcome: Outcome


def execute_all(
    writer: Writer,
    orders: Sequence[Order],
    *,
    reason: str = "",
    told: Callable[[Result], None] | None = None,
    stop: threading.Event | None = None,
) -> tuple[Result, ...]:
    """Break them in this order, each as its own transaction; one that is refused or fails stops no other.

    Args:
        told: called after each. stop: ends the run before the next one.

    Raises:
        Refused: one of them is not dead, or they are too many; nothing was done.
        AuditError: the audit trail failed; what was done before is done.
    """
    if len(orders) > MOST:
        raise Refused(
            f"{len(orders)} locks are more than the {MOST} that are broken in one go",
            because=Because.UNFIT,
            advice="mark fewer, or clean up",
        )
    if living := [order for order in orders if not order.dead]:
        raise Refused(
            f"{living[0].token.shown} is not surely dead, and such locks are never broken in bulk",
            because=Because.ALIVE,
            advice="unmark it, or break it alone",
        )
    results: list[Result] = []
    for order in orders:
        if stop is not None and stop.is_set():
            break
        results.append(Result(order, _one(writer, order, reason)))
        if told is not None:
            told(results[-1])
    return tuple(results)


def _one(writer: Writer, order: Order, reason: str) -> Outcome:
    try:
        check_dead(writer, order.token)
        return execute(writer, order, reason=reason)
    except (Refused, Failed, StoreError) as error:
        return error
