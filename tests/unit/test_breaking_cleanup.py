"""Leftovers: found by kind, let alone where they are not surely over, removed one transaction each."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from backuplock.breaking import CleanupPlan, Done, Kind, clean_up, copies, plan_cleanup, undo
from backuplock.errors import Denied
from backuplock.stores.filesystem import FilesystemStore
from harness.breaking import VOLUME, Scene, folder_scene, memory_scene
from harness.builders import Lock, volume_folder
from harness.troubled import TroubledStore

DAY_S = 86_400.0


@pytest.fixture(params=[memory_scene, folder_scene], ids=["memory", "folder"])
def scene(request: pytest.FixtureRequest, tmp_path: Path) -> Scene:
    make: Callable[[Path], Scene] = request.param
    return make(tmp_path)


def temporary(scene: Scene, age_s: float, name: str = "lock-9.lck.tmp.1767322800123456789") -> str:
    key = f"{volume_folder(VOLUME)}/locks/{name}"
    scene.put(key, b"", age_s)
    return key


def planned(scene: Scene, **how: Any) -> CleanupPlan:
    return plan_cleanup(scene.store, scene.look(), **how)


def litter(scene: Scene) -> dict[str, Kind]:
    """One of each kind, and what must stay; the first by key."""
    found = {
        scene.lock("lock-dead").key: Kind.DEAD,
        scene.lock("lock-asked", acquired=False).key: Kind.DEAD,
        scene.lock("lock-corrupt", raw=b'{"Name":').key: Kind.CORRUPT,
        scene.lock("lock-untyped", type=0).key: Kind.UNTYPED,
        scene.lock("lock-strange", type=7).key: Kind.UNTYPED,
        temporary(scene, 2 * DAY_S): Kind.TEMPORARY,
        scene.lock("lock-ghost", volume="pvc-ghost").key: Kind.GHOST,
    }
    scene.lock("lock-live", age_s=10)
    scene.lock("lock-late", age_s=100)
    scene.lock("lock-young", age_s=10, raw=b"")
    temporary(scene, 0.5 * DAY_S, "lock-8.lck.tmp.1")
    temporary(scene, 9 * DAY_S, "notes.txt")
    return found


def test_each_kind_is_found_and_nothing_else(scene: Scene) -> None:
    expected = litter(scene)
    plan = planned(scene)
    assert {item.key: item.kind for item in plan.items} == expected
    assert plan.complete
    assert plan.more == 0
    left = {key.rpartition("/")[2]: why for key, why in plan.left}
    assert set(left) == {"lock-young.lck", "lock-8.lck.tmp.1", "notes.txt"}
    assert "younger than a day" in left["lock-8.lck.tmp.1"]
    assert plan.counts()[Kind.DEAD] == 2


def test_planning_changes_nothing(scene: Scene) -> None:
    litter(scene)
    before = [lock.etag for lock in scene.look().locks]
    planned(scene)
    assert [lock.etag for lock in scene.look().locks] == before
    assert scene.audit.entries() == ()


def test_all_of_it_goes_with_a_copy_and_an_entry_each(scene: Scene) -> None:
    expected = litter(scene)
    told: list[Done] = []
    report = clean_up(scene.writer(), planned(scene), told=told.append)
    assert {one.item.key: one.outcome for one in report.done} == dict.fromkeys(expected, "removed")
    assert tuple(told) == report.done
    assert report.stopped == ""
    assert planned(scene).items == ()
    assert scene.names() == [
        "lock-8.lck.tmp.1",
        "lock-late.lck",
        "lock-live.lck",
        "lock-young.lck",
        "notes.txt",
    ]
    assert {copy.kept.key for copy in copies(scene.store) if copy.kept} == set(expected)
    assert scene.outcomes() == ["broken"] * len(expected)
    assert [view.name for view in scene.look().volumes] == [VOLUME], "the ghost is gone"


def test_what_was_cleaned_up_can_be_put_back(scene: Scene) -> None:
    litter(scene)
    plan = planned(scene, kinds=frozenset({Kind.GHOST, Kind.TEMPORARY}))
    for done in clean_up(scene.writer(), plan).done:
        undo(scene.writer(), done.id)
        assert scene.store.read(done.item.key) is not None


def test_kinds_and_limit(scene: Scene) -> None:
    litter(scene)
    plan = planned(scene, kinds=frozenset({Kind.DEAD}))
    assert {item.kind for item in plan.items} == {Kind.DEAD}
    plan = planned(scene, limit=3)
    assert (len(plan.items), plan.more) == (3, 4)
    assert planned(scene, limit=0).items == ()


def test_a_run_goes_on_where_the_last_one_ended(scene: Scene) -> None:
    expected = litter(scene)
    seen: list[str] = []
    while (plan := planned(scene, limit=3)).items:
        seen += [one.item.key for one in clean_up(scene.writer(), plan).done]
    assert sorted(seen) == sorted(expected)
    assert len(set(seen)) == len(seen)


def test_a_run_that_is_stopped_reports_what_it_did_not_come_to(scene: Scene) -> None:
    litter(scene)
    stop = threading.Event()
    plan = planned(scene)
    report = clean_up(scene.writer(), plan, told=lambda _: stop.set(), stop=stop)
    assert report.stopped == "it was told to stop"
    outcomes = [row["outcome"] for row in report.rows()]
    assert outcomes == ["removed"] + ["planned"] * (len(plan.items) - 1)
    json.dumps(report.rows())


def test_what_was_refreshed_since_is_refused_and_the_run_goes_on(scene: Scene) -> None:
    litter(scene)
    plan = planned(scene)
    scene.refresh(Lock(VOLUME, "lock-dead"))
    scene.put(f"{volume_folder(VOLUME)}/locks/lock-9.lck.tmp.1767322800123456789", b"now it has content")
    scene.store.delete(Lock(VOLUME, "lock-strange").key)
    outcomes = {one.item.name: one.outcome for one in clean_up(scene.writer(), plan).done}
    refused = {name for name, outcome in outcomes.items() if outcome == "refused"}
    assert refused == {"lock-dead.lck", "lock-9.lck.tmp.1767322800123456789", "lock-strange.lck"}
    assert scene.store.read(Lock(VOLUME, "lock-dead").key) is not None


def test_a_store_that_denies_ends_the_run(scene: Scene) -> None:
    expected = litter(scene)
    troubled = TroubledStore(scene.store)
    troubled.add("put", before=Denied("read-only credentials"))
    report = clean_up(scene.writer(troubled), planned(scene))
    assert report.stopped == "3 removals in a row failed"
    assert [one.outcome for one in report.done] == ["failed"] * 3
    assert {item.key for item in planned(scene).items} == set(expected)


def test_a_ghost_with_a_live_lock_stays(scene: Scene) -> None:
    scene.lock("lock-live", volume="pvc-ghost", age_s=10)
    assert planned(scene).items == ()


def test_an_empty_locks_folder_goes_and_takes_nothing_along(tmp_path: Path) -> None:
    scene = folder_scene(tmp_path)
    assert isinstance(scene.store, FilesystemStore)
    for volume in ("pvc-empty", "pvc-used"):
        (scene.store.root / volume_folder(volume) / "locks").mkdir(parents=True)
    plan = planned(scene)
    assert [(item.kind, item.volume, item.order) for item in plan.items] == [
        (Kind.GHOST, "pvc-empty", None),
        (Kind.GHOST, "pvc-used", None),
    ]
    live = scene.lock("lock-live", volume="pvc-used", age_s=0)
    outcomes = [one.outcome for one in clean_up(scene.writer(), plan).done]
    assert outcomes == ["removed", "refused"]
    assert scene.store.read(live.key) is not None
    assert [view.name for view in scene.look().volumes] == [VOLUME, "pvc-used"]


def test_hostile_names_are_printable_in_a_report(scene: Scene) -> None:
    scene.put(f"{volume_folder(VOLUME)}/locks/\x1b[31m.lck.tmp.1", b"", 3 * DAY_S)
    report = clean_up(scene.writer(), planned(scene))
    assert [one.outcome for one in report.done] == ["removed"]
    assert "\x1b" not in json.dumps(report.rows(), ensure_ascii=False)


def test_where_somebody_works_nothing_is_cleaned_up(scene: Scene) -> None:
    lock = scene.lock("lock-dead")
    plan = planned(scene)
    scene.store.put(f"{volume_folder(VOLUME)}/backups/backup_x.cfg", b'{"Name":"x","CreatedTime":""}')
    (done,) = clean_up(scene.writer(), plan).done
    assert done.outcome == "refused"
    assert "backups of the volume were written" in done.detail
    assert scene.store.read(lock.key) is not None


def test_an_empty_folder_has_entries_in_the_trail(tmp_path: Path) -> None:
    scene = folder_scene(tmp_path)
    (tmp_path / "store" / volume_folder("pvc-empty") / "locks").mkdir(parents=True)
    (done,) = clean_up(scene.writer(), planned(scene), reason="tidy up").done
    assert done.outcome == "removed"
    before, after = scene.audit.entries(entry=done.id)
    assert (before.get("act"), before.get("phase"), before.get("reason")) == ("tidy", "before", "tidy up")
    assert (after.get("outcome"), after.get("key")) == ("removed", done.item.key)
