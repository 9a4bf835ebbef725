"""Threads that reckon stand aside while a person is being answered, and go on all the same."""

from __future__ import annotations

import threading

from backuplock.clock import SECOND, ManualClock
from backuplock.courtesy import MOST_NS, TURN_NS, Courtesy


class Answering(threading.Thread):
    """Another thread that answers a person, from when it is started until it is let go."""

    def __init__(self, courtesy: Courtesy) -> None:
        super().__init__(daemon=True)
        self._courtesy = courtesy
        self.began, self._end = threading.Event(), threading.Event()

    def run(self) -> None:
        self._courtesy.answering()
        self.began.set()
        self._end.wait(30)
        self._courtesy.answered()

    def begin(self) -> None:
        self.start()
        assert self.began.wait(30)

    def let_go(self) -> None:
        self._end.set()
        self.join(30)


def test_where_nobody_is_answered_nothing_is_waited_for() -> None:
    slept: list[int] = []
    courtesy = Courtesy(ManualClock(on_sleep=slept.append))
    assert list(courtesy.gently(range(1_000))) == list(range(1_000))
    courtesy.give_way()
    assert slept == []


def test_items_come_once_the_person_is_answered() -> None:
    naps = 0
    answering: Answering

    def nap(ns: int) -> None:
        nonlocal naps
        naps += 1
        clock.advance(ns)
        if naps == 3:
            answering.let_go()

    clock = ManualClock(on_sleep=nap)
    courtesy = Courtesy(clock)
    answering = Answering(courtesy)
    answering.begin()
    assert list(courtesy.gently("abc")) == ["a", "b", "c"]
    assert naps == 3


def test_who_is_answered_for_ever_does_not_stop_the_work() -> None:
    clock = ManualClock()
    courtesy = Courtesy(clock)
    answering = Answering(courtesy)
    answering.begin()
    began = clock.mono_ns()
    assert len(list(courtesy.gently(range(1_000)))) == 1_000
    # Once aside, then a turn, in which the clock stands still here.
    assert MOST_NS <= clock.mono_ns() - began < 2 * MOST_NS
    clock.advance(TURN_NS)
    began = clock.mono_ns()
    courtesy.give_way()
    assert clock.mono_ns() - began >= MOST_NS
    answering.let_go()


def test_the_thread_that_answers_does_not_wait_for_itself() -> None:
    slept: list[int] = []
    courtesy = Courtesy(ManualClock(on_sleep=slept.append))
    courtesy.answering()
    assert list(courtesy.gently(range(10))) == list(range(10))
    assert slept == []
    courtesy.answered()


def test_many_stand_behind_one_that_looks() -> None:
    """Each look takes a turn from who answers: ten that look would be ten times the trouble."""
    looking = most = 0
    count = threading.Lock()
    enough = threading.Event()

    def nap(ns: int) -> None:
        nonlocal looking, most
        with count:
            looking += 1
            most = max(most, looking)
        enough.wait(0.005)
        with count:
            looking -= 1
        clock.advance(ns)

    clock = ManualClock(on_sleep=nap)
    courtesy = Courtesy(clock)
    answering = Answering(courtesy)
    answering.begin()
    threads = [threading.Thread(target=courtesy.give_way, daemon=True) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    assert most == 1
    answering.let_go()


def test_it_waits_at_most_a_tenth_of_a_second_at_once() -> None:
    assert MOST_NS == SECOND // 10
