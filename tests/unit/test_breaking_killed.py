"""SIGKILL after each change that a break, an undo, their endings and a clean-up make in a folder."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.breaking import VOLUME, Scene, folder_scene
from harness.builders import Lock
from harness.deaths import Deaths, Doing
from harness.killed import Arena, Ending, check_break, check_cleanup, check_second, check_undo


@pytest.fixture(scope="module")
def deaths() -> Iterator[Deaths]:
    with Deaths({}) as found:
        yield found


@pytest.fixture
def arena(deaths: Deaths, tmp_path: Path) -> Iterator[Arena]:
    made: list[Scene] = []
    numbers = itertools.count()

    def scene() -> Scene:
        for one in made:
            one.audit.close()
        made.clear()
        folder = tmp_path / str(next(numbers))
        folder.mkdir()
        made.append(folder_scene(folder))
        return made[0]

    yield Arena(deaths, scene)
    for one in made:
        one.audit.close()


@pytest.mark.parametrize("ending", ["finish", "take back"])
def test_a_break(arena: Arena, ending: Ending) -> None:
    check_break(arena, ending)


def test_an_undo(arena: Arena) -> None:
    check_undo(arena)


@pytest.mark.parametrize("ending", ["finish", "take back"])
@pytest.mark.parametrize("doing", ["finish", "take back"])
def test_what_ends_an_interrupted_break(arena: Arena, doing: Doing, ending: Ending) -> None:
    check_second(arena, doing, ending)


def test_a_clean_up(arena: Arena) -> None:
    def litter(scene: Scene) -> list[Lock]:
        (scene.folder / "store" / Lock("pvc-empty", "x").key).parent.mkdir(parents=True)
        return [
            scene.lock("lock-dead"),
            scene.lock("lock-odd", raw=b"{"),
            scene.lock("lock-ghost", volume="pvc-ghost"),
            scene.lock("lock-other", volume=VOLUME, type=2),
        ]

    check_cleanup(arena, litter)
