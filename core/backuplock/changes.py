"""One lock in two Snapshots -> what happened to it between them, for `backuplock.watch`.

Nothing is told as certain that may have happened before the earlier of the two: what was hidden then, what
is older than its look, and what a clock that was set makes of ages is inferred.
"""

from __future__ import annotations

from collections.abc import Iterator, Set
from dataclasses import dataclass

from backuplock.clock import SECOND
from backuplock.event import Event, EventKind, Track
from backuplock.model import LockFile, Snapshot
from backuplock.rules import State, Timing

MARGIN_NS = 5 * SECOND
"""How far times must disagree beyond their error bars to be told: stores cut theirs to whole seconds, and the
machines behind one address differ by a little."""

FOUND_EXPIRED = "found expired"
AFTER = {State.LATE: "after it was late", State.STALE: "after it had expired"}
"""What is said of a lock that was written again, by the worst it had come to."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two successive Snapshots, and how far they can be compared.

    `dark` are volumes that could be read in the later one and not in the earlier. `jump_ns` is by how much
    the store's clock moved against the local monotonic one between them, 0 if that may be nothing.
    """

    before: Snapshot
    after: Snapshot
    timing: Timing
    dark: frozenset[str]
    jump_ns: int

    def is_old(self, lock: LockFile) -> bool:
        """Whether a lock that the earlier Snapshot lacks may have been written before it all the same."""
        if lock.volume in self.dark:
            return True
        looked = self.after.clock.at(self.before.began_mono_ns)
        return lock.modified_ns is not None and lock.modified_ns < looked.lo - MARGIN_NS

    def ahead_ns(self, lock: LockFile, mono_ns: int) -> int:
        """How far a lock's time lay ahead of the store's clock at an instant, 0 if that may be nothing."""
        if lock.modified_ns is None:
            return 0
        now = self.after.clock.at(mono_ns)
        return lock.modified_ns - now.middle if lock.modified_ns > now.hi + MARGIN_NS else 0


def pair(before: Snapshot, after: Snapshot, timing: Timing) -> Pair:
    """Two Snapshots, prepared to be compared."""
    dark = hidden_volumes(before)
    if before.problems:
        known = {volume.name for volume in before.volumes}
        dark |= {volume.name for volume in after.volumes if volume.name not in known}
    return Pair(before, after, timing, dark, _jump_ns(before, after))


def hidden_volumes(snapshot: Snapshot) -> frozenset[str]:
    """Volumes that are there and could not be read, or not whole."""
    return frozenset(volume.name for volume in snapshot.volumes if volume.problem)


def worst(known: State | None, now_is: State) -> State | None:
    """What a version of a lock came to, given what is `known` of the same version and what it is now."""
    return now_is if now_is is State.STALE or (now_is is State.LATE and known is None) else known


def version(lock: LockFile) -> tuple[int | None, str, int]:
    """What differs if a file was written anew."""
    return lock.modified_ns, lock.etag, lock.size


def clock_event(looks: Pair) -> Iterator[Event]:
    """That the store's clock moved, if it did."""
    if looks.jump_ns:
        local = _assumed(looks.after)
        which = "the local clock, taken for the store's" if local else "the store's clock"
        detail = f"{which}: {_signed(looks.jump_ns)} against the time that passed here"
        at = looks.after.taken_wall_ns
        yield Event(EventKind.TIME_JUMPED, "", "", None, at, inferred=True, detail=detail)


def newcomer(lock: LockFile, now_is: State, looks: Pair, gone: Set[str]) -> Iterator[Event]:
    """What happened to a lock that was not seen before; `gone` are keys that went a moment ago."""
    after, stamped, old = looks.after, lock.modified_ns, looks.is_old(lock)
    if lock.key in gone:
        yield event(EventKind.CAME_BACK, lock, after, store_ns=stamped, inferred=old)
    if lock.record is None:
        yield event(EventKind.CORRUPT, lock, after, store_ns=stamped, inferred=old, detail=lock.reason)
    elif now_is is State.STALE:
        ended = _end(lock, looks.timing)
        yield event(EventKind.EXPIRED, lock, after, store_ns=ended, inferred=True, detail=FOUND_EXPIRED)
    else:
        # Acquired at first sight: it was requested since the last look, too fast for us to see.
        kind = EventKind.ACQUIRED if lock.record.acquired else EventKind.REQUESTED
        yield event(kind, lock, after, store_ns=stamped, inferred=old)
        if now_is is State.LATE:
            yield event(EventKind.LATE, lock, after, inferred=old)
    yield from _dated_ahead(lock, looks)


