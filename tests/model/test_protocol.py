"""Corners of the state machine that a search over abstract worlds does not spell out."""

from __future__ import annotations

import pytest

from backuplock.clock import SECOND
from backuplock.model import Flaw, LockFile, LockRecord
from backuplock.protocol import (
    Action,
    Backoff,
    Claim,
    Event,
    Failed,
    Look,
    LossReason,
    Outcome,
    Own,
    Phase,
    Proof,
    ReleaseAsked,
    Remove,
    Removed,
    Rest,
    Result,
    Saw,
    Seen,
    Sleep,
    Stop,
    Terms,
    Woke,
    Write,
    Wrote,
    advance,
    certificate,
    needs_own,
    next_attempt,
    remaining,
    seen,
    start,
)
from backuplock.rules import Contender

STORE = 1_000_000
"""The store's clock at local time 0, in seconds."""


def at(seconds: float) -> int:
    return round(seconds * SECOND)


def stored(seconds: float) -> int:
    return at(STORE + seconds)


class Drive:
    """A claim, fed by hand; times in seconds. The store tells times as a file system does."""

    def __init__(self, **terms: object) -> None:
        base: dict[str, object] = {"eager": True, "closing_look": False}
        self.claim: Claim
        self.action: Action
        self.claim, self.action = start(
            Terms(**(base | terms)),  # type: ignore[arg-type]
            key="k",
            name="m",
            lock_type=1,
        )

    def feed(self, event: Event) -> Action:
        self.claim, self.action = advance(self.claim, event)
        return self.action

    def wrote(self, began: float, ended: float | None = None, *, time: bool = True) -> Action:
        end = began if ended is None else ended
        serial = self.claim.serial
        return self.feed(Wrote(at(began), at(end), stored(end) if time else None, f"e{serial}"))

    def saw(self, when: float, *others: Seen, own: Own | None = None) -> Action:
        mine = own or Own(self.claim.etag)
        return self.feed(Saw(at(when), at(when), mine, others))

    def held(self) -> Drive:
        self.wrote(0)
        self.saw(0)
        self.wrote(0)
        self.saw(0)
        assert self.claim.phase is Phase.HELD
        return self

    def renewing(self, when: float) -> Drive:
        self.feed(Woke(at(when)))
        self.saw(when)
        assert self.claim.phase is Phase.RENEWING
        return self

    def outcome(self) -> Outcome:
        assert isinstance(self.action, Stop)
        return self.action.outcome


def other(acquired: bool, when: float, lock_type: int = 2, name: str = "z") -> Seen:
    return Seen(name, Contender(name, lock_type, acquired, stored(when)), None, stored(when))


def test_a_late_answer_does_not_revive_a_lost_lease() -> None:
    drive = Drive().held().renewing(89)
    assert isinstance(drive.wrote(89.5, 90.5), Rest)
    assert drive.claim.loss is not None
    assert drive.claim.loss.reason is LossReason.EXPIRED
    assert remaining(drive.claim, at(90.5)) == 0


def test_an_answer_that_comes_after_the_clock_was_told_is_remembered_not_obeyed() -> None:
    drive = Drive().held().renewing(80)
    drive.feed(Woke(at(91)))
    assert drive.claim.phase is Phase.LOST
    assert isinstance(drive.feed(Failed(at(80), at(95), "no answer")), Rest)
    drive.feed(ReleaseAsked(at(96)))
    drive.feed(Removed(at(97)))
    assert drive.outcome().result is Result.LOST
    assert drive.outcome().may_return
    assert drive.outcome().left_until == at(95 + 150)


def test_remaining_counts_from_the_start_of_the_write() -> None:
    drive = Drive()
    drive.wrote(0)
    drive.saw(0)
    drive.wrote(3, 8)
    drive.saw(9)
    assert remaining(drive.claim, at(10)) == at(3 + 90 - 10)
    assert remaining(drive.claim, at(93)) == 0
    assert isinstance(drive.action, Sleep)
    assert drive.action.until == at(3 + 20)


def test_a_write_is_not_sent_after_its_time() -> None:
    drive = Drive().held().renewing(89)
    assert isinstance(drive.action, Write)
    assert drive.action.before == at(90)
    drive.feed(Woke(at(90)))
    assert drive.claim.phase is Phase.LOST


