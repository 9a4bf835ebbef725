"""The command that races many pairs between two processes: a short slice of it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from harness.race_run import Ground, judge
from harness.races import timing
from harness.referee import Referee

TESTS = Path(__file__).parent.parent


def races(*arguments: str) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(TESTS), str(TESTS.parent / "core")])
    return subprocess.run(
        [sys.executable, "-m", "harness.races", *arguments],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=110,
    )


@pytest.mark.parametrize(
    ("arguments", "kinds"),
    [
        (("--target", "files", "--pairs", "20"), {"ours"}),
        (("--target", "rclone", "--pairs", "12"), {"ours"}),
        (("--target", "moto", "--pairs", "10", "--original"), {"ours", "original"}),
    ],
    ids=["files", "rclone", "moto beside the original"],
)
def test_no_two_of_a_pair_are_inside_at_once(arguments: tuple[str, ...], kinds: set[str]) -> None:
    done = races(*arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    pairs = arguments[3]
    assert f"{pairs} pairs; " in done.stdout
    assert "0 files left; 0 violations" in done.stdout
    won = re.search(r"(\d+) pairs with a winner", done.stdout)
    assert won is not None
    assert int(won[1]) >= int(pairs) // 2
    assert set(re.findall(r"\d+ (ours|original) \w+", done.stdout)) == kinds


def test_without_a_lock_the_pairs_are_caught(tmp_path: Path) -> None:
    """The judge is not blind: a racer that asks no lock at all is found inside beside another."""
    (tmp_path / "store").mkdir()
    ground = Ground(
        str(tmp_path / "store"), {}, str(tmp_path / "referee"), timing(15, 0.2), "race", 1, 1, 0.1, 1
    )
    referee = Referee(tmp_path / "referee")
    with referee.inside(ground.volume(0), 1, "a"), referee.inside(ground.volume(0), 2, "b"):
        pass
    assert judge(ground, "files", Counter({"ours held": 2})) == 1
