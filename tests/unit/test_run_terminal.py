"""`locktop run` as a job of an interactive shell: Ctrl-C, Ctrl-Z, reading from the terminal, pipelines."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.running import DEADLINE_S, VOLUME, environ, locks, make_store
from locktop.jobs import is_pending
from locktop.supervise import Supervisor

pytestmark = pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash to be its shell")


class Shell:
    """An interactive bash on a terminal of its own."""

    def __init__(self, terminal: int) -> None:
        self._terminal = terminal
        self.shown = ""

    def type(self, text: str) -> None:
        os.write(self._terminal, text.encode())

    def expect(self, pattern: str) -> re.Match[str]:
        """Wait until it is shown, after what was found last."""
        give_up = time.monotonic() + DEADLINE_S
        while True:
            found = re.search(pattern, self.shown)
            if found:
                self.shown = self.shown[found.end() :]
                return found
            assert time.monotonic() < give_up, (pattern, self.shown)
            if select.select([self._terminal], [], [], 0.5)[0]:
                self.shown += os.read(self._terminal, 65536).decode("utf-8", "replace")


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    """One with `lock` as a short name for `locktop run`, in a folder with a store."""
    make_store(tmp_path / "store")
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(tmp_path)
        # The name is cut in two, so that no echo of a command looks like its output.
        run = f"{sys.executable} -m locktop run -t store --volume {VOLUME} --for backup -- sh -c"
        env = environ(PS1="ready> ", TERM="dumb", lock=run)
        os.execvpe("bash", ["bash", "--norc", "--noprofile", "-i"], env)
    made = Shell(terminal)
    made.expect("ready> ")
    yield made
    os.kill(pid, signal.SIGKILL)
    with contextlib.suppress(OSError):
        while os.read(terminal, 65536):
            pass
    os.waitpid(pid, 0)
    os.close(terminal)


# A shell heeds a trap at once in `wait`, not while a command runs in the foreground.
WAITING = """\
trap 'kill $p; exit 9' INT
trap 'echo continued >&2' CONT
sleep 100 & p=$!
echo waiting >&2
wait; wait; wait
"""


def test_it_reads_from_the_terminal_and_ctrl_c_reaches_it(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "script").write_text(f"read x; echo got $x\n{WAITING}")
    shell.type("$lock '. ./script'\n")
    shell.expect("holding")
    shell.type("hello\n")
    shell.expect("got hello")
    shell.expect("waiting")
    shell.type("\x03")
    shell.expect("exclusivity proven")
    shell.type("echo code=$?\n")
    shell.expect("code=9")
    assert locks(tmp_path / "store") == []


def test_ctrl_z_stops_the_job_and_fg_continues_it(shell: Shell, tmp_path: Path) -> None:
    shell.type('$lock \'read y; echo be""gun $y; read x; echo g""ot $x; exit 4\'\n')
    # Who has read a line has the terminal, so that the next key is the command's.
    shell.type("first\n")
    shell.expect("begun first")
    shell.type("\x1a")
    shell.expect(r"Stopped.*\n")
    assert len(locks(tmp_path / "store")) == 1
    shell.type("fg\n")
    shell.expect(r"fg\s+\$lock")
    shell.type("hello\n")
    shell.expect("got hello")
    shell.expect("exclusivity proven")
    shell.type("echo code=$?\n")
    shell.expect("code=4")


def test_a_ctrl_z_that_meets_a_command_stopped_for_the_terminal_is_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """To continue it for the one stop would undo the other. Two stops cannot be made to meet between two
    looks of a real `locktop run`; so the command is real, and the look is made by hand."""
    heard: list[tuple[str, signal.Signals | None]] = []

    class Theirs:
        """A terminal whose foreground the command is in."""

        ours = False

        def __init__(self, group: int) -> None:
            self.foreground = group

        def give(self, group: int) -> None:
            assert group == self.foreground

    def supervisor(process: subprocess.Popen[bytes]) -> Supervisor:
        made = Supervisor.__new__(Supervisor)
        made._child, made._suspending = process, False
        made._terminal = Theirs(process.pid)  # type: ignore[assignment]
        monkeypatch.setattr(made, "_suspend", lambda number: heard.append(("suspend", number)))
        monkeypatch.setattr(made, "_resume", lambda: heard.append(("resume", None)))
        return made

    with subprocess.Popen(["sleep", "100"], process_group=0) as process:
        try:
            process.send_signal(signal.SIGSTOP)
            os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WNOWAIT)
            looking = supervisor(process)
            looking._on_stop(signal.SIGTTIN)
            assert heard == [("resume", None)]
            process.send_signal(signal.SIGTSTP)
            looking._on_stop(signal.SIGTTIN)
            assert heard[1:] == [("suspend", signal.SIGTSTP)]
        finally:
            process.kill()


def test_a_signal_that_waits_for_a_stopped_process_is_seen() -> None:
    with subprocess.Popen(["sleep", "100"], process_group=0) as process:
        try:
            process.send_signal(signal.SIGSTOP)
            os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WNOWAIT)
            assert not is_pending(process.pid, signal.SIGTSTP)
            process.send_signal(signal.SIGTSTP)
            assert is_pending(process.pid, signal.SIGTSTP)
            assert not is_pending(process.pid, signal.SIGTTIN)
        finally:
            process.kill()


def test_in_the_background_it_waits_for_the_terminal(shell: Shell) -> None:
    shell.type("$lock 'read x; echo g\"\"ot $x; exit 4' &\n")
    shell.expect("holding")
    while True:
        shell.type('jobs; echo as""ked\n')
        if "Stopped" in shell.expect(r"\[1\]\+ +(\w+)[\s\S]*?asked")[1]:
            break
        time.sleep(0.2)
    shell.type("fg\n")
    shell.type("hello\n")
    shell.expect("got hello")
    shell.expect("exclusivity proven")
    shell.type("echo code=$?\n")
    shell.expect("code=4")


def test_in_a_pipeline_both_ends_have_the_terminal(shell: Shell, tmp_path: Path) -> None:
    reader = '{ read y </dev/tty; echo f""ound; read x; echo r""esult=$x/$y; }'
    shell.type(f"$lock 'echo be\"\"gun >&2; sleep 1; read x; echo $x' | {reader}\n")
    # The pipeline's own reader comes first: nobody takes the terminal from it before it is needed.
    shell.expect("begun")
    shell.type("first\n")
    shell.expect("found")
    shell.type("second\n")
    shell.expect("result=second/first")
    shell.expect("ready> ")
    (tmp_path / "script").write_text(WAITING)
    shell.type("$lock '. ./script' | cat\n")
    shell.expect("waiting")
    shell.type("\x1a")
    shell.expect(r"Stopped.*\n")
    shell.type("fg\n")
    shell.expect("continued")
    shell.type("\x03")
    shell.expect("exclusivity proven")
