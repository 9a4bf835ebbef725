"""The watch after a break as a person sees it: a countdown on a terminal, elsewhere what goes wrong."""

from __future__ import annotations

import contextlib
import os
import sys
from types import TracebackType
from typing import TYPE_CHECKING, Self

from backuplock.clock import SECOND, Clock
from locktop.format import countdown
from locktop.output.streams import say

if TYPE_CHECKING:
    from backuplock.breaking import Vigil
    from backuplock.errors import StoreError


class VigilLine:
    """Use as a context manager around the watch; `tell` takes each look."""

    def __init__(self, vigil: Vigil, clock: Clock) -> None:
        self._first = vigil
        self._clock = clock
        self._drawing = sys.stderr.isatty() and os.environ.get("TERM") not in (None, "", "dumb")
        self._failing = False

    def __enter__(self) -> Self:
        left = self._first.left_ns(self._clock.mono_ns())
        if left:
            say(f"watching for {left / SECOND:.0f} s whether it comes back; Ctrl-C ends the watch alone")
        return self

    def __exit__(self, *_exc: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._draw("")

    def tell(self, vigil: Vigil, error: StoreError | None) -> None:
        """One more look."""
        if error is not None and not self._failing:
            self._draw("")
            say(f"not seen: {error}; looking on")
        self._failing = error is not None
        left = vigil.left_ns(self._clock.mono_ns())
        self._draw(f"{countdown(left)} left, {vigil.words}")

    def _draw(self, line: str) -> None:
        if self._drawing:
            with contextlib.suppress(OSError, ValueError):
                sys.stderr.write(f"\r\x1b[K{line}")
                sys.stderr.flush()


def ring() -> None:
    """Reach whoever does not look at the screen."""
    with contextlib.suppress(OSError, ValueError):
        if sys.stderr.isatty():
            sys.stderr.write("\a")
            sys.stderr.flush()
