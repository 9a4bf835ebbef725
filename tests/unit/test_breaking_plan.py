"""What is said before a lock is broken: what it amounts to, what follows, what speaks against it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from backuplock.breaking import (
    Because,
    Check,
    Outlook,
    Plan,
    Refused,
    Window,
    make_plan,
    preconditions,
    promises,
)
from backuplock.clock import SECOND, Observation, observe
from backuplock.errors import Denied
from backuplock.evidence import Surroundings, surroundings, with_blocks
from backuplock.model import LockRecord, Owner, Snapshot
from backuplock.stores.base import Capabilities, Known
from backuplock.stores.memory import MemoryStore
from backuplock.watch import Watch
from backuplock.wire import encode
from harness.breaking import VOLUME, Scene, folder_scene, memory_scene
from harness.builders import Lock, volume_folder
from harness.troubled import TroubledStore


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return memory_scene(tmp_path)


def owned(scene: Scene, name: str, age_s: float, pid: int = 7) -> Lock:
    owner = Owner(host="node-1", pid=pid, user="me", operation="backup")
    return scene.lock(name, age_s=age_s, raw=encode(LockRecord(name, 1, True, owner)))


@pytest.mark.parametrize(
    ("what", "outlook", "dead", "says"),
    [
        ({"age_s": 500}, Outlook.TIDY, True, "it blocks nobody any more, this only tidies up"),
        ({"age_s": 500, "type": 7}, Outlook.TIDY, True, "this only tidies up"),
        ({"age_s": 500, "raw": b"{"}, Outlook.TIDY, True, "Longhorn cannot read it and skips it"),
        ({"age_s": 10, "type": 1}, Outlook.LIVE, False, "a deletion may start"),
        ({"age_s": 100, "type": 2}, Outlook.LIVE, False, "a backup or restoration may start"),
        ({"age_s": 10, "acquired": False}, Outlook.PENDING, False, "somebody asks for this lock"),
        ({"age_s": 10, "type": 0}, Outlook.BAD, False, "operations of any kind may start"),
        ({"age_s": 10, "raw": b""}, Outlook.BAD, False, "it may be half written"),
    ],
)
def test_what_it_amounts_to(
    scene: Scene, what: dict[str, object], outlook: Outlook, dead: bool, says: str
) -> None:
    lock = scene.lock(**what)
    plan = scene.plan(lock)
    assert (plan.outlook, plan.dead) == (outlook, dead)
    assert says in " / ".join(plan.consequences)
    assert "locktop undo puts it back" in plan.consequences[-1]
    assert plan.to_type == ("00000001" if dead else lock.name)


def test_who_waits_for_it_and_what_it_stops(scene: Scene) -> None:
    lock = scene.lock(type=2, age_s=10)
    waiting = scene.lock("lock-waits", type=1, acquired=False, age_s=2)
    plan = scene.plan(lock)
    assert plan.waiting == (waiting.key,)
    assert {op.value for op in plan.stops} == {"backup", "restore"}
    assert "1 waiting lock may be granted at once" in plan.consequences


def test_a_holder_that_lives_elsewhere_is_not_dead(scene: Scene) -> None:
    dead, other = owned(scene, "lock-dead", 500), owned(scene, "lock-live", 5)
    plan = scene.plan(dead)
    assert not plan.dead
    assert plan.elsewhere == ("node-1, process 7, refreshed lock-live 5s ago",)
    assert plan.consequences[0].startswith("its holder seems alive")
    assert plan.to_type == "lock-dead"
    assert plan.guarantees[0].holds is True, "its body changes with each renewal"
    scene.store.delete(other.key)
    owned(scene, "lock-live", 5, pid=8)
    assert scene.plan(dead).dead


RUNNING = b'{"Name":"x","CreatedTime":""}'
FOLDER = volume_folder(VOLUME)


def looked(scene: Scene) -> Surroundings:
    return with_blocks(scene.store, VOLUME, surroundings(scene.store, VOLUME))


def plan_of(scene: Scene, lock: Lock, around: Surroundings | None = None) -> Plan:
    return make_plan(scene.store, scene.look(), lock.key, around=around or looked(scene))


def test_the_volumes_own_description_is_no_sign_of_life(scene: Scene) -> None:
    """Longhorn writes volume.cfg for other reasons than a backup that runs."""
    lock = scene.lock()
    scene.volume()
    plan = plan_of(scene, lock)
    assert (plan.dead, plan.elsewhere, plan.signs.explained) == (True, (), ())


def test_backups_that_are_written_with_no_live_lock_are_a_sign_of_life(scene: Scene) -> None:
    lock = scene.lock()
    scene.put(f"{FOLDER}/backups/backup_x.cfg", RUNNING)
    plan = plan_of(scene, lock)
    assert not plan.dead
    assert plan.elsewhere == (
        "backups of the volume were written 0s ago, and no live lock of a backup accounts for that",
    )
    assert plan.consequences[0].startswith("somebody seems to be at work in the volume: backups of")
    check = named(checks(scene, plan), "no sign of life elsewhere")
    assert (check.ok, check.words) == (False, plan.elsewhere[0])
    old = Surroundings(newest_ns=scene.clock.wall_ns() - 900 * SECOND)
    assert plan_of(scene, lock, old).dead


def test_blocks_that_are_written_with_no_live_lock_are_one_too(scene: Scene) -> None:
    """Of a backup that runs for hours nothing else changes, and its holder's refreshes may fail."""
    lock = scene.lock()
    scene.put(f"{FOLDER}/backups/backup_x.cfg", RUNNING, 9000)
    scene.put(f"{FOLDER}/blocks/ab/cd/old.blk", b"", 8000)
    assert plan_of(scene, lock).dead
    scene.put(f"{FOLDER}/blocks/0f/12/new.blk", b"", 3)
    plan = plan_of(scene, lock)
    assert not plan.dead
    assert plan.elsewhere[0].startswith("blocks of the volume were written 3s ago, and no live lock")


