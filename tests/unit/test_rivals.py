"""Who is in whose way: the same as when every pair is compared, and affordable in a crowd."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from backuplock.rivals import MOST_NAMED, Entrant, Rivalry, named_each, rivalries

ENTRANTS = st.lists(
    st.builds(
        Entrant,
        key=st.text("abcdefghij", min_size=1, max_size=3),
        type=st.sampled_from([0, 1, 2, 3]),
        rank=st.none() | st.tuples(st.booleans(), st.integers(0, 3), st.sampled_from("xyz")),
        sure=st.booleans(),
    ),
    max_size=12,
    unique_by=lambda one: one.key,
)


def all_pairs(entrants: list[Entrant], mine: Entrant) -> tuple[set[str], set[str], set[str], bool]:
    """The same by the plain rules: whom it blocks, who blocks it (and surely so), who clashes with it."""
    blocks, blocked_by, clashes, surely = set(), set(), set(), False
    for other in entrants:
        if other.key == mine.key:
            continue
        if before(mine, other):
            blocks.add(other.key)
        if before(other, mine):
            blocked_by.add(other.key)
            surely = surely or other.sure
        if mine.acquired and other.acquired and mine.type != other.type:
            clashes.add(other.key)
    return blocks, blocked_by, clashes, surely


def before(one: Entrant, waiting: Entrant) -> bool:
    if waiting.rank is None or waiting.acquired:
        return False
    return one.rank is None or (one.type != waiting.type and one.rank < waiting.rank)


@given(ENTRANTS)
def test_the_same_as_comparing_all_pairs(entrants: list[Entrant]) -> None:
    found = rivalries(entrants)
    assert set(found) == {one.key for one in entrants}
    for one in entrants:
        blocks, blocked_by, clashes, surely = all_pairs(entrants, one)
        rivalry = found[one.key]
        for named, wanted in (
            (rivalry.blocks, blocks),
            (rivalry.blocked_by, blocked_by),
            (rivalry.clashes, clashes),
        ):
            assert (set(named.keys), len(named.keys), named.more) == (wanted, len(wanted), 0)
        assert rivalry.surely is (surely and not one.acquired and one.rank is not None)


def crowd(count: int, types: int, *, waiting: bool = True) -> list[Entrant]:
    return [Entrant(f"{n:05}", n % types, (waiting or n % 3 > 0, n, "")) for n in range(count)]


def test_a_few_locks_are_all_named() -> None:
    found = rivalries(crowd(MOST_NAMED, 2))
    assert all(one.blocks.more == one.blocked_by.more == 0 for one in found.values())


def test_of_a_crowd_the_first_are_named_and_the_rest_counted() -> None:
    found = rivalries(crowd(4000, 2))
    most = named_each(4000)
    last = found["03999"]
    assert last.blocked_by.keys == tuple(f"{n:05}" for n in range(0, 2 * most, 2))
    assert last.blocked_by.count == 2000
    assert found["00000"].blocks.count == 2000
    assert sum(len(one.blocked_by.keys) for one in found.values()) <= 20_000


def test_a_crowd_of_as_many_types_as_locks_takes_steps_by_the_lock_and_not_by_the_pair() -> None:
    """Counted, not timed: how often two ranks are compared, or a rank is looked at."""
    looked = 0

    class Rank(tuple[bool, int, str]):
        __slots__ = ()

        def __lt__(self, other: object) -> bool:
            nonlocal looked
            looked += 1
            return tuple.__lt__(self, other)  # type: ignore[operator]

    def steps(count: int) -> int:
        nonlocal looked
        looked = 0
        rivalries([Entrant(f"{n:05}", n, Rank((n % 3 > 0, n, ""))) for n in range(count)])
        return looked

    assert steps(8000) < 3 * steps(4000)


def test_long_runs_of_one_type_are_passed_at_once() -> None:
    run = [Entrant(f"{n:05}", 1, (True, n, "")) for n in range(50_000)]
    found = rivalries([*run, Entrant("last", 2, (True, 99_999, ""))])
    assert found["last"].blocked_by.count == 50_000
    assert found["00000"].blocks.keys == ("last",)
    assert found["00000"].blocked_by == Rivalry().blocked_by
