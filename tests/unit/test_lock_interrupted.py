"""Ctrl-C at every line: an interrupted acquisition or release leaves nothing, or says what it left."""

from __future__ import annotations

import gc
import linecache
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import backuplock
from backuplock.errors import Denied
from backuplock.lock import BackupLock
from harness.locks import World

PACKAGE = str(Path(backuplock.__file__).parent)
HARNESS = str(Path(sys.modules[World.__module__].__file__ or "").parent)


class Interrupt:
    """Raises KeyboardInterrupt at the n-th line that is run in the library, once."""

    def __init__(self, nth: int) -> None:
        self.left = nth
        self.where = ""

    def __call__(self, frame: FrameType, event: str, arg: object) -> Any:
        if not frame.f_code.co_filename.startswith((PACKAGE, HARNESS)):
            return None
        if event == "line" and not self.where and not _is_with(frame):
            self.left -= 1
            if self.left == 0:
                self.where = f"{frame.f_code.co_filename}:{frame.f_lineno}"
                raise KeyboardInterrupt
        return self

    def during(self, work: Callable[[], object]) -> BaseException | None:
        """Do it; what it raised."""
        before = sys.gettrace()
        sys.settrace(self)
        try:
            work()
        except BaseException as error:
            return error
        finally:
            sys.settrace(before)
        return None


def _is_with(frame: FrameType) -> bool:
    """Whether this may be the end of a `with` block: a tracer comes before `__exit__`, no signal does."""
    return linecache.getline(frame.f_code.co_filename, frame.f_lineno).lstrip().startswith("with ")


def told(error: BaseException | None) -> str:
    return " ".join([str(error), *getattr(error, "__notes__", [])])


@pytest.mark.parametrize("contended", [False, True])
def test_acquire_interrupted_at_every_line_leaves_nothing(contended: bool) -> None:
    gc.disable()
    try:
        nth = 0
        while True:
            nth += 1
            world = World()
            if contended:
                world.rival(acquired=False)
            lock = world.lock()
            interrupt = Interrupt(nth)
            error = interrupt.during(lock.acquire)
            if not interrupt.where:
                break
            assert isinstance(error, KeyboardInterrupt), (interrupt.where, error)
            with warnings.catch_warnings():
                # An interruption while the reference is made leaves it to the collector, which tells.
                warnings.simplefilter("ignore", ResourceWarning)
                error.__traceback__ = None
                world.scheduler.run_due()
            ours = [name for name in world.files() if name != "lock-feed000000000001.lck"]
            assert ours == [] or "keeps the other type out" in told(error), interrupt.where
            assert not lock.held, interrupt.where
            assert_usable(world, lock, interrupt.where)
        assert nth > 300
    finally:
        gc.enable()


def assert_usable(world: World, lock: BackupLock, where: str) -> None:
    """It can be acquired again: nothing of the interrupted call is in its way."""
    for name in world.files():
        world.memory.delete(f"{lock_folder(lock)}/{name}")
    try:
        lock.acquire()
    except RuntimeError as error:
        raise AssertionError(where) from error
    lock.release()


def lock_folder(lock: BackupLock) -> str:
    return backuplock.layout.locks_folder(lock.volume)


@pytest.mark.parametrize("verb", ["put", "list", "delete"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_interrupted_where_nothing_can_be_removed_it_says_so(verb: str, when: str) -> None:
    world = World()
    world.rival(acquired=False)
    world.store.add(verb, **{when: KeyboardInterrupt()}, times=1)
    world.store.add("delete", before=Denied("access denied"))
    with pytest.raises(KeyboardInterrupt) as caught:
        world.lock().acquire()
    if len(world.files()) > 1:
        # Only where a write and the one removal were answered it is known to be there.
        sure = verb == "list"
        assert f"our own file {'is' if sure else 'may be'} left there" in told(caught.value)


def test_release_interrupted_at_every_line_is_finished_at_the_end() -> None:
    from backuplock.share import _living

    nth = 0
    while True:
        nth += 1
        world = World()
        lock = world.lock()
        lock.acquire()
        interrupt = Interrupt(nth)
        error = interrupt.during(lock.release)
        if not interrupt.where:
            break
        assert isinstance(error, KeyboardInterrupt), (interrupt.where, error)
        if lock.held:
            lock.release()
        elif world.files():
            # What the end of the process does for everything that is alive.
            for holding in list(_living.values()):
                holding.finish()
        assert world.files() == [], interrupt.where
        for holding in list(_living.values()):
            holding.finish()
    assert nth > 100
