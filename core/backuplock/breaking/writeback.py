"""What an undo does to a lock's place: writes the lock back over nothing, and takes it away again."""

from __future__ import annotations

from dataclasses import dataclass

from backuplock.breaking import quarantine
from backuplock.breaking.errors import Because, Failed, Refused
from backuplock.breaking.quarantine import Kept
from backuplock.breaking.token import Token, difference, digest_of, token_of_blob
from backuplock.breaking.writer import Writer
from backuplock.errors import Conflict, StoreError
from backuplock.stores.base import Aside, Blob, Version, aside_of


@dataclass(frozen=True, slots=True)
class Written:
    """What came of writing a lock back.

    Attributes:
        version: what was made; None if the store does not let us know it from one written since.
        note: what did not go as it should without changing that, a clause.
    """

    version: Token | None
    note: str = ""


def write_back(writer: Writer, kept: Kept, *, earlier: bool) -> Written:
    """Write it, over nothing: atomically where the store can, else after a look.

    Args:
        earlier: an earlier write of ours got no answer, and may have been done since.

    Raises:
        Refused: its holder wrote it meanwhile.
        Failed: it was not written; `settled` unless it may be written yet.
    """
    try:
        made = _create(writer, kept)
    except Conflict as error:
        if earlier and (found := _there(writer, kept)) is not None and found.body == kept.body:
            return Written(None, "an earlier undo whose write got no answer, or its holder, wrote it")
        raise _came_back(kept) from error
    except StoreError as error:
        return Written(None, _after_silence(writer, kept, error))
    return Written(_version(writer, kept, made))


def _create(writer: Writer, kept: Kept) -> Version:
    store, key = writer.store, kept.key
    aside = aside_of(store)
    if aside is not None:
        return aside.create(key, kept.body)
    if store.capabilities.conditional_put == "yes":
        return store.put(key, kept.body, if_absent=True)
    try:
        there = store.read(key) is not None
    except StoreError as error:
        what = f"{kept.token.shown} was not put back: {error.what}"
        raise Failed(what, settled=True, entry=kept.id, advice=error.advice) from error
    if there:
        raise Conflict(f"{kept.token.shown} is there")
    return store.put(key, kept.body)


def _after_silence(writer: Writer, kept: Kept, error: StoreError) -> str:
    """A write that got no answer may have been done, or may be done yet. Nothing was there a moment before,
    so that the same bytes are our own write, or the refresh of a holder that lives: it stays either way.

    Returns: a clause for the audit trail.
    """
    what = f"{kept.token.shown} was not put back: {error.what}"
    try:
        found = writer.store.read(kept.key)
    except StoreError as unseen:
        what = f"whether {kept.token.shown} was put back could not be seen: {error.what}; {unseen.what}"
        raise _failed(kept, what) from error
    if found is None:
        if not error.untouched:
            what = f"the store did not say whether it put {kept.token.shown} back, it may still do so"
            raise _failed(kept, f"{what}: {error.what}") from error
        raise Failed(what, settled=True, entry=kept.id, advice=error.advice) from error
    if found.body != kept.body:
        raise _came_back(kept) from error
    return "the store did not answer the write, and the lock is there"


def _there(writer: Writer, kept: Kept) -> Blob | None:
    try:
        return writer.store.read(kept.key)
    except StoreError as error:
        what = f"whether {kept.token.shown} was put back could not be seen: {error.what}"
        raise _failed(kept, what) from error


def _failed(kept: Kept, what: str) -> Failed:
    return Failed(what, settled=False, entry=kept.id, advice="undo it once more, which tells")


def _came_back(kept: Kept) -> Refused:
    return Refused(f"{kept.token.shown} came back by itself, so its holder lives", because=Because.CONFLICT)


def _version(writer: Writer, kept: Kept, made: Version) -> Token | None:
    """What exactly we wrote. A holder's refresh has the same bytes and on S3 the same etag, so the time
    counts; where the reply did not tell it, a read right after it does, unless that shows a later write."""
    target, key, body = kept.token.target, kept.key, kept.body
    if made.modified_ns is not None:
        return Token(target, key, made.modified_ns, made.etag, len(body), digest_of(body))
    try:
        found = writer.store.read(key)
    except StoreError:
        return None
    if found is None or found.body != body or found.etag != made.etag:
        return None
    seen = made.observed
    if seen is not None and found.modified_ns > seen.store_ns + seen.grain_ns:
        return None
    return token_of_blob(target, key, found)


def take_away(writer: Writer, kept: Kept, ours: Token | None) -> bool:
    """Remove what was put back a moment ago; false if it was written since: its holder lives, it stays."""
    if ours is None:
        return False
    try:
        found = writer.store.read(kept.key)
        if found is None or difference(ours, found):
            return found is None
        aside = aside_of(writer.store)
        if aside is not None:
            return _move_away(writer, kept, ours, aside)
        return _delete(writer, kept, ours)
    except StoreError as error:
        what = f"{kept.token.shown} was put back beside a rival and could not be taken away: {error.what}"
        raise Failed(what, settled=False, entry=kept.id) from error


def _delete(writer: Writer, kept: Kept, ours: Token) -> bool:
    conditional = writer.store.capabilities.conditional_delete == "yes"
    try:
        writer.store.delete(kept.key, if_match=ours.etag if conditional else None)
    except Conflict:
        return False
    return True


def _move_away(writer: Writer, kept: Kept, ours: Token, aside: Aside) -> bool:
    """Renamed first and looked at then, as when it was broken: a refresh in between is found, and goes
    back."""
    store, away = writer.store, quarantine.taken_of(kept.id)
    if not aside.put_aside(kept.key, away):
        return True
    found: Blob | None = store.read(away)
    if found is not None and difference(ours, found):
        aside.put_back(away, kept.key)
        return False
    store.delete(away)
    aside.tidy(kept.key)
    return True
