"""Several marked locks in one go: each for itself, and never a live one."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from backuplock.breaking import MOST, Because, Broken, Refused, execute_all
from harness.breaking import Scene, memory_scene
from harness.builders import volume_folder


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return memory_scene(tmp_path)


def test_each_is_a_transaction_of_its_own(scene: Scene) -> None:
    locks = [scene.lock(f"lock-{n}0") for n in range(4)]
    orders = [scene.plan(lock).order for lock in locks]
    scene.refresh(locks[1])
    scene.store.delete(locks[2].key)
    results = execute_all(scene.writer(), orders, reason="node gone")
    assert [one.order for one in results] == orders
    assert [isinstance(one.outcome, Broken) for one in results] == [True, False, False, True]
    refused = [one.outcome.because for one in results if isinstance(one.outcome, Refused)]
    assert refused == [Because.CHANGED, Because.GONE]
    assert scene.names() == [f"{locks[1].name}.lck"]
    assert scene.outcomes() == ["broken", "broken"]


def test_one_live_lock_among_them_and_none_is_touched(scene: Scene) -> None:
    locks = [scene.lock("lock-10"), scene.lock("lock-20", age_s=5)]
    with pytest.raises(Refused, match="never broken in bulk") as refused:
        execute_all(scene.writer(), [scene.plan(lock).order for lock in locks])
    assert refused.value.because is Because.ALIVE
    assert len(scene.names()) == 2
    assert scene.audit.entries() == ()


def test_more_than_a_person_can_read_are_refused(scene: Scene) -> None:
    order = scene.plan(scene.lock()).order
    with pytest.raises(Refused, match="51 locks are more than the 50"):
        execute_all(scene.writer(), [order] * (MOST + 1))
    assert len(scene.names()) == 1


def test_it_can_be_stopped(scene: Scene) -> None:
    orders = [scene.plan(scene.lock(f"lock-{n}0")).order for n in range(3)]
    stop = threading.Event()
    results = execute_all(scene.writer(), orders, told=lambda _: stop.set(), stop=stop)
    assert len(results) == 1
    assert len(scene.names()) == 2


def test_where_somebody_works_nothing_is_broken_in_bulk(scene: Scene) -> None:
    idle, busy = scene.lock("lock-10"), scene.lock("lock-20", "pvc-busy")
    orders = [scene.plan(lock).order for lock in (idle, busy)]
    assert all(order.dead for order in orders)
    scene.store.put(f"{volume_folder('pvc-busy')}/backups/backup_x.cfg", b'{"Name":"x","CreatedTime":""}')
    first, second = execute_all(scene.writer(), orders)
    assert isinstance(first.outcome, Broken)
    assert isinstance(second.outcome, Refused)
    assert second.outcome.because is Because.ALIVE
    assert "backups of the volume were written" in second.outcome.what
    assert scene.store.read(busy.key) is not None
