"""A complaint and the present picture -> what there is to say: is the way free, who is in it, what helps.

Pure: the ground of `locktop explain`, for text and JSON alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from backuplock.explain import Complaint, ComplaintKind
from backuplock.inquiry import Inquiry
from backuplock.model import Operation
from backuplock.tree import Difference, Node
from locktop.advice import Act, Habit, acts, habits

Outcome = Literal["free", "blocked", "unknown", "missing"]


@dataclass(frozen=True, slots=True)
class Blocker:
    """A lock in the way, and what each act would do about it."""

    node: Node
    acts: tuple[Act, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """What became of one complaint.

    Attributes:
        inquiry: the present picture; None without a target, or if there is no such volume (`problem`).
        operations: those that the complaint is about, all three if it does not say.
        outcome: whether Longhorn's operation would be granted now; `free` also where only files are in our
            own way that Longhorn cannot decode.
        blockers: in the order in which the store ranks them; one that only Longhorn counts, too.
        ignored: locks in the way of our own clients only, for Longhorn cannot decode them.
        habits: what Longhorn does by itself after such a refusal; empty if nothing was refused.
        own_is_there: the file that the message names still lies there.
    """

    complaint: Complaint
    inquiry: Inquiry | None
    operations: tuple[Operation, ...]
    outcome: Outcome
    blockers: tuple[Blocker, ...] = ()
    ignored: tuple[Node, ...] = ()
    habits: tuple[Habit, ...] = ()
    own_is_there: bool = False
    problem: str = ""


def report(complaint: Complaint, inquiry: Inquiry | None, problem: str = "") -> Report:
    """Put together what there is to say about a complaint; `problem` says why there is no picture."""
    operations = tuple(one for one in Operation if one in (complaint.operations or frozenset(Operation)))
    refused = complaint.kind in (ComplaintKind.REFUSED, ComplaintKind.MENTIONED)
    after = habits(complaint.operations, complaint.wording) if refused else ()
    if inquiry is None:
        outcome: Outcome = "missing" if problem else "unknown"
        return Report(complaint, None, operations, outcome, habits=after, problem=problem)
    tree = inquiry.tree
    ours = {key for one in operations for key in tree.verdict(one).blockers}
    theirs = {key for one in operations for key in tree.longhorn(one).blockers}
    doubtful = {key for one in operations for key in tree.longhorn(one).doubtful}
    only_ours = ours - theirs
    ignored = tuple(
        node
        for node in tree.nodes
        if node.lock.key in only_ours and node.difference is Difference.UNDECODABLE
    )
    passed_over = {node.lock.key for node in ignored}
    counting = (ours | theirs) - passed_over
    in_the_way = [node for node in tree.nodes if node.lock.key in counting]
    return Report(
        complaint,
        inquiry,
        operations,
        _outcome(inquiry, in_the_way, ours & theirs - doubtful),
        blockers=tuple(
            Blocker(node, acts(node, inquiry.lives[node.lock.key], inquiry.now)) for node in in_the_way
        ),
        ignored=ignored,
        habits=after,
        own_is_there=any(node.lock.stem == complaint.lock for node in tree.nodes),
    )


def _outcome(inquiry: Inquiry, in_the_way: list[Node], agreed: set[str]) -> Outcome:
    if any(node.lock.key in agreed and node.standing.expired is False for node in in_the_way):
        return "blocked"
    # What only one of the two counts depends on clocks or permissions that are not Longhorn's.
    return "unknown" if in_the_way or inquiry.view.problem else "free"
