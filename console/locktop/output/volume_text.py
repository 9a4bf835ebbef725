"""One volume in text: the priority list, who blocks whom, what would happen now, what else is known."""

from __future__ import annotations

from rich.cells import cell_len

from backuplock.findings import Topic
from backuplock.inquiry import Inquiry
from backuplock.rules import LONGHORN
from backuplock.text import elapsed, printable
from backuplock.tree import Fate, Node, Rule, Tree
from locktop.format import (
    Glyphs,
    Line,
    countdown,
    name,
    owner_label,
    plural,
    short_seconds,
    signed_seconds,
    type_label,
)
from locktop.output.fields import iso
from locktop.output.paper import Para, blank, labelled, terminal_width, title
from locktop.output.words import (
    DIFFERENCE_WORDS,
    FATE_WORDS,
    alive_parts,
    by_numbers,
    edge_parts,
    finding_parts,
    glyph,
    span_words,
    verdict_parts,
)
from locktop.rows import UNCERTAIN_NS

LABEL_OPERATION = 8

MOST_LISTED = 200
"""Locks that are listed of one volume; whoever fills a folder with more gets a count."""


def volume_paras(inquiry: Inquiry, glyphs: Glyphs, *, verbose: bool = False) -> list[Para]:
    """Everything about a volume, the verdicts last but one, evidence last; with `verbose` the raw records."""
    tree = inquiry.tree
    paras = [*heading(inquiry, glyphs), blank(), *_list(inquiry, glyphs)]
    blocking = tree_paras(tree, glyphs)
    if blocking:
        paras += [blank(), title("Who blocks whom"), *blocking]
    paras += [blank(), title("If an operation started now"), *verdict_paras(tree)]
    paras += [blank(), title("What the store tells"), *evidence(inquiry)]
    if verbose:
        paras += [blank(), title("Raw records"), *_raw(tree)]
    return paras


def heading(inquiry: Inquiry, glyphs: Glyphs) -> list[Para]:
    """Which volume, in which store, at which time."""
    view, snapshot = inquiry.view, inquiry.snapshot
    called = f" {glyphs.dot} {name(view.names.claim_path)}" if view.names and view.names.claim_path else ""
    skew, error = snapshot.clock.skew(wall_ns=snapshot.taken_wall_ns, mono_ns=snapshot.ended_mono_ns)
    off = "agrees with" if abs(skew) < UNCERTAIN_NS else f"is {signed_seconds(skew)} off"
    clock = f"{off} this machine's {glyphs.plus_minus} {short_seconds(error)}"
    paras = [
        Para([(name(view.name) + called, "strong")]),
        labelled("store", [(f"{printable(snapshot.target)}, whose clock {clock}", "dim")]),
    ]
    return [*paras, *caveats(inquiry)]


def caveats(inquiry: Inquiry) -> list[Para]:
    """What is odd about a volume as a whole, or about the clocks."""
    view, snapshot = inquiry.view, inquiry.snapshot
    _, error = snapshot.clock.skew(wall_ns=snapshot.taken_wall_ns, mono_ns=snapshot.ended_mono_ns)
    paras: list[Para] = []
    if view.problem:
        paras.append(labelled("unread", [(name(view.problem), "bad")]))
    if view.ghost:
        words = 'the folder holds only locks/: a ghost volume ("cannot find volume.cfg")'
        paras.append(labelled("ghost", [(words, "late")]))
    if view.leftovers:
        words = f"{plural(len(view.leftovers), 'leftover file')} in locks/ that are no locks, harmless"
        paras.append(labelled("leftovers", [(words, "dim")]))
    if error > UNCERTAIN_NS:
        words = f"how old a lock is can be told to {span_words(error)} only"
        paras.append(labelled("doubt", [(words, "unsure")]))
    return paras


def _list(inquiry: Inquiry, glyphs: Glyphs) -> list[Para]:
    nodes = inquiry.tree.nodes
    if not nodes:
        return [
            title("No locks: every operation would be granted" if not inquiry.view.problem else "No picture")
        ]
    heads, rows, widths = _table(inquiry, glyphs)
    paras = [
        title("Locks, in the order in which the store ranks them (acquired, then time, then name)"),
        Para([(_row(heads, widths), "dim")], first=2, wrap=False),
    ]
    for node, cells in zip(nodes, rows, strict=False):
        parts: Line = [(_row(cells[:1], widths[:1]) + "  ", "text"), glyph(node, glyphs)]
        parts.append((" " + _row(cells[2:], widths[2:]), "text"))
        paras.append(Para(parts, first=2, wrap=False))
        if node.difference is not None:
            paras.append(Para([(DIFFERENCE_WORDS[node.difference], "late")], first=7, hang=7))
    if len(nodes) > MOST_LISTED:
        paras.append(Para([(f"and {len(nodes) - MOST_LISTED:,} more", "dim")], first=2))
    return paras


def _table(inquiry: Inquiry, glyphs: Glyphs) -> tuple[list[str], list[list[str]], list[int]]:
    """Heads, rows and widths; AGE and OWNER are left out where they have no room: they are told below."""
    heads = ["#", "", "LOCK", "TYPE", "STATE", "TTL", "AGE", "OWNER", "VERDICT"]
    rows = [_cells(node, inquiry, glyphs) for node in inquiry.tree.nodes[:MOST_LISTED]]
    room = terminal_width()
    for victim in ("OWNER", "AGE", None):
        widths = [max(cell_len(row[at]) for row in [heads, *rows]) for at in range(len(heads))]
        if victim is None or room is None or sum(widths) + 2 * len(widths) <= room:
            break
        gone = heads.index(victim)
        heads, rows = _without(heads, gone), [_without(row, gone) for row in rows]
    return heads, rows, widths


