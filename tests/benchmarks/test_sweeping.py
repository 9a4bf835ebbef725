"""The table of the sweep's costs is made; what it says of times counts only on a quiet machine."""

from __future__ import annotations

import subprocess
import sys

import pytest

from harness.process import executable
from harness.running import environ

pytestmark = pytest.mark.skipif(executable("rclone") is None, reason="there is no rclone to serve S3")


def test_a_small_run_makes_the_table_and_counts_requests() -> None:
    command = [
        sys.executable,
        "-m",
        "benchmarks.sweeping",
        "--volumes",
        "60",
        "--only",
        "s3,blocks,files,memory",
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=110, env=environ())
    table = {line.split("  ")[0]: line for line in done.stdout.splitlines()[1:]}
    assert len(table) == 14, done.stderr
    for what in ("second sweep: GET", "a volume with 2,000,000 blocks among 50: requests"):
        assert table[what].endswith("reached")
    assert "round 1 of 3, plain" in done.stderr
