"""Where copies of broken locks lie: in the store itself, at `backupstore/.locktop/quarantine/`.

In the store, because whoever wants a lock back may sit at another machine, and because a rename, the one
atomic move there is, does not leave a file system. Nothing of Longhorn meets it there: Longhorn lists below
`backupstore/volumes/`, `backupstore/backing-images/` and `backupstore/system-backups/` only; what it removes
by prefix begins with a volume's folder or a lock's key, and nothing here does; and where it climbs over empty
folders it stops at `backupstore`. Not inside `locks/` (any `*.lck` there is a lock, whatever it is called),
and not under a lock's own key, which a prefix removal of that lock would take along.

Beside one another lie, for each transaction: `<id>.json`, the description with the body in it, written first
and never written again; `<id>.file`, the lock's own file, where the store can rename; and a mark once it is
over, `<id>.done`, or `<id>.undone`, which says who put it back. A description without a mark is a transaction
that did not end. One listing tells all of that. `<id>.undoing` lies there while somebody puts the lock back,
and says who, for those who see it in its place before that is marked.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import secrets
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from backuplock.breaking.outlook import RETENTION_DAYS
from backuplock.breaking.token import Token, digest_of
from backuplock.clock import SECOND
from backuplock.errors import Conflict, Malformed, StoreError
from backuplock.layout import ROOT
from backuplock.stores.base import BODY_CAP, Listing, Store
from backuplock.text import printable

FOLDER = f"{ROOT}/.locktop/quarantine"
RETENTION_NS = RETENTION_DAYS * 86_400 * SECOND
CAP = 4 * BODY_CAP
"""Bytes of a description at most."""
BY_CAP = 400
"""Bytes of a mark at most."""
_ID = re.compile(r"[0-9]{8}T[0-9]{6}Z-[0-9a-f]{12}")
_FORMAT = 1

Mark = Literal["done", "undone"]
_UNDOING = "undoing"
UNDO_NS = 30 * SECOND
"""For how long after it began an undo may write the lock; a holder's refresh later than that is its own."""


@dataclass(frozen=True, slots=True)
class Kept:
    """One broken lock as the quarantine describes it.

    Attributes:
        id: of the transaction; sorts by time.
        body: the whole of it.
        broken_wall_ns: when, by the clock of the machine that did it.
        life: what was made of its holder. had_volume: the volume had more than locks.
    """

    id: str
    token: Token
    body: bytes
    broken_wall_ns: int
    user: str
    host: str
    tool: str
    reason: str
    life: str
    had_volume: bool

    @property
    def key(self) -> str:
        """Where it lay, and goes back to."""
        return self.token.key


@dataclass(frozen=True, slots=True)
class Listed:
    """One transaction in a listing of the quarantine: its id, and which files there are of it."""

    id: str
    described: bool
    file: bool
    marks: frozenset[str]
    age_ns: int | None = None
    """Since its description was written, on the store's clock; None where that is not known."""

    @property
    def open(self) -> bool:
        """It did not end, or nobody wrote that it did."""
        return not self.marks


