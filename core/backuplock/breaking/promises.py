"""What breaking a lock guarantees on a store, and what remains, in words and as measured."""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from dataclasses import dataclass

from backuplock.breaking.audit import AuditEntry
from backuplock.clock import SECOND
from backuplock.guarantees import Guarantee
from backuplock.stores.base import Capabilities


@dataclass(frozen=True, slots=True)
class Window:
    """How long it took, in earlier breaks on a store, from the beginning of the last look to the end of the
    delete: a refresh in that time is not seen by that look. Nanoseconds."""

    rounds: int
    median_ns: int
    longest_ns: int


_VERSIONS = (
    "the bucket keeps versions: all clients see the lock gone, and its versions stay behind a delete marker"
)


def window_of(entries: Iterable[AuditEntry], target: str) -> Window | None:
    """What the audit trail has measured on a target; None if nothing."""
    found = [
        value
        for one in entries
        if one.get("target") == target and isinstance(value := one.fields.get("window_ns"), int)
    ]
    return Window(len(found), round(statistics.median(found)), max(found)) if found else None


def promises(
    found: Capabilities, *, renames: bool, changes: bool, window: Window | None = None
) -> tuple[Guarantee, ...]:
    """What holds for a break on a store of these capabilities.

    Args:
        renames: the store can put a file aside (`Aside`).
        changes: the lock's body changes with each renewal, as those of our own locks do, so that an etag
            shows a renewal.
        window: what was measured here.
    """
    stays = (Guarantee("nothing of it stays behind", False, _VERSIONS),)
    return (
        _refreshed(found, renames=renames, changes=changes, window=window),
        Guarantee("a copy is kept", True, "it is written and read back before anything is removed"),
        Guarantee(
            "a holder that lives is noticed",
            True,
            "a lock that is refreshed after its break is back within 60 s, and watched for during 75 s",
        ),
        *(stays if found.keeps_versions == "yes" else ()),
    )


def _refreshed(found: Capabilities, *, renames: bool, changes: bool, window: Window | None) -> Guarantee:
    name = "a lock that is refreshed meanwhile stays"
    if renames:
        why = "the file is renamed away, looked at, and put back where it was if it was refreshed just then"
        return Guarantee(name, True, f"{why}; it is out of its place for that moment")
    if found.conditional_delete == "yes" and found.fresh_etags:
        why = "each refresh, Longhorn's too, gives it another etag"
        return Guarantee(name, True, f"{why}, and the store checks that it removes no other version")
    if found.conditional_delete == "yes" and changes:
        return Guarantee(
            name, True, "each renewal changes its content, and the store checks that it removes no other"
        )
    why = {
        "yes": "Longhorn's refresh writes the same bytes, which no condition of this store shows",
        "no": "this store removes whatever is there, whatever the condition",
        "unproven": "whether this store honours a condition has not been probed",
    }[found.conditional_delete]
    return Guarantee(name, False, f"{why}; {_told(window)}")


def _told(window: Window | None) -> str:
    remains = "a refresh between the last look and the removal is removed with it"
    if window is None:
        return (
            f"{remains}, and shows when its holder refreshes again; the time between is one or two requests"
        )
    times = "once" if window.rounds == 1 else f"{window.rounds} times"
    return (
        f"{remains}, and shows when its holder refreshes again; between them lay "
        f"{_ms(window.median_ns)} ms ({_ms(window.longest_ns)} at most, measured {times})"
    )


def _ms(ns: int) -> int:
    return max(1, round(ns * 1000 / SECOND))
