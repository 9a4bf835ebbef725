"""The session: one thread that looks at a store, fails well, and can always be left."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from queue import Queue

import pytest

from backuplock.clock import SECOND
from backuplock.errors import Denied, Malformed, Missing, Unreachable, Unsupported
from backuplock.journal import Journal
from backuplock.watch import EventKind
from locktop.session import Event, Session, SnapshotArrived, SweepFailed, SweepProgress, VolumeExplored
from tui.scene import Scene, night, uuid_volume

WAIT = 30


@pytest.fixture
def scene() -> Scene:
    return night()


class Watched:
    """A session whose events come in a queue; progress apart."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.events: Queue[Event] = Queue()
        self.progress: list[SweepProgress] = []
        session.start(self._take)

    def _take(self, event: Event) -> None:
        if isinstance(event, SweepProgress):
            self.progress.append(event)
        else:
            self.events.put(event)

    def next(self) -> Event:
        return self.events.get(timeout=WAIT)

    def __enter__(self) -> Watched:
        return self

    def __exit__(self, *_: object) -> None:
        self.session.close()


def fails(error: Exception) -> Callable[[], object]:
    def open_store() -> object:
        raise error

    return open_store


def test_sweeps_follow_each_other_at_the_interval(scene: Scene) -> None:
    with Watched(scene.session()) as watched:
        first = watched.next()
        assert isinstance(first, SnapshotArrived)
        assert first.board is watched.session.board
        assert len(first.board.rows) == 31
        # The clock stands still: nothing more may come by itself.
        assert watched.events.empty()
        scene.advance(2)
        watched.session.set_interval(2)
        assert isinstance(watched.next(), SnapshotArrived)


def test_the_first_look_is_due_however_short_ago_the_machine_was_started(scene: Scene) -> None:
    session = scene.session()
    session.set_interval(scene.clock.mono_ns() / SECOND + 86_400)
    with Watched(session) as watched:
        assert isinstance(watched.next(), SnapshotArrived)


def test_what_happened_comes_with_the_picture_that_shows_it(scene: Scene) -> None:
    with Watched(scene.session()) as watched:
        first = watched.next()
        assert isinstance(first, SnapshotArrived)
        assert first.happened == ()
        key = scene.lock(uuid_volume(60), 0, acquired=False)
        scene.advance(2)
        watched.session.refresh_now()
        second = watched.next()
        assert isinstance(second, SnapshotArrived)
        assert [(event.kind, event.key) for event in second.happened] == [(EventKind.REQUESTED, key)]
        assert second.tracks[key].refreshes == 0


def test_the_surroundings_of_an_attended_volume_are_told_at_once_and_then_from_time_to_time(
    scene: Scene,
) -> None:
    volume = uuid_volume(60)
    with Watched(scene.session()) as watched:
        watched.next()
        watched.session.attend(volume)
        told = watched.next()
        assert isinstance(told, VolumeExplored)
        assert told.explored.volume == volume
        assert told.explored.around.digest
        scene.advance(2)
        watched.session.refresh_now()
        assert isinstance(watched.next(), SnapshotArrived)
        scene.advance(20)
        watched.session.refresh_now()
        assert isinstance(watched.next(), SnapshotArrived)
        again = watched.next()
        assert isinstance(again, VolumeExplored)
        assert again.explored.still_since_mono_ns == told.explored.still_since_mono_ns


def test_all_that_is_seen_is_recorded(scene: Scene, tmp_path: Path) -> None:
    path = tmp_path / "flight.db"
    url = scene.store.url
    with Watched(scene.session(open_journal=lambda: Journal.open(path, target=url))) as watched:
        first = watched.next()
        assert isinstance(first, SnapshotArrived)
        scene.advance(2)
        gone = scene.lock(uuid_volume(61), 0)
        watched.session.refresh_now()
        watched.next()
        watched.session.attend(uuid_volume(61))
        told = watched.next()
        assert isinstance(told, VolumeExplored)
        assert [event.key for event in told.explored.history] == [gone]
        assert gone in told.explored.held
    with Watched(scene.session(open_journal=lambda: Journal.open(path, target=url))) as watched:
        first = watched.next()
        assert isinstance(first, SnapshotArrived)
        assert [event.key for event in first.past] == [gone]


def test_a_journal_that_cannot_be_written_is_done_without(scene: Scene, tmp_path: Path) -> None:
    path = tmp_path / "flight.db"
    path.write_text("this is no journal")
    with Watched(scene.session(open_journal=lambda: Journal.open(path, target=scene.store.url))) as watched:
        first = watched.next()
        assert isinstance(first, SnapshotArrived)
        assert "flight.db" in first.unrecorded
    assert path.read_text() == "this is no journal"


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (Unreachable("gone"), "unreachable"),
        (Denied("no"), "denied"),
        (Missing("where"), "missing"),
        (Malformed("what"), "malformed"),
        (Unsupported("how"), "unreachable"),
        (KeyError("bug\x1b[2J"), "internal"),
    ],
)
def test_failures_are_told_by_kind_in_one_printable_line(scene: Scene, error: Exception, kind: str) -> None:
    with Watched(scene.session(open_store=fails(error))) as watched:  # type: ignore[arg-type]
        event = watched.next()
        assert isinstance(event, SweepFailed)
        assert event.kind == kind
        assert event.line.isprintable()


