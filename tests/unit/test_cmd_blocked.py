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
    assert "1 volume with something blocked, of 1 volume looked at" in done.out
    blocked = {name for name, _ in expected(made)}
    # From the tenth on no claim's name begins another's.
    free = next(volume for volume in made.volumes[10:] if volume.name not in blocked)
    done = run(capsys, "blocked", "-t", str(root), f"{free.namespace}/{free.claim}", "--op", "delete")
    assert done.code == ExitCode.OK, "volumes without locks are known by their claims as well"
    assert done.out == "Nothing is blocked: delete would be granted; 1 volume looked at\n"


@pytest.mark.parametrize("command", [["blocked"], ["blocked", "--json"], ["simulate", "--batch"]])
def test_words_that_fit_no_volume_are_no_all_clear(
    command: list[str], planted: tuple[Path, Fleet], capsys: pytest.CaptureFixture[str]
) -> None:
    done = run(capsys, *command, "-t", str(planted[0]), "no-such-claim")
    assert (done.code, done.out) == (ExitCode.MISSING, "")
    assert "no volume fits 'no-such-claim', none of the 80 volumes looked at" in done.err


@pytest.mark.parametrize("command", [["blocked"], ["simulate", "--batch"], ["simulate"], ["show"]])
@pytest.mark.parametrize("form", ["{}", "{}/", "vfs://{}", "s3://me:hunter2@bucket/path/"])
def test_a_target_in_the_place_of_a_volume(
    command: list[str], form: str, planted: tuple[Path, Fleet], capsys: pytest.CaptureFixture[str]
) -> None:
    root = str(planted[0])
    done = run(capsys, *command, "-t", root, form.format(root))
    assert (done.code, done.out) == (ExitCode.USAGE, "")
    assert f"a target goes after -t: locktop {command[0]} -t TARGET" in done.err
    assert "hunter2" not in done.err


def test_a_claim_may_be_called_like_a_folder_here(
    planted: tuple[Path, Fleet],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    root, made = planted
    volume = made.volumes[0]
    (tmp_path / volume.namespace / volume.claim).mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    done = run(capsys, "blocked", "-t", str(root), f"{volume.namespace}/{volume.claim}")
    assert volume.name in done.out


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
    assert "Nothing is blocked: every operation would be granted; 1 volume looked at" in done.out
    empty = tmp_path / "empty"
    empty.mkdir()
    assert run(capsys, "blocked", "-t", str(empty)).code == ExitCode.MISSING
