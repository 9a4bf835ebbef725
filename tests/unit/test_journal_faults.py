"""A journal under adverse conditions: bounds, many writers, crashes, full disks, damaged, strange files."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backuplock.clock import SECOND
from backuplock.errors import Denied, Malformed, Missing
from backuplock.journal import (
    Bounds,
    Journal,
    JournalBusy,
    JournalDenied,
    JournalError,
    JournalFull,
    JournalMalformed,
    JournalMissing,
    Look,
)
from backuplock.model import Snapshot
from harness.histories import START, TARGET, busy


def record_all(path: Path, history: list[Snapshot], bounds: Bounds | None = None) -> None:
    journal = Journal.open(path, bounds=bounds)
    for snapshot in history:
        journal.record(snapshot)
    journal.close()


def intact(path: Path) -> list[int]:
    """The file is sound to SQLite, every look in it can be rebuilt; their wall clock times."""
    reader = Journal.read(path)
    looks = reader.looks()
    for look in looks:
        assert reader.snapshot(look).taken_wall_ns == look.wall_ns
    reader.close()
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    connection.close()
    return [look.wall_ns for look in looks]


def one_clear_line(error: JournalError, path: Path) -> None:
    text = str(error)
    assert text.isprintable()
    assert str(path) in text
    assert len(text) < 400


# -- bounds -------------------------------------------------------------------------------------------


def test_what_is_too_old_goes_and_the_rest_stays_exact(tmp_path: Path) -> None:
    path, history = tmp_path / "j.db", busy(400, 10)
    record_all(path, history, Bounds(age_ns=100 * SECOND))
    walls = intact(path)
    kept = [snapshot for snapshot in history if snapshot.taken_wall_ns in set(walls)]
    # A few at a time go with each look, so the bound holds after every one of them.
    assert walls[0] >= history[-1].taken_wall_ns - 100 * SECOND
    assert len(kept) == 51
    reader = Journal.read(path)
    assert [reader.snapshot(look) for look in reader.looks()] == kept
    reader.close()


def test_a_reader_is_not_misled_by_what_was_pruned_since_it_looked(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    journal = Journal.open(path, bounds=Bounds(age_ns=100 * SECOND))
    many, few = busy(1, 10)[0], busy(200, 5, seed=2, start=START + 2 * SECOND)
    journal.record(many)
    reader = Journal.read(path)
    assert reader.snapshot_at(START) == many
    for snapshot in few:
        journal.record(snapshot)
    assert reader.snapshot_at(few[-1].taken_wall_ns) == few[-1]
    with pytest.raises(LookupError):
        reader.snapshot(Look(START, 1, 1))
    reader.close()
    journal.close()


def test_the_file_stays_within_its_size(tmp_path: Path) -> None:
    path, size = tmp_path / "j.db", 600_000
    journal = Journal.open(path, bounds=Bounds(size=size))
    history = busy(600, 40, churn=0.5)
    for number, snapshot in enumerate(history):
        journal.record(snapshot)
        assert journal.size <= size
        if number % 20 == 0:
            assert path.stat().st_size <= size
    found = journal.looks()
    assert 20 < len(found) < 500
    assert found[-1].wall_ns == history[-1].taken_wall_ns
    for look in found:
        assert journal.snapshot(look) == history[(look.wall_ns - START) // (2 * SECOND)]
    journal.close()
    assert path.stat().st_size <= size
    assert intact(path)


def test_names_and_bodies_that_nothing_refers_to_go_too(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    bounds = Bounds(size=600_000)
    for seed in range(12):
        record_all(path, busy(20, 60, seed=seed, start=START + 100 * seed * SECOND), bounds)
    record_all(path, busy(200, 60, seed=99, start=START + 2_000 * SECOND), bounds)
    connection = sqlite3.connect(path)
    (names,) = connection.execute("SELECT count(*) FROM name").fetchone()
    (runs,) = connection.execute("SELECT count(*) FROM run").fetchone()
    connection.close()
    assert runs < 12
    # Volumes have the same names in all of them, locks names of their own.
    assert names <= 60 + 60 * runs
    assert intact(path)


@settings(max_examples=10, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2), st.integers(1, 40)), min_size=2, max_size=6))
def test_pruning_never_changes_what_is_kept(parts: list[tuple[int, int]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path, start = Path(folder) / "j.db", START
        journals: dict[int, Journal] = {}
        given_: dict[int, Snapshot] = {}
        for who, looks in parts:
            # Recorders that take turns, so that runs are pruned under those who still write them.
            journal = journals.get(who) or Journal.open(path, bounds=Bounds(age_ns=60 * SECOND))
            journals[who] = journal
            for snapshot in busy(looks, 4, seed=who, start=start):
                journal.record(snapshot)
                given_[snapshot.taken_wall_ns] = snapshot
                start = snapshot.taken_wall_ns + 1
        for journal in journals.values():
            looks = journal.looks()
            assert looks[-1].wall_ns == start - 1
            assert [journal.snapshot(look) for look in looks] == [given_[look.wall_ns] for look in looks]
        for journal in journals.values():
            journal.close()


def test_a_store_too_large_for_the_bound_is_refused_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    journal = Journal.open(path, bounds=Bounds(size=300_000))
    small, large = busy(1, 10)[0], busy(1, 5_000, start=START + SECOND)[0]
    journal.record(small)
    with pytest.raises(JournalFull) as caught:
        journal.record(large)
    one_clear_line(caught.value, path)
    # It is as it was, and still of use.
    journal.record(busy(1, 10, start=START + 2 * SECOND)[0])
    journal.close()
    assert intact(path) == [START, START + 2 * SECOND]
    with pytest.raises(ValueError, match="256 KiB"):
        Bounds(size=1000)


# -- many writers, and writers that die ---------------------------------------------------------------


def start(*arguments: object) -> subprocess.Popen[str]:
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    command = [sys.executable, "-m", "harness.journal_worker", *map(str, arguments)]
    return subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_processes_record_into_one_file_at_once(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    workers = [start("record", path, seed, 40) for seed in (1, 2, 3)]
    for worker in workers:
        _, err = worker.communicate(timeout=100)
        assert worker.returncode == 0, err
    intact(path)
    journal = Journal.read(path)
    by_run: dict[int, list[Snapshot]] = {}
    for look in journal.looks():
        by_run.setdefault(look.run, []).append(journal.snapshot(look))
    journal.close()
    wanted = [busy(40, 20, seed=seed, start=START + seed) for seed in (1, 2, 3)]
    assert sorted(by_run.values(), key=lambda run: run[0].taken_wall_ns) == wanted


def test_what_was_recorded_survives_the_recorders_death(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    for looks in (1, 25):
        path.unlink(missing_ok=True)
        worker = start("forever", path)
        assert worker.stdout is not None
        told = [int(worker.stdout.readline()) for _ in range(looks)]
        worker.send_signal(signal.SIGKILL)
        # Not communicate(): it would lose what readline has read ahead.
        rest = worker.stdout.read()
        worker.wait(60)
        worker.stdout.close()
        assert worker.stderr is not None
        worker.stderr.close()
        told += [int(line) for line in rest.split("\n")[:-1]]
        walls = intact(path)
        # One more may have been committed than it could tell.
        assert walls[: len(told)] == told
        assert len(walls) <= len(told) + 1
        # Whoever comes next goes on.
        journal = Journal.open(path)
        journal.record(busy(1, 3, start=START + 10**13)[0])
        assert len(journal.looks()) == len(walls) + 1
        journal.close()


def test_a_writer_that_holds_the_file_delays_but_does_not_break(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backuplock.journal.schema.BUSY_S", 0.05)
    path, history = tmp_path / "j.db", busy(3, 5)
    journal = Journal.open(path)
    journal.record(history[0])
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(JournalBusy) as caught:
        journal.record(history[1])
    one_clear_line(caught.value, path)
    with pytest.raises(JournalBusy):
        journal.record_gap(START, "unreachable", "x")
    assert len(journal.looks()) == 1
    other.execute("COMMIT")
    other.close()
    journal.record(history[2])
    assert [journal.snapshot(look) for look in journal.looks()] == [history[0], history[2]]
    journal.close()


# -- disks --------------------------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 2 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small file system to fill")
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)], capture_output=True, text=True
    )
    if done.returncode:
        pytest.skip(f"no file system can be mounted here: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=False)


def test_a_full_disk_is_one_line_and_harms_nothing(small_disk: Path) -> None:
    path, history = small_disk / "j.db", busy(300, 100, churn=0.6)
    journal = Journal.open(path)
    recorded: list[Snapshot] = []

    def fill() -> None:
        for snapshot in history:
            journal.record(snapshot)
            recorded.append(snapshot)

    with pytest.raises(JournalError) as caught:
        fill()
    one_clear_line(caught.value, path)
    assert recorded
    with pytest.raises(JournalError):
        journal.record(history[-1])
    # What is there can be read, from here and by others, though nothing more can be written.
    youngest = journal.looks()[-1]
    assert journal.snapshot(youngest) == history[(youngest.wall_ns - START) // (2 * SECOND)]
    journal.close()
    reader = Journal.read(path)
    assert reader.snapshot(youngest).taken_wall_ns == youngest.wall_ns
    reader.close()


def test_a_folder_without_rights() -> None:
    """Rights apply to a child that is nobody, where this is root."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made) / "closed"
        folder.mkdir(mode=0o555)
        Path(made).chmod(0o755)
        # What is imported on the way may lie where only this user can read.
        Journal.open(Path(made) / "warm.db").close()
        child = os.fork()
        if child == 0:
            status = 1
            try:
                if os.geteuid() == 0:
                    os.setgroups([])
                    os.setgid(65534)
                    os.setuid(65534)
                with pytest.raises(JournalDenied) as caught:
                    Journal.open(folder / "j.db")
                one_clear_line(caught.value, folder / "j.db")
                status = 0
            finally:
                os._exit(status)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_folder_that_can_take_no_file() -> None:
    # /proc refuses new files even root.
    path = Path("/proc/j.db")
    with pytest.raises(JournalError) as caught:
        Journal.open(path)
    one_clear_line(caught.value, path)


