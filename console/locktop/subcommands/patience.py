"""Work on a store in a thread that can be left behind: a dead mount answers neither us nor a signal."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

from backuplock.errors import Unreachable

T = TypeVar("T")


def patiently(
    work: Callable[[threading.Event], T], timeout_s: float | None, *, url: str, name: str = "work"
) -> T:
    """What `work` returns; its argument is set when nobody waits for it any more.

    Raises:
        Unreachable: it took longer than `timeout_s` seconds (None: wait for ever).
        Exception: whatever `work` raised.
    """
    found: list[T] = []
    failed: list[BaseException] = []
    stop, ended = threading.Event(), threading.Event()

    def run() -> None:
        try:
            found.append(work(stop))
        except BaseException as error:
            failed.append(error)
            if not isinstance(error, Exception):
                raise
        finally:
            ended.set()

    threading.Thread(target=run, name=name, daemon=True).start()
    try:
        in_time = ended.wait(timeout_s)
    finally:
        stop.set()
    if not in_time:
        raise Unreachable(
            f"{url}: no complete answer in {timeout_s:g} s", advice="raise --timeout, or look at the store"
        )
    if failed:
        raise failed[0]
    return found[0]
