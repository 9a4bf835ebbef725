"""What the screen costs: keys, ticks, the first paint. One table of ratios, all on terminals of their own.

cd tests && PYTHONPATH=.:../core:../console python -m benchmarks.screen
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import os
import pty
import select
import signal
import statistics
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from backuplock.clock import SystemClock
from backuplock.stores.memory import MemoryStore
from backuplock.survey import sweep
from benchmarks.lock_costs import Progress, print_table
from harness.builders import Lock, Volume
from harness.running import environ
from locktop.block_list import blocks_of
from locktop.chronicle import Chronicle
from locktop.rows import board_of
from locktop.tidy import by_hand

CONSOLE = """
import sys
from backuplock.clock import SystemClock
from backuplock.stores.memory import MemoryStore
from harness.builders import NS, Lock, Volume
from locktop.subcommands.common import needs_terminal
needs_terminal("")
from locktop.launch import run
from locktop.session import Session
clock = SystemClock()
store = MemoryStore(clock)
for at in range({locks}):
    volume = Volume(f"pvc-{{at:05}}")
    lock = Lock(volume.name, f"lock-{{at:016x}}", 1 + at % 2)
    store.put(volume.cfg_key, volume.cfg)
    store.plant(lock.key, lock.content, clock.wall_ns() - at % 140 * NS)
session = Session(lambda: store, label="bench", url="bench", interval_s={interval}, clock=clock)
sys.exit(run(session))
"""

BLANK = """
from textual.app import App
from textual.widgets import Static
class Blank(App):
    def compose(self):
        yield Static("locktop")
