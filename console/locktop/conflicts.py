"""What is in the way of putting a broken lock back, told beforehand; the library looks again when it does."""

from __future__ import annotations

from backuplock.breaking import Copy
from backuplock.errors import Malformed
from backuplock.rules import LONGHORN, Timing, conflicts, contender, expired
from backuplock.stores.base import Store
from backuplock.survey import look
from backuplock.text import printable
from backuplock.wire import decode


def in_the_way(store: Store, copy: Copy, timing: Timing = LONGHORN) -> str:
    """Why it could not be put back now; "" if nothing is seen that would keep it out.

    Raises:
        StoreError: the volume could not be read.
    """
    if copy.kept is None:
        return f"its description cannot be had: {copy.why}"
    if copy.restored:
        return "it was put back already, or never went"
    kept = copy.kept
    seen = look(store, kept.token.volume)
    if kept.key in seen.by_key:
        return "a lock of its name is there, so its holder lives"
    try:
        type_ = decode(kept.body).type
    except Malformed:
        return ""  # Nobody heeds what nobody can read.
    now = seen.clock.at(seen.began_mono_ns)
    for lock in seen.locks:
        over = lock.modified_ns is not None and expired(lock.modified_ns, now, timing) is True
        other = contender(lock)
        if not over and (other is None or conflicts(other.type, type_)):
            return f"{printable(lock.file_name, limit=120)} is in its way, wait until that one has gone"
    return ""
