"""A program on a terminal of its own: what it shows is waited for, what a person would type is typed."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import select
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from harness.running import DEADLINE_S, environ


class Terminal:
    """One program; use `on_terminal`."""

    def __init__(self, pid: int, fd: int) -> None:
        self.pid = pid
        self._fd = fd
        self.shown = ""
        self._code: int | None = None

    def type(self, text: str) -> None:
        """As a person does; `\\x03` is Ctrl-C."""
        os.write(self._fd, text.encode())

    def expect(self, pattern: str) -> re.Match[str]:
        """Wait until it is shown, after what was found last."""
        give_up = time.monotonic() + DEADLINE_S
        while True:
            found = re.search(pattern, self.shown)
            if found:
                self.shown = self.shown[found.end() :]
                return found
            assert time.monotonic() < give_up, (pattern, self.shown)
            assert self._read(), (pattern, self.shown)

    def end(self) -> tuple[int, str]:
        """Its exit code (128 + n: ended by signal n), and what was shown and not yet found."""
        give_up = time.monotonic() + DEADLINE_S
        while self._read():
            assert time.monotonic() < give_up, self.shown
        self._wait()
        assert self._code is not None
        return self._code, self.shown

    def kill(self) -> None:
        """End it by force."""
        if self._code is None:
            os.kill(self.pid, signal.SIGKILL)
            self._wait()
        os.close(self._fd)

    def _read(self) -> bool:
        """Take what comes; false at the end."""
        if select.select([self._fd], [], [], 0.5)[0]:
            try:
                self.shown += os.read(self._fd, 65536).decode("utf-8", "replace")
            except OSError:
                return False
        return True

    def _wait(self) -> None:
        _, status = os.waitpid(self.pid, 0)
        code = os.waitstatus_to_exitcode(status)
        self._code = 128 - code if code < 0 else code


@contextlib.contextmanager
def on_terminal(
    cwd: Path, arguments: Sequence[str], *, lease_s: float = 150, **changes: str
) -> Iterator[Terminal]:
    """`locktop ARGUMENTS` in a folder, with a terminal for all three streams."""
    program = ["-m", "locktop"] if lease_s == 150 else ["-m", "harness.run_worker", str(lease_s)]
    pid, fd = pty.fork()
    if pid == 0:
        os.chdir(cwd)
        command = [sys.executable, *program, *arguments]
        os.execvpe(sys.executable, command, environ(TERM="xterm", COLUMNS="200", **changes))
    terminal = Terminal(pid, fd)
    try:
        yield terminal
    finally:
        terminal.kill()
