"""One process of the soak: takes locks in a loop, does guarded work in them, and counts what happened.

Its last line, or none if it was killed, is what it counted, as JSON; a line goes out after each round.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import time
from collections import Counter
from pathlib import Path

from backuplock.stores import open_store
from backuplock.stores.base import Store
from backuplock.target import parse_target
from harness.races import OPPOSITE, Race, timing
from harness.referee import Referee


def open_target(target: str) -> Store:
    """The store of a target, by the environment's credentials."""
    return open_store(parse_target(target, os.environ), writable=True, environ=os.environ)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--target", required=True)
    parser.add_argument("--kind", choices=["ours", "original"], required=True)
    parser.add_argument("--referee", type=Path, required=True)
    parser.add_argument("--volumes", type=int, required=True)
    parser.add_argument("--lease", type=float, required=True)
    parser.add_argument("--settle", type=float, required=True)
    asked = parser.parse_args()
    race = Race(
        open_target(asked.target),
        Referee(asked.referee),
        timing(asked.lease, asked.settle),
        stay_s=asked.lease * 1.5,
        timeout_s=asked.settle * 3,
    )
    go = race.ours if asked.kind == "ours" else race.original
    counts: Counter[str] = Counter()
    while True:
        counts[go(f"pvc-{random.randrange(asked.volumes)}", random.choice(OPPOSITE))] += 1
        print(json.dumps(counts), flush=True)
        time.sleep(random.uniform(0, 0.2))


if __name__ == "__main__":
    sys.exit(main())
