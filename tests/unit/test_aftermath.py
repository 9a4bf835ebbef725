"""The watches over what was broken, while locks are put back: what we bring ourselves did not come back."""

from __future__ import annotations

from pathlib import Path

import pytest

from backuplock.breaking import Fate, Vigil, vigil_of
from backuplock.clock import SECOND, ManualClock, SystemClock
from backuplock.model import Snapshot
from backuplock.stores.memory import MemoryStore
from backuplock.survey import sweep
from backuplock.watch import RETURN_NS
from harness.breaking import Scene
from locktop.aftermath import Aftermath
from locktop.deeds import Care


class Story:
    """A lock that was broken a moment ago in a store in memory, on manual time, and the watch over it."""

    def __init__(self, folder: Path) -> None:
        self.clock = ManualClock(SystemClock().wall_ns())
        store = MemoryStore(self.clock)
        self.scene = Scene(store, folder, lambda key, body, _: store.put(key, body), clock=self.clock)
        self.scene.volume()
        self.lock = self.scene.lock()
        self.clock.advance(500 * SECOND)
        self.after = Aftermath()
        broken = self.scene.break_(self.lock)
        self.after.add(Care(broken.id, vigil_of(broken)))

    def sweep(self, s: float = 1.0) -> Snapshot:
        self.clock.advance(round(s * SECOND))
        return sweep(self.scene.store, clock=self.clock)

    def look(self, s: float = 1.0) -> list[Vigil]:
        self.after.look(self.sweep(s), frozenset())
        return [care.vigil for care in self.after.cares]


@pytest.fixture
def story(tmp_path: Path) -> Story:
    return Story(tmp_path)


def test_what_we_put_back_is_not_watched(story: Story) -> None:
    key = story.lock.key
    assert [vigil.fate for vigil in story.look()] == [Fate.WATCHING]
    assert story.after.suspend(key, story.clock.mono_ns()) is not None
    story.scene.refresh(story.lock)
    assert story.after.returning() == {key}
    assert story.look() == []
    assert story.after.returning() == frozenset(), "it was seen: from now on it is like any other"


def test_a_watch_goes_on_where_nothing_was_put_back(story: Story) -> None:
    key = story.lock.key
    care = story.after.suspend(key, story.clock.mono_ns())
    story.after.resume(key, care)
    assert story.after.returning() == frozenset()
    assert [vigil.fate for vigil in story.look()] == [Fate.WATCHING]
    story.scene.refresh(story.lock)
    assert [vigil.fate for vigil in story.look()] == [Fate.CAME_BACK]


def test_what_never_shows_is_not_waited_for(story: Story) -> None:
    story.after.suspend(story.lock.key, story.clock.mono_ns())
    story.look(RETURN_NS / SECOND - 1)
    assert story.after.returning() == {story.lock.key}
    story.look(2)
    assert story.after.returning() == frozenset()


def test_a_lock_that_nobody_watches(story: Story) -> None:
    assert story.after.suspend("another", story.clock.mono_ns()) is None
    story.after.resume("another", None)
    assert [vigil.fate for vigil in story.look()] == [Fate.WATCHING]


def test_broken_once_more_it_is_watched_anew(story: Story) -> None:
    key = story.lock.key
    story.after.suspend(key, story.clock.mono_ns())
    story.scene.refresh(story.lock)
    broken = story.scene.break_(story.lock, allow_live=True)
    story.after.add(Care(broken.id, vigil_of(broken)))
    assert story.after.returning() == frozenset()
    assert story.after.leaving() == {key}
    assert [vigil.fate for vigil in story.look()] == [Fate.WATCHING]
