"""Calls of the kernel that may never return, each in a thread that can be left behind.

A mount whose server is dead holds whoever touches it for as long as the kernel likes, and no signal but that
which ends the process helps (nfs(5): `hard`). So whatever touches a share is done by a thread of its own, and
waited for only so long. What is left behind goes no further than the call it is in: `go_on` stops it.
"""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from backuplock.clock import SECOND, Clock
from backuplock.errors import Unreachable

T = TypeVar("T")

PATIENCE_S = 30.0
"""How long one verb on a share may take. A lease has 60 s in reserve, and a listing of a very large folder
over a slow network takes a dozen."""
MOST_LEFT = 32
"""So many calls of one share are left behind at most; while they hang, nothing more is asked of it."""
_IDLE_S = 60.0
"""An idle thread outlives the 20 s between two renewals."""


@dataclass(slots=True, eq=False)
class _Call:
    """One call, and what came of it."""

    doing: str
    work: Callable[[], Any]
    began_mono_ns: int
    over: threading.Event = field(default_factory=threading.Event)
    result: Any = None
    error: BaseException | None = None
    left: bool = False


@dataclass(frozen=True, slots=True)
class Waiting:
    """The call that has been under way the longest: what it does (`list x`), and for how long (ns)."""

    doing: str
    for_ns: int


class _Share:
    """What is under way on one share, whoever opened it."""

    def __init__(self) -> None:
        self.guard = threading.Lock()
        self.calls: set[_Call] = set()
        self.idle: list[queue.SimpleQueue[_Call]] = []

    def left(self) -> int:
        return sum(call.left for call in self.calls)


_shares: dict[str, _Share] = {}
_here = threading.local()


def _forget() -> None:
    """In a forked child none of the threads lives."""
    _shares.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


def waiting(url: str, clock: Clock) -> Waiting | None:
    """What is waited for on a share, the oldest first; None if nothing is."""
    share = _shares.get(url)
    if share is None:
        return None
    with share.guard:
        oldest = min(share.calls, key=lambda call: call.began_mono_ns, default=None)
    if oldest is None:
        return None
    doing = oldest.doing.removeprefix(f"{url}: cannot ")
    return Waiting(doing, clock.mono_ns() - oldest.began_mono_ns)


def go_on() -> None:
    """To be asked before each step that changes something: nobody waits for what this thread does any more.

    Raises:
        Unreachable: so it is, and the step is not to be taken. Nobody hears this.
    """
    call: _Call | None = getattr(_here, "call", None)
    if call is not None and call.left:
        raise Unreachable(f"{call.doing}: given up", untouched=True)


def patiently(url: str, doing: str, work: Callable[[], T], patience_s: float, clock: Clock) -> T:
    """What `work` returns; it runs in another thread, and is left behind if it takes too long.

    Args:
        url: the share; calls of one share count together.
        doing: what `work` is to do, in the words of an error: `<url>: cannot list y`.

    Raises:
        Unreachable: it took longer, or too many calls hang there already; `untouched` tells them apart.
        BaseException: whatever `work` raised.
    """
    call = _Call(doing, work, clock.mono_ns())
    _begin(_shares.setdefault(url, _Share()), call, clock)
    try:
        in_time = call.over.wait(patience_s)
    except BaseException:
        # Interrupted (Ctrl-C): what follows must not race with what is still under way here.
        call.left = True
        call.over.wait(patience_s)
        raise
    if not in_time:
        call.left = True
        raise Unreachable(
            f"{doing}: no answer in {patience_s:g} s, the call hangs",
            advice="look at the server of the share, and at the mount",
        )
    if call.error is not None:
        raise call.error
    result: T = call.result
    return result


def _begin(share: _Share, call: _Call, clock: Clock) -> None:
    with share.guard:
        if share.left() >= MOST_LEFT:
            oldest = min(share.calls, key=lambda one: one.began_mono_ns)
            since = (clock.mono_ns() - oldest.began_mono_ns) // SECOND
            raise Unreachable(
                f"{call.doing}: not tried, {MOST_LEFT} calls hang already, the oldest for {since} s",
                advice="look at the server of the share, and at the mount",
                untouched=True,
            )
        share.calls.add(call)
        inbox = share.idle.pop() if share.idle else None
    if inbox is None:
        inbox = queue.SimpleQueue()
        thread = threading.Thread(target=_serve, args=(share, inbox), name="backuplock-share", daemon=True)
        try:
            thread.start()
        except RuntimeError:
            # No thread is left, or the interpreter ends and starts none: then whoever asks waits.
            _do(share, call)
            return
    inbox.put(call)


def _serve(share: _Share, inbox: queue.SimpleQueue[_Call]) -> None:
    """A thread: one call after the other, until there was none for a while."""
    while True:
        try:
            call = inbox.get(timeout=_IDLE_S)
        except queue.Empty:
            with share.guard:
                if inbox in share.idle:
                    share.idle.remove(inbox)
                    return
            continue  # It was just taken from the idle: its call is on the way.
        _do(share, call, inbox)
        del call


def _do(share: _Share, call: _Call, inbox: queue.SimpleQueue[_Call] | None = None) -> None:
    _here.call = call
    try:
        call.result = call.work()
    except BaseException as error:  # noqa: BLE001 - handed to whoever waits
        call.error = error
    _here.call = None
    with share.guard:
        share.calls.discard(call)
        if inbox is not None:
            share.idle.append(inbox)
    call.over.set()
