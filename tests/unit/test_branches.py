"""First levels of a folder read in one go: what the walk by folders finds, also after all kinds of change."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backuplock import layout
from backuplock.clock import SECOND, ManualClock, SystemClock
from backuplock.stores.base import branched_of
from backuplock.stores.filesystem import FilesystemStore
from backuplock.stores.mounts import Mount
from backuplock.survey import sweep
from harness.fleets import LOCK, ByFolders, content, shapes

BASE = layout.VOLUMES
AGES_AGO = 1_000_000_000 * SECOND


def laid(root: Path, objects: dict[str, bytes]) -> None:
    for key, body in objects.items():
        path = root / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)


def settled(root: Path) -> None:
    """All folders have not changed for long: their times may be trusted."""
    for folder, _, _ in os.walk(root):
        found = Path(folder).stat()
        if found.st_mtime_ns > AGES_AGO * 1.5:
            os.utime(folder, ns=(AGES_AGO, AGES_AGO + found.st_mtime_ns % SECOND))
    # The time of a folder's state cannot be set; a tick of the kernel must go by.
    SystemClock().sleep(SECOND // 50)


@settings(deadline=None, max_examples=40, suppress_health_check=list(HealthCheck))
@given(shapes(odd=False), st.booleans(), st.booleans())
def test_it_finds_what_the_walk_by_folders_finds(objects: dict[str, bytes], old: bool, names: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        laid(root, objects)
        if old:
            settled(root)
        store = FilesystemStore(root)
        if old:
            firsts = filter(layout.is_shard, store.list(BASE).folders)
            assert None not in [store.branch(first) for first in firsts]
        for _ in range(2):
            found = sweep(store, all_names=names)
            assert content(found) == content(sweep(ByFolders(store), all_names=names))


CHANGES = st.lists(
    st.tuples(
        st.sampled_from(
            ["lock", "relock", "unlock", "cfg", "remove", "link", "backup", "pipe", "swap", "odd", "away"]
        ),
        st.integers(0, 5),
    ),
    min_size=1,
    max_size=8,
)


def change(root: Path, what: str, number: int) -> None:
    """One change that Longhorn, or a stray hand, may make to a volume."""
    volume = root / BASE / f"{number % 2:02x}/00/v-{number}"
    lock = volume / "locks/lock-1.lck"
    if (volume / "locks").is_symlink() or (volume / "locks").is_file():
        (volume / "locks").unlink()
    if volume.is_symlink() or (volume.exists() and not volume.is_dir()):
        volume.unlink()
    if what in ("lock", "relock", "cfg", "backup"):
        path = {"cfg": volume / "volume.cfg", "backup": volume / "backups/b.cfg"}.get(what, lock)
        path.parent.mkdir(parents=True, exist_ok=True)
        if what == "relock":
            path.write_bytes(LOCK + b" ")
            return
        beside = path.with_name(f"{path.name}.tmp.1")
        beside.write_bytes(LOCK)
        beside.replace(path)
        return
    if what == "unlock":
        shutil.rmtree(volume / "locks", ignore_errors=True)
    elif what not in ("odd", "away"):
        shutil.rmtree(volume, ignore_errors=True)
    volume.parent.mkdir(parents=True, exist_ok=True)
    if what == "link":
        volume.symlink_to(root / "elsewhere")
    elif what == "pipe":
        os.mkfifo(volume)
    elif what == "swap":
        volume.mkdir()
    elif what in ("odd", "away"):
        # What stands where the locks should be: a file, or a link to some.
        shutil.rmtree(volume / "locks", ignore_errors=True)
        (volume / "locks").unlink(missing_ok=True)
        volume.mkdir(exist_ok=True)
        if what == "odd":
            (volume / "locks").touch()
        else:
            (volume / "locks").symlink_to(root / "elsewhere/locks")


@settings(deadline=None, max_examples=40, suppress_health_check=list(HealthCheck))
@given(st.lists(CHANGES, min_size=1, max_size=4), st.booleans())
def test_what_it_remembers_hides_no_change(rounds: list[list[tuple[str, int]]], settle: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "elsewhere/locks").mkdir(parents=True)
        laid(root, {f"{BASE}/{n % 2:02x}/00/v-{n}/volume.cfg": b"{}" for n in range(6)})
        settled(root)
        store = FilesystemStore(root)
        seen = sweep(store)
        assert len(seen.volumes) == 6
        for changes in rounds:
            for what, number in changes:
                change(root, what, number)
            if settle:
                settled(root)
            seen = sweep(store, seen)
            assert content(seen) == content(sweep(ByFolders(FilesystemStore(root))))


def test_folders_that_have_not_changed_are_not_read_again(tmp_path: Path) -> None:
    laid(tmp_path, {f"{BASE}/{n:02x}/00/v/blocks/00/00/x.blk": b"" for n in range(64)})
    laid(tmp_path, {f"{BASE}/07/00/v/locks/lock-1.lck": LOCK})
    settled(tmp_path)
    store = FilesystemStore(tmp_path)
    first = sweep(store)
    second = sweep(store, first)
    # The folder of first levels, and each of them; at first the second levels; the volume with a lock, its
    # locks, at first their bodies. Volumes without are not opened.
    assert first.requests == 1 + 64 + 64 + 2 + 1
    assert second.requests == 1 + 64 + 2
    assert content(first) == content(second)


def test_blocks_are_not_looked_into(tmp_path: Path) -> None:
    laid(tmp_path, {f"{BASE}/07/00/v/blocks/00/00/x.blk": b"", f"{BASE}/07/00/v/volume.cfg": b"{}"})
    (tmp_path / f"{BASE}/07/00/v/blocks").chmod(0)
    before = (tmp_path / f"{BASE}/07/00/v/blocks").stat().st_atime_ns
    settled(tmp_path)
    assert sweep(FilesystemStore(tmp_path)).complete
    assert (tmp_path / f"{BASE}/07/00/v/blocks").stat().st_atime_ns <= max(before, AGES_AGO)


@pytest.mark.parametrize("fs_type", ["nfs4", "cifs"])
def test_on_a_network_nothing_is_remembered_and_much_goes_on_at_once(tmp_path: Path, fs_type: str) -> None:
    def mounts() -> tuple[Mount, ...]:
        return (
            Mount(root="/", point=str(tmp_path), fs_type=fs_type, source="server:/share", options=("rw",)),
        )

    laid(tmp_path, {f"{BASE}/{n:02x}/00/v/locks/lock-1.lck": LOCK for n in range(64)})
    settled(tmp_path)
    store = FilesystemStore(tmp_path, mounts=mounts)
    offered = branched_of(store)
    assert offered is not None
    assert offered.chains > 1
    SystemClock().sleep(SECOND + SECOND // 5)
    first, second = sweep(store), sweep(store)
    # Three levels, the locks, and a body.
    assert first.requests == second.requests == 1 + 64 * 5
    assert content(first) == content(second)


def test_a_folder_that_changed_just_now_is_left_to_the_careful_walk(tmp_path: Path) -> None:
    laid(tmp_path, {f"{BASE}/07/00/v/volume.cfg": b"{}"})
    settled(tmp_path)
    clock = ManualClock((tmp_path / f"{BASE}/07/00/v").stat().st_ctime_ns)
    store = FilesystemStore(tmp_path, clock=clock)
    assert store.branch("07") is None
    clock.advance(2 * SECOND)
    assert store.branch("07") is not None
    assert store.branch("08") is None
