"""One lock is broken, or is left as it is: never removed unseen, never without a copy and an entry."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from backuplock.breaking import (
    Audit,
    Because,
    Broken,
    Failed,
    Order,
    Refused,
    Step,
    Token,
    Writer,
    execute,
    finish,
    make_plan,
    unfinished,
)
from backuplock.errors import Denied, Malformed, ReadOnly, StoreError, Unreachable
from backuplock.stores.base import Version
from backuplock.stores.filesystem import FilesystemStore
from backuplock.stores.memory import MemoryStore
from backuplock.survey import sweep
from harness.breaking import (
    QUARANTINE,
    VOLUME,
    Scene,
    at,
    folder_scene,
    memory_scene,
    other_body,
    unconditional,
)
from harness.builders import Lock
from harness.commands import fingerprint
from harness.troubled import TroubledStore


@pytest.fixture(params=[memory_scene, folder_scene], ids=["memory", "folder"])
def scene(request: pytest.FixtureRequest, tmp_path: Path) -> Scene:
    make: Callable[[Path], Scene] = request.param
    return make(tmp_path)


@pytest.fixture
def files(tmp_path: Path) -> Scene:
    return folder_scene(tmp_path)


@pytest.fixture
def memory(tmp_path: Path) -> Scene:
    return memory_scene(tmp_path)


def root_of(scene: Scene) -> Path:
    assert isinstance(scene.store, FilesystemStore)
    return scene.store.root


def body_of(scene: Scene, lock: Lock) -> bytes | None:
    blob = scene.store.read(lock.key)
    return None if blob is None else blob.body


def test_a_dead_lock_goes_and_its_copy_stays(scene: Scene) -> None:
    lock, other = scene.lock(), scene.lock("lock-other")
    steps: list[Step] = []
    broken = execute(scene.writer(told=steps.append), scene.plan(lock).order, reason="node gone")
    assert scene.names() == [f"{other.name}.lck"]
    copy = scene.store.read(f"{QUARANTINE}/{broken.id}.json")
    assert copy is not None
    assert b"node gone" in copy.body
    assert scene.outcomes() == ["broken"]
    assert not broken.back
    assert unfinished(scene.store, scene.audit, scene.clock.wall_ns()) == ()
    assert steps == list(Step)


def test_the_copy_lies_where_no_client_looks_for_locks_or_removes_by_prefix(scene: Scene) -> None:
    lock = scene.lock()
    scene.break_(lock)
    for name in scene.names(QUARANTINE):
        assert not f"{QUARANTINE}/{name}".startswith("backupstore/volumes/")
        assert not name.endswith(".lck")
    assert [view.name for view in scene.look().volumes] == [VOLUME]


def test_the_last_lock_takes_its_empty_folder_along(files: Scene) -> None:
    lock = files.lock()
    files.break_(lock)
    assert not (root_of(files) / lock.key).parent.exists()
    assert (root_of(files) / lock.key).parent.parent.exists()


def test_a_live_lock_is_refused_unless_insisted(scene: Scene) -> None:
    lock = scene.lock(age_s=10)
    plan = scene.plan(lock)
    assert not plan.dead
    with pytest.raises(Refused, match="nothing shows that its holder is dead; wait") as refused:
        execute(scene.writer(), plan.order)
    assert refused.value.because is Because.ALIVE
    assert scene.audit.entries() == ()
    execute(scene.writer(), plan.order, allow_live=True)
    assert body_of(scene, lock) is None
    assert scene.audit.entries()[0].fields["live"] is True


def test_an_order_that_calls_a_live_lock_dead_is_not_believed(scene: Scene) -> None:
    lock = scene.lock(age_s=10)
    order = dataclasses.replace(scene.plan(lock).order, dead=True)
    with pytest.raises(Refused, match="its lease has not ended on the store's clock"):
        execute(scene.writer(), order)
    assert body_of(scene, lock) == lock.content


@pytest.mark.parametrize("change", ["refreshed", "written anew", "gone", "older"])
def test_what_changed_since_it_was_seen_is_left_alone(scene: Scene, change: str) -> None:
    lock = scene.lock()
    order = scene.plan(lock).order
    because, told, left = Because.CHANGED, "refreshed 0s ago", lock.content
    if change == "refreshed":
        scene.refresh(lock)
    elif change == "written anew":
        scene.store.put(lock.key, other_body())
        told, left = "written anew 0s ago", other_body()
    elif change == "older":
        scene.put(lock.key, lock.content, 900.0)
        told = "its time went back by 400 s"
    else:
        scene.store.delete(lock.key)
        because, told, left = Because.GONE, "it is not there any more", b""
    with pytest.raises(Refused, match=told) as refused:
        execute(scene.writer(), order)
    assert refused.value.because is because
    assert (body_of(scene, lock) or b"") == left
    assert (scene.audit.entries(), scene.kept()) == ((), [])


@pytest.mark.parametrize("step", [Step.CHECKED, Step.AUDITED, Step.COPIED])
def test_a_refresh_during_the_transaction_saves_the_lock(scene: Scene, step: Step) -> None:
    lock = scene.lock()
    order = scene.plan(lock).order
    with pytest.raises(Refused, match="it was refreshed") as refused:
        execute(scene.writer(told=at(step, lambda: scene.refresh(lock))), order)
    assert refused.value.because is Because.CHANGED
    assert body_of(scene, lock) == lock.content
    assert scene.kept() == []
    assert scene.outcomes() == ["refused"]
    assert unfinished(scene.store, scene.audit, scene.clock.wall_ns()) == ()


def test_a_renamed_lock_goes_back_with_the_time_of_its_refresh(files: Scene) -> None:
    lock = files.lock()
    order = files.plan(lock).order
    stamped: list[int] = []

    def refresh() -> None:
        stamped.append(files.store.put(lock.key, lock.content).modified_ns or 0)

    with pytest.raises(Refused, match="it is where it was"):
        execute(files.writer(told=at(Step.RECHECKED, refresh)), order)
    blob = files.store.read(lock.key)
    assert blob is not None
    assert [blob.modified_ns] == stamped
    assert files.names() == [f"{lock.name}.lck"]


def test_a_lock_that_was_moved_never_replaces_a_newer_one(files: Scene) -> None:
    lock = files.lock()
    order = files.plan(lock).order
    newest = other_body()

    def told(step: Step) -> None:
        if step is Step.RECHECKED:
            files.refresh(lock)
        if step is Step.REMOVED:
            files.store.put(lock.key, newest)

    with pytest.raises(Refused, match="refreshed"):
        execute(files.writer(told=told), order)
    assert body_of(files, lock) == newest
    assert files.kept() == []


def test_a_refresh_right_after_the_removal_is_told(scene: Scene) -> None:
    lock = scene.lock()
    order = scene.plan(lock).order
    broken = execute(scene.writer(told=at(Step.REMOVED, lambda: scene.refresh(lock))), order)
    assert broken.back
    assert body_of(scene, lock) == lock.content
    assert "it was back at once" in scene.audit.entries()[-1].get("detail")


def test_where_bodies_change_a_condition_saves_what_the_last_look_missed(memory: Scene) -> None:
    lock = memory.lock()
    order = memory.plan(lock).order
    with pytest.raises(Refused, match="written anew meanwhile"):
        execute(
            memory.writer(told=at(Step.RECHECKED, lambda: memory.store.put(lock.key, other_body()))), order
        )
    assert body_of(memory, lock) == other_body()
    assert memory.kept() == []


def test_the_window_that_remains_is_measured_and_told(memory: Scene) -> None:
    assert isinstance(memory.store, MemoryStore)
    unconditional(memory.store)
    lock = memory.lock()
    plan = memory.plan(lock)
    assert plan.guarantees[0].holds is False
    broken = execute(memory.writer(told=at(Step.RECHECKED, lambda: memory.refresh(lock))), plan.order)
    assert body_of(memory, lock) is None, "the window is what the plan says it is"
    assert broken.window_ns is not None
    assert broken.window_ns > 0
    assert memory.audit.entries()[-1].fields["window_ns"] == broken.window_ns


def test_a_read_only_store_gives_no_writer(scene: Scene, tmp_path: Path) -> None:
    lock = scene.lock()
    closed = (
        MemoryStore(writable=False)
        if isinstance(scene.store, MemoryStore)
        else FilesystemStore(root_of(scene))
    )
    with pytest.raises(ReadOnly, match="opened for reading only, nothing is changed"):
        scene.writer(closed)
    assert body_of(scene, lock) == lock.content


def test_the_entry_is_on_disk_before_the_store_is_touched(scene: Scene) -> None:
    lock = scene.lock()
    seen: list[tuple[int, list[str]]] = []

    def look() -> None:
        other = Audit.read(scene.audit.path)
        seen.append((len(other.entries()), scene.names(QUARANTINE)))
        other.close()

    execute(scene.writer(told=at(Step.AUDITED, look)), scene.plan(lock).order)
    assert seen == [(1, [])]


def test_without_an_audit_trail_nothing_is_done(scene: Scene) -> None:
    lock = scene.lock()
    order = scene.plan(lock).order
    scene.audit.close()
    with pytest.raises(Exception, match="audit trail"):
        execute(scene.writer(), order)
    assert body_of(scene, lock) == lock.content
    assert scene.names(QUARANTINE) == []


def test_a_trail_that_fails_after_the_removal_leaves_a_transaction_to_finish(scene: Scene) -> None:
    lock = scene.lock()
    order = scene.plan(lock).order
    with pytest.raises(Failed, match="was broken, and the audit trail does not say so") as failed:
        execute(scene.writer(told=at(Step.MARKED, scene.audit.close)), order)
    assert not failed.value.settled
    scene.audit = Audit.open(scene.audit.path)
    (one,) = unfinished(scene.store, scene.audit, scene.clock.wall_ns())
    assert finish(scene.writer(), one.id) is not None
    assert scene.outcomes() == ["broken"]


def test_a_trail_that_fails_hides_no_refusal(scene: Scene) -> None:
    lock = scene.lock()
    order = scene.plan(lock).order

    def told(step: Step) -> None:
        if step is Step.COPIED:
            scene.refresh(lock)
            scene.audit.close()

    with pytest.raises(Failed, match=r"it was refreshed .*; nor does the audit trail say so"):
        execute(scene.writer(told=told), order)
    assert body_of(scene, lock) == lock.content


def test_the_audit_trail_has_all_that_is_to_be_known(scene: Scene) -> None:
    lock = scene.lock()
    execute(scene.writer(), scene.plan(lock).order, reason="x\x1b[31m" + "y" * 900)
    before, after = scene.audit.entries()
    for name in ("user", "host", "tool", "body", "digest", "etag", "evidence", "id", "store_ns"):
        assert before.fields[name], name
    assert before.get("target") == scene.store.url
    assert before.get("key") == lock.key
    assert "\x1b" not in before.get("reason")
    assert len(before.get("reason")) <= 500
    assert after.get("id") == before.get("id")


# -- stores that fail


@pytest.mark.parametrize("error", [Denied("no"), Unreachable("no space left")])
def test_no_copy_no_break(memory: Scene, error: StoreError) -> None:
    lock = memory.lock()
    troubled = TroubledStore(memory.store)
    troubled.add("put", before=error)
    with pytest.raises(Failed, match=r"no copy .* could be kept, so it was not broken") as failed:
        execute(memory.writer(troubled), memory.plan(lock, troubled).order)
    assert failed.value.settled
    assert body_of(memory, lock) == lock.content
    assert memory.outcomes() == ["failed"]


def test_a_copy_that_cannot_be_read_back_is_no_copy(memory: Scene) -> None:
    lock = memory.lock()

    class Forgetful(TroubledStore):
        def put(
            self, key: str, body: bytes, *, if_match: str | None = None, if_absent: bool = False
        ) -> Version:
            return self.inner.put(key, body[:-1])

    with pytest.raises(Failed, match="not what was written"):
        execute(memory.writer(Forgetful(memory.store)), memory.plan(lock).order)
    assert body_of(memory, lock) == lock.content
    assert memory.kept() == []


def test_a_store_that_denies_the_delete_keeps_the_lock_and_says_so(memory: Scene) -> None:
    lock = memory.lock()
    troubled = TroubledStore(memory.store)
    troubled.add("delete", before=Denied("these credentials may not delete here", advice="grant them"))
    with pytest.raises(Failed, match="was not broken: these credentials may not delete here") as failed:
        execute(memory.writer(troubled), memory.plan(lock, troubled).order)
    assert failed.value.settled
    assert body_of(memory, lock) == lock.content
    # The copy could not be removed either: it is marked, so that nobody takes it for an interruption.
    assert memory.kept() == ["json", "undone"]
    assert unfinished(memory.store, None, memory.clock.wall_ns() + 10**15) == ()


def test_a_delete_without_an_answer_that_was_done_counts(memory: Scene) -> None:
    lock = memory.lock()
    troubled = TroubledStore(memory.store)
    troubled.add("delete", after=Unreachable("no answer in time"), times=1)
    broken = execute(memory.writer(troubled), memory.plan(lock, troubled).order)
    assert broken.notes == ("the store did not answer the removal, and the lock is gone",)
    assert memory.outcomes() == ["broken"]


def test_a_delete_without_an_answer_that_may_come_yet_stays_open(memory: Scene) -> None:
    lock = memory.lock()
    troubled = TroubledStore(memory.store)
    troubled.add("delete", before=Unreachable("no answer in time"), times=1)
    with pytest.raises(Failed, match=r"did not say whether it removed .* it may still do so") as failed:
        execute(memory.writer(troubled), memory.plan(lock, troubled).order)
    assert not failed.value.settled
    assert memory.outcomes() == ["unknown"]
    (open_,) = unfinished(memory.store, memory.audit, memory.clock.wall_ns())
    assert (open_.id, open_.can_finish, open_.can_undo) == (failed.value.entry, True, True)


def test_a_delete_that_lies_is_found_out(memory: Scene) -> None:
    lock = memory.lock()

    class Liar(TroubledStore):
        def delete(self, key: str, *, if_match: str | None = None) -> None:
            if key != lock.key:
                self.inner.delete(key, if_match=if_match)

    with pytest.raises(Failed, match="is there as it was, though the store said that it was removed"):
        execute(memory.writer(Liar(memory.store)), memory.plan(lock).order)
    assert memory.outcomes() == ["unknown"]


def test_two_administrators_at_once(scene: Scene) -> None:
    lock = scene.lock()
    orders = [scene.plan(lock).order for _ in range(4)]
    results: list[Broken | Refused] = []
    barrier = threading.Barrier(len(orders))

    def go(order: Order) -> None:
        barrier.wait()
        try:
            results.append(execute(scene.writer(), order))
        except Refused as refused:
            results.append(refused)

    threads = [threading.Thread(target=go, args=(order,)) for order in orders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == len(orders)
    won = [one for one in results if isinstance(one, Broken)]
    if isinstance(scene.store, FilesystemStore):
        assert len(won) == 1, "a rename has one winner"
    assert won
    for one in results:
        assert isinstance(one, Broken) or one.because is Because.GONE
    assert body_of(scene, lock) is None
    assert unfinished(scene.store, scene.audit, scene.clock.wall_ns()) == ()
    assert scene.names(QUARANTINE)


@pytest.mark.parametrize("step", [Step.CHECKED, Step.AUDITED, Step.COPIED])
def test_the_volume_is_deleted_meanwhile(scene: Scene, step: Step) -> None:
    lock = scene.lock()
    order = scene.plan(lock).order
    folder = lock.key.rsplit("/", 2)[0]

    def delete() -> None:
        scene.store.delete(lock.key)
        scene.store.delete(f"{folder}/volume.cfg")

    with pytest.raises(Refused, match="not there any more"):
        execute(scene.writer(told=at(step, delete)), order)
    assert scene.look().volumes == ()
    assert scene.kept() == []


# -- things that are no locks


@pytest.mark.parametrize("what", ["a link", "a folder"])
def test_what_is_no_plain_file_is_never_broken(files: Scene, what: str, tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_bytes(b"x")
    lock = Lock(VOLUME, "lock-odd")
    path = root_of(files) / lock.key
    path.parent.mkdir(parents=True)
    if what == "a link":
        path.symlink_to(precious)
    else:
        path.mkdir()
        (path / "inside").write_bytes(b"y")
    before = fingerprint(tmp_path / "store")
    plan = files.plan(lock)
    assert plan.unfit
    with pytest.raises(Refused, match="no copy of it can be kept") as refused:
        execute(files.writer(), plan.order, allow_live=True)
    assert refused.value.because is Because.UNFIT
    assert fingerprint(tmp_path / "store") == before
    assert precious.read_bytes() == b"x"


@pytest.mark.parametrize("step", [Step.CHECKED, Step.COPIED, Step.RECHECKED])
@pytest.mark.parametrize("what", ["a link", "a folder"])
def test_what_takes_the_place_of_a_lock_goes_back_unharmed(
    files: Scene, what: str, step: Step, tmp_path: Path
) -> None:
    precious = tmp_path / "precious"
    precious.write_bytes(b"x")
    lock = files.lock()
    order = files.plan(lock).order
    path = root_of(files) / lock.key

    def replace() -> None:
        path.unlink()
        if what == "a link":
            path.symlink_to(precious)
        else:
            path.mkdir()
            (path / "inside").write_bytes(b"y")

    with pytest.raises(Refused):
        execute(files.writer(told=at(step, replace)), order)
    assert precious.read_bytes() == b"x"
    if what == "a link":
        assert path.readlink() == precious
    else:
        assert (path / "inside").read_bytes() == b"y"
    assert files.kept() == []


@pytest.mark.parametrize(
    "key",
    [
        "../../etc/passwd",
        "backupstore/volumes/7e/ed/../locks/lock-1.lck",
        "backupstore/volumes/7e/ed/pvc-1/locks/..",
        "backupstore/volumes/7e/ed/pvc-1/locks/../volume.cfg",
        "backupstore/volumes/7e/ed/pvc-1/volume.cfg",
        "backupstore/volumes/7e/ed/pvc-1/backups/backup_x.cfg",
        "backupstore/volumes/7e/ed/pvc-1/locks/a\0b",
        "/backupstore/volumes/7e/ed/pvc-1/locks/lock-1.lck",
    ],
)
def test_a_key_that_is_no_lock_makes_no_token(key: str) -> None:
    with pytest.raises(Malformed, match="is not the key of a file in a volume's locks/"):
        Token("memory:", key, 0, "", 0)


def test_a_lock_that_cannot_be_read_is_not_broken(memory: Scene) -> None:
    lock = memory.lock()
    troubled = TroubledStore(memory.store)
    troubled.add("read", before=Denied("not for you"))
    plan = make_plan(troubled, sweep(troubled), lock.key)
    assert "not for you" in plan.unfit
    with pytest.raises(Refused):
        execute(memory.writer(troubled), plan.order, allow_live=True)


def test_a_writer_takes_part_in_no_other_thread_of_the_trail(tmp_path: Path) -> None:
    scene = memory_scene(tmp_path)
    locks = [scene.lock(f"lock-{n}0") for n in range(12)]
    snapshot = scene.look()

    def go(lock: Lock) -> None:
        execute(Writer(scene.store, scene.audit), make_plan(scene.store, snapshot, lock.key).order)

    threads = [threading.Thread(target=go, args=(lock,)) for lock in locks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert scene.outcomes() == ["broken"] * len(locks)
    assert scene.names() == []