def test_failed_renewals_are_tried_again_soon_and_ever_later() -> None:
    drive = Drive().held()
    pauses: list[float] = []
    now = 20.0
    while isinstance(drive.feed(Woke(at(now))), Look):
        action = drive.feed(Failed(at(now), at(now), "list"))
        assert isinstance(action, Sleep)
        pauses.append((action.until - at(now)) / SECOND)
        now = action.until / SECOND
    assert pauses == [2, 4, 8, 16, 20, 20]
    assert drive.claim.loss is not None
    assert now == 90


def test_an_unanswered_renewal_is_recognised_by_its_number() -> None:
    drive = Drive(conditional=True).held().renewing(20)
    drive.feed(Failed(at(20), at(25), "no answer"))
    drive.feed(Woke(at(27)))
    assert needs_own(drive.claim, "e2", ())
    action = drive.saw(27, own=Own("e2", stored(21), 2))
    assert isinstance(action, Write)
    assert (action.serial, action.if_match) == (3, "e2")
    drive.wrote(27)
    assert certificate(drive.claim).proof is Proof.PROVEN


def test_a_refused_condition_is_settled_by_a_look() -> None:
    """A client that repeats a put by itself finds its own first try in the way."""
    drive = Drive(conditional=True).held().renewing(20)
    drive.feed(Failed(at(20), at(21), "412", ambiguous=False, conflict=True))
    assert drive.claim.loss is None
    drive.feed(Woke(at(23)))
    assert isinstance(drive.saw(23, own=Own("e2", stored(20), 2)), Write)


@pytest.mark.parametrize(
    ("own", "reason", "proof"),
    [
        (None, LossReason.REMOVED, Proof.NOT_PROVEN),
        (Own("strange", stored(19), None), LossReason.REMOVED, Proof.NOT_PROVEN),
        (Own("strange", stored(19), 7), LossReason.REMOVED, Proof.NOT_PROVEN),
    ],
)
def test_a_record_that_is_not_ours_any_more_ends_the_lease(
    own: Own | None, reason: LossReason, proof: Proof
) -> None:
    drive = Drive().held()
    drive.feed(Woke(at(20)))
    drive.feed(Saw(at(20), at(20), own))
    assert drive.claim.loss is not None
    assert drive.claim.loss.reason is reason
    assert certificate(drive.claim).proof is proof


def test_an_older_version_of_ours_is_a_stale_read_not_a_loss() -> None:
    drive = Drive().held().renewing(20)
    drive.wrote(20)
    drive.feed(Woke(at(40)))
    drive.saw(40, own=Own("e1", stored(0), 1))
    assert drive.claim.phase is Phase.HELD
    assert drive.claim.loss is None


def test_a_rival_beside_a_held_lock_is_a_conflict_and_violates_the_certificate() -> None:
    drive = Drive().held()
    drive.feed(Woke(at(20)))
    drive.saw(20, other(True, 5))
    assert drive.claim.loss is not None
    assert drive.claim.loss.reason is LossReason.CONFLICT
    assert drive.claim.loss.by[0].key == "z"
    assert isinstance(drive.feed(ReleaseAsked(at(21))), Remove)
    drive.feed(Removed(at(21)))
    found = drive.outcome().certificate
    assert found is not None
    assert found.proof is Proof.VIOLATED


def test_the_stores_own_times_betray_a_pause_that_our_clock_did_not_see() -> None:
    by_stamp = Drive().held().renewing(20)
    by_stamp.feed(Wrote(at(20), at(20), stored(110), "e2"))
    by_look = Drive()
    by_look.feed(Wrote(0, 0, None, "e0", store_now=stored(0)))
    by_look.saw(0)
    by_look.feed(Wrote(0, 0, None, "e1", store_now=stored(0)))
    by_look.saw(0)
    by_look.feed(Woke(at(20)))
    by_look.feed(Saw(at(20), at(20), Own("e1"), (), store_now=stored(95)))
    for drive in (by_stamp, by_look):
        assert drive.claim.loss is not None
        assert drive.claim.loss.reason is LossReason.EXPIRED


def test_one_unreadable_file_ends_an_attempt_and_only_doubts_a_lease() -> None:
    unreadable = Seen("x", None, Flaw.UNREADABLE)
    drive = Drive()
    drive.wrote(0)
    drive.saw(0, unreadable)
    drive.feed(Removed(0))
    assert drive.outcome().result is Result.FAILED
    assert "x" in drive.outcome().detail
    held = Drive().held()
    held.feed(Woke(at(20)))
    assert isinstance(held.saw(20, unreadable), Write)
    assert certificate(held.claim).proof is Proof.NOT_PROVEN


