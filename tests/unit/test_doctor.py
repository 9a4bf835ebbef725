"""The doctor on folders and on Snapshots: what it finds, what it leaves behind, what it says of mounts."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from backuplock.clock import SECOND, StoreClock, assumed
from backuplock.doctor import Grade, examine
from backuplock.doctor.checks import clocks, of_mount
from backuplock.model import Snapshot
from backuplock.stores import open_store
from backuplock.stores.mounts import Mount
from backuplock.target import parse_target
from harness.builders import Lock, Volume, write, write_locks
from harness.commands import fingerprint, run
from locktop.exits import ExitCode


@pytest.fixture
def root(tmp_path: Path) -> Path:
    volume = Volume("pvc-1")
    write(tmp_path, volume.cfg_key, volume.cfg)
    return tmp_path


def grades(root: Path, *, write: bool = False) -> dict[str, Grade]:
    target = parse_target(str(root))
    found = examine(lambda writable: open_store(target, writable=writable), write=write)
    assert found.tried is write
    return {check.name: check.grade for check in found.checks}


def test_looking_writes_nothing(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = fingerprint(root)
    done = run(capsys, "doctor", str(root))
    assert done.code == ExitCode.OK
    assert "nothing was written" in done.out
    assert fingerprint(root) == before


def test_trying_tells_more_and_leaves_nothing(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = set(root.rglob("*"))
    assert grades(root)["write"] is Grade.UNKNOWN
    found = grades(root, write=True)
    assert {found[name] for name in ("list", "read", "write", "times", "delete", "list after write")} == {
        Grade.OK
    }
    assert set(root.rglob("*")) == before
    assert run(capsys, "doctor", "--write", str(root)).code == ExitCode.OK


def test_the_document_says_what_the_text_says(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    done = run(capsys, "doctor", "--json", "--write", str(root))
    found = json.loads(done.out)
    assert found["version"] == 1
    assert found["tried"] is True
    assert {one["name"] for one in found["checks"]} >= {"list", "read", "clock", "mount", "write", "delete"}
    assert found["guarantees"][0]["holds"] is True
    assert abs(found["clock"]["skew_seconds"]) < 2
    text = run(capsys, "doctor", "--write", str(root)).out
    assert all(one["name"] in text for one in (*found["checks"], *found["guarantees"]))


def test_a_store_is_not_begun_for_a_trial(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    done = run(capsys, "doctor", "--write", str(tmp_path))
    assert done.code == ExitCode.MISSING
    assert "no backupstore here" in done.out
    assert list(tmp_path.iterdir()) == []


def test_leftovers_are_counted(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_locks(root, [Lock("pvc-1", "lock-dead", 1, age_s=900)], time.time_ns())
    write(root, f"{Lock('pvc-1', 'x', 1, age_s=0).key.rpartition('/')[0]}/lock-a.lck.tmp.17", b"")
    done = run(capsys, "doctor", str(root))
    assert "1 dead lock, 1 temporary file" in done.out


def test_a_volume_that_cannot_be_listed_is_told(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    locks = (root / Lock("pvc-1", "x", 1, age_s=0).key).parent
    locks.mkdir(parents=True, exist_ok=True)
    locks.rmdir()
    locks.symlink_to(root)
    done = run(capsys, "doctor", str(root))
    assert done.code == ExitCode.NEGATIVE
    assert "could not be listed" in done.out


def _mount(fs_type: str, *options: str) -> Mount:
    return Mount("/", "/mnt/backups", fs_type, "nas:/backups", options)


@pytest.mark.parametrize(
    ("mount", "grade", "words"),
    [
        (_mount("ext4", "rw"), Grade.OK, "local file system"),
        (_mount("nfs4", "vers=4.2", "soft", "actimeo=1"), Grade.OK, "within 1 s"),
        (_mount("nfs4", "vers=4.2", "hard", "actimeo=1"), Grade.NOTE, "for ever"),
        (_mount("nfs4", "vers=4.2", "soft"), Grade.BAD, "unseen for 60 s"),
        (_mount("nfs", "vers=3", "soft", "noac"), Grade.WARN, "NFS 3"),
        (_mount("cifs", "soft"), Grade.OK, "within 1 s"),
        (_mount("cifs", "soft", "actimeo=30"), Grade.BAD, "unseen for 30 s"),
        (_mount("fuse.sshfs"), Grade.UNKNOWN, "not known"),
        (None, Grade.UNKNOWN, "mount table"),
    ],
)
def test_what_mount_options_mean(mount: Mount | None, grade: Grade, words: str) -> None:
    found = of_mount(mount)
    assert found.grade is grade
    assert words in found.text
    assert grade in (Grade.OK, Grade.UNKNOWN) or found.advice


@pytest.mark.parametrize(
    ("off_s", "error_s", "grade"),
    [
        (0.1, 0.2, Grade.OK),
        (6.5, 1.0, Grade.WARN),
        (-6.5, 1.0, Grade.WARN),
        (5.5, 1.0, Grade.OK),
        (40, 1.0, Grade.BAD),
        (-7200, 1.0, Grade.BAD),
    ],
)
def test_clocks_that_disagree_are_told_by_how_much_it_matters(
    off_s: float, error_s: float, grade: Grade
) -> None:
    off, error = round(off_s * SECOND), round(error_s * SECOND)
    clock = StoreClock(off - error, off + error, 0, "Date")
    snapshot = Snapshot("memory", (), clock, 0, 0, taken_wall_ns=0)
    assert clocks(snapshot).grade is grade


def test_a_store_that_tells_no_time_leaves_the_clock_unknown() -> None:
    clock = assumed(wall_ns=0, mono_ns=0, error_ns=900 * SECOND)
    found = clocks(Snapshot("memory", (), clock, 0, 0, taken_wall_ns=0))
    assert found.grade is Grade.UNKNOWN
    assert found.advice


def test_plain_glyphs_are_plain(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "doctor", "--ascii", str(root)).out.isascii()
