"""Fixtures for commands on servers."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.s3_commands import Ended, ended_in


@pytest.fixture
def ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Ended:
    """Runs a command on a target to its end, with an audit trail of the test's own."""
    return ended_in(tmp_path, monkeypatch, capsys)
