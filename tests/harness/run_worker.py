"""The command line with a short lease: `python -m harness.run_worker LEASE_S run ...`.

Everything but the lock's periods is the real thing, in a process of its own.
"""

from __future__ import annotations

import functools
import sys

from backuplock.clock import SECOND
from backuplock.rules import Timing
from locktop import cli, subcommands


def timing(lease_s: float) -> Timing:
    """Longhorn's periods, scaled to a lease of so many seconds."""
    return Timing(*(round(s * lease_s / 150 * SECOND) for s in (150, 60, 2, 5)))


if __name__ == "__main__":
    lease_s = float(sys.argv.pop(1))
    command = subcommands.load(sys.argv[1])
    vars(command)["run"] = functools.partial(command.run, timing=timing(lease_s))
    sys.exit(cli.main())
