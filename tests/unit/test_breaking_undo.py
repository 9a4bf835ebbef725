"""A broken lock comes back with a fresh time, over nothing and beside no rival; how long copies stay."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from backuplock.breaking import (
    Because,
    Failed,
    Refused,
    Stage,
    Writer,
    copies,
    purge,
    take_back,
    undo,
    unfinished,
)
from backuplock.breaking.quarantine import RETENTION_NS
from backuplock.clock import SECOND, ManualClock, SystemClock
from backuplock.errors import Denied, Malformed, Unreachable
from harness.breaking import QUARANTINE, VOLUME, Scene, folder_scene, memory_scene, plain_scene
from harness.builders import Lock, Volume, volume_folder
from harness.troubled import TroubledStore


@pytest.fixture(params=[memory_scene, plain_scene, folder_scene], ids=["memory", "plain", "folder"])
def scene(request: pytest.FixtureRequest, tmp_path: Path) -> Scene:
    make: Callable[[Path], Scene] = request.param
    return make(tmp_path)


@pytest.fixture
def memory(tmp_path: Path) -> Scene:
    return memory_scene(tmp_path)


def test_it_is_back_with_a_fresh_time(scene: Scene) -> None:
    lock = scene.lock()
    broken = scene.break_(lock)
    before = scene.clock.wall_ns()
    undone = undo(scene.writer(), broken.id, reason="wrong one")
    blob = scene.store.read(lock.key)
    assert blob is not None
    assert blob.body == lock.content
    assert blob.modified_ns >= before - SECOND // 10
    assert (undone.key, undone.protects_s) == (lock.key, 150)
    assert [copy.restored for copy in copies(scene.store)] == [True]
    assert scene.outcomes() == ["broken", "undone"]
    with pytest.raises(Refused, match="was put back already"):
        undo(scene.writer(), broken.id)


@pytest.mark.parametrize("acquired", [True, False])
def test_it_does_not_come_back_beside_a_rival(scene: Scene, acquired: bool) -> None:
    lock = scene.lock(type=1)
    broken = scene.break_(lock)
    rival = scene.lock("lock-rival", type=2, acquired=acquired, age_s=5)
    seen = TroubledStore(scene.store)
    with pytest.raises(Refused, match=r"lock-rival\.lck came meanwhile and excludes it") as refused:
        undo(scene.writer(seen), broken.id)
    assert seen.puts == [], "not even for a moment"
    assert refused.value.because is Because.CONFLICT
    assert scene.names() == [f"{rival.name}.lck"]
    assert scene.kept().count("undone") == 0


def test_an_unreadable_file_may_be_a_rival(scene: Scene) -> None:
    broken = scene.break_(scene.lock())
    scene.lock("lock-odd", raw=b"{", age_s=5)
    with pytest.raises(Refused, match="excludes it"):
        undo(scene.writer(), broken.id)


@pytest.mark.parametrize(("type_", "age_s"), [(1, 5.0), (2, 900.0)])
def test_neither_its_own_kind_nor_a_dead_one_is_in_the_way(scene: Scene, type_: int, age_s: float) -> None:
    lock = scene.lock(type=1)
    broken = scene.break_(lock)
    scene.lock("lock-other", type=type_, age_s=age_s)
    undo(scene.writer(), broken.id)
    assert len(scene.names()) == 2


def test_a_rival_that_comes_between_makes_it_withdraw(scene: Scene) -> None:
    lock = scene.lock(type=1)
    broken = scene.break_(lock)
    troubled = Between(scene, lambda: scene.lock("lock-rival", type=2, age_s=0))
    with pytest.raises(Refused, match="excludes it"):
        undo(Writer(troubled, scene.audit, clock=scene.clock), broken.id)
    assert scene.names() == ["lock-rival.lck"]


def test_a_rival_that_asks_is_waited_for(memory: Scene) -> None:
    lock = memory.lock(type=1)
    broken = memory.break_(lock)
    rival: list[Lock] = []
    clock = ManualClock(SystemClock().wall_ns(), on_sleep=lambda _: memory.store.delete(rival[0].key))
    asking = Between(memory, lambda: rival.append(memory.lock("lock-rival", type=2, acquired=False, age_s=0)))
    undo(Writer(asking, memory.audit, clock=clock), broken.id)
    assert memory.names() == [f"{lock.name}.lck"]


def test_a_holder_that_refreshes_while_a_rival_is_waited_for_keeps_its_lock(scene: Scene) -> None:
    lock = scene.lock(type=1, age_s=20)
    broken = scene.break_(lock, allow_live=True)
    waits: list[int] = []

    def waiting(duration_ns: int) -> None:
        waits.append(duration_ns)
        if len(waits) == 3:
            time.sleep(0.02)  # A refresh has the same bytes: only its time tells it from ours.
            scene.refresh(lock)
        clock.advance(duration_ns)

    clock = ManualClock(SystemClock().wall_ns(), on_sleep=waiting)
    asking = Between(scene, lambda: scene.lock("lock-rival", type=2, acquired=False, age_s=0))
    with pytest.raises(Refused, match="its holder lives and refreshed it") as refused:
        undo(Writer(asking, scene.audit, clock=clock), broken.id)
    assert refused.value.because is Because.CONFLICT
    assert scene.names() == [f"{lock.name}.lck", "lock-rival.lck"]
    assert scene.outcomes() == ["broken", "refused"]
    assert "taken" not in scene.kept()


@pytest.mark.parametrize("age_s", [30, 500])
def test_an_undo_that_was_killed_tells_how_long_it_protects(scene: Scene, age_s: float) -> None:
    lock = scene.lock()
    broken = scene.break_(lock)
    fields = {"target": scene.store.url, "key": lock.key}
    scene.audit.append("undo", "before", broken.id, scene.clock.wall_ns(), fields)
    scene.put(lock.key, lock.content, age_s)
    (told,) = unfinished(scene.store, scene.audit, scene.clock.wall_ns())
    assert (told.id, told.stage, told.can_finish, told.can_undo) == (broken.id, Stage.UNDOING, False, True)
    undone = take_back(scene.writer(), broken.id)
    assert undone is not None
    blob = scene.store.read(lock.key)
    assert blob is not None
    left_s = 150 - (scene.clock.wall_ns() - blob.modified_ns) / SECOND
    assert abs(undone.protects_s - left_s) < 10
    assert undone.protects_s > 100
    assert unfinished(scene.store, scene.audit, scene.clock.wall_ns()) == ()


def test_an_undo_that_was_killed_beside_a_rival_takes_nothing_away(scene: Scene) -> None:
    lock = scene.lock(type=1)
    broken = scene.break_(lock)
    fields = {"target": scene.store.url, "key": lock.key}
    scene.audit.append("undo", "before", broken.id, scene.clock.wall_ns(), fields)
    scene.put(lock.key, lock.content, 5)
    scene.lock("lock-rival", type=2, age_s=5)
    with pytest.raises(Refused, match="stands again beside lock-rival"):
        undo(scene.writer(), broken.id)
    assert len(scene.names()) == 2


class Between(TroubledStore):
    """Somebody does something right before the lock is written back."""

    def __init__(self, scene: Scene, act: Callable[[], object]) -> None:
        super().__init__(scene.store)
        self.add("put", times=1)  # who undoes it
        self.add("put", before=lambda: (act(), None)[1], times=1)


def test_a_lock_that_came_back_by_itself_is_left_alone(scene: Scene) -> None:
    lock = scene.lock()
    broken = scene.break_(lock)
    scene.refresh(lock)
    stamp = scene.store.read(lock.key)
    with pytest.raises(Refused, match="is there already, so its holder lives"):
        undo(scene.writer(), broken.id)
    again = scene.store.read(lock.key)
    assert stamp is not None
    assert again is not None
    assert stamp.modified_ns == again.modified_ns


def test_a_lock_whose_volume_is_gone_would_make_a_ghost(scene: Scene) -> None:
    lock = scene.lock()
    broken = scene.break_(lock)
    scene.store.delete(Volume(VOLUME).cfg_key)
    with pytest.raises(Refused, match="would make a ghost") as refused:
        undo(scene.writer(), broken.id)
    assert refused.value.because is Because.NO_VOLUME
    assert scene.look().volumes == ()
    undo(scene.writer(), broken.id, without_volume=True)
    assert scene.names() == [f"{lock.name}.lck"]


def test_a_volume_that_cannot_be_read_may_hide_a_rival(memory: Scene) -> None:
    broken = memory.break_(memory.lock())
    troubled = TroubledStore(memory.store)
    calls = iter(range(10))

    def fail() -> None:
        if next(calls) > 0:  # the first listing is the quarantine's
            raise Unreachable("gone")

    troubled.add("list", before=fail)
    with pytest.raises(Failed, match="volume could not be read") as failed:
        undo(memory.writer(troubled), broken.id)
    assert failed.value.settled
    assert memory.names() == []


@pytest.mark.parametrize("id_", ["", "x", "../../x", "20261123T032659Z-af26c0d10ea9/..", "a" * 999])
def test_an_id_is_an_id(memory: Scene, id_: str) -> None:
    with pytest.raises(Malformed, match="is not the id of a broken lock"):
        undo(memory.writer(), id_)


def test_an_id_that_is_not_there(memory: Scene) -> None:
    with pytest.raises(Refused, match="has no copy"):
        undo(memory.writer(), "20261123T032659Z-af26c0d10ea9")


def test_a_copy_that_names_another_place_is_not_believed(memory: Scene) -> None:
    broken = memory.break_(memory.lock())
    key = f"{QUARANTINE}/{broken.id}.json"
    blob = memory.store.read(key)
    assert blob is not None
    for change in (
        {"key": "backupstore/volumes/7e/ed/pvc-1/volume.cfg"},
        {"key": "../x"},
        {"body": "!"},
        {"body": "eA=="},
        {"modified_ns": "1"},
        {"format": 2},
        {"had_volume": 1},
    ):
        memory.store.put(key, json.dumps({**json.loads(blob.body), **change}).encode())
        with pytest.raises(Malformed):
            undo(memory.writer(), broken.id)
        (copy,) = copies(memory.store)
        assert copy.kept is None
        assert copy.why
    for raw in (b"", b"[]", b"null", b"[" * 9999, b"\xff"):
        memory.store.put(key, raw)
        with pytest.raises(Malformed):
            undo(memory.writer(), broken.id)


def test_copies_stay_for_thirty_days(scene: Scene) -> None:
    first = scene.break_(scene.lock())
    now = scene.clock.wall_ns()
    late = ManualClock(now + RETENTION_NS + SECOND)
    assert purge(scene.writer()) == ()
    writer = replace(scene.writer(), clock=late)
    assert purge(writer) == (first.id,)
    assert copies(scene.store) == ()
    assert scene.kept() == []
    assert scene.outcomes() == ["broken", "purged"]


def test_one_copy_is_purged_by_name_and_an_open_one_is_not(scene: Scene) -> None:
    broken = scene.break_(scene.lock())
    for name in scene.names(QUARANTINE):
        if name.endswith(".done"):
            scene.store.delete(f"{QUARANTINE}/{name}")
    with pytest.raises(Refused, match="did not end"):
        purge(scene.writer(), broken.id)
    scene.store.put(f"{QUARANTINE}/{broken.id}.done", b"")
    assert purge(scene.writer(), broken.id) == (broken.id,)
    assert scene.kept() == []


def test_a_purge_that_is_denied_says_so(memory: Scene) -> None:
    broken = memory.break_(memory.lock())
    troubled = TroubledStore(memory.store)
    troubled.add("delete", before=Denied("no"))
    with pytest.raises(Failed, match="could not be removed: no"):
        purge(memory.writer(troubled), broken.id)
    assert memory.outcomes() == ["broken", "failed"]
    assert len(copies(memory.store)) == 1


def test_the_quarantine_is_no_volume(scene: Scene) -> None:
    scene.break_(scene.lock())
    snapshot = scene.look()
    assert [view.name for view in snapshot.volumes] == [VOLUME]
    assert scene.names(volume_folder(VOLUME)) == ["volume.cfg"]
