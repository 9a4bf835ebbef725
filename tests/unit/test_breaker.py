"""Leaving while the console's breaker works: what is not done, or not watched any more, is said."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from backuplock.breaking import Audit, token_of
from harness.breaking import Scene, memory_scene
from harness.running import until
from harness.troubled import TroubledStore
from locktop.breaker import Breaker
from locktop.deeds import Acted, DeedEvent, Question


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return memory_scene(tmp_path)


class Stuck(TroubledStore):
    """The first request of a verb hangs; `asked` is set when it came, `held` lets it go."""

    def __init__(self, scene: Scene, verb: str) -> None:
        super().__init__(scene.store)
        self.held, self.asked = threading.Event(), threading.Event()
        self.add(verb, before=self._hang, times=1)

    def _hang(self) -> None:
        self.asked.set()
        self.held.wait(60)


def test_an_act_that_never_began_is_told_of(scene: Scene, tmp_path: Path) -> None:
    lock = scene.lock()
    plan, seen = scene.plan(lock), scene.look()
    store = Stuck(scene, "read")

    breaker = Breaker(lambda: store, lambda: Audit.open(tmp_path / "trail.db"), writable=True)
    breaker.start(lambda _: None)
    breaker.ask(Question(1, (token_of(seen.target, seen.by_key[lock.key]),), seen, seen))
    assert store.asked.wait(60)
    breaker.break_locks(1, (plan,), seen, reason="too late")
    told = breaker.close()
    store.held.set()
    assert told == (f"not broken: {plan.token.shown}",)
    assert breaker.close() == told
    assert scene.store.read(lock.key) is not None
    assert Audit.open(tmp_path / "trail.db").entries() == ()


def test_an_act_that_takes_too_long_is_left_behind_and_told_of(
    scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("locktop.breaker.ENDING_S", 0.2)
    locks = [scene.lock(f"lock-{n}0") for n in range(3)]
    plans, seen = tuple(scene.plan(lock) for lock in locks), scene.look()
    store = Stuck(scene, "put")

    breaker = Breaker(lambda: store, lambda: Audit.open(tmp_path / "trail.db"), writable=True)
    breaker.start(lambda _: None)
    breaker.break_locks(1, plans, seen, reason="slow")
    assert store.asked.wait(60)
    assert "locktop undo tells how far it came" in breaker.close()[-1]
    store.held.set()
    until(lambda: len(scene.names()) == 2, "the end of what had begun")
    assert len(scene.names()) == 2, "the others of the go were not begun"


def test_a_watch_that_is_left_is_told_of_and_recorded(scene: Scene, tmp_path: Path) -> None:
    lock = scene.lock()
    events: list[DeedEvent] = []
    breaker = Breaker(lambda: scene.store, lambda: Audit.open(tmp_path / "trail.db"), writable=True)
    breaker.start(events.append)
    breaker.break_locks(1, (scene.plan(lock),), scene.look(), reason="gone")
    until(lambda: any(isinstance(event, Acted) for event in events), "the end of the break")
    (told,) = breaker.close()
    assert "was broken and is not watched any more" in told
    outcomes = [one.get("outcome") for one in Audit.open(tmp_path / "trail.db").entries()]
    assert outcomes == ["", "broken", "could not be watched"]
