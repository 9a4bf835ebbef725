"""What the journal's tests do in processes of their own: `python -m harness.journal_worker TASK FILE ...`."""

from __future__ import annotations

import sys
from pathlib import Path

from backuplock.journal import Journal, JournalBusy
from harness.histories import START, busy


def record(path: str, seed: str, looks: str) -> None:
    """Record a history of its own beside others who do the same."""
    journal = Journal.open(Path(path))
    for snapshot in busy(int(looks), 20, seed=int(seed), start=START + int(seed)):
        while True:
            try:
                journal.record(snapshot)
                break
            except JournalBusy:
                continue
    journal.close()


def forever(path: str) -> None:
    """Record until killed; a line for each look that was recorded."""
    journal = Journal.open(Path(path))
    for snapshot in busy(100_000 // 50, 50, churn=0.8):
        journal.record(snapshot)
        print(snapshot.taken_wall_ns, flush=True)


if __name__ == "__main__":
    {"record": record, "forever": forever}[sys.argv[1]](*sys.argv[2:])
