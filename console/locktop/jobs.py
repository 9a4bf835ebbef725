"""Process groups, and the terminal they share."""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path


def members(group: int) -> list[int] | None:
    """Living processes of a process group; None where the system does not tell (there is no /proc)."""
    found: list[int] = []
    try:
        processes = [entry for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    except OSError:
        return None
    for process in processes:
        with contextlib.suppress(OSError):
            stat = (process / "stat").read_text("ascii", "replace")
            # The name in brackets may hold anything.
            state, _parent, its_group = stat.rpartition(")")[2].split()[:3]
            if int(its_group) == group and state not in "ZX":
                found.append(int(process.name))
    return found


def is_pending(group: int, number: int) -> bool:
    """Whether a signal waits for a process of a group, one that is stopped say; false where the system does
    not tell."""
    for process in members(group) or ():
        with contextlib.suppress(OSError):
            for line in (Path("/proc") / str(process) / "status").read_text("ascii", "replace").splitlines():
                name, _, bits = line.partition(":")
                if name in ("SigPnd", "ShdPnd") and int(bits, 16) >> (number - 1) & 1:
                    return True
    return False


class Terminal:
    """The controlling terminal: which process group may read from it. Without one, everything is a no."""

    def __init__(self) -> None:
        try:
            self._fd = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
        except OSError:
            self._fd = -1

    @property
    def foreground(self) -> int | None:
        """The process group in the foreground."""
        if self._fd < 0:
            return None
        try:
            return os.tcgetpgrp(self._fd)
        except OSError:
            return None

    @property
    def ours(self) -> bool:
        """Whether our own group is in the foreground."""
        return self.foreground == os.getpgrp()

    @property
    def only_ours(self) -> bool:
        """Whether our own group is in the foreground, and nobody else belongs to it (no pipeline)."""
        return self.ours and members(os.getpgrp()) == [os.getpid()]

    def give(self, group: int) -> None:
        """Put a group into the foreground."""
        # Whoever is in the background is stopped for trying, unless the signal is blocked.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTTOU])
        try:
            with contextlib.suppress(OSError):
                os.tcsetpgrp(self._fd, group)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def take_back(self, group: int) -> bool:
        """Put our own group into the foreground if that group is; whether it was."""
        if self.foreground != group:
            return False
        self.give(os.getpgrp())
        return True

    def close(self) -> None:
        """Let go of it."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
