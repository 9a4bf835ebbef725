"""Breaks against holders that refresh, on one kind of store.

    PYTHONPATH=core:tests python -m breakrace.run --store files --rounds 10000 --holder blind

Goes on until so many rounds were valid: those to which a server under load gave no answer show nothing, are
counted apart and made up for, with fewer of them side by side. Progress goes to stderr; the last line of
stdout sums up. Ends with 1 if a refreshed lock went unnoticed, or went at all where the store lets us prevent
it; with 2 if time ran out, or the store gave no answer, before the rounds were done.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from backuplock.breaking import Audit
from backuplock.stores.base import Store
from backuplock.stores.filesystem import FilesystemStore
from backuplock.stores.memory import MemoryStore
from breakrace.race import NO_ANSWER, BreakRace

KINDS = ("files", "memory", "rclone", "moto", "ceph", "azurite")
_BATCH = 100
_FEWEST_THREADS = 2
_MOST_EMPTY = 20
"""Batches in a row without a valid round after which a store is given up."""
_MS = 1_000_000


@contextmanager
def store_of(kind: str, folder: Path) -> Iterator[Store]:
    """A store of a kind, or in any folder, such as a mounted one; servers are started and stopped."""
    if kind == "memory":
        yield MemoryStore()
    elif kind == "files":
        (folder / "store").mkdir()
        yield FilesystemStore(folder / "store", writable=True)
    elif kind == "azurite":
        with _azurite(folder) as store:
            yield store
    elif kind in KINDS:
        with _server(kind, folder) as store:
            yield store
    else:
        mounted = Path(tempfile.mkdtemp(prefix="breakrace-", dir=kind))
        try:
            yield FilesystemStore(mounted, writable=True)
        finally:
            shutil.rmtree(mounted, ignore_errors=True)


@contextmanager
def _server(kind: str, folder: Path) -> Iterator[Store]:
    from harness.ceph import Ceph
    from harness.moto import start_moto
    from harness.rclone import start_rclone

    cluster = Ceph() if kind == "ceph" else None
    if cluster is not None:
        server = cluster.server
    elif kind == "moto":
        server = start_moto(folder / "log")
    else:
        server = start_rclone(folder / "data", folder / "log")
    try:
        store = server.store("race")
        store.probe_conditional("scratch")
        yield store
        store.close()
    finally:
        if cluster is not None:
            cluster.stop()
        elif server.process is not None:
            server.process.stop()


@contextmanager
def _azurite(folder: Path) -> Iterator[Store]:
    from harness.azurite import missing_program, start_azurite

    if missing := missing_program():
        raise SystemExit(missing)
    server = start_azurite(folder / "log")
    assert server.process is not None
    try:
        store = server.store("race")
        yield store
        store.close()
    finally:
        server.process.stop()


class Run:
    """Rounds against one kind of holder, until enough of them are valid.

    Args:
        until_s: monotonic instant, in seconds, after which no further batch begins; None for never.
    """

    def __init__(self, race: BreakRace, holder: str, rounds: int, until_s: float | None) -> None:
        self.race, self.holder, self.rounds = race, holder, rounds
        self._until_s = until_s
        self._before = race.valid
        self._began = time.monotonic()

    @property
    def valid(self) -> int:
        """Valid rounds of this holder."""
        return self.race.valid - self._before

    def go(self) -> bool:
        """Run; false if it ended before all rounds were done."""
        empty = 0
        while self.valid < self.rounds and empty < _MOST_EMPTY:
            if self._until_s is not None and time.monotonic() > self._until_s:
                break
            wanted, before = min(_BATCH, self.rounds - self.valid), self.race.valid
            (self.race.blind if self.holder == "blind" else self.race.ours)(wanted)
            gained = self.race.valid - before
            empty = 0 if gained else empty + 1
            if gained < wanted * 0.8 and self.race.threads > _FEWEST_THREADS:
                self.race.threads -= 1
            self._tell()
        return self.valid >= self.rounds

    def _tell(self) -> None:
        race, spent = self.race, time.monotonic() - self._began
        print(
            f"{self.holder}: {self.valid:,} of {self.rounds:,} valid, {race.counts[NO_ANSWER]:,} without an "
            f"answer, {len(race.violations)} violations, {spent:.0f} s, {race.threads} side by side",
            file=sys.stderr,
            flush=True,
        )


def summary(race: BreakRace, name: str, holder: str, valid: int) -> str:
    """One line with all that matters."""
    measured = ""
    if (window := race.window) is not None:
        median, longest = window.median_ns / _MS, window.longest_ns / _MS
        measured = f"; last look to removal {median:.1f} ms in the middle, {longest:.1f} ms at most"
    return (
        f"{name}, {holder} holders: {valid:,} rounds, {len(race.violations)} violations{measured}; "
        f"{race.counts[NO_ANSWER]:,} more without an answer"
    )


def main() -> int:
    """Run, tell, judge."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--store", default="files", metavar="KIND", help=f"{', '.join(KINDS)}, or a folder")
    parser.add_argument("--rounds", type=int, default=10_000, help="valid ones, of each kind of holder")
    parser.add_argument("--holder", choices=("blind", "ours", "both"), default="both")
    parser.add_argument("--threads", type=int, default=16, help="rounds side by side")
    parser.add_argument("--seconds", type=float, help="begin no further batch after so long")
    given = parser.parse_args()
    if given.store not in KINDS and not Path(given.store).is_dir():
        parser.error(f"--store: {given.store} is no folder, and none of {', '.join(KINDS)}")
    until_s = None if given.seconds is None else time.monotonic() + given.seconds
    done = True
    with tempfile.TemporaryDirectory(prefix="breakrace-") as name, store_of(given.store, Path(name)) as store:
        race = BreakRace(store, Audit.open(Path(name, "audit.db")), threads=given.threads)
        valid = 0
        for holder in ("blind", "ours") if given.holder == "both" else (given.holder,):
            run = Run(race, holder, given.rounds, until_s)
            done = run.go() and done
            valid += run.valid
        for what, count in sorted(race.counts.items()):
            print(f"{count:8,}  {what}")
        for line in race.violations[:20]:
            print(f"          {line}")
        print(summary(race, given.store, given.holder, valid))
        race.audit.close()
    return 1 if race.violations else 0 if done else 2


if __name__ == "__main__":
    # A break in memory takes less than the time after which Python lets another thread go on.
    sys.setswitchinterval(1e-5)
    sys.exit(main())
