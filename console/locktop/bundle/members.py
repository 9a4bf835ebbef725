"""Material as the files of a bundle, whose names never come from a store.

The members of the zip: `README.txt`; `manifest.json` (members with size, SHA-256 and a word on each; what
could not be had); `locks.json` (`locktop ls --json --all`), `bodies.json` and `bodies/NNNN.lck` (what stands
in each lock file, its first 4 KiB), `listing.json` (each `locks/` folder), `doctor.json`, `events.json`,
`audit.json` (what was broken and put back, from this machine), `settings.json`, `versions.json`.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from backuplock import layout
from backuplock.breaking import AuditEntry
from backuplock.model import LockFile
from locktop.bundle.material import Material, versions
from locktop.bundle.redact import Redactor
from locktop.config.secrets import Secrets
from locktop.output import doctor, json_
from locktop.output.event_lines import fields
from locktop.output.fields import iso
from locktop.rows import board_of

VERSION = 1
MOST_BODIES = 10_000
_LONGHORNS = re.compile(r"lock-[0-9a-f]{16}")


@dataclass(frozen=True, slots=True)
class Member:
    """One file of the bundle."""

    name: str
    content: bytes
    what: str


def members(
    found: Material, settings: Sequence[Mapping[str, object]], secrets: Secrets, redactor: Redactor | None
) -> list[Member]:
    """The files, in the order in which they are listed, the manifest second.

    Args:
        redactor: has learnt the names of the material; None leaves all names.
    """
    made = _documents(found, settings, redactor)
    made = [Member(one.name, secrets.without(one.content), one.what) for one in made]
    readme = Member("README.txt", _readme(redactor is not None).encode(), "what this is")
    problems = [redactor.text(line) if redactor else line for line in found.problems]
    manifest = {
        "version": VERSION,
        "redacted": redactor is not None,
        "problems": problems,
        "members": [
            {
                "name": one.name,
                "bytes": len(one.content),
                "sha256": hashlib.sha256(one.content).hexdigest(),
                "what": one.what,
            }
            for one in (readme, *made)
        ],
    }
    told = Member("manifest.json", secrets.without(_json(manifest)), "this list, and what could not be had")
    return [readme, told, *made]


def _documents(
    found: Material, settings: Sequence[Mapping[str, object]], redactor: Redactor | None
) -> list[Member]:
    made: list[Member] = []

    def add(name: str, value: Any, what: str) -> None:
        made.append(Member(name, _json(redactor.tree(value) if redactor else value), what))

    if found.diagnosis is not None:
        board = board_of(found.diagnosis.snapshot)
        add("locks.json", json_.document(board, everything=True), "locks, volumes and leftovers, judged")
        locks = sorted(found.diagnosis.snapshot.locks, key=lambda lock: lock.key)
        index = [_about(number, lock) for number, lock in enumerate(locks[:MOST_BODIES], 1)]
        add("bodies.json", index, "which body is whose, with times")
        bodies = [(number, _body(lock, redactor)) for number, lock in enumerate(locks[:MOST_BODIES], 1)]
        kept = [(number, body) for number, body in bodies if body is not None]
        made += [Member(_body_name(number), body, "the body of a lock") for number, body in kept]
        add("listing.json", _listing(found), "locks/ as the store lists it, volume by volume")
        add("doctor.json", doctor.document(found.diagnosis), "what the store gives and lacks")
    gaps = [
        {"from": iso(gap.began_wall_ns), "to": iso(gap.ended_wall_ns), "line": gap.line} for gap in found.gaps
    ]
    events = {"events": [fields(event) for event in reversed(found.events)], "gaps": gaps}
    add("events.json", events, "what was seen on this machine, and when nothing was")
    add("audit.json", [_act(one) for one in found.acts], "what was broken from this machine, and by whom")
    add("settings.json", list(settings), "settings, and where each came from")
    made.append(Member("versions.json", _json(versions()), "of locktop and what it runs on"))
    return made


def learn(found: Material, redactor: Redactor) -> None:
    """Teach a redactor the names in the material, in an order that stays."""
    if found.diagnosis is not None:
        for view in found.diagnosis.snapshot.volumes:
            if view.name != "BACKINGIMAGE":
                redactor.learn("volume", view.name)
            if view.names is not None:
                for kind in ("namespace", "claim", "workload", "backing_image"):
                    redactor.learn(kind.replace("_", "-"), getattr(view.names, kind))
        for lock in found.diagnosis.snapshot.locks:
            _learn_lock(lock, redactor)
        for view in found.diagnosis.snapshot.volumes:
            for leftover in view.leftovers:
                _learn_file(leftover.key.rpartition("/")[2], redactor)
    for listing in found.listings.values():
        for entry in listing.entries:
            redactor.learn("etag", entry.etag)
            _learn_file(entry.name, redactor)
        for folder in listing.folders:
            redactor.learn("folder", folder)
    for event in found.events:
        redactor.learn("volume", event.volume)
        _learn_file(event.key.rpartition("/")[2], redactor)
    for act in found.acts:
        for kind, name in (("user", "user"), ("host", "host"), ("note", "reason"), ("etag", "etag")):
            redactor.learn(kind, act.get(name))
        key = act.get("key")
        folders = key.split("/")
        redactor.learn("volume", folders[-3] if len(folders) > 3 and folders[-2] == layout.LOCKS else "")
        _learn_file(key.rpartition("/")[2], redactor)


def _act(entry: AuditEntry) -> dict[str, object]:
    """An entry of the audit trail, but for the body, which may be anything."""
    fields = {name: value for name, value in entry.fields.items() if name != "body"}
    return {"seq": entry.seq, "previous": entry.previous, "hash": entry.hash, **fields}


def _learn_lock(lock: LockFile, redactor: Redactor) -> None:
    redactor.learn("etag", lock.etag)
    _learn_file(lock.file_name, redactor)
    if lock.record is not None:
        _learn_file(lock.record.name, redactor)
        if lock.record.owner is not None:
            redactor.learn("host", lock.record.owner.host)
            redactor.learn("user", lock.record.owner.user)
            redactor.learn("note", lock.record.owner.note)


def _learn_file(name: str, redactor: Redactor) -> None:
    stem = re.sub(r"\.lck(\.tmp\.\d+)?$", "", name)
    if not _LONGHORNS.fullmatch(stem):
        redactor.learn("file", stem)


def _about(number: int, lock: LockFile) -> dict[str, Any]:
    return {
        "body": _body_name(number),
        "key": lock.key,
        "volume": lock.volume,
        "modified_at": iso(lock.modified_ns),
        "size": lock.size,
        "kept": len(lock.raw),
        "flaw": lock.flaw.value if lock.flaw else None,
        "reason": lock.reason,
    }


def _body_name(number: int) -> str:
    return f"bodies/{number:04d}.lck"


def _body(lock: LockFile, redactor: Redactor | None) -> bytes | None:
    """What stands in the file; redacted, only what locktop understands of it."""
    if redactor is None:
        return lock.raw if lock.flaw is None or lock.raw else None
    if lock.record is None:
        return None
    record = lock.record
    said: dict[str, Any] = {
        "Name": redactor.text(record.name),
        "Type": record.type,
        "Acquired": record.acquired,
    }
    if record.owner is not None:
        said["Owner"] = redactor.tree(asdict(record.owner))
        # Whoever wrote the file wrote this, too: it need not be a word of ours.
        said["Owner"]["operation"] = redactor.text(record.owner.operation)
    return json.dumps(said).encode()


def _listing(found: Material) -> list[dict[str, Any]]:
    return [
        {
            "volume": volume,
            "folders": list(listing.folders),
            "entries": [
                {
                    "file": entry.name,
                    "size": entry.size,
                    "modified_at": iso(entry.modified_ns),
                    "etag": entry.etag,
                    "regular": entry.regular,
                }
                for entry in listing.entries
            ],
        }
        for volume, listing in sorted(found.listings.items())
    ]


def _json(value: Any) -> bytes:
    return (json.dumps(value, indent=2) + "\n").encode()


def _readme(redacted: bool) -> str:
    names = (
        "Names and addresses have stand-ins, the same name the same one everywhere. Bodies were written\n"
        "anew from what was understood of them; those that are no lock record were left out.\n"
        if redacted
        else "Names of volumes, claims and hosts stand in it (locktop bundle --redact replaces them).\n"
    )
    return (
        "Evidence about the locks of a Longhorn backup store, gathered by locktop bundle.\n"
        "manifest.json says what is in it and what could not be had. Lock bodies and names come from the\n"
        "store: whoever can write there chose them. What looks like a credential was replaced by [secret].\n"
        + names
    )
