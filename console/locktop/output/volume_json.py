"""One volume as JSON, exact; the document of `locktop show --json`, and part of `locktop explain --json`.

Strings from a store are carried as they are, JSON-escaped. Times are ISO 8601, UTC; durations are seconds.
Fields are added within version 1, never changed or removed.

version         1
target          the target's URL, without secrets
taken_at        when it was read, by the local clock
store_clock     now (the store's; everything is judged at it), skew_seconds, error_seconds, source
watched_seconds for how long the volume was watched, 0 for a single look
volume          name, namespace, claim, workload, backing_image ("" where unknown), ghost, problem, leftovers
                (keys)
complete        false: something could not be read, absence proves nothing
locks           in the order in which the store ranks them, those without a record last. The fields of
                `locktop ls --json` (see locktop ls --schema), and:
                number      from 1
                verdict     ignored, holds, fails, passes, clashes, counts, unknown (`backuplock.tree.Fate`)
                liveness    life (live, late, stale, unknown), reasons, condemned_by, doubt (why it is not
                            told: unreadable, clocks, just arrived, only asks; null where it is)
                difference  null, or how Longhorn by this machine's clock sees it otherwise
                raw         with -v: the body, bytes that are not UTF-8 as U+FFFD
edges           who blocks whom: blocker, blocked (keys), rule (acquired, time, name, unread, clash), sure,
                ends_at (if the blocker is not refreshed; null: unknown), longhorn (whether it sees it so too;
                null: unknown, for it may read a file that we do not)
edges_untold    how many more there are: of a crowd only the first into each lock are told
verdicts        for each operation: operation, result (granted, blocked, unknown), blockers (keys), until (the
                earliest end if all holders died now; null: none is known), longhorn (result, blockers)
findings        mark (known, likely, unknown), topic, lock (key or ""), text, operation (or null), since
backups         found (descriptions of backups), unread, unfinished (name, key, written_at, snapshot,
                snapshot_at)
"""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from backuplock.clock import seconds
from backuplock.inquiry import Inquiry
from backuplock.model import VolumeNames
from backuplock.rules import Verdict
from backuplock.tree import Node, Tree
from locktop.output.fields import Held, held, iso, problems
from locktop.output.json_ import lock_fields
from locktop.rows import board_of

VERSION = 1


def document(inquiry: Inquiry, *, verbose: bool = False) -> dict[str, Any]:
    """The document of the table above, ready for `json.dumps`."""
    snapshot, view, tree = inquiry.snapshot, inquiry.view, inquiry.tree
    skew, error = snapshot.clock.skew(wall_ns=snapshot.taken_wall_ns, mono_ns=snapshot.ended_mono_ns)
    rows = {one.lock.key: one for one in held(board_of(snapshot))}
    return {
        "version": VERSION,
        "target": snapshot.target,
        "taken_at": iso(snapshot.taken_wall_ns),
        "store_clock": {
            "now": iso(inquiry.now.middle),
            "skew_seconds": _rounded(skew),
            "error_seconds": _rounded(error),
            "source": snapshot.clock.source,
        },
        "watched_seconds": _rounded(inquiry.watched_ns),
        "volume": {
            "name": view.name,
            **dataclasses.asdict(view.names or VolumeNames()),
            "ghost": view.ghost,
            "problem": view.problem,
            "leftovers": [one.key for one in view.leftovers],
        },
        "complete": not problems(snapshot),
        "locks": [_lock(rows[node.lock.key], node, inquiry, verbose=verbose) for node in tree.nodes],
        "edges": [
            {
                "blocker": edge.blocker,
                "blocked": edge.blocked,
                "rule": edge.rule.value,
                "sure": edge.sure,
                "ends_at": iso(edge.ends_ns),
                "longhorn": edge.longhorn,
            }
            for edge in tree.edges
        ],
        "edges_untold": tree.untold,
        "verdicts": [verdict_fields(tree, found) for found in tree.verdicts],
        "findings": [
            {
                "mark": found.mark.value,
                "topic": found.topic.value,
                "lock": found.lock,
                "text": found.text,
                "operation": found.operation.value if found.operation else None,
                "since": iso(found.since_ns),
            }
            for found in inquiry.findings
        ],
        "backups": {
            "found": inquiry.around.backups,
            "unfinished": [
                {
                    "name": one.name,
                    "key": one.key,
                    "written_at": iso(one.written_ns),
                    "snapshot": one.snapshot,
                    "snapshot_at": one.snapshot_at,
                }
                for one in inquiry.around.unfinished
            ],
            "unread": inquiry.around.unread,
        },
    }


def result(found: Verdict) -> str:
    """`granted`, `blocked` or `unknown`."""
    return "unknown" if found.granted is None else "granted" if found.granted else "blocked"


def verdict_fields(tree: Tree, found: Verdict) -> dict[str, Any]:
    """One verdict of the document."""
    theirs = tree.longhorn(found.operation)
    return {
        "operation": found.operation.value,
        "result": result(found),
        "blockers": list(found.blockers),
        "until": iso(found.until_ns),
        "longhorn": {"result": result(theirs), "blockers": list(theirs.blockers)},
    }


def text(fields: dict[str, Any]) -> str:
    """A document as it is printed, with a final newline."""
    return json.dumps(fields, indent=2) + "\n"


def _lock(one: Held, node: Node, inquiry: Inquiry, *, verbose: bool) -> dict[str, Any]:
    life = inquiry.lives[node.lock.key]
    fields = {
        "number": node.number,
        **lock_fields(one),
        "verdict": node.fate.value,
        "liveness": {
            "life": life.life.value,
            "reasons": list(life.reasons),
            "condemned_by": list(life.condemned_by),
            "doubt": life.doubt.value if life.doubt else None,
        },
        "difference": node.difference.value if node.difference else None,
    }
    if verbose:
        fields["raw"] = node.lock.raw.decode("utf-8", "replace")
    return fields


def _rounded(ns: int) -> float:
    return round(seconds(ns), 3)
