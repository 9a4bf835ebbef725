"""What was found out about a volume, in words: verdicts, edges, signs of life, findings.

Pure: parts of lines with tones. Names from a store are made printable here. humanize is used for lengths of
time in sentences; exact values are in the JSON.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import humanize

from backuplock.clock import SECOND, Span
from backuplock.findings import Finding, Mark
from backuplock.inquiry import Inquiry
from backuplock.liveness import Doubt, Life
from backuplock.model import UNREAD, LockFile
from backuplock.rules import State, Verdict
from backuplock.tree import Difference, Edge, Fate, Node, Rule, Tree
from locktop.format import Glyphs, Part, if_dead, name, type_words, utc_near

if TYPE_CHECKING:
    from backuplock.journal import HeldSince

NAMED = 4
"""Locks that are named in one sentence; the rest is counted."""

LIFE_TONES = {Life.LIVE: "held", Life.LATE: "late", Life.STALE: "stale", Life.UNKNOWN: "unsure"}
FATE_WORDS = {
    Fate.IGNORED: "ignored: it has ended",
    Fate.HOLDS: "holds",
    Fate.FAILS: "will be refused",
    Fate.PASSES: "nothing is in its way",
    Fate.CLASHES: "CLASHES: two that exclude each other hold",
    Fate.COUNTS: "counts against all: no record",
    Fate.UNKNOWN: "cannot be told",
}
DIFFERENCE_WORDS = {
    Difference.UNDECODABLE: "Longhorn ignores this: it cannot decode it",
    Difference.UNREAD: "what Longhorn makes of this is unknown: it may read it, and ignores it if it cannot",
    Difference.ENDED_HERE: "Longhorn ignores this: by this machine's clock it has ended",
    Difference.COUNTS_HERE: "Longhorn still counts this: by this machine's clock it has not ended",
}
_RULE_WORDS = {
    Rule.ACQUIRED: "different type, and {} is acquired",
    Rule.TIME: "different type, and {} asked earlier",
    Rule.NAME: "different type, same time, and {} sorts before",
    Rule.UNREAD: "{} cannot be read, so it counts",
    Rule.CLASH: "different type, and both are acquired: exclusion has failed",
}
_STATE_WORDS = {
    State.HELD: "held",
    State.WAITING: "waiting",
    State.LATE: "late",
    State.STALE: "ended",
    State.BAD: "unreadable",
    State.UNSURE: "in doubt",
}


def span_words(ns: int) -> str:
    """A length of time in words: `2 minutes and 5 seconds`, `3 days`."""
    whole = datetime.timedelta(seconds=min(abs(ns) // SECOND, 86_400 * 365_000))
    least = "seconds" if whole.total_seconds() < 600 else "minutes" if whole.days < 2 else "days"
    return humanize.precisedelta(whole, minimum_unit=least, format="%d")


def since_words(held: HeldSince, now_ns: int) -> str:
    """`since 02:46:01 UTC (18 minutes)`, or `at least since` if its beginning was not seen."""
    least = "at least since" if held.lower_bound else "since"
    return f"{least} {utc_near(held.seen_wall_ns, now_ns)} UTC ({span_words(now_ns - held.seen_wall_ns)})"


def until_words(ns: int, now: Span) -> str:
    """An instant, and how far away it is: `03:06:36 UTC (in 2 minutes and 5 seconds)`."""
    gone = ns - now.middle
    away = f"in {span_words(gone)}" if gone >= 0 else f"{span_words(gone)} ago"
    return f"{utc_near(ns, now.middle)} UTC ({away})"


def lock_words(lock: LockFile) -> str:
    """What a lock is: `lock-9f2c41d07be35a18 (deletion)`."""
    if lock.record is None:
        return f"{name(lock.stem)} (no lock record)"
    return f"{name(lock.stem)} ({type_words(lock.record)})"


def state_words(node: Node) -> str:
    """The state of a lock in a word for sentences."""
    if node.state is State.BAD and node.lock.record is not None:
        return "of a type Longhorn does not write"
    return _STATE_WORDS[node.state]


def by_numbers(tree: Tree, keys: Iterable[str], more: int = 0) -> str:
    """Locks by their numbers in the list: `2`, `2 and 3`, `1, 2, 3, 4 and 7 more`; `more`: beyond `keys`."""
    numbers = sorted(tree.node(key).number for key in keys)
    shown = [str(number) for number in numbers[:NAMED]]
    if more := more + len(numbers) - len(shown):
        return f"{', '.join(shown)} and {more:,} more"
    return " and ".join([", ".join(shown[:-1]), shown[-1]] if len(shown) > 1 else shown)


def verdict_parts(tree: Tree, found: Verdict) -> list[Part]:
    """What an operation would meet that asked now."""
    parts: list[Part]
    if found.granted:
        parts = [("would be granted", "good")]
    elif found.granted is None:
        parts = [("cannot be told", "unsure")]
        if found.blockers:
            parts.append((f": {doubt_words(tree, found)}", "text"))
    else:
        parts = [
            ("would be refused", "late"),
            (f": blocked by {by_numbers(tree, found.blockers)} {end_words(tree, found)}", "text"),
        ]
    return [*parts, *longhorn_parts(tree, found)]


def doubt_words(tree: Tree, found: Verdict) -> str:
    """Why it cannot be told whether what is in the way counts."""
    unread = [key for key in found.blockers if tree.node(key).lock.flaw in UNREAD]
    unsure = [key for key in found.blockers if key not in unread]
    reasons = []
    if unread:
        reasons.append(f"{by_numbers(tree, unread)} could not be read, and may be any lock")
    if unsure:
        reasons.append(f"whether {by_numbers(tree, unsure)} still counts is not certain")
    return "; ".join(reasons)


def longhorn_parts(tree: Tree, found: Verdict) -> list[Part]:
    """How Longhorn itself, by this machine's clock, would be answered, if otherwise."""
    theirs = tree.longhorn(found.operation)
    if found.granted is theirs.granted:
        return []
    if theirs.granted is None:
        return [(" (what Longhorn itself would meet is unknown)", "unsure")]
    words = "granted" if theirs.granted else f"refused because of {by_numbers(tree, theirs.blockers)}"
    return [(f" (Longhorn itself would be {words})", "late")]


