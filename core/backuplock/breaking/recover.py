"""Transactions that did not end are finished or taken back, each by one process alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from backuplock.breaking.again import check_dead
from backuplock.breaking.errors import Because, Refused
from backuplock.breaking.execute import Broken, carry_out, conclude, record, withdraw
from backuplock.breaking.interrupted import Stage, Unfinished, find
from backuplock.breaking.quarantine import Kept
from backuplock.breaking.removal import Removal, moved_differs, restore
from backuplock.breaking.undo import Undone, abandon, put_back
from backuplock.breaking.writer import Writer
from backuplock.errors import StoreError
from backuplock.stores.base import aside_of


@contextmanager
def _taken_up(writer: Writer, entry: str, verb: str) -> Iterator[tuple[Unfinished, Kept]]:
    """Work on a transaction, alone, by what is there then.

    Raises:
        Refused: there is nothing to do, or somebody else does it.
    """

    def check(one: Unfinished, able: bool) -> Kept:
        if not able or one.kept is None:
            raise Refused(f"{entry} cannot be {verb}: {one.words}", because=Because.NOT_NOW)
        return one.kept

    def able(one: Unfinished) -> bool:
        return one.can_finish if verb == "finished" else one.can_undo

    first = find(writer, entry)
    check(first, able(first))
    with writer.audit.at_work(entry):
        # What was seen before nobody else could work on it may have been done by somebody meanwhile.
        one = find(writer, entry, mine=entry)
        yield one, check(one, able(one))


def finish(writer: Writer, entry: str, *, allow_live: bool = False) -> Broken | None:
    """Bring a transaction to its end as it was meant, if the lock still is what it was.

    Args:
        allow_live: also if nothing shows that its holder is dead.

    Returns: the broken lock; None if it was not broken: it was refreshed, or went by itself.

    Raises: as `execute`; Refused also if it cannot be finished.
    """
    with _taken_up(writer, entry, "finished") as (one, kept):
        if one.stage is Stage.UNTOUCHED:
            if not allow_live:
                # What somebody insisted on then, a full name typed, whoever takes it up now does not.
                check_dead(writer, kept.token)
            return carry_out(writer, kept)
        if one.stage is Stage.REMOVED:
            done = _conclude(writer, kept, back=False)
            abandon(writer, kept)
            return done
        return _leave(writer, one, kept)


def take_back(writer: Writer, entry: str, *, reason: str = "") -> Undone | None:
    """Undo a transaction that did not end.

    Returns: the lock that was put back; None if nothing had to be, for it is in its place or went by itself.

    Raises: as `undo`; Refused also if it cannot be undone.
    """
    with _taken_up(writer, entry, "undone") as (one, kept):
        if one.stage is Stage.UNDOING:
            return put_back(writer, kept, reason=reason, without_volume=False)
        if one.stage is Stage.REMOVED:
            undone = put_back(writer, kept, reason=reason, without_volume=False)
            record(writer, kept, "undone", "interrupted, and put back")
            return undone
        if one.stage is Stage.UNTOUCHED:
            withdraw(writer, kept)
            record(writer, kept, "abandoned", "interrupted before anything was removed")
            return None
        _leave(writer, one, kept)
        return None


def _conclude(writer: Writer, kept: Kept, *, back: bool) -> Broken:
    aside = aside_of(writer.store)
    notes: tuple[str, ...] = ("finished after an interruption",)
    if aside is not None and not back:
        try:
            aside.tidy(kept.key)
        except StoreError as error:
            notes = (*notes, f"empty folders were left: {error.what}")
    return conclude(writer, kept, Removal(writer.clock.mono_ns(), None, back, notes))


def _leave(writer: Writer, one: Unfinished, kept: Kept) -> Broken | None:
    """Where there is nothing to remove: the lock goes back to its place, is there, or went by itself."""
    if one.stage is Stage.SWEPT:
        aside = aside_of(writer.store)
        if aside is None:
            raise Refused(f"{one.id}: this store cannot rename", because=Because.UNFIT)
        if not moved_differs(writer, kept):
            raise Refused(f"{one.id} changed meanwhile", because=Because.NOT_NOW, advice="look again")
        restore(writer, kept, aside)
    if one.stage is Stage.BACK:
        return _conclude(writer, kept, back=True)
    withdraw(writer, kept)
    outcome = "gone" if one.stage is Stage.GONE else "refused"
    record(writer, kept, outcome, one.words)
    return None
