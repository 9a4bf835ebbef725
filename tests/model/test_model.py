"""Every model of the quick slice shows what it must; every guard taken out is missed.

The full run is `PYTHONPATH=core:tests python -m model.explore --full`.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from model.catalogue import CASES, CATCHES, SLOW_MUTANTS, Case
from model.explore import main
from model.mutants import MUTANTS, mutant
from model.search import search
from model.world import Setup, State, World

QUICK = [case for case in CASES.values() if not case.slow]


@pytest.mark.parametrize("case", QUICK, ids=lambda case: case.name)
def test_model(case: Case, record_property: Callable[[str, object], None]) -> None:
    found = search(case.setup)
    record_property("states", found.states)
    print(case.name, found)
    if case.expect:
        assert found.violation.startswith(case.expect), found
        assert 10 <= len(found.trace) <= 40
    else:
        assert not found.violation, "\n".join((str(found), *found.trace))
        assert found.complete


@pytest.mark.parametrize("name", [name for name in MUTANTS if name not in SLOW_MUTANTS])
def test_missing_guard_is_missed(name: str) -> None:
    case = CASES[CATCHES[name]]
    with mutant(name):
        found = search(case.setup)
    print(name, found, *found.trace, sep="\n")
    assert found.violation, f"without the guard nothing goes wrong in {case.name}"


def test_every_mutant_has_its_model() -> None:
    assert set(MUTANTS) == set(CATCHES)
    assert not any(CASES[name].expect for name in CATCHES.values())


@pytest.mark.parametrize("kinds", ["oo", "op", "pp"])
def test_the_good_things_happen_too(kinds: str) -> None:
    """A model in which nobody ever gets a lock would be safe as well: each client can win, and be refused."""
    world = World(Setup(kinds=kinds, torn=False))
    todo = [world.initial()]
    known: set[State] = set()
    held: set[int] = set()
    refused: set[int] = set()
    while todo:
        state = todo.pop()
        if state in known:
            continue
        known.add(state)
        for who, driver in enumerate(world.drivers):
            if driver.works(state):
                held.add(who)
            if driver.was_refused(state):
                refused.add(who)
        todo += [after for _, after in world.steps(state)]
    assert held == refused == {0, 1}


def test_a_trace_is_the_shortest_and_can_be_followed() -> None:
    case = CASES["original beside original, W1 torn read"]
    found = search(case.setup)
    world = World(case.setup)
    state = world.initial()
    for step in found.trace:
        state = dict(world.steps(state))[step]
    assert world.violation(state) == found.violation


def test_the_command_prints_counts_and_traces(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--only", "W1 torn read", "--traces"]) == 0
    told = capsys.readouterr().out
    assert "VIOLATED in" in told
    assert "states" in told
    assert "reads the time of" in told


def test_a_search_that_is_cut_short_says_how_far_it_came() -> None:
    setup = CASES["ours beside ours, no faults, slow store"].setup
    whole = search(setup)
    cut = search(setup, 500)
    assert whole.complete
    assert not cut.complete
    assert 0 < cut.depth < whole.depth
    assert f"no violation in any run of {cut.depth} steps" in str(cut)
    # All that so few steps lead to is among what was seen.
    world = World(setup)
    layer = {world.initial()}
    reached = set(layer)
    for _ in range(cut.depth):
        layer = {after for state in layer for _, after in world.steps(state)} - reached
        reached |= layer
    assert len(reached) <= cut.states
