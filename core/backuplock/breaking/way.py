"""What is in the way of putting a broken lock back: asked beforehand, when it is done, and after it."""

from __future__ import annotations

from backuplock import layout
from backuplock.breaking.errors import Because, Failed, Refused
from backuplock.breaking.quarantine import Kept
from backuplock.clock import Clock
from backuplock.errors import Malformed, StoreError
from backuplock.model import LockFile, Snapshot
from backuplock.rules import LONGHORN, Timing, conflicts, contender, expired
from backuplock.stores.base import Store
from backuplock.survey import look
from backuplock.text import printable
from backuplock.wire import decode


def check_way(
    store: Store,
    kept: Kept,
    *,
    clock: Clock | None = None,
    timing: Timing = LONGHORN,
    without_volume: bool = False,
) -> None:
    """Whether it could be put back now; nothing is written.

    Args:
        without_volume: also where the volume is gone meanwhile.

    Raises:
        Refused: something is in its way.
        Failed: its volume could not be read.
    """
    seen = look_at(store, kept, clock)
    if kept.key in seen.by_key:
        raise Refused(
            f"{kept.token.shown} is there already, so its holder lives",
            because=Because.CONFLICT,
            advice="there is nothing to put back",
        )
    if kept.had_volume and not without_volume and not _has_volume(store, kept):
        raise Refused(
            f"the volume of {kept.token.shown} is gone, its lock alone would make a ghost of it",
            because=Because.NO_VOLUME,
        )
    if found := rivals(kept, seen, timing):
        raise in_the_way(kept, found)


def look_at(store: Store, kept: Kept, clock: Clock | None = None) -> Snapshot:
    """The volume of a lock as it is now.

    Raises:
        Failed: it could not be read, and what could not be read may be a rival.
    """
    try:
        found = look(store, kept.token.volume, clock=clock)
    except (StoreError, Malformed) as error:
        raise unread(kept, error.what) from error
    for view in found.volumes:
        if view.problem:
            raise unread(kept, view.problem)
    return found


def rivals(kept: Kept, seen: Snapshot, timing: Timing) -> tuple[LockFile, ...]:
    """Locks that count and exclude the one that goes back; what cannot be read may be one of them."""
    try:
        type_ = decode(kept.body).type
    except Malformed:
        return ()  # Nobody heeds what nobody can read.
    now = seen.clock.at(seen.began_mono_ns)
    found: list[LockFile] = []
    for lock in seen.locks:
        over = lock.modified_ns is not None and expired(lock.modified_ns, now, timing) is True
        other = contender(lock)
        if lock.key != kept.key and not over and (other is None or conflicts(other.type, type_)):
            found.append(lock)
    return tuple(found)


def in_the_way(kept: Kept, found: tuple[LockFile, ...]) -> Refused:
    """What is raised because of rivals."""
    first = printable(found[0].file_name, limit=120)
    more = f" and {len(found) - 1} more" if len(found) > 1 else ""
    return Refused(
        f"{kept.token.shown} is not put back, {first}{more} came meanwhile and excludes it",
        because=Because.CONFLICT,
        advice="wait until that one has gone",
    )


def unread(kept: Kept, why: str) -> Failed:
    """What is raised where a volume could not be read; nothing was written."""
    what = f"{kept.token.shown} is not put back, its volume could not be read: {why}"
    return Failed(what, settled=True, entry=kept.id)


def _has_volume(store: Store, kept: Kept) -> bool:
    volume = kept.token.volume
    if volume == layout.BACKING_IMAGE:
        return True
    folder = kept.key.rsplit("/", 2)[0]
    try:
        found = store.list(folder)
    except StoreError as error:
        raise unread(kept, error.what) from error
    return bool(found.entries) or any(name != layout.LOCKS for name in found.folders)
