"""`locktop watch` as a process and in this one: events as they happen, outages, how it ends."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import backuplock
import locktop
from harness.builders import Lock, Volume, write, write_locks
from harness.commands import run
from locktop.exits import ExitCode

SOURCES = os.pathsep.join(str(Path(package.__path__[0]).parent) for package in (backuplock, locktop))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A store with one volume."""
    volume = Volume("v1", "shop", "orders")
    write(tmp_path, volume.cfg_key, volume.cfg)
    return tmp_path


class Watcher:
    """The command as a process; its JSON lines as they come."""

    def __init__(self, root: Path, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "locktop", "watch", "--json", "--interval", "0.2", str(root), *arguments],
            env={**os.environ, "PYTHONPATH": SOURCES},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.lines: list[dict[str, Any]] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(json.loads(line))

    def until(self, **fields: str) -> dict[str, Any]:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            for line in list(self.lines):
                if all(line.get(name) == value for name, value in fields.items()):
                    return line
            time.sleep(0.02)
        raise AssertionError(f"no line with {fields} among {self.lines}")

    def end(self) -> int:
        self.process.send_signal(signal.SIGINT)
        code = self.process.wait(30)
        self._reader.join(10)
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        self.process.stdout.close()
        self.process.stderr.close()
        return code


@pytest.fixture
def watcher(root: Path) -> Iterator[Watcher]:
    found = Watcher(root)
    yield found
    if found.process.poll() is None:
        found.end()


def test_events_come_as_they_happen_and_the_connection_is_told(root: Path, watcher: Watcher) -> None:
    started = watcher.until(record="started")
    assert (started["version"], started["volumes"], started["locks"]) == (1, 1, 0)
    lock = Lock("v1", "lock-a", 1, acquired=False, age_s=0)
    write_locks(root, [lock], time.time_ns())
    asked = watcher.until(kind="requested")
    assert (asked["volume"], asked["lock"], asked["key"], asked["inferred"]) == (
        "v1",
        "lock-a",
        lock.key,
        False,
    )
    write_locks(root, [Lock("v1", "lock-a", 1, age_s=0)], time.time_ns())
    watcher.until(kind="acquired")
    hidden = root.with_name(root.name + "-away")
    root.rename(hidden)
    assert watcher.until(record="lost")["reason"]
    hidden.rename(root)
    assert watcher.until(record="regained")["for_seconds"] >= 0
    (root / lock.key).unlink()
    assert watcher.until(kind="released")["inferred"] is True
    assert watcher.end() == ExitCode.INTERRUPTED


def test_without_renewals_one_that_takes_an_expiry_back_is_told(root: Path) -> None:
    locks = [Lock("v1", "lock-a", 1, age_s=200), Lock("v1", "lock-b", 1, age_s=20)]
    write_locks(root, locks, time.time_ns())
    watcher = Watcher(root, "--no-renewals")
    try:
        watcher.until(record="started")
        write_locks(root, [Lock("v1", lock.name, 1, age_s=0) for lock in locks], time.time_ns())
        renewed = watcher.until(kind="renewed", lock="lock-a")
        assert (renewed["detail"], renewed["inferred"]) == ("after it had expired", False)
        # Told of a later look: by then the other renewal would have been.
        write_locks(root, [Lock("v1", "lock-c", 1, age_s=0)], time.time_ns())
        watcher.until(kind="acquired", lock="lock-c")
    finally:
        watcher.end()
    assert [line["lock"] for line in watcher.lines if line.get("kind") == "renewed"] == ["lock-a"]


def test_for_a_while_in_text(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_locks(root, [Lock("v1", "lock-a", 1, age_s=20)], time.time_ns())
    appears = threading.Timer(0.5, write_locks, (root, [Lock("v1", "lock-b", 2, age_s=1)], time.time_ns()))
    appears.start()
    done = run(capsys, "watch", str(root), "--interval", "0.3", "--for", "3s")
    appears.join()
    assert done.code == ExitCode.OK
    (acquired,) = [line for line in done.out.splitlines() if "ACQUIRED" in line]
    assert "v1 (shop/orders)" in acquired
    assert "TWO TYPES ACTIVE" in done.out
    assert "watching" in done.err


def test_ends_unreachable_if_the_store_is_gone_at_the_end(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gone = threading.Timer(0.6, shutil.rmtree, (root,))
    gone.start()
    done = run(capsys, "watch", str(root), "--interval", "0.2", "--for", "3s")
    gone.join()
    assert done.code in (ExitCode.MISSING, ExitCode.UNREACHABLE)
    assert "lost:" in done.err


@pytest.mark.parametrize(
    ("arguments", "code"),
    [(["/no/such"], ExitCode.MISSING), ([], ExitCode.USAGE), ([".", "--for", "soon"], ExitCode.USAGE)],
    ids=str,
)
def test_wrong_from_the_start(
    arguments: list[str],
    code: ExitCode,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("LOCKTOP_TARGET", raising=False)
    done = run(capsys, "watch", *arguments)
    assert (done.code, done.out) == (code, "")
    assert done.err.count("\n") == 1
