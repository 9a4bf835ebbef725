"""The audit trail: on disk, in a chain that shows what was done to it, shared by processes."""

from __future__ import annotations

import json
import os
import sqlite3
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from backuplock.breaking import Audit, AuditError, audit_path, window_of
from backuplock.breaking.audit_file import open_to_write


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "audit.db"


@pytest.fixture
def audit(path: Path) -> Audit:
    return Audit.open(path)


def fill(audit: Audit, count: int = 3) -> list[str]:
    return [audit.append("break", "before", f"id-{n}", n, {"target": "t", "n": n}).hash for n in range(count)]


def tamper(path: Path, *statements: str) -> None:
    """What somebody with the right to write the file can do: the guards are in the file itself."""
    connection = sqlite3.connect(path)
    for verb in ("update", "delete"):
        connection.execute(f"DROP TRIGGER entry_{verb}")
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    connection.close()


def test_an_entry_is_kept_as_it_was_given(audit: Audit, path: Path) -> None:
    fields = {"target": "t", "evidence": ["a", "b"], "n": 2**70, "lone": "\ud800"}
    audit.append("break", "before", "id-1", 5, fields)
    audit.close()
    (entry,) = Audit.read(path).entries()
    assert entry.fields == {**fields, "act": "break", "phase": "before", "id": "id-1", "at_ns": 5}
    assert (entry.seq, entry.previous) == (1, "0" * 64)


def test_the_chain_of_an_untouched_trail_holds(audit: Audit) -> None:
    assert (audit.verify().entries, audit.verify().problem) == (0, "")
    hashes = fill(audit)
    verified = audit.verify()
    assert (verified.entries, verified.head, verified.problem) == (3, hashes[-1], "")
    for head in hashes:
        assert audit.verify(head).problem == ""
    assert "not in this chain" in audit.verify("f" * 64).problem


@pytest.mark.parametrize(
    ("statement", "problem"),
    [
        ("""UPDATE entry SET content = replace(content, '"n":1', '"n":9')""", "entry 2 was changed"),
        (
            "UPDATE entry SET hash = replace(hash, substr(hash, 1, 1), 'x') WHERE seq = 2",
            "entry 2 was changed",
        ),
        ("DELETE FROM entry WHERE seq = 2", "entry 2 is missing"),
        ("DELETE FROM entry WHERE seq = 1", "entry 1 is missing"),
        ("DELETE FROM entry WHERE seq = 3", "entries after 2 were cut off"),
        ("DELETE FROM entry", "entries after 0 were cut off"),
        ("UPDATE entry SET seq = 4 WHERE seq = 3", "entry 3 is missing"),
    ],
)
def test_what_is_done_to_it_shows(audit: Audit, path: Path, statement: str, problem: str) -> None:
    fill(audit)
    audit.close()
    tamper(path, statement)
    assert problem in Audit.read(path).verify().problem


def test_a_trail_that_was_forged_as_a_whole_shows_against_a_head_noted_down(audit: Audit, path: Path) -> None:
    noted = fill(audit)[-1]
    audit.close()
    path.unlink()
    forged = Audit.open(path)
    fill(forged, 2)
    assert forged.verify().problem == ""
    assert "not in this chain" in forged.verify(noted).problem


def test_entries_are_not_changed_by_mistake(audit: Audit, path: Path) -> None:
    fill(audit)
    connection = sqlite3.connect(path)
    for statement in ("DELETE FROM entry", "UPDATE entry SET content = '{}'"):
        with pytest.raises(sqlite3.IntegrityError, match="never changed"):
            connection.execute(statement)
    connection.close()


def test_the_export_has_every_entry_with_its_hash(audit: Audit) -> None:
    hashes = fill(audit)
    lines = [json.loads(line) for line in audit.export()]
    assert [line["hash"] for line in lines] == hashes
    assert [line["previous"] for line in lines] == ["0" * 64, *hashes[:-1]]
    assert [line["n"] for line in lines] == [0, 1, 2]


