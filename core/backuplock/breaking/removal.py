"""The one act that cannot be taken lightly: a lock out of its place, only if it still is what was seen.

A last look comes right before it. For what is refreshed between the two: where the store can rename, the
file goes to the quarantine as it is, is looked at there, and goes back where it was; a refresh that comes
later makes a new file. Elsewhere the delete is conditional where the store has been seen to honour that.
"""

from __future__ import annotations

from dataclasses import dataclass

from backuplock.breaking import quarantine
from backuplock.breaking.errors import Because, Failed, Refused
from backuplock.breaking.quarantine import Kept
from backuplock.breaking.seen import current
from backuplock.breaking.token import difference
from backuplock.breaking.writer import Step, Writer
from backuplock.errors import Conflict, StoreError, Unreachable
from backuplock.stores.base import Aside, aside_of


@dataclass(frozen=True, slots=True)
class Removal:
    """How a lock went; fields as in `Broken`."""

    removed_mono_ns: int
    window_ns: int | None = None
    back: bool = False
    notes: tuple[str, ...] = ()


def remove(writer: Writer, kept: Kept) -> Removal:
    """Take the lock out of its place, and look at the place afterwards.

    Raises:
        Refused: it is not what was seen; it is where it was.
        Failed: the store did not do its part.
    """
    aside = aside_of(writer.store)
    try:
        _check_copy(writer, kept)
        began = writer.clock.mono_ns()
        current(writer, kept.token)
    except StoreError as error:
        what = f"{kept.token.shown} was not broken: {error.what}"
        raise _failed(kept, what, error, settled=True) from error
    writer.told(Step.RECHECKED)
    if aside is not None:
        return _rename(writer, kept, aside)
    return _delete(writer, kept, began)


def _check_copy(writer: Writer, kept: Kept) -> None:
    """A process that was stopped for long may find that somebody elsewhere took its act for dead."""
    if writer.store.read(quarantine.description(kept.id), cap=quarantine.CAP) is None:
        raise Refused(
            f"{kept.token.shown} is not broken, somebody else has taken this break back meanwhile",
            because=Because.CHANGED,
            advice="look again",
        )


# -- where there is no rename


def _delete(writer: Writer, kept: Kept, began: int) -> Removal:
    store, token = writer.store, kept.token
    conditional = store.capabilities.conditional_delete == "yes"
    note = ""
    try:
        store.delete(token.key, if_match=token.etag if conditional else None)
    except Conflict as error:
        raise Refused(
            f"{token.shown} is not broken, it was written anew meanwhile", because=Because.CHANGED
        ) from error
    except StoreError as error:
        if error.untouched:
            raise _failed(kept, f"{token.shown} was not broken: {error.what}", error, settled=True) from error
        note = _after_silence(writer, kept, error)
    ended = writer.clock.mono_ns()
    writer.told(Step.REMOVED)
    return _verified(writer, kept, ended, ended - began, note)


def _after_silence(writer: Writer, kept: Kept, error: StoreError) -> str:
    """A delete that got no answer may have been done, or may be done yet."""
    try:
        found = writer.store.read(kept.key)
    except StoreError:
        found = None
        unknown = True
    else:
        unknown = found is not None
    if unknown:
        what = f"the store did not say whether it removed {kept.token.shown}, it may still do so"
        raise _failed(kept, f"{what}: {error.what}", error, settled=False) from error
    return "the store did not answer the removal, and the lock is gone"


def _verified(writer: Writer, kept: Kept, ended: int, window_ns: int | None, note: str = "") -> Removal:
    notes = (note,) if note else ()
    try:
        found = writer.store.read(kept.key)
    except StoreError as error:
        return Removal(ended, window_ns, notes=(*notes, f"its place could not be looked at: {error.what}"))
    if found is None:
        return Removal(ended, window_ns, notes=notes)
    if difference(kept.token, found):
        return Removal(ended, window_ns, back=True, notes=notes)
    what = f"{kept.token.shown} is there as it was, though the store said that it was removed"
    raise _failed(kept, what, None, settled=False)


# -- where there is one


def _rename(writer: Writer, kept: Kept, aside: Aside) -> Removal:
    file = quarantine.file_of(kept.id)
    token = kept.token
    try:
        moved = aside.put_aside(token.key, file)
    except StoreError as error:
        settled = _is_absent(writer, file)
        raise _failed(kept, f"{token.shown} was not broken: {error.what}", error, settled=settled) from error
    if not moved:
        raise Refused(f"{token.shown} is not broken, it is not there any more", because=Because.GONE)
    ended = writer.clock.mono_ns()
    writer.told(Step.REMOVED)
    if differs := moved_differs(writer, kept):
        restore(writer, kept, aside)
        raise Refused(
            f"{token.shown} is not broken, {differs}", because=Because.CHANGED, advice="it is where it was"
        )
    notes: tuple[str, ...] = ()
    try:
        aside.tidy(token.key)
    except StoreError as error:
        notes = (f"empty folders were left: {error.what}",)
    found = _verified(writer, kept, ended, None)
    return Removal(ended, None, found.back, (*notes, *found.notes))


def moved_differs(writer: Writer, kept: Kept) -> str:
    """In what way the file in the quarantine is not the version that was meant; "" if it is that one."""
    try:
        found = writer.store.read(quarantine.file_of(kept.id))
    except Unreachable as error:
        what = f"{kept.token.shown} was moved and could not be looked at: {error.what}"
        raise _failed(kept, what, error, settled=False) from error
    except StoreError as error:
        return error.what
    return "it vanished" if found is None else difference(kept.token, found)


def restore(writer: Writer, kept: Kept, aside: Aside) -> None:
    """Rename a file that should not have been moved to where it was. If something stands there by now, its
    holder wrote it since, and what was moved is out of date.

    Raises:
        Failed: it could not be done; the file stays in the quarantine.
    """
    try:
        aside.put_back(quarantine.file_of(kept.id), kept.key)
    except StoreError as error:
        what = f"{kept.token.shown} was refreshed meanwhile, and could not be put back: {error.what}"
        raise _failed(kept, what, error, settled=False) from error


def _is_absent(writer: Writer, file: str) -> bool:
    try:
        return writer.store.read(file) is None
    except StoreError:
        return False


def _failed(kept: Kept, what: str, error: StoreError | None, *, settled: bool) -> Failed:
    advice = error.advice if error is not None and settled else ""
    return Failed(what, settled=settled, entry=kept.id, advice=advice or f"finish or undo it: {kept.id}")
