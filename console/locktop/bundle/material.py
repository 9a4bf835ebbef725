"""What is gathered for a bundle: each part on its own, so that what fails leaves the others."""

from __future__ import annotations

import platform
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from backuplock import layout
from backuplock.breaking import Audit, AuditEntry, AuditError, audit_path
from backuplock.doctor import Diagnosis, examine
from backuplock.errors import BackupLockError
from backuplock.journal import Journal, JournalError, journal_path
from backuplock.journal.reader import Gap
from backuplock.model import VolumeView
from backuplock.stores.base import Listing, Store
from backuplock.text import printable
from backuplock.watch import Event
from locktop import __version__

MOST_VOLUMES = 500
"""Volumes whose `locks/` is listed once more."""
MOST_EVENTS = 2000
MOST_GAPS = 200
MOST_ACTS = 2000
_PACKAGES = ("boto3", "botocore", "textual", "rich", "azure-storage-blob", "prometheus-client")


@dataclass(slots=True)
class Material:
    """What was found. `problems` says, a line each, what could not be had."""

    target: str
    diagnosis: Diagnosis | None = None
    listings: dict[str, Listing] = field(default_factory=dict)
    events: tuple[Event, ...] = ()
    acts: tuple[AuditEntry, ...] = ()
    gaps: tuple[Gap, ...] = ()
    problems: list[str] = field(default_factory=list)
    failure: BackupLockError | None = None


def gather(url: str, open_store: Callable[[bool], Store], clock_error_ns: int) -> Material:
    """Look at a store, for reading only, and at this machine's journal and trail of it."""
    found = Material(url)
    try:
        found.diagnosis = examine(open_store, clock_error_ns=clock_error_ns)
        _list(found, open_store)
    except BackupLockError as error:
        found.failure = error
        found.problems.append(f"the store: {error}")
    _recall(found)
    _trail(found)
    return found


def concerned(diagnosis: Diagnosis) -> list[VolumeView]:
    """The volumes with something in `locks/`, or that could not be read."""
    return [view for view in diagnosis.snapshot.volumes if view.locks or view.leftovers or view.problem]


def _list(found: Material, open_store: Callable[[bool], Store]) -> None:
    assert found.diagnosis is not None
    wanted = concerned(found.diagnosis)
    if len(wanted) > MOST_VOLUMES:
        found.problems.append(f"locks/ of {len(wanted) - MOST_VOLUMES:,} more volumes were not listed")
    store = open_store(False)
    try:
        for view in wanted[:MOST_VOLUMES]:
            try:
                found.listings[view.name] = store.list(layout.locks_folder(view.name))
            except BackupLockError as error:
                found.problems.append(f"listing of volume {view.name}: {error}")
    finally:
        store.close()


def _recall(found: Material) -> None:
    path = journal_path(found.target)
    if not path.exists():
        found.problems.append("events: nothing of this target was recorded on this machine")
        return
    try:
        journal = Journal.read(path)
        try:
            found.events = journal.latest(MOST_EVENTS)
            found.gaps = journal.gaps()[-MOST_GAPS:]
        finally:
            journal.close()
    except JournalError as error:
        found.problems.append(f"events: {error}")


def _trail(found: Material) -> None:
    """What was broken on this target from this machine."""
    path = audit_path()
    if not path.exists():
        return
    try:
        audit = Audit.read(path)
        try:
            found.acts = audit.entries(target=found.target)[-MOST_ACTS:]
        finally:
            audit.close()
    except (AuditError, OSError) as error:
        found.problems.append(f"the audit trail: {error}")


def versions() -> dict[str, Any]:
    """Of what runs here; the machine's name is not among it."""
    packages: dict[str, str | None] = {}
    for name in _PACKAGES:
        try:
            packages[name] = version(name)
        except PackageNotFoundError:
            packages[name] = None
    return {
        "locktop": __version__,
        "python": platform.python_version(),
        "system": printable(f"{platform.system()} {platform.release()} {platform.machine()}"),
        "libc": " ".join(platform.libc_ver()),
        "sqlite": sqlite3.sqlite_version,
        "packages": packages,
    }
