"""Who holds a lock and what for, as far as a backup store tells: statements, each with how sure it is.

Pure: made from what was read (`backuplock.evidence`), what was watched (`backuplock.watch`) and the time.
Longhorn's locks name nobody, so much of this is inference and marked so; what the store does not tell stays
"unknown".
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass

from backuplock import layout
from backuplock.clock import SECOND, Span
from backuplock.evidence import Surroundings, Unfinished
from backuplock.model import LockFile, LockType, Operation, VolumeView
from backuplock.rules import LONGHORN, Timing, expired
from backuplock.watch import Track

STUCK_NS = 2 * 3600 * SECOND
"""Refreshes for so long beside a volume in which nothing else changes look like a stuck holder. A large
upload changes blocks only, which are not looked at: hence hours, and "likely" at most."""


class Mark(enum.StrEnum):
    """How sure a statement is."""

    KNOWN = "known"
    """The store says so. (Whoever can write to a store can write anything.)"""
    LIKELY = "likely"
    UNKNOWN = "unknown"


class Topic(enum.StrEnum):
    """What a statement is about; stable names, for programs."""

    NAMES = "names"
    OWNER = "owner"
    OPERATION = "operation"
    CORPSE = "unfinished backup"
    STUCK = "stuck"
    ORIGIN = "origin"
    LIMITS = "limits"
    HISTORY = "history"
    """What was recorded here before."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One statement. `lock` is the key of the lock it is about, "" for the volume. `text` is one clause for
    people and may carry names from the store: to be made printable where it is shown. `operation` is what a
    lock is taken for, where that is the topic and it is known or likely. `since_ns` is the store time from
    which the statement holds at the latest, None if unknown.
    """

    mark: Mark
    topic: Topic
    lock: str
    text: str
    operation: Operation | None = None
    since_ns: int | None = None


@dataclass(frozen=True, slots=True)
class Watched:
    """What watching has shown: a Track for each lock, and for how long nothing else in the volume changed,
    nanoseconds (0: it did, or nobody watched)."""

    tracks: Mapping[str, Track]
    still_ns: int = 0


def findings(
    view: VolumeView,
    around: Surroundings,
    now: Span,
    watched: Watched | None = None,
    timing: Timing = LONGHORN,
) -> tuple[Finding, ...]:
    """What the store tells about one volume and its locks at the store time `now`: the volume first, then
    lock by lock."""
    watched = watched or Watched({})
    found = [*_names(view), *_limits(around)]
    live = [lock for lock in view.locks if _working(lock, now, timing)]
    work = _Work(view, around, [lock for lock in live if _type(lock) == LockType.BACKUP_RESTORE])
    found.extend(work.corpses())
    working = {lock.key for lock in live}
    for lock in view.locks:
        found.extend(_owner(lock))
        if lock.key in working:
            found.extend(work.of(lock))
            found.extend(_stuck(lock, watched))
    return tuple(found)


def _names(view: VolumeView) -> list[Finding]:
    names = view.names
    if view.name == layout.BACKING_IMAGE:
        text = "the lock domain of all backing images of this target, not a volume"
        return [Finding(Mark.KNOWN, Topic.NAMES, "", text)]
    if names is None or not (names.claim_path or names.workload):
        return [Finding(Mark.UNKNOWN, Topic.NAMES, "", "volume.cfg names no claim and no workload")]
    parts = [f"claim {names.claim_path}" if names.claim_path else "", names.workload]
    text = ", workload ".join(part for part in parts if part)
    return [Finding(Mark.KNOWN, Topic.NAMES, "", f"{text} (as of the volume's last backup)")]


def _limits(around: Surroundings) -> list[Finding]:
    if around.problem:
        return [Finding(Mark.UNKNOWN, Topic.LIMITS, "", around.problem)]
    if around.unread:
        text = f"{around.unread} older descriptions of backups were not read"
        return [Finding(Mark.UNKNOWN, Topic.LIMITS, "", text)]
    return []


def _owner(lock: LockFile) -> list[Finding]:
    owner = lock.record.owner if lock.record else None
    if owner is None:
        return []
    who = owner.host or owner.user or owner.tool or "somebody"
    parts = [
        f"{who}, process {owner.pid}" if owner.pid else who,
        f"user {owner.user}" if owner.user and owner.host else "",
        owner.tool if owner.host else "",
        f"since {owner.acquired_at}" if owner.acquired_at else "",
        f"note: {owner.note}" if owner.note else "",
    ]
    text = "held by " + ", ".join(part for part in parts if part) + ", says the lock itself"
    return [Finding(Mark.KNOWN, Topic.OWNER, lock.key, text)]


@dataclass(frozen=True, slots=True)
class _Work:
    """Which unfinished backup goes with which of the live locks of type 1."""

    view: VolumeView
    around: Surroundings
    live: list[LockFile]

    def corpses(self) -> list[Finding]:
        return [
            Finding(
                Mark.LIKELY,
                Topic.CORPSE,
                "",
                f"backup {one.name} never finished and nobody works on it: its holder died. While "
                f"{one.key.rpartition('/')[2]} lies there, deletions free no blocks",
                since_ns=one.written_ns,
            )
            for one in self.around.unfinished
            if self._is_corpse(one)
        ]

    def _is_corpse(self, one: Unfinished) -> bool:
        finished = self.around.newest_finished_ns
        return not self.live or (finished is not None and finished > one.written_ns)

    def of(self, lock: LockFile) -> list[Finding]:
        type_ = _type(lock)
        if type_ == LockType.DELETION:
            text = "a deletion (of one backup, of old ones by a recurring job, or of the whole backup volume)"
            return [self._known(lock, text, Operation.DELETE)]
        if type_ != LockType.BACKUP_RESTORE:
            text = "Longhorn writes no lock of this type"
            return [Finding(Mark.UNKNOWN, Topic.OPERATION, lock.key, text)]
        stated = lock.record.owner.operation if lock.record and lock.record.owner else ""
        if stated in (Operation.BACKUP, Operation.RESTORE):
            return [self._known(lock, f"a {stated}, says the lock itself", Operation(stated))]
        if self.view.name == layout.BACKING_IMAGE:
            text = "the backup or the restore of a backing image"
            return [Finding(Mark.KNOWN, Topic.OPERATION, lock.key, text)]
        return self._guess(lock)

    def _known(self, lock: LockFile, text: str, operation: Operation) -> Finding:
        return Finding(Mark.KNOWN, Topic.OPERATION, lock.key, text, operation)

    def _guess(self, lock: LockFile) -> list[Finding]:
        running = [one for one in self.around.unfinished if not self._is_corpse(one)]
        if running:
            one = running[0]
            whose = "this lock or another one of type 1 here" if len(self.live) > 1 else "this lock"
            of_when = f", of the volume as of {one.snapshot_at}" if one.snapshot_at else ""
            return [
                Finding(
                    Mark.LIKELY,
                    Topic.OPERATION,
                    lock.key,
                    f"a backup: {one.name} is being written under {whose}{of_when}",
                    Operation.BACKUP,
                    one.written_ns,
                )
            ]
        if self.around.problem or self.around.unread:
            return [Finding(Mark.UNKNOWN, Topic.OPERATION, lock.key, "a backup or a restore")]
        origin = Finding(
            Mark.UNKNOWN,
            Topic.ORIGIN,
            lock.key,
            "who holds it: Longhorn's locks name nobody, and nothing else in the volume goes with it; this "
            "cluster, another one that shares the target, or a program run by hand",
        )
        if len(self.live) > 1:
            text = (
                "a restore: several locks of type 1 and no backup being written; the v1 engine takes one for "
                "each replica"
            )
            return [Finding(Mark.LIKELY, Topic.OPERATION, lock.key, text, Operation.RESTORE), origin]
        text = "a restore, or a backup that still compares snapshots: no backup is being written"
        return [Finding(Mark.UNKNOWN, Topic.OPERATION, lock.key, text), origin]


def _stuck(lock: LockFile, watched: Watched) -> list[Finding]:
    track = watched.tracks.get(lock.key)
    if track is None or not track.refreshes:
        return []
    seen_ns = track.same_until - track.first_seen_mono
    for_ns = min(seen_ns, watched.still_ns)
    if for_ns < STUCK_NS:
        return []
    hours = for_ns / (3600 * SECOND)
    text = (
        f"alive but stuck: refreshed {track.refreshes} times in {hours:.1f} h, while volume.cfg and backups/ "
        "did not change; a very large volume may take as long"
    )
    since = lock.modified_ns - for_ns if lock.modified_ns is not None else None
    return [Finding(Mark.LIKELY, Topic.STUCK, lock.key, text, since_ns=since)]


def _working(lock: LockFile, now: Span, timing: Timing) -> bool:
    return (
        lock.record is not None
        and lock.record.acquired
        and lock.modified_ns is not None
        and expired(lock.modified_ns, now, timing) is not True
    )


def _type(lock: LockFile) -> int | None:
    return lock.record.type if lock.record else None
