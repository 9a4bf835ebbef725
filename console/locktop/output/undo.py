"""Broken locks of which a copy is kept, as text and as JSON.

The JSON documents of `locktop undo --json`. Times are ISO 8601, UTC. Fields are added within version 1, never
changed or removed.

version      1
target       the store's URL, without secrets
taken_at     when it was read, by the local clock
copies       newest first; the whole quarantine:
             id          what locktop undo takes
             volume, lock, key, operation (of the lock, as locktop ls has it), size, body (bytes that are not
             UTF-8 as U+FFFD)
             broken_at   by the clock of the machine that did it
             user, host, tool, reason: who broke it, and why
             life        what was made of its holder then: live, late, stale, unknown
             until       until when it is kept
             restored    it was put back, or never went
             open        its act did not end (see unfinished, and locktop undo --finish, --take-back)
             problem     why the description cannot be had; what it would tell is null then
unfinished   acts that did not end: id, stage (untouched, removed, swept, back, gone, unknown), words,
             can_finish, can_take_back, running, problem

With ID: version, target, taken_at, copy (as above), obstacle ("" if it could be put back now). After an act:
version, target, id, done (one line).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from backuplock.breaking import Copy, Unfinished
from backuplock.errors import Malformed
from backuplock.model import LockRecord
from backuplock.wire import decode
from locktop.format import Glyphs, Part, name, plural, type_words, utc_instant
from locktop.output.fields import iso, purpose
from locktop.output.paper import Para
from locktop.output.words import span_words

VERSION = 1


def document(
    target: str, found: Iterable[Copy], unfinished: Iterable[Unfinished], now_ns: int
) -> dict[str, Any]:
    """The document of a listing."""
    return {
        "version": VERSION,
        "target": target,
        "taken_at": iso(now_ns),
        "copies": [_fields(one) for one in found],
        "unfinished": [
            {
                "id": one.id,
                "stage": one.stage.value,
                "words": one.words,
                "can_finish": one.can_finish,
                "can_take_back": one.can_undo,
                "running": one.running,
                "problem": one.why,
            }
            for one in unfinished
        ],
    }


def one_document(target: str, copy: Copy, now_ns: int, obstacle: str) -> dict[str, Any]:
    """The document about one copy."""
    return {
        "version": VERSION,
        "target": target,
        "taken_at": iso(now_ns),
        "copy": _fields(copy),
        "obstacle": obstacle,
    }


def done_document(target: str, entry: str, line: str) -> dict[str, Any]:
    """The document after an act."""
    return {"version": VERSION, "target": target, "id": entry, "done": line}


def paras(found: Sequence[Copy], now_ns: int, glyphs: Glyphs, *, put_back: int = 0) -> list[Para]:
    """Two or three lines a copy; `put_back`: how many were left out because they are back."""
    more = (
        f"; {plural(put_back, 'copy was', 'copies were')} put back, --all lists them too" if put_back else ""
    )
    if not found:
        return [Para([(f"Nothing can be put back{more}", "text")])]
    lines = [line for one in found for line in _lines(one, now_ns, glyphs)]
    return [*lines, Para([(f"{plural(len(found), 'copy', 'copies')}{more}", "dim")])]


def _lines(one: Copy, now_ns: int, glyphs: Glyphs) -> list[Para]:
    kept = one.kept
    state: list[Part] = [(f"  {word}", tone) for word, tone in _state(one)]
    if kept is None:
        return [Para([(one.id, "strong"), *state]), Para([(name(one.why), "bad")], first=4, hang=4)]
    ago = span_words(now_ns - kept.broken_wall_ns)
    who = f"{name(kept.user)}@{name(kept.host)}"
    told: list[Part] = [(f"  {utc_instant(kept.broken_wall_ns)} UTC, {ago} ago, by {who}", "dim")]
    until = f"{glyphs.dot} kept until {utc_instant(one.until_ns or 0)} UTC"
    what = f"{kept.token.shown} ({type_words(_record(one))}), taken for {name(kept.life)} then {until}"
    lines = [Para([(one.id, "strong"), *state, *told], hang=4), Para([(what, "text")], first=4, hang=4)]
    if kept.reason:
        lines.append(Para([(f"reason: {name(kept.reason)}", "text")], first=4, hang=4))
    return lines


def _state(one: Copy) -> list[Part]:
    if one.restored:
        return [("back", "good")]
    return [("INTERRUPTED", "alert")] if one.open else []


def _record(one: Copy) -> LockRecord | None:
    if one.kept is None:
        return None
    try:
        return decode(one.kept.body)
    except Malformed:
        return None


def _fields(one: Copy) -> dict[str, Any]:
    kept = one.kept
    token = kept.token if kept else None
    return {
        "id": one.id,
        "volume": token.volume if token else None,
        "lock": token.name.removesuffix(".lck") if token else None,
        "key": token.key if token else None,
        "operation": purpose(_record(one)) if kept else None,
        "body": kept.body.decode("utf-8", "replace") if kept else None,
        "size": len(kept.body) if kept else None,
        "broken_at": iso(kept.broken_wall_ns) if kept else None,
        "user": kept.user if kept else None,
        "host": kept.host if kept else None,
        "tool": kept.tool if kept else None,
        "reason": kept.reason if kept else None,
        "life": kept.life if kept else None,
        "until": iso(one.until_ns),
        "restored": one.restored,
        "open": one.open,
        "problem": one.why,
    }
