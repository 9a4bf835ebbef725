"""`locktop blocked` equals what the planted files say, over a whole fleet."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from harness.builders import LEASE_S, Fleet, Lock, Volume, fleet, write, write_all, write_locks
from harness.commands import fingerprint, run
from locktop.exits import ExitCode


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Fleet]:
    """A fleet in a folder."""
    root = tmp_path_factory.mktemp("fleet")
    made = fleet(80, 40)
    write_all(root, made, time.time_ns())
    return root, made


def expected(made: Fleet) -> dict[tuple[str, str], set[str]]:
    """Volume and operation -> keys of what blocks it, from the plan alone."""
    found: dict[tuple[str, str], set[str]] = {}
    for lock in made.locks:
        for operation in lock.blocks:
            found.setdefault((lock.volume, operation), set()).add(lock.key)
    return found


def test_all_that_is_blocked_and_nothing_else(
    planted: tuple[Path, Fleet], capsys: pytest.CaptureFixture[str]
) -> None:
    root, made = planted
    before = fingerprint(root)
    done = run(capsys, "blocked", "-t", str(root), "--json")
    found = {
        (volume["volume"], one["operation"]): {blocker["key"] for blocker in one["blockers"]}
        for volume in done.json["blocked"]
        for one in volume["operations"]
    }
    assert found == expected(made)
    assert done.code == ExitCode.NEGATIVE
    assert done.json["volumes"]["found"] == 80
    assert fingerprint(root) == before


@pytest.mark.parametrize("operation", ["backup", "restore", "delete"])
def test_one_operation(
    operation: str, planted: tuple[Path, Fleet], capsys: pytest.CaptureFixture[str]
) -> None:
    root, made = planted
    done = run(capsys, "blocked", "-t", str(root), "--json", "--op", operation)
    volumes = {volume for volume, what in expected(made) if what == operation}
    assert {one["volume"] for one in done.json["blocked"]} == volumes


def test_filters_and_text(planted: tuple[Path, Fleet], capsys: pytest.CaptureFixture[str]) -> None:
    root, made = planted
    volume = next(volume for volume in made.volumes if (volume.name, "delete") in expected(made))
    done = run(capsys, "blocked", "-t", str(root), f"{volume.namespace}/{volume.claim}".upper())
    assert volume.name in done.out
    assert "1 volume with something blocked" in done.out
    assert run(capsys, "blocked", "-t", str(root), "no-such-claim").code == ExitCode.OK


def test_who_waits_and_until_when(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    now = time.time_ns()
    write_locks(
        tmp_path, [Lock("v1", "lock-a", 1, age_s=10), Lock("v1", "lock-b", 2, acquired=False, age_s=3)], now
    )
    done = run(capsys, "blocked", "-t", str(tmp_path), "--op", "delete", "--json")
    (one,) = done.json["blocked"][0]["operations"]
    assert [key.rpartition("/")[2] for key in one["waiting"]] == ["lock-b.lck"]
    assert one["until"] is not None
    text = run(capsys, "blocked", "-t", str(tmp_path), "--op", "delete").out
    assert "1 request waits" in text
    assert "if its holder dies now" in text


def test_nothing_blocked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    volume = Volume("v1")
    write(tmp_path, volume.cfg_key, volume.cfg)
    write_locks(tmp_path, [Lock("v1", "lock-a", 1, age_s=LEASE_S + 60)], time.time_ns())
    done = run(capsys, "blocked", "-t", str(tmp_path))
    assert done.code == ExitCode.OK
    assert "Nothing is blocked" in done.out
    empty = tmp_path / "empty"
    empty.mkdir()
    assert run(capsys, "blocked", "-t", str(empty)).code == ExitCode.MISSING
