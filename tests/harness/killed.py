"""Acts that are killed after each of their changes, one after the other, and what has to hold after each.

Shared by the kinds of stores: an `Arena` makes a fresh store and trail for each death.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from backuplock.breaking import (
    Stage,
    Unfinished,
    clean_up,
    copies,
    finish,
    plan_cleanup,
    take_back,
    undo,
    unfinished,
)
from harness.breaking import QUARANTINE, VOLUME, Scene
from harness.builders import Lock
from harness.deaths import Deaths, Doing

Ending = Literal["finish", "take back"]


@dataclass
class Arena:
    """Where acts are killed: `scene` makes a fresh store with one volume and a trail of its own."""

    deaths: Deaths
    scene: Callable[[], Scene]

    def each(self, doing: Doing, prepare: Callable[[Scene], str]) -> Iterator[tuple[int, Scene]]:
        """Scenes in which the act was killed after its first change, its second, and so on.

        Args:
            prepare: makes what is needed, and gives the argument of the act.
        """
        for after in itertools.count(1):
            scene = self.scene()
            argument = prepare(scene)
            if self.deaths.act(doing, scene.store, scene.audit, argument, after) == "ended":
                assert after > 3, "it changes more than that"
                return
            yield after, scene


def body_of(scene: Scene, lock: Lock) -> bytes | None:
    blob = scene.store.read(lock.key)
    return None if blob is None else blob.body


def left_over(scene: Scene) -> tuple[Unfinished, ...]:
    """What did not end, which nobody works on."""
    found = unfinished(scene.store, scene.audit, scene.clock.wall_ns())
    assert not any(one.running for one in found)
    return found


def end(scene: Scene, ending: Ending) -> None:
    """End what did not end, as far as that makes sense."""
    for one in left_over(scene):
        if ending == "finish" and one.can_finish:
            finish(scene.writer(), one.id, allow_live=True)
        else:
            take_back(scene.writer(), one.id)
    assert left_over(scene) == ()
    assert scene.audit.verify().problem == ""


def nothing_lost(scene: Scene, lock: Lock) -> None:
    """The lock is in its place, or whoever asks for it gets it back."""
    if body_of(scene, lock) == lock.content:
        return
    kept = [copy.kept for copy in copies(scene.store)]
    assert [one for one in kept if one is not None and (one.key, one.body) == (lock.key, lock.content)]


def check_break(arena: Arena, ending: Ending) -> None:
    """After each death of a break: told, and ended either way."""
    stages: list[Stage | None] = []
    for after, scene in arena.each("break", lambda scene: scene.lock().key):
        lock = Lock(VOLUME, "lock-feed000000000001", age_s=500)
        nothing_lost(scene, lock)
        left = left_over(scene)
        assert len(left) <= 1
        stages.append(left[0].stage if left else None)
        end(scene, ending)
        there = body_of(scene, lock) == lock.content
        assert there == (ending == "take back" and bool(left)), f"after {after} changes"
        nothing_lost(scene, lock)
        if not there:
            undo(scene.writer(), next(copy.id for copy in copies(scene.store) if not copy.restored))
            assert body_of(scene, lock) == lock.content
    assert {Stage.UNTOUCHED, Stage.REMOVED, None} == set(stages)
    assert stages.index(None) == len(stages) - 1, "only the last change ends it"


def check_undo(arena: Arena) -> None:
    """After each death of an undo: told, nothing lost, and the next undo ends it."""
    lock = Lock(VOLUME, "lock-feed000000000001", age_s=500)
    told = 0
    for after, scene in arena.each("undo", lambda scene: scene.break_(scene.lock(), allow_live=True).id):
        nothing_lost(scene, lock)
        (copy,) = copies(scene.store)
        left = left_over(scene)
        told += len(left)
        assert [one.stage for one in left] in ([], [Stage.UNDOING])
        assert bool(left) or copy.restored, f"after {after} changes"
        if left:
            # The same command once more, as somebody does who got no answer.
            undo(scene.writer(), copy.id)
        assert body_of(scene, lock) == lock.content
        assert left_over(scene) == ()
        assert [one.restored for one in copies(scene.store)] == [True]
        assert scene.outcomes() == ["broken", "undone"]
    assert told >= 3


def check_second(arena: Arena, doing: Doing, ending: Ending, step: int = 1) -> None:
    """After each death of what ends an interrupted break, at each stage of that: it is ended after all.

    With a `step` only each so-many-th of the second deaths is died, others after another first one: each
    takes a process of its own, and on files all are died in a moment.
    """
    lock = Lock(VOLUME, "lock-feed000000000001", age_s=500)
    stages: set[Stage] = set()
    for first in itertools.count(1):
        ended = False

        def interrupted(scene: Scene, first: int = first) -> str:
            nonlocal ended
            key = scene.lock().key
            ended = arena.deaths.act("break", scene.store, scene.audit, key, first) == "ended"
            left = left_over(scene)
            ended = ended or not left
            return "" if ended else left[0].id

        for second in itertools.count(1 + first % step, step):
            scene = arena.scene()
            entry = interrupted(scene)
            if ended:
                assert stages == {Stage.UNTOUCHED, Stage.REMOVED}
                return
            stages.add(left_over(scene)[0].stage)
            if arena.deaths.act(doing, scene.store, scene.audit, entry, second) == "ended":
                break
            nothing_lost(scene, lock)
            told = bool(left_over(scene))
            end(scene, ending)
            nothing_lost(scene, lock)
            if told and ending == "take back":
                assert body_of(scene, lock) == lock.content, f"after {first} and {second} changes"


def check_cleanup(arena: Arena, litter: Callable[[Scene], list[Lock]]) -> None:
    """After each death of a clean-up: one act at most is open, and the next run does the rest."""
    found: list[Lock] = []

    def prepare(scene: Scene) -> str:
        found[:] = litter(scene)
        return ""

    opened = 0
    for after, scene in arena.each("clean up", prepare):
        for lock in found:
            nothing_lost(scene, lock)
        left = left_over(scene)
        assert len(left) <= 1
        opened += len(left)
        end(scene, "finish")
        report = clean_up(scene.writer(), plan_cleanup(scene.store, scene.look()))
        assert [one.outcome for one in report.done if one.outcome != "removed"] == [], (
            f"after {after} changes"
        )
        assert plan_cleanup(scene.store, scene.look()).items == ()
        kept = sorted(copy.kept.key for copy in copies(scene.store) if copy.kept is not None)
        assert kept == sorted(lock.key for lock in found), "each has one copy"
        assert all(name.endswith((".json", ".file", ".done")) for name in scene.names(QUARANTINE))
    assert opened > len(found)
