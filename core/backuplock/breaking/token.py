"""What exactly a person saw and means to break: one version of one object, and how a later one differs."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from backuplock import layout
from backuplock.clock import SECOND
from backuplock.errors import Malformed
from backuplock.model import LockFile
from backuplock.stores.base import Blob
from backuplock.text import elapsed, printable

_DEPTH = 7
"""Parts of `backupstore/volumes/xx/yy/<volume>/locks/<name>`."""


@dataclass(frozen=True, slots=True)
class Token:
    """One version of one file in a volume's `locks/`.

    Attributes:
        target: the store's URL.
        modified_ns: store time of the version, with the grain that reads give.
        digest: SHA-256 of the body; "" if the whole of it is not known.

    Raises:
        Malformed: `key` is no key of such a file.
    """

    target: str
    key: str
    modified_ns: int
    etag: str
    size: int
    digest: str = ""

    def __post_init__(self) -> None:
        split_key(self.key)

    @property
    def volume(self) -> str:
        """The volume whose lock it is."""
        return split_key(self.key)[0]

    @property
    def name(self) -> str:
        """The file's name; the lock's, with its suffix."""
        return split_key(self.key)[1]

    @property
    def shown(self) -> str:
        """`volume/name`, printable."""
        return f"{printable(self.volume, limit=120)}/{printable(self.name, limit=120)}"


def split_key(key: str) -> tuple[str, str]:
    """Volume and file name of a key in a volume's `locks/`.

    Whatever is written or removed goes to such a key and nowhere else, whoever made the token.

    Raises:
        Malformed: it is another key.
    """
    parts = key.split("/")
    fits = (
        len(parts) == _DEPTH
        and "/".join(parts[:2]) == layout.VOLUMES
        and all(map(layout.is_shard, parts[2:4]))
        and parts[5] == layout.LOCKS
        and not any(part in ("", ".", "..") for part in parts)
        and "\0" not in key
    )
    if not fits:
        raise Malformed(
            f"{printable(key, limit=200)!r} is not the key of a file in a volume's {layout.LOCKS}/",
            advice="name a lock as locktop ls shows it",
        )
    return parts[4], parts[6]


def token_of(target: str, lock: LockFile) -> Token:
    """The token for a lock as a Snapshot has it.

    Raises:
        Malformed: its key is no lock's, or nothing is known of its version.
    """
    if lock.modified_ns is None:
        raise Malformed(f"{printable(lock.key, limit=300)} could not be read", advice="look again")
    whole = len(lock.raw) == lock.size
    return Token(
        target, lock.key, lock.modified_ns, lock.etag, lock.size, digest_of(lock.raw) if whole else ""
    )


def token_of_blob(target: str, key: str, blob: Blob) -> Token:
    """The token for what was just read."""
    return Token(target, key, blob.modified_ns, blob.etag, len(blob.body), digest_of(blob.body))


def digest_of(body: bytes) -> str:
    """SHA-256, hex."""
    return hashlib.sha256(body).hexdigest()


def difference(token: Token, blob: Blob) -> str:
    """In what way `blob` is not what the token means, in words; "" if it is that very version.

    Bytes and etag alone would not do: Longhorn's refresh writes the same bytes again.
    """
    moved = blob.modified_ns - token.modified_ns
    same_body = len(blob.body) == token.size and (not token.digest or digest_of(blob.body) == token.digest)
    if moved > 0:
        ago = ""
        if blob.observed is not None:
            ago = f"{elapsed(max(0, blob.observed.store_ns - blob.modified_ns))} ago"
        what = "refreshed" if same_body else "written anew"
        return f"it was {what} {ago}".rstrip()
    if moved < 0:
        return f"its time went back by {-moved / SECOND:.0f} s: another file stands in its place"
    if not same_body:
        return "its content is another one"
    if blob.etag != token.etag:
        return "the store says it is another version"
    return ""
