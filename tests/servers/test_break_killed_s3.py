"""SIGKILL after each change that a break, an undo, their endings and a clean-up make on S3 servers."""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.breaking import VOLUME, Scene
from harness.builders import NS, Lock
from harness.deaths import Deaths
from harness.killed import Arena, Ending, check_break, check_cleanup, check_second, check_undo
from harness.rclone import start_rclone
from harness.s3 import BUCKET, S3Server


def arena_on(server: S3Server, deaths: Deaths, prefix: str, folder: Path) -> Iterator[Arena]:
    made: list[Scene] = []
    numbers = itertools.count()

    def close() -> None:
        for one in made:
            one.audit.close()
            one.store.close()
        made.clear()

    def scene() -> Scene:
        close()
        number = next(numbers)
        here = folder / str(number)
        here.mkdir()
        made.append(Scene(server.store(f"{prefix}/{number}"), here))
        made[0].volume()
        return made[0]

    yield Arena(deaths, scene)
    close()


@pytest.fixture(params=["rclone_http", "moto"])
def arena(request: pytest.FixtureRequest, prefix: str, tmp_path: Path) -> Iterator[Arena]:
    server: S3Server = request.getfixturevalue(request.param)
    with Deaths(server.environ()) as deaths:
        yield from arena_on(server, deaths, prefix, tmp_path)


@pytest.mark.parametrize("ending", ["finish", "take back"])
def test_a_break(arena: Arena, ending: Ending) -> None:
    check_break(arena, ending)


def test_an_undo(arena: Arena) -> None:
    check_undo(arena)


def test_what_takes_an_interrupted_break_back(moto: S3Server, prefix: str, tmp_path: Path) -> None:
    """Within the grain of its times what was put back looks as if it had never gone."""
    with Deaths(moto.environ()) as deaths:
        for arena in arena_on(moto, deaths, prefix, tmp_path):
            check_second(arena, "take back", "take back", step=3)


def test_a_clean_up(prefix: str, tmp_path: Path) -> None:
    """On a server over a folder, where locks can be made as old as they have to be."""
    server = start_rclone(tmp_path / "data", tmp_path / "log")

    def litter(scene: Scene) -> list[Lock]:
        found = [
            scene.lock("lock-dead"),
            scene.lock("lock-odd", raw=b"{"),
            scene.lock("lock-other", volume=VOLUME, type=2),
        ]
        number = scene.store.url.rstrip("/").rpartition("/")[2]
        old = time.time_ns() - 500 * NS
        for lock in found:
            os.utime(tmp_path / "data" / BUCKET / prefix / number / lock.key, ns=(old, old))
        return found

    try:
        with Deaths(server.environ()) as deaths:
            for arena in arena_on(server, deaths, prefix, tmp_path):
                check_cleanup(arena, litter)
    finally:
        assert server.process is not None
        server.process.stop()
