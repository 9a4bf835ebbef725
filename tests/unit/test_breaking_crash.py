"""SIGKILL after each step, in earnest: nothing is lost, the next start tells, and finishes or takes back."""

from __future__ import annotations

from pathlib import Path

import pytest

from backuplock.breaking import (
    Because,
    Refused,
    Stage,
    Step,
    Unfinished,
    Writer,
    copies,
    execute,
    finish,
    recover,
    take_back,
    undo,
    unfinished,
)
from backuplock.breaking.interrupted import FOREIGN_NS
from backuplock.breaking.quarantine import CAP
from backuplock.clock import SECOND
from backuplock.stores.filesystem import FilesystemStore
from backuplock.stores.memory import MemoryStore
from harness.breaking import (
    QUARANTINE,
    Scene,
    at,
    folder_scene,
    kill_at,
    memory_scene,
    other_body,
    unconditional,
)
from harness.builders import Lock

UNTOUCHED = (Step.AUDITED, Step.COPIED, Step.RECHECKED)
REMOVED = (Step.REMOVED, Step.VERIFIED, Step.MARKED)


class Killed(Exception):
    """What stands for SIGKILL where the store lives in the process."""


@pytest.fixture
def files(tmp_path: Path) -> Scene:
    return folder_scene(tmp_path)


@pytest.fixture
def memory(tmp_path: Path) -> Scene:
    scene = memory_scene(tmp_path)
    assert isinstance(scene.store, MemoryStore)
    unconditional(scene.store)
    return scene


def killed(scene: Scene, step: Step, lock: Lock) -> None:
    kill_at(step, scene.store.url, scene.audit.path, lock.key, {})


def stopped(scene: Scene, step: Step, lock: Lock) -> None:
    def die() -> None:
        raise Killed

    with pytest.raises(Killed):
        execute(scene.writer(told=at(step, die)), scene.plan(lock).order)


def found(scene: Scene) -> Unfinished:
    (one,) = unfinished(scene.store, scene.audit, scene.clock.wall_ns())
    return one


def body_of(scene: Scene, key: str) -> bytes | None:
    blob = scene.store.read(key)
    return None if blob is None else blob.body


def copies_of(scene: Scene, lock: Lock) -> int:
    """In how many places the lock's bytes are: its own, the quarantine's file, the audit trail."""
    kept = [name for name in scene.names(QUARANTINE) if name.endswith((".json", ".file"))]
    told = [one for one in scene.audit.entries() if one.get("body")]
    return len(kept) + len(told) + (body_of(scene, lock.key) == lock.content)


@pytest.mark.parametrize("step", list(Step))
def test_killed_and_finished(files: Scene, step: Step) -> None:
    lock = files.lock()
    killed(files, step, lock)
    assert copies_of(files, lock) >= 1
    if step is Step.CHECKED:
        assert body_of(files, lock.key) == lock.content
        assert unfinished(files.store, files.audit, files.clock.wall_ns()) == ()
        return
    if step is Step.RECORDED:
        assert body_of(files, lock.key) is None
        assert unfinished(files.store, files.audit, files.clock.wall_ns()) == ()
        return
    one = found(files)
    assert one.stage is (Stage.UNTOUCHED if step in UNTOUCHED else Stage.REMOVED)
    assert one.words.startswith("interrupted: the lock is ")
    assert (one.can_finish, one.can_undo, one.running, one.ours) == (True, True, False, True)
    broken = finish(files.writer(), one.id)
    assert broken is not None
    assert body_of(files, lock.key) is None
    assert files.outcomes() == ["broken"]
    assert unfinished(files.store, files.audit, files.clock.wall_ns()) == ()
    undo(files.writer(), broken.id)
    assert body_of(files, lock.key) == lock.content


@pytest.mark.parametrize("step", [*UNTOUCHED, *REMOVED])
def test_killed_and_taken_back(files: Scene, step: Step) -> None:
    lock = files.lock()
    killed(files, step, lock)
    undone = take_back(files.writer(), found(files).id)
    assert (undone is None) == (step in UNTOUCHED)
    assert body_of(files, lock.key) == lock.content
    assert unfinished(files.store, files.audit, files.clock.wall_ns()) == ()
    assert files.audit.verify().problem == ""


