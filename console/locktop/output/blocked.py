"""What is blocked over all volumes, as text and as JSON.

The JSON document of `locktop blocked --json`; fields are added within version 1, never changed or removed:

version     1
target, taken_at, complete, problems   as in `locktop ls --json` (see locktop ls --schema)
store_now   the store's time that everything is judged at
volumes     {found, looked_at, blocked, unknown}: numbers of volumes; those that the words fit are looked at
blocked     by volume: volume, namespace, claim, workload, problem (why it could not be read, or ""), and
            operations: operation, result (blocked, unknown), until (the earliest end if all holders died now;
            null: none is known), blockers, waiting, longhorn (result, blockers), as in `locktop show --json`;
            a blocker has key, lock, state, acquired, operation, and, where it was recorded here, held_since
            (by this machine's clock) and held_at_least (its beginning was not seen), else null; `waiting`
            are keys of locks that ask for the operation and are kept out
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from backuplock.clock import Span
from backuplock.model import Operation, Snapshot, VolumeNames, VolumeView
from backuplock.rules import Verdict
from backuplock.tree import Node, Tree, tree_of
from locktop.format import Glyphs, Line, if_dead, name, number, plural, type_label
from locktop.output.fields import iso, problems, purpose
from locktop.output.paper import Para, blank
from locktop.output.volume_json import verdict_fields
from locktop.output.words import glyph, since_words, until_words
from locktop.rows import is_dead_request

if TYPE_CHECKING:
    from backuplock.journal import HeldSince

VERSION = 1
_SHOWN = 6
"""Blockers of one volume that are told in text."""


@dataclass(frozen=True, slots=True)
class Blockage:
    """A volume where some operation would not be granted now; `verdicts` are those only, as of `now`. `held`
    is since when blockers are held, by key, where that was recorded; `local_now_ns` is this machine's clock
    at the look."""

    view: VolumeView
    tree: Tree
    verdicts: tuple[Verdict, ...]
    now: Span
    held: Mapping[str, HeldSince] = field(default_factory=dict, compare=False)
    local_now_ns: int = 0

    @property
    def sure(self) -> bool:
        """Whether some operation would surely be refused."""
        return any(one.granted is False for one in self.verdicts)

    @property
    def blockers(self) -> list[Node]:
        """The locks in the way, in the order in which the store ranks them."""
        keys = {key for one in self.verdicts for key in one.blockers}
        return [node for node in self.tree.nodes if node.lock.key in keys]

    def waiting(self, operation: Operation) -> list[Node]:
        """Locks that ask for an operation and are kept out; whoever died while asking waits for nothing."""
        return [
            node
            for node in self.tree.nodes
            if node.standing.blocked_by
            and not is_dead_request(node.lock, self.now)
            and node.lock.record is not None
            and node.lock.record.type == operation.lock_type
        ]


def blockages(
    snapshot: Snapshot, operations: Sequence[Operation], words: Iterable[str] = ()
) -> list[Blockage]:
    """Every volume where one of the operations would not be granted, surely refused ones first, then by name.

    `words` must all stand in the volume's id, claim or workload, upper and lower case alike.
    """
    now = snapshot.clock.at(snapshot.began_mono_ns)
    found: list[Blockage] = []
    for view in snapshot.volumes:
        if not (view.locks or view.problem) or not fits(view, words):
            continue
        one = blockage_of(view, now, snapshot.taken_wall_ns, operations)
        if one is not None:
            found.append(one)
    return sorted(found, key=lambda one: (not one.sure, one.view.name))


def blockage_of(
    view: VolumeView, now: Span, local_now_ns: int, operations: Sequence[Operation] = tuple(Operation)
) -> Blockage | None:
    """What is blocked in one volume at the store time `now`; None if nothing is."""
    tree = tree_of(view, now, local_now_ns=local_now_ns)
    verdicts = tuple(one for one in tree.verdicts if one.operation in operations and not one.granted)
    return Blockage(view, tree, verdicts, now) if verdicts else None


def unread(snapshot: Snapshot) -> list[str]:
    """What is missing from the picture, a line each."""
    return [
        f"volume {problem.volume}: {problem.reason}" if problem.volume else problem.reason
        for problem in problems(snapshot)
    ]


def document(snapshot: Snapshot, found: Sequence[Blockage], looked_at: int) -> dict[str, Any]:
    """The document of the table above."""
    sure = sum(one.sure for one in found)
    return {
        "version": VERSION,
        "target": snapshot.target,
        "taken_at": iso(snapshot.taken_wall_ns),
        "store_now": iso(snapshot.clock.at(snapshot.began_mono_ns).middle),
        "complete": not problems(snapshot),
        "problems": [dataclasses.asdict(problem) for problem in problems(snapshot)],
        "volumes": {
            "found": len(snapshot.volumes),
            "looked_at": looked_at,
            "blocked": sure,
            "unknown": len(found) - sure,
        },
        "blocked": [_volume(one) for one in found],
    }


def _volume(one: Blockage) -> dict[str, Any]:
    names = one.view.names or VolumeNames()
    return {
        "volume": one.view.name,
        "namespace": names.namespace,
        "claim": names.claim,
        "workload": names.workload,
        "problem": one.view.problem,
        "operations": [
            {
                **verdict_fields(one.tree, verdict),
                "blockers": [_blocker(one.tree.node(key), one.held.get(key)) for key in verdict.blockers],
                "waiting": [node.lock.key for node in one.waiting(verdict.operation)],
            }
            for verdict in one.verdicts
        ],
    }


def _blocker(node: Node, held: HeldSince | None) -> dict[str, Any]:
    record = node.lock.record
    return {
        "key": node.lock.key,
        "lock": node.lock.stem,
        "state": node.state.value,
        "acquired": record.acquired if record else None,
        "operation": purpose(record),
        "held_since": iso(held.seen_wall_ns) if held is not None else None,
        "held_at_least": held.lower_bound if held is not None else None,
    }


def paras(
    found: Sequence[Blockage],
    glyphs: Glyphs,
    operations: Sequence[Operation] = tuple(Operation),
    looked_at: int | None = None,
) -> list[Para]:
    """A paragraph a volume; `looked_at` volumes (None: not to be told) were asked about `operations`."""
    among = "" if looked_at is None else f"{plural(looked_at, 'volume')} looked at"
    if not found:
        every = len(operations) == len(Operation)
        what = "every operation" if every else " and ".join(one.value for one in operations)
        count = f"; {among}" if among else ""
        return [Para([(f"Nothing is blocked: {what} would be granted", "good"), (count, "text")])]
    result: list[Para] = []
    for one in found:
        names = one.view.names
        called = f" {glyphs.dot} {name(names.claim_path)}" if names and names.claim_path else ""
        result.append(Para([(name(one.view.name) + called, "strong")]))
        result += [*volume_paras(one, glyphs), blank()]
    sure = sum(one.sure for one in found)
    text = f"{plural(sure, 'volume')} with something blocked"
    doubt = f", {number(len(found) - sure)} where it cannot be told" if sure < len(found) else ""
    return [*result, Para([(text + doubt, "strong"), (f", of {among}" if among else "", "text")])]


def volume_paras(one: Blockage, glyphs: Glyphs) -> list[Para]:
    """What is blocked in one volume and by what, without its name."""
    result = [Para(_line(one, verdicts), first=2, hang=4) for verdicts in alike(one.verdicts)]
    if one.view.problem:
        result.append(Para([(f"could not be read: {name(one.view.problem)}", "bad")], first=2, hang=4))
    result += [_blocker_para(one, node, glyphs) for node in one.blockers[:_SHOWN]]
    if len(one.blockers) > _SHOWN:
        result.append(Para([(f"and {number(len(one.blockers) - _SHOWN)} more", "dim")], first=4))
    return result


def alike(verdicts: Iterable[Verdict]) -> list[list[Verdict]]:
    """Operations with the same answer are told together: backup and restore share a lock type."""
    groups: dict[tuple[bool | None, tuple[str, ...]], list[Verdict]] = {}
    for one in verdicts:
        groups.setdefault((one.granted, one.blockers), []).append(one)
    return list(groups.values())


def _line(one: Blockage, verdicts: list[Verdict]) -> Line:
    what = " and ".join(verdict.operation.value for verdict in verdicts)
    first = verdicts[0]
    parts: Line = [(f"{what} ", "text")]
    parts.append(("cannot be told", "unsure") if first.granted is None else ("blocked", "late"))
    if first.until_ns is not None:
        held = any(_acquired(one.tree.node(key)) for key in first.blockers)
        end = until_words(first.until_ns, one.tree.now)
        # A release may come at any time; only the end of a lease can be reckoned.
        died = f" until released; at {end} {if_dead(len(first.blockers))}"
        until = f" until {end} at the latest"
        words = died if held else until if first.granted is False else f" before {end}"
        parts.append((words, "text"))
    waiting = {node.lock.key for verdict in verdicts for node in one.waiting(verdict.operation)}
    if waiting:
        parts.append((f"; {plural(len(waiting), 'request waits', 'requests wait')}", "waiting"))
    theirs = one.tree.longhorn(first.operation).granted
    if theirs is None and first.granted is not None:
        parts.append(("; what Longhorn itself would do is unknown", "unsure"))
    elif theirs is not first.granted:
        parts.append((f"; Longhorn itself would {'grant' if theirs else 'refuse'} it", "late"))
    return parts


def _acquired(node: Node) -> bool:
    return node.lock.record is not None and node.lock.record.acquired


def _blocker_para(one: Blockage, node: Node, glyphs: Glyphs) -> Para:
    record = node.lock.record
    parts: Line = [glyph(node, glyphs), (f"{node.state.value:<8}", node.state.value)]
    parts.append((f"{type_label(record):<9}{name(node.lock.stem)}", "text"))
    held = one.held.get(node.lock.key)
    if held is not None:
        parts.append((f"  held {since_words(held, one.local_now_ns)}", "dim"))
    return Para(parts, first=4, hang=8)


def fits(view: VolumeView, words: Iterable[str]) -> bool:
    """Whether all words stand in the volume's id or in a name people know it by, in any case."""
    names = view.names or VolumeNames()
    hay = "\n".join((view.name, names.claim_path, names.workload, names.backing_image)).casefold()
    return all(word.casefold() in hay for word in words)
