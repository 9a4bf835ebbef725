"""Races of opposite pairs, many volumes at once, judged by a referee.

    PYTHONPATH=core:tests python -m harness.races --target rclone --pairs 300 --original

runs many of them between two processes, see `harness.race_run`.
"""

from __future__ import annotations

import random
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from backuplock.clock import SECOND
from backuplock.errors import AcquireFailed, Contended, LockError, LockLost, StoreError
from backuplock.guarantees import terms_for
from backuplock.lock import BackupLock
from backuplock.model import Operation
from backuplock.rules import Timing
from backuplock.stores.base import Store
from harness.longhorn_peer import LonghornPeer
from harness.referee import Referee

OPPOSITE = (Operation.BACKUP, Operation.DELETE)
Racer = Callable[[str, Operation], str]


def timing(lease_s: float, settle_s: float) -> Timing:
    """Longhorn's periods in proportion to the lease, but for the settle wait."""
    return Timing(
        *(round(s * SECOND) for s in (lease_s, lease_s * 0.4, settle_s, lease_s / 30)),
    )


@dataclass
class Race:
    """What the racers of one kind of store have in common.

    Attributes:
        stay_s: how long a winner stays inside at most.
        timeout_s: how long ours waits.
    """

    store: Store
    referee: Referee
    timing: Timing
    stay_s: float = 0.3
    timeout_s: float = 0.0
    counts: Counter[str] = field(default_factory=Counter)

    def ours(self, volume: str, operation: Operation) -> str:
        """Once through the lock."""
        terms = terms_for(self.store.capabilities, timing=self.timing)
        lock = BackupLock(self.store, volume, operation, terms=terms)
        try:
            lock.acquire(self.timeout_s)
        except Contended:
            return "refused"
        except AcquireFailed:
            return "failed"
        try:
            with self.referee.inside(volume, int(operation.lock_type), "ours") as marker:
                end = time.monotonic() + random.uniform(0, self.stay_s)
                while time.monotonic() < end:
                    lock.check()
                    if rivals := marker.rivals():
                        lock.check()
                        self.referee.accuse(marker, rivals)
                    time.sleep(0.01)
        except LockLost:
            return "lost"
        finally:
            try:
                lock.release()
            except LockError:
                pass
        return "held"

    def original(self, volume: str, operation: Operation) -> str:
        """Once through the stand-in for the original."""
        peer = LonghornPeer(self.store, volume, int(operation.lock_type), self.timing)
        try:
            if not peer.lock():
                return "refused"
        except StoreError:
            return "failed"
        try:
            with self.referee.inside(volume, int(operation.lock_type), "original"):
                time.sleep(random.uniform(0, self.stay_s))
        finally:
            peer.unlock()
        return "held"

    def run(self, pairs: int, racers: tuple[Racer, Racer], *, at_once: int, within_s: float = 0.1) -> None:
        """Race so many pairs, each on a volume of its own; the two start within `within_s`."""
        with ThreadPoolExecutor(at_once) as pool:
            for done in [pool.submit(self._pair, f"pvc-{n}", racers, within_s) for n in range(pairs)]:
                done.result(300)

    def _pair(self, volume: str, racers: tuple[Racer, Racer], within_s: float) -> None:
        first, second = random.sample(OPPOSITE, 2)
        results: list[str] = ["", ""]
        barrier = threading.Barrier(2)

        def go(n: int, racer: Racer, operation: Operation) -> None:
            barrier.wait()
            time.sleep(random.uniform(0, within_s))
            results[n] = f"{racer.__name__} {racer(volume, operation)}"

        threads = [
            threading.Thread(target=go, args=(0, racers[0], first)),
            threading.Thread(target=go, args=(1, racers[1], second)),
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.counts.update(results)
        self.counts["pairs with a winner"] += any(result.endswith("held") for result in results)


if __name__ == "__main__":
    from harness.race_run import main

    sys.exit(main())
