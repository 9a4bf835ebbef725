"""The models that are searched, and what each must show.

Read `expect` as: "" safe, else the invariant that must be found broken. S1 two of ours hold opposite types;
S2 ours and the original do; "original": two originals do; S3 somebody holds beside the unexpired lease of a
dead holder; S4 nothing written after the lease, a lost lease stays lost, a removed record is not brought
back; S5 nothing of a finished lock is left; J1 no lock in use is judged dead; F1 the earlier of
simultaneous pendings wins; L1 no refusal by a lock that died long enough ago; L2 of two prompt rivals one
wins; R1 one failed renewal loses nothing. S1 to S5 and J1 are checked in every model, the others where
they are named.
"""

from __future__ import annotations

from dataclasses import dataclass

from backuplock.rules import Timing
from model.world import File, Ours, Setup, State, terms

EAGER = terms(eager=True)
CONDITIONAL = terms(eager=True, conditional=True, closing_look=True)
PATIENT = Timing(duration_ns=8, refresh_ns=2, settle_ns=1, slack_ns=0)
"""A longer lease: room for a failed renewal and its retries, each of which takes a whole tick."""

REQUESTS = frozenset({"list", "read", "put", "late", "delete"})
"""Requests that fail; a put may also land and not be answered, or land later."""
PEOPLE = frozenset({"stall", "crash", "break"})
ALL = REQUESTS | PEOPLE | {"empty", "stale"}
CURABLE = ALL - {"stale"}
"""Two stale listings are more than any of our rules can bear, see "two stale listings"."""
MOST_STATES = 8_000_000
"""Where a search with three faults is cut short: after some 1 GB and a quarter of an hour."""


@dataclass(frozen=True)
class Case:
    """One model: its name, its setup, what it must show; `slow`: only in the full run; `limit`: states after
    which the search is cut short, and says to what depth it is complete."""

    name: str
    setup: Setup
    expect: str = ""
    slow: bool = False
    limit: int | None = None


def _dead_for(ticks: int) -> State:
    """A lock of client 0, dead, that many ticks old; client 1 has not begun."""
    return State((Ours(status=2), Ours()), (File(True, -ticks, 1), None))


def _originals() -> list[Case]:
    def beside(name: str, fault: str, budget: int = 1, expect: str = "original", **more: object) -> Case:
        faults = frozenset({fault}) if fault else frozenset[str]()
        base: dict[str, object] = {"kinds": "pp", "torn": False, "faults": faults, "budget": budget}
        return Case(f"original beside original, {name}", Setup(**(base | more)), expect)  # type: ignore[arg-type]

    return [
        beside("ideal store", "", 0, ""),
        beside("three, ideal store", "", 0, "", kinds="ppp", types=(1, 2, 2)),
        beside("crashes", "crash", 2, ""),
        beside("W1 torn read", "", 0, torn=True),
        beside("W2 failed list", "list"),
        beside("W2 failed read of a body", "read"),
        beside("W2 failed read of a time", "head", torn=True),
        beside("W3 failed read of its own time", "head"),
        beside("W4 fast clock", "", 0, skews=(0, 4, 0)),
        beside("W5 stall before the claim", "stall"),
        beside("W6 refreshes fail", "put", 2),
        beside("W9 stale listing", "stale"),
    ]


def _ours() -> list[Case]:
    def pair(name: str, slow: bool = False, expect: str = "", **more: object) -> Case:
        return Case(f"ours beside ours, {name}", Setup(**more), expect, slow)  # type: ignore[arg-type]

    cases = [
        pair("no faults, slow store", lag=1),
        pair("eager, no faults, slow store", slow=True, lag=1, terms=EAGER),
        pair("any fault", budget=1, faults=ALL, again=True),
        pair("eager, any fault", budget=1, faults=ALL, terms=EAGER),
        pair("eager, conditional, any fault", budget=1, faults=ALL, terms=CONDITIONAL),
        pair(
            "wrong clocks, times only in reads, any fault",
            budget=1,
            faults=ALL,
            skews=(7, -7, 0),
            tells_time=False,
            dates=True,
        ),
        pair("stamped early, any fault", slow=True, budget=1, faults=ALL, early=1),
        pair("two stalls", slow=True, budget=2, faults=frozenset({"stall"}), skews=(9, 0, 0)),
        pair("two failed looks", budget=2, faults=frozenset({"list", "read"})),
        pair("any number of empty listings", budget=3, faults=frozenset({"empty"})),
        pair("two stale listings", budget=2, faults=frozenset({"stale"}), expect="S1"),
        pair("eager, two faults", slow=True, budget=2, faults=ALL - {"stale"}, terms=EAGER),
        pair("two faults", slow=True, budget=2, faults=ALL - {"stale"}),
        pair("conditional, two faults", slow=True, budget=2, faults=ALL - {"stale"}, terms=CONDITIONAL),
        pair("slow store, one fault", slow=True, budget=1, faults=REQUESTS | PEOPLE, lag=1),
        pair("three failed requests or stalls", slow=True, budget=3, faults=frozenset({"put", "stall"})),
        pair("three", kinds="ooo", types=(1, 2, 1)),
        pair("three, eager", kinds="ooo", types=(1, 2, 2), terms=EAGER),
        pair(
            "three, stall or crash",
            slow=True,
            kinds="ooo",
            types=(1, 2, 2),
            budget=1,
            faults=frozenset({"stall", "crash"}),
        ),
    ]
    for terms_, name in ((terms(), ""), (EAGER, "eager, ")):
        solo = Setup(
            kinds="o",
            budget=1,
            faults=frozenset({"list", "read", "put", "late"}),
            checks=frozenset({"R1"}),
            terms=terms(timing=PATIENT, eager=terms_.eager),
        )
        cases += [
            pair(
                name + "F1 and L2",
                checks=frozenset({"F1", "L2"}),
                terms=terms(timing=PATIENT, eager=terms_.eager),
            ),
            pair(name + "L1", begin=_dead_for(5), checks=frozenset({"L1"}), terms=terms_),
            Case(f"ours alone, {name}R1", solo),
        ]
    three: dict[str, dict[str, object]] = {
        "": {},
        "eager, ": {"terms": EAGER},
        "wrong clocks, times only in reads, ": {"skews": (7, -7, 0), "tells_time": False, "dates": True},
        "slow store, ": {"lag": 1},
        "stamped early, ": {"early": 1},
    }
    for name, more in three.items():
        setup = Setup(budget=3, faults=CURABLE, **more)  # type: ignore[arg-type]
        cases.append(Case(f"ours beside ours, {name}three faults", setup, slow=True, limit=MOST_STATES))
    watching = Setup(begin=_dead_for(5), checks=frozenset({"L1"}), terms=terms(watch=1))
    return [*cases, Case("ours beside ours, L1 and a watch", watching)]