@pytest.mark.parametrize(
    ("what", "explains"),
    [
        ({"type": 1}, True),
        ({"type": 1, "acquired": False}, False),
        ({"type": 1, "age_s": 400}, False),
        ({"type": 2}, False),
        ({"type": 7}, False),
        ({"raw": b"{"}, False),
        ({"raw": encode(LockRecord("lock-other", 1, True, Owner(host="h", operation="backup")))}, True),
        ({"raw": encode(LockRecord("lock-other", 1, True, Owner(host="h", operation="restore")))}, False),
    ],
    ids=["live", "asks", "dead too", "deletes", "odd", "bad", "says backup", "says restore"],
)
def test_only_the_live_lock_of_a_backup_accounts_for_what_is_written(
    what: dict[str, object], explains: bool, scene: Scene
) -> None:
    lock = scene.lock()
    scene.lock("lock-other", **{"age_s": 5, **what})
    scene.put(f"{FOLDER}/backups/backup_x.cfg", RUNNING, 4)
    plan = plan_of(scene, lock)
    assert plan.dead is explains
    check = named(checks(scene, plan), "no sign of life elsewhere")
    assert check.ok is explains
    if explains:
        said = "backups of the volume were written 4s ago, most likely by the live holder of lock-other"
        assert (check.words, plan.elsewhere) == (said, ())
        assert said in plan.order.evidence
        # The live one itself is not thereby a sign for its own life: it has that of its own.
        assert plan_of(scene, Lock(VOLUME, "lock-other")).elsewhere != ()


def test_what_could_not_be_looked_at_is_not_taken_for_quiet(scene: Scene) -> None:
    lock = scene.lock()
    scene.put(f"{FOLDER}/backups/backup_x.cfg", RUNNING, 9000)
    store = TroubledStore(scene.store)
    store.add("read", before=Denied("no"))
    plan = plan_of(scene, lock, surroundings(store, VOLUME))
    assert not plan.dead
    (why,) = plan.elsewhere
    assert why.startswith("whether somebody is at work in the volume is not known: 1 of the descriptions")
    assert why in plan.consequences
    assert named(checks(scene, plan), "no sign of life elsewhere").ok is None
    store.clear()
    around = surroundings(store, VOLUME)
    store.add("list", before=Denied("no"))
    (why,) = plan_of(scene, lock, with_blocks(store, VOLUME, around)).elsewhere
    assert "its blocks could not be listed: no" in why


def test_what_was_watched_counts_and_clocks_that_disagree_condemn_nobody(scene: Scene) -> None:
    lock = scene.lock()
    seen = scene.look()
    late = replace(seen, taken_wall_ns=seen.taken_wall_ns - 400 * SECOND)
    plan = make_plan(scene.store, late, lock.key)
    assert (plan.dead, plan.outlook) == (False, Outlook.UNSURE)
    assert "the clocks disagree" in plan.life.reasons[0]
    later = replace(
        late,
        began_mono_ns=late.began_mono_ns + 200 * SECOND,
        ended_mono_ns=late.ended_mono_ns + 200 * SECOND,
        taken_wall_ns=late.taken_wall_ns + 200 * SECOND,
    )
    watch = Watch().look(late)[0].look(later)[0]
    watched = make_plan(scene.store, later, lock.key, tracks=watch.tracks)
    assert watched.dead
    assert watched.life.condemned_by[0] == "own observation"


