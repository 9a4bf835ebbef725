"""Does a store honour conditional requests? Found out by trying, for several accept and ignore them.

Seen: rclone ignores `If-None-Match` and `If-Match`, Ceph 16 wants etags without quotes in `If-Match` and
ignores it on DELETE, Swift refuses them.
"""

from __future__ import annotations

import functools
import secrets
from collections.abc import Callable
from dataclasses import dataclass

from backuplock.crew import Crew
from backuplock.errors import Conflict, Unreachable, Unsupported
from backuplock.stores.base import Blob, Version

_RIVALS = 4
_HEED_S = 0.1
_WRONG = "0" * 32


@dataclass(frozen=True, slots=True)
class Raw:
    """A store's verbs with the `If-Match` header as it goes over the wire, checked by nobody.

    `put(key, body, if_match, if_absent)`, `delete(key, if_match)`, `read(key)`.
    """

    put: Callable[[str, bytes, str | None, bool], Version]
    delete: Callable[[str, str | None], None]
    read: Callable[[str], Blob | None]


@dataclass(frozen=True, slots=True)
class Findings:
    """What a store was seen to do; `etags_quoted` is the form of `If-Match` that it understands."""

    put: bool
    delete: bool
    etags_quoted: bool


def probe(raw: Raw, folder: str) -> Findings:
    """Try both conditions on fresh objects below `folder`, and remove them.

    Raises:
        StoreError: a trial failed in a way that says nothing about conditions.
    """
    stem = f"{folder}/probe-{secrets.token_hex(8)}" if folder else f"probe-{secrets.token_hex(8)}"
    keys = [f"{stem}-{name}" for name in ("absent", "match", "gone", "race")]
    absent, match, gone, race = keys
    try:
        forms = [quoted for quoted in (True, False) if _match_honoured(raw, match, quoted)]
        quoted = forms[0] if forms else True
        put = bool(forms) and _absent_honoured(raw, absent) and _race_has_one_winner(raw, race)
        return Findings(put, _delete_honoured(raw, gone, quoted), quoted)
    finally:
        for key in keys:
            raw.delete(key, None)


def _absent_honoured(raw: Raw, key: str) -> bool:
    raw.delete(key, None)
    return _done(lambda: raw.put(key, b"first", None, True)) and (
        not _done(lambda: raw.put(key, b"second", None, True)) and _body(raw, key) == b"first"
    )


def _match_honoured(raw: Raw, key: str, quoted: bool) -> bool:
    raw.delete(key, None)
    lost = _done(lambda: raw.put(key, b"ghost", _header(_WRONG, quoted), False))
    if lost or _body(raw, key) is not None:
        return False
    etag = raw.put(key, b"first", None, False).etag
    if _done(lambda: raw.put(key, b"wrong", _header(_WRONG, quoted), False)) or _body(raw, key) != b"first":
        return False
    if not _done(lambda: raw.put(key, b"second", _header(etag, quoted), False)):
        return False
    # The etag that was right a moment ago: a store that compares nothing but the form falls here.
    stale = _done(lambda: raw.put(key, b"third", _header(etag, quoted), False))
    return not stale and _body(raw, key) == b"second"


def _delete_honoured(raw: Raw, key: str, quoted: bool) -> bool:
    etag = raw.put(key, b"first", None, False).etag
    if _done(lambda: raw.delete(key, _header(_WRONG, quoted))) or _body(raw, key) != b"first":
        return False
    return _done(lambda: raw.delete(key, _header(etag, quoted))) and _body(raw, key) is None


def _race_has_one_winner(raw: Raw, key: str) -> bool:
    """Conditions that are checked but not atomically let several of simultaneous creators win."""

    won: list[int] = []

    def create(number: int) -> tuple[int, bool]:
        try:
            return number, _done(lambda: raw.put(key, b"%d" % number, None, True))
        except Unreachable:
            # A store may answer "conflicting request, try again": nobody has won by that.
            return number, False

    with Crew[tuple[int, bool]](_RIVALS, "probe") as crew:
        for number in range(_RIVALS):
            crew.give(functools.partial(create, number))
        while crew.busy:
            won += [number for number, first in crew.take(_HEED_S) if first]
    return len(won) == 1 and _body(raw, key) == b"%d" % won[0]


def _done(action: Callable[[], object]) -> bool:
    """Whether a conditional request went through; False for a refusal of it or of conditions at large."""
    try:
        action()
    except (Conflict, Unsupported):
        return False
    return True


def _body(raw: Raw, key: str) -> bytes | None:
    found = raw.read(key)
    return None if found is None else found.body


def _header(etag: str, quoted: bool) -> str:
    return f'"{etag}"' if quoted else etag
