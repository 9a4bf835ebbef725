"""Play seeds; print what they showed, and the whole trace of the first that went wrong.

    PYTHONPATH=core:tests python -m simulation.run --seeds 0..2000
    PYTHONPATH=core:tests python -m simulation.run --seeds 0..1000000 --jobs 2
    PYTHONPATH=core:tests python -m simulation.run --seeds 4711 --trace

Exit code 1 if a seed showed a violation that ours could prevent.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field

from simulation.scenario import Report, run_seed

CHUNK = 500


@dataclass
class Summary:
    """What many seeds showed together."""

    seeds: int = 0
    failed: list[int] = field(default_factory=list)
    excused: Counter[str] = field(default_factory=Counter)
    counts: Counter[str] = field(default_factory=Counter)

    def add(self, report: Report) -> None:
        self.seeds += 1
        self.excused += report.excused
        self.counts += report.counts
        if report.violations:
            self.failed.append(report.seed)

    def merge(self, other: Summary) -> None:
        self.seeds += other.seeds
        self.failed += other.failed
        self.excused += other.excused
        self.counts += other.counts


def play(seeds: Iterable[int]) -> Summary:
    """Play seeds in this process."""
    summary = Summary()
    for seed in seeds:
        summary.add(run_seed(seed))
    return summary


def seed_range(text: str) -> range:
    """`7` or `0..2000` (the end not included)."""
    first, dots, end = text.partition("..")
    return range(int(first), int(end) if dots else int(first) + 1)


def main(arguments: Sequence[str] | None = None) -> int:
    """Play the seeds that the arguments ask for."""
    parser = argparse.ArgumentParser(prog="python -m simulation.run", description=__doc__)
    parser.add_argument("--seeds", type=seed_range, default=range(2_000), metavar="A..B")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--trace", action="store_true", help="print everything that happened")
    options = parser.parse_args(arguments)
    began = time.perf_counter()
    summary = Summary()
    chunks = [options.seeds[at : at + CHUNK] for at in range(0, len(options.seeds), CHUNK)]
    if options.trace:
        for seed in options.seeds:
            summary.add(_told(seed))
    elif options.jobs > 1:
        with ProcessPoolExecutor(options.jobs) as pool:
            for part in pool.map(play, chunks):
                summary.merge(part)
    else:
        for chunk in chunks:
            summary.merge(play(chunk))
    _print(summary, time.perf_counter() - began)
    if summary.failed and not options.trace:
        _told(min(summary.failed))
    return 1 if summary.failed else 0


def _told(seed: int) -> Report:
    report = run_seed(seed, trace=True)
    print(f"seed {seed}", *report.trace, *(f"VIOLATION: {text}" for text in report.violations), sep="\n")
    return report


def _print(summary: Summary, elapsed: float) -> None:
    print(f"{summary.seeds:,} seeds in {elapsed:.1f} s")
    print(f"seeds with a violation that ours could prevent: {len(summary.failed)}")
    for title, counter in (("happened", summary.counts), ("not ours to prevent", summary.excused)):
        print(title)
        for what, count in sorted(counter.items()):
            print(f"  {count:9,}  {what}")
    if summary.failed:
        print("seeds that failed:", *summary.failed[:20])


if __name__ == "__main__":
    sys.exit(main())
