"""What a lock costs: requests, latency, processor time. One table; what it is doing goes to stderr.

cd tests && PYTHONPATH=.:../core python -m benchmarks.lock_costs
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from backuplock.lock import BackupLock
from backuplock.model import Operation
from backuplock.stores.base import Store
from backuplock.stores.filesystem import FilesystemStore
from harness.locks import World
from harness.longhorn_peer import LonghornPeer
from harness.rclone import start_rclone

Row = tuple[str, str, str]
ORIGINAL = "62 PUT, 64 HEAD, 2 LIST"
"""Of one acquire, an hour held, release; from the description of the protocol."""


class Progress:
    """Says what is being measured and how far it is, a line every few seconds at most."""

    def __init__(self, what: str, every_s: float = 5.0) -> None:
        self._what = what
        self._every_s = every_s
        self._began = self._told = time.monotonic()
        self._say("begins")

    def tell(self, done: float, of: float, unit: str) -> None:
        """So much of it is done."""
        if time.monotonic() - self._told >= self._every_s:
            self._say(f"{done:.0f} of {of:.0f} {unit}")

    def _say(self, how_far: str) -> None:
        self._told = time.monotonic()
        print(f"[{self._told - self._began:4.0f} s] {self._what}: {how_far}", file=sys.stderr, flush=True)


def requests_of_an_hour() -> Row:
    """Counted by a store, on manual time."""
    Progress("requests of an hour")
    world = World()
    lock = world.lock()
    lock.acquire()
    acquiring = sum(world.store.calls.values())
    world.pass_s(3600)
    lock.check()
    lock.release()
    calls = world.store.calls
    ours = f"{calls['put']} PUT, {calls['list']} LIST, {calls['read']} GET, {calls['delete']} DELETE"
    return "requests: acquire, 1 h held, release", f"{ours} ({acquiring} to acquire)", ORIGINAL


def latency(name: str, store: Store, rounds: int) -> Row:
    """Uncontended, turn by turn on the same store."""
    ours: list[float] = []
    theirs: list[float] = []
    progress = Progress(f"latency, {name}")
    for n in range(rounds):
        progress.tell(n, rounds, "rounds")
        lock = BackupLock(store, f"pvc-{n}", Operation.BACKUP)
        ours.append(timed(lock.acquire))
        lock.release()
        peer = LonghornPeer(store, f"pvc-{n}", 1)
        theirs.append(timed(peer.lock))
        peer.unlock()
    return f"acquire, uncontended, {name}", show(ours), show(theirs)


def timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def show(times: list[float]) -> str:
    return f"median {statistics.median(times) * 1000:.0f} ms, worst {max(times) * 1000:.0f} ms"


def thousand(name: str, store: Store, count: int, seconds: float) -> Row:
    """Processor time of this process while it holds so many locks, with Longhorn's periods."""
    locks = [BackupLock(store, f"pvc-{n}", Operation.BACKUP) for n in range(count)]
    progress = Progress(f"{count} locks, {name}")
    for n, lock in enumerate(locks):
        lock.acquire()
        progress.tell(n, count, "acquired")
    most = threading.active_count()
    began, spent = time.monotonic(), time.process_time()
    while time.monotonic() - began < seconds:
        time.sleep(0.2)
        most = max(most, threading.active_count())
        progress.tell(time.monotonic() - began, seconds, "seconds held")
    used = (time.process_time() - spent) / (time.monotonic() - began)
    for lock in locks:
        lock.check()
    kept = min(lock.remaining() for lock in locks)
    for n, lock in enumerate(locks):
        lock.release()
        progress.tell(n, count, "released")
    return (
        f"{count} locks held in one process, {name}",
        f"{used * 100:.1f} % of a core, {most} threads, least time left {kept:.0f} s",
        "one thread or more each",
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--locks", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=60.0)
    asked = parser.parse_args()
    rows: list[Row] = [("", "ours", "the original")]
    with tempfile.TemporaryDirectory(prefix="locktop-bench-") as name:
        folder = Path(name)
        server = start_rclone(folder / "data", folder / "log")
        try:
            files = folder / "files"
            files.mkdir()
            s3, local = server.store("bench"), FilesystemStore(files, writable=True)
            rows.append(requests_of_an_hour())
            rows.append(latency("rclone", s3, asked.rounds))
            rows.append(latency("files", local, asked.rounds))
            rows.append(thousand("files", local, asked.locks, asked.seconds))
            rows.append(thousand("rclone", s3, asked.locks, asked.seconds))
        finally:
            if server.process is not None:
                server.process.stop()
    print_table(rows)
    return 0


def print_table(rows: Sequence[Sequence[str]]) -> None:
    """Columns as wide as they must be."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())


if __name__ == "__main__":
    sys.exit(main())
