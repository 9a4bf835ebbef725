"""The guest that all tests here read from: booted once, while the tests before these run."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from harness.uml import Guest, missing_programs, played

HERE = Path(__file__).parent


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """These come last, and the first worker boots the guest right away: nobody then waits a minute for it."""
    mine = [item for item in items if HERE in item.path.parents]
    others = [item for item in items if HERE not in item.path.parents]
    items[:] = [*others, *mine]
    if mine and others and os.environ.get("PYTEST_XDIST_WORKER") == "gw0" and not missing_programs():
        factory = config._tmp_path_factory  # type: ignore[attr-defined]
        folder = _folder(factory.getbasetemp())
        threading.Thread(target=played, args=(folder,), name="uml", daemon=True).start()


def _folder(base: Path) -> Path:
    return (base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base) / "uml"


@pytest.fixture(scope="session")
def guest(tmp_path_factory: pytest.TempPathFactory) -> Guest:
    """A guest that has played all scenes, where user-mode-linux and the servers are installed."""
    missing = missing_programs()
    if missing:
        pytest.skip(
            f"no kernel of our own to mount with (not installed: {', '.join(missing)}); CI installs it"
        )
    return played(_folder(tmp_path_factory.getbasetemp()))
