"""What a Snapshot keeps in memory: of an idle volume, and of a lock with the volume that it is in."""

from __future__ import annotations

import gc
import tracemalloc
from pathlib import Path

from backuplock.survey import sweep
from benchmarks.sweep_s3 import PREFIX
from benchmarks.table import Row
from harness.listing import ListingServer, MadeUp

LOCK_BYTES = 2048
IDLE_BYTES = 1024


def of_each(folder: Path, volumes: int) -> list[Row]:
    """Fleets in which only the first volume is locked, and in which all are; with few volumes, what is kept
    once for all of them weighs on each."""
    del folder
    rows = []
    for name, locked, allowed in (
        ("an idle volume", volumes, IDLE_BYTES),
        ("a lock, its volume's included", 1, LOCK_BYTES),
    ):
        kept = _kept(volumes, locked)
        what = f"memory of {name}, {volumes:,} of them"
        rows.append(Row(what, f"{kept:.0f} bytes", f"{allowed} bytes allowed", kept / allowed, 1.0))
    return rows


def _kept(volumes: int, locked: int) -> float:
    """Bytes a volume that stay with a Snapshot, every `locked`th volume having a lock."""
    with ListingServer(MadeUp(volumes=volumes, blocks=20, locked=locked)) as server:
        store = server.store(PREFIX, writable=False)
        # What stays with the store (connections, what was imported on the way) is there already.
        sweep(store)
        gc.collect()
        tracemalloc.start()
        seen = sweep(store)
        gc.collect()
        kept = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
        store.close()
    assert len(seen.locks) == len(range(0, volumes, locked))
    return kept / volumes
