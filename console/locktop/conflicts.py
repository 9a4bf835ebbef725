"""What is in the way of putting a broken lock back, told beforehand; the library looks again when it does."""

from __future__ import annotations

from backuplock.breaking import Copy, Refused, check_way
from backuplock.rules import LONGHORN, Timing
from backuplock.stores.base import Store


def in_the_way(store: Store, copy: Copy, timing: Timing = LONGHORN, *, without_volume: bool = False) -> str:
    """Why it could not be put back now, by what doing it would say; "" if nothing is seen.

    Raises:
        Failed: the volume could not be read.
    """
    if copy.kept is None:
        return f"its description cannot be had: {copy.why}"
    if copy.restored:
        return "it was put back already, or never went"
    try:
        check_way(store, copy.kept, timing=timing, without_volume=without_volume)
    except Refused as refused:
        return str(refused)
    return ""
