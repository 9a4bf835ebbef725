"""The 75 s after a break: a holder that lives refreshes its lock, and shows by that.

A pure function over the Snapshots of a store or of one volume, for a console that polls anyway; and a loop
for a command that waits.
"""

from __future__ import annotations

import enum
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace

from backuplock.breaking.execute import Broken
from backuplock.breaking.quarantine import undone_by
from backuplock.breaking.token import Token
from backuplock.breaking.writer import Writer
from backuplock.clock import SECOND, Clock, SystemClock
from backuplock.errors import StoreError
from backuplock.model import LockFile, Snapshot
from backuplock.rules import Timing
from backuplock.stores.base import Store
from backuplock.survey import look
from backuplock.text import printable
from backuplock.watch import RETURN_NS

LOOK_EVERY_NS = 2 * SECOND
PATIENCE_NS = 60 * SECOND
"""For how long after its end a watch waits for a look that shows the place, not what caches kept of it."""


class Fate(enum.StrEnum):
    """What became of a broken lock."""

    WATCHING = "watching"
    GONE = "gone for good"
    CAME_BACK = "came back"
    PUT_BACK = "put back"
    """Somebody undid the break: no holder came back with it."""
    REPLACED = "another took its place"
    UNSEEN = "could not be watched"
    """It was not there at the last look, but no look succeeded after its holder's next refresh was due."""


HELP = {
    Fate.WATCHING: "",
    Fate.GONE: "",
    Fate.CAME_BACK: (
        "stop the process, not the file; or take a hold of your own (locktop hold) before it is broken again"
    ),
    Fate.PUT_BACK: "",
    Fate.REPLACED: "somebody else works in the volume now",
    Fate.UNSEEN: "look at the volume once the store can be read again",
}
"""What helps in each case."""


@dataclass(frozen=True, slots=True)
class Vigil:
    """The watch over one broken lock. Immutable: `look` gives the next one.

    Attributes:
        removed_mono_ns: when it was out of its place. until_mono_ns: when the watch ends.
        known: keys of the volume's locks when it was broken.
        fate: WATCHING until it is decided.
        seen_mono_ns: beginning of the last look that showed its place empty; None before the first.
        by: the key that took its place, or its own if it came back.
        at_mono_ns: when its fate was seen.
        entry: the id of the transaction. who: whoever put it back, if they said so.
    """

    token: Token
    removed_mono_ns: int
    until_mono_ns: int
    known: frozenset[str] = frozenset()
    fate: Fate = Fate.WATCHING
    seen_mono_ns: int | None = None
    by: str = ""
    at_mono_ns: int | None = None
    entry: str = ""
    who: str = ""

    @property
    def decided(self) -> bool:
        """Whether there is nothing more to wait for."""
        return self.fate is not Fate.WATCHING

    def left_ns(self, mono_now_ns: int) -> int:
        """How long the watch still lasts."""
        return 0 if self.decided else max(0, self.until_mono_ns - mono_now_ns)

    def look(self, snapshot: Snapshot) -> Vigil:
        """The watch after one more Snapshot, of the whole store or of the volume."""
        if self.decided or snapshot.began_mono_ns < self.removed_mono_ns:
            return self
        now = snapshot.ended_mono_ns
        lock = snapshot.by_key.get(self.token.key)
        if lock is not None and self._is_new(lock):
            return replace(self, fate=Fate.CAME_BACK, by=lock.key, at_mono_ns=now)
        absent = lock is None and not self._is_hidden(snapshot)
        seen = snapshot.began_mono_ns if absent else self.seen_mono_ns
        watched = replace(self, seen_mono_ns=seen, by=self.by or self._successor(snapshot))
        if seen is not None and seen >= self.until_mono_ns:
            return replace(watched, fate=Fate.REPLACED if watched.by else Fate.GONE, at_mono_ns=now)
        if snapshot.began_mono_ns >= self.until_mono_ns + PATIENCE_NS:
            return watched.give_up(now)
        return watched

    def give_up(self, mono_now_ns: int) -> Vigil:
        """The watch when no more looks are to be had."""
        return self if self.decided else replace(self, fate=Fate.UNSEEN, at_mono_ns=mono_now_ns)

    @property
    def words(self) -> str:
        """One sentence."""
        name = self.token.shown
        if self.fate is Fate.REPLACED:
            return f"{name} is gone; {printable(self.by.rpartition('/')[2], limit=120)} took its place"
        if self.fate is Fate.PUT_BACK:
            return f"{name} was put back by {self.who or 'somebody else'}"
        return {
            Fate.WATCHING: f"{name} is gone so far",
            Fate.GONE: f"{name} is gone for good",
            Fate.CAME_BACK: f"{name} came back: its holder is alive",
        }.get(self.fate, f"whether {name} stays gone could not be seen")

    @property
    def help(self) -> str:
        """What helps; "" if nothing has to be done."""
        return HELP[self.fate]

    def _is_new(self, lock: LockFile) -> bool:
        """A stale listing may show for a while what was removed: that very version is no return."""
        return (lock.modified_ns, lock.etag, lock.size) != (
            self.token.modified_ns,
            self.token.etag,
            self.token.size,
        )

    def _is_hidden(self, snapshot: Snapshot) -> bool:
        mine = [view for view in snapshot.volumes if view.name == self.token.volume]
        return bool(snapshot.problems) or any(view.problem for view in mine)

    def _successor(self, snapshot: Snapshot) -> str:
        """A lock that was acquired in the volume since; somebody who only asks has not taken it yet."""
        for lock in snapshot.locks:
            new = lock.volume == self.token.volume and lock.key not in self.known
            if new and lock.record is not None and lock.record.acquired and lock.key != self.token.key:
                return lock.key
        return ""


