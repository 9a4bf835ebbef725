"""Work on a store in a thread that can be left behind: a dead mount answers neither us nor a signal."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

from backuplock.clock import SystemClock, nanoseconds, seconds
from backuplock.errors import Unreachable
from backuplock.stores.patience import waiting

T = TypeVar("T")

_HEED_S = 0.2
"""A signal that another thread takes does not wake a wait in the main one: it is looked for now and then."""


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
        in_time = _waited(ended, timeout_s)
    finally:
        stop.set()
    if not in_time:
        raise Unreachable(
            f"{url}: no complete answer in {timeout_s:g} s{_hanging(url)}",
            advice="raise --timeout, or look at the store",
        )
    if failed:
        raise failed[0]
    return found[0]


def _waited(ended: threading.Event, timeout_s: float | None) -> bool:
    clock = SystemClock()
    give_up = None if timeout_s is None else clock.mono_ns() + nanoseconds(timeout_s)
    while True:
        left = _HEED_S if give_up is None else min(_HEED_S, seconds(give_up - clock.mono_ns()))
        if ended.wait(max(0.0, left)):
            return True
        if give_up is not None and clock.mono_ns() >= give_up:
            return False


def _hanging(url: str) -> str:
    """On a share, the call that is under way."""
    oldest = waiting(url, SystemClock())
    return "" if oldest is None else f", for {seconds(oldest.for_ns):.0f} s it hangs in: {oldest.doing}"
