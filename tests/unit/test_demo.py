"""The demo's people and its stand-in for Longhorn's client."""

from __future__ import annotations

import threading
from collections import Counter
from pathlib import Path

import pytest

from backuplock.clock import SECOND, SystemClock
from backuplock.layout import BACKING_IMAGE, lock_key, locks_folder, volume_folder
from backuplock.model import LockRecord, Operation
from backuplock.rules import State, Timing
from backuplock.stores.filesystem import FilesystemStore
from backuplock.survey import sweep
from backuplock.wire import decode, encode
from harness.builders import body
from locktop.demo.client import Killed, World, carry_on, operate
from locktop.demo.people import Holder, plant, scene
from locktop.rows import board_of

NOW = 1_767_322_800 * SECOND
QUICK = Timing(
    duration_ns=SECOND * 15 // 10, refresh_ns=SECOND // 20, settle_ns=SECOND // 50, slack_ns=SECOND // 50
)


def test_a_scene_is_its_seed_and_now() -> None:
    assert scene(NOW, seed=3) == scene(NOW, seed=3)
    assert scene(NOW, seed=3) != scene(NOW, seed=4)
    keys = [file.key for file in scene(NOW).files]
    assert len(keys) == len(set(keys))


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_scene_shows_every_state_and_oddity(tmp_path: Path, seed: int) -> None:
    now = SystemClock().wall_ns()
    plant(tmp_path, scene(now, seed=seed), now)
    board = board_of(sweep(FilesystemStore(tmp_path)))
    states = Counter(row.state for row in board.rows)
    # The one state left out needs a clock that is not known.
    assert set(states) == set(State) - {State.UNSURE}
    assert len(board.snapshot.volumes) == 62
    assert {volume.name for volume in board.snapshot.volumes if volume.ghost} - {BACKING_IMAGE}
    assert sum(len(volume.leftovers) for volume in board.snapshot.volumes) == 2
    types = {row.lock.record.type for row in board.rows if row.lock and row.lock.record}
    assert types == {0, 1, 2, 7}
    assert any(row.lock and row.lock.record is None for row in board.rows)
    assert any(row.volume.name == BACKING_IMAGE for row in board.rows)
    assert any((row.lock.modified_ns or 0) > now for row in board.rows if row.lock)
    assert any(row.standing and row.standing.blocks for row in board.rows)
    assert board.owners
    named = [row for row in board.rows if row.claim and row.volume.names and row.volume.names.workload]
    assert len(named) > len(board.rows) // 2


def world(root: Path, killed: threading.Event | None = None) -> World:
    """A world in which periods are short."""
    wake = killed or threading.Event()
    return World(
        FilesystemStore(root, writable=True),
        SystemClock(),
        lambda duration_ns: wake.wait(duration_ns / SECOND),
        QUICK,
    )


def locks_of(root: Path, volume: str) -> list[Path]:
    """The lock files of a volume."""
    return sorted((root / locks_folder(volume)).glob("*.lck"))


def test_a_free_volume_is_granted_and_released(tmp_path: Path) -> None:
    assert operate(world(tmp_path), "pvc-a", Operation.BACKUP, lasts_s=0.02)
    assert locks_of(tmp_path, "pvc-a") == []
    backups = list((tmp_path / volume_folder("pvc-a") / "backups").iterdir())
    assert len(backups) == 1
    assert b'"CreatedTime":"20' in backups[0].read_bytes()


@pytest.mark.parametrize(
    ("held", "asked", "granted"),
    [
        (Operation.BACKUP, Operation.DELETE, False),
        (Operation.DELETE, Operation.BACKUP, False),
        (Operation.DELETE, Operation.RESTORE, False),
        (Operation.BACKUP, Operation.RESTORE, True),
        (Operation.DELETE, Operation.DELETE, True),
    ],
)
def test_one_that_is_held_refuses_the_other_kind(
    tmp_path: Path, held: Operation, asked: Operation, granted: bool
) -> None:
    store = FilesystemStore(tmp_path, writable=True)
    key = lock_key("pvc-a", "lock-1")
    store.put(key, body("lock-1", held.lock_type, True))
    assert operate(world(tmp_path), "pvc-a", asked, lasts_s=0.01) is granted
    # What it asked with is gone either way, and the other's is left alone.
    assert [path.name for path in locks_of(tmp_path, "pvc-a")] == ["lock-1.lck"]


def test_it_skips_what_it_cannot_read_as_longhorn_does(tmp_path: Path) -> None:
    store = FilesystemStore(tmp_path, writable=True)
    store.put(lock_key("pvc-a", "lock-1"), b'{"Name":"lock-1","Ty')
    assert operate(world(tmp_path), "pvc-a", Operation.DELETE, lasts_s=0.01)


def test_it_refreshes_while_it_works_and_leaves_its_lock_when_killed(tmp_path: Path) -> None:
    killed = threading.Event()
    ended: list[BaseException] = []

    def work() -> None:
        try:
            operate(world(tmp_path, killed), "pvc-a", Operation.RESTORE, lasts_s=600)
        except Killed as error:
            ended.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    stamps: set[int] = set()
    for _ in range(3000):
        for path in locks_of(tmp_path, "pvc-a"):
            try:
                if decode(path.read_bytes()).acquired:
                    stamps.add(path.stat().st_mtime_ns)
            except FileNotFoundError:
                continue
        if len(stamps) >= 3:
            break
        thread.join(0.01)
    killed.set()
    thread.join(30)
    assert len(stamps) >= 3
    assert len(ended) == 1
    (left,) = locks_of(tmp_path, "pvc-a")
    assert decode(left.read_bytes()).type == 1


def test_a_holder_of_the_scene_goes_on_and_releases(tmp_path: Path) -> None:
    holder = Holder("pvc-a", LockRecord("lock-1", 1, True), age_s=100.0, left_s=0.05)
    store = FilesystemStore(tmp_path, writable=True)
    store.put(holder.key, encode(holder.record))
    before = (tmp_path / holder.key).stat().st_mtime_ns
    seen: list[int] = []

    def pause(duration_ns: int) -> bool:
        seen.append((tmp_path / holder.key).stat().st_mtime_ns)
        return threading.Event().wait(duration_ns / SECOND)

    carry_on(World(store, SystemClock(), pause, QUICK), holder)
    # Overdue, so it was refreshed at once; then released.
    assert seen[-1] > before
    assert locks_of(tmp_path, "pvc-a") == []


def test_deleting_keeps_the_last_backup(tmp_path: Path) -> None:
    for _ in range(3):
        operate(world(tmp_path), "pvc-a", Operation.BACKUP, lasts_s=0.01)
    backups = tmp_path / volume_folder("pvc-a") / "backups"
    for expected in (2, 1, 1):
        assert operate(world(tmp_path), "pvc-a", Operation.DELETE, lasts_s=0.01)
        assert len(list(backups.iterdir())) == expected
