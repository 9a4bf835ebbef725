"""Leftovers of a store and what became of them, as text, as JSON and as a report file.

The JSON document of `locktop cleanup --json`; fields are added within version 1, never changed or removed.

version   1
target    the store's URL, without secrets
complete  false: something could not be read, and may hold more
applied   whether removal was begun
items     in the order of removal: kind (dead, corrupt, untyped, temporary, ghost), key, volume (printable),
          size, modified_ns (store time; null: unknown), why (it counts as left over), outcome (planned, that
          is, not tried; removed, refused, failed), id (for locktop undo; "" if none), detail
more      how many there are beyond the limit
left      key, why: what looks like a leftover and is let alone
stopped   why a run ended early; "" if it did not

The report file has a JSON object a line: first version, target, complete, count; then each item as above when
it is done, so that a run that was killed tells how far it came; then those that were not come to, as planned;
last ended, the reason if it ended early.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from backuplock.breaking import CleanupPlan, Done, Kind, Report
from backuplock.text import printable
from locktop.format import Glyphs, name, plural
from locktop.output.paper import Para, blank, title
from locktop.settings import Usage

VERSION = 1
_MEANING = {
    Kind.DEAD: "expired locks of holders that died",
    Kind.CORRUPT: "expired files that nobody can read",
    Kind.UNTYPED: "expired locks of a type that Longhorn does not write",
    Kind.TEMPORARY: "files of writes that failed",
    Kind.GHOST: "what is left of volumes that are gone",
}


def document(plan: CleanupPlan, done: Report | None) -> dict[str, Any]:
    """The document of the table above; `done` is None where nothing was tried."""
    report = done or Report(plan, ())
    return {
        "version": VERSION,
        "target": plan.target,
        "complete": plan.complete,
        "applied": done is not None,
        "items": list(report.rows()),
        "more": plan.more,
        "left": [{"key": printable(key, limit=1000), "why": why} for key, why in plan.left],
        "stopped": report.stopped,
    }


def paras(plan: CleanupPlan, glyphs: Glyphs, *, verbose: bool) -> list[Para]:
    """Items by kind; `verbose`: also what is let alone."""
    lines: list[Para] = []
    for kind, count in plan.counts().items():
        if count:
            lines.append(Para([(f"{kind.value}: {count:,}", "title"), (f"  {_MEANING[kind]}", "dim")]))
            for item in plan.items:
                if item.kind is kind:
                    where = f"{name(item.volume)}/{name(item.name)}"
                    lines.append(Para([(where, "text"), (f"  {name(item.why)}", "dim")], first=2, hang=4))
    if not lines:
        lines = [Para([("Nothing is left over", "text")])]
    if verbose and plan.left:
        lines += [blank(), title(f"Let alone: {len(plan.left):,}")]
        lines += [
            Para([(name(key), "text"), (f"  {glyphs.dot} {name(why)}", "dim")], first=2, hang=4)
            for key, why in plan.left
        ]
    elif plan.left:
        lines.append(Para([(f"{plural(len(plan.left), 'file')} let alone, -v tells why", "dim")]))
    return lines


def done_line(done: Done) -> str:
    """What became of one item."""
    item = done.item
    told = " ".join(filter(None, (done.id, printable(done.detail, limit=300))))
    where = f"{printable(item.volume, limit=120)}/{printable(item.name, limit=120)}"
    return f"{done.outcome:<7}  {item.kind.value:<9}  {where}  {told}".rstrip()


class ReportFile:
    """A new file that grows with the run; each line is on disk before the next removal begins.

    Raises:
        Usage: there is such a file already, or it cannot be made.
    """

    def __init__(self, path: Path, plan: CleanupPlan) -> None:
        self._plan = plan
        self._told: set[str] = set()
        self._ended = False
        shown = printable(str(path), limit=200)
        try:
            self._file = path.open("x", encoding="utf-8")
        except FileExistsError:
            raise Usage(f"--report: {shown} is there already", advice="name a new file") from None
        except OSError as error:
            raise Usage(
                f"--report: {shown}: {error.strerror}", advice="name a file that can be made"
            ) from None
        count = len(plan.items)
        self._write(version=VERSION, target=plan.target, complete=plan.complete, count=count)

    def add(self, done: Done) -> None:
        """What became of one item."""
        self._told.add(done.item.key)
        (row,) = (row for row in Report(self._plan, (done,)).rows() if row["outcome"] != "planned")
        self._write(**row)

    def rest(self, why: str) -> None:
        """Those that were not come to, and the end; `why` counts only if there are any."""
        rows = zip(self._plan.items, Report(self._plan, ()).rows(), strict=True)
        left = [row for item, row in rows if item.key not in self._told]
        for row in left:
            self._write(**row)
        self._write(ended=why if left else "")

    def close(self) -> None:
        """Give the file back."""
        self._file.close()

    def _write(self, **fields: object) -> None:
        self._file.write(json.dumps(fields) + "\n")
        self._file.flush()
        os.fsync(self._file.fileno())
