"""Breaks against holders that refresh, on one kind of store.

    PYTHONPATH=core:tests python -m breakrace.run --store files --rounds 10000

Ends with 1 if a refreshed lock went unnoticed, or went at all where the store lets us prevent it.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from backuplock.breaking import Audit
from backuplock.stores.base import Store
from backuplock.stores.filesystem import FilesystemStore
from backuplock.stores.memory import MemoryStore
from breakrace.race import BreakRace

KINDS = ("files", "memory", "rclone", "moto", "ceph")


@contextmanager
def store_of(kind: str, folder: Path) -> Iterator[Store]:
    """A store of a kind; servers are started and stopped."""
    if kind == "memory":
        yield MemoryStore()
    elif kind == "files":
        (folder / "store").mkdir()
        yield FilesystemStore(folder / "store", writable=True)
    else:
        with _server(kind, folder) as store:
            yield store


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


def main() -> int:
    """Run, tell, judge."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--store", choices=KINDS, default="files")
    parser.add_argument("--rounds", type=int, default=10_000, help="of each kind of holder")
    parser.add_argument("--holder", choices=("blind", "ours", "both"), default="both")
    parser.add_argument("--threads", type=int, default=16)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="breakrace-") as name, store_of(given.store, Path(name)) as store:
        race = BreakRace(store, Audit.open(Path(name, "audit.db")), threads=given.threads)
        if given.holder in ("blind", "both"):
            race.blind(given.rounds)
        if given.holder in ("ours", "both"):
            race.ours(given.rounds)
        for what, count in sorted(race.counts.items()):
            print(f"{count:8,}  {what}")
        if (window := race.window) is not None:
            ms = 1_000_000
            print(
                f"from the last look to the removal: {window.median_ns / ms:.1f} ms in the middle, "
                f"{window.longest_ns / ms:.1f} ms at most, {window.rounds:,} measured"
            )
        print(f"{len(race.violations):8,}  violations")
        for line in race.violations[:20]:
            print(f"          {line}")
        return 1 if race.violations else 0


if __name__ == "__main__":
    sys.exit(main())
