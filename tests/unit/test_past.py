"""`show`, `explain` and `blocked` tell what the flight recorder has seen before, and do without it."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

import pytest

from backuplock.clock import SECOND, ManualClock
from backuplock.journal import Journal, journal_path
from backuplock.stores.filesystem import FilesystemStore
from backuplock.survey import sweep
from backuplock.target import parse_target
from backuplock.watch import Event, EventKind, Watch
from harness.builders import Lock, Volume, write, write_locks
from harness.commands import fingerprint, run
from harness.complaints import later
from locktop.exits import ExitCode

VOLUME = "pvc-aaaa1111"
HELD = Lock(VOLUME, "lock-held", 1, age_s=20)
COMMANDS = {
    "show": [VOLUME],
    "explain": [later(VOLUME, "delete")],
    "blocked": [],
}


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store with a live lock, and a place of its own for journals."""
    for name in [name for name in os.environ if name.startswith("LOCKTOP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    made = tmp_path / "store"
    volume = Volume(VOLUME, "shop", "orders")
    write(made, volume.cfg_key, volume.cfg)
    write_locks(made, [HELD], time.time_ns())
    return made


def record(root: Path, hours_ago: tuple[float, ...], *, begun: bool = False) -> Path:
    """Record looks at the store in the past. In the first a deletion asks in vain, and the lock is not there;
    `begun`: it is there from the first."""
    url = parse_target(str(root)).url
    path = journal_path(url)
    now = time.time_ns()
    clock = ManualClock(now - round(hours_ago[0] * 3600 * SECOND))
    asking = Lock(VOLUME, "lock-asks", 2, acquired=False, age_s=3600 * hours_ago[0] + 1)
    with (
        contextlib.closing(FilesystemStore(root)) as store,
        contextlib.closing(Journal.open(path, target=url)) as journal,
    ):
        watch = Watch()
        for before, hours in zip((None, *hours_ago), hours_ago, strict=False):
            clock.advance(0 if before is None else round((before - hours) * 3600 * SECOND))
            if before is None and not begun:
                write_locks(root, [asking], now)
                (root / HELD.key).rename(root / "aside")
            snapshot = sweep(store, clock=clock)
            if before is None and not begun:
                (root / asking.key).unlink()
                (root / "aside").rename(root / HELD.key)
            watch, events = watch.look(snapshot)
            journal.record(snapshot, events)
    return path


def told(capsys: pytest.CaptureFixture[str], root: Path, command: str, *more: str) -> str:
    done = run(capsys, command, "-t", str(root), *COMMANDS[command], *more)
    assert done.code == ExitCode.NEGATIVE
    return done.out + done.err


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_since_when_a_lock_is_held_is_told(
    command: str, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "held since" not in told(capsys, root, command)
    path = record(root, (3.0, 2.0, 1.0))
    before, journal = fingerprint(root), path.read_bytes()
    said = told(capsys, root, command)
    assert "held since" in said
    assert "UTC (2 hours)" in said
    assert fingerprint(root) == before
    assert path.read_bytes() == journal


def test_a_beginning_that_was_not_seen_is_a_bound(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record(root, (2.0, 1.0), begun=True)
    assert "held at least since" in told(capsys, root, "show")
    (one,) = run(capsys, "blocked", "-t", str(root), "--json").json["blocked"]
    (blocker,) = one["operations"][0]["blockers"]
    assert blocker["held_at_least"] is True
    assert blocker["held_since"] is not None


def test_what_went_without_is_counted(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record(root, (3.0, 2.0, 1.0))
    assert "1 request ended without the lock, last at" in told(capsys, root, "show")
    found = run(capsys, "show", "-t", str(root), "--json", VOLUME).json["findings"]
    history = [one for one in found if one["topic"] == "history"]
    assert [one["lock"] for one in history] == [HELD.key, ""]
    assert all(one["mark"] == "known" for one in history)


@pytest.mark.parametrize("inferred", [False, True])
def test_a_file_that_was_found_expired_did_not_expire_under_its_holder(
    inferred: bool, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = record(root, (2.0, 1.0))
    with contextlib.closing(Journal.open(path)) as journal:
        snapshot = journal.snapshot_at(time.time_ns())
        assert snapshot is not None
        event = Event(EventKind.EXPIRED, HELD.key, VOLUME, 1, snapshot.taken_wall_ns, inferred=inferred)
        journal.record(snapshot, [event])
    said = told(capsys, root, "show")
    assert "1 request ended without the lock" in said
    assert ("1 lock expired under its holder" in said) is not inferred


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_a_journal_that_cannot_be_read_is_done_without(
    command: str, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = record(root, (2.0, 1.0))
    path.write_bytes(b"SQLite format 3\0" + b"x" * 5000)
    done = run(capsys, command, "-t", str(root), *COMMANDS[command])
    assert done.code == ExitCode.NEGATIVE
    assert "lock-held" in done.out
    (note,) = [line for line in done.err.splitlines() if "recorded before" in line]
    assert str(path) in note
    assert "held since" not in done.out
