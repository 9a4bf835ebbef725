"""One command under a lock: runs it in the foreground, relays signals, ends it when the lock is lost.

The command gets a process group of its own, so that all of it can be ended at once and nothing else is.
The terminal is handed to that group: at the start if locktop is alone in its own (an interactive shell's
job), else when the command first wants to read (a pipeline's other members may want it too).
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from backuplock.clock import Clock, SystemClock, nanoseconds, seconds
from locktop.exits import SIGNALLED
from locktop.inbox import Inbox
from locktop.jobs import Terminal, is_pending, members
from locktop.leash import Leash
from locktop.output.streams import say

_TO_GROUP = (signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGHUP, signal.SIGWINCH)
_TO_COMMAND = (signal.SIGUSR1, signal.SIGUSR2)
RELAYED = (*_TO_GROUP, *_TO_COMMAND, signal.SIGTSTP, signal.SIGCONT)
"""What is passed on to the command."""

_BEAT_S = 1.0
_SLACK_S = 1.0
"""How much later than we the watchdog acts: it is there for when we cannot."""
_ENDED = (os.CLD_EXITED, os.CLD_KILLED, os.CLD_DUMPED)


@dataclass(frozen=True, slots=True)
class End:
    """How it went.

    Attributes:
        code: the command's exit code, 128 + n if signal n ended it; None if it never ran.
        lost: the lock was lost while it ran.
        killed: it did not end within the grace.
        left: processes of its group that go on.
    """

    code: int | None
    lost: bool = False
    killed: bool = False
    left: tuple[int, ...] = ()


class Supervisor:
    """Runs one command. `run` belongs in the main thread; `lose` may be called from any.

    Args:
        command: program and arguments.
        program: the file to execute.
        env: the command's environment.
        inbox: open; more signals are caught in it while the command runs.
        leash: started.
        remaining: seconds for which the lock is ours; 0 once it is lost.
        grace_s: from SIGTERM to SIGKILL.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        program: str,
        env: Mapping[str, str],
        inbox: Inbox,
        leash: Leash,
        remaining: Callable[[], float],
        grace_s: float,
        clock: Clock | None = None,
    ) -> None:
        self._command = list(command)
        self._program = program
        self._env = dict(env)
        self._inbox = inbox
        self._leash = leash
        self._remaining = remaining
        self._grace_s = grace_s
        self._clock = clock or SystemClock()
        # `lose` may find the main thread anywhere, even in itself.
        self._guard = threading.RLock()
        self._child: subprocess.Popen[bytes] | None = None
        self._kill_at: int | None = None
        self._ended = False
        self._killed = False
        self._stopped = False
        self._suspending = False
        self._unwatched = False

    def lose(self) -> None:
        """The lock is lost: tell the command to end, now; `run` sees to it that it does."""
        with self._guard:
            if self._kill_at is not None:
                return
            self._kill_at = self._clock.mono_ns() + nanoseconds(self._grace_s)
            self._end_it()
        self._inbox.poke()

    def run(self) -> End:
        """Run the command to its end.

        Raises:
            OSError: it could not be started.
        """
        self._terminal = Terminal()
        try:
            with self._inbox.also((*RELAYED, signal.SIGCHLD)):
                self._beat()
                if self._lost:
                    return End(None, lost=True)
                try:
                    self._start()
                    while not self._over():
                        for number in self._inbox.wait(self._pause()):
                            self._relay(number)
                        self._beat()
                        self._look()
                    return self._finish()
                except BaseException:
                    # The lock goes now, so the command must not go on.
                    self._signal(signal.SIGKILL)
                    raise
        finally:
            self._terminal.close()

    @property
    def _lost(self) -> bool:
        return self._kill_at is not None

    @property
    def _group(self) -> int:
        assert self._child is not None
        return self._child.pid

    def _start(self) -> None:
        alone = self._terminal.only_ours
        child = subprocess.Popen(
            self._command,
            executable=self._program,
            env=self._env,
            process_group=0,
            # What the shell opened for the command, <(...) say, is the command's; our own is closed anyway.
            close_fds=False,
        )
        with self._guard:
            self._child = child
            self._leash.tie(child.pid, self._grace_s)
            if self._lost:
                self._end_it()
        if alone:
            # If it wanted the terminal before, it stopped, which `_look` sees. A SIGCONT sent blindly would
            # undo a Ctrl-Z that was typed just now.
            self._terminal.give(child.pid)

    def _signal(self, number: int) -> None:
        with self._guard:
            if self._child is None or self._child.returncode is not None:
                return
            # Gone, or not ours to signal (a command that became another user).
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._group, number)

    def _end_it(self) -> None:
        self._signal(signal.SIGTERM)
        # A stopped process acts on nothing but this.
        self._signal(signal.SIGCONT)

    def _beat(self) -> None:
        """Look at the lease, tell the watchdog, and kill when the grace is over."""
        if not (self._unwatched or self._leash.alive()):
            self._unwatched = True
            say(
                "the watchdog process has ended: if locktop is killed now, the command goes on without a lock"
            )
        if not self._lost:
            left = self._remaining()
            if left > 0:
                self._leash.until(left + _SLACK_S)
                return
            self.lose()
        assert self._kill_at is not None
        grace = max(0.0, seconds(self._kill_at - self._clock.mono_ns()))
        self._leash.until(grace + _SLACK_S)
        if grace == 0 and self._child is not None:
            self._killed = self._killed or not self._ended
            self._signal(signal.SIGKILL)

    def _pause(self) -> float:
        if not self._lost:
            return _BEAT_S
        assert self._kill_at is not None
        left = seconds(self._kill_at - self._clock.mono_ns())
        # Other members of its group end without a word to us.
        return max(0.1, min(left, 0.1 if self._ended else _BEAT_S))

    def _over(self) -> bool:
        if not (self._ended and self._lost):
            return self._ended
        assert self._kill_at is not None
        return not members(self._group) or self._clock.mono_ns() >= self._kill_at + nanoseconds(_SLACK_S)

    def _finish(self) -> End:
        assert self._child is not None
        self._terminal.take_back(self._group)
        with self._guard:
            if self._lost:
                # While its first process is not reaped, the group's number cannot be anybody else's.
                self._signal(signal.SIGKILL)
            found = self._child.wait()
        code = SIGNALLED - found if found < 0 else found
        return End(code, self._lost, self._killed, self._stragglers())

    def _stragglers(self) -> tuple[int, ...]:
        """Processes of the group that go on; those that are just ending get a moment."""
        found: list[int] | None = []
        for _ in range(5):
            found = members(self._group)
            if not found:
                break
            self._clock.sleep(nanoseconds(0.05))
        return tuple(found or ())

    # -- signals and job control

    def _relay(self, number: int) -> None:
        if number in _TO_GROUP:
            self._signal(number)
            if self._stopped and number in (signal.SIGTERM, signal.SIGHUP):
                self._signal(signal.SIGCONT)
        elif number in _TO_COMMAND:
            with self._guard, contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(self._group, number)
        elif number == signal.SIGTSTP:
            self._suspending = True
            self._signal(number)
        elif number == signal.SIGCONT:
            self._resume()

    def _resume(self) -> None:
        """Let the command go on, unless the lock was lost while it was stopped."""
        self._stopped = False
        self._beat()
        if not self._lost:
            self._signal(signal.SIGCONT)

    def _look(self) -> None:
        """See whether the command stopped or ended; who ended stays unreaped for now."""
        if self._ended:
            return
        asked = os.WEXITED | os.WSTOPPED | os.WNOHANG | os.WNOWAIT
        found = os.waitid(os.P_PID, self._group, asked)
        if found is None:
            return
        if found.si_code in _ENDED:
            self._ended = True
            return
        os.waitid(os.P_PID, self._group, os.WSTOPPED | os.WNOHANG)
        if self._lost:
            self._signal(signal.SIGCONT)
        else:
            self._stopped = True
            self._on_stop(found.si_status)

    def _on_stop(self, number: int) -> None:
        wants_terminal = number in (signal.SIGTTIN, signal.SIGTTOU)
        theirs = self._terminal.foreground == self._group
        if wants_terminal and (theirs or self._terminal.ours):
            self._terminal.give(self._group)
            if self._suspending or is_pending(self._group, signal.SIGTSTP):
                # A Ctrl-Z met a command that had just stopped for the terminal; SIGCONT would undo it.
                self._suspend(signal.SIGTSTP)
            else:
                self._resume()
        elif wants_terminal:
            self._suspend(signal.Signals(number))
        elif theirs or self._suspending:
            self._suspend(signal.SIGTSTP)

    def _suspend(self, number: signal.Signals) -> None:
        """Stop ourselves too, so that the shell sees its job stopped; returns when we are continued.

        While we are stopped nothing renews the lock. That is noticed before the command is continued.
        """
        had_terminal = self._terminal.take_back(self._group)
        before = signal.getsignal(number)
        if had_terminal:
            # As Ctrl-Z would have done, had it reached our group: the rest of a pipeline stops too.
            signal.signal(number, signal.SIG_IGN)
            os.kill(0, number)
        signal.signal(number, signal.SIG_DFL)
        # To this very thread: it is stopped before the call returns, and the handler is not put back early.
        signal.pthread_kill(threading.get_ident(), number)
        signal.signal(number, before)
        self._suspending = False
        if had_terminal and self._terminal.ours:
            self._terminal.give(self._group)
        if number == signal.SIGTSTP:
            # Nobody stops an orphaned job; then there is no SIGCONT to wait for either.
            self._resume()
