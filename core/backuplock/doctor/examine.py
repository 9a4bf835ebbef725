"""Examine a store: look, then, where that is allowed, try in a folder of our own and leave nothing there."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from backuplock import layout
from backuplock.clock import SECOND, Clock, SystemClock
from backuplock.doctor.checks import Check, Grade, of_bucket, of_mount, of_reading, of_snapshot
from backuplock.errors import (
    BackupLockError,
    Conflict,
    Denied,
    ReadOnly,
    StoreError,
    TooLarge,
    Unsupported,
)
from backuplock.guarantees import Guarantee, guarantees, measure_listing_lag, with_lag
from backuplock.layout import ROOT
from backuplock.model import Snapshot
from backuplock.stores.base import Capabilities, Store
from backuplock.stores.filesystem import FilesystemStore
from backuplock.survey import ASSUMED_ERROR_NS, sweep

if TYPE_CHECKING:
    from backuplock.stores.s3_traits import BucketTraits

LAG_PATIENCE_S = 15.0
"""How long a change is waited for before a listing counts as late; NFS clients cache for up to a minute."""
_BODY = b"locktop doctor was here\n"


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What was found: checks in the order in which they were made, and what follows for locks.

    `tried` tells whether anything was written; without it some checks are `UNKNOWN`.
    """

    target: str
    tried: bool
    checks: tuple[Check, ...]
    guarantees: tuple[Guarantee, ...]
    capabilities: Capabilities
    snapshot: Snapshot

    @property
    def worst(self) -> Grade:
        """The worst grade of a check; what is unknown because nothing was tried does not count."""
        order = list(Grade)
        known = [check.grade for check in self.checks if check.grade is not Grade.UNKNOWN]
        return max(known, key=order.index, default=Grade.UNKNOWN)


def examine(
    open_store: Callable[[bool], Store],
    *,
    write: bool = False,
    clock: Clock | None = None,
    clock_error_ns: int = ASSUMED_ERROR_NS,
    tell: Callable[[str], None] | None = None,
) -> Diagnosis:
    """Examine a store.

    Args:
        open_store: opens it, for writing if its argument is true; called up to three times.
        write: also try what only writing can tell, in a folder of our own that is removed again.
        tell: hears what is being done, a few words each.

    Raises:
        StoreError, Malformed: the store could not be opened or not be looked at as a whole.
    """
    clock, tell = clock or SystemClock(), tell or _silent
    store = open_store(False)
    try:
        tell("looking at all volumes")
        snapshot = sweep(store, clock=clock, clock_error_ns=clock_error_ns)
        checks = of_snapshot(snapshot)
        checks.insert(1, _reading(store, snapshot))
        found = store.capabilities
        if isinstance(store, FilesystemStore):
            checks.append(of_mount(store.mount))
        traits: Callable[[], BucketTraits] | None = getattr(store, "bucket_traits", None)
        if traits is not None:
            tell("asking for versions and retention")
            checks.extend(of_bucket(traits()))
        if write:
            tried, found = _try(open_store, found, clock, tell, present=snapshot.store_present)
            checks.extend(tried)
        else:
            text = "not tried: nothing was written"
            checks.append(Check("write", Grade.UNKNOWN, text, "--write tries, in a folder of its own"))
        return Diagnosis(store.url, write, tuple(checks), guarantees(found), found, snapshot)
    finally:
        store.close()


def _reading(store: Store, snapshot: Snapshot) -> Check:
    """Without locks the sweep reads nothing: then a description of a volume has to do."""
    if snapshot.bodies_read or not snapshot.volumes:
        return of_reading(snapshot, snapshot.bodies_read)
    try:
        found = store.read(layout.volume_cfg(snapshot.volumes[0].name))
    except TooLarge:
        return of_reading(snapshot, 1)
    except BackupLockError as error:
        advice = "the credentials need to read objects, not only to list them"
        return Check("read", Grade.BAD, str(error), advice)
    return of_reading(snapshot, int(found is not None))


def _try(
    open_store: Callable[[bool], Store],
    found: Capabilities,
    clock: Clock,
    tell: Callable[[str], None],
    *,
    present: bool,
) -> tuple[list[Check], Capabilities]:
    """What only writing tells, and the capabilities as they then are known."""
    if not present:
        text = "not tried: a store is not begun for a trial"
        return [Check("write", Grade.UNKNOWN, text)], found
    folder = f"{ROOT}/.locktop/doctor-{secrets.token_hex(8)}"
    writer = open_store(True)
    try:
        tell("writing, reading and removing a small file")
        checks = list(_verbs(writer, f"{folder}/trial", clock))
        if any(check.grade is Grade.BAD for check in checks):
            return checks, found
        found = writer.capabilities
        conditions, found = _conditions(writer, folder, found, tell)
        checks.extend(conditions)
        tell("looking how soon a change is listed")
        reader = open_store(False)
        try:
            late, found = _lag(writer, reader, folder, found, clock)
        finally:
            reader.close()
        return [*checks, late], found
    finally:
        writer.close()


