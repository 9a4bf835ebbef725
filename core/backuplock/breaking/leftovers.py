"""Leftovers of a whole store: what there is of which kind. What is not surely over is let alone, and said."""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping
from dataclasses import dataclass

from backuplock import layout
from backuplock.breaking.errors import Refused
from backuplock.breaking.plan import Order, make_plan
from backuplock.breaking.token import Token, split_key
from backuplock.clock import SECOND, Span
from backuplock.errors import Malformed
from backuplock.model import Leftover, LockFile, LockType, Snapshot, VolumeView
from backuplock.rules import LONGHORN, Timing
from backuplock.stores.base import Store, aside_of
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