def test_a_lock_that_is_not_there(scene: Scene) -> None:
    with pytest.raises(Refused) as refused:
        make_plan(scene.store, scene.look(), Lock(VOLUME, "lock-none").key)
    assert refused.value.because is Because.GONE


# -- what stores guarantee


def capable(delete: Known) -> Capabilities:
    return Capabilities("s3", True, "no", delete, "no", SECOND, True)


def test_what_is_promised_where() -> None:
    def first(delete: Known, *, renames: bool = False, changes: bool = False) -> bool | None:
        return promises(capable(delete), renames=renames, changes=changes)[0].holds

    assert first("no", renames=True) is True
    assert first("yes", changes=True) is True
    assert first("yes") is False
    assert first("no", changes=True) is False
    assert first("unproven", changes=True) is False


def test_that_a_bucket_keeps_versions_is_told_where_it_is_known() -> None:
    def names(keeps: Known) -> list[str]:
        found = replace(capable("no"), keeps_versions=keeps)
        return [one.name for one in promises(found, renames=False, changes=False)]

    assert "nothing of it stays behind" in names("yes")
    assert names("no") == names("unproven")
    assert len(names("no")) == len(names("yes")) - 1


def test_the_measured_window_is_told() -> None:
    window = Window(12, 8_400_000, 40_000_000)
    why = promises(capable("no"), renames=False, changes=False, window=window)[0].why
    assert "8 ms (40 at most, measured 12 times)" in why


# -- preconditions


def named(checks: tuple[Check, ...], name: str) -> Check:
    return next(check for check in checks if check.name == name)


def checks(scene: Scene, plan: Plan, snapshot: Snapshot | None = None) -> tuple[Check, ...]:
    return preconditions(scene.store, plan, snapshot or scene.look(), clock=scene.clock)


def test_all_hold_for_a_dead_lock(scene: Scene) -> None:
    plan = scene.plan(scene.lock())
    assert all(check.ok for check in checks(scene, plan))


def test_each_is_asked_anew(scene: Scene) -> None:
    lock = scene.lock()
    plan = scene.plan(lock)
    assert named(checks(scene, plan), "unchanged").ok
    scene.refresh(lock)
    changed = named(checks(scene, plan), "unchanged")
    assert (changed.ok, changed.words) == (False, "it was refreshed 0s ago")
    scene.store.delete(lock.key)
    assert named(checks(scene, plan), "unchanged").words == "the lock is gone already"


def test_those_of_a_live_lock(scene: Scene) -> None:
    plan = scene.plan(scene.lock(age_s=10))
    assert named(checks(scene, plan), "holder dead").ok is False
    owned(scene, "lock-live", 5)
    plan = scene.plan(owned(scene, "lock-dead", 500))
    assert named(checks(scene, plan), "no sign of life elsewhere").ok is False


@pytest.mark.parametrize(("skew_s", "error_s", "ok"), [(0, 1, True), (60, 1, False), (0, 60, None)])
def test_clocks(scene: Scene, skew_s: int, error_s: int, ok: bool | None) -> None:
    plan = scene.plan(scene.lock())
    mono, wall = scene.clock.mono_ns(), scene.clock.wall_ns()
    lowest = wall + (skew_s - error_s) * SECOND
    clock = observe(None, Observation(mono, mono, lowest, 2 * error_s * SECOND), "test")
    assert named(checks(scene, plan, replace(scene.look(), clock=clock)), "clocks").ok is ok


def test_a_store_opened_for_reading_says_so(scene: Scene, tmp_path: Path) -> None:
    lock = scene.lock()
    plan = scene.plan(lock)
    closed = MemoryStore(writable=False)
    closed.plant(lock.key, lock.content, plan.token.modified_ns)
    found = preconditions(closed, plan, scene.look())
    assert named(found, "write access").ok is False
    assert named(found, "unchanged").ok is True


def test_a_link_in_its_place_shows(tmp_path: Path) -> None:
    scene = folder_scene(tmp_path)
    lock = scene.lock()
    plan = scene.plan(lock)
    path = tmp_path / "store" / lock.key
    path.unlink()
    path.symlink_to("/etc/passwd")
    assert named(checks(scene, plan), "unchanged").ok is False
