"""A short slice of the soak; the long one is `python -m soak.run`."""

from __future__ import annotations

from pathlib import Path

import pytest

from soak.run import run


@pytest.mark.parametrize("target", ["files", "rclone"])
def test_a_short_slice(target: str, tmp_path: Path) -> None:
    soak, summary, wrong = run(
        target,
        8,
        ours=3,
        originals=1,
        volumes=2,
        lease_s=6.0,
        settle_s=1.0,
        pause_s=1.0,
        folder=tmp_path,
        at_least=1,
    )
    assert wrong == [], summary
    counts = soak.counts()
    # How often depends on chance and on the machine; never at all would show nothing.
    assert counts["ours held"] >= 1, summary
    assert soak.happened.total() >= 1, summary
