"""Threads for small requests: all is done, several at once, failures are handed on, nobody waits for ever."""

from __future__ import annotations

import functools
import threading

import pytest

from backuplock.crew import Crew

WAIT = 60.0


def told(number: int) -> tuple[int, str]:
    return number, threading.current_thread().name


def test_all_tasks_are_done_by_no_more_threads_than_there_are() -> None:
    with Crew[tuple[int, str]](3, "crew") as crew:
        for number in range(100):
            crew.give(functools.partial(told, number))
        found: list[tuple[int, str]] = []
        while crew.busy:
            found += crew.take(WAIT)
    assert sorted(number for number, _ in found) == list(range(100))
    assert {name for _, name in found} <= {"crew-0", "crew-1", "crew-2"}


def test_they_work_at_once() -> None:
    together = threading.Barrier(4, timeout=WAIT)
    with Crew[int](4, "crew") as crew:
        for _ in range(4):
            crew.give(together.wait)
        found: list[int] = []
        while crew.busy:
            found += crew.take(WAIT)
    assert sorted(found) == [0, 1, 2, 3]


def test_a_failure_is_raised_to_whoever_takes() -> None:
    def fail() -> None:
        raise ZeroDivisionError

    with Crew[None](1, "crew") as crew:
        crew.give(fail)
        with pytest.raises(ZeroDivisionError):
            crew.take(WAIT)
        assert crew.busy == 0


def test_nothing_comes_while_a_task_hangs_and_the_end_does_not_wait_for_it() -> None:
    begun, let_go = threading.Event(), threading.Event()
    done: list[int] = []
    freed: list[bool] = []

    def hang() -> None:
        begun.set()
        freed.append(let_go.wait(WAIT))

    with Crew[None](1, "crew") as crew:
        crew.give(hang)
        crew.give(functools.partial(done.append, 1))
        assert begun.wait(WAIT)
        assert crew.take(0.01) == []
    (left,) = [one for one in threading.enumerate() if one.name == "crew-0"]
    assert left.daemon
    let_go.set()
    left.join(WAIT)
    assert freed == [True], "it was left long before it gave up by itself"
    assert done == [], "what had not begun is dropped"
