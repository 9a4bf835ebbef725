"""Values of the model <-> values of SQLite, exactly: whatever a Snapshot holds comes back equal."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from backuplock.model import Flaw, Leftover, LockFile, LockRecord, Owner, VolumeNames, VolumeView

Value = int | str | bytes | None
"""What a cell holds."""

_INT64 = range(-(2**63), 2**63)
_OWNER = ("host", "pid", "user", "operation", "note", "acquired_at", "renewals", "tool")


def put_int(number: int | None) -> Value:
    """A number as a cell: beyond 64 bits (a time after the year 2262) as decimal text."""
    return number if number is None or number in _INT64 else str(number)


def get_int(cell: Any) -> int:
    """The reverse, for a number that must be there."""
    if isinstance(cell, bytes | float) or cell is None:
        raise ValueError("a number is missing")
    return int(cell)


def get_maybe(cell: Any) -> int | None:
    """The reverse, for a number that may be missing."""
    return None if cell is None else get_int(cell)


def put_text(text: str) -> Value:
    """Text as a cell; what UTF-8 cannot say (lone surrogates) as bytes."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")
    return text


def get_text(cell: Any) -> str:
    """The reverse."""
    if isinstance(cell, bytes):
        return cell.decode("utf-8", "surrogatepass")
    if not isinstance(cell, str):
        raise ValueError("a text is missing")
    return cell


def put_json(value: object) -> bytes:
    """JSON in the fewest bytes; surrogates as they are, for their escapes would pair up when read."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")


def get_json(cell: Any) -> Any:
    """The reverse."""
    return json.loads(get_text(cell))


def put_body(lock: LockFile) -> tuple[bytes, bytes]:
    """What a version of a lock says, time and etags aside: a digest that identifies it, and the value.

    A refresh rewrites the same body: it is kept once.
    """
    record = lock.record
    said = None if record is None else [record.name, record.type, record.acquired, _put_owner(record.owner)]
    value = put_json(
        [
            lock.size,
            lock.raw.decode("latin-1"),
            said,
            None if lock.flaw is None else lock.flaw.value,
            lock.reason,
        ]
    )
    return hashlib.blake2b(value, digest_size=16).digest(), value


def get_body(
    cell: Any, *, key: str, volume: str, modified: Any, etag: Any, listed: Any, listed_etag: Any
) -> LockFile:
    """A lock from its body and the cells beside it."""
    size, raw, said, flaw, reason = get_json(cell)
    record = None
    if said is not None:
        name, type_, acquired, owner = said
        record = LockRecord(name, type_, acquired, _get_owner(owner))
    return LockFile(
        key=key,
        volume=volume,
        modified_ns=get_maybe(modified),
        etag=get_text(etag),
        size=size,
        record=record,
        flaw=None if flaw is None else Flaw(flaw),
        reason=reason,
        raw=raw.encode("latin-1"),
        listed_etag=get_text(listed_etag),
        listed_ns=get_maybe(listed),
    )


def _put_owner(owner: Owner | None) -> list[str | int] | None:
    return None if owner is None else [getattr(owner, name) for name in _OWNER]


def _get_owner(fields: Sequence[Any] | None) -> Owner | None:
    return None if fields is None else Owner(**dict(zip(_OWNER, fields, strict=True)))


def put_view(view: VolumeView) -> bytes | None:
    """All of a volume but its name and locks; None for a plain one, which most are.

    The order of its locks is kept only where it is not that of their keys.
    """
    names, keys = view.names, [lock.key for lock in view.locks]
    shape: dict[str, object] = {}
    if names is not None:
        shape["names"] = [names.namespace, names.claim, names.workload, names.backing_image]
    if view.ghost:
        shape["ghost"] = True
    if view.problem:
        shape["problem"] = view.problem
    if view.leftovers:
        shape["leftovers"] = [[left.key, left.size, left.modified_ns] for left in view.leftovers]
    if keys != sorted(keys):
        shape["order"] = keys
    return put_json(shape) if shape else None


def get_view(cell: Any, name: str, locks: dict[str, LockFile]) -> VolumeView:
    """A volume from its shape and its locks by key."""
    shape: dict[str, Any] = {} if cell is None else get_json(cell)
    names = shape.get("names")
    return VolumeView(
        name=name,
        locks=tuple(locks[key] for key in shape.get("order") or sorted(locks)),
        leftovers=tuple(Leftover(*left) for left in shape.get("leftovers", ())),
        names=None if names is None else VolumeNames(*names),
        ghost=shape.get("ghost", False),
        problem=shape.get("problem", ""),
    )