@pytest.mark.parametrize("step", [*UNTOUCHED, *REMOVED])
@pytest.mark.parametrize("ending", ["finish", "take back"])
def test_stopped_where_there_is_no_rename(memory: Scene, step: Step, ending: str) -> None:
    lock = memory.lock()
    stopped(memory, step, lock)
    one = found(memory)
    if ending == "finish":
        assert finish(memory.writer(), one.id) is not None
        assert body_of(memory, lock.key) is None
    else:
        take_back(memory.writer(), one.id)
        assert body_of(memory, lock.key) == lock.content
    assert unfinished(memory.store, memory.audit, memory.clock.wall_ns()) == ()


@pytest.mark.parametrize("ending", ["finish", "take back"])
def test_a_lock_that_was_refreshed_and_swept_away_goes_back_either_way(files: Scene, ending: str) -> None:
    lock = files.lock()

    def told(step: Step) -> None:
        if step is Step.RECHECKED:
            files.refresh(lock)
        if step is Step.REMOVED:
            raise Killed

    with pytest.raises(Killed):
        execute(files.writer(told=told), files.plan(lock).order)
    assert body_of(files, lock.key) is None
    one = found(files)
    assert one.stage is Stage.SWEPT
    assert "either way it goes back" in one.words
    assert (finish if ending == "finish" else take_back)(files.writer(), one.id) is None
    assert body_of(files, lock.key) == lock.content
    assert files.kept() == []
    assert files.outcomes() == ["refused"]


@pytest.mark.parametrize("ending", ["finish", "take back"])
@pytest.mark.parametrize("step", [Step.AUDITED, Step.COPIED, Step.REMOVED])
def test_a_lock_that_was_written_since_stays(files: Scene, step: Step, ending: str) -> None:
    lock = files.lock()
    killed(files, step, lock)
    files.store.put(lock.key, other_body())
    one = found(files)
    assert one.stage is Stage.BACK
    (finish if ending == "finish" else take_back)(files.writer(), one.id)
    assert body_of(files, lock.key) == other_body()
    assert unfinished(files.store, files.audit, files.clock.wall_ns()) == ()


def test_a_lock_that_went_by_itself_before_anything_was_done(memory: Scene) -> None:
    lock = memory.lock()
    stopped(memory, Step.AUDITED, lock)
    memory.store.delete(lock.key)
    one = found(memory)
    assert one.stage is Stage.GONE
    assert finish(memory.writer(), one.id) is None
    assert memory.outcomes() == ["gone"]


def test_what_is_at_work_is_not_interrupted(files: Scene) -> None:
    lock = files.lock()
    seen: list[Unfinished] = []
    execute(files.writer(told=at(Step.COPIED, lambda: seen.append(found(files)))), files.plan(lock).order)
    (one,) = seen
    assert (one.running, one.can_finish, one.can_undo) == (True, False, False)
    assert one.words == "a process of this machine is at work on it"
    with pytest.raises(Refused):
        finish(files.writer(), one.id)


def _age(scene: Scene) -> None:
    """Let the time pass in which another machine may be at work, on the store's clock."""
    for name in scene.names(QUARANTINE):
        if not name.endswith(".json"):
            continue
        blob = scene.store.read(f"{QUARANTINE}/{name}", cap=CAP)
        assert blob is not None
        assert scene.plant is not None
        scene.plant(f"{QUARANTINE}/{name}", blob.body, FOREIGN_NS / SECOND + 60)


@pytest.mark.parametrize("other", ["files", "memory"])
def test_an_act_that_another_machine_took_for_dead_loses_nothing(
    request: pytest.FixtureRequest, other: str, tmp_path: Path
) -> None:
    scene: Scene = request.getfixturevalue(other)
    lock = scene.lock()
    elsewhere = Scene(scene.store, tmp_path / "elsewhere")

    def meanwhile() -> None:
        _age(scene)
        (one,) = unfinished(scene.store, elsewhere.audit, elsewhere.clock.wall_ns())
        assert take_back(elsewhere.writer(), one.id) is None

    with pytest.raises(Refused, match="somebody else has taken this break back"):
        execute(scene.writer(told=at(Step.COPIED, meanwhile)), scene.plan(lock).order)
    assert body_of(scene, lock.key) == lock.content
    broken = execute(scene.writer(told=at(Step.RECHECKED, meanwhile)), scene.plan(lock).order)
    assert "written again" in " ".join(broken.notes)
    assert undo(scene.writer(), broken.id).key == lock.key


