"""Decisions agree with Longhorn's on every recorded case; ours fail closed where Longhorn is lenient."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backuplock.clock import SECOND, Span
from backuplock.model import Flaw, LockFile, LockRecord, Operation
from backuplock.rivals import named_each
from backuplock.rules import (
    LONGHORN,
    Contender,
    State,
    can_acquire,
    expired,
    judge,
    judge_as_longhorn,
    state,
    verdict,
    verdict_of_longhorn,
)

NOW = 1_767_322_800 * SECOND
AT = Span(NOW, NOW)
VECTORS = Path(__file__).parent.parent / "vectors" / "decisions.jsonl"
ALL = frozenset(Operation)


def lock(
    name: str, type_: int = 1, *, acquired: bool = True, age: float = 5.0, flaw: Flaw | None = None
) -> LockFile:
    return LockFile(
        key=f"backupstore/volumes/97/d4/v/locks/{name}.lck",
        volume="v",
        modified_ns=NOW - round(age * SECOND),
        etag=name,
        size=61,
        record=None if flaw else LockRecord(name, type_, acquired),
        flaw=flaw,
    )


def contender(case: dict[str, object]) -> Contender:
    age = round(float(str(case["age_seconds"])) * SECOND)
    return Contender(str(case["name"]), int(str(case["type"])), bool(case["acquired"]), NOW - age)


def test_every_recorded_decision() -> None:
    cases = [json.loads(line) for line in VECTORS.read_text("utf-8").splitlines()]
    assert len(cases) == 1000
    for number, case in enumerate(cases):
        others = [contender(other) for other in case["others"]]
        assert can_acquire(contender(case["self"]), others, NOW) == case["can_acquire"], f"line {number + 1}"


def test_judging_as_longhorn_agrees_with_every_recorded_decision() -> None:
    """A waiting lock of the vectors is blocked, in the picture drawn for people, iff Longhorn refused it."""
    checked = 0
    for line in VECTORS.read_text("utf-8").splitlines():
        case = json.loads(line)
        files = [
            LockFile(
                key=f"{number}.lck",
                volume="v",
                modified_ns=contender(one).modified_ns,
                etag="",
                size=1,
                record=LockRecord(one["name"], one["type"], one["acquired"]),
            )
            for number, one in enumerate([case["self"], *case["others"]])
        ]
        mine = judge_as_longhorn(files, NOW)["0.lck"]
        if case["self"]["acquired"] or mine.expired:
            continue
        checked += 1
        assert (not mine.blocked_by) == case["can_acquire"]
    assert checked > 300


def test_expiry_is_unknown_where_the_error_bar_spans_it() -> None:
    written = NOW - 150 * SECOND
    assert expired(written, Span(NOW, NOW)) is False
    assert expired(written, Span(NOW + 1, NOW + 1)) is True
    assert expired(written, Span(NOW - SECOND, NOW + SECOND)) is None


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        (lock("ab", age=0), State.HELD),
        (lock("ab", age=-3600), State.HELD),
        (lock("ab", age=65), State.HELD),
        (lock("ab", age=66), State.LATE),
        (lock("ab", age=151), State.STALE),
        (lock("ab", age=3, acquired=False), State.WAITING),
        (lock("ab", age=151, acquired=False), State.STALE),
        (lock("ab", type_=0), State.BAD),
        (lock("ab", type_=7), State.BAD),
        (lock("ab", flaw=Flaw.UNDECODABLE, age=9999), State.BAD),
        (lock("ab", flaw=Flaw.UNREADABLE), State.BAD),
    ],
)
def test_states(file: LockFile, expected: State) -> None:
    assert state(file, AT) is expected


def test_unsure_when_the_clock_is() -> None:
    assert state(lock("ab", age=100), Span(NOW - 900 * SECOND, NOW + 900 * SECOND)) is State.UNSURE
    assert state(lock("ab", age=3 * 86400), Span(NOW - 900 * SECOND, NOW + 900 * SECOND)) is State.STALE


def test_a_held_lock_stops_the_other_kind_and_whoever_waits_for_it() -> None:
    held, waiting = lock("aa"), lock("bb", 2, acquired=False, age=1)
    seen = judge([waiting, held], AT)
    assert seen[held.key].place == 1
    assert seen[held.key].stops == {Operation.DELETE}
    assert seen[held.key].blocks == (waiting.key,)
    assert seen[waiting.key].blocked_by == (held.key,)
    assert seen[waiting.key].stops == {Operation.BACKUP, Operation.RESTORE}
    assert seen[held.key].ends_ns == NOW - 5 * SECOND + LONGHORN.duration_ns


@pytest.mark.parametrize("type_", [0, 7, -1])
def test_an_unknown_type_stops_everything(type_: int) -> None:
    file = lock("aa", type_)
    assert judge([file], AT)[file.key].stops == ALL
    assert judge_as_longhorn([file], NOW)[file.key].stops == ALL


def test_an_undecodable_file_stops_us_until_its_lease_would_end_and_longhorn_never() -> None:
    fresh, old = lock("aa", flaw=Flaw.UNDECODABLE, age=10), lock("bb", flaw=Flaw.UNDECODABLE, age=200)
    ours, theirs = judge([fresh, old], AT), judge_as_longhorn([fresh, old], NOW)
    assert ours[fresh.key].stops == ALL
    assert ours[fresh.key].ends_ns == NOW + 140 * SECOND
    assert ours[old.key].stops == frozenset()
    assert theirs[fresh.key].stops == frozenset()
    assert verdict([fresh], Operation.BACKUP, AT).granted is False
    assert verdict_of_longhorn([fresh], Operation.BACKUP, store_now_ns=NOW, local_now_ns=NOW).granted


def test_an_unreadable_file_stops_us_without_a_known_end() -> None:
    file = lock("aa", flaw=Flaw.UNREADABLE, age=99999)
    standing = judge([file], AT)[file.key]
    assert (standing.stops, standing.ends_ns, standing.expired) == (ALL, None, None)
    answer = verdict([file], Operation.DELETE, AT)
    assert (answer.granted, answer.until_ns) == (None, None)


@pytest.mark.parametrize("flaw", [Flaw.TOO_LARGE, Flaw.IRREGULAR, Flaw.UNREADABLE])
def test_what_longhorn_makes_of_a_file_we_do_not_read_is_unknown(flaw: Flaw) -> None:
    """It has no cap, follows links, and may be let in where we are not."""
    file = lock("aa", flaw=flaw, age=10)
    theirs = judge_as_longhorn([file], NOW)[file.key]
    assert (theirs.stops, theirs.may_stop) == (frozenset(), ALL)
    found = verdict_of_longhorn([file], Operation.BACKUP, store_now_ns=NOW, local_now_ns=NOW)
    assert (found.granted, found.blockers, found.doubtful) == (None, (file.key,), (file.key,))
    assert judge([file], AT)[file.key].may_stop == frozenset()


def test_a_sure_blocker_beside_one_in_doubt_is_a_refusal() -> None:
    held, large = lock("aa", 2), lock("bb", flaw=Flaw.TOO_LARGE)
    found = verdict_of_longhorn([held, large], Operation.BACKUP, store_now_ns=NOW, local_now_ns=NOW)
    assert (found.granted, found.doubtful) == (False, (large.key,))
    assert set(found.blockers) == {held.key, large.key}
    assert found.until_ns == NOW + 145 * SECOND


def test_a_large_file_has_a_time_of_its_own_and_a_link_has_not() -> None:
    """Longhorn would find the large file expired, whatever it says; a link leads to another file."""
    large, link = lock("aa", flaw=Flaw.TOO_LARGE, age=200), lock("bb", flaw=Flaw.IRREGULAR, age=200)
    theirs = judge_as_longhorn([large, link], NOW)
    assert (theirs[large.key].expired, theirs[large.key].may_stop) == (True, frozenset())
    assert (theirs[link.key].expired, theirs[link.key].may_stop) == (None, ALL)


def test_our_doubts_are_told_apart_from_what_surely_counts() -> None:
    doubt = Span(NOW - 40 * SECOND, NOW + 40 * SECOND)
    sure, unsure = lock("aa", 2, age=20), lock("bb", 2, age=140)
    found = verdict([sure, unsure], Operation.BACKUP, doubt)
    assert (found.granted, found.doubtful) == (False, (unsure.key,))


def test_two_types_active_at_once_are_a_clash() -> None:
    one, other = lock("aa", 1), lock("bb", 2)
    seen = judge([one, other], AT)
    assert seen[one.key].clashes == (other.key,)
    assert seen[other.key].clashes == (one.key,)


def test_a_reader_far_ahead_sees_no_lock() -> None:
    file = lock("aa", age=10)
    ahead = NOW + 200 * SECOND
    assert verdict_of_longhorn([file], Operation.DELETE, store_now_ns=NOW, local_now_ns=ahead).granted
    assert verdict([file], Operation.DELETE, AT).granted is False


def test_verdicts_name_the_last_end() -> None:
    first, second = lock("aa", age=100), lock("bb", age=20)
    answer = verdict([first, second], Operation.DELETE, AT)
    assert answer.granted is False
    assert set(answer.blockers) == {first.key, second.key}
    assert answer.until_ns == NOW + 130 * SECOND
    assert verdict([first, second], Operation.RESTORE, AT).granted is True


def test_doubt_alone_is_no_refusal() -> None:
    doubt = Span(NOW - 900 * SECOND, NOW + 900 * SECOND)
    assert verdict([lock("aa", 2, age=100)], Operation.BACKUP, doubt).granted is None


def test_thousands_of_files_in_one_folder_stay_affordable() -> None:
    files = [lock(f"w{number:05}", 2, acquired=False, age=1) for number in range(5000)]
    files += [lock(f"h{number:05}", 1) for number in range(5000)]
    seen = judge(files, AT)
    assert max(len(standing.blocked_by) for standing in seen.values()) == named_each(10_000)
    assert seen[files[0].key].rivals.blocked_by.count == 5000
    assert seen[files[-1].key].rivals.blocks.count == 5000


LOCKS = st.lists(
    st.builds(
        lock,
        st.sampled_from([f"lock-{number}" for number in range(20)]),
        st.sampled_from([0, 1, 2, 3]),
        acquired=st.booleans(),
        age=st.sampled_from([-10.0, 0.0, 5.0, 5.0, 70.0, 149.0, 200.0]),
    ),
    max_size=6,
    unique_by=lambda file: file.key,
)


@given(LOCKS, st.sampled_from(list(Operation)))
def test_ours_never_grants_what_longhorn_refuses(files: list[LockFile], operation: Operation) -> None:
    """With the same clock we are at least as strict."""
    theirs = verdict_of_longhorn(files, operation, store_now_ns=NOW, local_now_ns=NOW)
    ours = verdict(files, operation, AT)
    if not theirs.granted:
        assert ours.granted is False
        assert set(theirs.blockers) <= set(ours.blockers)


@given(LOCKS)
def test_blocking_is_mutual_and_orders(files: list[LockFile]) -> None:
    seen = judge(files, AT)
    for standing in seen.values():
        for other in standing.blocks:
            assert standing.key in seen[other].blocked_by
            assert (standing.place or 0) < (seen[other].place or 0)
        for other in standing.clashes:
            assert standing.key in seen[other].clashes
    assert sorted(standing.place or 0 for standing in seen.values()) == list(range(1, len(files) + 1))
