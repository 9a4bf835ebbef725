"""Events from successive snapshots of a real (in-memory) store, and what our own watching proves."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from backuplock import layout
from backuplock.clock import SECOND, ManualClock, Span, assumed
from backuplock.errors import Denied
from backuplock.liveness import Doubt, Life, Liveness, liveness
from backuplock.model import LockRecord, Owner, Snapshot, VolumeView
from backuplock.stores.base import Listing
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

    def plant(self, age: float, name: str = A, type_: int = 1) -> str:
        """A file whose time lies so many seconds from now."""
        key = layout.lock_key("v", name)
        at = self.clock.wall_ns() + round(age * SECOND)
        self.store.plant(key, encode(LockRecord(name, type_, True)), at)
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
    assert scene.life(key) is Life.UNKNOWN
    scene.look(70)
    assert scene.life(key) is Life.LATE
    scene.look(100)
    assert scene.life(key) is Life.STALE
    assert scene.watch.tracks[key].unchanged_ns >= 150 * SECOND


def verdict(scene: Scene, key: str) -> Liveness:
    now = scene.clock.wall_ns()
    track = scene.watch.tracks[key]
    return liveness(
        track.lock, track, store_now=Span(now, now), local_now_ns=now, mono_now_ns=scene.clock.mono_ns()
    )


def test_who_just_arrived_lives_once_a_refresh_was_seen(scene: Scene) -> None:
    key = scene.write()
    scene.look()
    new = verdict(scene, key)
    assert (new.life, new.doubt, new.shows_life) == (Life.UNKNOWN, Doubt.ARRIVED, True)
    assert "writes again within 1m00s" in new.reasons[0]
    scene.look(40)
    assert verdict(scene, key).doubt is Doubt.ARRIVED
    assert "within 20s" in verdict(scene, key).reasons[0]
    scene.clock.advance(20 * SECOND)
    scene.write()
    scene.look(1)
    assert (verdict(scene, key).life, verdict(scene, key).doubt) == (Life.LIVE, None)


def test_who_only_asks_is_neither_alive_nor_late(scene: Scene) -> None:
    key = scene.write(A, 2, acquired=False)
    scene.look()
    assert verdict(scene, key).doubt is Doubt.ASKS
    scene.look(100)
    assert (verdict(scene, key).life, verdict(scene, key).doubt) == (Life.UNKNOWN, Doubt.ASKS)
    scene.look(60)
    assert verdict(scene, key).life is Life.STALE


def test_a_lock_that_counts_its_own_renewals_lives_at_first_sight(scene: Scene) -> None:
    key = scene.write()
    scene.look()
    track = scene.watch.tracks[key]
    assert track.lock.record is not None
    for renewals, life in ((0, Life.UNKNOWN), (14, Life.LIVE)):
        record = replace(track.lock.record, owner=Owner("node-1", 7, renewals=renewals))
        lock = replace(track.lock, record=record)
        now = scene.clock.wall_ns()
        found = liveness(lock, None, store_now=Span(now, now), local_now_ns=now, mono_now_ns=0)
        assert found.life is life
    assert "renewed 14 times, says the lock itself" in found.reasons


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
    scene.write()
    scene.look(1)
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


# -- what nobody saw happen


def told(events: list[Event]) -> list[tuple[EventKind, bool, str]]:
    return [(event.kind, event.inferred, event.detail) for event in events]


class Closed:
    """The store, with a volume that may not be listed."""

    def __init__(self, scene: Scene, *, whole_branch: bool = False) -> None:
        self._store, self._branch = scene.store, whole_branch

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)

    def list(self, folder: str) -> Listing:
        shut = layout.volume_folder("v").rpartition("/")[0] if self._branch else layout.volume_folder("v")
        if folder == shut:
            raise Denied("no permission to list")
        return self._store.list(folder)


def look_blindly(scene: Scene, after: float = 5.0, *, whole_branch: bool = False) -> list[Event]:
    scene.clock.advance(round(after * SECOND))
    closed: Any = Closed(scene, whole_branch=whole_branch)
    scene.snapshot = sweep(closed, scene.snapshot, clock=scene.clock)
    assert not scene.snapshot.complete
    scene.watch, events = scene.watch.look(scene.snapshot)
    return list(events)


@pytest.mark.parametrize("whole_branch", [False, True])
def test_an_expired_lock_in_a_volume_that_was_hidden_is_found_expired(
    scene: Scene, whole_branch: bool
) -> None:
    key, written = scene.write(), scene.clock.wall_ns()
    assert look_blindly(scene, 3 * 86_400, whole_branch=whole_branch) == []
    (event,) = scene.look()
    assert told([event]) == [(EventKind.EXPIRED, True, "found expired")]
    assert (event.key, event.store_ns) == (key, written + 150 * SECOND)
    assert scene.look() == []


def test_an_expired_file_that_appears_was_not_acquired_just_now(scene: Scene) -> None:
    scene.look()
    scene.plant(-3 * 86_400)
    assert told(scene.look()) == [(EventKind.EXPIRED, True, "found expired")]


@pytest.mark.parametrize("whole_branch", [False, True])
def test_what_was_hidden_is_inferred(scene: Scene, whole_branch: bool) -> None:
    scene.write(A)
    look_blindly(scene, 30, whole_branch=whole_branch)
    assert told(scene.look()) == [(EventKind.ACQUIRED, True, "")]
    look_blindly(scene, 20, whole_branch=whole_branch)
    scene.write(A)
    scene.write(B, acquired=False)
    events = scene.look()
    assert told(events) == [(EventKind.RENEWED, True, ""), (EventKind.REQUESTED, True, "")]
    scene.write(A)
    assert told(scene.look()) == [(EventKind.RENEWED, False, "")]


def test_a_file_older_than_the_last_look_is_inferred_to_be_new(scene: Scene) -> None:
    scene.look()
    scene.plant(-70)
    assert told(scene.look(2)) == [(EventKind.ACQUIRED, True, ""), (EventKind.LATE, True, "")]


def test_an_expired_file_that_returns_proves_no_holder(scene: Scene) -> None:
    key = scene.write()
    scene.look(200)
    scene.store.delete(key)
    scene.look()
    scene.plant(-200)
    assert told(scene.look()) == [
        (EventKind.CAME_BACK, True, ""),
        (EventKind.EXPIRED, True, "found expired"),
    ]


def test_a_clash_is_not_told_again_after_its_volume_was_hidden(scene: Scene) -> None:
    scene.look()
    scene.write(A, 1)
    scene.write(B, 2)
    assert EventKind.CLASH in scene.kinds()
    assert look_blindly(scene) == []
    assert scene.look() == []


# -- two things at once


def test_a_lock_acquired_with_an_earlier_time_is_acquired(scene: Scene) -> None:
    scene.write(acquired=False)
    scene.look(4.5)
    scene.plant(-8.5)
    assert told(scene.look(1)) == [
        (EventKind.TIME_JUMPED, False, "back by 4 s"),
        (EventKind.ACQUIRED, False, ""),
    ]
    assert scene.look(1) == []


def test_a_copy_put_in_its_place_is_no_renewal(scene: Scene) -> None:
    scene.write()
    scene.look()
    scene.plant(-1000)
    assert told(scene.look()) == [
        (EventKind.TIME_JUMPED, False, "back by 995 s"),
        (EventKind.EXPIRED, True, "found expired"),
    ]


def test_acquired_while_unreadable_is_inferred(scene: Scene) -> None:
    key = scene.write(acquired=False)
    scene.look()
    scene.store.put(key, b"")
    assert scene.kinds() == [EventKind.CORRUPT]
    scene.write()
    assert told(scene.look()) == [(EventKind.RECOVERED, False, ""), (EventKind.ACQUIRED, True, "")]


def test_a_renewal_whose_time_went_back_is_inferred(scene: Scene) -> None:
    scene.write()
    scene.look()
    scene.plant(-20)
    assert told(scene.look()) == [
        (EventKind.TIME_JUMPED, False, "back by 15 s"),
        (EventKind.RENEWED, True, ""),
    ]


def test_one_that_could_be_read_only_now_is_found_expired(scene: Scene) -> None:
    key = scene.write()
    body = scene.store.read(key)
    assert body is not None
    scene.store.plant(key, b"", scene.clock.wall_ns())
    scene.look(200)
    scene.store.plant(key, body.body, scene.clock.wall_ns() - 200 * SECOND)
    assert told(scene.look()) == [
        (EventKind.RECOVERED, False, ""),
        (EventKind.EXPIRED, True, "found expired"),
    ]


# -- alive after all


@pytest.mark.parametrize(
    ("waits", "before", "words"),
    [
        ((70.0,), [EventKind.LATE], "after it was late"),
        ((70.0, 90.0), [EventKind.LATE, EventKind.EXPIRED], "after it had expired"),
        ((160.0,), [EventKind.EXPIRED], "after it had expired"),
    ],
)
def test_a_renewal_that_came_too_late_is_news(
    scene: Scene, waits: tuple[float, ...], before: list[EventKind], words: str
) -> None:
    scene.write()
    scene.look(1)
    assert [kind for wait in waits for kind in scene.kinds(wait)] == before
    scene.write()
    (event,) = scene.look(1)
    assert (event.kind, event.detail, event.routine) == (EventKind.RENEWED, words, False)
    scene.clock.advance(60 * SECOND)
    scene.write()
    (event,) = scene.look(1)
    assert (event.kind, event.detail, event.routine) == (EventKind.RENEWED, "", True)


def test_one_that_was_found_expired_is_renewed_with_the_same_words(scene: Scene) -> None:
    scene.write()
    assert scene.look(200) == []
    scene.write()
    assert told(scene.look(1)) == [(EventKind.RENEWED, False, "after it had expired")]


def test_renewed_and_expired_again_between_two_looks(scene: Scene) -> None:
    scene.write()
    scene.look(1)
    assert scene.kinds(160) == [EventKind.EXPIRED]
    scene.write()
    assert scene.kinds(160) == [EventKind.RENEWED, EventKind.EXPIRED]


def test_an_expired_request_that_is_granted_says_so(scene: Scene) -> None:
    scene.write(acquired=False)
    scene.look(1)
    assert scene.kinds(160) == [EventKind.EXPIRED]
    scene.write()
    assert told(scene.look(1)) == [(EventKind.ACQUIRED, False, "after it had expired")]


# -- clocks


def test_a_file_dated_ahead_is_told_once(scene: Scene) -> None:
    scene.write()
    scene.look()
    scene.plant(600)
    (jump, renewal) = scene.look(1)
    assert told([jump]) == [(EventKind.TIME_JUMPED, True, "599 s ahead of the store's clock")]
    assert renewal.kind is EventKind.RENEWED
    assert scene.look() == []
    scene.plant(600)
    assert scene.kinds() == [EventKind.RENEWED], "its clock is still as wrong as it was"
    scene.write()
    assert scene.kinds() == [EventKind.TIME_JUMPED, EventKind.RENEWED]
    scene.plant(600, B)
    assert scene.kinds() == [EventKind.ACQUIRED, EventKind.TIME_JUMPED]


def test_a_little_ahead_is_within_the_margin(scene: Scene) -> None:
    scene.write()
    scene.look()
    scene.plant(5)
    assert scene.kinds(1) == [EventKind.RENEWED]
    scene.plant(7)
    assert scene.kinds(1) == [EventKind.TIME_JUMPED, EventKind.RENEWED]


@pytest.mark.parametrize(("step", "words"), [(600, "+600 s"), (-600, "-600 s"), (30, "+30 s")])
def test_a_step_of_the_stores_clock_is_told_for_the_store(scene: Scene, step: int, words: str) -> None:
    scene.write()
    scene.look()
    scene.clock.step_wall(step * SECOND)
    jump, *more = scene.look()
    assert (jump.kind, jump.key, jump.volume, jump.type) == (EventKind.TIME_JUMPED, "", "", None)
    assert jump.inferred
    assert jump.detail == f"the store's clock: {words} against the time that passed here"
    # What the new time makes of the lock's age, nobody saw.
    assert told(more) == ([(EventKind.EXPIRED, True, "")] if step == 600 else [])
    assert scene.look() == []


def test_a_step_within_the_error_bars_is_none(scene: Scene) -> None:
    scene.look()
    scene.clock.step_wall(4 * SECOND)
    assert scene.look() == []


def test_knowing_the_stores_clock_better_is_no_jump(scene: Scene) -> None:
    scene.look()
    assert scene.snapshot is not None
    far = assumed(
        wall_ns=scene.clock.wall_ns() - 7200 * SECOND, mono_ns=scene.clock.mono_ns(), error_ns=900 * SECOND
    )
    guessed = Watch(snapshot=replace(scene.snapshot, clock=far))
    _, events = guessed.look(scene.snapshot)
    assert events == ()
    near = assumed(wall_ns=scene.clock.wall_ns(), mono_ns=scene.clock.mono_ns(), error_ns=900 * SECOND)
    _, events = guessed.look(replace(scene.snapshot, clock=near))
    assert [event.detail.partition(":")[0] for event in events] == ["the local clock, taken for the store's"]
