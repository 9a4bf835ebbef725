"""The tree agrees with Longhorn's recorded decisions, and names rule, end and difference of each edge."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import pytest

from backuplock import layout
from backuplock.clock import SECOND, Span
from backuplock.model import Flaw, LockFile, LockRecord, Operation, VolumeView
from backuplock.tree import Difference, Fate, Rule, Tree, tree_of
from backuplock.wire import encode

NOW = 1_767_322_800 * SECOND
A, B, C = "lock-000000000000000a", "lock-000000000000000b", "lock-000000000000000c"
VECTORS = Path(__file__).parent.parent / "vectors" / "decisions.jsonl"


def lock(
    name: str = A, type_: int = 1, *, acquired: bool = True, age: float = 5, flaw: Flaw | None = None
) -> LockFile:
    record = None if flaw else LockRecord(name, type_, acquired)
    raw = encode(record) if record else b"?"
    return LockFile(
        layout.lock_key("v", name), "v", NOW - round(age * SECOND), "x", len(raw), record, flaw, "odd", raw
    )


def tree(*locks: LockFile, error: float = 0, local: float = 0, problem: str = "") -> Tree:
    bar = round(error * SECOND)
    view = VolumeView("v", tuple(locks), problem=problem)
    return tree_of(view, Span(NOW - bar, NOW + bar), local_now_ns=NOW + round(local * SECOND))


def fates(found: Tree) -> dict[str, Fate]:
    return {node.lock.stem: node.fate for node in found.nodes}


def recorded() -> list[dict[str, Any]]:
    cases = [json.loads(line) for line in VECTORS.read_text().splitlines()]
    # Files of one name cannot lie in one folder.
    return [case for case in cases if len({one["name"] for one in _all(case)}) == len(_all(case))]


def _all(case: dict[str, Any]) -> list[dict[str, Any]]:
    return [case["self"], *case["others"]]


def test_every_recorded_decision_of_longhorn() -> None:
    asked = refused = 0
    for case in recorded():
        mine = case["self"]
        locks = [
            lock(one["name"], one["type"], acquired=one["acquired"], age=one["age_seconds"])
            for one in _all(case)
        ]
        found = tree(*locks)
        node = found.node(locks[0].key)
        edges = [edge for edge in found.blocked_by(locks[0].key) if edge.longhorn]
        if mine["acquired"] or mine["age_seconds"] > 150:
            continue
        asked += 1
        refused += not case["can_acquire"]
        assert (not edges) is case["can_acquire"], case
        assert node.fate is (Fate.PASSES if case["can_acquire"] else Fate.FAILS), case
    assert asked > 500
    assert refused > 100


def test_each_edge_is_what_the_rules_say_of_the_pair() -> None:
    """Two locks at a time, all combinations: who blocks whom, by which rule."""
    kinds = list(itertools.product((1, 2), (True, False), (5.0, 40.0, 200.0)))
    for one, other in itertools.product(kinds, kinds):
        first, second = (lock(n, t, acquired=a, age=g) for n, (t, a, g) in ((A, one), (B, other)))
        found = tree(first, second)
        alive = one[2] < 150 and other[2] < 150
        edges = {(edge.blocker, edge.blocked): edge.rule for edge in found.edges}
        if not alive or one[0] == other[0]:
            assert edges == {}
        elif one[1] and other[1]:
            assert set(edges.values()) == {Rule.CLASH}
            assert len(edges) == 1
        elif one[1] != other[1]:
            winner, loser = (first, second) if one[1] else (second, first)
            assert edges == {(winner.key, loser.key): Rule.ACQUIRED}
        elif one[2] != other[2]:
            winner, loser = (first, second) if one[2] > other[2] else (second, first)
            assert edges == {(winner.key, loser.key): Rule.TIME}
        else:
            assert edges == {(first.key, second.key): Rule.NAME}


def test_an_edge_ends_when_the_blockers_lease_does() -> None:
    found = tree(lock(A, 1, age=20), lock(B, 2, acquired=False, age=3))
    (edge,) = found.edges
    assert edge.ends_ns == NOW + 130 * SECOND
    assert edge.sure
    assert edge.longhorn
    assert [node.number for node in found.nodes] == [1, 2]
    assert fates(found) == {A: Fate.HOLDS, B: Fate.FAILS}


def test_numbers_follow_the_stores_order_and_unreadable_come_last() -> None:
    found = tree(
        lock("lock-odd", flaw=Flaw.UNDECODABLE),
        lock(A, 2, acquired=False, age=3),
        lock(B, 1, age=9),
        lock(C, 1, age=30),
    )
    assert [node.lock.stem for node in found.nodes] == [C, B, A, "lock-odd"]


@pytest.mark.parametrize(
    ("made", "local", "difference", "granted"),
    [
        (lock(flaw=Flaw.UNDECODABLE), 0, Difference.UNDECODABLE, True),
        (lock(flaw=Flaw.UNDECODABLE, age=400), 0, None, True),
        (lock(flaw=Flaw.UNREADABLE), 0, Difference.UNREAD, None),
        (lock(flaw=Flaw.TOO_LARGE), 0, Difference.UNREAD, None),
        (lock(flaw=Flaw.TOO_LARGE, age=400), 0, None, True),
        (lock(flaw=Flaw.IRREGULAR), 0, Difference.UNREAD, None),
        (lock(flaw=Flaw.IRREGULAR, age=400), 0, Difference.UNREAD, None),
        (lock(age=100), 100, Difference.ENDED_HERE, True),
        (lock(age=200), -100, Difference.COUNTS_HERE, False),
        (lock(age=20), 1, None, False),
    ],
    ids=[
        "undecodable",
        "undecodable-old",
        "unreadable",
        "large",
        "large-old",
        "link",
        "link-old",
        "local-ahead",
        "local-behind",
        "same",
    ],
)
def test_where_longhorn_differs(
    made: LockFile, local: float, difference: Difference | None, granted: bool | None
) -> None:
    found = tree(made, local=local)
    assert found.nodes[0].difference is difference
    assert found.longhorn(Operation.DELETE).granted is granted


@pytest.mark.parametrize(
    ("flaw", "longhorn"), [(Flaw.UNDECODABLE, False), (Flaw.TOO_LARGE, None), (Flaw.IRREGULAR, None)]
)
def test_whether_longhorn_sees_an_edge_may_be_unknown(flaw: Flaw, longhorn: bool | None) -> None:
    found = tree(lock(A, flaw=flaw), lock(B, 2, acquired=False, age=3))
    (edge,) = found.edges
    assert (edge.rule, edge.longhorn) == (Rule.UNREAD, longhorn)


def test_nor_does_longhorn_find_a_volume_free_that_could_not_be_listed() -> None:
    assert [one.granted for one in tree(problem="denied").longhorns] == [None, None, None]


def test_of_a_crowd_few_edges_are_told_and_the_rest_counted() -> None:
    """Whoever fills a folder, each file of a type of its own, makes nobody draw all pairs."""
    waiting = [lock(f"lock-{n:016x}", n, acquired=False, age=100 - n / 100) for n in range(3000)]
    holding = [lock(f"lock-h{n:015x}", -n - 1, age=5) for n in range(1000)]
    found = tree(*waiting, *holding)
    pairs = 3000 * 2999 // 2 + 3000 * 1000 + 1000 * 999 // 2
    assert len(found.edges) <= 20_000
    assert len(found.edges) + found.untold == pairs
    assert {node.fate for node in found.nodes} == {Fate.CLASHES, Fate.FAILS}
    assert all(edge.longhorn for edge in found.edges)


def test_what_is_told_of_a_lock_does_not_depend_on_who_is_named() -> None:
    """The first in the order are in doubt, a later one surely counts: the lock will be refused."""
    doubtful = [lock(f"lock-{n:016x}", 2, acquired=True, age=149) for n in range(300)]
    sure = lock("lock-sure", 2, age=1)
    mine = lock("lock-mine", 1, acquired=False, age=3)
    found = tree(*doubtful, sure, mine, error=5)
    assert sure.key not in found.node(mine.key).standing.blocked_by
    assert found.node(mine.key).fate is Fate.FAILS


def test_an_error_bar_over_the_limit_is_unknown() -> None:
    found = tree(lock(A, 1, age=149), lock(B, 2, acquired=False, age=3), error=5)
    assert fates(found) == {A: Fate.UNKNOWN, B: Fate.UNKNOWN}
    assert found.verdict(Operation.DELETE).granted is None
    assert not found.edges[0].sure


def test_what_could_not_be_read_is_never_free() -> None:
    assert [one.granted for one in tree(problem="denied").verdicts] == [None, None, None]
    assert [one.granted for one in tree().verdicts] == [True, True, True]
    found = tree(lock(flaw=Flaw.UNREADABLE, age=4000))
    assert [one.granted for one in found.verdicts] == [None, None, None]
    assert fates(found) == {A: Fate.COUNTS}


def test_two_that_exclude_each_other_hold() -> None:
    found = tree(lock(A, 1, age=9), lock(B, 2, age=4))
    assert fates(found) == {A: Fate.CLASHES, B: Fate.CLASHES}
    (edge,) = found.edges
    assert (edge.rule, edge.blocker) == (Rule.CLASH, lock(A).key)
