"""`locktop cleanup`: a dry run unless told twice, a count to type, a report that stays, and no live lock."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from backuplock.breaking import Audit, audit_path
from harness.breaking import QUARANTINE
from harness.builders import NS, Lock, Volume, volume_folder, write, write_locks
from harness.commands import Done, fingerprint, run
from harness.terminal import on_terminal
from locktop.exits import ExitCode

VOLUME = "pvc-1"
DEAD = [Lock(VOLUME, f"lock-{n:016x}", 1 + n % 2, age_s=900 + n) for n in range(4)]
CORRUPT = Lock(VOLUME, "lock-c0", raw=b'{"Name":', age_s=900)
UNTYPED = Lock(VOLUME, "lock-d0", 7, age_s=900)
GHOST = Lock("pvc-ghost", "lock-e0", 1, age_s=900)
LIVE = Lock(VOLUME, "lock-f0", 1, age_s=10)
YOUNG = Lock(VOLUME, "lock-f1", raw=b"", age_s=10)
TEMPORARY = f"{volume_folder(VOLUME)}/locks/lock-9.lck.tmp.1767322800123456789"


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.delenv("LOCKTOP_WRITE", raising=False)
    root, now = tmp_path / "store", time.time_ns()
    volume = Volume(VOLUME)
    write(root, volume.cfg_key, volume.cfg, now - 10_000 * NS)
    write_locks(root, [*DEAD, CORRUPT, UNTYPED, GHOST, LIVE, YOUNG], now)
    write(root, TEMPORARY, b"", now - 2 * 86_400 * NS)
    return root


def clean(root: Path, capsys: pytest.CaptureFixture[str], *more: str) -> Done:
    return run(capsys, "cleanup", "-t", str(root), *more)


def left(root: Path) -> set[str]:
    return {path.name for path in root.glob("backupstore/volumes/*/*/*/locks/*")}


ALWAYS = {f"{LIVE.name}.lck", f"{YOUNG.name}.lck"}


@pytest.mark.parametrize(
    "more",
    [[], ["--dry-run"], ["--write"], ["--dry-run", "--write", "--yes"]],
    ids=lambda more: " ".join(more),
)
def test_it_only_tells_unless_told_twice(
    more: list[str], root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = fingerprint(root)
    done = clean(root, capsys, *more)
    assert done.code == ExitCode.OK
    for words in ("dead: 4", "corrupt: 1", "untyped: 1", "temporary: 1", "ghost: 1", "pvc-ghost/lock-e0.lck"):
        assert words in done.out, done.out
    assert "lock-f0" not in done.out
    assert "nothing was written" in done.err
    assert fingerprint(root) == before
    assert not (tmp_path / "state").exists()


def test_the_document_says_the_same(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = clean(root, capsys, "--json").json
    assert (found["version"], found["complete"], found["applied"], found["more"]) == (1, True, False, 0)
    assert {item["outcome"] for item in found["items"]} == {"planned"}
    assert sorted(item["kind"] for item in found["items"]) == sorted(
        ["dead"] * 4 + ["corrupt", "untyped", "temporary", "ghost"]
    )
    assert [one["key"] for one in found["left"]] == [YOUNG.key]
    schema = clean(root, capsys, "--schema").out
    assert [name for name in (*found, *found["items"][0], *found["left"][0]) if name not in schema] == []
    assert f"{YOUNG.name}.lck" in clean(root, capsys, "-v").out


def test_all_of_it_goes_and_each_can_be_put_back(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = tmp_path / "report.jsonl"
    done = clean(root, capsys, "--apply", "--write", "--yes", "--report", str(report), "--reason", "spring")
    assert done.code == ExitCode.OK
    assert "8/8 removed" in done.out
    assert "removed 8 of 8" in done.err
    assert left(root) == ALWAYS
    head, *items, end = [json.loads(line) for line in report.read_text().splitlines()]
    assert (head["version"], head["count"], end) == (1, 8, {"ended": ""})
    assert {item["outcome"] for item in items} == {"removed"}
    assert {item["id"] for item in items} == {path.stem for path in (root / QUARANTINE).glob("*.json")}
    trail = Audit.read(audit_path())
    assert trail.verify().problem == ""
    assert {one.get("reason") for one in trail.entries() if one.get("phase") == "before"} == {"spring"}
    trail.close()
    assert "Nothing is left over" in clean(root, capsys).out


def test_a_run_goes_on_where_the_limit_ended_the_last(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    counts = []
    for _ in range(3):
        done = clean(root, capsys, "--apply", "--write", "--yes", "--limit", "3", "--json")
        assert done.code == ExitCode.OK
        counts.append((len(done.json["items"]), done.json["more"]))
    assert counts == [(3, 5), (3, 2), (2, 0)]
    assert left(root) == ALWAYS


def test_only_kinds_that_were_asked_for(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    done = clean(root, capsys, "--apply", "--write", "--yes", "--kind", "corrupt", "--kind", "temporary")
    assert done.code == ExitCode.OK
    assert left(root) == {
        path.rpartition("/")[2]
        for path in (*(lock.key for lock in DEAD), UNTYPED.key, GHOST.key, LIVE.key, YOUNG.key)
    }


def test_a_person_types_the_number(root: Path) -> None:
    arguments = ["cleanup", "-t", str(root), "--apply", "--write"]
    with on_terminal(root.parent, arguments) as terminal:
        terminal.expect("To remove 8 files, type the number: ")
        terminal.type("yes\n")
        terminal.expect("nothing was removed")
        assert terminal.end()[0] == ExitCode.NEGATIVE
    assert len(left(root)) == 10
    with on_terminal(root.parent, arguments) as terminal:
        terminal.expect("type the number: ")
        terminal.type("8\n")
        terminal.expect("removed 8 of 8")
        assert terminal.end()[0] == ExitCode.OK
    assert left(root) == ALWAYS


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--apply"], ExitCode.DENIED, "this session only reads"),
        (["--apply", "--write"], ExitCode.USAGE, "no terminal to ask on"),
        (["--apply", "--dry-run"], ExitCode.USAGE, "not allowed with"),
        (["--limit", "0"], ExitCode.USAGE, "--limit"),
        (["--limit", "many"], ExitCode.USAGE, "--limit"),
        (["--kind", "live"], ExitCode.USAGE, "invalid choice"),
        (["--report", "/nowhere/at/all"], ExitCode.USAGE, "--report"),
    ],
)
def test_bad_input_is_one_line(
    arguments: list[str], code: ExitCode, words: str, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = fingerprint(root)
    done = clean(root, capsys, *arguments)
    assert done.code == code
    assert words in done.err
    assert done.err.count("\n") == 1
    assert fingerprint(root) == before


def test_a_report_is_never_written_over(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = tmp_path / "report.jsonl"
    report.write_text("an older run")
    done = clean(root, capsys, "--apply", "--write", "--yes", "--report", str(report))
    assert done.code == ExitCode.USAGE
    assert report.read_text() == "an older run"
    assert len(left(root)) == 10


def test_what_could_not_be_read_is_told(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = root / volume_folder("pvc-odd")
    folder.mkdir(parents=True)
    (folder / "locks").symlink_to(root)
    done = clean(root, capsys)
    assert done.code == ExitCode.INCOMPLETE
    assert "not read: " in done.err


def test_a_place_without_a_store(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    done = clean(tmp_path, capsys)
    assert done.code == ExitCode.MISSING
