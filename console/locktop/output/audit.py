"""The audit trail as text and as JSON.

The JSON document of `locktop audit --json`; fields are added within version 1, never changed or removed.

version   1
path      of the trail
verified  null, or with --verify: entries, head (the hash of the last), problem ("" if the chain is whole)
entries   oldest first: seq, hash, previous, and what was written then:
          act        break, undo, purge, tidy (an empty folder), or verdict (of the watch after a break)
          phase      before (on disk before the store was touched) or after
          id         of the transaction, as locktop undo takes it
          at_ns      local wall clock; store_ns: the store's, where it told it
          target, place (the server, where the target does not name it), key, user, host, tool, reason
          body       of the lock, base64; modified_ns, etag, digest (SHA-256)
          life, evidence, live (whether a live one was insisted on), had_volume
          outcome    broken, refused, failed, unknown, undone, purged, removed, abandoned, gone; the verdict
                     of the watch
          detail     in words; window_ns: from the last look to the end of the delete

Each hash is the SHA-256 of `seq`, a line feed, the hash before it (64 zeros for the first), a line feed and
the entry's fields as JSON with sorted keys and without blanks.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from backuplock.breaking import AuditEntry, Verified
from locktop.format import Part, name, utc_instant
from locktop.output.paper import Para
from locktop.output.words import span_words

VERSION = 1
_BEGUN = {"break": "break begun", "undo": "undo begun", "purge": "purge begun"}
_TONES = {"broken": "good", "undone": "good", "purged": "good", "gone for good": "good"}


def document(path: str, found: Sequence[AuditEntry], verified: Verified | None) -> dict[str, Any]:
    """The document of the table above."""
    checked = None
    if verified is not None:
        checked = {"entries": verified.entries, "head": verified.head, "problem": verified.problem}
    return {
        "version": VERSION,
        "path": path,
        "verified": checked,
        "entries": [
            {**one.fields, "seq": one.seq, "previous": one.previous, "hash": one.hash} for one in found
        ],
    }


def paras(found: Sequence[AuditEntry], now_ns: int) -> list[Para]:
    """Two lines an entry: when, what and of which lock; then who, why and what came of it."""
    width = len(str(found[-1].seq)) if found else 0
    return [line for one in found for line in _lines(one, now_ns, width)]


def _lines(one: AuditEntry, now_ns: int, width: int) -> list[Para]:
    at = one.fields.get("at_ns")
    when = f"{utc_instant(at)} UTC, {span_words(now_ns - at)} ago" if isinstance(at, int) else "at no time"
    parts = one.get("key").split("/")
    # `backupstore/volumes/xx/yy/<volume>/locks/<name>`
    lock = "/".join((parts[4], parts[-1])) if len(parts) > 5 else one.get("key")
    head: list[Part] = [
        (f"{one.seq:>{width}}  ", "dim"),
        (_what(one), _tone(one)),
        (f"  {name(lock)}", "strong"),
    ]
    hang = width + 2
    lines = [Para([*head, (f"  {when}", "dim")], hang=hang + 2)]
    told = [
        f"by {name(one.get('user'))}@{name(one.get('host'))}" if one.get("user") else "",
        f"id {name(one.get('id'))}",
        name(one.get("target")),
        "INSISTED on a live lock" if one.fields.get("live") is True else "",
        f"reason: {name(one.get('reason'))}" if one.get("reason") else "",
        name(one.get("detail")),
    ]
    return [*lines, Para([("; ".join(filter(None, told)), "text")], first=hang, hang=hang + 2)]


def _what(one: AuditEntry) -> str:
    act = one.get("act")
    if one.get("phase") == "before":
        return _BEGUN.get(act, name(act))
    outcome = name(one.get("outcome"))
    return f"watched: {outcome}" if act == "verdict" else f"{name(act)}: {outcome}"


def _tone(one: AuditEntry) -> str:
    if one.get("phase") == "before":
        return "text"
    return _TONES.get(one.get("outcome"), "late")