def new_id(wall_ns: int) -> str:
    """An id that sorts by time and that nobody else has."""
    at = datetime.fromtimestamp(wall_ns // SECOND, UTC).strftime("%Y%m%dT%H%M%SZ")
    return f"{at}-{secrets.token_hex(6)}"


def check_id(text: str) -> str:
    """`text`, if it is the id of a transaction.

    Raises:
        Malformed: it is not.
    """
    if not _ID.fullmatch(text):
        raise Malformed(
            f"{printable(text, limit=80)!r} is not the id of a broken lock", advice="locktop undo lists them"
        )
    return text


def description(entry: str) -> str:
    """The key of a transaction's description."""
    return f"{FOLDER}/{check_id(entry)}.json"


def file_of(entry: str) -> str:
    """The key of the lock's own file."""
    return f"{FOLDER}/{check_id(entry)}.file"


def taken_of(entry: str) -> str:
    """Where a lock that was put back goes for the moment in which it is taken away again."""
    return f"{FOLDER}/{check_id(entry)}.taken"


def keep(store: Store, kept: Kept) -> None:
    """Write the description, and read it back.

    Raises:
        StoreError: it was not written, or is not what was written.
    """
    body = _encode(kept)
    key = description(kept.id)
    store.put(key, body)
    found = store.read(key, cap=CAP)
    if found is None or found.body != body:
        raise Conflict(
            f"{store.url}: the copy in the quarantine is not what was written", advice="look at the store"
        )


def mark(store: Store, entry: str, what: Mark, by: str = "") -> None:
    """Write that a transaction is over; `by` says who ended it, for whoever looks from another machine."""
    store.put(f"{FOLDER}/{check_id(entry)}.{what}", by.encode("utf-8", "replace")[:BY_CAP])


def begin_undo(store: Store, entry: str, by: str) -> None:
    """Write who is about to put a lock back: whoever watches may see it there before that is marked."""
    store.put(f"{FOLDER}/{check_id(entry)}.{_UNDOING}", by.encode("utf-8", "replace")[:BY_CAP])


def end_undo(store: Store, entry: str) -> None:
    """Take away what `begin_undo` wrote."""
    store.delete(f"{FOLDER}/{check_id(entry)}.{_UNDOING}")


def undone_by(store: Store, entry: str, key: str = "") -> str | None:
    """Who put a broken lock back, printable: "" if they did not say, None if nobody wrote that it was.

    Args:
        key: the lock's. If it was written right after somebody began to put it back, they did; the store
            stamped both, so no other clock counts.

    Raises:
        StoreError: it could not be read.
    """
    found = store.read(f"{FOLDER}/{check_id(entry)}.undone", cap=BY_CAP)
    if found is None and key:
        begun = store.read(f"{FOLDER}/{entry}.{_UNDOING}", cap=BY_CAP)
        back = store.read(key) if begun is not None else None
        if begun is not None and back is not None:
            found = begun if 0 <= back.modified_ns - begun.modified_ns <= UNDO_NS else None
    return None if found is None else printable(found.body.decode("utf-8", "replace"), limit=120)


def drop(store: Store, entry: str) -> None:
    """Remove all of a transaction; its marks last, without which it would look interrupted."""
    for end in ("taken", "file", "json", _UNDOING, "undone", "done"):
        store.delete(f"{FOLDER}/{check_id(entry)}.{end}")


def listed(store: Store) -> tuple[Listed, ...]:
    """What the quarantine holds, oldest first; files that are none of ours are left out.

    Raises:
        StoreError: it could not be listed.
    """
    return _grouped(store.list(FOLDER))


def read(store: Store, entry: str) -> Kept | None:
    """One description; None if there is none.

    Raises:
        Malformed: it is no description of ours.
        StoreError: it could not be read.
    """
    blob = store.read(description(entry), cap=CAP)
    return None if blob is None else _decode(entry, store.url, blob.body)


def _grouped(listing: Listing) -> tuple[Listed, ...]:
    ends: dict[str, set[str]] = {}
    ages: dict[str, int] = {}
    seen = listing.observed
    for entry in listing.entries:
        stem, _, end = entry.name.partition(".")
        if _ID.fullmatch(stem) and end in ("json", "file", "done", "undone"):
            ends.setdefault(stem, set()).add(end)
            if end == "json" and seen is not None and entry.modified_ns is not None:
                ages[stem] = seen.store_ns - entry.modified_ns
    return tuple(
        Listed(stem, "json" in found, "file" in found, frozenset(found & {"done", "undone"}), ages.get(stem))
        for stem, found in sorted(ends.items())
    )


def read_all(store: Store, which: Iterable[Listed]) -> tuple[dict[str, Kept], dict[str, str]]:
    """The descriptions of some, by id; and why others could not be had."""
    found: dict[str, Kept] = {}
    failed: dict[str, str] = {}
    for one in which:
        try:
            kept = read(store, one.id)
        except (StoreError, Malformed) as error:
            failed[one.id] = str(error)
            continue
        if kept is not None:
            found[one.id] = kept
    return found, failed


def _encode(kept: Kept) -> bytes:
    token = asdict(kept.token)
    del token["target"]
    fields = {
        "format": _FORMAT,
        **token,
        "body": base64.b64encode(kept.body).decode(),
        **{name: getattr(kept, name) for name in _PLAIN},
    }
    return json.dumps(fields, indent=1).encode()


_PLAIN: dict[str, type] = {
    "broken_wall_ns": int,
    "user": str,
    "host": str,
    "tool": str,
    "reason": str,
    "life": str,
    "had_volume": bool,
}


def _decode(entry: str, target: str, raw: bytes) -> Kept:
    """Nothing in it is trusted: whoever can write the store can write it."""
    try:
        fields: Any = json.loads(raw)
        body = base64.b64decode(fields["body"], validate=True)
        plain: dict[str, Any] = {name: _typed(fields[name], kind) for name, kind in _PLAIN.items()}
        token = Token(
            target,
            _typed(fields["key"], str),
            _typed(fields["modified_ns"], int),
            _typed(fields["etag"], str),
            len(body),
            digest_of(body),
        )
        if fields["format"] != _FORMAT or fields["digest"] not in ("", token.digest):
            raise ValueError
    except (ValueError, KeyError, TypeError, RecursionError, binascii.Error) as error:
        raise Malformed(
            f"{description(entry)} is no description of a broken lock", advice="look at it by hand"
        ) from error
    return Kept(id=entry, token=token, body=body, **plain)


def _typed(value: Any, kind: type) -> Any:
    if type(value) is not kind:
        raise TypeError
    return value
