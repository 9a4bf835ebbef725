"""Sets the demo up and takes it down: the folder, its people, and the cluster beside this process."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import backuplock
import locktop
from backuplock.clock import SystemClock
from backuplock.errors import Denied
from backuplock.text import printable
from locktop.demo.people import plant, scene
from locktop.exits import SIGNALLED

GRACE_S = 5.0
"""Seconds that the cluster gets to end by itself."""


@dataclass(frozen=True, slots=True)
class Stage:
    """A running demo: the store's folder and the process of the cluster."""

    root: Path
    cluster: subprocess.Popen[bytes]


@contextlib.contextmanager
def staged(*, seed: int = 1, keep: bool = False) -> Iterator[Stage]:
    """Run the demo while the block runs; everything is gone afterwards, but the folder if `keep`.

    SIGTERM and SIGHUP end the block with `SystemExit`. Should this process die without a word, the cluster
    notices and tidies up by itself.

    Raises:
        Denied: no temporary folder can be made.
    """
    with _ended_by_signals():
        root = _folder()
        cluster: subprocess.Popen[bytes] | None = None
        try:
            now = SystemClock().wall_ns()
            plant(root, scene(now, seed=seed), now)
            cluster = _start(root, seed, now, keep=keep)
            yield Stage(root, cluster)
        finally:
            if cluster is not None:
                _stop(cluster)
            if not keep:
                shutil.rmtree(root, ignore_errors=True)


def _folder() -> Path:
    try:
        return Path(tempfile.mkdtemp(prefix="locktop-demo-"))
    except OSError as error:
        what = f"no folder for the demo can be made: {printable(error.strerror or str(error), limit=100)}"
        raise Denied(what, advice="set TMPDIR to a folder that can be written") from None


def _start(root: Path, seed: int, now_ns: int, *, keep: bool) -> subprocess.Popen[bytes]:
    # The child finds the very packages that run here, installed or not.
    sources = {str(Path(package.__path__[0]).parent) for package in (backuplock, locktop)}
    path = os.pathsep.join([*sorted(sources), *filter(None, [os.environ.get("PYTHONPATH")])])
    arguments = [str(root), str(seed), str(now_ns), "keep" if keep else "remove"]
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "locktop.demo.cluster", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": path},
        # The terminal's signals are for this process alone: suspended with Ctrl-Z, it shall not stop the
        # clients, whose locks would end.
        start_new_session=True,
    )


def _stop(cluster: subprocess.Popen[bytes]) -> None:
    if cluster.stdin is not None:
        with contextlib.suppress(OSError):
            cluster.stdin.close()
    try:
        cluster.wait(GRACE_S)
    except subprocess.TimeoutExpired:
        cluster.kill()
        cluster.wait()


@contextlib.contextmanager
def _ended_by_signals() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    for number in before:
        signal.signal(number, _leave)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _leave(number: int, _frame: FrameType | None) -> None:
    # Once is enough: a second signal shall not interrupt the tidying up.
    for each in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, signal.SIG_IGN)
    raise SystemExit(SIGNALLED + number)