Blank().run()
"""

WAIT_S = 300.0
CHANGED = 100
SIZE = (36, 120)
LIMIT_VERSION = "1.5x + 40 ms"
Row = tuple[str, str, str, str]


class Screen:
    """A program on a terminal, asked for nothing but when it answers and what processor time it took."""

    def __init__(self, command: Sequence[str]) -> None:
        self.fd, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", *SIZE, 0, 0))
        self.began = time.perf_counter()
        self.process = subprocess.Popen(
            command,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env=environ(TERM="xterm-256color", LC_ALL="C.UTF-8"),
            start_new_session=True,
        )
        os.close(theirs)

    def wait_for(self, text: bytes) -> float:
        """Seconds from its start until it has shown this.

        Raises:
            TimeoutError: it never did.
        """
        seen = b""
        while text not in seen:
            if time.perf_counter() - self.began > WAIT_S:
                raise TimeoutError(f"{text!r} was not shown within {WAIT_S:.0f} s")
            seen = (seen + self.read(1.0))[-200_000:]
        return time.perf_counter() - self.began

    def read(self, wait_s: float) -> bytes:
        """What it shows within a time, the first piece of it."""
        if not select.select([self.fd], [], [], wait_s)[0]:
            return b""
        try:
            return os.read(self.fd, 1 << 16)
        except OSError:
            return b""

    def answer(self, key: bytes) -> float | None:
        """Seconds from a key to the first it shows; None if it showed something else just then."""
        if self.read(0):
            return None
        began = time.perf_counter()
        os.write(self.fd, key)
        return time.perf_counter() - began if self.read(10.0) else None

    def cpu_s(self) -> float:
        """Processor time of all its threads so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text("ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def drain(self, seconds: float) -> None:
        """Read for a while, as a terminal does."""
        end = time.perf_counter() + seconds
        while (left := end - time.perf_counter()) > 0:
            self.read(left)

    def end(self) -> None:
        """Stop it."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        os.close(self.fd)


@contextlib.contextmanager
def screen(arguments: Sequence[str]) -> Iterator[Screen]:
    """A Python program on a terminal, ended by force."""
    found = Screen([sys.executable, *arguments])
    try:
        yield found
    finally:
        found.end()


@dataclass(frozen=True, slots=True)
class Feel:
    """How a console felt: seconds from keys to what they show, processor time of a second of ticking."""

    keys: Sequence[float]
    ticking: float

    @property
    def p95_ms(self) -> float:
        """Milliseconds within which 95 of 100 keys were answered."""
        return statistics.quantiles(self.keys, n=20)[-1] * 1000

    @property
    def median_ms(self) -> float:
        """Milliseconds within which half of the keys were answered."""
        return statistics.median(self.keys) * 1000


def feel(locks: int, presses: int, seconds: float) -> Feel:
    """Keys while one sweep follows the other, then ticks with none."""
    progress = Progress(f"{locks:,} locks")
    with screen(["-c", CONSOLE.format(locks=locks, interval=0.001)]) as found:
        found.wait_for(f"of {locks:,}".encode())
        found.drain(2.0)
        keys: list[float] = []
        while len(keys) < presses:
            took = found.answer(b"j" if len(keys) % 50 < 25 else b"k")
            keys += [took] if took is not None else []
            found.drain(0.05)
            progress.tell(len(keys), presses, "keys")
    with screen(["-c", CONSOLE.format(locks=locks, interval=86_400)]) as found:
        found.wait_for(f"of {locks:,}".encode())
        found.drain(5.0)
        before = found.cpu_s()
        found.drain(seconds)
        return Feel(keys, (found.cpu_s() - before) / seconds)


def judging(locks: int, changed: int) -> tuple[float, float]:
    """Seconds from the end of a sweep to all that a screen is given of it: of the first one, and of one after
    which few locks had changed."""
    clock = SystemClock()
    store = MemoryStore(clock)
    volumes = [Volume(f"pvc-{at:05}") for at in range(locks)]
    held = [Lock(one.name, f"lock-{at:016x}", 1 + at % 2) for at, one in enumerate(volumes)]
    for one, lock in zip(volumes, held, strict=True):
        store.put(one.cfg_key, one.cfg)
        store.plant(lock.key, lock.content, clock.wall_ns())
    chronicle, took = Chronicle(clock, None), []
    snapshot, board, blocks = None, None, None
    with by_hand():
        for _ in range(2):
            snapshot = sweep(store, snapshot, clock=clock)
            began = time.perf_counter()
            board = board_of(snapshot, board)
            blocks = blocks_of(board, blocks)
            chronicle.take(snapshot)
            took.append(time.perf_counter() - began)
            for lock in held[:changed]:
                store.plant(lock.key, lock.content, clock.wall_ns() + 1)
    return took[0], took[1]


def first_paint(rounds: int) -> tuple[float, float, float]:
    """Seconds until the console shows a first line, until it shows its whole screen, until a blank program
    of the same library shows its."""
    first, whole, blank = [], [], []
    for _ in range(rounds):
        with screen(["-m", "locktop", "/"]) as found:
            first.append(found.wait_for(b"locktop"))
            # The last of the tabs.
            whole.append(found.wait_for(b"Events"))
        with screen(["-c", BLANK]) as found:
            blank.append(found.wait_for(b"locktop"))
    return statistics.median(first), statistics.median(whole), statistics.median(blank)


def versions(rounds: int) -> tuple[float, float]:
    """Seconds of `locktop --version`, and of a Python that does nothing."""

    def of(*arguments: str) -> float:
        took = []
        for _ in range(rounds):
            began = time.perf_counter()
            subprocess.run([sys.executable, *arguments], check=True, capture_output=True, env=environ())
            took.append(time.perf_counter() - began)
        return statistics.median(took)

    return of("-m", "locktop", "--version"), of("-c", "pass")


def measure(few: int, medium: int, many: int, presses: int, seconds: float, rounds: int) -> list[Row]:
    """The table: what, measured, ratio, what is to be reached."""
    small, middle, large = (feel(locks, presses, seconds) for locks in (few, medium, many))
    first, again = judging(many, CHANGED)
    line, whole, blank = first_paint(rounds)
    version, nothing = versions(rounds * 2)
    return [
        (
            f"key to paint, p95, {many:,} locks, sweeping",
            f"{large.p95_ms:.1f} ms (median {large.median_ms:.1f}); {few:,}: {small.p95_ms:.1f} ms",
            f"{large.p95_ms / small.p95_ms:.2f}x",
            "16 ms, 1.5x",
        ),
        (
            f"a second of ticking, {many:,} locks against {few:,}",
            f"{large.ticking * 1000:.1f} ms; {small.ticking * 1000:.1f} ms",
            f"{large.ticking / small.ticking:.2f}x" if small.ticking else "-",
            "1.2x",
        ),
        (f"idle processor, {medium:,} locks", f"{middle.ticking * 100:.1f} % of a core", "", "3 %"),
        (f"from a first sweep to its picture, {many:,} locks", f"{first:.2f} s", "", "1 s"),
        (
            f"of the next, {CHANGED} changed",
            f"{again:.2f} s",
            f"{again / first:.2f}x",
            "0.5x",
        ),
        (
            "first line against the first paint of a blank program",
            f"{line:.2f} s; {blank:.2f} s",
            f"{line / blank:.2f}x",
            "1.25x",
        ),
        (
            "whole screen against it",
            f"{whole:.2f} s; {blank:.2f} s",
            f"{whole / blank:.2f}x",
            "1.25x",
        ),
        (
            "--version against a Python that does nothing",
            f"{version * 1000:.0f} ms; {nothing * 1000:.0f} ms",
            f"{version / nothing:.2f}x",
            LIMIT_VERSION,
        ),
    ]


def main(argv: Sequence[str] | None = None) -> int:
    """Make the table."""
    parser = argparse.ArgumentParser(prog="benchmarks.screen", description="What the screen costs.")
    parser.add_argument("--locks", type=int, nargs=3, default=[1_000, 10_000, 50_000], metavar="N")
    parser.add_argument("--presses", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=30.0, help="of ticking, per size")
    parser.add_argument("--rounds", type=int, default=7, help="of each start")
    options = parser.parse_args(argv)
    rows = measure(*options.locks, options.presses, options.seconds, options.rounds)
    rows.insert(0, ("", "measured", "ratio", "at most"))
    print_table(rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
