"""One line of a diagnosis, and the lines that a look at a store gives. Pure."""

from __future__ import annotations

import enum
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from backuplock.clock import SECOND
from backuplock.guarantees import Guarantee
from backuplock.model import Flaw, Snapshot
from backuplock.rules import LONGHORN, State, state
from backuplock.stores.mounts import Mount, cache_seconds, is_local, is_nfs
from backuplock.text import printable, signed_s

if TYPE_CHECKING:
    from backuplock.stores.s3_traits import BucketTraits, Trait

SKEW_NOTED_NS = 5 * SECOND
"""From here a skew of clocks is worth a word: Longhorn judges leases of 150 s by its own clock."""
SKEW_BAD_NS = LONGHORN.duration_ns - 2 * LONGHORN.refresh_ns
"""From here a Longhorn that missed one refresh looks dead to a reader with this machine's clock."""


class Grade(enum.StrEnum):
    """How a check went, the best first."""

    OK = "ok"
    NOTE = "note"
    WARN = "warn"
    BAD = "bad"
    UNKNOWN = "unknown"
    """Not tried, or the trial told nothing."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was examined: `name` is stable, `text` one line, `advice` what to do, if anything."""

    name: str
    grade: Grade
    text: str
    advice: str = ""


def of_snapshot(snapshot: Snapshot) -> list[Check]:
    """What one sweep tells: whether all could be listed and read, the clocks, what lies about."""
    return [_listing(snapshot), clocks(snapshot), *_leftovers(snapshot)]


def _listing(snapshot: Snapshot) -> Check:
    if not snapshot.store_present:
        advice = "check the path; the first backup makes the folder"
        return Check("list", Grade.BAD, "there is no backupstore here", advice)
    failed = [view for view in snapshot.volumes if view.problem]
    if snapshot.problems or failed:
        first = snapshot.problems[0] if snapshot.problems else f"{failed[0].name}: {failed[0].problem}"
        count = len(snapshot.problems) + len(failed)
        text = f"{_count(count, 'part')} of the store could not be listed, as {printable(first)}"
        return Check("list", Grade.BAD, text, "the credentials need to list all of backupstore/")
    rtt = f", {snapshot.rtt_ns / 1e6:.1f} ms each" if snapshot.rtt_ns is not None else ""
    found = f"{_count(len(snapshot.volumes), 'volume')}, {_count(len(snapshot.by_key), 'lock')}"
    return Check("list", Grade.OK, f"{found} in {_count(snapshot.requests, 'request')}{rtt}")


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def of_reading(snapshot: Snapshot, read: int) -> Check:
    """Whether objects can be read; `read` is how many were, those of the sweep included."""
    unread = [lock for lock in snapshot.locks if lock.flaw is Flaw.UNREADABLE]
    if unread:
        text = f"{_count(len(unread), 'lock')} could not be read, as {printable(unread[0].reason)}"
        return Check("read", Grade.BAD, text, "the credentials need to read objects, not only to list them")
    if read == 0:
        return Check("read", Grade.UNKNOWN, "nothing was there to be read")
    return Check("read", Grade.OK, f"{_count(read, 'object')} could be read")


def clocks(snapshot: Snapshot) -> Check:
    """The store's clock beside this machine's."""
    if snapshot.clock.source == "assumed":
        return Check(
            "clock",
            Grade.UNKNOWN,
            "the store tells nothing of its clock, so ages are known to minutes only",
            "--write finds out: a file is written and its time is looked at",
        )
    off, bar = snapshot.clock.skew(wall_ns=snapshot.taken_wall_ns, mono_ns=snapshot.ended_mono_ns)
    where = "agrees with" if abs(off) <= bar else f"is {signed_s(off)} off"
    text = f"the store's clock {where} this machine's, as far as can be told (to {bar / SECOND:.1f} s)"
    if abs(off) > SKEW_BAD_NS + bar:
        text += "; Longhorn on such a clock takes live locks for dead, or dead ones for live"
        return Check("clock", Grade.BAD, text, "set this machine's clock (NTP), and look at the nodes' too")
    if abs(off) > SKEW_NOTED_NS + bar:
        return Check("clock", Grade.WARN, text, "set this machine's clock (NTP), and look at the nodes' too")
    return Check("clock", Grade.OK, text)


