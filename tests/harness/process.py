"""Start a server as a child process, wait until it is ready, stop it by its pid."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

DEADLINE_S = 60.0
"""How long a server may take to start; generous, for machines are shared."""


def executable(name: str) -> str | None:
    """Where a program is: beside this Python (PyPI packages bring programs), on the path, in sbin."""
    beside = Path(sys.executable).parent / name
    if beside.is_file():
        return str(beside)
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin:/usr/local/sbin")


def free_port() -> int:
    """A loopback port that was free a moment ago; for servers that cannot choose one themselves."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def accepts(port: int) -> bool:
    """Whether somebody listens on a loopback port."""
    with socket.socket() as sock:
        sock.settimeout(1.0)
        return sock.connect_ex(("127.0.0.1", port)) == 0


class Process:
    """A child process whose output goes to a file.

    Args:
        command: program and arguments.
        log: where its standard output and error go.
        env: added to the environment of the tests.
    """

    def __init__(self, command: Sequence[str], log: Path, *, env: Mapping[str, str] | None = None) -> None:
        self.log = log
        # A server must not outlive tests that were killed themselves.
        leash = ["setpriv", "--pdeathsig", "KILL"] if shutil.which("setpriv") else []
        with log.open("ab") as out:
            self._child = subprocess.Popen(
                [*leash, *command],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(env or {})},
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self._child.pid

    def wait_for(self, pattern: str) -> re.Match[str]:
        """Wait until its output has a line that matches."""
        give_up = time.monotonic() + DEADLINE_S
        while True:
            found = re.search(pattern, self.output())
            if found:
                return found
            self._check(give_up, f"say {pattern!r}")

    def wait_port(self, port: int) -> None:
        """Wait until it listens."""
        give_up = time.monotonic() + DEADLINE_S
        while not accepts(port):
            self._check(give_up, f"listen on port {port}")

    def output(self) -> str:
        return self.log.read_text("utf-8", "replace") if self.log.exists() else ""

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal, for example SIGSTOP and SIGCONT."""
        self._child.send_signal(number)

    def wait(self, timeout_s: float) -> None:
        """Wait until it ends by itself; an error if it does not in so many seconds."""
        try:
            self._child.wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise RuntimeError(f"still there after {timeout_s:.0f} s: {self.output()[-2000:]}") from None

    def stop(self, *, gently: bool = True) -> None:
        """End it, by force if it does not go; doing so again is harmless."""
        if self._child.poll() is None:
            self._child.send_signal(signal.SIGCONT)
            self._child.send_signal(signal.SIGTERM if gently else signal.SIGKILL)
            try:
                self._child.wait(5)
            except subprocess.TimeoutExpired:
                self._child.kill()
        self._child.wait()

    def _check(self, give_up: float, what: str) -> None:
        if self._child.poll() is not None:
            raise RuntimeError(f"server ended with {self._child.returncode}: {self.output()[-2000:]}")
        if time.monotonic() > give_up:
            self.stop(gently=False)
            raise RuntimeError(f"server did not {what} in {DEADLINE_S:.0f} s: {self.output()[-2000:]}")
        time.sleep(0.02)
