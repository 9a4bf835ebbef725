"""Breaks against holders that refresh: a few rounds on each kind of store; `breakrace.run` does 10,000."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from backuplock.breaking import Audit, removal
from backuplock.errors import Unreachable
from backuplock.stores.base import Store
from backuplock.stores.filesystem import FilesystemStore
from backuplock.stores.memory import MemoryStore
from breakrace.race import NO_ANSWER, BreakRace
from breakrace.run import Run, main, summary
from harness.s3 import S3Server
from harness.troubled import TroubledStore

if TYPE_CHECKING:
    from harness.azurite import AzureServer


def race_on(store: Store, folder: Path) -> BreakRace:
    return BreakRace(store, Audit.open(folder / "audit.db"))


@pytest.fixture(params=["memory", "files", "rclone_http", "moto", "ceph", "azurite"])
def race(request: pytest.FixtureRequest, tmp_path: Path, prefix: str) -> BreakRace:
    if request.param == "memory":
        return race_on(MemoryStore(), tmp_path)
    if request.param == "files":
        (tmp_path / "store").mkdir()
        return race_on(FilesystemStore(tmp_path / "store", writable=True), tmp_path)
    if request.param == "azurite":
        blobs: AzureServer = request.getfixturevalue("azurite")
        return race_on(blobs.store(prefix), tmp_path)
    server: S3Server = request.getfixturevalue(request.param)
    store = server.store(prefix)
    store.probe_conditional("scratch")
    return race_on(store, tmp_path)


def test_a_blind_refresh_is_never_gone_unnoticed(race: BreakRace) -> None:
    race.blind(60)
    assert race.violations == []
    assert race.counts.total() == 60
    if race.store.capabilities.kind == "s3":
        assert race.window is not None
        assert race.window.median_ns > 0


def test_our_own_holder_keeps_it_or_knows(race: BreakRace) -> None:
    race.ours(24)
    assert race.violations == []
    assert race.counts.total() == 24
    assert race.audit.verify().problem == ""


def test_the_judge_finds_a_break_that_does_not_look_at_what_it_moved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "store").mkdir()
    race = race_on(FilesystemStore(tmp_path / "store", writable=True), tmp_path)
    monkeypatch.setattr(removal, "moved_differs", lambda *_: "")
    Run(race, "blind", 200, None).go()
    assert "a refreshed lock was removed for good" in "".join(race.violations)


def test_rounds_without_an_answer_are_made_up_for(tmp_path: Path) -> None:
    store = TroubledStore(MemoryStore())
    for verb in ("put", "delete", "list"):
        store.add(verb, before=Unreachable("too busy"), times=40)
    race = BreakRace(store, Audit.open(tmp_path / "audit.db"))
    assert Run(race, "blind", 60, None).go()
    assert race.valid == 60
    assert race.counts[NO_ANSWER] >= 40
    assert race.violations == []
    assert summary(race, "memory", "blind", 60).startswith("memory, blind holders: 60 rounds, 0 violations; ")


def test_a_store_that_never_answers_is_given_up(tmp_path: Path) -> None:
    store = TroubledStore(MemoryStore())
    store.add("put", before=Unreachable("gone"))
    race = BreakRace(store, Audit.open(tmp_path / "audit.db"))
    assert not Run(race, "blind", 5, None).go()
    assert (race.valid, race.threads) == (0, 2)


def test_any_folder_will_do_and_nothing_is_left_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["run", "--store", str(tmp_path), "--rounds", "20", "--holder", "blind"])
    assert main() == 0
    out, err = capsys.readouterr()
    assert f"{tmp_path}, blind holders: 20 rounds, 0 violations" in out.splitlines()[-1]
    assert "blind: 20 of 20 valid" in err
    assert list(tmp_path.iterdir()) == []


def test_time_that_runs_out_is_no_success(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["run", "--store", "memory", "--rounds", "20", "--seconds", "-1"])
    assert main() == 2
