"""The console as a person starts it: on a terminal, through the command line, to its end."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import socket
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pyte
import pytest

import backuplock
import locktop
from harness.builders import Fleet, Lock, Volume, write_all

SOURCES = os.pathsep.join(str(Path(package.__path__[0]).parent) for package in (backuplock, locktop))
COLUMNS, LINES = 120, 36
DEADLINE_S = 60


class Terminal:
    """`locktop` on a pseudo terminal of 120x36, and what a person would see there."""

    def __init__(self, *arguments: str, **changes: str) -> None:
        self._leader, follower = pty.openpty()
        fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
        # The size is the terminal's affair; pytest-xdist exports one of its own.
        others = ("LOCKTOP_", "AWS_", "COLUMNS", "LINES", "NO_COLOR", "TEXTUAL")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(others)}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "locktop", *arguments],
            env={**kept, "PYTHONPATH": SOURCES, "TERM": "xterm-256color", "LANG": "C.UTF-8", **changes},
            stdin=follower,
            stdout=follower,
            stderr=follower,
            start_new_session=True,
        )
        os.close(follower)
        self._screen = pyte.Screen(COLUMNS, LINES)
        self._stream = pyte.ByteStream(self._screen)
        self._written = b""

    @property
    def written(self) -> bytes:
        """All that it wrote so far."""
        return self._written

    @property
    def text(self) -> str:
        """The screen's lines."""
        return "\n".join(self._screen.display)

    def press(self, keys: str) -> None:
        """Type."""
        os.write(self._leader, keys.encode())

    def until(self, condition: Callable[[], bool], what: str) -> None:
        """Draw until a condition holds."""
        give_up = time.monotonic() + DEADLINE_S
        while not condition():
            assert time.monotonic() < give_up, f"not in {DEADLINE_S} s: {what}\n{self.text}"
            ended = self.process.poll()
            while self._draw(0 if ended is not None else 0.1):
                pass
            assert ended is None or condition(), f"ended with {ended} before {what}:\n{self.text}"

    def end(self) -> int:
        """Wait for its end; the exit code."""
        self.until(lambda: self.process.poll() is not None, "the end")
        return self.process.wait()

    def left_the_screen(self) -> bool:
        """Whether the last thing about the alternate screen was to leave it."""
        while self._draw(0):
            pass
        return self._written.rfind(b"\x1b[?1049l") > self._written.rfind(b"\x1b[?1049h") >= 0

    def close(self) -> None:
        """End it if it still runs."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self._leader)

    def _draw(self, wait_s: float) -> bool:
        if not select.select([self._leader], [], [], wait_s)[0]:
            return False
        try:
            chunk = os.read(self._leader, 65536)
        except OSError:
            # Linux says EIO once nobody holds the other end.
            return False
        self._written += chunk
        self._stream.feed(chunk)
        return bool(chunk)


@pytest.fixture
def start() -> Iterator[Callable[..., Terminal]]:
    """Starts terminals and ends them."""
    started: list[Terminal] = []

    def make(*arguments: str, **changes: str) -> Terminal:
        started.append(Terminal(*arguments, **changes))
        return started[-1]

    yield make
    for terminal in started:
        terminal.close()


def test_the_console_of_a_folder(start: Callable[..., Terminal], tmp_path: Path) -> None:
    made = Fleet((Volume("pvc-a", "shop", "data-db-0"),), (Lock("pvc-a", "lock-1", type=2),))
    write_all(tmp_path, made, time.time_ns())
    terminal = start(LOCKTOP_TARGET=str(tmp_path))
    terminal.until(lambda: "shop/data-db-0" in terminal.text, "the lock")
    assert "[RO]" in terminal.text
    assert "HELD" in terminal.text
    terminal.press("q")
    assert terminal.end() == 0
    assert terminal.left_the_screen()


def test_the_first_line_is_gone_before_the_screen_is_taken(
    start: Callable[..., Terminal], tmp_path: Path
) -> None:
    write_all(tmp_path, Fleet((Volume("pvc-a"),), (Lock("pvc-a", "lock-1"),)), time.time_ns())
    terminal = start(str(tmp_path))
    terminal.until(lambda: "locktop" in terminal.text, "the first line")
    terminal.until(lambda: "HELD" in terminal.text, "the lock")
    before, taken, _ = terminal.written.partition(b"\x1b[?1049h")
    assert taken
    line, wipe, rest = before.partition(b"\r\x1b[2K")
    assert wipe
    assert line.startswith(b"locktop  /")
    # One line only: what is longer than the terminal is wide could not be wiped.
    assert len(line) < COLUMNS
    assert b"starting" not in rest
    terminal.press("q")
    assert terminal.end() == 0


def test_no_first_line_where_nothing_can_be_wiped(start: Callable[..., Terminal], tmp_path: Path) -> None:
    write_all(tmp_path, Fleet((Volume("pvc-a"),), (Lock("pvc-a", "lock-1"),)), time.time_ns())
    terminal = start(str(tmp_path), TERM="dumb")
    terminal.until(lambda: "HELD" in terminal.text, "the lock")
    assert b"starting" not in terminal.written
    terminal.press("q")
    assert terminal.end() == 0


def test_ascii_is_plain(start: Callable[..., Terminal], tmp_path: Path) -> None:
    write_all(tmp_path, Fleet((Volume("pvc-a"),), (Lock("pvc-a", "lock-1"),)), time.time_ns())
    terminal = start("--ascii", "--no-mouse", str(tmp_path))
    terminal.until(lambda: "HELD" in terminal.text, "the lock")
    assert terminal.text.isascii()
    terminal.press("q")
    assert terminal.end() == 0


def test_leaving_does_not_wait_for_a_store_that_hangs(start: Callable[..., Terminal]) -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(8)
        server.settimeout(DEADLINE_S)
        variables = {
            "AWS_ACCESS_KEY_ID": "AK",
            "AWS_SECRET_ACCESS_KEY": "hunter2secret",
            "AWS_ENDPOINTS": f"http://127.0.0.1:{server.getsockname()[1]}",
            "NO_PROXY": "127.0.0.1",
        }
        terminal = start("s3://bucket@region/path/", **variables)
        connection, _ = server.accept()
        with connection:
            terminal.until(lambda: "[RO]" in terminal.text, "the screen")
            pressed = time.monotonic()
            terminal.press("q")
            assert terminal.end() == 0
            # The request itself would take 20 s to fail.
            assert time.monotonic() - pressed < 15


def test_the_demo_on_a_terminal(start: Callable[..., Terminal], tmp_path: Path) -> None:
    terminal = start("demo", TMPDIR=str(tmp_path))
    terminal.until(lambda: "STALE" in terminal.text and "HELD" in terminal.text, "locks of both kinds")
    assert len(list(tmp_path.iterdir())) == 1
    terminal.press("q")
    assert terminal.end() == 0
    assert terminal.left_the_screen()
    assert list(tmp_path.iterdir()) == []


def test_another_context_is_gone_to_on_the_terminal(start: Callable[..., Terminal], tmp_path: Path) -> None:
    for name in ("one", "two"):
        made = Fleet((Volume(f"pvc-{name}"),), (Lock(f"pvc-{name}", "lock-1"),))
        write_all(tmp_path / name, made, time.time_ns())
    config = tmp_path / "config.toml"
    config.write_text(
        f"context = 'first'\n[contexts.first]\ntarget = '{tmp_path}/one'\nprotected = true\n"
        f"[contexts.second]\ntarget = '{tmp_path}/two'\nwrite = true\n"
    )
    terminal = start("--config", str(config))
    terminal.until(lambda: "pvc-one" in terminal.text, "the first store")
    assert "[RO]" in terminal.text
    assert "protected: first" in terminal.text
    terminal.press(" /one\r")
    terminal.until(lambda: "matching one" in terminal.text, "the filter")
    terminal.press("C")
    terminal.until(lambda: "Contexts" in terminal.text, "the picker")
    terminal.press("j\r")
    terminal.until(lambda: "pvc-two" in terminal.text, "the second store")
    assert "[RW]" in terminal.text
    assert "second" in terminal.text
    assert "protected" not in terminal.text
    assert "matching" not in terminal.text
    assert "marked" not in terminal.text
    terminal.press("q")
    assert terminal.end() == 0
    assert terminal.left_the_screen()


def test_leave_to_write_given_for_one_store_is_not_carried_to_another(
    start: Callable[..., Terminal], tmp_path: Path
) -> None:
    for name in ("one", "two"):
        made = Fleet((Volume(f"pvc-{name}"),), (Lock(f"pvc-{name}", "lock-1"),))
        write_all(tmp_path / name, made, time.time_ns())
    config = tmp_path / "config.toml"
    config.write_text(f"[contexts.second]\ntarget = '{tmp_path}/two'\n")
    terminal = start("--config", str(config), "--write", str(tmp_path / "one"))
    terminal.until(lambda: "pvc-one" in terminal.text, "the first store")
    assert "[RW]" in terminal.text
    terminal.press("C\r")
    terminal.until(lambda: "pvc-two" in terminal.text, "the second store")
    assert "[RO]" in terminal.text
    assert "[RW]" not in terminal.text
    terminal.press("q")
    assert terminal.end() == 0