def end_words(tree: Tree, found: Verdict) -> str:
    """Until when blockers last, after `blocked by 2 `."""
    if found.until_ns is None:
        return "until it is removed; no end is known"
    held = [tree.node(key) for key in found.blockers]
    if any(node.lock.record is not None and node.lock.record.acquired for node in held):
        # A release may come at any time; only the end of a lease can be reckoned.
        end = until_words(found.until_ns, tree.now)
        return f"until released; at {end} {if_dead(len(held))}"
    sooner = "granted or withdrawn" if all(node.lock.record for node in held) else "removed"
    return f"until {until_words(found.until_ns, tree.now)}, or until it is {sooner}"


def edge_parts(tree: Tree, edge: Edge) -> list[Part]:
    """Why the one blocks the other, and what Longhorn makes of it."""
    number = tree.node(edge.blocker).number
    blocked = "clashes" if edge.rule is Rule.CLASH else "blocked" if edge.sure else "perhaps blocked"
    tone = "alert" if edge.rule is Rule.CLASH else "late" if edge.sure else "unsure"
    parts: list[Part] = [(blocked, tone), (f": {_RULE_WORDS[edge.rule].format(number)}", "text")]
    if edge.rule is not Rule.CLASH and edge.ends_ns is not None:
        parts.append((f"; ends by itself at {until_words(edge.ends_ns, tree.now)}", "dim"))
    if edge.longhorn is None:
        parts.append(("; whether Longhorn sees it so is unknown", "unsure"))
    elif not edge.longhorn:
        parts.append(("; Longhorn does not see it so", "late"))
    return parts


def alive_parts(inquiry: Inquiry, node: Node) -> list[Part]:
    """Whether a lock's holder is alive, and how that is known."""
    found = inquiry.lives[node.lock.key]
    reasons = "; ".join(name(reason) for reason in found.reasons)
    if found.doubt is Doubt.ASKS:
        return [("waits", "waiting"), (f": {reasons}", "text")]
    if found.doubt is Doubt.ARRIVED:
        return [("cannot be told yet", "waiting"), (f": {reasons}", "text")]
    parts: list[Part] = [(_LIFE_WORDS[found.life], LIFE_TONES[found.life]), (f": {reasons}", "text")]
    if found.condemned_by and found.life is Life.STALE:
        parts.append((f" (by {', '.join(found.condemned_by)})", "dim"))
    return parts


_LIFE_WORDS = {
    Life.LIVE: "alive",
    Life.LATE: "late, perhaps dead",
    Life.STALE: "dead",
    Life.UNKNOWN: "cannot be told",
}


def finding_parts(found: Finding) -> list[Part]:
    """A statement with its mark."""
    tone = {Mark.KNOWN: "held", Mark.LIKELY: "waiting", Mark.UNKNOWN: "dim"}[found.mark]
    return [(f"{found.mark.value}: ", tone), (name(found.text), "text")]


def names_of(keys: Sequence[str], tree: Tree) -> str:
    """Locks by their names: for sentences without a numbered list."""
    shown = [name(tree.node(key).lock.stem) for key in keys[:NAMED]]
    return ", ".join(shown) + (f" and {len(keys) - NAMED:,} more" if len(keys) > NAMED else "")


def glyph(node: Node, glyphs: Glyphs) -> Part:
    """The symbol of a lock's state."""
    return f"{glyphs.states[node.state]} ", node.state.value
