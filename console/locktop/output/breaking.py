"""A plan to break a lock, and what came of it, as text and as JSON.

The JSON document of `locktop break --json`; strings from the store are carried as they are, JSON-escaped.
Times are ISO 8601, UTC. Fields are added within version 1, never changed or removed.

version      1
target       the store's URL, without secrets
outcome      planned (nothing was tried), broken, refused (the store is as it was), failed
obstacle     why it cannot or must not be broken as things stand; "" if it may be
plan         what would be removed, and what that means:
             volume, claim, lock, key, operation, acquired, owner, size, etag, modified_at, state (see
             locktop ls --schema), digest (SHA-256 of the body; "" if not all of it is known)
             life            live, late, stale or unknown; reasons, condemned_by (the witnesses), doubt
                             (why it is not told)
             outlook         tidy, live, pending, bad or unsure
             dead            it may be broken without --even-if-live
             unfit           why it can never be broken; "" if it can
             elsewhere       what speaks against breaking it: signs that its holder lives all the same or that
                             somebody is at work in the volume, or why that could not be seen
             explained       what is written in the volume, most likely by a live holder, which is named
             blocks          operations that cannot start because of it
             waiting         keys of locks that it keeps waiting
             consequences    sentences, the weightiest first
             guarantees      name, holds (null: not proved), why
             to_type         what a person types to confirm
             watched_seconds for how long it was watched before
checks       name, ok (true, false; null: not known), words
found        mark, text: what else is known of its holder
result       null, or id (for locktop undo), window_ms (from the last look to the end of the delete; null:
             there was none), back (it was there again at once), notes, undo_until
watch        null, or fate (watching, gone for good, came back, put back, another took its place, could
             not be watched), by (the key that took its place), words, help
error        null, or what (one line), advice, because (of a refusal), settled (of a failure: whether the lock
             surely is as it was), exit_code
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from backuplock.breaking import Broken, Check, Failed, Plan, Refused, Vigil
from backuplock.breaking.quarantine import RETENTION_NS
from backuplock.clock import SECOND, seconds
from backuplock.errors import BackupLockError
from backuplock.findings import Finding
from backuplock.guarantees import Guarantee
from backuplock.model import Operation, Snapshot, VolumeView
from backuplock.text import printable
from locktop.format import UNICODE, Glyphs, Part, name, owner_name, type_words, utc_instant
from locktop.output.fields import iso, purpose
from locktop.output.paper import Para, blank, labelled, title
from locktop.output.words import LIFE_TONES, finding_parts, span_words, until_words

VERSION = 1
_MARKS = {True: ("✓", "+", "good"), False: ("▲", "!", "stale"), None: ("?", "?", "unsure")}


@dataclass(frozen=True, slots=True)
class Sheet:
    """Everything that is told before a lock is broken; `found`: what this host knows of its holder."""

    plan: Plan
    view: VolumeView
    checks: tuple[Check, ...]
    found: tuple[Finding, ...]
    snapshot: Snapshot
    watched_ns: int = 0


# -- text


def plan_paras(sheet: Sheet, glyphs: Glyphs) -> list[Para]:
    """What is there, what would follow, what holds, and what speaks for and against."""
    plan = sheet.plan
    lines = [Para([("Break ", "title"), (plan.token.shown, "title")]), *_what(sheet), blank()]
    lines += [title("What would follow"), *(_point([(line, "text")], glyphs) for line in plan.consequences)]
    lines += [blank(), title("What holds on this store")]
    lines += [_guarantee(one, glyphs) for one in plan.guarantees]
    lines += [blank(), title("Before it is broken")]
    lines += [
        _marked(check.ok, [(f"{check.name}: {name(check.words)}", "text")], glyphs) for check in sheet.checks
    ]
    lines += [_point(finding_parts(one), glyphs) for one in sheet.found]
    return [*lines, blank()]


def _what(sheet: Sheet) -> list[Para]:
    plan = sheet.plan
    lock, token = plan.lock, plan.token
    now = sheet.snapshot.clock.at(sheet.snapshot.ended_mono_ns)
    claim = sheet.view.names.claim_path if sheet.view.names else ""
    holder = owner_name(lock.record.owner) if lock.record else ""
    stops = [operation.value for operation in Operation if operation in plan.stops]
    rows: list[tuple[str, list[Part]]] = [
        ("volume", [(name(lock.volume) + (f" ({name(claim)})" if claim else ""), "strong")]),
        ("lock", [(f"{name(lock.stem)} ({type_words(lock.record)})", "strong")]),
        ("holder", _holder(plan, holder)),
        ("blocks", [(", ".join(stops) or "nobody", "text")]),
        ("version", [(f"written {until_words(token.modified_ns, now)}, {token.size} bytes", "text")]),
        ("key", [(name(token.key), "dim")]),
    ]
    if sheet.watched_ns:
        rows.append(("watched", [(f"for {span_words(sheet.watched_ns)}", "text")]))
    return [labelled(label, parts) for label, parts in rows]


def _holder(plan: Plan, called: str) -> list[Part]:
    life = plan.life
    who: list[Part] = [(f"{called}: ", "strong")] if called else []
    return [
        *who,
        (life.life.value.upper(), LIFE_TONES[life.life]),
        (f": {name('; '.join(life.reasons))}", "text"),
    ]


def _point(parts: list[Part], glyphs: Glyphs) -> Para:
    return Para([(f"{glyphs.dot} ", "dim"), *parts], first=2, hang=4)


def _marked(holds: bool | None, parts: list[Part], glyphs: Glyphs) -> Para:
    fine, plain, tone = _MARKS[holds]
    return Para([(f"{fine if glyphs is UNICODE else plain} ", tone), *parts], first=2, hang=4)


def _guarantee(one: Guarantee, glyphs: Glyphs) -> Para:
    return _marked(one.holds, [(f"{one.name}: {one.why}", "text")], glyphs)


def broken_lines(broken: Broken, wall_ns: int) -> list[str]:
    """What was done, and how it is taken back."""
    until = utc_instant(wall_ns + RETENTION_NS)
    lines = [
        f"broken: {broken.token.shown}",
        f"put it back until {until} UTC: locktop undo {broken.id} --write",
    ]
    return lines + [f"note: {printable(note, limit=300)}" for note in broken.notes]


# -- JSON


def document(
    sheet: Sheet,
    *,
    obstacle: str = "",
    asked: bool = False,
    broken: Broken | None = None,
    vigil: Vigil | None = None,
    error: BackupLockError | None = None,
    code: int | None = None,
) -> dict[str, Any]:
    """The document of the table above; `asked`: it was to be broken, not only planned."""
    outcome = (
        "broken"
        if broken
        else "refused"
        if isinstance(error, Refused) or (asked and obstacle)
        else "failed"
        if error
        else "planned"
    )
    return {
        "version": VERSION,
        "target": sheet.snapshot.target,
        "outcome": outcome,
        "obstacle": obstacle,
        "plan": _plan_fields(sheet),
        "checks": [dataclasses.asdict(check) for check in sheet.checks],
        "found": [{"mark": one.mark.value, "text": one.text} for one in sheet.found],
        "result": _result_fields(broken, sheet) if broken else None,
        "watch": _watch_fields(vigil) if vigil else None,
        "error": _error_fields(error, code) if error else None,
    }


def _plan_fields(sheet: Sheet) -> dict[str, Any]:
    plan = sheet.plan
    lock, record = plan.lock, plan.lock.record
    return {
        "volume": lock.volume,
        "claim": sheet.view.names.claim_path if sheet.view.names else "",
        "lock": lock.stem,
        "key": lock.key,
        "operation": purpose(record),
        "acquired": record.acquired if record else None,
        "owner": dataclasses.asdict(record.owner) if record and record.owner else None,
        "size": plan.token.size,
        "etag": plan.token.etag,
        "digest": plan.token.digest,
        "modified_at": iso(plan.token.modified_ns),
        "state": plan.state.value,
        "life": plan.life.life.value,
        "reasons": list(plan.life.reasons),
        "condemned_by": list(plan.life.condemned_by),
        "doubt": plan.life.doubt.value if plan.life.doubt else None,
        "outlook": plan.outlook.value,
        "dead": plan.dead,
        "unfit": plan.unfit,
        "elsewhere": list(plan.elsewhere),
        "explained": list(plan.signs.explained),
        "blocks": [operation.value for operation in Operation if operation in plan.stops],
        "waiting": list(plan.waiting),
        "consequences": list(plan.consequences),
        "guarantees": [dataclasses.asdict(one) for one in plan.guarantees],
        "to_type": plan.to_type,
        "watched_seconds": round(seconds(sheet.watched_ns), 3),
    }


def _result_fields(broken: Broken, sheet: Sheet) -> dict[str, Any]:
    window = broken.window_ns
    return {
        "id": broken.id,
        "window_ms": None if window is None else round(window * 1000 / SECOND, 3),
        "back": broken.back,
        "notes": list(broken.notes),
        "undo_until": iso(sheet.snapshot.taken_wall_ns + RETENTION_NS),
    }


def _watch_fields(vigil: Vigil) -> dict[str, Any]:
    return {"fate": vigil.fate.value, "by": vigil.by, "words": vigil.words, "help": vigil.help}


def _error_fields(error: BackupLockError, code: int | None) -> dict[str, Any]:
    return {
        "what": error.what,
        "advice": error.advice,
        "because": error.because.value if isinstance(error, Refused) else None,
        "settled": error.settled if isinstance(error, Failed) else None,
        "exit_code": code,
    }
