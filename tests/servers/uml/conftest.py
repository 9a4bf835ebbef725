"""The guest that all tests here read from: booted once, by whichever process of the test run asks first."""

from __future__ import annotations

import os

import pytest

from harness.uml import Guest, missing_programs, played


@pytest.fixture(scope="session")
def guest(tmp_path_factory: pytest.TempPathFactory) -> Guest:
    """A guest that has played all scenes, where user-mode-linux and the servers are installed."""
    missing = missing_programs()
    if missing:
        pytest.skip(
            f"no kernel of our own to mount with (not installed: {', '.join(missing)}); CI installs it"
        )
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base
    return played(shared / "uml")
