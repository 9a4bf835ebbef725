"""`locktop audit`: the trail is told, a change in it is found and named, and nothing is written."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from backuplock.breaking import audit_path, undo
from harness.breaking import NAME, VOLUME, Scene, folder_scene
from harness.commands import Done, run
from locktop.exits import ExitCode


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    """A lock that was broken and put back, another that was broken."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    audit_path().parent.mkdir()
    scene = folder_scene(tmp_path)
    scene.audit.close()
    scene.audit = type(scene.audit).open(audit_path())
    first = scene.break_(scene.lock(), allow_live=True)
    undo(scene.writer(), first.id, reason="\x1b[2Jit was alive")
    scene.break_(scene.lock("lock-2"), allow_live=True)
    yield scene
    scene.audit.close()


def audit(capsys: pytest.CaptureFixture[str], *arguments: str) -> Done:
    return run(capsys, "audit", *arguments)


def tamper(scene: Scene, statement: str) -> None:
    """Change the file as somebody would who knows SQLite."""
    connection = sqlite3.connect(scene.audit.path)
    connection.executescript(f"DROP TRIGGER entry_update; DROP TRIGGER entry_delete; {statement}")
    connection.close()


def test_nothing_was_ever_broken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    done = audit(capsys)
    assert (done.code, done.out) == (ExitCode.OK, "")
    assert "there is no audit trail" in done.err
    for arguments, words in (
        (["--verify"], "nothing was verified: nothing was broken from here"),
        (["--verify", "--head", "0" * 64], "it was removed or moved"),
        (["--export", str(tmp_path / "lines")], "nothing was broken from here, or it is lost"),
    ):
        done = audit(capsys, *arguments)
        assert (done.code, done.out) == (ExitCode.MISSING, "")
        assert words in done.err
        assert done.err.count("\n") == 1
    done = audit(capsys, "--verify", "--json")
    assert (done.code, done.json["verified"]) == (ExitCode.MISSING, None)
    assert audit(capsys, "--json").json["entries"] == []
    assert list(tmp_path.iterdir()) == []


def test_the_trail_in_words(scene: Scene, capsys: pytest.CaptureFixture[str]) -> None:
    done = audit(capsys)
    assert done.code == ExitCode.OK
    for words in (
        f"1  break begun  {VOLUME}/{NAME}.lck",
        "break: broken",
        "undo begun",
        "undo: undone",
        "reason: a test",
        "INSISTED on a live lock",
        r"reason: \x1b[2Jit was alive",
        scene.store.url,
    ):
        assert words in done.out, done.out
    assert "\x1b" not in done.out


def test_parts_of_it(scene: Scene, capsys: pytest.CaptureFixture[str]) -> None:
    everything = audit(capsys, "--json").json["entries"]
    assert [one["seq"] for one in everything] == list(range(1, len(everything) + 1))
    last = audit(capsys, "--json", "--last", "2").json["entries"]
    assert last == everything[-2:]
    of_one = audit(capsys, "--json", "--id", everything[0]["id"]).json["entries"]
    assert [one["act"] for one in of_one] == ["break", "break", "undo", "undo"]
    here = audit(capsys, "--json", "-t", scene.store.url).json["entries"]
    assert here == everything
    done = audit(capsys, "--json", "-t", "/elsewhere")
    assert (done.code, done.json["entries"]) == (ExitCode.OK, [])
    schema = audit(capsys, "--schema").out
    assert [name for entry in everything for name in entry if name not in schema] == []


