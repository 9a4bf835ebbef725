"""One entry of a `locks/` folder -> one LockFile: what it says, or why it says nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from backuplock import layout
from backuplock.errors import Irregular, Malformed, StoreError, TooLarge
from backuplock.model import Flaw, LockFile
from backuplock.stores.base import Blob, Entry, Listing
from backuplock.text import printable
from backuplock.wire import decode

RAW_KEPT = 4096
"""Bytes of a body that are kept for people to look at."""


def read_lock(
    read: Callable[[str], Blob | None], volume: str, key: str, entry: Entry, known: LockFile | None = None
) -> LockFile | None:
    """Read the lock file that a listing shows; None if it is gone by now.

    A failure to read gives a LockFile with a flaw, never None: what cannot be read is not absent.

    Args:
        read: a store's `read`, with its cap.
        known: the file as it was read before; given back if the listing shows the same version.
    """
    if known is not None and is_unchanged(known, entry):
        return known
    if not entry.regular:
        return _flawed(volume, key, entry, Flaw.IRREGULAR, "it is not a plain file and is not followed")
    try:
        blob = read(key)
    except TooLarge as error:
        return _flawed(volume, key, entry, Flaw.TOO_LARGE, str(error))
    except Irregular as error:
        return _flawed(volume, key, entry, Flaw.IRREGULAR, str(error))
    except StoreError as error:
        return _flawed(volume, key, entry, Flaw.UNREADABLE, str(error))
    return None if blob is None else lock_file(volume, key, blob, entry)


def folder_locks(volume: str, folder: str, listing: Listing) -> Iterator[LockFile]:
    """Folders whose names are lock names: shown as flawed files, for Longhorn's listings name them too.

    One that stands among the listing's entries as well (a file system says it is irregular, an object
    store may hold an object of that very name) is left to those: a key is shown once.
    """
    entries = {entry.name for entry in listing.entries}
    for name in listing.folders:
        if layout.is_lock_file(name) and name not in entries:
            yield _flawed(volume, f"{folder}/{name}", Entry(name), Flaw.IRREGULAR, "it is a folder")


def is_unchanged(known: LockFile, entry: Entry) -> bool:
    """Whether a listing shows the version that was read before, so that it need not be read again."""
    return (
        known.flaw is not Flaw.UNREADABLE
        and entry.modified_ns is not None
        and (known.listed_ns, known.listed_etag, known.size) == (entry.modified_ns, entry.etag, entry.size)
    )


def lock_file(volume: str, key: str, blob: Blob, entry: Entry) -> LockFile:
    """A lock file from one version of it and the listing entry it was found by."""
    lock = LockFile(
        key=key,
        volume=volume,
        modified_ns=blob.modified_ns,
        etag=blob.etag,
        size=len(blob.body),
        record=None,
        raw=blob.body[:RAW_KEPT],
        listed_etag=entry.etag,
        listed_ns=entry.modified_ns,
    )
    try:
        return replace(lock, record=decode(blob.body))
    except Malformed as error:
        return replace(lock, flaw=Flaw.UNDECODABLE, reason=printable(error.what))


def unreadable(volume: str, key: str, entry: Entry, reason: str) -> LockFile:
    """A lock file that is there and whose content could not be had."""
    return _flawed(volume, key, entry, Flaw.UNREADABLE, reason)


def _flawed(volume: str, key: str, entry: Entry, flaw: Flaw, reason: str) -> LockFile:
    return LockFile(
        key=key,
        volume=volume,
        modified_ns=entry.modified_ns,
        etag=entry.etag,
        size=entry.size,
        record=None,
        flaw=flaw,
        reason=printable(reason),
        listed_etag=entry.etag,
        listed_ns=entry.modified_ns,
    )