def _mixed() -> list[Case]:
    def mixed(name: str, slow: bool = False, expect: str = "", **more: object) -> Case:
        base: dict[str, object] = {"kinds": "op", "victims": (0,)}
        return Case(f"ours beside the original, {name}", Setup(**(base | more)), expect, slow)  # type: ignore[arg-type]

    both = frozenset({"stall"})
    three: dict[str, dict[str, object]] = {
        "": {},
        "eager, ": {"terms": EAGER},
        "our clock wrong, ": {"skews": (9, 0, 0), "tells_time": False},
        "stamped early, ": {"early": 1},
    }
    many: dict[str, object] = {"kinds": "op", "victims": (0,), "budget": 3, "faults": CURABLE}
    return [
        *(
            Case(
                f"ours beside the original, {name}three faults of ours",
                Setup(**(many | more)),  # type: ignore[arg-type]
                slow=True,
                limit=MOST_STATES,
            )
            for name, more in three.items()
        ),
        mixed("torn reads"),
        mixed("torn reads, the other name first", kinds="po", victims=(1,)),
        mixed("eager", terms=EAGER),
        mixed("stamped early", early=1),
        mixed("any fault of ours", budget=1, faults=ALL, again=True),
        mixed("eager, any fault of ours", budget=1, faults=ALL, terms=EAGER),
        mixed("conditional, any fault of ours", budget=1, faults=ALL, terms=CONDITIONAL),
        mixed("our clock wrong, any fault of ours", budget=1, faults=ALL, skews=(9, 0, 0), tells_time=False),
        mixed("stamped early, any fault but a stale listing", budget=1, faults=ALL - {"stale"}, early=1),
        mixed(
            "not cured: stamped early, and a stale listing",
            budget=1,
            faults=frozenset({"stale"}),
            early=1,
            expect="S2",
        ),
        mixed(
            "stamped early, eager, any fault but a stale listing",
            budget=1,
            faults=ALL - {"stale"},
            early=1,
            terms=EAGER,
        ),
        mixed("two stalls of ours", budget=2, faults=both),
        mixed("two of them", kinds="opp", types=(1, 2, 2)),
        mixed("eager, two of them", kinds="opp", types=(1, 2, 2), terms=EAGER),
        mixed(
            "not curable: it reads in vain", budget=1, faults=frozenset({"read"}), victims=(1,), expect="S2"
        ),
        mixed("not curable: it stalls past its lease", budget=2, faults=both, victims=(1,), expect="S2"),
        mixed("its clock is as fast as breaks it beside its own kind", skews=(0, 4, 0)),
        mixed("not curable: its clock is faster still", skews=(0, 6, 0), expect="S2"),
        mixed("two faults of ours", slow=True, budget=2, faults=ALL - {"stale"}),
        mixed("eager, two faults of ours", slow=True, budget=2, faults=ALL - {"stale"}, terms=EAGER),
        mixed(
            "three failed writes, stalls or crashes of ours",
            slow=True,
            budget=3,
            faults=frozenset({"put", "stall", "crash"}),
        ),
        mixed(
            "two of them, any fault of ours",
            slow=True,
            kinds="opp",
            types=(1, 2, 2),
            budget=1,
            faults=ALL,
        ),
    ]


CASES: dict[str, Case] = {case.name: case for case in (*_originals(), *_ours(), *_mixed())}

CATCHES: dict[str, str] = {
    "no settle": "ours beside the original, torn reads",
    "settle watches acquired rivals only": "ours beside the original, torn reads",
    "settle watches earlier pendings only": "ours beside the original, torn reads",
    "no latch": "ours beside ours, two stalls",
    "no stop-work": "ours beside ours, two stalls",
    "lease from the end of the write": "ours beside ours, two stalls",
    "attempts not timed": "ours beside ours, two stalls",
    "expiry judged late, attempts not timed": "ours beside ours, two stalls",
    "expiry by the local clock": "ours beside ours, two stalls",
    "unreadable files ignored": "ours beside ours, two failed looks",
    "failed listings taken for empty": "ours beside ours, two failed looks",
    "own record not looked for": "ours beside ours, any number of empty listings",
    "blind renewal": "ours beside ours, any fault",
    "no order among pendings": "ours beside ours, F1 and L2",
    "one missing look ends a watch": "ours beside the original, any fault of ours",
}
"""For each mutant the model, safe with all guards, that must find it out."""

SLOW_MUTANTS = frozenset({"expiry judged late, attempts not timed"})
"""Found only after some 300,000 states: each of the two guards hides the lack of the other."""