def test_two_that_end_the_same_act_lose_nothing(files: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    lock = files.lock()
    killed(files, Step.COPIED, lock)
    entry = found(files).id
    looks = []
    real = recover.find

    def between(writer: Writer, id_: str, *, mine: str = "") -> Unfinished:
        one = real(writer, id_, mine=mine)
        looks.append(mine)
        if len(looks) == 1:
            assert finish(files.writer(), entry) is not None
        return one

    monkeypatch.setattr(recover, "find", between)
    with pytest.raises(Refused, match="is over"):
        take_back(files.writer(), entry)
    assert [copy.id for copy in copies(files.store)] == [entry]
    assert body_of(files, lock.key) is None


def test_finishing_asks_anew_whether_the_holder_is_dead(files: Scene) -> None:
    lock = files.lock(age_s=5)
    kill_at(Step.AUDITED, files.store.url, files.audit.path, lock.key, {})
    one = found(files)
    assert "if it is dead still" in one.words
    with pytest.raises(Refused, match="its holder may be alive") as refused:
        finish(files.writer(), one.id)
    assert refused.value.because is Because.ALIVE
    assert body_of(files, lock.key) == lock.content
    assert take_back(files.writer(), one.id) is None
    assert files.kept() == []


def test_an_interrupted_act_is_told_of_under_any_name_of_its_store(files: Scene, tmp_path: Path) -> None:
    lock = files.lock()
    killed(files, Step.REMOVED, lock)
    (tmp_path / "alias").symlink_to(tmp_path / "store")
    alias = FilesystemStore(tmp_path / "alias", writable=True)
    assert alias.url != files.store.url
    (one,) = unfinished(alias, files.audit, files.clock.wall_ns())
    assert (one.ours, one.stage) == (True, Stage.REMOVED)


def test_another_store_of_the_same_name_ends_nothing(memory: Scene) -> None:
    lock = memory.lock()
    stopped(memory, Step.AUDITED, lock)
    namesake = MemoryStore()
    namesake.endpoint = "https://elsewhere.example"  # type: ignore[attr-defined]
    assert namesake.url == memory.store.url
    assert unfinished(namesake, memory.audit, memory.clock.wall_ns()) != (), "neither says which it is"
    memory.store.endpoint = "https://here.example"  # type: ignore[attr-defined]
    take_back(memory.writer(), found(memory).id)
    stopped(memory, Step.AUDITED, lock)
    assert unfinished(namesake, memory.audit, memory.clock.wall_ns()) == ()
    assert found(memory).stage is Stage.UNTOUCHED


def test_another_machine_tells_of_it_after_a_while_and_takes_it_back(files: Scene, tmp_path: Path) -> None:
    lock = files.lock()
    killed(files, Step.REMOVED, lock)
    elsewhere = Scene(files.store, tmp_path / "elsewhere")
    now = elsewhere.clock.wall_ns()
    assert unfinished(files.store, elsewhere.audit, now) == (), "its machine may be at work"
    _age(files)
    (one,) = unfinished(files.store, elsewhere.audit, now)
    assert (one.ours, one.stage) == (False, Stage.REMOVED)
    assert undo(Writer(files.store, elsewhere.audit), one.id).key == lock.key
    assert body_of(files, lock.key) == lock.content
    assert unfinished(files.store, elsewhere.audit, now) == ()


def test_what_another_machine_only_meant_to_do_is_not_done_here(files: Scene, tmp_path: Path) -> None:
    lock = files.lock()
    killed(files, Step.COPIED, lock)
    elsewhere = Scene(files.store, tmp_path / "elsewhere")
    _age(files)
    (one,) = unfinished(files.store, elsewhere.audit, elsewhere.clock.wall_ns())
    assert (one.stage, one.can_finish, one.can_undo) == (Stage.UNTOUCHED, False, True)


def test_an_undo_that_was_killed_after_its_write_is_done_again_without_harm(memory: Scene) -> None:
    lock = memory.lock()
    broken = memory.break_(lock)
    fields = {"target": memory.store.url, "key": lock.key}
    memory.audit.append("undo", "before", broken.id, memory.clock.wall_ns(), fields)
    memory.refresh(lock)
    undo(memory.writer(), broken.id)
    assert memory.kept() == ["done", "json", "undone"]
    assert body_of(memory, lock.key) == lock.content
