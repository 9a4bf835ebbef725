"""What a sweep costs: one table of ratios, each measured against its rival in the same run.

    cd tests && PYTHONPATH=.:../core python -m benchmarks.sweeping

What it is doing goes to stderr. Times on a machine with other work are noisy: rivals take turns, and the best
round of each counts.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from benchmarks import sweep_files, sweep_memory, sweep_s3
from benchmarks.table import Row, show

Section = Callable[[Path, int], list[Row]]

SECTIONS: dict[str, Section] = {
    "s3": sweep_s3.against_boto3,
    "latency": sweep_s3.with_latency,
    "blocks": sweep_s3.with_millions_of_blocks,
    "rolled": sweep_s3.leaving_blocks_out,
    "growth": sweep_s3.growth,
    "memory": sweep_memory.of_each,
    "files": sweep_files.against_find,
    "watch": sweep_s3.watching,
}


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--volumes", type=int, default=2000)
    parser.add_argument("--only", default=",".join(SECTIONS), help="sections, joined by commas")
    asked = parser.parse_args()
    rows: list[Row] = []
    for name in asked.only.split(","):
        with tempfile.TemporaryDirectory(prefix="locktop-bench-") as folder:
            rows += SECTIONS[name](Path(folder), asked.volumes)
    print(show(rows))
    return 0 if all(row.reached is not False for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
