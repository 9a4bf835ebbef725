"""The watchdog by itself, on a process group of the test's."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from backuplock.clock import SystemClock
from harness.commands import fingerprint
from harness.running import VOLUME, alive, make_store, until
from locktop import cli
from locktop.exits import ExitCode
from locktop.leash import Leash


@pytest.fixture
def leash() -> Iterator[Leash]:
    made = Leash()
    yield made
    made.let_go()
    assert not made.alive()


def test_a_system_that_gives_no_process_is_no_store_that_does_not_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    root = make_store(tmp_path)
    before = fingerprint(root)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "gone"))
    command = ["run", "-t", str(root), "--volume", VOLUME, "--for", "backup", "--", "touch", "ran"]
    assert cli.main(command) == ExitCode.SYSTEM
    err = capfd.readouterr().err
    assert "the watchdog beside the command does not start: No such file" in err
    assert err.count("\n") == 1
    assert fingerprint(root) == before


@pytest.fixture
def group() -> Iterator[subprocess.Popen[bytes]]:
    """A shell that ends on SIGTERM with 3, after its child."""
    script = "trap 'exit 3' TERM; sleep 100 & echo ready; wait"
    process = subprocess.Popen(["sh", "-c", script], stdout=subprocess.PIPE, process_group=0)
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    yield process
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.stdout.close()
    process.wait()


def test_it_acts_when_it_is_not_told_to_wait_any_more(leash: Leash, group: subprocess.Popen[bytes]) -> None:
    leash.until(2.0)
    leash.tie(group.pid, 5.0)
    began = time.monotonic()
    assert group.wait(60) == 3
    assert time.monotonic() - began > 1.5
    until(lambda: not leash.alive(), "its work is done")


def test_being_told_again_keeps_it_waiting(leash: Leash, group: subprocess.Popen[bytes]) -> None:
    leash.tie(group.pid, 5.0)
    for _ in range(4):
        leash.until(30.0)
        leash.until(60.0)
        with pytest.raises(subprocess.TimeoutExpired):
            group.wait(0.2)
    leash.until(0.0)
    assert group.wait(60) == 3


def test_it_counts_from_when_it_was_told_not_from_when_it_heard(
    leash: Leash, group: subprocess.Popen[bytes]
) -> None:
    leash.tie(group.pid, 5.0)
    long_ago = SystemClock().mono_ns() - 100 * 10**9
    leash._tell(f"until {long_ago} {90 * 10**9}")
    assert group.wait(60) == 3


def test_what_was_said_while_it_was_stopped_counts(leash: Leash, group: subprocess.Popen[bytes]) -> None:
    leash.tie(group.pid, 5.0)
    leash.until(1.0)
    until(lambda: alive(leash._process.pid), "it runs")
    # Long enough for what it was told to be read before it stops.
    time.sleep(0.5)
    leash._process.send_signal(signal.SIGSTOP)
    time.sleep(1.0)
    leash.until(60.0)
    leash._process.send_signal(signal.SIGCONT)
    with pytest.raises(subprocess.TimeoutExpired):
        group.wait(1.0)


def test_a_stopped_group_is_continued_to_end(leash: Leash, group: subprocess.Popen[bytes]) -> None:
    group.send_signal(signal.SIGSTOP)
    leash.tie(group.pid, 5.0)
    leash.until(0.0)
    assert group.wait(60) == 3


def test_let_go_it_does_nothing(group: subprocess.Popen[bytes]) -> None:
    made = Leash()
    made.tie(group.pid, 0.0)
    made.until(60.0)
    made.let_go()
    with pytest.raises(subprocess.TimeoutExpired):
        group.wait(0.3)
