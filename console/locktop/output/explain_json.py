"""Complaints and the present picture as JSON; the document of `locktop explain --json`.

version         1
target          the target's URL, without secrets; null if none was given
reports         for each complaint, in the order of the text:
  complaint     kind (`backuplock.explain.ComplaintKind`), volume, operations (those the words tell; [] if
                they do not), lock (the file that is named: the loser's own if kind is "refused"), wording
                (releases that word it so, or "unknown"), excerpt
  outcome       free, blocked, unknown, missing (no such volume), as Longhorn's operation would meet it now
  operations    those that were judged
  blockers      lock (key), and acts: act (wait, stop_holder, remove_file), helps (yes, no, perhaps, harmful),
                text, by (the way is clear then at the latest if it is done now; null: unknown)
  ignored       keys of locks that Longhorn cannot decode and ignores, while locktop's own locks count them
  own_is_there  the named file still lies there
  habits        operation, retries (true, false, null: unknown), text: what Longhorn does by itself
  problem       why there is no picture, "" if there is
  picture       null, or the document of `locktop show --json` (see locktop show --schema)
"""

from __future__ import annotations

import dataclasses
from typing import Any

from locktop.output import volume_json
from locktop.output.fields import iso
from locktop.reports import Report

VERSION = 1


def document(reports: list[Report], target: str | None, *, verbose: bool = False) -> dict[str, Any]:
    """The document of the table above."""
    return {
        "version": VERSION,
        "target": target,
        "reports": [_report(one, verbose=verbose) for one in reports],
    }


def _report(found: Report, *, verbose: bool) -> dict[str, Any]:
    said = found.complaint
    return {
        "complaint": {
            "kind": said.kind.value,
            "volume": said.volume,
            "operations": sorted(operation.value for operation in said.operations),
            "lock": said.lock,
            "wording": said.wording.value,
            "excerpt": said.excerpt,
        },
        "outcome": found.outcome,
        "operations": [operation.value for operation in found.operations],
        "blockers": [
            {
                "lock": one.node.lock.key,
                "acts": [
                    {"act": act.act, "helps": act.helps, "text": act.text, "by": iso(act.by_ns)}
                    for act in one.acts
                ],
            }
            for one in found.blockers
        ],
        "ignored": [node.lock.key for node in found.ignored],
        "own_is_there": found.own_is_there,
        "habits": [{**dataclasses.asdict(one), "operation": one.operation.value} for one in found.habits],
        "problem": found.problem,
        "picture": volume_json.document(found.inquiry, verbose=verbose) if found.inquiry else None,
    }
