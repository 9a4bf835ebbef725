"""Breaking on real S3 servers: stores that deny, keep versions, hold objects; kills; no write unasked."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from backuplock.breaking import (
    Broken,
    Failed,
    Fate,
    Order,
    Plan,
    Refused,
    Stage,
    Step,
    check_dead,
    clean_up,
    copies,
    execute,
    finish,
    follow,
    make_plan,
    plan_cleanup,
    preconditions,
    purge,
    take_back,
    undo,
    unfinished,
    vigil_of,
)
from backuplock.clock import SECOND
from backuplock.errors import ReadOnly
from backuplock.evidence import surroundings, with_blocks
from backuplock.model import Operation
from backuplock.rules import Timing
from backuplock.stores.base import Store
from backuplock.survey import sweep
from harness.breaking import QUARANTINE, VOLUME, Scene, at, kill_at, other_body
from harness.builders import Lock, body, volume_folder
from harness.locks import system_lock, until
from harness.longhorn_peer import LonghornPeer
from harness.proxy import FaultProxy, Rule
from harness.s3 import S3Server, raw_client

S3 = ["rclone_http", "moto", "ceph"]
SHORT = Timing(*(round(s * SECOND / 75) for s in (150, 60, 2, 5)))
"""A lease of 2 s: times have a grain of one."""
SLOWER = Timing(*(round(s * SECOND / 25) for s in (150, 60, 2, 5)))
"""A lease of 6 s, refreshed each 2.4 s: within the grain of times one refresh is as good as another."""


@pytest.fixture(params=S3)
def server(request: pytest.FixtureRequest) -> S3Server:
    found: S3Server = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def scene(server: S3Server, prefix: str, tmp_path: Path) -> Iterator[Scene]:
    with scene_on(server.store(prefix), tmp_path) as found:
        yield found


@contextlib.contextmanager
def scene_on(store: Store, folder: Path) -> Iterator[Scene]:
    scene = Scene(store, folder)
    scene.volume()
    yield scene
    scene.audit.close()
    store.close()


def body_of(scene: Scene, key: str) -> bytes | None:
    blob = scene.store.read(key)
    return None if blob is None else blob.body


def wait_until_dead(scene: Scene, lock: Lock) -> Order:
    """The order for a lock once its short lease has ended by every witness."""
    scene.timing = SHORT
    until(lambda: scene.plan(lock).dead, "for a short lease to end")
    return scene.plan(lock).order


def test_from_the_plan_to_the_undo(scene: Scene) -> None:
    lock = scene.lock()
    order = wait_until_dead(scene, lock)
    broken = execute(scene.writer(), order, reason="a test")
    assert broken.window_ns is not None
    assert scene.names() == []
    assert scene.kept() == ["done", "json"]
    assert scene.outcomes() == ["broken"]
    undo(scene.writer(), broken.id)
    assert body_of(scene, lock.key) == lock.content
    assert [copy.restored for copy in copies(scene.store)] == [True]
    purge(scene.writer(), broken.id)
    assert scene.names(QUARANTINE) == []
    assert scene.names() == [f"{lock.name}.lck"]


@pytest.mark.parametrize("step", [Step.CHECKED, Step.AUDITED, Step.COPIED])
def test_a_refresh_of_the_same_bytes_shows_by_its_time(scene: Scene, step: Step) -> None:
    lock = scene.lock()
    order = scene.plan(lock).order

    def refresh() -> None:
        # Times have a grain of a second; within it no refresh shows.
        until(lambda: (scene.refresh(lock), modified() > order.token.modified_ns)[1], "for a refresh to show")

    def modified() -> int:
        blob = scene.store.read(lock.key)
        return 0 if blob is None else blob.modified_ns

    with pytest.raises(Refused, match="it was refreshed"):
        execute(scene.writer(told=at(step, refresh)), order, allow_live=True)
    assert body_of(scene, lock.key) == lock.content
    assert scene.kept() == []


def test_a_proven_condition_saves_what_the_last_look_missed(
    moto: S3Server, prefix: str, tmp_path: Path
) -> None:
    store = moto.store(prefix)
    store.probe_conditional("scratch")
    with scene_on(store, tmp_path) as scene:
        lock = scene.lock()
        order = scene.plan(lock).order
        changed = at(Step.RECHECKED, lambda: scene.store.put(lock.key, other_body()))
        with pytest.raises(Refused, match="written anew meanwhile"):
            execute(scene.writer(told=changed), order, allow_live=True)
        assert body_of(scene, lock.key) == other_body()


@pytest.mark.parametrize("step", [Step.AUDITED, Step.COPIED, Step.RECHECKED, Step.REMOVED, Step.MARKED])
@pytest.mark.parametrize("ending", ["finish", "take back"])
def test_killed(rclone_http: S3Server, prefix: str, tmp_path: Path, step: Step, ending: str) -> None:
    with scene_on(rclone_http.store(prefix), tmp_path) as scene:
        lock = scene.lock()
        kill_at(step, scene.store.url, scene.audit.path, lock.key, rclone_http.environ())
        (one,) = unfinished(scene.store, scene.audit, scene.clock.wall_ns())
        removed = step in (Step.REMOVED, Step.MARKED)
        assert one.stage is (Stage.REMOVED if removed else Stage.UNTOUCHED)
        assert (body_of(scene, lock.key) is None) == removed
        if ending == "finish":
            assert isinstance(finish(scene.writer(), one.id, allow_live=True), Broken)
            assert body_of(scene, lock.key) is None
            assert len(copies(scene.store)) == 1
        else:
            take_back(scene.writer(), one.id)
            assert body_of(scene, lock.key) == lock.content
        assert unfinished(scene.store, scene.audit, scene.clock.wall_ns()) == ()


def test_two_administrators_at_once(scene: Scene) -> None:
    lock = scene.lock()
    order = scene.plan(lock).order
    results: list[str] = []
    barrier = threading.Barrier(3)

    def go() -> None:
        barrier.wait()
        try:
            execute(scene.writer(), order, allow_live=True)
            results.append("broken")
        except Refused as refused:
            results.append(refused.because.value)

    threads = [threading.Thread(target=go) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 3
    assert set(results) <= {"broken", "gone"}
    assert "broken" in results
    assert body_of(scene, lock.key) is None
    assert unfinished(scene.store, scene.audit, scene.clock.wall_ns()) == ()
    (first, *_) = copies(scene.store)
    undo(scene.writer(), first.id)
    assert body_of(scene, lock.key) == lock.content


def test_blocks_that_somebody_writes_are_a_sign_of_life(scene: Scene) -> None:
    lock = scene.lock()
    folder = volume_folder(VOLUME)
    assert wait_until_dead(scene, lock).dead
    scene.store.put(f"{folder}/backups/backup_x.cfg", b'{"Name":"x","CreatedTime":""}')

    def plan() -> Plan:
        around = with_blocks(scene.store, VOLUME, surroundings(scene.store, VOLUME))
        return make_plan(scene.store, scene.look(), lock.key, around=around, timing=SHORT)

    def refusal() -> str:
        """Of a lock in whose volume blocks were written a moment ago: no lease may end in between."""
        for number in range(3):
            scene.store.put(f"{folder}/blocks/ab/{number:02x}/{number}.blk", b"x")
        try:
            check_dead(scene.writer(), plan().token)
        except Refused as refused:
            return refused.what
        return ""

    until(lambda: plan().dead, "for the volume to be quiet")
    until(lambda: "blocks of the volume were written" in refusal(), "for the blocks to show")


# -- stores that refuse


@pytest.mark.parametrize("method", ["DELETE", "PUT"])
def test_a_store_that_denies_keeps_the_lock(
    proxy: FaultProxy, prefix: str, tmp_path: Path, method: str
) -> None:
    with scene_on(proxy.server.store(prefix), tmp_path) as scene:
        lock = scene.lock()
        order = scene.plan(lock).order
        with proxy.failing(Rule(method, status=403, code="AccessDenied")), pytest.raises(Failed) as failed:
            execute(scene.writer(), order, allow_live=True)
        assert failed.value.settled
        assert "was not broken" in str(failed.value)
        assert body_of(scene, lock.key) == lock.content
        assert scene.outcomes() == ["failed"]
        assert unfinished(scene.store, scene.audit, scene.clock.wall_ns()) == ()


def test_a_delete_whose_answer_is_lost(proxy: FaultProxy, prefix: str, tmp_path: Path) -> None:
    with scene_on(proxy.server.store(prefix), tmp_path) as scene:
        lock = scene.lock()
        order = scene.plan(lock).order
        with proxy.failing(Rule("DELETE", reset="reply")):
            broken = execute(scene.writer(), order, allow_live=True)
        assert broken.notes == ("the store did not answer the removal, and the lock is gone",)
        assert body_of(scene, lock.key) is None


def test_a_delete_that_never_arrives(proxy: FaultProxy, prefix: str, tmp_path: Path) -> None:
    with scene_on(proxy.server.store(prefix), tmp_path) as scene:
        lock = scene.lock()
        order = scene.plan(lock).order
        with proxy.failing(Rule("DELETE", reset="request")), pytest.raises(Failed) as failed:
            execute(scene.writer(), order, allow_live=True)
        assert not failed.value.settled
        assert body_of(scene, lock.key) == lock.content
        assert finish(scene.writer(), failed.value.entry, allow_live=True) is not None
        assert body_of(scene, lock.key) is None


def test_a_delete_that_lies(proxy: FaultProxy, prefix: str, tmp_path: Path) -> None:
    with scene_on(proxy.server.store(prefix), tmp_path) as scene:
        lock = scene.lock()
        order = scene.plan(lock).order
        with (
            proxy.failing(Rule("DELETE", path=r"\.lck", status=204, body=b"")),
            pytest.raises(Failed, match="is there as it was, though the store said that it was removed"),
        ):
            execute(scene.writer(), order, allow_live=True)


@pytest.fixture
def bucket(moto: S3Server, prefix: str) -> Iterator[tuple[Any, str]]:
    client = raw_client(moto)
    yield client, prefix
    client.close()


def test_a_versioned_bucket(moto: S3Server, bucket: tuple[Any, str], prefix: str, tmp_path: Path) -> None:
    client, name = bucket
    client.create_bucket(Bucket=name)
    client.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    with scene_on(moto.store(prefix, bucket=name), tmp_path) as scene:
        lock = scene.lock()
        broken = scene.break_(lock, allow_live=True)
        assert body_of(scene, lock.key) is None
        assert scene.look().locks == ()
        undo(scene.writer(), broken.id)
        assert body_of(scene, lock.key) == lock.content


def test_a_bucket_that_holds_its_objects(
    moto: S3Server, bucket: tuple[Any, str], prefix: str, tmp_path: Path
) -> None:
    client, name = bucket
    client.create_bucket(Bucket=name, ObjectLockEnabledForBucket=True)
    retention = {"DefaultRetention": {"Mode": "COMPLIANCE", "Days": 1}}
    client.put_object_lock_configuration(
        Bucket=name, ObjectLockConfiguration={"ObjectLockEnabled": "Enabled", "Rule": retention}
    )
    with scene_on(moto.store(prefix, bucket=name), tmp_path) as scene:
        lock = scene.lock()
        order = scene.plan(lock).order
        # The bucket keeps every version; what clients see of a removed lock is a delete marker.
        broken = execute(scene.writer(), order, allow_live=True)
        assert body_of(scene, lock.key) is None
        undo(scene.writer(), broken.id)
        assert body_of(scene, lock.key) == lock.content
        purge(scene.writer(), broken.id)
        assert copies(scene.store) == ()


# -- a session for reading


def test_a_session_for_reading_writes_nothing(
    proxy: FaultProxy, rclone_http: S3Server, prefix: str, tmp_path: Path
) -> None:
    with scene_on(rclone_http.store(prefix), tmp_path) as scene:
        lock, other = scene.lock(), scene.lock("lock-other")
        broken = scene.break_(other, allow_live=True)
        reading = proxy.server.store(prefix, writable=False)
        snapshot = sweep(reading)
        plan = make_plan(reading, snapshot, lock.key)
        checks = preconditions(reading, plan, snapshot)
        assert (checks[0].name, checks[0].ok) == ("write access", False)
        plan_cleanup(reading, snapshot)
        unfinished(reading, scene.audit, scene.clock.wall_ns())
        assert [copy.id for copy in copies(reading)] == [broken.id]
        vigil_of(broken, snapshot).look(sweep(reading))
        with pytest.raises(ReadOnly, match="opened for reading only"):
            scene.writer(reading)
        assert len(proxy.log) > 10
        assert proxy.writes() == []


# -- resurrection, in earnest


def test_a_holder_that_refreshes_blindly_is_noticed_within_one_look(scene: Scene) -> None:
    scene.timing = SLOWER
    peer = LonghornPeer(scene.store, VOLUME, 1, SLOWER)
    assert peer.lock()
    try:
        snapshot = scene.look()
        order = make_plan(scene.store, snapshot, peer.key, timing=SLOWER).order
        for _ in range(20):
            try:
                broken = execute(scene.writer(), order, allow_live=True)
                break
            except Refused:  # it was refreshed just then
                order = make_plan(scene.store, scene.look(), peer.key, timing=SLOWER).order
        looks: list[tuple[bool, Fate]] = []
        vigil = follow(
            scene.store,
            vigil_of(broken, snapshot, SLOWER),
            every_ns=SECOND // 5,
            told=lambda now, _: looks.append((scene.store.read(peer.key) is not None, now.fate)),
        )
        assert vigil.fate is Fate.CAME_BACK
        # At most one look can have missed what the read right after it found.
        assert sum(there and fate is Fate.WATCHING for there, fate in looks) <= 1
    finally:
        peer.unlock()


def test_a_holder_of_ours_stops_instead(scene: Scene) -> None:
    lock = system_lock(scene.store, Operation.BACKUP)
    lock.acquire()
    (key,) = scene.look().by_key

    def broken() -> bool:
        # Where puts are unconditional, one that was on its way brings the lock back, and it is held still.
        if key in scene.look().by_key:
            with contextlib.suppress(Refused):
                execute(scene.writer(), make_plan(scene.store, scene.look(), key).order, allow_live=True)
        return lock.lost.is_set()

    until(broken, "for the loss to be noticed")
    assert body_of(scene, key) is None
    lock.release()
    assert scene.names() == []


def test_a_key_that_begins_with_the_locks_key_stays(scene: Scene) -> None:
    lock = scene.lock()
    longer = f"{lock.key}.something.lck"
    scene.store.put(longer, body("lock-x", 1, True))
    scene.break_(lock, allow_live=True)
    assert scene.names() == [longer.rpartition("/")[2]]


def test_leftovers_go_in_bulk(scene: Scene) -> None:
    locks = [scene.lock(f"lock-{n}0", type=n % 3) for n in range(6)]
    wait_until_dead(scene, locks[-1])
    plan = plan_cleanup(scene.store, scene.look(), timing=SHORT)
    assert len(plan.items) == 6
    report = clean_up(scene.writer(), plan)
    assert [one.outcome for one in report.done] == ["removed"] * 6
    assert scene.names() == []