# -- strange files ------------------------------------------------------------------------------------


def test_a_newer_format_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    record_all(path, busy(1, 1))
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    before = path.read_bytes()
    for attempt in (Journal.open, Journal.read):
        with pytest.raises(JournalMalformed, match="has format 99, this locktop knows 1") as caught:
            attempt(path)
        one_clear_line(caught.value, path)
    assert path.read_bytes() == before


def test_files_that_are_no_recordings(tmp_path: Path) -> None:
    text, folder, empty, other = (tmp_path / name for name in ("text", "folder", "empty", "other.db"))
    text.write_text("no database at all, but a file of some length" * 100)
    folder.mkdir()
    empty.touch()
    connection = sqlite3.connect(other)
    connection.execute("CREATE TABLE mine (precious)")
    connection.commit()
    connection.close()
    before = other.read_bytes(), text.read_bytes()
    for path in (text, folder, other):
        for attempt in (Journal.open, Journal.read):
            with pytest.raises(JournalMalformed) as caught:
                attempt(path)
            one_clear_line(caught.value, path)
            assert isinstance(caught.value, Malformed)
    with pytest.raises(JournalMalformed, match="is empty"):
        Journal.read(empty)
    with pytest.raises(JournalMissing) as missing:
        Journal.read(tmp_path / "nothing")
    assert isinstance(missing.value, Missing)
    assert (other.read_bytes(), text.read_bytes()) == before
    assert not (tmp_path / "nothing").exists()
    assert issubclass(JournalDenied, Denied)


