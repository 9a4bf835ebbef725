"""The table of costs is made, and who waits for it is told how far it is."""

from __future__ import annotations

import subprocess
import sys

import pytest

from harness.process import executable
from harness.running import environ

pytestmark = pytest.mark.skipif(executable("rclone") is None, reason="there is no rclone to serve S3")


def test_a_small_run_makes_the_table_and_tells_its_progress() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.lock_costs", "--rounds", "1", "--locks", "3", "--seconds", "6"],
        capture_output=True,
        text=True,
        timeout=110,
        env=environ(),
    )
    assert done.returncode == 0, done.stderr
    table = done.stdout.splitlines()
    assert len(table) == 6
    assert table[0].split() == ["ours", "the", "original"]
    assert "of 6 seconds held" in done.stderr
    for what in (
        "requests of an hour",
        "latency, rclone",
        "latency, files",
        "3 locks, files",
        "3 locks, rclone",
    ):
        assert f"{what}: begins" in done.stderr
