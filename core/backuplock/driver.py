"""The hands of a lease: one action of the protocol -> requests to a store -> one event.

No decisions are made here; `backuplock.protocol` makes them all.
"""

from __future__ import annotations

import getpass
import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from backuplock import __version__, layout
from backuplock.clock import SECOND, LeaseClock, Observation
from backuplock.errors import (
    Conflict,
    Denied,
    Irregular,
    Malformed,
    Missing,
    ReadOnly,
    StoreError,
    Unsupported,
)
from backuplock.model import LockFile, LockRecord, Operation, Owner
from backuplock.protocol import (
    Claim,
    Event,
    Failed,
    Look,
    Own,
    Remove,
    Removed,
    Saw,
    Woke,
    Write,
    Wrote,
    needs_own,
    seen,
)
from backuplock.reading import folder_locks, read_lock, unreadable
from backuplock.stores.base import Blob, Entry, Store
from backuplock.text import printable
from backuplock.wire import decode, encode

_FINAL = (Denied, Missing, ReadOnly, Malformed, Unsupported, Irregular)
"""Refusals that the next attempt would meet as well."""


@dataclass(frozen=True, slots=True)
class Hands:
    """Performs actions for one lock of one volume.

    `ended` of the events is read before they are returned; whoever feeds them reads it anew under the
    guard that also answers `check()`, see `backuplock.lock`.
    """

    store: Store
    volume: str
    owner: Owner
    clock: LeaseClock

    def perform(self, claim: Claim, action: Write | Look | Remove) -> Event:
        """Do what the protocol wants and say how it went. Never raises for the store's sake."""
        began, _ = self.clock.read()
        if isinstance(action, Write) and action.before is not None and began >= action.before:
            return Woke(began)
        try:
            if isinstance(action, Write):
                return self._write(claim, action, began)
            if isinstance(action, Look):
                return self._look(claim, began)
            self.store.delete(claim.key)
            return Removed(self.clock.now())
        except (StoreError, Malformed) as error:
            return Failed(
                began,
                self.clock.now(),
                str(error),
                # A time-out may still land.
                ambiguous=isinstance(error, StoreError) and not error.untouched,
                conflict=isinstance(error, Conflict),
                final=isinstance(error, _FINAL),
                error=error,
            )

    def _write(self, claim: Claim, action: Write, began: int) -> Event:
        owner = replace(self.owner, renewals=action.serial)
        body = encode(LockRecord(claim.name, claim.type, action.acquired, owner))
        made = self.store.put(claim.key, body, if_match=action.if_match or None)
        ended, lead = self.clock.read()
        return Wrote(began, ended, made.modified_ns, made.etag, _now(made.observed), lead)

    def _look(self, claim: Claim, began: int) -> Event:
        folder = layout.locks_folder(self.volume)
        listing = self.store.list(folder)
        listed: Entry | None = None
        others: list[LockFile] = list(folder_locks(self.volume, folder, listing))
        reads = _Reads(self.store, self.volume, folder)
        vanished: list[Entry] = []
        for entry in listing.entries:
            if f"{folder}/{entry.name}" == claim.key:
                listed = entry
            elif layout.is_lock_file(entry.name):
                found = reads.other(entry)
                if found is None:
                    vanished.append(entry)
                else:
                    others.append(found)
        if vanished:
            others.extend(reads.still_there(vanished))
        rivals = tuple(map(seen, others))
        own = self._own(claim, listed, read=needs_own(claim, listed.etag, rivals)) if listed else None
        ended, lead = self.clock.read()
        return Saw(began, ended, own, rivals, _now(listing.observed), lead, reads.error)

    def _own(self, claim: Claim, listed: Entry, *, read: bool) -> Own | None:
        if not read:
            return Own(listed.etag)
        blob = self.store.read(claim.key)
        return None if blob is None else Own(blob.etag, blob.modified_ns, serial_of(blob))


@dataclass(slots=True)
class _Reads:
    """The reads of one look at somebody else's files; `error` is the first that failed."""

    store: Store
    volume: str
    folder: str
    error: StoreError | None = None

    def other(self, entry: Entry) -> LockFile | None:
        # Never from memory: a listing's time and etag may be older than the file itself.
        return read_lock(self._read, self.volume, f"{self.folder}/{entry.name}", entry)

    def still_there(self, vanished: list[Entry]) -> Iterator[LockFile]:
        """Those of the vanished that a second listing has: some stores answer "not there" in the moment in
        which an object is overwritten, and a live lock must not look gone while it is being renewed."""
        names = {entry.name for entry in vanished}
        for entry in self.store.list(self.folder).entries:
            if entry.name in names:
                key = f"{self.folder}/{entry.name}"
                yield self.other(entry) or unreadable(
                    self.volume, key, entry, "it is listed, but the store says that it is not there"
                )

    def _read(self, key: str) -> Blob | None:
        try:
            return self.store.read(key)
        except StoreError as error:
            self.error = self.error or error
            raise


def owner_here(operation: Operation, note: str, wall_ns: int) -> Owner:
    """Who holds a lock that this process takes now."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = str(os.getuid())
    return Owner(
        host=socket.gethostname(),
        pid=os.getpid(),
        user=user,
        operation=operation.value,
        note=note,
        acquired_at=datetime.fromtimestamp(wall_ns // SECOND, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        tool=f"backuplock/{__version__}",
    )


def serial_of(blob: Blob) -> int | None:
    """The number of the write that made this version of a lock of ours; None if it carries none."""
    try:
        owner = decode(blob.body).owner
    except Malformed:
        return None
    return None if owner is None else owner.renewals


def describe(error: BaseException) -> str:
    """One printable line for an error that nobody foresaw."""
    return printable(f"{type(error).__name__}: {error}", limit=300)


def _now(observed: Observation | None) -> int | None:
    return None if observed is None else observed.store_ns
