"""The event loop of the console: while it is at work, computations in other threads stand aside."""

from __future__ import annotations

import asyncio
import selectors
from typing import TYPE_CHECKING

from backuplock.courtesy import COURTESY, Courtesy

if TYPE_CHECKING:
    pass


class Attentive(selectors.DefaultSelector):
    """Says when the loop is at work: from something that came until it waits again."""

    def __init__(self, courtesy: Courtesy = COURTESY) -> None:
        super().__init__()
        self._courtesy = courtesy

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None or timeout > 0:
            self._courtesy.answered()
        try:
            return super().select(timeout)
        finally:
            self._courtesy.answering()

    def close(self) -> None:
        self._courtesy.answered()
        super().close()


def attentive_loop() -> asyncio.AbstractEventLoop:
    """A loop for `asyncio.Runner`."""
    return asyncio.SelectorEventLoop(Attentive())
