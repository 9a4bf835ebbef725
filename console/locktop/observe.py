"""Look at one lock before it is broken, and go on looking where clocks alone do not tell whether it lives.

That nobody wrote a file for a whole lease under our own eyes is the one proof of death that needs no clock to
be right; a refresh is the one proof of life.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from backuplock import layout
from backuplock.breaking import Because, Refused
from backuplock.breaking.token import split_key
from backuplock.clock import SECOND, SystemClock
from backuplock.errors import Malformed, StoreError
from backuplock.evidence import Surroundings, surroundings, with_blocks
from backuplock.inquiry import LOOK_EVERY_NS, lives
from backuplock.liveness import Doubt
from backuplock.lookup import Lookup, find_volume
from backuplock.model import LockFile, Snapshot
from backuplock.rules import LONGHORN, Timing
from backuplock.stores.base import Store
from backuplock.survey import look
from backuplock.text import printable
from backuplock.watch import Track, Watch
from locktop.settings import Usage, shown
from locktop.what_if import locks_named

_SLACK_NS = 2 * LOOK_EVERY_NS
"""The looks at both ends of a watch do not count whole."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One lock, its volume as last seen, and what was seen of it. `watched_ns`: 0 for a single look."""

    lock: LockFile
    snapshot: Snapshot
    tracks: Mapping[str, Track]
    around: Surroundings
    watched_ns: int = 0


def parse_name(text: str) -> tuple[str, str]:
    """`VOLUME/LOCK`, or the key of a lock, as the volume's name and the lock's, neither of them looked up.

    Raises:
        Usage: it has no such form.
    """
    word = text.strip()
    if word.startswith(f"{layout.VOLUMES}/"):
        try:
            return split_key(word)
        except Malformed as error:
            raise Usage(error.what, advice="write VOLUME/LOCK") from None
    volume, _, lock = word.rpartition("/")
    if not volume.strip("/") or not lock:
        raise Usage(
            f"{shown(text)!r} does not name a lock",
            advice="write VOLUME/LOCK, as pvc-1/lock-0123456789abcdef",
        )
    return volume, lock


def pick(snapshot: Snapshot, name: str) -> LockFile:
    """The lock of a volume that `name` means: its name, or a part that no other has.

    Raises:
        Refused: there is none. Usage: several fit; names some.
    """
    found = locks_named(snapshot.locks, name)
    if len(found) == 1:
        return found[0]
    word = printable(name, limit=80)
    volume = printable(snapshot.volumes[0].name, limit=80) if snapshot.volumes else "the volume"
    among = ", ".join(printable(lock.stem, limit=80) for lock in (found or snapshot.locks)[:5])
    if found:
        raise Usage(f"{word!r} fits {len(found)} locks of {volume}", advice=f"say more of it: {among}")
    advice = f"there {'is' if len(snapshot.locks) == 1 else 'are'} {among}" if among else "it has no locks"
    raise Refused(f"there is no lock {word!r} in {volume}", because=Because.GONE, advice=advice)


def observe(
    store: Store,
    volume: str,
    name: str,
    how: Lookup,
    *,
    watch_ns: int | None = None,
    timing: Timing = LONGHORN,
    told: Callable[[str], None] = lambda _: None,
) -> Seen:
    """Find a lock, and watch it.

    Args:
        watch_ns: how long at most, nanoseconds; None: as long as it takes to tell where the clocks do not
            tell, and else not at all.
        told: called with a line for people before it is waited, and where a look fails.

    Raises:
        Refused: there is no such lock, or it went while it was watched.
        Missing, Malformed, StoreError: as `backuplock.lookup.find_volume`.
    """
    clock = how.clock or SystemClock()
    snapshot = find_volume(store, volume, how)
    lock = pick(snapshot, name)
    watch, _ = Watch(timing=timing).look(snapshot)
    began = clock.mono_ns()
    wish = _needed_ns(snapshot, lock, timing) if watch_ns is None else watch_ns
    if wish:
        told(f"watching {printable(lock.stem, limit=80)} for signs of life, {wish // SECOND} s at most")
    while (left := began + wish - clock.mono_ns()) > 0 and not _settled(
        snapshot, lock, watch, timing, wanted=watch_ns is not None
    ):
        if clock.sleep(min(left, LOOK_EVERY_NS), how.stop):
            break
        try:
            snapshot = look(store, lock.volume, snapshot, clock=clock, clock_error_ns=how.clock_error_ns)
        except StoreError as error:
            told(f"not read: {error}")
            continue
        watch, _ = watch.look(snapshot)
        lock = _still(snapshot, lock)
    return Seen(
        lock, snapshot, watch.tracks, _beside(store, lock.volume), clock.mono_ns() - began if wish else 0
    )


def _needed_ns(snapshot: Snapshot, lock: LockFile, timing: Timing) -> int:
    clocks = lives(snapshot, [lock], {}, timing)[lock.key].doubt is Doubt.CLOCKS
    return timing.duration_ns + _SLACK_NS if clocks else 0


def _settled(snapshot: Snapshot, lock: LockFile, watch: Watch, timing: Timing, *, wanted: bool) -> bool:
    """Whether more watching would tell no more; one that was asked for lasts until it was seen itself."""
    track = watch.tracks.get(lock.key)
    if track is not None and track.refreshes:
        return True
    found = lives(snapshot, [lock], watch.tracks, timing)[lock.key]
    return "own observation" in found.condemned_by if wanted else found.doubt is not Doubt.CLOCKS


def _still(snapshot: Snapshot, lock: LockFile) -> LockFile:
    found = snapshot.by_key.get(lock.key)
    if found is not None:
        return found
    if snapshot.complete:
        raise Refused(
            f"{printable(lock.stem, limit=80)} went while it was watched",
            because=Because.GONE,
            advice="its holder gave it back, or somebody else removed it",
        )
    return lock


def _beside(store: Store, volume: str) -> Surroundings:
    try:
        return with_blocks(store, volume, surroundings(store, volume))
    except Malformed as error:
        return Surroundings(problem=str(error))
