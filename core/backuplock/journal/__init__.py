"""The flight recorder: what was seen of a store, when, in one SQLite file per target."""

from __future__ import annotations

from backuplock.journal.errors import (
    JournalBusy,
    JournalDenied,
    JournalError,
    JournalFull,
    JournalMalformed,
    JournalMismatch,
    JournalMissing,
)
from backuplock.journal.facts import Contention, HeldSince, Refresh
from backuplock.journal.journal import Journal
from backuplock.journal.paths import journal_path
from backuplock.journal.prune import Bounds
from backuplock.journal.reader import Gap, Look, Reader

__all__ = [
    "Bounds",
    "Contention",
    "Gap",
    "HeldSince",
    "Journal",
    "JournalBusy",
    "JournalDenied",
    "JournalError",
    "JournalFull",
    "JournalMalformed",
    "JournalMismatch",
    "JournalMissing",
    "Look",
    "Reader",
    "Refresh",
    "journal_path",
]