class _Lost(Exception):
    """A look that is listed is not found."""


def _snapshot(reader: Journal, look: Look) -> None:
    try:
        reader.snapshot(look)
    except (KeyError, IndexError):
        raise
    except LookupError as error:
        raise _Lost from error


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_damage_is_told_or_harmless_never_a_traceback(data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "j.db"
        record_all(path, busy(6, 8))
        content = bytearray(path.read_bytes())
        for _ in range(data.draw(st.integers(1, 8))):
            at = data.draw(st.integers(0, len(content) - 1))
            length = data.draw(st.sampled_from([1, 16, 600]))
            content[at : at + length] = data.draw(st.binary(min_size=1, max_size=1)) * length
        path.write_bytes(content[: data.draw(st.sampled_from([len(content), len(content) // 2, 100]))])
        try:
            reader = Journal.read(path)
            try:
                for look in reader.looks():
                    # A look that the damage made unfindable: LookupError itself, no class below it.
                    with contextlib.suppress(_Lost):
                        _snapshot(reader, look)
                reader.events()
                reader.gaps()
                reader.contention()
                reader.held_since(next(iter(busy(1, 1)[0].by_key)))
            finally:
                reader.close()
        except JournalError as error:
            one_clear_line(error, path)
        try:
            journal = Journal.open(path)
            try:
                journal.record(busy(1, 8, start=START + 10**12)[0])
            finally:
                journal.close()
        except JournalError as error:
            one_clear_line(error, path)


def test_a_file_that_is_removed_while_it_is_written_is_noticed(tmp_path: Path) -> None:
    path, history = tmp_path / "j.db", busy(2, 2)
    journal = Journal.open(path)
    journal.record(history[0])
    path.unlink()
    with pytest.raises(JournalMissing, match="removed while"):
        journal.record(history[1])
    record_all(path, history)
    with pytest.raises(JournalMissing, match="removed while"):
        journal.record(history[1])
    journal.close()


def test_a_journal_that_is_only_read_is_not_written(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    record_all(path, busy(1, 1))
    reader = Journal.read(path)
    with pytest.raises(RuntimeError):
        reader.record(busy(1, 1)[0])
    with pytest.raises(RuntimeError):
        reader.record_gap(START, "unreachable", "x")
    with pytest.raises(RuntimeError):
        reader.import_from(path)
    reader.close()


def test_an_export_never_overwrites(tmp_path: Path) -> None:
    path, precious = tmp_path / "j.db", tmp_path / "precious"
    precious.write_text("mine")
    journal = Journal.open(path, target=TARGET)
    with pytest.raises(JournalError, match="exists"):
        journal.export(precious)
    with pytest.raises(JournalDenied):
        journal.export(tmp_path / "no" / "such" / "folder")
    assert precious.read_text() == "mine"
    journal.close()
