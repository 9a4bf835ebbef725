"""The watchdog beside `locktop run`: a small process that ends the command if locktop cannot.

It is told until when it need not act, again and again. When that moment passes (locktop was stopped, or
hangs) or the pipe closes (locktop was killed), it ends the command's process group: SIGTERM, after a grace
SIGKILL. It runs in a session of its own, out of reach of the terminal's signals.

    until MONO_NS LEFT_NS     nothing is to be done for so long, counted from that monotonic instant
    tie GROUP GRACE_NS        which process group, and how long it gets to end
    bye                       the command has ended; so does the watchdog
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import backuplock
import locktop
from backuplock.clock import SECOND, LeaseClock, SystemClock, nanoseconds, seconds
from backuplock.text import printable
from locktop.exits import SystemRefused
from locktop.jobs import members

_LOOK_NS = SECOND
"""The longest wait in one go: waits do not count suspend, the clock that is asked afterwards does."""


class Leash:
    """The watchdog, as whoever starts it sees it.

    Raises:
        SystemRefused: the system gives no process; nothing was started.
    """

    def __init__(self) -> None:
        # It finds the very packages that run here, installed or not.
        sources = sorted({str(Path(package.__path__[0]).parent) for package in (backuplock, locktop)})
        self._clock = SystemClock()
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-S", "-m", "locktop.leash"],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd="/",
                env={**os.environ, "PYTHONPATH": os.pathsep.join(sources)},
                start_new_session=True,
            )
        except OSError as error:
            why = printable(error.strerror or str(error), limit=100)
            raise SystemRefused(
                f"the watchdog beside the command does not start: {why}",
                advice="the store was not touched; look at the limits on processes and memory",
            ) from None
        assert self._process.stdin is not None
        self._pipe = self._process.stdin.fileno()
        # A watchdog that is stopped must not stop us.
        os.set_blocking(self._pipe, False)

    def tie(self, group: int, grace_s: float) -> None:
        """Which process group is to be ended, and how long it gets."""
        self._tell(f"tie {group} {nanoseconds(grace_s)}")

    def until(self, left_s: float) -> None:
        """Nothing is to be done for so long."""
        self._tell(f"until {self._clock.mono_ns()} {nanoseconds(left_s)}")

    def alive(self) -> bool:
        """Whether it still watches."""
        return self._process.poll() is None

    def let_go(self) -> None:
        """The command has ended: the watchdog ends as well."""
        self._tell("bye")
        with contextlib.suppress(OSError):
            assert self._process.stdin is not None
            self._process.stdin.close()
        try:
            self._process.wait(1)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _tell(self, line: str) -> None:
        with contextlib.suppress(OSError):
            os.write(self._pipe, f"{line}\n".encode())


class _Watch:
    """The watchdog itself."""

    def __init__(self, pipe: int) -> None:
        self._pipe = pipe
        self._clock = SystemClock()
        self._lease_clock = LeaseClock(self._clock)
        self._rest = b""
        self._group: int | None = None
        self._grace = 10 * SECOND
        self._deadline: int | None = None
        self._released = False
        self._alone = False

    def run(self) -> None:
        while not (self._released or self._alone):
            left = self._left(self._deadline)
            self._listen(left)
            # What lies in the pipe counts, though we may have been stopped ourselves for long.
            if left == 0 and self._left(self._deadline) == 0:
                break
        if self._released or self._group is None:
            return
        # Continued, so that a stopped command can act on the signal.
        if self._signal(signal.SIGTERM) and self._signal(signal.SIGCONT):
            end = self._lease_clock.now() + self._grace
            while not self._released and self._left(end) and members(self._group) != []:
                self._listen(min(self._left(end), SECOND // 10))
            if not self._released:
                self._signal(signal.SIGKILL)

    def _left(self, deadline: int | None) -> int:
        return _LOOK_NS if deadline is None else max(0, deadline - self._lease_clock.now())

    def _listen(self, most_ns: int) -> None:
        wait = seconds(min(most_ns, _LOOK_NS))
        if self._alone:
            self._clock.sleep(nanoseconds(wait))
            return
        if not select.select([self._pipe], [], [], wait)[0]:
            return
        found = os.read(self._pipe, 65536)
        self._alone = not found
        *lines, self._rest = (self._rest + found).split(b"\n")
        for line in lines:
            self._heed(line.split())

    def _heed(self, words: list[bytes]) -> None:
        match words:
            case [b"tie", group, grace]:
                self._group, self._grace = int(group), int(grace)
            case [b"until", at, left]:
                ago = self._clock.mono_ns() - int(at)
                self._deadline = self._lease_clock.now() - ago + int(left)
            case [b"bye"]:
                self._released = True

    def _signal(self, number: int) -> bool:
        """Whether there is still somebody to signal."""
        assert self._group is not None
        try:
            os.killpg(self._group, number)
        except ProcessLookupError:
            return False
        except PermissionError:
            # A command that runs as somebody else; it is there all the same.
            return True
        return True


if __name__ == "__main__":
    _Watch(sys.stdin.fileno()).run()
