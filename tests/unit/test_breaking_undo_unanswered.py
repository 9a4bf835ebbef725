"""An undo whose write, mark or end in the trail gets no answer: the next one knows its work and ends it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from backuplock.breaking import (
    AuditEntry,
    AuditError,
    Broken,
    Failed,
    Refused,
    Stage,
    Undone,
    Writer,
    copies,
    take_back,
    undo,
    unfinished,
)
from backuplock.breaking.audit import Act, Fields, Phase
from backuplock.errors import Denied, Unreachable
from harness.breaking import Scene, folder_scene, memory_scene, other_body, plain_scene
from harness.builders import Lock
from harness.troubled import TroubledStore


@pytest.fixture(params=[memory_scene, plain_scene, folder_scene], ids=["memory", "plain", "folder"])
def scene(request: pytest.FixtureRequest, tmp_path: Path) -> Scene:
    make: Callable[[Path], Scene] = request.param
    return make(tmp_path)


@pytest.fixture
def memory(tmp_path: Path) -> Scene:
    return memory_scene(tmp_path)


def test_a_write_whose_answer_is_lost_counts(scene: Scene) -> None:
    lock = scene.lock()
    broken = scene.break_(lock)
    deaf = TroubledStore(scene.store)
    deaf.add("put", times=1)  # who undoes it
    deaf.add("put", after=Unreachable("no answer"), times=1)
    assert undo(scene.writer(deaf), broken.id).protects_s == 150
    assert scene.names() == [f"{lock.name}.lck"]
    assert scene.outcomes() == ["broken", "undone"]
    (told,) = (one.get("detail") for one in scene.audit.entries() if one.get("outcome") == "undone")
    assert told == "the store did not answer the write, and the lock is there"
    with pytest.raises(Refused, match="was put back already"):
        undo(scene.writer(), broken.id)


def _unanswered(scene: Scene, broken: Broken, *, done: bool) -> None:
    """An undo whose write gets no answer, on a store that then cannot be looked at; or that was not done."""
    deaf = TroubledStore(scene.store)

    def silence() -> None:
        if done:
            deaf.add("read", before=Unreachable("nor to the look"))
        raise Unreachable("no answer")

    deaf.add("put", times=1)  # who undoes it
    deaf.add("put", before=None if done else silence, after=silence if done else None, times=1)
    with pytest.raises(Failed, match="could not be seen" if done else "may still do so") as failed:
        undo(scene.writer(deaf), broken.id)
    assert not failed.value.settled
    assert scene.outcomes() == ["broken", "unknown"]
    (told,) = unfinished(scene.store, scene.audit, scene.clock.wall_ns())
    assert (told.id, told.stage, told.can_undo) == (broken.id, Stage.UNDOING, True)


def _ended(scene: Scene, lock: Lock) -> None:
    """The undo is over, by every witness."""
    assert scene.names() == [f"{lock.name}.lck"]
    assert [copy.restored for copy in copies(scene.store)] == [True]
    assert scene.outcomes() == ["broken", "unknown", "undone"]
    assert unfinished(scene.store, scene.audit, scene.clock.wall_ns()) == ()


@pytest.mark.parametrize("act", [undo, take_back])
def test_an_undo_without_an_answer_is_ended_by_the_next(
    scene: Scene, act: Callable[[Writer, str], Undone | None]
) -> None:
    lock = scene.lock()
    broken = scene.break_(lock)
    _unanswered(scene, broken, done=True)
    seen = TroubledStore(scene.store)
    undone = act(scene.writer(seen), broken.id)
    assert undone is not None
    assert 100 < undone.protects_s <= 150
    assert [key for key, _ in seen.puts if key == lock.key] == [], "it is not written again"
    _ended(scene, lock)


@pytest.mark.parametrize("again", [False, True], ids=["late", "while it is undone again"])
def test_a_write_that_lands_late_is_known_for_ours(
    scene: Scene, again: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = scene.lock()
    broken = scene.break_(lock)
    _unanswered(scene, broken, done=False)
    if again:
        real = scene.audit.append

        def then_it_lands(act: Act, phase: Phase, entry: str, at_ns: int, fields: Fields) -> AuditEntry:
            made = real(act, phase, entry, at_ns, fields)
            if phase == "before":
                scene.refresh(lock)
            return made

        monkeypatch.setattr(scene.audit, "append", then_it_lands)
    else:
        scene.refresh(lock)
    undo(scene.writer(), broken.id)
    _ended(scene, lock)


def test_a_mark_that_fails_is_made_up_for(scene: Scene) -> None:
    lock = scene.lock()
    broken = scene.break_(lock)
    troubled = TroubledStore(scene.store)
    troubled.add("put", times=2)  # who undoes it, the lock
    troubled.add("put", before=Denied("no"))
    with pytest.raises(Failed, match="the quarantine does not say so"):
        undo(scene.writer(troubled), broken.id)
    undo(scene.writer(), broken.id)
    _ended(scene, lock)


def test_a_trail_that_fails_at_the_end_is_made_up_for(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    lock = scene.lock()
    broken = scene.break_(lock)
    real = scene.audit.append

    def fail(act: Act, phase: Phase, entry: str, at_ns: int, fields: Fields) -> AuditEntry:
        if phase == "after":
            raise AuditError("the disk is full")
        return real(act, phase, entry, at_ns, fields)

    with monkeypatch.context() as patched:
        patched.setattr(scene.audit, "append", fail)
        with pytest.raises(AuditError, match="the disk is full"):
            undo(scene.writer(), broken.id)
    assert len(unfinished(scene.store, scene.audit, scene.clock.wall_ns())) == 1
    scene.store.delete(lock.key)
    assert undo(scene.writer(), broken.id).protects_s == 0
    assert scene.names() == [], "it was given back since: it is not written again"
    assert scene.outcomes() == ["broken", "undone"]
    assert unfinished(scene.store, scene.audit, scene.clock.wall_ns()) == ()


def test_what_stands_and_cannot_be_judged_is_not_called_untouched(memory: Scene) -> None:
    lock = memory.lock()
    broken = memory.break_(lock)
    troubled = TroubledStore(memory.store)

    def silence() -> None:
        troubled.add("list", before=Unreachable("gone"))
        raise Unreachable("no answer")

    troubled.add("put", times=1)  # who undoes it
    troubled.add("put", after=silence, times=1)
    with pytest.raises(Failed, match="is there, and whether beside a rival could not be seen") as failed:
        undo(memory.writer(troubled), broken.id)
    assert not failed.value.settled
    undo(memory.writer(), broken.id)
    _ended(memory, lock)


def test_another_lock_in_the_place_of_an_unanswered_write_is_its_holders(scene: Scene) -> None:
    lock = scene.lock()
    broken = scene.break_(lock)
    _unanswered(scene, broken, done=False)
    scene.store.put(lock.key, other_body())
    with pytest.raises(Refused, match="is there already, so its holder lives"):
        undo(scene.writer(), broken.id)
    blob = scene.store.read(lock.key)
    assert blob is not None
    assert blob.body == other_body()
