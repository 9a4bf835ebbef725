"""Put a broken lock back: with a fresh time, so that it protects for a lease, and never beside a rival.

It comes back as a file without a holder, which nobody refreshes. Whoever asked meanwhile has a file of their
own in the folder: those are looked for before and, as they may have come between, after the write.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from backuplock.breaking import quarantine
from backuplock.breaking.audit import Audit
from backuplock.breaking.errors import Because, Failed, Refused
from backuplock.breaking.quarantine import Kept
from backuplock.breaking.token import Token, token_of_blob
from backuplock.breaking.way import check_way, in_the_way, look_at, rivals, unread
from backuplock.breaking.writeback import take_away, write_back
from backuplock.breaking.writer import Writer
from backuplock.clock import SECOND
from backuplock.errors import StoreError
from backuplock.model import LockFile
from backuplock.text import printable

SETTLE_NS = 10 * SECOND
"""For how long a rival that asks is waited for; its own window between writing and looking is 2 s."""
_POLL_NS = SECOND // 2


@dataclass(frozen=True, slots=True)
class Undone:
    """A lock that was put back; `protects_s`: for so long it counts, from now, if nobody refreshes it."""

    id: str
    key: str
    protects_s: float


def undo(writer: Writer, entry: str, *, reason: str = "", without_volume: bool = False) -> Undone:
    """Put a broken lock back under its key.

    Args:
        without_volume: also where the volume is gone meanwhile.

    Raises:
        Refused: there is no such copy, it was put back before, or something is in its way.
        Failed: the store did not do its part; `settled` says whether nothing was written.
        Malformed: the copy is none of ours.
        StoreError: the quarantine could not be read.
    """
    kept = quarantine.read(writer.store, quarantine.check_id(entry))
    if kept is None:
        raise Refused(
            f"the quarantine has no copy {entry}", because=Because.GONE, advice="locktop undo lists"
        )
    known = {one.id: one for one in quarantine.listed(writer.store)}
    marked = entry in known and "undone" in known[entry].marks
    if marked and not was_interrupted(writer.audit, entry):
        raise Refused(f"{kept.token.shown} was put back already", because=Because.NOT_NOW)
    with writer.audit.at_work(entry):
        return put_back(writer, kept, reason=reason, without_volume=without_volume)


def put_back(writer: Writer, kept: Kept, *, reason: str, without_volume: bool) -> Undone:
    """`undo`, for whoever has the copy and works on its transaction."""
    earlier = was_interrupted(writer.audit, kept.id)
    if earlier and (done := _resume(writer, kept)) is not None:
        return done
    check_way(writer.store, kept, clock=writer.clock, timing=writer.timing, without_volume=without_volume)
    target = kept.token.target
    fields = {
        "target": target,
        "key": kept.key,
        "user": writer.who.user,
        "host": writer.who.host,
        "tool": writer.who.tool,
        "reason": printable(reason, limit=500),
    }
    writer.audit.append("undo", "before", kept.id, writer.clock.wall_ns(), fields)
    with _told(writer, kept), _announced(writer, kept):
        written = write_back(writer, kept, earlier=earlier)
        _settle(writer, kept, written.version)
        _mark(writer, kept)
    _after(writer, kept, "undone", written.note)
    return Undone(kept.id, kept.key, writer.timing.duration_ns / SECOND)


@contextmanager
def _told(writer: Writer, kept: Kept) -> Iterator[None]:
    """An undo that is refused or fails is told of in the trail."""
    try:
        yield
    except Refused as refused:
        _after(writer, kept, "refused", refused.what)
        raise
    except Failed as failed:
        _after(writer, kept, "failed" if failed.settled else "unknown", failed.what)
        raise


@contextmanager
def _announced(writer: Writer, kept: Kept) -> Iterator[None]:
    """While an undo is under way, or its end is unknown, the quarantine says whose it is."""
    try:
        quarantine.begin_undo(writer.store, kept.id, f"{writer.who.user}@{writer.who.host}")
    except StoreError as error:
        what = f"{kept.token.shown} was not put back, for the quarantine cannot be written: {error.what}"
        raise Failed(what, settled=True, entry=kept.id) from error
    try:
        yield
    except Failed as failed:
        if failed.settled:
            _unannounce(writer, kept)
        raise
    except Refused:
        _unannounce(writer, kept)
        raise
    _unannounce(writer, kept)


def _unannounce(writer: Writer, kept: Kept) -> None:
    # What stays says nothing of a lock that is written later, and a purge takes it along.
    with suppress(StoreError):
        quarantine.end_undo(writer.store, kept.id)


def _after(writer: Writer, kept: Kept, outcome: str, detail: str) -> None:
    fields = {
        "target": kept.token.target,
        "key": kept.key,
        "outcome": outcome,
        "detail": printable(detail, limit=1000),
    }
    writer.audit.append("undo", "after", kept.id, writer.clock.wall_ns(), fields)


def was_interrupted(audit: Audit, entry: str) -> bool:
    """Whether an undo of a transaction began and did not end, or ended without knowing how."""
    return entry in audit.open_undos()


def abandon(writer: Writer, kept: Kept) -> None:
    """Say of an undo that did not end that it will not: the lock stays broken."""
    if was_interrupted(writer.audit, kept.id):
        _after(writer, kept, "abandoned", "the break was finished instead")


def _resume(writer: Writer, kept: Kept) -> Undone | None:
    """End an undo that was killed, or got no answer, after it wrote the lock; None if it had not come so far,
    or if what it wrote has run out since and was taken away."""
    try:
        found = writer.store.read(kept.key)
        marked = quarantine.undone_by(writer.store, kept.id) is not None
    except StoreError as error:
        raise unread(kept, error.what) from error
    there = found is not None and found.body == kept.body
    if found is None or not (there or marked):
        return _over(writer, kept, 0) if marked else None
    seen = look_at(writer.store, kept, writer.clock)
    left = found.modified_ns + writer.timing.duration_ns - seen.clock.at(seen.ended_mono_ns).hi
    if marked:
        return _over(writer, kept, left if there else 0)
    if left <= 0:
        take_away(writer, kept, token_of_blob(kept.token.target, kept.key, found))
        return None
    with _told(writer, kept):
        # Whether that write was the undo's own or its holder's cannot be told any more: it stays.
        _settle(writer, kept, None)
        _mark(writer, kept)
    return _over(writer, kept, left)


def _over(writer: Writer, kept: Kept, left_ns: int) -> Undone:
    """All was done but for the end in the trail."""
    _after(writer, kept, "undone", "it was interrupted after the write")
    return Undone(kept.id, kept.key, max(0, left_ns) / SECOND)


def _stands(kept: Kept, found: tuple[LockFile, ...], *, ours: bool) -> Refused:
    first = printable(found[0].file_name, limit=120)
    why = "its holder lives and refreshed it" if ours else "an undo or its holder wrote it"
    return Refused(
        f"{kept.token.shown} stands again beside {first}, which excludes it: {why}",
        because=Because.CONFLICT,
        advice="stop the process that holds it, not the file",
    )


def _settle(writer: Writer, kept: Kept, ours: Token | None) -> None:
    """Make sure that nobody of another type was granted the volume meanwhile; else take it away again.

    Who looked before our write has had its own file in the folder before that, and is seen now: it may be
    granted still, or has been. Who looks later sees ours.
    """
    give_up = writer.clock.mono_ns() + SETTLE_NS
    while True:
        try:
            seen = look_at(writer.store, kept, writer.clock)
        except Failed as error:
            if take_away(writer, kept, ours):
                raise error from None
            what = f"{kept.token.shown} is there, and whether beside a rival could not be seen: {error.what}"
            raise Failed(
                what, settled=False, entry=kept.id, advice="undo it once more, which tells"
            ) from error
        found = rivals(kept, seen, writer.timing)
        if not found:
            return
        holding = any(lock.record is None or lock.record.acquired for lock in found)
        if holding or writer.clock.mono_ns() >= give_up:
            if not take_away(writer, kept, ours):
                raise _stands(kept, found, ours=ours is not None)
            raise in_the_way(kept, found)
        writer.clock.sleep(_POLL_NS)


def _mark(writer: Writer, kept: Kept) -> None:
    try:
        quarantine.mark(writer.store, kept.id, "undone", f"{writer.who.user}@{writer.who.host}")
    except StoreError as error:
        what = f"{kept.token.shown} was put back, but the quarantine does not say so: {error.what}"
        raise Failed(what, settled=False, entry=kept.id) from error