def vigil_of(broken: Broken, before: Snapshot | None = None, timing: Timing | None = None) -> Vigil:
    """The watch over what was just broken.

    Args:
        before: a Snapshot from before, so that locks that were there already are not taken for successors.
        timing: other periods than Longhorn's; the watch lasts a refresh and a quarter of one.
    """
    length = RETURN_NS if timing is None else timing.refresh_ns * 5 // 4
    volume = broken.token.volume
    known = frozenset(lock.key for lock in before.locks if lock.volume == volume) if before else frozenset()
    removed = broken.removed_mono_ns
    watched = Vigil(broken.token, removed, removed + length, known, entry=broken.id)
    if broken.back:
        return replace(watched, fate=Fate.CAME_BACK, by=broken.token.key, at_mono_ns=removed)
    return watched


def told_apart(store: Store, vigil: Vigil) -> Vigil:
    """The watch over a lock that came back, after a look whether it was put back: whoever undoes a break
    says so in the quarantine, before and after. What cannot be read was not said."""
    if vigil.fate is not Fate.CAME_BACK or not vigil.entry:
        return vigil
    try:
        who = undone_by(store, vigil.entry, vigil.token.key)
    except StoreError:
        return vigil
    return vigil if who is None else replace(vigil, fate=Fate.PUT_BACK, who=who)


def follow(
    store: Store,
    vigil: Vigil,
    *,
    clock: Clock | None = None,
    every_ns: int = LOOK_EVERY_NS,
    told: Callable[[Vigil, StoreError | None], None] | None = None,
    stop: threading.Event | None = None,
) -> Vigil:
    """Look at the volume until the lock's fate is decided, or until it is told to stop.

    Args:
        told: called after each look, with the error if it failed.
        stop: ends the watch where it stands.
    """
    clock = clock or SystemClock()
    while not vigil.decided:
        error: StoreError | None = None
        try:
            vigil = told_apart(store, vigil.look(look(store, vigil.token.volume, clock=clock)))
        except StoreError as failed:
            error = failed
            if clock.mono_ns() > vigil.until_mono_ns + PATIENCE_NS:
                vigil = vigil.give_up(clock.mono_ns())
        if told is not None:
            told(vigil, error)
        if vigil.decided or clock.sleep(_pause(vigil, clock.mono_ns(), every_ns), stop):
            break
    return vigil


def _pause(vigil: Vigil, now: int, every_ns: int) -> int:
    left = vigil.until_mono_ns - now
    return min(every_ns, left) if left > 0 else every_ns


def record_fate(writer: Writer, vigil: Vigil, entry: str) -> None:
    """Write what became of the lock into the audit trail.

    Args:
        entry: the id of the transaction.
    """
    fields = {
        "target": vigil.token.target,
        "key": vigil.token.key,
        "outcome": vigil.fate.value,
        "detail": vigil.words,
    }
    writer.audit.append("verdict", "after", entry, writer.clock.wall_ns(), fields)
