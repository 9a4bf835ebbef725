"""Calls that may never return: left behind in time, named, counted, stopped before they change a thing."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterator

import pytest

from backuplock.clock import ManualClock, SystemClock
from backuplock.errors import Denied, Unreachable
from backuplock.stores import patience
from backuplock.stores.patience import MOST_LEFT, go_on, patiently, waiting
from backuplock.stores.tries import tries
from harness.locks import until

CLOCK = SystemClock()


@pytest.fixture
def url() -> str:
    return f"nfs://{uuid.uuid4().hex}:/b"


@pytest.fixture
def stuck() -> Iterator[threading.Event]:
    """A server that does not answer until this is set."""
    event = threading.Event()
    yield event
    event.set()


def give_up(url: str, work: Callable[[], object], what: str = "list x") -> Unreachable:
    with pytest.raises(Unreachable) as caught:
        patiently(url, f"{url}: cannot {what}", work, 0.05, CLOCK)
    return caught.value


def test_results_and_errors_come_through(url: str) -> None:
    assert patiently(url, "x", lambda: 7, 60, CLOCK) == 7

    def denied() -> None:
        raise Denied("no")

    with pytest.raises(Denied, match="no"):
        patiently(url, "x", denied, 60, CLOCK)
    assert waiting(url, CLOCK) is None


def test_one_thread_serves_calls_that_follow_each_other(url: str) -> None:
    idents = {patiently(url, "x", threading.get_ident, 60, CLOCK) for _ in range(20)}
    assert len(idents) == 1
    assert threading.get_ident() not in idents


def test_what_hangs_is_left_and_named(url: str, stuck: threading.Event) -> None:
    error = give_up(url, stuck.wait)
    assert str(error).startswith(f"{url}: cannot list x: no answer in 0.05 s, the call hangs; look at")
    assert not error.untouched
    found = waiting(url, CLOCK)
    assert found is not None
    assert found.doing == "list x"
    assert found.for_ns > 0
    stuck.set()
    until(lambda: waiting(url, CLOCK) is None, "for the call to end")


def test_what_is_left_changes_nothing_any_more(url: str, stuck: threading.Event) -> None:
    steps: list[str] = []
    over = threading.Event()

    def work() -> None:
        try:
            stuck.wait()
            go_on()
            steps.append("renamed")
        except Unreachable:
            steps.append("stopped")
        finally:
            over.set()

    give_up(url, work)
    stuck.set()
    assert over.wait(60)
    assert steps == ["stopped"]


def test_go_on_is_for_abandoned_calls_only(url: str) -> None:
    go_on()
    patiently(url, "x", go_on, 60, CLOCK)


def test_while_too_many_hang_nothing_more_is_asked(url: str, stuck: threading.Event) -> None:
    for number in range(MOST_LEFT):
        give_up(url, stuck.wait, f"list {number}")
    asked: list[int] = []
    error = give_up(url, lambda: asked.append(1))
    assert f"not tried, {MOST_LEFT} calls hang already" in str(error)
    assert error.untouched
    assert asked == []
    stuck.set()
    until(lambda: waiting(url, CLOCK) is None, "for the calls to end")
    assert patiently(url, "x", lambda: 7, 60, CLOCK) == 7


def test_without_threads_the_caller_does_it(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(_self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(patience.threading.Thread, "start", none)
    assert patiently(url, "x", threading.get_ident, 60, CLOCK) == threading.get_ident()


def test_a_local_file_system_is_asked_at_once_and_a_share_until_its_caches_ran_out() -> None:
    clock = ManualClock()
    began = clock.mono_ns()
    assert list(tries(clock, 4, local=True)) == [0, 1, 2, 3]
    assert clock.mono_ns() == began
    assert len(list(tries(clock, 4, local=False))) > 10
    assert 2_000_000_000 < clock.mono_ns() - began < 10_000_000_000
