"""Everything about one volume below its list of locks, as lines for a sheet: who blocks whom, what would
happen now, the selected lock, what happened before.

Pure: what is known in, text and tones out. What does not move with time is made once (`lasting`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from backuplock.inquiry import Inquiry
from backuplock.journal import HeldSince
from backuplock.model import LockFile, LockRecord
from backuplock.text import elapsed, printable
from backuplock.tree import Fate, Node, Tree
from backuplock.watch import Event, EventKind, Track
from locktop.describe import Fact, describe_alone
from locktop.describe import View as Seen
from locktop.format import Glyphs, Line, Part, name, number, plural, type_label, utc_instant, utc_near
from locktop.output.event_lines import symbol
from locktop.output.paper import Para, labelled
from locktop.output.volume_text import LABEL_OPERATION, caveats, lock_evidence, tree_paras
from locktop.output.words import DIFFERENCE_WORDS, finding_parts, span_words, verdict_parts
from locktop.rows import Row
from locktop.widgets.painted import cut, width_of
from locktop.widgets.panes import fact_lines, para_lines

RAW_SHOWN = 4096
"""Characters of a body that are shown; the library keeps no more."""
TREE_SHOWN = 24
"""Lines of who blocks whom."""
HISTORY_SHOWN = 40
"""Events that are listed of a volume."""

DEPARTURES = {
    EventKind.RELEASED: "released, as far as can be told",
    EventKind.REFUSED: "refused or withdrawn, as far as can be told",
    EventKind.CLEARED: "cleared away by somebody, as far as can be told",
    EventKind.BROKEN: "broken from here",
}
"""How a lock may go, in words."""

_LOUD = {
    EventKind.CLASH: "alert",
    EventKind.CAME_BACK: "alert",
    EventKind.TIME_JUMPED: "late",
    EventKind.BROKEN: "stale",
    EventKind.EXPIRED: "stale",
    EventKind.LATE: "late",
    EventKind.CORRUPT: "bad",
    EventKind.REQUESTED: "waiting",
    EventKind.ACQUIRED: "held",
}


@dataclass(frozen=True, slots=True)
class Chosen:
    """The selected lock, as it was last seen. `row` is its row on the board it was last on; `held` since
    when it is held, where a journal tells. `present`: whether it is still there."""

    node: Node
    row: Row
    inquiry: Inquiry
    track: Track | None
    held: HeldSince | None
    present: bool = True


@dataclass(frozen=True, slots=True)
class Paper:
    """What lines are made for: the width of the sheet, the characters, whether raw records are wrapped."""

    width: int
    glyphs: Glyphs
    wrapped: bool = False


def section(title: str, paper: Paper, right: str = "") -> Line:
    """A rule with a title."""
    rule, glyphs = paper.glyphs.rule, paper.glyphs
    end: Line = [(f" {right} ", "dim"), (rule * 2, "faint")] if right else []
    begin: Line = [(rule * 2 + " ", "faint"), (title, "key"), (" ", "faint")]
    begin = cut(begin, paper.width - width_of(end) - 1, glyphs.ellipsis)
    return [*begin, (rule * max(0, paper.width - width_of(begin) - width_of(end)), "faint"), *end]


def volume_lines(inquiry: Inquiry, paper: Paper) -> list[Line]:
    """About the volume: what is odd, who blocks whom, what each operation would meet."""
    tree = inquiry.tree
    lines = para_lines(caveats(inquiry), paper.width)
    blocking = tree_paras(tree, paper.glyphs)
    if blocking:
        lines.append(section("Who blocks whom", paper))
        lines += para_lines(blocking[:TREE_SHOWN], paper.width)
        if len(blocking) > TREE_SHOWN:
            lines.append([(f"  and more: {number(len(tree.edges))} in all", "dim")])
    lines.append(section("If an operation started now", paper))
    return [*lines, *para_lines(verdict_paras(tree), paper.width)]


def verdict_paras(tree: Tree) -> list[Para]:
    """What each operation would meet now; those that meet the same share a line."""
    alike: list[tuple[str, list[Part]]] = []
    for found in tree.verdicts:
        parts = verdict_parts(tree, found)
        if alike and alike[-1][1] == parts:
            alike[-1] = (f"{alike[-1][0]}, {found.operation.value}", parts)
        else:
            alike.append((found.operation.value, parts))
    width = max(LABEL_OPERATION, *(len(label) for label, _ in alike))
    return [labelled(label, parts, width=width) for label, parts in alike]


def chosen_now(chosen: Chosen, seen: Seen, alive: Sequence[Line], paper: Paper) -> list[Line]:
    """About the selected lock, as of now: its state, whether it is `alive`, what it blocks, what to do."""
    if not chosen.present:
        gone: Line = [("  It is gone: ", "strong"), ("what follows is how it was last seen.", "text")]
        return [_title(chosen, paper), gone, *alive]
    state, *facts = describe_alone(chosen.row, seen)
    record = chosen.node.lock.record
    if record is None or record.owner is None:
        # Its kind stands in the title, and that nobody is named is said among the signs of life.
        facts = [fact for fact in facts if fact.label != "for"]
    if chosen.node.difference is not None:
        facts.insert(-1, Fact("Longhorn", ((DIFFERENCE_WORDS[chosen.node.difference], "late"),)))
    width = paper.width
    return [_title(chosen, paper), *fact_lines([state], width), *alive, *fact_lines(facts, width)]


def alive_lines(chosen: Chosen, local_now_ns: int, paper: Paper) -> list[Line]:
    """Whether its holder is alive and how that is known, who that may be, since when it holds."""
    paras = lock_evidence(chosen.inquiry, chosen.node, "alive?")
    # Of a lock that has ended the journal may tell; that it was seen lying there is no holding.
    track = chosen.track if chosen.node.fate is not Fate.IGNORED else None
    held = held_parts(chosen.held, track, local_now_ns)
    return para_lines([*paras, labelled("held", held)] if held else paras, paper.width)


def _title(chosen: Chosen, paper: Paper) -> Line:
    kind = type_label(chosen.node.lock.record)
    which = f"{chosen.node.number} {kind}" if chosen.present else kind
    return section(f"Selected: {which}  {name(chosen.node.lock.stem)}", paper)


def file_lines(chosen: Chosen, now_ns: int, paper: Paper) -> list[Line]:
    """The selected lock's file; `now_ns` is the store's time."""
    lines = [section("Its file", paper, "w wraps the body")]
    lines += fact_lines(_file(chosen.node.lock, chosen.track, now_ns), paper.width)
    return [*lines, *_raw(chosen.node.lock, paper)]


def held_parts(held: HeldSince | None, track: Track | None, local_now_ns: int) -> list[Part]:
    """Since when a lock is held, by the journal or else by what this session has seen; empty for one that
    only asks."""
    if held is not None:
        for_ns = local_now_ns - held.seen_wall_ns
        least = "at least since" if held.lower_bound else "since"
        words = f"{least} {utc_near(held.seen_wall_ns, local_now_ns)} UTC, {span_words(for_ns)}"
        return [(words, "text"), (", says the journal", "dim")]
    if track is None or track.lock.record is None or not track.lock.record.acquired:
        return []
    words = f"at least since {utc_near(track.first_seen_wall, local_now_ns)} UTC"
    return [(words, "text"), (", when it was first seen here", "dim")]


def _file(lock: LockFile, track: Track | None, now_ns: int) -> list[Fact]:
    facts = [
        ("key", printable(lock.key, limit=2000)),
        ("its name", name(lock.record.name) if lock.record and lock.record.name != lock.stem else ""),
        ("etag", f"{name(lock.etag) or '-'}   size {number(lock.size)} B"),
        ("written", _written(lock, now_ns)),
        ("seen", _seen(track)),
        ("flaw", f"{lock.flaw.value}: {name(lock.reason)}" if lock.flaw is not None else ""),
    ]
    return [Fact(label, ((text, "text"),)) for label, text in facts if text]


def _written(lock: LockFile, now_ns: int) -> str:
    if lock.modified_ns is None:
        return ""
    exact = f"{utc_instant(lock.modified_ns)}.{lock.modified_ns % 1_000_000_000:09d} UTC on the store's clock"
    ahead = lock.modified_ns - now_ns
    return f"{exact}, {elapsed(ahead)} ahead" if ahead > 0 else exact


def _seen(track: Track | None) -> str:
    if track is None:
        return ""
    times = plural(track.refreshes, "refresh", "refreshes")
    return f"first at {utc_instant(track.first_seen_wall)} UTC, {times} since"


def _raw(lock: LockFile, paper: Paper) -> list[Line]:
    if not lock.raw:
        return fact_lines([Fact("body", (("not read" if lock.flaw else "empty", "dim"),))], paper.width)
    body = printable(lock.raw, limit=RAW_SHOWN)
    if paper.wrapped:
        return fact_lines([Fact("body", ((body, "text"),))], paper.width)
    return [cut([("  body       ", "dim"), (body, "text")], paper.width, paper.glyphs.ellipsis)]


def about_lines(inquiry: Inquiry, history: Sequence[Event], paper: Paper) -> list[Line]:
    """What else is known of the volume, and what happened on it, the youngest first."""
    lines: list[Line] = []
    found = inquiry.about("")
    if found:
        lines.append(section("What the store tells of the volume", paper))
        lines += para_lines([labelled("volume", finding_parts(one)) for one in found], paper.width)
    told = [event for event in history if not event.routine]
    shown = told[:HISTORY_SHOWN]
    count = f"last {number(len(shown))} of {number(len(told))}" if told else ""
    lines.append(section("History of this volume", paper, count))
    if not told:
        lines.append([("  nothing has happened since this session began, but refreshes", "dim")])
    return [*lines, *(_event(event, paper) for event in shown)]


def _event(event: Event, paper: Paper) -> Line:
    kind = event.kind
    told = f": {name(event.detail)}" if event.detail else ""
    inferred = "  inferred" if event.inferred else ""
    what = "?" if event.type is None else type_label(LockRecord("", event.type, acquired=False))
    parts: Line = [
        (f"  {utc_instant(event.seen_wall_ns)}  ", "dim"),
        (f"{symbol(kind, paper.glyphs)} {kind.value.upper():<16}", _LOUD.get(kind, "text")),
        (f" {what:<8}  ", "text"),
        (f"{name(event.key.rpartition('/')[2].removesuffix('.lck'))}{told}", "text"),
        (inferred, "dim"),
    ]
    return cut(parts, paper.width, paper.glyphs.ellipsis)
