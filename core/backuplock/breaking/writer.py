"""Whoever is allowed to change a store: nothing here writes without a `Writer`, and none is to be had for a
store that was opened for reading only."""

from __future__ import annotations

import enum
import getpass
import os
import socket
from collections.abc import Callable
from dataclasses import dataclass, field

from backuplock import __version__
from backuplock.breaking.audit import Audit
from backuplock.clock import Clock, SystemClock
from backuplock.errors import ReadOnly
from backuplock.rules import LONGHORN, Timing
from backuplock.stores.base import Store


class Step(enum.StrEnum):
    """How far a transaction has come; told after each step is done, in this order."""

    CHECKED = "checked"
    """The store still shows what was seen."""
    AUDITED = "audited"
    """The intent is on disk in the audit trail."""
    COPIED = "copied"
    """A copy lies in the quarantine, and was read back."""
    RECHECKED = "rechecked"
    """The store showed it once more, right before it goes."""
    REMOVED = "removed"
    """The lock is out of its place."""
    VERIFIED = "verified"
    """What was removed is what was meant, and the place is empty."""
    MARKED = "marked"
    """The quarantine says that it is done."""
    RECORDED = "recorded"
    """The audit trail says so, too."""


@dataclass(frozen=True, slots=True)
class Who:
    """Who acts, for the audit trail and for whoever finds the copy in the store."""

    user: str
    host: str
    tool: str = f"backuplock/{__version__}"


def who_here() -> Who:
    """The person of this process, as the system names them."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = str(os.getuid())
    return Who(user, socket.gethostname())


def place_of(store: Store) -> str:
    """Where a store is beyond what its URL tells: an S3 URL names no server. "" where the URL tells all."""
    place: str = getattr(store, "endpoint", "")
    return place


@dataclass(frozen=True, slots=True)
class Writer:
    """The right to change a store, with what each change needs.

    Args:
        store: open for writing.
        audit: open for writing.
        told: called after each step; what it raises ends the transaction there, as a crash would.

    Raises:
        ReadOnly: the store was opened for reading only.
    """

    store: Store
    audit: Audit
    who: Who = field(default_factory=who_here)
    clock: Clock = field(default_factory=SystemClock)
    told: Callable[[Step], None] = lambda _: None
    timing: Timing = LONGHORN

    def __post_init__(self) -> None:
        if not self.store.capabilities.writable:
            raise ReadOnly(
                f"{self.store.url} was opened for reading only, nothing is changed",
                advice="allow it: --write",
            )
