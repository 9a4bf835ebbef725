"""Breaks against holders that refresh: a few rounds on each kind of store; `breakrace.run` does 10,000."""

from __future__ import annotations

from pathlib import Path

import pytest

from backuplock.breaking import Audit
from backuplock.stores.base import Store
from backuplock.stores.filesystem import FilesystemStore
from backuplock.stores.memory import MemoryStore
from breakrace.race import BreakRace
from harness.s3 import S3Server


def race_on(store: Store, folder: Path) -> BreakRace:
    return BreakRace(store, Audit.open(folder / "audit.db"))


@pytest.fixture(params=["memory", "files", "rclone_http", "moto", "ceph"])
def race(request: pytest.FixtureRequest, tmp_path: Path, prefix: str) -> BreakRace:
    if request.param == "memory":
        return race_on(MemoryStore(), tmp_path)
    if request.param == "files":
        (tmp_path / "store").mkdir()
        return race_on(FilesystemStore(tmp_path / "store", writable=True), tmp_path)
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
