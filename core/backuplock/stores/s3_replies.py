"""What is taken from the replies of an S3 store, as boto3 has parsed them.

Whatever is not as S3 would answer raises `NotS3`: a web page that decodes to nothing must not pass for an
empty folder.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from backuplock.clock import Observation
from backuplock.errors import TooLarge
from backuplock.stores.base import Blob, Entry
from backuplock.stores.s3_errors import BeingWritten, NotS3
from backuplock.text import printable

Reply = Mapping[str, Any]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def page(
    reply: Reply, prefix: str, entries: dict[str, Entry], folders: set[str], tokens: set[str]
) -> str | None:
    """Add one page to a listing; the token of the next, or None after the last."""
    _check_listing(reply)
    for found in reply.get("CommonPrefixes", ()):
        name = _below(found["Prefix"], prefix).rstrip("/")
        if name:
            folders.add(name)
    for found in reply.get("Contents", ()):
        name, slash, _ = _below(found["Key"], prefix).partition("/")
        if slash:
            folders.add(name)
        elif name:
            entries[name] = _entry(name, found)
    if not reply.get("IsTruncated"):
        return None
    token = reply.get("NextContinuationToken")
    if not token or token in tokens:
        raise NotS3("its listing has no end")
    tokens.add(token)
    return str(token)


def flat(reply: Reply, prefix: str, cut: int) -> tuple[tuple[Entry, ...], bool]:
    """One page of a listing without folders: entries named by keys less their first `cut` characters, and
    whether there is more behind them."""
    _check_listing(reply)
    contents = reply.get("Contents", ())
    for found in contents:
        _below(found["Key"], prefix)
    return tuple(_entry(found["Key"][cut:], found) for found in contents), bool(reply.get("IsTruncated"))


def rolled(reply: Reply, prefix: str, cut: int, behind: str) -> tuple[tuple[Entry, ...], bool] | None:
    """As `flat`, of a listing that was to cut keys behind a text: what they have in common is an entry.
    None: it is not cut so."""
    entries, more = flat(reply, prefix, cut)
    groups = []
    for found in reply.get("CommonPrefixes", ()):
        if not _below(found["Prefix"], prefix).endswith(behind):
            return None
        groups.append(Entry(found["Prefix"][cut:]))
    if any(behind in entry.name[len(prefix) - cut :] for entry in entries):
        return None
    return tuple(sorted((*entries, *groups), key=lambda entry: entry.name)), more


def times_of(reply: Reply) -> list[int]:
    """When the objects of one page were written, as far as it says."""
    _check_listing(reply)
    return [nanoseconds(one["LastModified"]) for one in reply.get("Contents", ()) if "LastModified" in one]


def _check_listing(reply: Reply) -> None:
    if "IsTruncated" not in reply and "Name" not in reply:
        # Any XML, a web page for one, decodes to "nothing there": that must not pass for a listing.
        raise NotS3("not a listing")


def _entry(name: str, found: Reply) -> Entry:
    modified = found.get("LastModified")
    return Entry(
        name,
        int(found.get("Size", 0)),
        None if modified is None else nanoseconds(modified),
        _bare(found.get("ETag", "")),
    )


def _below(key: str, prefix: str) -> str:
    if not key.startswith(prefix):
        raise NotS3("its listing names keys that were not asked for")
    return key[len(prefix) :]


def blob(reply: Reply, seen: Observation | None, key: str, cap: int) -> Blob:
    """One version of an object: body, time and etag of this reply.

    The time is the header's own, whole seconds: what Longhorn orders locks by, unlike a listing's.
    """
    body = reply["Body"]
    try:
        size = reply.get("ContentLength")
        if size is not None and size > cap:
            raise TooLarge(_too_large(key, str(size), cap))
        parts, have = [], 0
        while have <= cap and (part := body.read(cap + 1 - have)):
            parts.append(part)
            have += len(part)
        if have > cap:
            raise TooLarge(_too_large(key, f"more than {cap}", cap))
        if size is not None and have != size:
            raise NotS3("a body of another length than announced")
        if "LastModified" not in reply:
            raise NotS3("an object without a time")
        return Blob(b"".join(parts), nanoseconds(reply["LastModified"]), etag_of(reply), seen)
    finally:
        # Closing gives a drained connection back, and drops one that has a huge body still to come.
        body.close()


def _too_large(key: str, size: str, cap: int) -> str:
    return f"{printable(key)} has {size} bytes, {cap} are read at most"


def etag_of(reply: Reply) -> str:
    """The etag of a reply, without the quotes that only some stores write.

    Raises:
        BeingWritten: it is empty; rclone's server answers so for a moment beside a write.
        NotS3: there is none.
    """
    if "ETag" not in reply:
        raise NotS3("an object without an etag")
    etag = _bare(reply["ETag"])
    if not etag:
        raise BeingWritten("an empty etag")
    return etag


def _bare(etag: str) -> str:
    return etag.strip().removeprefix("W/").strip('"')


def nanoseconds(told: datetime) -> int:
    """An instant as nanoseconds of the epoch, without a detour over floats."""
    return (told - _EPOCH) // _MICROSECOND * 1000