def test_retries_come_slower_and_slower_up_to_half_a_minute(scene: Scene) -> None:
    with Watched(scene.session(open_store=fails(Unreachable("gone")))) as watched:  # type: ignore[arg-type]
        pauses = []
        for attempt in range(1, 8):
            event = watched.next()
            assert isinstance(event, SweepFailed)
            assert event.attempts == attempt
            pauses.append((event.retry_at_mono_ns - scene.clock.mono_ns()) / SECOND)
            watched.session.refresh_now()
        assert pauses == [2, 4, 8, 16, 30, 30, 30]


def test_a_store_that_asks_to_wait_longer_is_obeyed(scene: Scene) -> None:
    slow = Unreachable("slow down", retry_after=90)
    with Watched(scene.session(open_store=fails(slow))) as watched:  # type: ignore[arg-type]
        event = watched.next()
        assert isinstance(event, SweepFailed)
        assert event.retry_at_mono_ns == scene.clock.mono_ns() + 90 * SECOND


def test_a_store_is_opened_again_after_it_failed(scene: Scene) -> None:
    opened: list[str] = []

    def open_store() -> object:
        opened.append("again")
        if len(opened) == 1:
            raise Unreachable("gone")
        return scene.store

    with Watched(scene.session(open_store=open_store)) as watched:  # type: ignore[arg-type]
        assert isinstance(watched.next(), SweepFailed)
        watched.session.refresh_now()
        assert isinstance(watched.next(), SnapshotArrived)
        watched.session.refresh_now()
        assert isinstance(watched.next(), SnapshotArrived)
        assert len(opened) == 2


def test_a_store_that_fails_to_close_does_not_end_the_watch(scene: Scene) -> None:
    class Stubborn:
        url = "x"

        def list(self, folder: str) -> object:
            raise Unreachable("gone")

        def close(self) -> None:
            raise OSError("cannot close")

    with Watched(scene.session(open_store=Stubborn)) as watched:  # type: ignore[arg-type]
        for _ in range(3):
            assert isinstance(watched.next(), SweepFailed)
            watched.session.refresh_now()


def test_progress_comes_ten_times_a_second_at_most(scene: Scene) -> None:
    class Slow:
        def __getattr__(self, name: str) -> object:
            return getattr(scene.store, name)

        def list(self, folder: str) -> object:
            scene.clock.advance(SECOND // 100)
            return scene.store.list(folder)

    with Watched(scene.session(open_store=Slow)) as watched:  # type: ignore[arg-type]
        began = scene.clock.mono_ns()
        watched.next()
        passed = (scene.clock.mono_ns() - began) / SECOND
        assert 1 <= len(watched.progress) <= passed * 10 + 1
        done = [event.done for event in watched.progress]
        assert done == sorted(done)


def test_a_store_that_hangs_does_not_keep_anybody(scene: Scene) -> None:
    hung, let_go = threading.Event(), threading.Event()

    class Hanging:
        def __getattr__(self, name: str) -> object:
            return getattr(scene.store, name)

        def list(self, folder: str) -> object:
            hung.set()
            let_go.wait(60)
            return scene.store.list(folder)

    heard: list[Event] = []
    session = scene.session(open_store=Hanging)  # type: ignore[arg-type]
    session.start(heard.append)
    assert hung.wait(WAIT)
    assert session.sweeping_since_mono_ns == scene.clock.mono_ns()
    session.close(wait_s=0.05)
    assert session._thread.is_alive(), "the request hangs, and is not waited for"
    assert session._thread.daemon
    let_go.set()
    session._thread.join(WAIT)
    assert heard == [], "nothing is told after the end"


def test_closing_an_idle_session_ends_its_thread(scene: Scene) -> None:
    with Watched(scene.session()) as watched:
        watched.next()
    deadline = time.monotonic() + WAIT
    while watched.session._thread.is_alive() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not watched.session._thread.is_alive()


def test_an_interval_must_be_positive(scene: Scene) -> None:
    with pytest.raises(ValueError, match="positive"):
        scene.session().set_interval(0)


def test_names_of_the_target_are_made_printable(scene: Scene) -> None:
    session = Session(lambda: scene.store, label="a\x1b[2Jb", url="s3://x\n")
    assert session.label.isprintable()
    assert session.url.isprintable()
