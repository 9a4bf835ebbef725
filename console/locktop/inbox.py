"""Signals as messages: noted when they arrive, read where they can be acted upon."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import threading
from collections.abc import Iterable, Iterator
from types import FrameType

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
"""What asks a program to end."""


class Inbox:
    """Catches signals while it is open. To be opened and read in the main thread; `poke` from any.

    A signal that whoever started us ignores (`nohup`, a script's `&`) stays ignored.
    """

    def __init__(self, numbers: Iterable[signal.Signals] = ENDING) -> None:
        self._numbers = tuple(numbers)
        self._guard = threading.Lock()
        self._open = contextlib.ExitStack()
        self._write = -1
        self._read = -1

    def __enter__(self) -> Inbox:
        self._read, self._write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        before = signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)
        self._open.callback(self._close)
        self._open.callback(signal.set_wakeup_fd, before)
        self._open.enter_context(self.also(self._numbers))
        return self

    def __exit__(self, *_exc: object) -> None:
        self._open.close()

    @contextlib.contextmanager
    def also(self, numbers: Iterable[signal.Signals]) -> Iterator[None]:
        """Catch these too while the block runs."""
        before = {number: signal.getsignal(number) for number in numbers}
        caught = {
            number: handler
            for number, handler in before.items()
            # Ended children must be noticed in any case.
            if handler is not signal.SIG_IGN or number == signal.SIGCHLD
        }
        for number in caught:
            signal.signal(number, _note)
        try:
            yield
        finally:
            for number, handler in caught.items():
                signal.signal(number, signal.SIG_DFL if handler is None else handler)

    def wait(self, seconds: float) -> list[int]:
        """Numbers of the signals that arrived, in their order, waiting so long for the first.

        Empty when the time is over, and after a `poke`.
        """
        with contextlib.suppress(OSError):
            select.select([self._read], [], [], max(0.0, seconds))
        try:
            return [number for number in os.read(self._read, 4096) if number]
        except BlockingIOError:
            return []

    def poke(self) -> None:
        """End a `wait`."""
        with self._guard:
            if self._write >= 0:
                with contextlib.suppress(BlockingIOError):
                    os.write(self._write, b"\0")

    def _close(self) -> None:
        with self._guard:
            os.close(self._write)
            self._write = -1
        os.close(self._read)


def _note(_number: int, _frame: FrameType | None) -> None:
    # The number has gone to the pipe by now; a handler must be there for that to happen.
    return
