"""The broken locks that are kept: listed for people, and removed when nobody will want them back."""

from __future__ import annotations

from dataclasses import dataclass

from backuplock.breaking import quarantine
from backuplock.breaking.errors import Because, Failed, Refused
from backuplock.breaking.quarantine import RETENTION_NS, Kept, Listed
from backuplock.breaking.writer import Writer
from backuplock.errors import StoreError
from backuplock.stores.base import Store


@dataclass(frozen=True, slots=True)
class Copy:
    """One copy in the quarantine.

    `kept` is None where `why` says that its description cannot be had. `restored`: it was put back, or its
    lock never went. `open`: its transaction did not end. `until_ns`: local wall clock until which it stays.
    """

    id: str
    kept: Kept | None
    restored: bool
    open: bool
    until_ns: int | None
    why: str = ""


def copies(store: Store) -> tuple[Copy, ...]:
    """What the quarantine holds, newest first.

    Raises:
        StoreError: it could not be listed.
    """
    listing = [one for one in quarantine.listed(store) if one.described]
    found, failed = quarantine.read_all(store, listing)
    return tuple(_copy(one, found.get(one.id), failed.get(one.id, "")) for one in reversed(listing))


def _copy(one: Listed, kept: Kept | None, why: str) -> Copy:
    until = kept.broken_wall_ns + RETENTION_NS if kept is not None else None
    return Copy(one.id, kept, "undone" in one.marks, one.open, until, why)


def purge(writer: Writer, entry: str = "", *, older_ns: int = RETENTION_NS) -> tuple[str, ...]:
    """Remove one copy, or all whose 30 days are over; their ids. One whose transaction is open stays.

    Args:
        older_ns: age from which they go, instead of 30 days.

    Raises:
        Refused: the one that was named is not there, or is open.
        Failed: the store did not do its part; what was removed before is removed.
        StoreError: the quarantine could not be listed.
    """
    everything = copies(writer.store)
    if entry:
        chosen = [one for one in everything if one.id == quarantine.check_id(entry)]
        if not chosen:
            raise Refused(f"the quarantine has no copy {entry}", because=Because.GONE)
        if chosen[0].open:
            raise Refused(f"{entry} did not end, finish or undo it first", because=Because.NOT_NOW)
    else:
        chosen = [one for one in everything if is_old(one, writer.clock.wall_ns(), older_ns)]
    for one in chosen:
        _purge(writer, one)
    _drop_marks(writer)
    return tuple(one.id for one in chosen)


def is_old(one: Copy, now_ns: int, older_ns: int = RETENTION_NS) -> bool:
    """Whether a copy goes when all of that age are removed; `now_ns` is the local wall clock."""
    return not one.open and one.kept is not None and one.kept.broken_wall_ns + older_ns < now_ns


def _purge(writer: Writer, one: Copy) -> None:
    fields = {
        "target": writer.store.url,
        "key": one.kept.key if one.kept is not None else "",
        "user": writer.who.user,
        "host": writer.who.host,
        "tool": writer.who.tool,
    }
    writer.audit.append("purge", "before", one.id, writer.clock.wall_ns(), fields)
    try:
        quarantine.drop(writer.store, one.id)
    except StoreError as error:
        what = f"the copy {one.id} could not be removed: {error.what}"
        fields = {"target": writer.store.url, "outcome": "failed", "detail": what}
        writer.audit.append("purge", "after", one.id, writer.clock.wall_ns(), fields)
        raise Failed(what, settled=True, entry=one.id, advice=error.advice) from error
    done = {"target": writer.store.url, "outcome": "purged", "detail": ""}
    writer.audit.append("purge", "after", one.id, writer.clock.wall_ns(), done)


def _drop_marks(writer: Writer) -> None:
    """Marks that a killed purge left without what they mark."""
    for one in quarantine.listed(writer.store):
        if one.marks and not one.described and not one.file:
            quarantine.drop(writer.store, one.id)
