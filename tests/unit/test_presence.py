"""`locktop run` and `hold` lock what is there, and say what is missing where it is not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from harness.builders import Volume, volume_folder, write
from harness.commands import Done, run
from harness.running import locks, make_store
from locktop.exits import ExitCode

ONE, TWO = "pvc-aaaa1111", "pvc-aaaa2222"


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("LOCKTOP_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A store with two volumes of known claims."""
    for volume in (Volume(ONE, "shop", "orders", "web"), Volume(TWO, "shop", "cart", "web")):
        write(tmp_path, volume.cfg_key, volume.cfg)
    return tmp_path


def hold(capsys: pytest.CaptureFixture[str], root: Path, volume: str, *more: str) -> Done:
    options = ("--for-at-most", "1s")
    return run(capsys, "hold", "-t", str(root), "--volume", volume, "--for", "backup", *options, *more)


def test_a_folder_without_a_store_is_not_locked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    done = hold(capsys, tmp_path, ONE)
    assert (done.code, done.out) == (ExitCode.MISSING, "")
    assert "there is no backupstore here" in done.err
    assert "--new-store" in done.err
    assert done.err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
    command = ("run", "-t", str(tmp_path), "--volume", ONE, "--for", "delete", "--", "touch")
    assert run(capsys, *command, str(tmp_path / "ran")).code == ExitCode.MISSING
    assert list(tmp_path.iterdir()) == []


def test_a_new_store_can_be_insisted_on_and_leaves_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ("run", "-t", str(tmp_path), "--volume", ONE, "--for", "backup", "--new-store", "--", "find")
    done = run(capsys, *command, str(tmp_path), "-name", "*.lck")
    assert done.code == ExitCode.OK
    assert list(tmp_path.iterdir()) == [], "an empty backupstore/ would pass for a store without locks"
    # What the command put there stays.
    kept = tmp_path / "backupstore/volumes/kept"
    assert run(capsys, *command[:-1], "touch", str(kept)).code == ExitCode.OK
    assert kept.exists()


@pytest.mark.parametrize(
    ("volume", "meant"),
    [
        ("pvc-aaaa1", f"did you mean {ONE} (shop/orders)?"),
        ("pvc-aaaa1112", f"{ONE} (shop/orders)"),
        ("shop/orders", f"did you mean {ONE} (shop/orders)?"),
        ("orders", f"did you mean {ONE} (shop/orders)?"),
        ("PVC-AAAA2222", f"{TWO} (shop/cart)"),
        ("pvc-aaaa", f"one of {ONE} (shop/orders), {TWO} (shop/cart)?"),
        ("backingimage", "did you mean BACKINGIMAGE?"),
        ("something-else", "locktop ls --all"),
    ],
)
def test_a_volume_that_is_not_there_is_not_locked(
    volume: str, meant: str, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    done = hold(capsys, root, volume)
    assert (done.code, done.out) == (ExitCode.MISSING, "")
    assert meant in done.err
    assert done.err.count("\n") == 1
    assert not (root / volume_folder(volume)).exists()


def test_a_new_volume_can_be_insisted_on(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    done = hold(capsys, root, "pvc-new", "--new-volume")
    assert done.code == ExitCode.OK
    assert "exclusivity proven" in done.err
    assert not (root / volume_folder("pvc-new")).exists()
    assert hold(capsys, root, "shop/orders", "--new-volume").code == ExitCode.MISSING


def test_a_ghost_volume_is_not_locked(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(root, f"{volume_folder('pvc-ghost')}/locks/lock-old.lck", b"{}")
    done = hold(capsys, root, "pvc-ghost")
    assert done.code == ExitCode.MISSING
    assert "'pvc-ghost' has no volume.cfg" in done.err


def test_backing_images_have_no_volume(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert hold(capsys, tmp_path, "BACKINGIMAGE").code == ExitCode.MISSING
    make_store(tmp_path, ONE)
    assert hold(capsys, tmp_path, "BACKINGIMAGE").code == ExitCode.OK
    assert locks(tmp_path, "BACKINGIMAGE") == []
    assert run(capsys, "show", "-t", str(tmp_path), "BACKINGIMAGE").code == ExitCode.OK
    done = run(capsys, "show", "-t", str(tmp_path), "backingimage")
    assert (done.code, done.out) == (ExitCode.MISSING, "")
    assert "did you mean BACKINGIMAGE?" in done.err
