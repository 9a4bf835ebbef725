"""`locktop show`: the volume by any name, the same facts in text and JSON, codes, and nothing written."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from harness.builders import Lock, Volume, volume_folder, write, write_locks
from harness.commands import fingerprint, run
from locktop.exits import ExitCode

ONE, TWO = "pvc-aaaa1111", "pvc-aaaa2222"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two volumes; one has a live backup, a deletion that waits for it, and a dead lock."""
    for volume in (Volume(ONE, "shop", "orders", "web"), Volume(TWO, "shop", "cart", "web")):
        write(tmp_path, volume.cfg_key, volume.cfg)
    locks = [
        Lock(ONE, "lock-live", 1, age_s=20),
        Lock(ONE, "lock-wait", 2, acquired=False, age_s=5),
        Lock(ONE, "lock-dead", 2, age_s=4000),
    ]
    write_locks(tmp_path, locks, time.time_ns())
    return tmp_path


def test_the_whole_picture(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = fingerprint(root)
    done = run(capsys, "show", "-t", str(root), "--json", "-v", ONE)
    found = done.json
    assert done.code == ExitCode.NEGATIVE
    assert (found["version"], found["volume"]["claim"], found["complete"]) == (1, "orders", True)
    assert [(one["number"], one["lock"], one["verdict"]) for one in found["locks"]] == [
        (1, "lock-dead", "ignored"),
        (2, "lock-live", "holds"),
        (3, "lock-wait", "fails"),
    ]
    (edge,) = found["edges"]
    assert edge["rule"] == "acquired"
    assert edge["blocker"].endswith("/lock-live.lck")
    assert edge["longhorn"] is True
    assert {one["operation"]: one["result"] for one in found["verdicts"]} == {
        # The deletion that waits came first: Longhorn refuses whoever asks for the other kind.
        "backup": "blocked",
        "restore": "blocked",
        "delete": "blocked",
    }
    assert found["locks"][1]["raw"] == '{"Name":"lock-live","Type":1,"Acquired":true}'
    assert all(one["mark"] in ("known", "likely", "unknown") for one in found["findings"])
    assert fingerprint(root) == before


def test_the_text_says_the_same(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    done = run(capsys, "show", "-t", str(root), "-v", ONE)
    for words in (
        "shop/orders",
        "will be refused: blocked by 2",
        "└─ 3 delete",
        "different type, and 2 is acquired",
        "blocked by 2 until released",
        "has ended",
        "workload web",
        '{"Name":"lock-live","Type":1,"Acquired":true}',
    ):
        assert words in done.out, done.out
    assert "└" not in run(capsys, "show", "-t", str(root), "--ascii", ONE).out


@pytest.mark.parametrize("name", [ONE, "pvc-aaaa1", "shop/orders", "orders", f" {ONE}/"])
def test_a_volume_by_any_name(name: str, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    done = run(capsys, "show", "-t", str(root), "--json", name)
    assert done.json["volume"]["name"] == ONE
    # A full id must not cost a sweep, and a sweep is said.
    assert ("reading all volumes" in done.err) is (ONE not in name)


@pytest.mark.parametrize("name", ["shop/cart", TWO])
def test_a_volume_without_locks_is_free(name: str, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    done = run(capsys, "show", "-t", str(root), name)
    assert done.code == ExitCode.OK
    assert "No locks: every operation would be granted" in done.out


@pytest.mark.parametrize(
    ("name", "code", "words"),
    [
        ("pvc-aaaa", ExitCode.USAGE, "fits several volumes: pvc-aaaa1111 (shop/orders)"),
        ("pvc-none", ExitCode.MISSING, "has no volume 'pvc-none'"),
        ("../../no-such-folder", ExitCode.MISSING, "has no volume"),
        ("", ExitCode.USAGE, "no volume is named"),
        ("\x1b[31m", ExitCode.MISSING, "has no volume"),
    ],
    ids=["several", "none", "escaping", "empty", "control"],
)
def test_names_that_fit_no_or_several_volumes(
    name: str, code: ExitCode, words: str, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    done = run(capsys, "show", "-t", str(root), name)
    assert (done.code, done.out) == (code, "")
    assert words in done.err
    assert done.err.rstrip("\n").isprintable() or done.err.count("\n") == 2


def test_places_without_a_store(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LOCKTOP_TARGET", raising=False)
    done = run(capsys, "show", "-t", str(tmp_path), ONE)
    assert done.code == ExitCode.MISSING
    assert "no backupstore here" in done.err
    assert run(capsys, "show", "-t", str(tmp_path / "gone"), ONE).code == ExitCode.MISSING
    assert run(capsys, "show", ONE).code == ExitCode.USAGE


def test_what_cannot_be_decoded_is_told_from_longhorns_point_too(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_locks(root, [Lock(TWO, "lock-odd", raw=b"{", age_s=30)], time.time_ns())
    done = run(capsys, "show", "-t", str(root), TWO)
    assert done.code == ExitCode.NEGATIVE
    assert "Longhorn ignores this: it cannot decode it" in done.out
    assert "Longhorn itself would be granted" in done.out


def test_long_ages_are_told_in_days(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_locks(root, [Lock(TWO, "lock-old", 1, age_s=3 * 86_400 + 200)], time.time_ns())
    assert "last written 3d00h ago" in run(capsys, "show", "-t", str(root), TWO).out


def test_a_backup_in_progress_is_named(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(root, f"{volume_folder(ONE)}/backups/backup_nightly.cfg", b'{"Name":"nightly","CreatedTime":""}')
    done = run(capsys, "show", "-t", str(root), ONE)
    assert "likely: a backup: nightly is being written" in done.out


def test_a_ghost_is_called_one(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_locks(root, [Lock("pvc-ghost", "lock-old", 1, age_s=9000)], time.time_ns())
    done = run(capsys, "show", "-t", str(root), "pvc-ghost")
    assert "ghost volume" in done.out
    assert done.code == ExitCode.OK
