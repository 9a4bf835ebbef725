"""What becomes of the locks that were broken here: their watches, carried on with each Snapshot.

Shared by two threads: the breaker's adds, the session's looks.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace

from backuplock.breaking import Fate, Vigil
from backuplock.clock import SECOND
from backuplock.model import Snapshot
from backuplock.watch import RETURN_NS
from locktop.deeds import Care

TOLD_NS = 60 * SECOND
"""For how long a verdict stays to be read."""

GRACE_NS = 60 * SECOND
"""How long after its end a watch still waits for a store that does not answer."""

DOUBT_NS = 30 * SECOND
"""For how long after a return a mark may still tell that it was none: it is written after the lock."""


class Aftermath:
    """The watches, in the order in which their locks were broken."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._cares: list[Care] = []
        self._leaving: dict[str, int] = {}
        self._returning: dict[str, int] = {}

    def add(self, care: Care) -> None:
        """A lock was broken just now."""
        key = care.vigil.token.key
        with self._guard:
            self._cares = [one for one in self._cares if one.vigil.token.key != key] + [care]
            self._leaving[key] = care.vigil.removed_mono_ns
            self._returning.pop(key, None)

    def suspend(self, key: str, mono_ns: int) -> Care | None:
        """A lock is about to be put back: that it is there then is no sign of its holder. Its watch ends."""
        with self._guard:
            self._returning[key] = mono_ns
            care = next((one for one in self._cares if one.vigil.token.key == key), None)
            self._cares = [one for one in self._cares if one is not care]
        return care

    def resume(self, key: str, care: Care | None) -> None:
        """It was not put back after all: whoever brings it lives. The watch goes on."""
        with self._guard:
            self._returning.pop(key, None)
            if care is not None:
                self._cares.append(care)

    @property
    def cares(self) -> tuple[Care, ...]:
        """All of them."""
        with self._guard:
            return tuple(self._cares)

    def leaving(self) -> frozenset[str]:
        """Keys that we removed and that have not been seen to be gone yet."""
        with self._guard:
            return frozenset(self._leaving)

    def returning(self) -> frozenset[str]:
        """Keys that we put back and that have not been seen there yet."""
        with self._guard:
            return frozenset(self._returning)

    def recognize(self, snapshot: Snapshot, tell: Callable[[Vigil], Vigil]) -> tuple[Care, ...]:
        """Tell locks that somebody else put back from those that came back, before anything is made of a
        Snapshot; those that were put back.

        Args:
            tell: looks into the store, as `told_apart`; only asked about locks that are there again.
        """
        with self._guard:
            back = [
                (one, found)
                for one in self._cares
                if (found := one.vigil.look(snapshot)).fate is Fate.CAME_BACK
                and snapshot.ended_mono_ns - (found.at_mono_ns or 0) <= DOUBT_NS
            ]
        told = {one.entry: replace(one, vigil=tell(found)) for one, found in back}
        put_back = {entry: one for entry, one in told.items() if one.vigil.fate is Fate.PUT_BACK}
        with self._guard:
            self._cares = [put_back.get(one.entry, one) for one in self._cares]
            for one in put_back.values():
                self._returning[one.vigil.token.key] = snapshot.began_mono_ns
        return tuple(put_back.values())

    def look(self, snapshot: Snapshot, known: frozenset[str]) -> tuple[Care, ...]:
        """One more Snapshot; the watches that were decided by it.

        Args:
            known: keys of the locks that count as present after it.
        """
        now = snapshot.ended_mono_ns
        with self._guard:
            began = snapshot.began_mono_ns
            seen = snapshot.by_key
            # A look that began before the removal shows the lock still; absent, it has gone for all to see.
            self._leaving = {
                key: at
                for key, at in self._leaving.items()
                if key in known and not (key in seen and began >= at)
            }
            self._returning = {
                key: at for key, at in self._returning.items() if key not in seen and began <= at + RETURN_NS
            }
            before = self._cares
            after = [replace(one, vigil=one.vigil.look(snapshot)) for one in before]
            self._cares = [one for one in after if _stays(one.vigil, snapshot, now)]
        return _decided(before, after)

    def lose(self, mono_ns: int) -> tuple[Care, ...]:
        """A look failed; the watches that this ends."""
        with self._guard:
            before = self._cares
            self._cares = [
                replace(one, vigil=one.vigil.give_up(mono_ns))
                if mono_ns > one.vigil.until_mono_ns + GRACE_NS
                else one
                for one in before
            ]
            return _decided(before, self._cares)


def _decided(before: list[Care], after: list[Care]) -> tuple[Care, ...]:
    pairs = zip(before, after, strict=True)
    return tuple(now for was, now in pairs if now.vigil.decided and not was.vigil.decided)


def _stays(vigil: Vigil, snapshot: Snapshot, now: int) -> bool:
    """A verdict is told for a while; that one came back, for as long as it is there; that one is gone, no
    longer than it is."""
    there = vigil.token.key in snapshot.by_key
    if vigil.fate in (Fate.GONE, Fate.REPLACED) and there:
        return False
    if vigil.at_mono_ns is None or now - vigil.at_mono_ns <= TOLD_NS:
        return True
    return vigil.fate is Fate.CAME_BACK and there
