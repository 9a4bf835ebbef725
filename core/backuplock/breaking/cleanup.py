"""Leftovers of a whole store: what there is of which kind, and their removal, each as its own transaction.

What is not surely over is never touched here, whatever anybody insists on. A run that was stopped is taken up
again by planning anew: what is done is gone.
"""

from __future__ import annotations

import enum
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from backuplock import layout
from backuplock.breaking.again import check_dead
from backuplock.breaking.errors import Because, BreakError, Refused
from backuplock.breaking.execute import execute
from backuplock.breaking.plan import Order, make_plan
from backuplock.breaking.quarantine import new_id
from backuplock.breaking.token import Token, split_key, token_of_blob
from backuplock.breaking.writer import Writer, place_of
from backuplock.clock import SECOND, Span
from backuplock.errors import Malformed, StoreError
from backuplock.model import Leftover, LockFile, LockType, Snapshot, VolumeView
from backuplock.rules import LONGHORN, Timing
from backuplock.stores.base import Store, aside_of
from backuplock.text import printable
from backuplock.watch import Track

TEMPORARY_NS = 86_400 * SECOND
"""Age at which a temporary file counts as left over: no write takes a day."""
LIMIT = 100
"""Items of one run, unless said otherwise."""
_TEMPORARY = re.compile(r".+\.lck\.tmp\.[0-9]+")


class Kind(enum.StrEnum):
    """What is left over."""

    DEAD = "dead"
    """An expired lock of a holder that died."""
    CORRUPT = "corrupt"
    """An expired lock file that nobody can read."""
    UNTYPED = "untyped"
    """An expired lock of a type that Longhorn does not write."""
    TEMPORARY = "temporary"
    """`*.lck.tmp.<ns>` of a write that failed."""
    GHOST = "ghost"
    """What lies in a volume that holds nothing but `locks/`, or such an empty folder itself."""


@dataclass(frozen=True, slots=True)
class Item:
    """One leftover. `key` is a file's, or, of an empty folder, the folder's; `order` is None for that."""

    kind: Kind
    key: str
    volume: str
    size: int
    modified_ns: int | None
    why: str
    order: Order | None

    @property
    def name(self) -> str:
        """The last part of its key."""
        return self.key.rpartition("/")[2]


@dataclass(frozen=True, slots=True)
class CleanupPlan:
    """What would be removed, ordered by volume and key.

    Attributes:
        items: of the kinds that were asked for, `limit` at most. more: those beyond it.
        left: what is let alone though it looks like a leftover: key and why.
        complete: the whole store could be read.
    """

    target: str
    items: tuple[Item, ...]
    more: int
    left: tuple[tuple[str, str], ...]
    complete: bool

    def counts(self) -> dict[Kind, int]:
        """Items by kind."""
        return {kind: sum(item.kind is kind for item in self.items) for kind in Kind}


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


def plan_cleanup(
    store: Store,
    snapshot: Snapshot,
    *,
    kinds: frozenset[Kind] = frozenset(Kind),
    limit: int = LIMIT,
    tracks: Mapping[str, Track] | None = None,
    timing: Timing = LONGHORN,
) -> CleanupPlan:
    """Find what is left over in a Snapshot of the whole store; nothing is read or written."""
    now = snapshot.clock.at(snapshot.ended_mono_ns)
    items: list[Item] = []
    left: list[tuple[str, str]] = []
    for view in snapshot.volumes:
        for lock in view.locks:
            _sort_lock(store, snapshot, view, lock, tracks or {}, timing, items, left)
        for leftover in view.leftovers:
            found, why = _temporary(snapshot, view, leftover, now)
            items.extend(found)
            left.extend([(leftover.key, why)] if why else [])
        if view.ghost and not view.locks and not view.leftovers and aside_of(store) is not None:
            items.append(_empty_folder(view))
    chosen = sorted((item for item in items if item.kind in kinds), key=lambda item: (item.volume, item.key))
    kept = chosen[: max(0, limit)]
    return CleanupPlan(snapshot.target, tuple(kept), len(chosen) - len(kept), tuple(left), snapshot.complete)


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


# -- what is of which kind


def _sort_lock(
    store: Store,
    snapshot: Snapshot,
    view: VolumeView,
    lock: LockFile,
    tracks: Mapping[str, Track],
    timing: Timing,
    items: list[Item],
    left: list[tuple[str, str]],
) -> None:
    """Put a lock among the items, or among what is left if it looks like a leftover and is not surely one."""
    kind = _kind(lock, view)
    try:
        plan = make_plan(store, snapshot, lock.key, tracks=tracks, timing=timing)
    except (Malformed, Refused) as error:
        left.append((lock.key, error.what))
        return
    if plan.dead and not plan.unfit:
        why = "; ".join(plan.life.reasons)
        items.append(Item(kind, lock.key, lock.volume, lock.size, lock.modified_ns, why, plan.order))
    elif kind is not Kind.DEAD or plan.elsewhere:
        left.append((lock.key, plan.unfit or "; ".join((*plan.elsewhere, *plan.life.reasons))))


def _kind(lock: LockFile, view: VolumeView) -> Kind:
    if view.ghost:
        return Kind.GHOST
    if lock.flaw is not None or lock.record is None:
        return Kind.CORRUPT
    known = lock.record.type in (LockType.BACKUP_RESTORE, LockType.DELETION)
    return Kind.DEAD if known else Kind.UNTYPED


def _temporary(
    snapshot: Snapshot, view: VolumeView, leftover: Leftover, now: Span
) -> tuple[tuple[Item, ...], str]:
    name = leftover.key.rpartition("/")[2]
    if not _TEMPORARY.fullmatch(name):
        return (), "it is no file of Longhorn's: whoever put it there may want it"
    if leftover.modified_ns is None:
        return (), "its age is not known"
    by_store = now.lo - leftover.modified_ns
    if min(by_store, snapshot.taken_wall_ns - leftover.modified_ns) <= TEMPORARY_NS:
        return (), "it is younger than a day: its write may go on"
    try:
        split_key(leftover.key)
        token = Token(snapshot.target, leftover.key, leftover.modified_ns, "", leftover.size)
    except Malformed as error:
        return (), error.what
    why = f"a write that failed {by_store // (86_400 * SECOND)} days ago left it"
    kind = Kind.GHOST if view.ghost else Kind.TEMPORARY
    order = Order(token, True, "stale", (why,), not view.ghost)
    return (Item(kind, leftover.key, view.name, leftover.size, leftover.modified_ns, why, order),), ""


def _empty_folder(view: VolumeView) -> Item:
    folder = layout.locks_folder(view.name)
    return Item(Kind.GHOST, folder, view.name, 0, None, "an empty folder makes a ghost of the volume", None)


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