@pytest.mark.parametrize("flaw", [Flaw.UNDECODABLE, Flaw.TOO_LARGE, Flaw.IRREGULAR])
def test_a_file_without_a_record_counts_until_its_lease_would_end(flaw: Flaw) -> None:
    for age, refused in ((149, True), (151, False)):
        drive = Drive(eager=False)
        drive.wrote(0)
        drive.feed(Woke(at(2)))
        drive.saw(2, Seen("x", None, flaw, stored(2 - age)))
        assert (drive.claim.phase is Phase.LEAVING) is refused
    undated = Drive(eager=False)
    undated.wrote(0)
    undated.feed(Woke(at(2)))
    undated.saw(2, Seen("x", None, flaw, None))
    assert undated.claim.phase is Phase.LEAVING


@pytest.mark.parametrize("lock_type", [0, 2, 7])
def test_every_other_type_refuses(lock_type: int) -> None:
    drive = Drive(eager=False)
    drive.wrote(0)
    drive.feed(Woke(at(2)))
    drive.saw(2, other(True, -30, lock_type))
    drive.feed(Removed(at(2)))
    (blocker,) = drive.outcome().blockers
    assert (blocker.type, blocker.ends) == (lock_type, stored(120))
    # A lower bound: clocks may drift, so a little less than what passed.
    assert blocker.age is not None
    assert at(31.9) < blocker.age <= at(32)


def test_a_step_of_the_wall_clock_ages_nobody_but_ourselves() -> None:
    drive = Drive(eager=False)
    drive.wrote(0)
    drive.feed(Woke(at(62)))
    live = other(True, -95)
    drive.feed(Saw(at(62), at(62), Own("e0"), (live,), lead=at(60)))
    drive.feed(Removed(at(62)))
    assert drive.outcome().result is Result.REFUSED


def test_nobody_is_judged_without_a_measure() -> None:
    drive = Drive(eager=False)
    drive.wrote(0, time=False)
    drive.feed(Woke(at(2)))
    rival = other(True, -300)
    assert needs_own(drive.claim, "e0", (rival,))
    assert not needs_own(drive.claim, "e0", (other(True, -300, lock_type=1),))
    drive.saw(2, rival)
    drive.feed(Removed(at(2)))
    assert drive.outcome().result is Result.FAILED


def test_an_expired_rival_is_watched_before_it_is_overridden() -> None:
    for refreshed in (False, True):
        drive = Drive(eager=False, watch=at(65))
        drive.wrote(0)
        drive.feed(Woke(at(2)))
        action = drive.saw(2, other(True, -170))
        assert action == Sleep(at(67))
        drive.feed(Woke(at(67)))
        drive.saw(67, other(True, 30 if refreshed else -170))
        assert drive.claim.phase is (Phase.LEAVING if refreshed else Phase.CLAIMING)


def test_a_pending_rival_must_be_missing_twice() -> None:
    drive = Drive(eager=False)
    drive.wrote(0)
    drive.feed(Woke(at(2)))
    drive.saw(2, other(False, 1))
    drive.wrote(2)
    assert isinstance(drive.saw(2.1, other(False, 1)), Sleep)
    for when, phase in ((4, Phase.POLLING), (6, Phase.HELD)):
        drive.feed(Woke(at(when)))
        drive.saw(when)
        assert drive.claim.phase is phase


def test_a_pending_rival_that_stays_makes_us_withdraw_in_time() -> None:
    drive = Drive(eager=False)
    drive.wrote(0)
    drive.feed(Woke(at(2)))
    drive.saw(2, other(False, 1))
    drive.wrote(2)
    now = 2.0
    while isinstance(drive.saw(now, other(False, 1)), Sleep):
        now += 1
        drive.feed(Woke(at(now)))
    drive.feed(Removed(at(now)))
    assert drive.outcome().result is Result.REFUSED
    assert now < 2 + 90


def test_nothing_is_removed_where_nothing_was_written() -> None:
    drive = Drive()
    drive.feed(Failed(0, 0, "denied", ambiguous=False, final=True))
    assert drive.outcome() == Outcome(Result.FAILED, detail="denied", final=True)
    unsure = Drive()
    assert isinstance(unsure.feed(Failed(0, 0, "no answer")), Remove)