def test_one_act_by_the_beginning_of_its_id(scene: Scene, capsys: pytest.CaptureFixture[str]) -> None:
    everything = audit(capsys, "--json").json["entries"]
    first, last = everything[0]["id"], everything[-1]["id"]
    start = next(first[:length] for length in range(4, 30) if not last.startswith(first[:length]))
    found = audit(capsys, "--json", "--id", start).json["entries"]
    assert [(one["id"], one["act"]) for one in found] == [
        (first, act) for act in ("break", "break", "undo", "undo")
    ]
    done = audit(capsys, "--id", first[:4])
    assert (done.code, done.out) == (ExitCode.USAGE, "")
    assert "begins 2 ids" in done.err
    assert first in done.err
    done = audit(capsys, "--id", "2001")
    assert (done.code, done.out) == (ExitCode.NEGATIVE, "")
    assert "no act of the audit trail has an id that begins with 2001; locktop audit lists" in done.err


def test_a_whole_chain_and_its_head(scene: Scene, capsys: pytest.CaptureFixture[str]) -> None:
    done = audit(capsys, "--verify", "--json")
    assert done.code == ExitCode.OK
    found = done.json["verified"]
    assert found["problem"] == ""
    # By the words of --schema alone.
    previous = "0" * 64
    for entry in audit(capsys, "--json").json["entries"]:
        fields = {name: value for name, value in entry.items() if name not in ("seq", "previous", "hash")}
        text = json.dumps(fields, sort_keys=True, separators=(",", ":"))
        previous = hashlib.sha256(f"{entry['seq']}\n{previous}\n{text}".encode()).hexdigest()
    assert found["head"] == previous
    assert f"head    {previous}" in audit(capsys, "--verify").out
    scene.break_(scene.lock("lock-3"), allow_live=True)
    assert audit(capsys, "--verify", "--head", previous).code == ExitCode.OK
    assert audit(capsys, "--verify", "--head", "f" * 64).code == ExitCode.NEGATIVE


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        (
            "UPDATE entry SET content = replace(content, 'a test', 'a lie!') WHERE seq = 1",
            "entry 1 was changed",
        ),
        ("DELETE FROM entry WHERE seq = 3", "entry 3 is missing"),
        ("DELETE FROM entry WHERE seq >= 5", "entries after 4 were cut off"),
    ],
    ids=["changed", "missing", "cut off"],
)
def test_the_first_bad_entry_is_named(
    statement: str, words: str, scene: Scene, capsys: pytest.CaptureFixture[str]
) -> None:
    tamper(scene, statement)
    done = audit(capsys, "--verify")
    assert done.code == ExitCode.NEGATIVE
    assert f"NOT WHOLE: {words}" in done.out
    assert audit(capsys, "--verify", "--json").json["verified"]["problem"].startswith(words)


def test_it_is_exported_once(scene: Scene, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "trail.jsonl"
    assert audit(capsys, "--export", str(file)).code == ExitCode.OK
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert lines == audit(capsys, "--json").json["entries"]
    assert audit(capsys, "--export", "-").out == file.read_text()
    done = audit(capsys, "--export", str(file))
    assert done.code == ExitCode.USAGE
    assert "is there already" in done.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--head", "0" * 64], "--head goes with --verify"),
        (["--verify", "--head", "abc"], "no hash"),
        (["--last", "0"], "--last"),
        (["--id", "202"], "is too little of an id"),
        (["--id", "lock-feed"], "is not the id of a broken lock"),
        (["--verify", "--last", "2"], "are of the whole trail"),
        (["--export", "x", "--id", "2026"], "are of the whole trail"),
        (["--verify", "--export", "x"], "not allowed with"),
        (["--export", "/nowhere/at/all"], "--export"),
    ],
)
def test_bad_input_is_one_line(
    arguments: list[str], words: str, scene: Scene, capsys: pytest.CaptureFixture[str]
) -> None:
    done = audit(capsys, *arguments)
    assert done.code == ExitCode.USAGE
    assert words in done.err
    assert done.err.count("\n") == 1


def test_a_file_that_is_no_trail(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    audit_path().parent.mkdir()
    audit_path().write_text("not a database at all, but long enough to be looked at as one" * 20)
    done = audit(capsys)
    assert done.code == ExitCode.SYSTEM
    assert "audit trail" in done.err
    assert done.err.count("\n") == 1
