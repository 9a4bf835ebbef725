"""A Snapshot as one JSON document, exact: what a store says is carried as it is, JSON-escaped to ASCII.

Bytes of a name that are not UTF-8 appear as lone surrogates (`\\udcXX`), as Python decodes file names.
Times are ISO 8601, UTC, with as many digits as the store gave. Fields are added within version 1, never
changed or removed.

version         1
target          the target's URL, without secrets
taken_at        end of the sweep, by the local clock
store_present   false: the place holds no `backupstore` folder at all
store_clock     now (the store's, at the start of the sweep: states, ages and times left are as of then),
                skew_seconds (store minus local), error_seconds, source
complete        false: something could not be read, absence proves nothing
problems        [{volume: name or null, reason}]
volumes         {found, locked}: numbers of volumes
locks           see below, by volume and key
unlocked        with --all: [{volume, claim, namespace, workload, ghost, problem}], volumes without a lock
leftovers       with --all: [{volume, key, size, modified_at}], files in `locks/` that are locks to nobody

A lock:

volume, claim, namespace, workload   the volume, and names people know for it ("" where unknown)
lock, key        file name without `.lck`; key below the target's root: the lock's identity
type             the integer on the wire; null if the file gives no record
operation        "backup or restore", "delete", "untyped", "type N" or "unknown"; "backup" or "restore" where
                 the owner says which
acquired         as on the wire; null if the file gives no record
state            held, waiting, late, stale, bad or unsure (as `backuplock.rules.State` says)
modified_at      last refresh, as the store stamped it; null if unknown
age_seconds      since the last refresh, on the store's clock; negative for a lock of the future, or one that
                 was refreshed during the sweep
ttl_seconds      until the lock stops counting if it is not refreshed; negative once expired
blocks           operations that cannot start now because of this file
waiting_blocked  keys of waiting locks that it keeps from being granted
blocked_by       keys of the locks that keep it from being granted
clashes          keys of acquired locks of another type beside this acquired one: exclusion failed
more             how many keys are left out of the three lists before, where a crowd would fill them
owner            null, or what the file says of its holder: host, pid, user, operation, note, acquired_at,
                 renewals, tool
flaw, reason     why the file gives no record; null and "" if it does
etag, size       of the version that was read
longhorn         what Longhorn with this machine's clock sees otherwise, {} if nothing: ignored (why),
                 unknown (why), expired, blocks, blocked_by
"""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from backuplock.clock import SECOND, seconds
from backuplock.model import VolumeNames
from locktop.output.fields import Held, differences, held, iso, problems, purpose, stops
from locktop.rows import Board

VERSION = 1


def document(board: Board, *, everything: bool = False) -> dict[str, Any]:
    """The document of the table above, ready for `json.dumps`."""
    snapshot = board.snapshot
    skew, error = snapshot.clock.skew(wall_ns=snapshot.taken_wall_ns, mono_ns=snapshot.ended_mono_ns)
    found_problems = problems(snapshot)
    found: dict[str, Any] = {
        "version": VERSION,
        "target": snapshot.target,
        "taken_at": iso(snapshot.taken_wall_ns),
        "store_present": snapshot.store_present,
        "store_clock": {
            "now": iso(board.now.middle),
            "skew_seconds": _rounded(skew),
            "error_seconds": _rounded(error),
            "source": snapshot.clock.source,
        },
        "complete": not found_problems,
        "problems": [dataclasses.asdict(problem) for problem in found_problems],
        "volumes": {
            "found": len(snapshot.volumes),
            "locked": board.locked,
        },
        "locks": [lock_fields(one) for one in held(board)],
    }
    if everything:
        found["unlocked"] = [
            {
                "volume": volume.name,
                **_names(volume.names),
                "ghost": volume.ghost,
                "problem": volume.problem,
            }
            for volume in snapshot.volumes
            if not volume.locks
        ]
        found["leftovers"] = [
            {"volume": volume.name, "key": one.key, "size": one.size, "modified_at": iso(one.modified_ns)}
            for volume in snapshot.volumes
            for one in volume.leftovers
        ]
    return found


def text(board: Board, *, everything: bool = False) -> str:
    """The document as it is printed, with a final newline."""
    return json.dumps(document(board, everything=everything), indent=2) + "\n"


def lock_fields(one: Held) -> dict[str, Any]:
    """One lock of the document."""
    lock, record = one.lock, one.lock.record
    return {
        "volume": lock.volume,
        **_names(one.row.volume.names),
        "lock": lock.stem,
        "key": lock.key,
        "type": record.type if record else None,
        "operation": purpose(record),
        "acquired": record.acquired if record else None,
        "state": one.row.state.value,
        "modified_at": iso(lock.modified_ns),
        "age_seconds": _rounded(one.age_ns),
        "ttl_seconds": _rounded(one.ttl_ns()),
        "blocks": stops(one.ours),
        "waiting_blocked": list(one.ours.blocks),
        "blocked_by": list(one.ours.blocked_by),
        "clashes": list(one.ours.clashes),
        "more": {
            "waiting_blocked": one.ours.rivals.blocks.more,
            "blocked_by": one.ours.rivals.blocked_by.more,
            "clashes": one.ours.rivals.clashes.more,
        },
        "owner": dataclasses.asdict(record.owner) if record and record.owner else None,
        "flaw": lock.flaw.value if lock.flaw else None,
        "reason": lock.reason,
        "etag": lock.etag,
        "size": lock.size,
        "longhorn": differences(one),
    }


def _names(names: VolumeNames | None) -> dict[str, str]:
    names = names or VolumeNames()
    return {"claim": names.claim, "namespace": names.namespace, "workload": names.workload}


def _rounded(ns: int | None) -> float | None:
    # Milliseconds: more would feign a precision that the error bar does not have.
    return None if ns is None else round(seconds(ns), 3) if abs(ns) < 10**9 * SECOND else float(ns // SECOND)