def _without(cells: list[str], at: int) -> list[str]:
    return cells[:at] + cells[at + 1 :]


def _cells(node: Node, inquiry: Inquiry, glyphs: Glyphs) -> list[str]:
    lock = node.lock
    modified = lock.modified_ns
    ttl = "?" if modified is None else countdown(modified + LONGHORN.duration_ns - inquiry.now.middle)
    return [
        str(node.number),
        glyphs.states[node.state],
        name(lock.stem),
        type_label(lock.record),
        node.state.value.upper(),
        ttl,
        "?" if modified is None else elapsed(inquiry.now.middle - modified),
        owner_label(lock),
        fate_words(node, inquiry.tree),
    ]


def fate_words(node: Node, tree: Tree) -> str:
    """What a lock comes to, with the numbers of those in its way."""
    words = FATE_WORDS[node.fate]
    if node.fate is Fate.FAILS:
        rivals = node.standing.rivals.blocked_by
        return f"{words}: blocked by {by_numbers(tree, rivals.keys, rivals.more)}"
    if node.lock.flaw is not None and node.fate is not Fate.IGNORED:
        return f"{words} ({node.lock.flaw.value})"
    return words


def _row(cells: list[str], widths: list[int]) -> str:
    padded = (cell + " " * (width - cell_len(cell)) for cell, width in zip(cells, widths, strict=True))
    return "  ".join(padded).rstrip()


def tree_paras(tree: Tree, glyphs: Glyphs) -> list[Para]:
    """Each lock that is in somebody's way, and under it those whom it blocks."""
    branch = "`- " if glyphs.ellipsis == ".." else "└─ "
    paras: list[Para] = []
    for node in tree.nodes:
        if len(paras) > MOST_LISTED:
            break
        edges = tree.blocking(node.lock.key)
        if edges:
            paras.append(Para(_tree_line(node), first=2))
        for edge in edges[:MOST_LISTED]:
            blocked = tree.node(edge.blocked)
            parts: Line = [(branch, "faint"), *_tree_line(blocked), ("  ", "text"), *edge_parts(tree, edge)]
            paras.append(Para(parts, first=2, hang=8))
    paras += [
        Para(
            [*_tree_line(node), ("  has ended: blocks nobody, listed until its file is removed", "dim")],
            first=2,
            hang=8,
        )
        for node in tree.nodes[:MOST_LISTED]
        if node.fate is Fate.IGNORED and not tree.blocking(node.lock.key)
    ]
    if tree.untold:
        paras.append(Para([(f"and {tree.untold:,} more pairs that are in each other's way", "dim")], first=2))
    if any(edge.rule is Rule.CLASH for edge in tree.edges):
        paras.insert(0, Para([("EXCLUSION HAS FAILED: stop one of the two now", "alert")], first=2))
    return paras


def _tree_line(node: Node) -> Line:
    kind = f"{type_label(node.lock.record)}  {name(node.lock.stem)}"
    return [(f"{node.number} ", "strong"), (kind, "text")]


def verdict_paras(tree: Tree) -> list[Para]:
    """What each operation would meet now."""
    return [
        labelled(found.operation.value, verdict_parts(tree, found), width=LABEL_OPERATION)
        for found in tree.verdicts
    ]


def evidence(inquiry: Inquiry) -> list[Para]:
    """Names, holders, operations, signs of life; each with how sure it is."""
    paras = [labelled("volume", finding_parts(found)) for found in inquiry.about("")]
    for node in inquiry.tree.nodes[:MOST_LISTED]:
        paras.extend(lock_evidence(inquiry, node, f"lock {node.number}"))
    return paras


def lock_evidence(inquiry: Inquiry, node: Node, label: str) -> list[Para]:
    """Signs of life of one lock, then what is known of its holder."""
    paras = [labelled(label, alive_parts(inquiry, node))]
    found = inquiry.about(node.lock.key)
    paras += [labelled("", finding_parts(one)) for one in found]
    told = {one.topic for one in found}
    if node.fate is not Fate.IGNORED and not told & {Topic.OWNER, Topic.ORIGIN}:
        paras.append(
            labelled("", [("unknown: ", "dim"), ("who holds it: Longhorn's locks name nobody", "text")])
        )
    return paras


def _raw(tree: Tree) -> list[Para]:
    paras: list[Para] = []
    for node in tree.nodes[:MOST_LISTED]:
        lock = node.lock
        label = f"{node.number}"
        modified = iso(lock.modified_ns) or "at an unknown time"
        paras.append(labelled(label, [(name(lock.key), "text")], width=3))
        about = f"etag {name(lock.etag) or '-'}   size {lock.size:,} B   written {modified}"
        paras.append(labelled("", [(about, "dim")], width=3))
        raw = printable(lock.raw, limit=600) if lock.raw else f"({name(lock.reason) or 'nothing was read'})"
        paras.append(labelled("", [(raw, "text")], width=3))
    return paras
