"""Watching one lock before it is broken: as long as it takes to tell, and not at all where clocks tell."""

from __future__ import annotations

import threading

import pytest

from backuplock.breaking import Refused, make_plan
from backuplock.clock import SECOND, ManualClock, SystemClock
from backuplock.liveness import Life
from backuplock.lookup import Lookup
from backuplock.stores.memory import MemoryStore
from harness.breaking import NAME, VOLUME
from harness.builders import Lock, Volume
from locktop.observe import Seen, observe

LOCK = Lock(VOLUME, NAME, 1)


class Behind:
    """This machine's clock, 1000 s behind the store's."""

    def __init__(self, clock: ManualClock) -> None:
        self._clock = clock
        self.mono_ns = clock.mono_ns

    def wall_ns(self) -> int:
        return self._clock.wall_ns() - 1000 * SECOND

    def sleep(self, duration_ns: int, wake: threading.Event | None = None) -> bool:
        return self._clock.sleep(duration_ns, wake)


class Story:
    """A lock that is 500 s old, on manual time; `at` does something once so many seconds went by."""

    def __init__(self) -> None:
        self.slept_s = 0.0
        self.said: list[str] = []
        self._acts: list[tuple[float, str]] = []
        self.clock = ManualClock(SystemClock().wall_ns(), on_sleep=self._sleep)
        self.store = MemoryStore(self.clock)
        self.store.put(Volume(VOLUME).cfg_key, Volume(VOLUME).cfg)
        self.clock.advance(1000 * SECOND)
        self.store.plant(LOCK.key, LOCK.content, self.clock.wall_ns() - 500 * SECOND)

    def at(self, s: float, act: str) -> None:
        self._acts.append((s, act))

    def observe(self, *, behind: bool = True, watch_s: float | None = None) -> Seen:
        how = Lookup(clock=Behind(self.clock) if behind else self.clock)
        watch_ns = None if watch_s is None else round(watch_s * SECOND)
        return observe(self.store, VOLUME, NAME, how, watch_ns=watch_ns, told=self.said.append)

    def life(self, seen: Seen) -> Life:
        return make_plan(self.store, seen.snapshot, seen.lock.key, tracks=seen.tracks).life.life

    def _sleep(self, ns: int) -> None:
        self.clock.advance(ns)
        self.slept_s += ns / SECOND
        for due, act in [one for one in self._acts if one[0] <= self.slept_s]:
            self._acts.remove((due, act))
            if act == "refresh":
                self.store.put(LOCK.key, LOCK.content)
            else:
                self.store.delete(LOCK.key)


@pytest.fixture
def story() -> Story:
    return Story()


def test_where_the_clocks_tell_nobody_waits(story: Story) -> None:
    seen = story.observe(behind=False)
    assert story.life(seen) is Life.STALE
    assert (story.slept_s, seen.watched_ns, story.said) == (0, 0, [])


def test_where_they_disagree_a_whole_lease_is_watched(story: Story) -> None:
    seen = story.observe()
    assert story.life(seen) is Life.STALE
    assert 150 < story.slept_s < 160
    assert story.said == [f"watching {NAME} for signs of life, 154 s at most"]


def test_a_refresh_ends_it_and_saves_the_lock(story: Story) -> None:
    story.at(60, "refresh")
    seen = story.observe()
    assert 60 <= story.slept_s < 65
    assert story.life(seen) is not Life.STALE
    assert seen.tracks[LOCK.key].refreshes == 1


def test_who_says_so_does_not_wait(story: Story) -> None:
    seen = story.observe(watch_s=0)
    assert (story.life(seen), story.slept_s) == (Life.UNKNOWN, 0)


def test_who_wants_to_see_for_themselves_does_although_the_clocks_tell(story: Story) -> None:
    seen = story.observe(behind=False, watch_s=70)
    assert story.slept_s == 70
    assert seen.watched_ns == 70 * SECOND
    assert story.life(seen) is Life.STALE


def test_a_lock_that_went_is_not_to_be_broken(story: Story) -> None:
    story.at(30, "delete")
    with pytest.raises(Refused, match="went while it was watched"):
        story.observe()
