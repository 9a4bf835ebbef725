"""A full disk, and rights that do not suffice, in processes of their own: nothing is removed then."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

NAMESPACE = ("unshare", "--user", "--map-root-user", "--mount")


def can_mount() -> bool:
    if shutil.which("unshare") is None:
        return False
    command = [*NAMESPACE, "mount", "-t", "tmpfs", "none", tempfile.gettempdir()]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def worker(task: str, *arguments: object, prefix: tuple[str, ...] = ()) -> dict[str, Any]:
    paths = os.pathsep.join(path for path in sys.path if path)
    ran = subprocess.run(
        [*prefix, sys.executable, "-m", "harness.break_worker", task, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    found: dict[str, Any] = json.loads(ran.stdout)
    return found


@pytest.fixture
def reachable() -> Iterator[Path]:
    """A folder that any user can reach; pytest's own are closed to others."""
    folder = Path(tempfile.mkdtemp(prefix="locktop-test-"))
    folder.chmod(0o755)
    yield folder
    for path in folder.rglob("*"):
        if path.is_dir():
            path.chmod(0o700)
    shutil.rmtree(folder)


@pytest.mark.skipif(
    not can_mount(), reason="this system lets nobody mount a tmpfs in a namespace of their own"
)
def test_a_full_disk(tmp_path: Path) -> None:
    store, state = tmp_path / "store", tmp_path / "state"
    store.mkdir()
    state.mkdir()
    told = worker("full", store, state, prefix=NAMESPACE)
    assert "no copy of pvc-1/lock-feed000000000001.lck could be kept, so it was not broken" in told["store"]
    assert "No space left on device" in told["store"]
    assert told["trail"].startswith("AuditError: audit trail ")
    assert "full" in told["trail"]
    for what in ("store", "trail"):
        content, old = told[f"{what}: lock"]
        assert '"Acquired":true' in content
        assert old, "its time is what it was"
        assert told[f"{what}: files"] == []
        assert told[f"{what}: open"] == 0
    assert told["with room"] == "broken"


def test_whoever_may_not_remove_the_lock_is_told(reachable: Path) -> None:
    store, state = reachable / "store", reachable / "state"
    store.mkdir()
    state.mkdir()
    told = worker("rights", store, state / "audit.db")
    assert told["told"].startswith("Failed: pvc-1/lock-feed000000000001.lck was not broken: ")
    assert "Permission denied" in told["told"]
    assert told["lock"] is not None
    assert told["quarantine"] == []
    assert told["outcomes"] == ["failed"]