def changes(was: Track, lock: LockFile, now_is: State, looks: Pair) -> Iterator[Event]:
    """What happened to a lock that was seen before; a volume that was hidden meanwhile makes all of it
    inferred."""
    old, after, stamped = was.lock, looks.after, lock.modified_ns
    dark = lock.volume in looks.dark
    if lock.record is None and old.record is not None:
        yield event(EventKind.CORRUPT, lock, after, store_ns=stamped, inferred=dark, detail=lock.reason)
    elif lock.record is not None and old.record is None:
        yield event(EventKind.RECOVERED, lock, after, store_ns=stamped, inferred=dark)
    written = version(old) != version(lock)
    back = stamped is not None and old.modified_ns is not None and stamped < old.modified_ns
    if stamped is not None and old.modified_ns is not None and back:
        detail = f"back by {(old.modified_ns - stamped) / SECOND:.0f} s"
        yield event(EventKind.TIME_JUMPED, lock, after, store_ns=stamped, inferred=dark, detail=detail)
    if written and not looks.ahead_ns(old, was.same_since):
        yield from _dated_ahead(lock, looks)
    if written:
        yield from _writing(was, lock, now_is, looks, back=back)
    yield from _ageing(was, lock, now_is, looks, back=back)


def event(
    kind: EventKind,
    lock: LockFile,
    after: Snapshot,
    *,
    store_ns: int | None = None,
    inferred: bool = False,
    detail: str = "",
) -> Event:
    """An event of a lock, seen in a Snapshot."""
    type_ = None if lock.record is None else lock.record.type
    return Event(kind, lock.key, lock.volume, type_, after.taken_wall_ns, store_ns, inferred, detail)


def _writing(was: Track, lock: LockFile, now_is: State, looks: Pair, *, back: bool) -> Iterator[Event]:
    """What a lock that was written anew was written for."""
    if lock.record is None:
        return
    after, stamped, dark = looks.after, lock.modified_ns, lock.volume in looks.dark
    detail = AFTER[was.overdue] if was.overdue is not None else ""
    if was.lock.record is None:
        if lock.record.acquired and not was.ever_acquired and now_is is not State.STALE:
            # Acquired while it could not be read, or before: nobody saw.
            yield event(EventKind.ACQUIRED, lock, after, store_ns=stamped, inferred=True)
    elif lock.record.acquired and not was.lock.record.acquired:
        yield event(EventKind.ACQUIRED, lock, after, store_ns=stamped, inferred=dark, detail=detail)
    elif not (back and now_is is State.STALE):
        # One whose time went back may be a copy that somebody restored; an expired one surely is.
        yield event(EventKind.RENEWED, lock, after, store_ns=stamped, inferred=dark or back, detail=detail)


def _ageing(was: Track, lock: LockFile, now_is: State, looks: Pair, *, back: bool) -> Iterator[Event]:
    """What time did to a lock: told once for each version, however the error bars may wander."""
    told = was.overdue if version(was.lock) == version(lock) else None
    if worst(told, now_is) is told:
        return
    # Where a clock was set, a copy was restored, or the file could not be read, nobody saw it happen.
    doubt = back or lock.volume in looks.dark or bool(looks.jump_ns) or was.lock.record is None
    if now_is is State.LATE:
        yield event(EventKind.LATE, lock, looks.after, inferred=doubt)
    else:
        ended = _end(lock, looks.timing)
        detail = FOUND_EXPIRED if doubt and not looks.jump_ns else ""
        yield event(EventKind.EXPIRED, lock, looks.after, store_ns=ended, inferred=doubt, detail=detail)


def _dated_ahead(lock: LockFile, looks: Pair) -> Iterator[Event]:
    ahead = looks.ahead_ns(lock, looks.after.ended_mono_ns)
    if ahead:
        detail = f"{ahead / SECOND:.0f} s ahead of the store's clock"
        stamped = lock.modified_ns
        yield event(EventKind.TIME_JUMPED, lock, looks.after, store_ns=stamped, inferred=True, detail=detail)


def _end(lock: LockFile, timing: Timing) -> int | None:
    return None if lock.modified_ns is None else lock.modified_ns + timing.duration_ns


def _jump_ns(before: Snapshot, after: Snapshot) -> int:
    if _assumed(before) is not _assumed(after):
        # That more is known of it than before is no jump.
        return 0
    was, now = before.clock.at(after.ended_mono_ns), after.clock.at(after.ended_mono_ns)
    apart = now.lo > was.hi + MARGIN_NS or now.hi < was.lo - MARGIN_NS
    return now.middle - was.middle if apart else 0


def _assumed(snapshot: Snapshot) -> bool:
    return snapshot.clock.source == "assumed"


def _signed(ns: int) -> str:
    return f"{'+' if ns > 0 else '-'}{abs(ns) / SECOND:.0f} s"
