"""`locktop ls` on a folder in which everything is as bad as a file system allows."""

from __future__ import annotations

import csv
import io
import json
import os
import time
from pathlib import Path

import pytest

from harness.builders import Fleet, Lock, Volume, volume_folder, write, write_all
from locktop import cli
from locktop.exits import ExitCode

NAMES = [
    "pvc-\x1b[31mred\x1b]0;title\x07",
    "pvc-\u202egnp.exe",
    "pvc-[red]x[bold]",
    "pvc-line\nbreak\r\x85\u2028",
    "=HYPERLINK(x)",
    "pvc-" + "x" * 251,
    "pvc-\udcff\udcfe",
    "pvc-中文\u0301",
]


@pytest.fixture
def odd(tmp_path: Path) -> Path:
    """One plain lock, and beside it every kind of file that is none."""
    root = tmp_path / "store"
    write_all(root, Fleet((Volume("pvc-a"),), (Lock("pvc-a", "lock-good"),)), time.time_ns())
    locks = root / volume_folder("pvc-a") / "locks"
    outside = tmp_path / "outside.lck"
    outside.write_bytes(Lock("pvc-a", "lock-good").content)
    (locks / "lock-folder.lck").mkdir()
    (locks / "lock-out.lck").symlink_to(outside)
    (locks / "lock-dangling.lck").symlink_to(tmp_path / "nowhere")
    (locks / "lock-beside.lck").symlink_to("lock-good.lck")
    os.mkfifo(locks / "lock-fifo.lck")
    (locks / "lock-empty.lck").write_bytes(b"")
    (locks / "lock-latin.lck").write_bytes(b'{"Name":"\xff","Type":"\xfe"}')
    (locks / "lock-nested.lck").write_bytes(b'{"a":' * 9_000)
    with (locks / "lock-huge.lck").open("wb") as sparse:
        sparse.truncate(5 << 30)
    return root


def listed(root: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, dict[str, object]]:
    """The locks of `ls --json` by name."""
    assert cli.main(["ls", "--json", "--all", str(root)]) == ExitCode.INCOMPLETE
    locks = json.loads(capsys.readouterr().out)["locks"]
    found = {lock["lock"]: lock for lock in locks}
    assert len(found) == len(locks)
    return found


def test_what_is_no_lock_is_shown_as_such(odd: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = listed(odd, capsys)
    assert {name: lock["flaw"] for name, lock in found.items()} == {
        "lock-good": None,
        "lock-folder": "not a plain file",
        "lock-out": "not a plain file",
        "lock-dangling": "not a plain file",
        "lock-beside": "not a plain file",
        "lock-fifo": "not a plain file",
        "lock-empty": "undecodable",
        "lock-latin": "undecodable",
        "lock-nested": "undecodable",
        "lock-huge": "too large",
    }
    bad = [lock for name, lock in found.items() if name != "lock-good"]
    assert {lock["state"] for lock in bad} == {"bad"}
    assert all(lock["type"] is None and lock["reason"] for lock in bad)
    # Fail closed: what cannot be understood blocks everybody.
    assert all(lock["blocks"] == ["backup", "restore", "delete"] for lock in bad)


@pytest.mark.parametrize("form", ["table", "--csv"])
def test_odd_files_in_the_other_forms(odd: Path, form: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["ls", str(odd), *([form] if form != "table" else [])]) == ExitCode.INCOMPLETE
    out, err = capsys.readouterr()
    for name in ("lock-folder", "lock-out", "lock-huge"):
        assert f"{name}.lck" in err, "what was not read is named"
    assert "lock-empty.lck" not in err, "what was read and is no lock is no gap"
    assert len(out.splitlines()) == 11
    assert out.count("not a plain file") >= 5


def test_hostile_names_on_a_file_system(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in NAMES:
        write(tmp_path, Lock(name, "lock-1").key, Lock(name, "lock-1").content)
        write(tmp_path, f"{volume_folder(name)}/locks/{name[:200]}.tmp.1", b"")
    assert cli.main(["ls", "--json", "--all", str(tmp_path)]) == ExitCode.OK
    found = json.loads(capsys.readouterr().out)
    assert {lock["volume"] for lock in found["locks"]} == set(NAMES)
    assert len(found["leftovers"]) == len(NAMES)
    assert cli.main(["ls", "--all", str(tmp_path)]) == ExitCode.OK
    lines = capsys.readouterr().out.rstrip("\n").split("\n")
    assert len(lines) == 1 + 2 * len(NAMES)
    assert all(line.isprintable() for line in lines)
    assert cli.main(["ls", "--csv", "--all", str(tmp_path)]) == ExitCode.OK
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out, newline="")))
    assert len(rows) == 2 * len(NAMES)
    assert all(value.isprintable() for row in rows for value in row.values())


def test_a_hostile_problem_stays_one_line_of_narration(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name = "pvc-\x1b[31m\nlocktop: all is well"
    folder = tmp_path / volume_folder(name)
    folder.mkdir(parents=True)
    (folder / "locks").symlink_to("/")
    assert cli.main(["ls", str(tmp_path)]) == ExitCode.INCOMPLETE
    out, err = capsys.readouterr()
    assert [line.split()[0] for line in out.splitlines()] == ["STATE", "unread"]
    assert all(line.startswith("locktop: ") and line.isprintable() for line in err.splitlines())
    assert not any(line == "locktop: all is well" for line in err.splitlines())
