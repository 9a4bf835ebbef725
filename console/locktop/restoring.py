"""Putting locks back and ending what was interrupted, in step with the watches over what was broken."""

from __future__ import annotations

from backuplock.breaking import Failed, Writer, finish, take_back, undo, vigil_of
from backuplock.errors import StoreError
from backuplock.model import Snapshot
from backuplock.stores.base import Store
from backuplock.text import printable
from locktop.aftermath import Aftermath
from locktop.broken_rows import row_before
from locktop.deeds import Care


def put_back(writer: Writer, aftermath: Aftermath, entry: str, key: str, *, interrupted: bool) -> str:
    """Put a broken lock back, or (`interrupted`) take back a break that did not end; what was done, a line.

    A lock that is back through us is no sign of its holder: the watch over it ends. Where nothing was put
    back it goes on.

    Raises: as `undo` and `take_back`.
    """
    care = aftermath.suspend(key, writer.clock.mono_ns())
    ours = False
    try:
        undone = take_back(writer, entry) if interrupted else undo(writer, entry)
        ours = undone is not None
    except Failed as failed:
        ours = not failed.settled and _is_there(writer.store, key)
        raise
    finally:
        if not ours:
            aftermath.resume(key, care)
    if undone is None:
        return "taken back: nothing had to be put back, the lock is in its place or went by itself"
    name = printable(undone.key.rpartition("/")[2], limit=120)
    return f"put back: {name}; it counts for {undone.protects_s:.0f} s, and nobody refreshes it"


def finish_one(writer: Writer, aftermath: Aftermath, entry: str, before: Snapshot | None) -> str:
    """Bring an interrupted break to its end, and watch whether the lock comes back; what was done, a line.

    Args:
        before: what there was beside it, as in `vigil_of`.

    Raises: as `finish`.
    """
    broken = finish(writer, entry)
    if broken is None:
        return "finished: the lock was not broken, for it was refreshed or went by itself"
    aftermath.add(Care(broken.id, vigil_of(broken, before), row_before(broken.token, before)))
    if broken.back:
        return f"finished: {broken.token.shown} is there, written since: its holder lives"
    return "; ".join((f"finished: {broken.token.shown} is broken, a copy is kept", *broken.notes))


def _is_there(store: Store, key: str) -> bool:
    try:
        return store.read(key) is not None
    except StoreError:
        return False
