"""Which rows are shown, in which order, and what a board makes of a snapshot."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from backuplock import layout
from backuplock.clock import SECOND, StoreClock
from backuplock.model import Flaw, LockFile, LockRecord, Owner, Snapshot, VolumeNames, VolumeView
from backuplock.rules import State
from locktop.columns import EXTRA, MARGIN
from locktop.filters import Filter, arrange, held_still
from locktop.rows import SORTS, Board, Row, board_of, state_now, ttl_ns
from locktop.widths import PRIORITY, fit_columns

NOW = 1_767_323_045 * SECOND
MONO = 5_000 * SECOND


def lock(volume: str, name: str, age_s: float, type_: int = 1, *, acquired: bool = True) -> LockFile:
    record = LockRecord(name, type_, acquired)
    modified = NOW - round(age_s * SECOND)
    return LockFile(layout.lock_key(volume, name), volume, modified, "e", 61, record)


def snapshot(*views: VolumeView, error_s: float = 0, at_s: float = 0) -> Snapshot:
    error = round(error_s * SECOND)
    mono = MONO + round(at_s * SECOND)
    clock = StoreClock(NOW - MONO - error, NOW - MONO + error, mono, "test")
    ordered = tuple(sorted(views, key=lambda view: view.name))
    by_key = {lock.key: lock for view in ordered for lock in view.locks}
    return Snapshot("m", ordered, clock, mono, mono, NOW, by_key=by_key)


def board(*views: VolumeView, **how: float) -> Board:
    return board_of(snapshot(*views, **how))


def _everything() -> Board:
    bad = replace(lock("pvc-f", "lock-f", 3), record=None, flaw=Flaw.UNDECODABLE, reason="no")
    return board(
        VolumeView("pvc-a", (lock("pvc-a", "lock-a", 20),)),
        VolumeView("pvc-b", (lock("pvc-b", "lock-b", 100),)),
        VolumeView("pvc-c", (lock("pvc-c", "lock-c", 400),)),
        VolumeView("pvc-d", (lock("pvc-d", "lock-d1", 200), lock("pvc-d", "lock-d2", 3, 2, acquired=False))),
        VolumeView("pvc-e", (lock("pvc-e", "lock-e1", 50, 2), lock("pvc-e", "lock-e2", 5, acquired=False))),
        VolumeView("pvc-f", (bad,)),
        VolumeView("pvc-g", problem="403 Forbidden"),
        VolumeView("pvc-h", (lock("pvc-h", "lock-h1", 5, 1), lock("pvc-h", "lock-h2", 6, 2))),
        VolumeView("pvc-i"),
        VolumeView("pvc-j", (lock("pvc-j", "lock-j", 60),)),
    )


def _names(rows: list[Row]) -> list[str]:
    return [row.name or row.volume.name for row in rows]


def test_what_needs_a_person_comes_first() -> None:
    found = _everything()
    assert _names(arrange(found.rows, "attention")) == [
        # Exclusion failed.
        "lock-h2",
        "lock-h1",
        # Dead: first the one that stands beside a live one.
        "lock-d1",
        "lock-c",
        "lock-b",
        # Not readable.
        "pvc-g",
        "lock-f",
        "lock-e2",
        "lock-d2",
        # Well: first the one that is waited for, then the one that ends first.
        "lock-e1",
        "lock-j",
        "lock-a",
    ]


def test_a_board_counts_by_state() -> None:
    found = _everything()
    assert found.counts == {
        State.HELD: 5,
        State.LATE: 1,
        State.STALE: 2,
        State.WAITING: 2,
        State.BAD: 2,
    }
    assert found.locked == 8
    assert not found.owners
    owned = replace(lock("v", "lock-o", 1), record=LockRecord("lock-o", 1, True, Owner(host="h")))
    assert board(VolumeView("v", (owned,))).owners


def test_doubt_comes_before_what_is_well() -> None:
    found = board(
        VolumeView("pvc-a", (lock("pvc-a", "lock-a", 20),)),
        VolumeView("pvc-b", (lock("pvc-b", "lock-b", 149),)),
        error_s=5,
    )
    rows = arrange(found.rows, "attention")
    assert [(row.name, row.state) for row in rows] == [("lock-b", State.UNSURE), ("lock-a", State.HELD)]


@pytest.mark.parametrize("order", sorted(SORTS))
def test_every_order_is_total_and_reverses(order: str) -> None:
    found = _everything()
    rows = arrange(found.rows, order)
    mixed = list(found.rows)
    random.Random(1).shuffle(mixed)
    assert arrange(mixed, order) == rows
    assert arrange(found.rows, order, reverse=True) == rows[::-1]


def test_an_order_that_is_held_keeps_what_is_there_and_appends_what_is_new() -> None:
    before = _everything()
    shown = [row.key for row in arrange(before.rows, "volume")]
    after = board(
        VolumeView("pvc-a", (lock("pvc-a", "lock-a", 500),)),
        VolumeView("pvc-c", (lock("pvc-c", "lock-c", 1), lock("pvc-c", "lock-new", 500))),
        VolumeView("pvc-z", (lock("pvc-z", "lock-z", 1),)),
    )
    rows = held_still(shown, after, "attention")
    assert _names(rows) == ["lock-a", "lock-c", "lock-new", "lock-z"]
    assert all(row is after.by_key[row.key] for row in rows)


def test_rows_of_volumes_that_stay_the_same_are_the_same_objects() -> None:
    views = [VolumeView(f"pvc-{n}", (lock(f"pvc-{n}", f"lock-{n}", n * 20),)) for n in range(10)]
    first = board_of(snapshot(*views))
    again = board_of(snapshot(*views, at_s=2), first)
    assert all(old is new for old, new in zip(first.rows, again.rows, strict=True))
    changed = [views[0], VolumeView("pvc-1", (lock("pvc-1", "lock-1", 0),)), *views[2:]]
    third = board_of(snapshot(*changed, at_s=2), again)
    assert [old is new for old, new in zip(again.rows, third.rows, strict=True)] == [True, False, *[True] * 8]


@pytest.mark.parametrize("passed", [0, 4, 5.5, 10, 44, 46, 86, 91, 130, 151, 400])
def test_a_board_made_from_another_equals_one_made_afresh(passed: float) -> None:
    views = _everything().snapshot.volumes
    first = board_of(snapshot(*views, error_s=2))
    later = snapshot(*views, error_s=2, at_s=passed)
    assert board_of(later, first).rows == board_of(later).rows


def test_what_was_alive_when_it_was_read_is_in_doubt_afterwards_not_dead() -> None:
    found = board(VolumeView("pvc-a", (lock("pvc-a", "lock-a", 140), lock("pvc-a", "lock-b", 200))))
    alive, dead = found.rows
    later = found.snapshot.clock.at(MONO + 60 * SECOND)
    assert (alive.state, dead.state) == (State.LATE, State.STALE)
    assert state_now(alive, found.now) is State.LATE
    assert state_now(alive, later) is State.UNSURE
    assert state_now(dead, later) is State.STALE
    left = ttl_ns(alive.lock, later)
    assert left is not None
    assert abs(left + 50 * SECOND) < SECOND


def test_a_lock_without_a_known_content_has_no_end() -> None:
    unread = replace(lock("pvc-a", "lock-a", 3), record=None, flaw=Flaw.UNREADABLE)
    assert ttl_ns(unread, board().now) is None
    assert ttl_ns(None, board().now) is None


def test_filters_search_names_people_know_and_need_all_words() -> None:
    names = VolumeNames("shop", "postgres-data", "postgres")
    found = board(
        VolumeView("pvc-a", (lock("pvc-a", "lock-a", 20),), names=names),
        VolumeView("pvc-b", (lock("pvc-b", "lock-b", 400, 2),), names=names, ghost=True),
    )
    seek = Filter()
    for text, expected in {
        "": 2,
        "SHOP": 2,
        "shop/postgres-data": 2,
        "postgres stale": 1,
        "pvc-a delete": 0,
        "ghost": 1,
        "shop pvc-b": 1,
        "bkup": 1,
        "backup": 1,
        # Not across two fields.
        "postgres pvc": 2,
        "datapostgres": 0,
    }.items():
        seek.text = text
        assert len(seek.apply(found.rows, found.now)) == expected, text


def test_filters_keep_the_order_and_see_changes() -> None:
    seek = Filter()
    seek.text = "held"
    first = board(VolumeView("pvc-a", (lock("pvc-a", "lock-a", 20),)))
    assert len(seek.apply(first.rows, first.now)) == 1
    second = board(VolumeView("pvc-a", (lock("pvc-a", "lock-a", 400),)))
    assert seek.apply(second.rows, second.now) == []
    rows = arrange(_everything().rows, "attention")
    assert seek.apply(rows, _everything().now) == [row for row in rows if row.state is State.HELD]


@pytest.mark.parametrize("context", [frozenset(), frozenset({"context"})])
@pytest.mark.parametrize("hidden", [frozenset(), frozenset({"owner"}), frozenset({"owner", "claim"})])
def test_columns_fit_every_width(hidden: frozenset[str], context: frozenset[str]) -> None:
    hidden |= context
    for width in range(58, 290):
        for longest in (6, 40, 253):
            _fits(width, longest, hidden)


def _fits(width: int, longest: int, hidden: frozenset[str]) -> None:
    found = fit_columns(width, {"volume": longest, "claim": 25}, hidden)
    ids = [column.id for column, _ in found]
    # Which context a row is of matters more than what it blocks.
    fourth = "blocks" if "context" in hidden else "context"
    assert {"volume", "ttl", "type", fourth} <= set(ids)
    assert not hidden & set(ids)
    assert MARGIN + sum(size for _, size in found) + 2 * (len(found) - 1) <= width
    sizes = {column.id: size for column, size in found}
    assert min(10, longest) <= sizes["volume"] <= max(6, min(longest, 64))


@pytest.mark.parametrize("hidden", [EXTRA, frozenset()])
def test_wider_screens_show_no_column_less(hidden: frozenset[str]) -> None:
    before: set[str] = set()
    for width in range(58, 290):
        ids = {column.id for column, _ in fit_columns(width, {"volume": 40, "claim": 25}, hidden)}
        assert before <= ids, width
        before = ids
    assert before == set(PRIORITY) - hidden