def _leftovers(snapshot: Snapshot) -> list[Check]:
    now = snapshot.clock.at(snapshot.began_mono_ns)
    states = Counter(state(lock, now) for lock in snapshot.locks)
    ghosts = sum(view.ghost for view in snapshot.volumes)
    files = sum(len(view.leftovers) for view in snapshot.volumes)
    counted = [
        (states[State.STALE], "dead lock"),
        (states[State.BAD], "unreadable or odd lock"),
        (files, "temporary file"),
        (ghosts, "ghost volume"),
    ]
    found = ", ".join(_count(count, what) for count, what in counted if count)
    if not found:
        return [Check("leftovers", Grade.OK, "nothing was left behind")]
    return [Check("leftovers", Grade.NOTE, found, "locktop ls --all names them; dead locks block nobody")]


def of_mount(mount: Mount | None) -> Check:
    """What the mount options of a share mean for locks."""
    if mount is None:
        return Check("mount", Grade.UNKNOWN, "the mount table does not tell what the folder lies on")
    where = f"{printable(mount.fs_type)} at {printable(mount.point)}"
    if is_local(mount.fs_type):
        text = f"{where}: a local file system, which other machines do not see"
        return Check("mount", Grade.OK, text)
    cached = cache_seconds(mount)
    if cached is None:
        text = f"{where}: how fresh its listings are is not known"
        return Check("mount", Grade.UNKNOWN, text, "--write measures it, as far as one machine can")
    options = set(mount.options)
    if cached > LONGHORN.settle_ns / SECOND:
        text = f"{where}: others' locks may stay unseen for {cached:g} s, so locks here exclude nobody"
        return Check("mount", Grade.BAD, text, "mount with actimeo=1, as Longhorn does")
    if is_nfs(mount.fs_type) and "vers=3" in options:
        text = f"{where}: NFS 3, whose clients see each other's files late"
        return Check("mount", Grade.WARN, text, "mount with nfsvers=4.2")
    if "hard" in options:
        text = (
            f"{where}: what others write is seen within {cached:g} s; a dead server hangs us for ever (hard)"
        )
        options_of_longhorn = "soft,timeo=300,retry=2" if is_nfs(mount.fs_type) else "soft"
        return Check("mount", Grade.NOTE, text, f"mount with {options_of_longhorn}, as Longhorn does")
    return Check("mount", Grade.OK, f"{where}: what others write is seen within {cached:g} s")


def of_bucket(found: BucketTraits) -> list[Check]:
    """What versions and retention mean for locks."""
    return [
        _trait(
            "versioning",
            found.versioning,
            "the bucket keeps versions: each refresh of a lock adds one",
            "let a lifecycle rule expire noncurrent versions below backupstore/volumes/",
            without="the bucket keeps no versions of what is removed",
        ),
        _trait(
            "object lock",
            found.retention,
            f"every version is kept ({found.retention.value}), so the versions of locks pile up",
            "use a bucket without default retention for backups",
            without="nothing is kept from being removed",
        ),
    ]


def _trait(name: str, found: Trait, text: str, advice: str, *, without: str) -> Check:
    if found.unsaid:
        return Check(name, Grade.UNKNOWN, f"the store would not say ({found.unsaid})")
    return Check(name, Grade.NOTE, text, advice) if found.value else Check(name, Grade.OK, without)


def of_guarantee(found: Guarantee) -> Check:
    """A guarantee as a check."""
    grade = {True: Grade.OK, False: Grade.WARN, None: Grade.UNKNOWN}[found.holds]
    return Check(found.name, grade, found.why)
