"""A break that is killed after a step: `python -m harness.break_worker URL AUDIT KEY STEP`."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from backuplock.breaking import Audit, Step, Writer, execute, make_plan
from backuplock.stores import open_store
from backuplock.survey import sweep
from backuplock.target import parse_target


def main(url: str, audit: str, key: str, step: str) -> None:
    """Break the lock, and die."""
    store = open_store(parse_target(url), writable=True)
    plan = make_plan(store, sweep(store), key)

    def told(now: Step) -> None:
        if now is Step(step):
            os.kill(os.getpid(), signal.SIGKILL)

    execute(Writer(store, Audit.open(Path(audit)), told=told), plan.order, allow_live=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
