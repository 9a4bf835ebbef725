"""Many races of opposite pairs on one store: two processes, and for each racer a store object of its own.

Run it as `python -m harness.races`.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import random
import secrets
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier
from pathlib import Path

from backuplock.rules import Timing
from backuplock.stores import open_store
from backuplock.stores.base import Store
from backuplock.target import parse_target
from harness.builders import volume_folder
from harness.races import OPPOSITE, Race, timing
from harness.referee import Referee
from harness.s3 import S3Server

ROUND_S = 120.0
"""How long one side waits for the other at the beginning of a round."""


@dataclass(frozen=True, slots=True)
class Ground:
    """What both sides know: where the store is, with which environment, and how the races go."""

    url: str
    environ: dict[str, str]
    referee: str
    timing: Timing
    stem: str
    pairs: int
    at_once: int
    within_s: float
    seed: int

    def open(self) -> Store:
        return open_store(parse_target(self.url), writable=True)

    def volume(self, number: int) -> str:
        return f"{self.stem}-{number}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Race, and judge: 1 if two opposite types were inside at once, or something was left."""
    parser = argparse.ArgumentParser(prog="python -m harness.races", description=__doc__)
    parser.add_argument("--target", default="files", help="files, rclone, moto, ceph, or a target's URL")
    parser.add_argument("--pairs", type=int, default=300)
    parser.add_argument("--original", action="store_true", help="ours against a stand-in for the original")
    parser.add_argument("--at-once", type=int, default=10, help="pairs that race at the same time")
    parser.add_argument("--within", type=float, default=0.1, help="seconds in which both of a pair start")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder, _served(options.target, Path(folder)) as (url, environ):
        ground = Ground(
            url=url,
            environ=environ,
            referee=str(Path(folder) / "referee"),
            # The exclusion of the original rests on the settle wait, ours does not.
            timing=timing(15, 2.0 if options.original else 0.2),
            stem=f"race-{secrets.token_hex(4)}",
            pairs=options.pairs,
            at_once=options.at_once,
            within_s=options.within,
            seed=secrets.randbits(32),
        )
        counts = _race(ground, ("ours", "original" if options.original else "ours"))
        return judge(ground, options.target, counts)


def _race(ground: Ground, kinds: tuple[str, str]) -> Counter[str]:
    """Let two processes race; what came of it."""
    context = multiprocessing.get_context("spawn")
    barrier, results = context.Barrier(2), context.Queue()
    sides = [
        context.Process(target=_side, args=(ground, side, kind, barrier, results))
        for side, kind in enumerate(kinds)
    ]
    for process in sides:
        process.start()
    counts: Counter[str] = Counter()
    winners: set[int] = set()
    for _ in sides:
        told, won = results.get()
        counts += told
        winners |= won
    for process in sides:
        process.join()
    counts["pairs with a winner"] = len(winners)
    return counts


def _side(
    ground: Ground, side: int, kind: str, barrier: Barrier, results: Queue[tuple[Counter[str], set[int]]]
) -> None:
    """One side of all races, round by round, in a process of its own."""
    os.environ.update(ground.environ)
    referee = Referee(Path(ground.referee))
    counts: Counter[str] = Counter()
    won: set[int] = set()
    # Each racer of a round has a store object of its own, and keeps it for the rounds to come.
    stores = [ground.open() for _ in range(min(ground.at_once, ground.pairs))]

    def go(number: int, store: Store) -> None:
        race = Race(store, referee, ground.timing)
        # Both sides draw the same numbers: who of a pair deletes is decided without asking the other.
        operation = OPPOSITE[(random.Random(ground.seed + number).getrandbits(1) + side) % 2]
        time.sleep(random.uniform(0, ground.within_s))
        told = getattr(race, kind)(ground.volume(number), operation)
        counts[f"{kind} {told}"] += 1
        if told == "held":
            won.add(number)

    try:
        for first in range(0, ground.pairs, ground.at_once):
            barrier.wait(ROUND_S)
            numbers = range(first, min(first + ground.at_once, ground.pairs))
            threads = [threading.Thread(target=go, args=pair) for pair in zip(numbers, stores, strict=False)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            if side == 0:
                print(f"\r{numbers[-1] + 1} of {ground.pairs} pairs", end="", file=sys.stderr, flush=True)
    finally:
        results.put((counts, won))


def judge(ground: Ground, target: str, counts: Counter[str]) -> int:
    """Say what came of the races; 1 if anything of it must not be."""
    os.environ.update(ground.environ)
    store = ground.open()
    left = [
        entry.name
        for number in range(ground.pairs)
        for entry in store.list(f"{volume_folder(ground.volume(number))}/locks").entries
    ]
    violations = Referee(Path(ground.referee)).violations()
    raced = sum(n for what, n in counts.items() if what.startswith(("ours ", "original ")))
    told = ", ".join(f"{n:,} {what}" for what, n in sorted(counts.items()))
    print(f"\n{target}: {raced // 2:,} pairs; {told}; {len(left)} files left; {len(violations)} violations")
    for violation in violations:
        print(violation)
    return 1 if violations or left or raced != 2 * ground.pairs else 0


@contextmanager
def _served(target: str, folder: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """The URL of a store, and the variables to reach it with; a server of our own for those with a name."""
    if target == "files":
        (folder / "store").mkdir()
        yield str(folder / "store"), {}
    elif target == "ceph":
        from harness.ceph import Ceph, missing_programs

        if missing := missing_programs():
            raise SystemExit(f"Ceph is not installed: no {', '.join(missing)}")
        cluster = Ceph()
        try:
            yield _reached(cluster.server)
        finally:
            cluster.stop()
    elif target in ("rclone", "moto"):
        server = _started(target, folder)
        try:
            yield _reached(server)
        finally:
            assert server.process is not None
            server.process.stop()
    else:
        yield target, {}


def _started(target: str, folder: Path) -> S3Server:
    from harness.moto import start_moto
    from harness.rclone import start_rclone

    if target == "moto":
        return start_moto(folder / "log")
    return start_rclone(folder / "data", folder / "log")


def _reached(server: S3Server) -> tuple[str, dict[str, str]]:
    return server.url("races"), server.environ()
