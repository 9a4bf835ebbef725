"""`locktop run` and `locktop hold` as processes, and what tests ask of them."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import backuplock
import harness
import locktop
from harness.builders import Volume, volume_folder, write

VOLUME = "pvc-1"
DEADLINE_S = 60.0
"""How long a test waits for what must happen; generous, for machines are shared."""
SOURCES = os.pathsep.join(str(Path(package.__path__[0]).parent) for package in (backuplock, locktop, harness))

STUBBORN = "trap '' TERM; touch started; sleep 100"
"""A command that takes no hint."""
POLITE = "trap 'echo told > told; exit 3' TERM; touch started; sleep 100 & wait"
"""A command that notes SIGTERM and ends."""


def make_store(root: Path, *names: str) -> Path:
    """A backup store with volumes in a folder: `VOLUME`, unless others are named; the folder."""
    for volume in map(Volume, names or (VOLUME,)):
        write(root, volume.cfg_key, volume.cfg)
    return root


def until(condition: Callable[[], object], what: str) -> None:
    """Wait until it is true."""
    give_up = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < give_up, f"waited in vain: {what}"
        time.sleep(0.02)


def locks(root: Path, volume: str = VOLUME) -> list[Path]:
    """The lock files of a volume below a store's folder."""
    return sorted((root / volume_folder(volume) / "locks").glob("*.lck"))


def alive(pid: int) -> bool:
    """Whether a process lives; a zombie does not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"


def children(pid: int) -> list[int]:
    """Living children of a process."""
    found: list[int] = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                if parent == pid and alive(int(entry.name)):
                    found.append(int(entry.name))
    return found


def environ(**changes: str) -> dict[str, str]:
    """The environment without settings of ours."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("LOCKTOP_", "AWS_"))}
    return {**kept, "PYTHONPATH": SOURCES, **changes}


class Running:
    """One process; its output is collected when it ends."""

    def __init__(self, process: subprocess.Popen[str], cwd: Path) -> None:
        self.process = process
        self.pid = process.pid
        self._cwd = cwd

    def started(self) -> None:
        """Wait until the command under the lock says that it runs."""
        until(lambda: (self._cwd / "started").exists() or self.process.poll() is not None, "the command runs")
        assert self.process.poll() is None, self.process.communicate()

    def command(self) -> int:
        """The pid of the command: the child that leads a group and no session."""
        return next(pid for pid in children(self.pid) if os.getpgid(pid) == pid and os.getsid(pid) != pid)

    def watchdog(self) -> int:
        """The pid of the watchdog: the child that leads a session."""
        return next(pid for pid in children(self.pid) if os.getsid(pid) == pid)

    def send(self, number: int) -> None:
        self.process.send_signal(number)

    def said(self, words: str) -> None:
        """Wait until a line of stderr has these words; lines up to it are not part of `end`."""
        assert self.process.stderr is not None
        line = " "
        while line and words not in line:
            line = self.process.stderr.readline()
        assert line, f"it ended without saying {words!r}"

    def end(self) -> tuple[int, str, str]:
        """Exit code, stdout, stderr."""
        out, err = self.process.communicate(timeout=DEADLINE_S)
        return self.process.returncode, out, err


@contextlib.contextmanager
def running(
    cwd: Path, *arguments: str, lease_s: float = 150, ignored: str = "", **changes: str
) -> Iterator[Running]:
    """`locktop ARGUMENTS` in a folder of its own; `ignored` names a signal that its parent ignores."""
    program = ["-m", "locktop"] if lease_s == 150 else ["-m", "harness.run_worker", str(lease_s)]
    through = ["sh", "-c", f"trap '' {ignored}; exec \"$@\"", "sh"] if ignored else []
    process = subprocess.Popen(
        [*through, sys.executable, *program, *arguments],
        cwd=cwd,
        env=environ(**changes),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    started = Running(process, cwd)
    try:
        yield started
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGCONT)
        process.kill()
        process.communicate()