def test_entries_are_found_by_transaction_and_target(audit: Audit) -> None:
    fill(audit)
    audit.append("break", "after", "id-1", 9, {"target": "other"})
    assert [one.seq for one in audit.entries(entry="id-1")] == [2, 4]
    assert [one.seq for one in audit.entries(target="other")] == [4]
    assert [one.seq for one in audit.entries(last=2)] == [3, 4]


def test_it_belongs_to_its_person_and_waits_for_the_disk(audit: Audit, path: Path) -> None:
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    connection = open_to_write(path)
    assert connection.execute("PRAGMA synchronous").fetchone() == (3,)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)
    connection.close()


def test_its_place_is_in_the_state_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert audit_path() == tmp_path / "locktop" / "audit.db"


def test_threads_and_processes_append_to_one_chain(audit: Audit, path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from backuplock.breaking import Audit\n"
        "audit = Audit.open(Path(sys.argv[1]))\n"
        "for n in range(25): audit.append('break', 'before', f'p-{n}', n, {'target': 't'})"
    )
    paths = os.pathsep.join(entry for entry in sys.path if entry)
    workers = [
        subprocess.Popen([sys.executable, "-c", code, str(path)], env={**os.environ, "PYTHONPATH": paths})
        for _ in range(2)
    ]
    threads = [threading.Thread(target=fill, args=(audit, 10)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [worker.wait(100) for worker in workers] == [0, 0]
    verified = audit.verify()
    assert (verified.entries, verified.problem) == (80, "")


@pytest.mark.parametrize("content", [b"no database at all, but long enough to look like one" * 20, b""])
def test_a_file_that_is_none_is_told_in_one_line(path: Path, content: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    with pytest.raises(AuditError) as error:
        Audit.read(path)
    assert "\n" not in str(error.value)


def test_a_database_of_another_program_is_left_alone(path: Path) -> None:
    path.parent.mkdir()
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE mine (x)")
    connection.commit()
    connection.close()
    before = path.read_bytes()
    for open_ in (Audit.open, Audit.read):
        with pytest.raises(AuditError, match="no audit trail of locktop's"):
            open_(path)
    assert path.read_bytes() == before


def test_a_trail_of_a_newer_version_is_refused(audit: Audit, path: Path) -> None:
    audit.close()
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 9")
    connection.close()
    with pytest.raises(AuditError, match="newer locktop"):
        Audit.open(path)


def test_one_that_is_not_there_is_told(path: Path) -> None:
    with pytest.raises(AuditError, match="there is no audit trail"):
        Audit.read(path)


def test_reading_gives_no_right_to_append(audit: Audit, path: Path) -> None:
    fill(audit)
    with pytest.raises(AuditError, match="readonly"):
        Audit.read(path).append("break", "after", "id-1", 0, {})


def test_open_acts_are_those_without_a_known_end(audit: Audit) -> None:
    for n in range(5):
        audit.append("break", "before", f"id-{n}", n, {"target": "t"})
    audit.append("break", "before", "elsewhere", 0, {"target": "other"})
    for n, act, outcome in (
        (0, "break", "broken"),
        (1, "break", "unknown"),
        (2, "undo", "undone"),
        (3, "undo", "refused"),
    ):
        assert act in ("break", "undo")
        audit.append(
            "break" if act == "break" else "undo", "after", f"id-{n}", n, {"target": "t", "outcome": outcome}
        )
    assert [one.get("id") for one in audit.open_acts("t")] == ["id-1", "id-3", "id-4"]


def test_who_works_shows_until_it_ends(audit: Audit) -> None:
    with audit.at_work("id-1"):
        assert audit.is_at_work("id-1")
        assert not audit.is_at_work("id-2")
        with pytest.raises(AuditError, match="another process works on"), audit.at_work("id-1"):
            pass
    assert not audit.is_at_work("id-1")


def test_the_window_is_that_of_the_target(audit: Audit) -> None:
    assert window_of(audit.entries(), "t") is None
    for n, target in ((10, "t"), (30, "t"), (50, "t"), (9000, "other")):
        audit.append("break", "after", "id", 0, {"target": target, "window_ns": n})
    found = window_of(audit.entries(), "t")
    assert found is not None
    assert (found.rounds, found.median_ns, found.longest_ns) == (3, 30, 50)
