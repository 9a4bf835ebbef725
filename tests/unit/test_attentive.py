"""The console's event loop says when it is at work, so that others stand aside."""

from __future__ import annotations

import asyncio

from backuplock.courtesy import Courtesy
from locktop.attentive import Attentive


class Noting(Courtesy):
    """Remembers what it was told."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[str] = []

    def answering(self) -> None:
        self.told.append("at work")
        super().answering()

    def answered(self) -> None:
        self.told.append("waits")
        super().answered()


def test_a_loop_is_at_work_between_two_waits() -> None:
    courtesy = Noting()
    seen: list[list[str]] = []

    async def work() -> None:
        await asyncio.sleep(0.01)
        seen.append(list(courtesy.told))
        # What is ready already is no wait: nobody is let in between.
        await asyncio.sleep(0)
        seen.append(list(courtesy.told))

    with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(Attentive(courtesy))) as runner:
        runner.run(work())
    # It waited for the time to pass, and has been at work since.
    assert "waits" in seen[0]
    assert seen[0][-1] == "at work"
    assert "waits" not in seen[1][len(seen[0]) :]
    assert courtesy.told[-1] == "waits"
