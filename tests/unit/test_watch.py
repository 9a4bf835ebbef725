"""Events from successive snapshots of a real (in-memory) store, and what our own watching proves."""

from __future__ import annotations

from dataclasses import replace

import pytest

from backuplock import layout
from backuplock.clock import SECOND, ManualClock, Span
from backuplock.liveness import Life, liveness
from backuplock.model import LockRecord, Snapshot, VolumeView
from backuplock.stores.memory import MemoryStore
from backuplock.survey import sweep
from backuplock.watch import Event, EventKind, Watch
from backuplock.wire import encode

A, B = "lock-000000000000000a", "lock-000000000000000b"


class Scene:
    """A store, a clock and a watch on it."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.store = MemoryStore(self.clock)
        self.store.put(layout.volume_cfg("v"), b"{}")
        self.watch = Watch()
        self.snapshot: Snapshot | None = None

    def write(self, name: str = A, type_: int = 1, *, acquired: bool = True) -> str:
        key = layout.lock_key("v", name)
        self.store.put(key, encode(LockRecord(name, type_, acquired)))
        return key

    def look(
        self,
        after: float = 5.0,
        *,
        broken: frozenset[str] = frozenset(),
        restored: frozenset[str] = frozenset(),
    ) -> list[Event]:
        self.clock.advance(round(after * SECOND))
        self.snapshot = sweep(self.store, self.snapshot, clock=self.clock)
        self.watch, events = self.watch.look(self.snapshot, broken=broken, restored=restored)
        return list(events)

    def kinds(self, after: float = 5.0) -> list[EventKind]:
        return [event.kind for event in self.look(after)]

    def life(self, key: str) -> Life:
        return liveness(
            self.watch.tracks[key].lock,
            self.watch.tracks[key],
            store_now=Span(self.clock.wall_ns(), self.clock.wall_ns()),
            local_now_ns=self.clock.wall_ns(),
            mono_now_ns=self.clock.mono_ns(),
        ).life


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_the_first_look_tells_no_story(scene: Scene) -> None:
    scene.write()
    assert scene.look() == []
    assert len(scene.watch.tracks) == 1


def test_the_life_of_a_lock(scene: Scene) -> None:
    scene.look()
    key = scene.write(acquired=False)
    assert scene.kinds(1) == [EventKind.REQUESTED]
    scene.clock.advance(SECOND)
    scene.write()
    assert scene.kinds(1) == [EventKind.ACQUIRED]
    scene.clock.advance(60 * SECOND)
    scene.write()
    assert scene.kinds(1) == [EventKind.RENEWED]
    assert scene.kinds(70) == [EventKind.LATE]
    assert scene.kinds(1) == []
    assert scene.kinds(90) == [EventKind.EXPIRED]
    scene.store.delete(key)
    (event,) = scene.look()
    assert (event.kind, event.inferred, event.type) == (EventKind.CLEARED, True, 1)


def test_release_and_refusal_are_inferred(scene: Scene) -> None:
    held, asked = scene.write(A), scene.write(B, 2, acquired=False)
    scene.look()
    scene.store.delete(asked)
    scene.store.delete(held)
    events = {event.key: event for event in scene.look()}
    assert (events[held].kind, events[held].inferred) == (EventKind.RELEASED, True)
    assert (events[asked].kind, events[asked].inferred) == (EventKind.REFUSED, True)


def test_our_own_break_is_known_and_a_return_is_loud(scene: Scene) -> None:
    key = scene.write()
    scene.look()
    scene.store.delete(key)
    (event,) = scene.look(broken=frozenset({key}))
    assert (event.kind, event.inferred) == (EventKind.BROKEN, False)
    scene.clock.advance(50 * SECOND)
    scene.write()
    assert EventKind.CAME_BACK in scene.kinds(1)


def test_what_we_put_back_ourselves_did_not_come_back(scene: Scene) -> None:
    key = scene.write()
    scene.look()
    scene.store.delete(key)
    scene.look(broken=frozenset({key}))
    scene.write()
    (event,) = scene.look(1, restored=frozenset({key}))
    assert event.kind is EventKind.ACQUIRED


def test_a_return_after_a_long_time_is_a_new_request(scene: Scene) -> None:
    key = scene.write()
    scene.look()
    scene.store.delete(key)
    scene.look()
    scene.look(80)
    scene.write()
    assert scene.kinds(1) == [EventKind.ACQUIRED]


def test_corruption_recovery_and_clocks(scene: Scene) -> None:
    key = scene.write()
    scene.look()
    scene.store.put(key, b"")
    assert scene.kinds() == [EventKind.CORRUPT]
    scene.write()
    assert scene.kinds() == [EventKind.RECOVERED]
    scene.clock.step_wall(-3600 * SECOND)
    scene.write()
    assert EventKind.TIME_JUMPED in scene.kinds()


def test_two_types_at_once_are_told_once(scene: Scene) -> None:
    scene.look()
    scene.write(A, 1)
    scene.write(B, 2)
    assert EventKind.CLASH in scene.kinds()
    assert EventKind.CLASH not in scene.kinds()


def test_what_could_not_be_read_has_not_gone(scene: Scene) -> None:
    key = scene.write()
    scene.look()
    assert scene.snapshot is not None
    blind = replace(scene.snapshot, volumes=(VolumeView("v", problem="no permission"),), by_key={})
    scene.watch, events = scene.watch.look(blind)
    assert events == ()
    assert key in scene.watch.tracks
    assert scene.kinds() == []


def test_watching_alone_condemns_after_a_full_lease(scene: Scene) -> None:
    key = scene.write()
    scene.look(1)
    assert scene.life(key) is Life.LIVE
    scene.look(70)
    assert scene.life(key) is Life.LATE
    scene.look(100)
    assert scene.life(key) is Life.STALE
    assert scene.watch.tracks[key].unchanged_ns >= 150 * SECOND


def judge(
    scene: Scene, key: str, *, store: float = 0.0, bar: float = 0.0, local: float = 0.0
) -> tuple[Life, tuple[str, ...]]:
    now = scene.clock.wall_ns()
    middle, error = now + round(store * SECOND), round(bar * SECOND)
    found = liveness(
        scene.watch.tracks[key].lock,
        scene.watch.tracks[key],
        store_now=Span(middle - error, middle + error),
        local_now_ns=now + round(local * SECOND),
        mono_now_ns=scene.clock.mono_ns(),
    )
    assert found.reasons
    return found.life, found.condemned_by


def test_the_stores_time_alone_condemns_nobody(scene: Scene) -> None:
    key = scene.write()
    scene.look(1)
    assert judge(scene, key, store=1000) == (Life.UNKNOWN, ("store clock",))
    assert judge(scene, key, store=1000, local=1000) == (Life.STALE, ("store clock", "local clock"))
    assert judge(scene, key, local=1000)[0] is Life.LIVE
    assert judge(scene, key, store=100, bar=900)[0] is Life.UNKNOWN


def test_the_stores_time_may_veto_our_own_eyes(scene: Scene) -> None:
    key = scene.write()
    scene.look(1)
    scene.look(200)
    assert judge(scene, key)[0] is Life.STALE
    assert judge(scene, key, store=-195) == (Life.UNKNOWN, ("own observation", "local clock"))


def test_refreshes_are_counted_as_evidence(scene: Scene) -> None:
    key = scene.write()
    scene.look()
    for _ in range(3):
        scene.clock.advance(60 * SECOND)
        scene.write()
        scene.look(1)
    assert scene.watch.tracks[key].refreshes == 3
    reasons = liveness(
        scene.watch.tracks[key].lock,
        scene.watch.tracks[key],
        store_now=Span(scene.clock.wall_ns(), scene.clock.wall_ns()),
        local_now_ns=scene.clock.wall_ns(),
        mono_now_ns=scene.clock.mono_ns(),
    ).reasons
    assert any("3 refreshes seen" in reason for reason in reasons)