def test_removal_is_tried_again_then_told() -> None:
    drive = Drive().held()
    assert isinstance(drive.feed(ReleaseAsked(at(1))), Remove)
    pauses = []
    for _ in range(3):
        action = drive.feed(Failed(at(1), at(1), "delete"))
        assert isinstance(action, Sleep)
        pauses.append((action.until - at(1)) / SECOND)
        assert drive.feed(ReleaseAsked(at(1))) == action
        drive.feed(Woke(action.until))
    drive.feed(Failed(at(1), at(1), "delete"))
    assert pauses == [2, 4, 8]
    assert drive.outcome().left
    assert drive.outcome().left_until == at(150)
    denied = Drive().held()
    denied.feed(ReleaseAsked(at(1)))
    denied.feed(Failed(at(1), at(1), "denied", ambiguous=False, final=True))
    assert denied.outcome().left


@pytest.mark.parametrize("phase", ["filing", "queueing", "claiming", "settling"])
def test_whoever_waits_may_leave(phase: str) -> None:
    drive = Drive(eager=False)
    if phase != "filing":
        drive.wrote(0)
    if phase in ("claiming", "settling"):
        drive.feed(Woke(at(2)))
        drive.saw(2)
    if phase == "settling":
        drive.wrote(2)
    assert drive.claim.phase == phase
    action = drive.feed(ReleaseAsked(at(2)))
    if phase != "filing":
        assert isinstance(action, Remove)
        drive.feed(Removed(at(2)))
    assert drive.outcome().result is Result.WITHDRAWN
    assert drive.outcome().certificate is None


def test_the_last_look_completes_the_certificate() -> None:
    verdicts = {}
    answers: dict[str, Event] = {
        "clean": Saw(at(5), at(5), Own("e1")),
        "gone": Saw(at(5), at(5), None),
        "rival": Saw(at(5), at(5), Own("e1"), (other(True, 3),)),
        "failed": Failed(at(5), at(5), "list"),
    }
    for name, event in answers.items():
        drive = Drive(closing_look=True).held()
        assert isinstance(drive.feed(ReleaseAsked(at(5))), Look)
        assert isinstance(drive.feed(event), Remove)
        drive.feed(Removed(at(6)))
        found = drive.outcome().certificate
        assert found is not None
        verdicts[name] = found.proof
    assert verdicts == {
        "clean": Proof.PROVEN,
        "gone": Proof.NOT_PROVEN,
        "rival": Proof.VIOLATED,
        "failed": Proof.NOT_PROVEN,
    }


def test_a_caveat_of_the_store_is_on_every_certificate() -> None:
    drive = Drive(caveat="listings may lag").held()
    assert certificate(drive.claim).reason == "listings may lag"


@pytest.mark.parametrize("event", [Saw(0, 0, None), Removed(0)])
def test_an_answer_to_another_question_is_a_mistake(event: Event) -> None:
    with pytest.raises(ValueError, match="filing"):
        Drive().feed(event)


def test_what_is_over_stays_over() -> None:
    drive = Drive()
    drive.feed(Failed(0, 0, "denied", ambiguous=False))
    ended = drive.claim
    drive.feed(Woke(at(1)))
    assert drive.claim is ended


@pytest.mark.parametrize(
    "wrong",
    [{"margin": at(150)}, {"renew": at(90)}, {"watch": at(88)}, {"removals": 0}, {"poll": 0}],
)
def test_terms_that_cannot_work_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="must be"):
        Terms(**wrong)  # type: ignore[arg-type]


def test_waiting_backs_off_with_jitter_and_ends_at_the_deadline() -> None:
    refused = Outcome(Result.REFUSED)

    def pause(now: float, tries: int, jitter: float) -> float | None:
        again = next_attempt(
            Terms(),
            refused,
            at=at(now),
            deadline=at(60),
            tries=tries,
            jitter=jitter,
            backoff=Backoff(at(1), at(10)),
        )
        return None if again is None else again / SECOND - now

    assert [pause(0, tries, 0.0) for tries in (1, 2, 3, 4, 5, 50)] == [1, 2, 4, 8, 10, 10]
    assert pause(0, 5, 0.999) == pytest.approx(5, abs=0.1)
    assert pause(55, 5, 0.0) == 3
    assert pause(58, 5, 0.0) is None
    final = Outcome(Result.FAILED, final=True)
    assert next_attempt(Terms(), final, at=0, deadline=at(60), tries=1, jitter=0.0) is None


def test_lock_files_are_seen_as_they_are() -> None:
    record = LockRecord("n", 2, True)
    assert seen(LockFile("k", "v", 5, "e", 1, record)).record == Contender("n", 2, True, 5)
    assert seen(LockFile("k", "v", None, "e", 1, record)).flaw is Flaw.UNREADABLE
    assert seen(LockFile("k", "v", 5, "e", 1, None, Flaw.UNDECODABLE)).modified == 5
