"""The demo as processes: it starts, lives, and leaves nothing behind, however it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

import backuplock
import locktop
from backuplock.stores.filesystem import FilesystemStore
from backuplock.survey import sweep

SOURCES = os.pathsep.join(str(Path(package.__path__[0]).parent) for package in (backuplock, locktop))
DEADLINE_S = 60


@contextmanager
def demo(temporary: Path, *arguments: str) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """`locktop demo --no-console` and the path it printed."""
    process = subprocess.Popen(
        [sys.executable, "-m", "locktop", "demo", "--no-console", *arguments],
        env={**os.environ, "PYTHONPATH": SOURCES, "TMPDIR": str(temporary)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        yield process, Path(process.stdout.readline().strip())
    finally:
        process.kill()
        process.communicate()


def clients(root: Path) -> list[int]:
    """Processes of the demo on this folder, other than the first."""
    found: list[int] = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                command = (entry / "cmdline").read_bytes().split(b"\0")
                if b"locktop.demo.cluster" in command and os.fsencode(root) in command:
                    found.append(int(entry.name))
    return found


def until(condition: Callable[[], bool], what: str) -> None:
    """Wait for a condition."""
    give_up = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < give_up, f"not in {DEADLINE_S} s: {what}"
        time.sleep(0.05)


def fingerprint(root: Path) -> frozenset[tuple[str, int | None]]:
    """The locks of a store and their times."""
    locks = sweep(FilesystemStore(root)).locks
    return frozenset((lock.key, lock.modified_ns) for lock in locks)


def test_it_lives_and_cleans_up_on_sigterm(tmp_path: Path) -> None:
    with demo(tmp_path) as (process, root):
        assert root.parent == tmp_path
        first = fingerprint(root)
        assert len(first) > 20
        until(lambda: len(clients(root)) > 10, "clients run")
        seen = {first}

        def changed() -> bool:
            seen.add(fingerprint(root))
            return len(seen) >= 4

        until(changed, "three changes")
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=DEADLINE_S)
        assert (process.returncode, out, err) == (128 + signal.SIGTERM, "", "")
        assert clients(root) == []
        assert list(tmp_path.iterdir()) == []


def test_it_ends_by_ctrl_c(tmp_path: Path) -> None:
    with demo(tmp_path) as (process, root):
        until(lambda: len(clients(root)) > 1, "clients run")
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=DEADLINE_S)
        assert (process.returncode, out, err) == (130, "", "")
        assert clients(root) == []
        assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="needs /proc to find the clients")
def test_the_cluster_cleans_up_when_its_parent_is_killed(tmp_path: Path) -> None:
    with demo(tmp_path) as (process, root):
        until(lambda: len(clients(root)) > 10, "clients run")
        process.kill()
        until(lambda: not clients(root), "the clients end")
        until(lambda: not root.exists(), "the folder is removed")


def test_the_parent_cleans_up_when_the_cluster_is_killed(tmp_path: Path) -> None:
    with demo(tmp_path) as (process, root):
        until(lambda: len(clients(root)) > 10, "clients run")
        parents = {pid: _parent(pid) for pid in clients(root)}
        (cluster,) = [pid for pid, parent in parents.items() if parent == process.pid]
        os.kill(cluster, signal.SIGKILL)
        out, err = process.communicate(timeout=DEADLINE_S)
        assert process.returncode == 4
        assert out == ""
        assert err.count("\n") == 1
        assert "ended by themselves" in err
        until(lambda: not clients(root), "the clients end")
        assert list(tmp_path.iterdir()) == []


def _parent(pid: int) -> int:
    # The name in parentheses may hold anything; what follows the last one is fields.
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def test_keep_leaves_the_folder_without_clients(tmp_path: Path) -> None:
    with demo(tmp_path, "--keep") as (process, root):
        until(lambda: len(clients(root)) > 1, "clients run")
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=DEADLINE_S)
        assert str(root) in err
        assert clients(root) == []
        assert len(fingerprint(root)) > 20


def test_no_place_for_the_folder_is_one_line(tmp_path: Path) -> None:
    # A temporary folder that is not there: Python then takes /tmp, so it is taken from Python too.
    program = "import sys, tempfile; tempfile.tempdir = sys.argv[1]; from locktop.cli import main; "
    program += "sys.exit(main(['demo', '--no-console']))"
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "absent")],
        env={**os.environ, "PYTHONPATH": SOURCES},
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    assert done.returncode == 5
    assert done.stderr.count("\n") == 1
    assert "set TMPDIR" in done.stderr