def _verbs(store: Store, key: str, clock: Clock) -> list[Check]:
    """Write, write over, read, list and remove one file."""
    checks: list[Check] = []
    steps: list[tuple[str, Callable[[], Check | None]]] = [
        ("write", lambda: _written(store, key)),
        ("times", lambda: _times(store, key, clock)),
        ("owner", lambda: _owner(store, key)),
        ("delete", lambda: _removed(store, key)),
    ]
    for name, step in steps:
        try:
            check = step()
        except (Denied, ReadOnly) as error:
            check = Check(name, Grade.BAD, str(error), "locks need list, read, write and delete")
        except BackupLockError as error:
            check = Check(name, Grade.BAD, str(error))
        if check is not None:
            checks.append(check)
        if check is not None and name == "write" and check.grade is Grade.BAD:
            break
    return checks


def _written(store: Store, key: str) -> Check:
    store.put(key, b"")
    store.put(key, _BODY)
    found = store.read(key)
    if found is None or found.body != _BODY:
        return Check("write", Grade.BAD, "what was written could not be read back")
    return Check("write", Grade.OK, "a file was written, written over and read back")


def _times(store: Store, key: str, clock: Clock) -> Check:
    """How fine the times are that listings and reads give: locks are ordered by those of reads."""
    began = clock.mono_ns()
    folder, _, name = key.rpartition("/")
    read = store.read(key)
    listed = next((entry for entry in store.list(folder).entries if entry.name == name), None)
    if read is None or listed is None or listed.modified_ns is None:
        return Check("times", Grade.WARN, "what was just written is not listed, or without its time")
    took = (clock.mono_ns() - began) / SECOND
    apart = abs(listed.modified_ns - read.modified_ns)
    fine = _fineness(read.modified_ns)
    text = f"reads tell times to {fine}, listings to {_fineness(listed.modified_ns)}"
    if apart > 2 * SECOND:
        text += f"; they differ by {apart / SECOND:.1f} s for one file"
        return Check(
            "times", Grade.WARN, text, "is something rewriting files between the client and the store?"
        )
    return Check("times", Grade.OK, f"{text}; asked within {took:.2f} s")


def _fineness(at_ns: int) -> str:
    for unit, words in ((SECOND, "a second"), (SECOND // 1000, "a millisecond"), (1000, "a microsecond")):
        if at_ns % unit == 0:
            return words
    return "a nanosecond"


def _owner(store: Store, key: str) -> Check | None:
    """Whether a share's server took our files for its own user's (root-squash)."""
    if not isinstance(store, FilesystemStore) or not hasattr(os, "geteuid"):
        return None
    try:
        owner = (store.root / key).stat(follow_symlinks=False).st_uid
    except OSError as error:
        return Check("owner", Grade.UNKNOWN, f"who owns a new file could not be seen: {error.strerror}")
    if owner == os.geteuid():
        return Check("owner", Grade.OK, f"new files are ours (uid {owner})")
    text = f"new files belong to uid {owner} though we are uid {os.geteuid()}: the server squashes users"
    return Check("owner", Grade.NOTE, text, "Longhorn's folders are 0700: all clients must be squashed alike")


def _removed(store: Store, key: str) -> Check:
    store.delete(key)
    if store.read(key) is not None:
        text = "a removed file is still there although the store said it was removed"
        return Check("delete", Grade.BAD, text, "is the bucket write-once, or a proxy in between lying?")
    return Check("delete", Grade.OK, "the file was removed, and is gone")


def _conditions(
    store: Store, folder: str, found: Capabilities, tell: Callable[[str], None]
) -> tuple[list[Check], Capabilities]:
    """Whether conditional writes and removals are honoured, not merely accepted."""
    probe: Callable[[str], Capabilities] | None = getattr(store, "probe_conditional", None)
    if probe is not None:
        tell("trying conditional writes and removals")
        try:
            found = probe(folder)
        except (StoreError, Conflict, Unsupported) as error:
            text = f"whether conditions are honoured could not be found out: {error}"
            return [Check("conditional put", Grade.UNKNOWN, text)], found
    words = {"yes": "honoured", "no": "not honoured", "unproven": "not known to be honoured"}
    grades = {"yes": Grade.OK, "no": Grade.NOTE, "unproven": Grade.UNKNOWN}
    put, delete = found.conditional_put, found.conditional_delete
    without = "" if put == "yes" else ": a look precedes each write instead"
    beside = "" if delete == "yes" else ": a lock is looked at again right before it is removed"
    return [
        Check("conditional put", grades[put], f"conditions on writing are {words[put]}{without}"),
        Check("conditional delete", grades[delete], f"conditions on removing are {words[delete]}{beside}"),
    ], found


def _lag(
    writer: Store, reader: Store, folder: str, found: Capabilities, clock: Clock
) -> tuple[Check, Capabilities]:
    try:
        late = measure_listing_lag(writer, reader, folder, patience_s=LAG_PATIENCE_S, clock=clock)
    except BackupLockError as error:
        return Check("list after write", Grade.UNKNOWN, f"could not be measured: {error}"), found
    found = with_lag(found, late)
    if late is None:
        text = "two changes were listed at once; one client cannot prove that it is always so"
        return Check("list after write", Grade.OK, text), found
    text = f"a change was listed only after {late:.1f} s, so two clients can miss each other"
    return Check("list after write", Grade.BAD, text, "mount with actimeo=1, or ask one server only"), found


def _silent(_text: str) -> None:
    """Nobody listens."""
