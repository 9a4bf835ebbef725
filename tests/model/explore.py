"""Search the models and say what was found.

    PYTHONPATH=core:tests python -m model.explore           the slice that the tests run, about a minute
    PYTHONPATH=core:tests python -m model.explore --full    everything, millions of states
    PYTHONPATH=core:tests python -m model.explore --only "torn reads" --traces

Exit code 1 if a model shows anything but what it must.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from model.catalogue import CASES, CATCHES, SLOW_MUTANTS, Case
from model.mutants import MUTANTS, mutant
from model.search import Found, search


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the searches that the arguments ask for."""
    parser = argparse.ArgumentParser(prog="python -m model.explore", description=__doc__)
    parser.add_argument("--full", action="store_true", help="also the searches that take long")
    parser.add_argument("--only", default="", metavar="TEXT", help="models and mutants whose name has this")
    parser.add_argument("--traces", action="store_true", help="print the shortest trace of every violation")
    options = parser.parse_args(arguments)
    wrong = 0
    for case in CASES.values():
        if options.only in case.name and (options.full or not case.slow):
            wrong += not _show(case.name, case, search(case.setup, case.limit), options.traces)
    for name in MUTANTS:
        if options.only in name and (options.full or name not in SLOW_MUTANTS):
            case = CASES[CATCHES[name]]
            with mutant(name):
                found = search(case.setup)
            print(f"mutant: {name}; in: {case.name}\n    {found}", flush=True)
            _trace(found, options.traces)
            wrong += not found.violation
    return 1 if wrong else 0


def _show(name: str, case: Case, found: Found, traces: bool) -> bool:
    right = found.violation.startswith(case.expect) if case.expect else not found.violation
    print(f"{name}\n    {found}{'' if right else '   NOT AS EXPECTED'}", flush=True)
    _trace(found, traces or not right)
    return right


def _trace(found: Found, wanted: bool) -> None:
    for number, step in enumerate(found.trace if wanted else (), start=1):
        print(f"      {number:3}  {step}")


if __name__ == "__main__":
    sys.exit(main())
