"""Seeded runs of both kinds of clients: nothing goes wrong that ours could prevent, and seeds replay.

The long run is `PYTHONPATH=core:tests python -m simulation.run --seeds 0..1000000 --jobs 2`.
"""

from __future__ import annotations

import random

import pytest

from backuplock.protocol import Proof, Result, Terms
from backuplock.rules import LONGHORN
from model.mutants import mutant
from simulation.clients import Client, Original, OurClient, Plan
from simulation.costs import cost
from simulation.engine import SECOND, Engine, LocalClock
from simulation.observer import Observer
from simulation.run import main, play, seed_range
from simulation.scenario import run_seed
from simulation.store import Habits, Store

SEEDS = 2_000


def test_seeds_show_no_violation_that_ours_could_prevent() -> None:
    summary = play(range(SEEDS))
    assert summary.seeds == SEEDS
    assert not summary.failed, f"python -m simulation.run --seeds {summary.failed[0]} --trace"
    # That nothing went wrong means little unless everything happened.
    happened = summary.counts
    assert happened["granted"] > SEEDS / 2
    assert happened["original granted"] > SEEDS / 4
    assert happened["refused"] > SEEDS / 2
    assert happened["lost: expired"] > 10
    assert happened["lost: removed"] > 5
    assert happened["certificate: proven"] > happened["certificate: not proven"] > 10
    assert happened["told that a file may be left"] > 10
    assert summary.excused["originals among themselves"] > 0


def test_a_seed_replays_exactly_and_a_trace_changes_nothing() -> None:
    for seed in range(40):
        told, again, silent = run_seed(seed, trace=True), run_seed(seed, trace=True), run_seed(seed)
        assert told == again
        assert (told.counts, told.excused, told.violations) == (
            silent.counts,
            silent.excused,
            silent.violations,
        )
        assert told.trace
        assert not silent.trace


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("no settle", "held another type"),
        ("settle watches acquired rivals only", "held another type"),
        ("expiry by the local clock", "held another type"),
        ("failed listings taken for empty", "held another type"),
        ("blind renewal", "brought back"),
        ("no order among pendings", "comes first"),
        ("no stop-work", "held another type"),
        ("unreadable files ignored", "held another type"),
        ("steps of the wall clock age others", "comes first"),
    ],
)
def test_a_missing_guard_shows(name: str, says: str, capsys: pytest.CaptureFixture[str]) -> None:
    with mutant(name):
        for seed in range(12_000):
            found = run_seed(seed).violations
            if any(says in text for text in found):
                break
        else:
            pytest.fail(f"12,000 seeds do not show that a guard is missing: {name}")
        assert main(["--seeds", str(seed)]) == 1
    told = capsys.readouterr().out
    assert f"seed {seed}" in told
    assert says in told
    assert not run_seed(seed).violations


@pytest.mark.parametrize("eager", [False, True], ids=["settled", "eager"])
@pytest.mark.parametrize("ours", [False, True], ids=["original died", "ours died"])
@pytest.mark.parametrize("grain", [1, SECOND], ids=["fine times", "whole seconds"])
def test_progress_after_a_death(eager: bool, ours: bool, grain: int) -> None:
    """A prompt attempt, begun one settle wait before the dead lock's end, wins. Coarse times cost their
    grain twice: theirs may be that much older than it says, and so may be our measure."""
    for seed in range(20):
        rng = random.Random(seed)
        engine = Engine()
        observer = Observer(engine)
        habits = Habits(latency=SECOND // 50, slow=0.0, grain=grain, offset=rng.randrange(10**12))
        store = Store(engine, habits, random.Random(seed), None, observer.put)
        observer.store = store
        terms = Terms(eager=eager, grain=grain)
        clock = LocalClock(rng.randrange(-(10**12), 10**12), 0)
        holder_plan = Plan("holder", 1, 0, 10_000 * SECOND)
        holder: Client
        if ours:
            holder = OurClient(holder_plan, store, observer, clock, terms, rng)
        else:
            holder = Original(holder_plan, store, observer, LocalClock(habits.offset, 0))
        engine.at(0, lambda holder=holder: holder.begin(holder.run()))
        engine.run(rng.randrange(10, 300) * SECOND + rng.randrange(SECOND))
        holder.kill()
        (left,) = store.files.values()
        assert left.body.acquired
        slack = 2 * grain + SECOND // 5
        begins = left.stamped + LONGHORN.duration_ns - LONGHORN.settle_ns + slack
        plan = Plan("next", 2, begins, SECOND)
        heir = OurClient(plan, store, observer, LocalClock(-rng.randrange(10**12), 0), terms, rng)
        engine.at(begins, lambda heir=heir: heir.begin(heir.run()))
        engine.run(begins + 60 * SECOND)
        assert [outcome.result for outcome in heir.outcomes] == [Result.RELEASED]
        assert heir.latency <= LONGHORN.settle_ns + SECOND
        assert heir.outcomes[0].certificate is not None
        assert heir.outcomes[0].certificate.proof is Proof.PROVEN


def test_an_undisturbed_acquisition_is_four_requests() -> None:
    found = cost(Terms(eager=True), 60 * SECOND)
    assert found.verbs[:4] == ("put", "list", "put", "list")
    assert sum(found.to_acquire.values()) == 4
    assert found.latency < SECOND / 4


def test_an_hour_of_holding_costs_what_the_readme_says() -> None:
    hour = 3_600 * SECOND
    original = cost(None, hour).requests
    assert (original["put"], original["head"], original["list"]) == (62, 64, 2)
    ours = cost(Terms(eager=True), hour).requests
    assert ours.keys() == {"put", "list", "delete"}
    assert ours["put"] <= 182
    assert ours["list"] <= 183
    assert ours["delete"] == 1


def test_locks_of_the_same_type_cost_no_reads_but_one_each_refresh() -> None:
    """A neighbour of the same type is read again when its listed version has changed; our own never is."""
    found = cost(Terms(eager=True), 600 * SECOND, rival=True).requests
    assert found["get"] <= 600 // 60 + 2


def test_seeds_are_named_as_ranges() -> None:
    assert seed_range("7") == range(7, 8)
    assert seed_range("3..9") == range(3, 9)
