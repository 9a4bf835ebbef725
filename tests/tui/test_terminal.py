"""The console on a real terminal (a pty): it leaves the terminal as it found it, however it ends."""

from __future__ import annotations

import base64
import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pyte
import pytest

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
DEADLINE_S = 60
LEAVE_ALTERNATE = b"\x1b[?1049l"
SHOW_CURSOR = b"\x1b[?25h"

PROGRAM = """
import sys, threading
from locktop import app, launch
from tui.scene import night
scene = night()
class Store:
    def __getattr__(self, name):
        return getattr(scene.store, name)
    def list(self, folder):
        if {hang!r}:
            threading.Event().wait()
        return scene.store.list(folder)
if {hasty!r}:
    app.LAST_RESORT_S = 2.0
if {crash!r}:
    app.LocktopApp.action_redraw = lambda self: 1 / 0
sys.exit(launch.run(scene.session(open_store=Store), mouse={mouse!r}))
"""


class Terminal:
    """A pty with a console in it."""

    def __init__(self, *, env: Mapping[str, str] | None = None, mouse: bool = True, **how: bool) -> None:
        flags = {"hang": False, "crash": False, "hasty": False, **how}
        self.ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 36, 120, 0, 0))
        self.before = termios.tcgetattr(theirs)
        self._theirs = theirs
        path = os.pathsep.join(str(ROOT / folder) for folder in ("core", "console", "tests"))
        # A size in the environment would be stronger than that of the window.
        given = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
        changes = {"PYTHONPATH": path, "TERM": "xterm-256color", "LC_ALL": "C.UTF-8", **(env or {})}
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM.format(mouse=mouse, **flags)],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env={**given, **changes},
            start_new_session=True,
        )
        self.seen = b""
        self.screen = pyte.Screen(120, 36)
        self._stream = pyte.ByteStream(self.screen)

    def read(self, wait_s: float = 0.2) -> None:
        """Take what has been written."""
        while select.select([self.ours], [], [], wait_s)[0]:
            try:
                chunk = os.read(self.ours, 65536)
            except OSError:
                return
            if not chunk:
                return
            self.seen += chunk
            self._stream.feed(chunk)
            wait_s = 0

    def until(self, words: str) -> None:
        """Wait until words stand on the screen."""
        deadline = time.monotonic() + DEADLINE_S
        while words not in "\n".join(self.screen.display):
            assert time.monotonic() < deadline, f"{words!r} did not come:\n" + "\n".join(self.screen.display)
            self.read()

    def press(self, keys: bytes) -> None:
        """Type."""
        os.write(self.ours, keys)

    def resize(self, rows: int, columns: int) -> None:
        """Give the window another size."""
        fcntl.ioctl(self._theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.process.send_signal(signal.SIGWINCH)
        self.screen.resize(rows, columns)

    def ended(self) -> int:
        """Wait for the end; the exit code."""
        deadline = time.monotonic() + DEADLINE_S
        while self.process.poll() is None:
            assert time.monotonic() < deadline, "it does not end"
            self.read()
        self.read()
        return self.process.returncode

    def restored(self) -> bool:
        """Whether the terminal is as it was."""
        left = self.seen.rfind(LEAVE_ALTERNATE) > self.seen.rfind(b"\x1b[?1049h")
        cursor = self.seen.rfind(SHOW_CURSOR) > self.seen.rfind(b"\x1b[?25l")
        return left and cursor and termios.tcgetattr(self._theirs)[3] == self.before[3]

    def close(self) -> None:
        """End what still runs."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for descriptor in (self.ours, self._theirs):
            os.close(descriptor)


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    found = Terminal()
    yield found
    found.close()


def test_a_person_quits(terminal: Terminal) -> None:
    terminal.until("shop/orders-redis")
    assert not terminal.restored()
    terminal.press(b"q")
    assert terminal.ended() == 0
    assert terminal.restored()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_ends_it_in_good_order(terminal: Terminal, number: signal.Signals) -> None:
    terminal.until("shop/orders-redis")
    os.kill(terminal.process.pid, number)
    assert terminal.ended() == 128 + number
    assert terminal.restored()
    assert b"Traceback" not in terminal.seen


def test_a_terminal_that_nobody_reads_keeps_it_from_ending_for_a_while_only() -> None:
    terminal = Terminal(hasty=True)
    try:
        terminal.until("shop/orders-redis")
        # Everything is drawn anew so often that the terminal takes no more, and the console waits for it.
        for _ in range(100):
            terminal.press(b"\x0c" * 10)
            time.sleep(0.02)
        terminal.process.send_signal(signal.SIGTERM)
        assert terminal.process.wait(DEADLINE_S) == 128 + signal.SIGTERM
    finally:
        terminal.close()


def test_a_store_that_hangs_does_not_hold_the_shell_up() -> None:
    terminal = Terminal(hang=True)
    try:
        terminal.until("reading the store")
        terminal.press(b"\x03")
        assert terminal.ended() == 0
        assert terminal.restored()
    finally:
        terminal.close()


def test_an_error_in_the_console_restores_the_terminal_first() -> None:
    terminal = Terminal(crash=True)
    try:
        terminal.until("shop/orders-redis")
        terminal.press(b"\x0c")
        assert terminal.ended() == 1
        assert terminal.restored()
        after = terminal.seen[terminal.seen.rfind(LEAVE_ALTERNATE) :]
        assert b"ZeroDivisionError" in after
        assert b"locals" not in after
    finally:
        terminal.close()


def test_ctrl_z_suspends_and_fg_brings_it_back(terminal: Terminal) -> None:
    terminal.until("shop/orders-redis")
    terminal.press(b"\x1a")
    deadline = time.monotonic() + DEADLINE_S
    while True:
        terminal.read(0.05)
        _, state = os.waitpid(terminal.process.pid, os.WNOHANG | os.WUNTRACED)
        if os.WIFSTOPPED(state):
            break
        assert time.monotonic() < deadline, "it did not stop"
    terminal.read()
    assert terminal.restored()
    terminal.screen.reset()
    os.kill(terminal.process.pid, signal.SIGCONT)
    terminal.until("shop/orders-redis")
    terminal.press(b"q")
    assert terminal.ended() == 0
    assert terminal.restored()


def test_copying_reaches_the_clipboard_of_the_terminal(terminal: Terminal) -> None:
    terminal.until("shop/orders-redis")
    terminal.press(b"y")
    deadline = time.monotonic() + DEADLINE_S
    while b"\x1b]52;c;" not in terminal.seen:
        assert time.monotonic() < deadline
        terminal.read()


MOUSE = b"\x1b[?1000h"


def test_the_mouse_is_taken_unless_it_shall_not(terminal: Terminal) -> None:
    terminal.until("shop/orders-redis")
    assert MOUSE in terminal.seen
    left = Terminal(mouse=False)
    try:
        left.until("shop/orders-redis")
        assert MOUSE not in left.seen
        left.press(b"q")
        assert left.ended() == 0
        assert left.restored()
    finally:
        left.close()


@pytest.mark.parametrize(
    "changes",
    [
        {"TERM": "dumb"},
        {"PYTHONIOENCODING": "latin-1", "PYTHONUTF8": "0"},
        {"TERM": "dumb", "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        {"NO_COLOR": "1"},
    ],
    ids=["dumb", "latin-1", "dumb in C", "no colour"],
)
def test_a_terminal_that_can_little_is_served_and_restored(changes: dict[str, str]) -> None:
    poor = Terminal(env=changes)
    try:
        poor.until("shop/orders-redis")
        if "LC_ALL" in changes or "PYTHONIOENCODING" in changes:
            shown = "\n".join(poor.screen.display)
            assert shown.isascii(), shown
        poor.press(b"q")
        assert poor.ended() == 0
        assert poor.restored()
        assert b"Traceback" not in poor.seen
    finally:
        poor.close()


def test_a_window_too_small_says_so_in_a_line_and_grows_again(terminal: Terminal) -> None:
    terminal.until("quit")
    terminal.resize(9, 55)
    deadline = time.monotonic() + DEADLINE_S
    while True:
        terminal.read()
        said = [line for line in terminal.screen.display if line.strip()]
        if len(said) == 1 and "60" in said[0]:
            break
        assert time.monotonic() < deadline, said
    terminal.resize(36, 120)
    terminal.until("shop/orders-redis")
    terminal.press(b"q")
    assert terminal.ended() == 0
    assert terminal.restored()


def test_a_menu_copies_by_the_terminal_s_own_clipboard(terminal: Terminal) -> None:
    terminal.until("shop/orders-redis")
    terminal.press(b"Y")
    terminal.until("take it")
    terminal.press(b"j\r")
    deadline = time.monotonic() + DEADLINE_S
    while b"\x1b]52;c;" not in terminal.seen:
        assert time.monotonic() < deadline
        terminal.read()
    told = base64.b64decode(terminal.seen.split(b"\x1b]52;c;", 1)[1].split(b"\x07")[0])
    assert told.startswith(b"pvc-")
