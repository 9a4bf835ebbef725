"""The locks of one volume, one a line, in the order in which the store ranks them.

Pure: a node of the tree and the time in, text and tones out.
"""

from __future__ import annotations

from dataclasses import dataclass

from rich.cells import cell_len

from backuplock.clock import Span
from backuplock.rules import LONGHORN, State
from backuplock.text import elapsed
from backuplock.tree import Difference, Fate, Node, Tree
from locktop.format import Glyphs, Line, countdown, fit, name, owner_label, type_label
from locktop.output.volume_text import fate_words
from locktop.rows import UNCERTAIN_NS, Row, state_now, ttl_ns

BAR = 8
"""Cells of the drawing of a lease."""
_NAME_LEAST, _NAME_MOST = 13, 26
_OWNER_MOST = 22
_MEASURED = 200
"""Locks whose names are measured; among more, longer ones are cut."""

_SEEN_OTHERWISE = {
    Difference.UNDECODABLE: "Longhorn ignores it",
    Difference.UNREAD: "Longhorn may ignore it",
    Difference.ENDED_HERE: "Longhorn ignores it",
    Difference.COUNTS_HERE: "Longhorn still counts it",
}
_FATE_TONES = {
    Fate.IGNORED: "dim",
    Fate.HOLDS: "text",
    Fate.FAILS: "waiting",
    Fate.PASSES: "text",
    Fate.CLASHES: "alert",
    Fate.COUNTS: "bad",
    Fate.UNKNOWN: "unsure",
}


@dataclass(frozen=True, slots=True)
class Widths:
    """Cells of the columns; 0 leaves a column out. `verdict` is what is left at the end of the line."""

    number: int
    lock: int
    bar: int
    owner: int
    age: int
    verdict: int


def widths_of(tree: Tree, width: int) -> Widths:
    """The columns that `width` cells have room for: the verdict goes first, then names, age, bar, owner."""
    nodes = tree.nodes[:_MEASURED]
    digits = max(2, len(str(len(tree.nodes))))
    verdict = max((cell_len(_verdict(node, tree)) for node in nodes), default=0)
    natural = max((cell_len(name(node.lock.stem)) for node in nodes), default=0)
    # Cursor, number, glyph, type, state and ttl stand in every line.
    kept = max(14, min(verdict, 44))
    left = width - (digits + 4 + 10 + 9 + 9) - kept
    lock = min(natural, _NAME_MOST, max(_NAME_LEAST, left - 2))
    left -= lock + 2
    owner = max((cell_len(owner_label(node.lock)) for node in nodes), default=0)
    owner = min(owner, _OWNER_MOST) if owner > 1 else 0
    room = {}
    for column, wanted in (("age", 6), ("bar", BAR), ("owner", owner)):
        fits = wanted and left >= wanted + 2
        room[column] = wanted if fits else 0
        left -= wanted + 2 if fits else 0
    return Widths(digits, lock, room["bar"], room["owner"], room["age"], kept + left)


def heading(widths: Widths) -> Line:
    """The line above the locks."""
    cells = [
        f" {'#':>{widths.number}}    ",
        fit("LOCK", widths.lock),
        f"  {'TYPE':<8}  {'STATE':<7}  {'TTL':>7}",
        "  " + " " * widths.bar if widths.bar else "",
        f"  {'AGE':>{widths.age}}" if widths.age else "",
        f"  {'OWNER':<{widths.owner}}" if widths.owner else "",
        "  VERDICT",
    ]
    return [("".join(cells), "dim")]


def line(node: Node, row: Row | None, tree: Tree, now: Span, widths: Widths, glyphs: Glyphs) -> Line:
    """One lock as of `now`. `row` is the one of the board; without it the state of the Snapshot stands."""
    state = state_now(row, now) if row is not None else node.state
    left, modified = ttl_ns(node.lock, now), node.lock.modified_ns
    mark = "~" if now.error_ns > UNCERTAIN_NS else ""
    quiet = state is State.HELD
    parts: Line = [
        *_beginning(f"{node.number}", node, glyphs.states[state], state.value, widths, glyphs),
        (f"{state.value.upper():<7}  ", "text" if quiet else state.value),
        (f"{'?' if left is None else mark + countdown(left):>7}", "text" if quiet else state.value),
    ]
    if widths.bar:
        parts += [("  ", "text"), *_bar(left, state, glyphs)]
    if widths.age:
        parts.append(
            (f"  {elapsed(now.middle - modified) if modified is not None else '?':>{widths.age}}", "dim")
        )
    if widths.owner:
        owner = fit(owner_label(node.lock), widths.owner, ellipsis=glyphs.ellipsis)
        parts.append((f"  {owner}", "dim"))
    return [*parts, ("  ", "text"), (_verdict(node, tree, widths.verdict), _FATE_TONES[node.fate])]


def gone_line(node: Node, words: str, widths: Widths, glyphs: Glyphs) -> Line:
    """A lock that is no longer there."""
    return [
        *_beginning("-", node, " ", "dim", widths, glyphs),
        (f"{'GONE':<7}  ", "strong"),
        (" " * 7 + "  ", "text"),
        (words, "text"),
    ]


def _beginning(number: str, node: Node, symbol: str, tone: str, widths: Widths, glyphs: Glyphs) -> Line:
    stem = fit(name(node.lock.stem), widths.lock, ellipsis=glyphs.ellipsis, middle=True)
    return [
        (f"{number:>{widths.number}} ", "strong"),
        (f"{symbol} ", tone),
        (f" {stem}  ", "text"),
        (f"{type_label(node.lock.record):<8.8}  ", "text"),
    ]


def _bar(left: int | None, state: State, glyphs: Glyphs) -> Line:
    """What is left of the lease, full right after a refresh."""
    if left is None:
        return [(" " * BAR, "text")]
    full = min(BAR, max(0, -(-left * BAR // LONGHORN.duration_ns)))
    return [(glyphs.full * full, state.value), (glyphs.empty * (BAR - full), "faint")]


def _verdict(node: Node, tree: Tree, room: int = 1 << 30) -> str:
    words = fate_words(node, tree)
    before = ""
    if node.difference is not None:
        # What Longhorn does is what a person came for; it must not be what a narrow screen cuts off.
        before = f"{_SEEN_OTHERWISE[node.difference]}; "
    for _ in range(2 * (node.fate is Fate.FAILS)):
        if cell_len(before + words) <= room:
            break
        # The numbers are what a person looks for.
        words = words.partition("blocked ")[2] if words.startswith("blocked ") else words.partition(": ")[2]
    return before + words
