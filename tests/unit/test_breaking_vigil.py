"""The watch after a break: each fate, from Snapshots alone; and the loop, over a store in earnest."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from backuplock.breaking import Failed, Fate, Vigil, Who, follow, record_fate, told_apart, undo, vigil_of
from backuplock.breaking.quarantine import FOLDER
from backuplock.clock import SECOND, ManualClock, SystemClock
from backuplock.errors import Unreachable
from backuplock.model import Operation, Snapshot
from backuplock.rules import Timing
from backuplock.stores.memory import MemoryStore
from backuplock.survey import sweep
from harness.breaking import Scene, folder_scene, memory_scene, other_body
from harness.builders import Lock
from harness.locks import system_lock, until
from harness.longhorn_peer import LonghornPeer
from harness.troubled import TroubledStore

SHORT = Timing(*(round(s * SECOND / 50) for s in (150, 60, 2, 5)))
"""A lease of 3 s."""


class Story:
    """A broken lock in a store in memory on manual time, and its watch."""

    def __init__(self, folder: Path) -> None:
        self.clock = ManualClock(SystemClock().wall_ns())
        self.store = MemoryStore(self.clock)
        self.scene = Scene(self.store, folder, self._plant, clock=self.clock)
        self.scene.volume()
        self.lock = self.scene.lock()
        self.scene.lock("lock-beside", age_s=1)
        before = self.scene.look()
        self.broken = self.scene.break_(self.lock)
        self.vigil = vigil_of(self.broken, before)

    def _plant(self, key: str, content: bytes, age_s: float) -> None:
        self.store.plant(key, content, self.clock.wall_ns() - round(age_s * SECOND))

    def after(self, s: float) -> Snapshot:
        """Let time pass, then look."""
        self.clock.advance(round(s * SECOND))
        return sweep(self.store, clock=self.clock)

    def watch(self, s: float) -> Vigil:
        self.vigil = self.vigil.look(self.after(s))
        return self.vigil


@pytest.fixture
def story(tmp_path: Path) -> Story:
    return Story(tmp_path)


def test_gone_for_good_after_75_s(story: Story) -> None:
    for _ in range(37):
        assert story.watch(2).fate is Fate.WATCHING
    assert story.vigil.left_ns(story.clock.mono_ns()) == 1 * SECOND
    assert story.watch(1).fate is Fate.GONE
    assert story.vigil.left_ns(story.clock.mono_ns()) == 0
    assert story.vigil.help == ""
    assert story.watch(1) is story.vigil


@pytest.mark.parametrize("at_s", [1, 59, 74])
def test_a_refresh_is_noticed_at_the_next_look(story: Story, at_s: int) -> None:
    story.watch(at_s)
    story.scene.refresh(story.lock)
    assert story.watch(0.1).fate is Fate.CAME_BACK
    assert "its holder is alive" in story.vigil.words
    assert "stop the process, not the file" in story.vigil.help
    assert story.vigil.by == story.lock.key


def test_who_undoes_the_break_elsewhere_is_no_holder_that_came_back(story: Story) -> None:
    story.watch(1)
    writer = replace(story.scene.writer(), who=Who("alice\x1b[2J", "bastion-2"))
    undo(writer, story.broken.id)
    back = story.watch(1)
    assert back.fate is Fate.CAME_BACK
    vigil = told_apart(story.store, back)
    assert (vigil.fate, vigil.decided, vigil.help) == (Fate.PUT_BACK, True, "")
    assert vigil.words.endswith(" was put back by alice\\x1b[2J@bastion-2")


@pytest.mark.parametrize(("later_s", "fate"), [(0, Fate.PUT_BACK), (29, Fate.PUT_BACK), (32, Fate.CAME_BACK)])
def test_an_undo_that_is_not_marked_yet_is_known_by_its_announcement(
    story: Story, later_s: int, fate: Fate
) -> None:
    story.watch(1)
    troubled = TroubledStore(story.store)
    troubled.add("put", times=2)
    troubled.add("put", before=Unreachable("gone"))
    with pytest.raises(Failed, match="the quarantine does not say so"):
        undo(replace(story.scene.writer(), store=troubled, who=Who("alice", "bastion-2")), story.broken.id)
    assert told_apart(story.store, story.watch(1)).words.endswith(" was put back by alice@bastion-2")
    story.clock.advance(later_s * SECOND - SECOND)
    story.scene.refresh(story.lock)
    back = replace(story.vigil, fate=Fate.CAME_BACK)
    assert told_apart(story.store, back).fate is fate


def test_an_undo_that_is_over_leaves_no_announcement(story: Story) -> None:
    undo(story.scene.writer(), story.broken.id)
    names = [entry.name for entry in story.store.list(FOLDER).entries]
    assert f"{story.broken.id}.undone" in names
    assert not [name for name in names if name.endswith(".undoing")]


def test_without_a_mark_that_can_be_read_it_came_back(story: Story) -> None:
    story.scene.refresh(story.lock)
    back = story.watch(1)
    assert told_apart(story.store, back) is back
    undone = f"{FOLDER}/{story.broken.id}.undone"
    story.store.put(undone, b"")
    assert told_apart(story.store, back).words.endswith("was put back by somebody else")
    troubled = TroubledStore(story.store)
    troubled.add("read", before=Unreachable("gone"))
    assert told_apart(troubled, back) is back


def test_the_loop_tells_an_undo_from_a_return(story: Story) -> None:
    undo(story.scene.writer(), story.broken.id)
    assert follow(story.store, story.vigil, clock=story.clock).fate is Fate.PUT_BACK


def test_another_that_acquires_takes_its_place_and_one_that_asks_does_not(story: Story) -> None:
    story.scene.lock("lock-new", acquired=False, age_s=0)
    story.watch(2)
    assert story.vigil.by == ""
    new = story.scene.lock("lock-new", age_s=0)
    assert story.watch(2).fate is Fate.WATCHING
    assert story.vigil.by == new.key
    assert story.watch(80).fate is Fate.REPLACED
    assert "lock-new.lck took its place" in story.vigil.words


def test_its_return_counts_more_than_a_successor(story: Story) -> None:
    story.scene.lock("lock-new", age_s=0)
    story.watch(2)
    story.scene.refresh(story.lock)
    assert story.watch(2).fate is Fate.CAME_BACK


def test_a_lock_that_was_there_before_is_no_successor(story: Story) -> None:
    assert story.watch(80).fate is Fate.GONE


def test_a_stale_listing_of_what_was_removed_is_no_return_and_no_absence(story: Story) -> None:
    seen = story.after(2)
    token = story.broken.token
    ghost = next(lock for lock in seen.locks)
    ghost = replace(
        ghost, key=token.key, modified_ns=token.modified_ns, etag=token.etag, size=token.size, flaw=None
    )
    view = replace(seen.volumes[0], locks=(*seen.volumes[0].locks, ghost))
    stale = replace(seen, volumes=(view,), by_key={**seen.by_key, ghost.key: ghost})
    vigil = story.vigil.look(stale)
    assert (vigil.fate, vigil.seen_mono_ns) == (Fate.WATCHING, None)


def test_a_store_that_never_shows_the_place_ends_the_watch_unseen(story: Story) -> None:
    story.store.plant(story.lock.key, story.lock.content, story.broken.token.modified_ns)
    assert story.watch(76).fate is Fate.WATCHING
    assert story.watch(60).fate is Fate.UNSEEN
    assert "could not be seen" in story.vigil.words


def test_what_cannot_be_read_proves_nothing(story: Story) -> None:
    story.watch(70)
    whole = story.after(20)
    blind = replace(
        whole,
        volumes=tuple(replace(view, problem="could not be listed") for view in whole.volumes),
        by_key={},
    )
    assert story.vigil.look(blind).fate is Fate.WATCHING
    assert story.vigil.look(replace(whole, problems=("x",))).fate is Fate.WATCHING
    assert story.vigil.look(whole).fate is Fate.GONE


def test_a_look_that_began_before_the_removal_tells_nothing(story: Story) -> None:
    seen = story.after(2)
    early = replace(seen, began_mono_ns=story.broken.removed_mono_ns - 1)
    assert story.vigil.look(early) is story.vigil


def test_a_volume_that_is_gone_has_no_lock(story: Story) -> None:
    gone = replace(story.after(80), volumes=(), by_key={})
    assert story.vigil.look(gone).fate is Fate.GONE


def test_what_was_back_at_once_needs_no_watch(story: Story) -> None:
    vigil = vigil_of(replace(story.broken, back=True))
    assert vigil.fate is Fate.CAME_BACK


def test_the_loop_follows_to_the_end_and_records_it(story: Story) -> None:
    told: list[Fate] = []
    vigil = follow(story.store, story.vigil, clock=story.clock, told=lambda now, _: told.append(now.fate))
    assert vigil.fate is Fate.GONE
    assert len(told) == 75 // 2 + 2
    record_fate(story.scene.writer(), vigil, story.broken.id)
    assert story.scene.outcomes() == ["broken", "gone for good"]


def test_the_loop_gives_up_on_a_store_that_is_lost(story: Story) -> None:
    troubled = TroubledStore(story.store)
    troubled.add("list", before=Unreachable("gone"))
    errors: list[object] = []
    vigil = follow(troubled, story.vigil, clock=story.clock, told=lambda _, error: errors.append(error))
    assert vigil.fate is Fate.UNSEEN
    assert all(errors)


def test_the_loop_can_be_stopped(story: Story) -> None:
    stop = threading.Event()
    vigil = follow(story.store, story.vigil, clock=story.clock, told=lambda *_: stop.set(), stop=stop)
    assert vigil.fate is Fate.WATCHING


# -- resurrection in earnest


def _break_and_follow(scene: Scene, key: str) -> tuple[Vigil, list[Fate]]:
    scene.timing = SHORT
    snapshot = scene.look()
    lock = snapshot.by_key[key]
    broken = scene.break_(Lock(lock.volume, lock.stem), allow_live=True)
    fates: list[Fate] = []
    seen = follow(
        scene.store,
        vigil_of(broken, snapshot, SHORT),
        every_ns=SECOND // 20,
        told=lambda now, _: fates.append(now.fate),
    )
    return seen, fates


@pytest.mark.parametrize("make", [memory_scene, folder_scene], ids=["memory", "folder"])
def test_a_holder_that_refreshes_blindly_comes_back(make: Callable[[Path], Scene], tmp_path: Path) -> None:
    scene = make(tmp_path)
    peer = LonghornPeer(scene.store, "pvc-1", 1, SHORT)
    assert peer.lock()
    try:
        vigil, fates = _break_and_follow(scene, peer.key)
        assert vigil.fate is Fate.CAME_BACK
        assert set(fates[:-1]) <= {Fate.WATCHING}
    finally:
        peer.unlock()


@pytest.mark.parametrize("make", [memory_scene, folder_scene], ids=["memory", "folder"])
def test_a_holder_of_ours_notices_and_does_not_come_back(
    make: Callable[[Path], Scene], tmp_path: Path
) -> None:
    scene = make(tmp_path)
    lock = system_lock(scene.store, Operation.BACKUP)
    lock.acquire()
    (key,) = scene.look().by_key
    vigil, _ = _break_and_follow(scene, key)
    assert vigil.fate is Fate.GONE
    until(lock.lost.is_set, "for the loss to be noticed")
    lock.release()


def test_other_content_under_its_name_is_a_return_too(story: Story) -> None:
    story.store.put(story.lock.key, other_body())
    assert story.watch(1).fate is Fate.CAME_BACK
