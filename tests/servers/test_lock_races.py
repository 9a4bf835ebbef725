"""Opposite pairs started within a tenth of a second, on real stores, judged by an independent referee."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from backuplock.stores.base import Store
from backuplock.stores.filesystem import FilesystemStore
from harness.builders import volume_folder
from harness.races import Race, timing
from harness.referee import Referee
from harness.s3 import S3Server

if TYPE_CHECKING:
    from harness.azurite import AzureServer

SERVERS = ["rclone_http", "moto", "ceph", "azurite"]
SHORT = timing(15, 0.2)
"""For ours alone, which needs the settle wait for fairness only."""
TRUE_SETTLE = timing(15, 2.0)
"""Beside the original, whose exclusion rests on it."""


def store_on(request: pytest.FixtureRequest, name: str, prefix: str) -> Store:
    server: S3Server | AzureServer = request.getfixturevalue(name)
    return server.store(prefix)


def assert_clean(race: Race, pairs: int) -> None:
    """No two of opposite types were inside, and the race was one: some won, some were refused."""
    assert race.referee.violations() == [], race.counts
    assert race.counts["pairs with a winner"] >= pairs * 0.8, race.counts
    assert sum(n for what, n in race.counts.items() if what.endswith("refused")) > 0, race.counts
    for n in range(pairs):
        assert race.store.list(f"{volume_folder(f'pvc-{n}')}/locks").entries == (), race.counts


def test_the_referee_sees_what_happens_without_a_lock(tmp_path: Path) -> None:
    referee = Referee(tmp_path)
    with referee.inside("pvc-1", 1, "a"), referee.inside("pvc-1", 1, "b"), referee.inside("pvc-2", 2, "c"):
        assert referee.violations() == []
    with referee.inside("pvc-1", 2, "d"):
        assert referee.violations() == []
        with referee.inside("pvc-1", 1, "e"):
            assert len(referee.violations()) == 1


def test_ours_against_ours_on_files(tmp_path: Path) -> None:
    store = FilesystemStore(_folder(tmp_path), writable=True)
    race = Race(store, Referee(tmp_path / "referee"), SHORT)
    race.run(300, (race.ours, race.ours), at_once=24)
    assert_clean(race, 300)


def test_ours_against_the_original_on_files(tmp_path: Path) -> None:
    store = FilesystemStore(_folder(tmp_path), writable=True)
    race = Race(store, Referee(tmp_path / "referee"), TRUE_SETTLE)
    race.run(80, (race.ours, race.original), at_once=40)
    assert_clean(race, 80)


@pytest.mark.parametrize("name", SERVERS)
def test_ours_against_ours_on_a_server(
    request: pytest.FixtureRequest, name: str, prefix: str, tmp_path: Path
) -> None:
    race = Race(store_on(request, name, prefix), Referee(tmp_path), SHORT)
    race.run(40, (race.ours, race.ours), at_once=10)
    assert_clean(race, 40)


@pytest.mark.parametrize("name", SERVERS)
def test_ours_against_the_original_on_a_server(
    request: pytest.FixtureRequest, name: str, prefix: str, tmp_path: Path
) -> None:
    race = Race(store_on(request, name, prefix), Referee(tmp_path), TRUE_SETTLE)
    race.run(40, (race.ours, race.original), at_once=20)
    assert_clean(race, 40)


def _folder(tmp_path: Path) -> Path:
    folder = tmp_path / "store"
    folder.mkdir()
    return folder
