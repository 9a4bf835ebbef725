"""Several complaints of one text: what each comes to in a line, and alike ones together.

A log has the same refusal once for every attempt, each with a file of its own; what helps is the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from backuplock.explain import MAX_COMPLAINTS
from locktop.format import Glyphs, Line, Part, fit, name, number, plural, type_label
from locktop.output.paper import Para, blank, title
from locktop.reports import Outcome, Report

OUTCOMES: dict[Outcome, Part] = {
    "blocked": ("BLOCKED", "late"),
    "unknown": ("UNKNOWN", "unsure"),
    "missing": ("NO PICTURE", "bad"),
    "free": ("FREE", "good"),
}
"""What each outcome is called, and its tone; first what a person has to look at first."""
IN_FULL = 10
"""Groups of which everything is told."""
_LISTED = 50
_WIDEST = max(len(word) for word, _ in OUTCOMES.values())
_OPERATIONS = 23
"""Cells for the operations."""


@dataclass(frozen=True, slots=True)
class Alike:
    """Complaints that come to the same: `newest` is the last of them in the text, of `count`."""

    newest: Report
    count: int


def grouped(reports: Sequence[Report]) -> list[Alike]:
    """Complaints about the same volume, operations and mishap together: what is blocked first, and of that
    what the text names last."""
    found: dict[tuple[object, ...], Alike] = {}
    for one in reports:
        key = (one.complaint.volume, one.operations, one.complaint.kind)
        before = found.pop(key, None)
        found[key] = Alike(one, before.count + 1 if before else 1)
    order = list(OUTCOMES)
    newest_first = list(found.values())[::-1]
    return sorted(newest_first, key=lambda group: order.index(group.newest.outcome))


def summary_paras(groups: Sequence[Alike], width: int, glyphs: Glyphs) -> list[Para]:
    """A line for each group, after one that counts them."""
    volumes = {group.newest.complaint.volume: group.newest.outcome for group in reversed(groups)}
    counts = Counter(volumes.values())
    told = ", ".join(f"{number(counts[one])} {word}" for one, (word, _) in OUTCOMES.items() if counts[one])
    count = sum(group.count for group in groups)
    last = "The last " if count >= MAX_COMPLAINTS else ""
    paras = [title(f"{last}{plural(count, 'complaint')} about {plural(len(volumes), 'volume')}: {told}")]
    paras.append(Para(complaint_heading(), 2, 4, wrap=False))
    for group in groups[:_LISTED]:
        times: Line = [(f"  ({number(group.count)} times)", "dim")] if group.count > 1 else []
        paras.append(Para([*complaint_line(group.newest, width, glyphs), *times], 2, 4))
    if len(groups) > _LISTED:
        paras.append(Para([(f"and {number(len(groups) - _LISTED)} more", "dim")], 2))
    if len(groups) > IN_FULL:
        words = f"The first {IN_FULL} follow in full; of the others: locktop show VOLUME, or all with --json"
        paras += [blank(), Para([(words, "dim")])]
    return paras


def complaint_heading() -> Line:
    """The line above several complaints."""
    return [(f"{'NOW':<{_WIDEST}}  {'OPERATION':<{_OPERATIONS}}  VOLUME", "dim")]


def complaint_line(found: Report, width: int, glyphs: Glyphs) -> Line:
    """One of several complaints, in a line."""
    word, tone = OUTCOMES[found.outcome]
    said = found.complaint
    operations = ", ".join(one.value for one in found.operations)
    names = found.inquiry.view.names if found.inquiry is not None else None
    claim = names.claim_path if names is not None else ""
    by = [f"{type_label(one.node.lock.record)} {one.node.lock.stem}" for one in found.blockers]
    room = width - _WIDEST - _OPERATIONS - 6
    volume = fit(
        name(said.volume), min(room, max(20, len(said.volume))), ellipsis=glyphs.ellipsis, middle=True
    )
    return [
        (f"{word:<{_WIDEST}}  ", tone),
        (f"{operations:<{_OPERATIONS}}  ", "text"),
        (volume.rstrip(), "strong"),
        (f"  {name(claim)}" if claim else "", "key"),
        (f"  by {name(by[0])}" + (f" and {len(by) - 1:,} more" if len(by) > 1 else "") if by else "", "dim"),
    ]
