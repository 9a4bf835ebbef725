"""The removal of leftovers, each as its own transaction.

What is not surely over is never touched here, whatever anybody insists on. A run that was stopped is taken up
again by planning anew: what is done is gone.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace

from backuplock import layout
from backuplock.breaking.again import check_dead
from backuplock.breaking.errors import Because, BreakError, Refused
from backuplock.breaking.execute import execute
from backuplock.breaking.leftovers import CleanupPlan, Item
from backuplock.breaking.plan import Order
from backuplock.breaking.quarantine import new_id
from backuplock.breaking.token import token_of_blob
from backuplock.breaking.writer import Writer, place_of
from backuplock.clock import SECOND
from backuplock.errors import Malformed, StoreError
from backuplock.stores.base import aside_of
from backuplock.text import printable


@dataclass(frozen=True, slots=True)
class Done:
    """What became of one item: `removed`, `refused`, `failed`; the transaction, if there was one; details."""

    item: Item
    outcome: str
    id: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """What a run did; `stopped` says why it ended early, "" if it did not."""

    plan: CleanupPlan
    done: tuple[Done, ...]
    stopped: str = ""

    def rows(self) -> tuple[dict[str, object], ...]:
        """One plain record an item for a report file, also of those that were not come to ("planned")."""
        results = {one.item.key: one for one in self.done}
        return tuple(_row(item, results.get(item.key)) for item in self.plan.items)


def clean_up(
    writer: Writer,
    plan: CleanupPlan,
    *,
    reason: str = "",
    told: Callable[[Done], None] | None = None,
    stop: threading.Event | None = None,
) -> Report:
    """Remove what a plan names, one transaction each.

    What is refused or fails is reported and the run goes on; it ends early where nothing more seems to
    succeed, after three failures in a row, or at once where the audit trail fails.

    Args:
        told: called after each item. stop: ends the run before the next item.
    """
    done: list[Done] = []
    stopped = ""
    failures = 0
    for item in plan.items:
        if stop is not None and stop.is_set():
            stopped = "it was told to stop"
            break
        result = _remove(writer, item, reason)
        done.append(result)
        if told is not None:
            told(result)
        failures = failures + 1 if result.outcome == "failed" else 0
        if failures >= _GIVE_UP_AFTER:
            stopped = f"{failures} removals in a row failed"
            break
    return Report(plan, tuple(done), stopped)


_GIVE_UP_AFTER = 3


def _remove(writer: Writer, item: Item, reason: str) -> Done:
    try:
        if item.order is None:
            return _remove_folder(writer, item, reason)
        order = item.order if item.order.token.digest else _with_version(writer, item, item.order)
        check_dead(writer, order.token)
        broken = execute(writer, order, reason=reason or f"clean-up: {item.kind}")
    except Refused as refused:
        return Done(item, "refused", detail=refused.what)
    except BreakError as error:
        return Done(item, "failed", getattr(error, "entry", ""), error.what)
    except (StoreError, Malformed) as error:
        return Done(item, "failed", detail=error.what)
    return Done(item, "removed", broken.id, "; ".join(broken.notes))


def _with_version(writer: Writer, item: Item, order: Order) -> Order:
    """The order for a file of which a listing told size and time only, and that has to be the same still."""
    blob = writer.store.read(item.key)
    if blob is None:
        raise Refused(f"{order.token.shown} is gone already", because=Because.GONE)
    # Listings may tell milliseconds where a read tells whole seconds.
    apart = abs(blob.modified_ns - (item.modified_ns or 0))
    if len(blob.body) != item.size or apart > max(SECOND, writer.store.capabilities.grain_ns):
        raise Refused(f"{order.token.shown} changed since it was listed", because=Because.CHANGED)
    return replace(order, token=token_of_blob(writer.store.url, item.key, blob))


def _remove_folder(writer: Writer, item: Item, reason: str) -> Done:
    """An empty folder goes by rmdir alone, which takes nothing with it; it needs no copy."""
    aside = aside_of(writer.store)
    assert aside is not None
    entry = new_id(writer.clock.wall_ns())
    fields = {
        "target": writer.store.url,
        "place": place_of(writer.store),
        "key": item.key,
        "user": writer.who.user,
        "host": writer.who.host,
        "tool": writer.who.tool,
        "reason": printable(reason, limit=500),
    }
    writer.audit.append("tidy", "before", entry, writer.clock.wall_ns(), fields)
    aside.tidy(f"{item.key}/{_INSIDE}")
    folder = writer.store.list(item.key.rpartition("/")[0])
    gone = layout.LOCKS not in folder.folders
    done = Done(item, "removed", entry) if gone else Done(item, "refused", entry, "it is not empty any more")
    ended = {"target": writer.store.url, "key": item.key, "outcome": done.outcome, "detail": done.detail}
    writer.audit.append("tidy", "after", entry, writer.clock.wall_ns(), ended)
    return done


_INSIDE = "nothing"


def _row(item: Item, done: Done | None) -> dict[str, object]:
    return {
        "kind": item.kind.value,
        "key": printable(item.key, limit=1000),
        "volume": printable(item.volume, limit=300),
        "size": item.size,
        "modified_ns": item.modified_ns,
        "why": item.why,
        "outcome": "planned" if done is None else done.outcome,
        "id": "" if done is None else done.id,
        "detail": "" if done is None else done.detail,
    }
