"""The journal gives back what it was given, costs little, and knows what no single sweep shows."""

from __future__ import annotations

import stat
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backuplock import layout
from backuplock.clock import SECOND, ManualClock, SystemClock
from backuplock.journal import Journal, JournalMismatch, Look, journal_path
from backuplock.model import LockRecord, Operation, Snapshot
from backuplock.stores.memory import MemoryStore
from backuplock.survey import sweep
from backuplock.watch import Event, EventKind, Watch
from backuplock.wire import encode
from harness.histories import START, TARGET, busy, events, histories

A, B = "lock-000000000000000a", "lock-000000000000000b"


def record_all(path: Path, history: list[Snapshot]) -> None:
    journal = Journal.open(path)
    for snapshot in history:
        journal.record(snapshot)
    journal.close()


def read_back(journal: Journal, order: list[int] | None = None) -> list[Snapshot]:
    looks = journal.looks()
    return [journal.snapshot(looks[number]) for number in (order or range(len(looks)))]


def whole(snapshot: Snapshot) -> tuple[object, ...]:
    """What equality of Snapshots leaves out."""
    return snapshot, list(snapshot.by_key.items())


# -- the exact inverse --------------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(history=histories(), data=st.data())
def test_every_look_comes_back_equal(history: list[Snapshot], data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "j.db"
        record_all(path, history)
        journal = Journal.read(path)
        try:
            assert [whole(found) for found in read_back(journal)] == [whole(given) for given in history]
            # In any order: forward steps and jumps back rebuild the same.
            order = data.draw(st.lists(st.integers(0, len(history) - 1), min_size=1, max_size=6))
            assert read_back(journal, order) == [history[number] for number in order]
            for given_ in history:
                assert journal.snapshot_at(given_.taken_wall_ns) == given_
                assert journal.snapshot_at(given_.taken_wall_ns - 1) != given_
        finally:
            journal.close()


@settings(max_examples=15, deadline=None)
@given(history=histories(), cut=st.integers(0, 6))
def test_a_journal_opened_again_goes_on(history: list[Snapshot], cut: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "j.db"
        for part in (history[:cut], history[cut:]):
            if part:
                record_all(path, part)
        journal = Journal.read(path)
        assert read_back(journal) == history
        journal.close()


@settings(max_examples=15, deadline=None)
@given(told=st.lists(events, max_size=6))
def test_events_come_back_equal(told: list[Event]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        journal = Journal.open(Path(folder) / "j.db")
        (snapshot,) = busy(1, 1)
        journal.record(snapshot, told)
        assert list(journal.events()) == sorted(told, key=lambda event: event.seen_wall_ns)
        journal.close()


@settings(max_examples=8, deadline=None)
@given(history=histories())
def test_a_copy_and_a_merger_hold_the_same(history: list[Snapshot]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        journal = Journal.open(home / "j.db")
        for snapshot in history[:-1]:
            journal.record(snapshot)
        journal.export(home / "early.db")
        journal.record(history[-1])
        journal.export(home / "late.db")
        late = Journal.read(home / "late.db")
        assert read_back(late) == history
        late.close()
        merged = Journal.open(home / "merged.db")
        # A run that is here already is taken again only where it has become longer.
        assert merged.import_from(home / "early.db") == (1 if len(history) > 1 else 0)
        assert read_back(merged) == history[:-1]
        assert merged.import_from(home / "late.db") == 1
        assert merged.import_from(home / "late.db") == 0
        assert merged.import_from(home / "early.db") == 0
        assert read_back(merged) == history
        assert merged.target == TARGET
        # What was imported is history: what is recorded now is beside it.
        merged.record(busy(1, 2, start=START + 10**13)[0])
        assert len(merged.looks()) == len(history) + 1
        assert read_back(merged)[:-1] == history
        merged.close()
        journal.close()


def test_while_it_is_written_it_can_be_read(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    journal = Journal.open(path)
    history = busy(30, 20)
    journal.record(history[0])
    reader = Journal.read(path)
    for snapshot in history[1:]:
        journal.record(snapshot)
        # The reader steps along with the writer, one look at a time.
        assert reader.snapshot_at(snapshot.taken_wall_ns) == snapshot
        assert journal.snapshot_at(snapshot.taken_wall_ns) == snapshot
    assert reader.span() == (Look(START, 1, 1), Look(START + 58 * SECOND, 1, 30))
    reader.close()
    journal.close()


def test_before_the_first_look_nothing_is_known(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    journal = Journal.open(path)
    assert (journal.looks(), journal.span(), journal.snapshot_at(START)) == ((), None, None)
    journal.record(busy(1, 1)[0])
    assert journal.snapshot_at(START - 1) is None
    with pytest.raises(LookupError, match="look 7"):
        journal.snapshot(Look(START, 1, 7))
    journal.close()


# -- costs --------------------------------------------------------------------------------------------


def test_ten_thousand_locks_that_stay_cost_one_small_row(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    journal = Journal.open(path)
    (snapshot,) = busy(1, 10_000)
    journal.record(snapshot)
    full = journal.size
    writes = journal._connection.total_changes
    for number in range(200):
        # The very same objects, as a sweep gives them where a listing shows no change.
        journal.record(_later(snapshot, number))
    assert journal._connection.total_changes - writes == 2 * 200, "a look, and the number of the last"
    assert journal.size - full < 200 * 250
    assert journal.snapshot(journal.looks()[-1]).volumes == snapshot.volumes
    journal.close()


def _later(snapshot: Snapshot, number: int) -> Snapshot:
    wall = snapshot.taken_wall_ns + (number + 1) * SECOND
    return Snapshot(
        snapshot.target, snapshot.volumes, snapshot.clock, number, number + 1, wall, by_key=snapshot.by_key
    )


def test_one_change_among_thousands_writes_that_change(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path / "j.db")
    history = busy(3, 2_000, churn=1 / 2_000)
    journal.record(history[0])
    writes = journal._connection.total_changes
    for snapshot in history[1:]:
        journal.record(snapshot)
    # One interval ends, one begins, the look, the run; the body is kept once.
    assert journal._connection.total_changes - writes == 2 * 4
    assert read_back(journal) == history
    journal.close()


# -- the file -----------------------------------------------------------------------------------------


def test_the_file_is_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "state" / "journal" / "j.db"
    journal = Journal.open(path)
    journal.record(busy(1, 1)[0])
    journal.export(tmp_path / "copy.db")
    files = [*path.parent.iterdir(), tmp_path / "copy.db"]
    assert len(files) == 4
    for file in files:
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    journal.close()
    assert [file.name for file in path.parent.iterdir()] == ["j.db"]
    reader = Journal.read(path)
    reader.looks()
    reader.close()
    assert [file.name for file in path.parent.iterdir()] == ["j.db"], "reading leaves nothing behind"


def test_each_target_has_its_own_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    urls = [
        "s3://b@r/",
        "s3://b@r/p",
        "vfs:///a/b",
        "vfs:///a-b",
        "nfs://host:/" + "x" * 500,
        "vfs:///\udcff",
    ]
    paths = {journal_path(url) for url in urls}
    assert len(paths) == len(urls)
    for path in paths:
        assert path.parent == tmp_path / "locktop" / "journal"
        assert path.name.isascii()
        assert len(path.name) < 100
        Journal.open(path).close()


def test_another_targets_recording_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    record_all(path, busy(2, 3))
    before = path.read_bytes()
    with pytest.raises(JournalMismatch, match=r"is a recording of s3://backups.*, not of vfs:///elsewhere"):
        Journal.open(path, target="vfs:///elsewhere")
    journal = Journal.open(path, target=TARGET)
    other = sweep(MemoryStore(ManualClock(), url="vfs:///elsewhere"))
    with pytest.raises(JournalMismatch):
        journal.record(other)
    journal.close()
    assert path.read_bytes() == before
    record_all(tmp_path / "other.db", [other])
    journal = Journal.open(path)
    with pytest.raises(JournalMismatch):
        journal.import_from(tmp_path / "other.db")
    journal.close()


# -- what it knows ------------------------------------------------------------------------------------


class Scene:
    """A store, a clock, and recorders that watch it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.clock = ManualClock()
        self.store = MemoryStore(self.clock)
        self.store.put(layout.volume_cfg("v"), b"{}")
        self.recorders: dict[str, tuple[Journal, Watch]] = {}

    def write(self, name: str = A, type_: int = 1, *, acquired: bool = True) -> str:
        key = layout.lock_key("v", name)
        self.store.put(key, encode(LockRecord(name, type_, acquired)))
        return key

    def wait(self, seconds: float) -> int:
        self.clock.advance(round(seconds * SECOND))
        return self.clock.wall_ns()

    def look(self, who: str = "me") -> int:
        journal, watch = self.recorders.get(who) or (Journal.open(self.path), Watch())
        snapshot = sweep(self.store, watch.snapshot, clock=self.clock)
        watch, told = watch.look(snapshot)
        journal.record(snapshot, told)
        self.recorders[who] = journal, watch
        return self.clock.wall_ns()

    def leave(self, who: str = "me") -> None:
        self.recorders.pop(who)[0].close()

    @property
    def journal(self) -> Journal:
        return next(iter(self.recorders.values()))[0]


@pytest.fixture
def scene(tmp_path: Path):  # type: ignore[no-untyped-def]
    made = Scene(tmp_path / "j.db")
    yield made
    for who in list(made.recorders):
        made.leave(who)


def test_held_since_the_look_that_first_showed_it(scene: Scene) -> None:
    before = scene.look()
    scene.wait(5)
    key = scene.write(acquired=False)
    scene.wait(1)
    waiting = scene.look()
    assert scene.journal.held_since(key) is None
    scene.wait(2)
    scene.write(acquired=True)
    stamped = scene.clock.wall_ns()
    scene.wait(1)
    acquired = scene.look()
    for _ in range(5):
        scene.wait(60)
        scene.write(acquired=True)
        last = scene.look()
    held = scene.journal.held_since(key)
    assert held is not None
    assert (held.seen_wall_ns, held.not_before_wall_ns, held.last_wall_ns) == (acquired, waiting, last)
    assert held.stamped_ns == stamped
    assert not held.lower_bound
    assert before < waiting


def test_held_at_first_sight_is_a_lower_bound_unless_somebody_knows_better(scene: Scene) -> None:
    scene.look("early")
    scene.leave("early")
    absent = scene.clock.wall_ns()
    scene.wait(10)
    key = scene.write()
    scene.wait(10)
    first = scene.look("middle")
    scene.leave("middle")
    scene.wait(500)
    scene.look("late")
    held = scene.journal.held_since(key)
    assert held is not None
    assert (held.seen_wall_ns, held.not_before_wall_ns) == (first, absent)


def test_held_at_the_very_first_look_is_a_lower_bound(scene: Scene) -> None:
    key = scene.write()
    scene.wait(100)
    first = scene.look()
    scene.wait(10)
    scene.look()
    held = scene.journal.held_since(key)
    assert held is not None
    assert held.lower_bound
    assert held.seen_wall_ns == first
    assert scene.journal.held_since(layout.lock_key("v", B)) is None


def test_a_lock_that_came_back_is_held_since_then(scene: Scene) -> None:
    key = scene.write()
    scene.look()
    scene.wait(5)
    scene.store.delete(key)
    gone = scene.look()
    scene.wait(5)
    scene.write()
    back = scene.look()
    held = scene.journal.held_since(key)
    assert held is not None
    assert (held.seen_wall_ns, held.not_before_wall_ns) == (back, gone)
    scene.wait(5)
    scene.store.delete(key)
    scene.look()
    ended = scene.journal.held_since(key)
    assert ended is not None
    assert (ended.seen_wall_ns, ended.last_wall_ns) == (back, back)


def test_a_look_that_could_not_read_the_volume_denies_nothing(tmp_path: Path) -> None:
    from dataclasses import replace

    history = busy(4, 2, churn=0)
    key = next(iter(history[0].by_key))
    volume = history[0].by_key[key].volume
    hidden = tuple(
        replace(view, locks=(), problem="could not be listed") if view.name == volume else view
        for view in history[1].volumes
    )
    history[1] = replace(history[1], volumes=hidden)
    history[2] = replace(history[2], volumes=(), problems=("backupstore/volumes/aa could not be listed",))
    record_all(tmp_path / "j.db", history)
    journal = Journal.read(tmp_path / "j.db")
    held = journal.held_since(key)
    assert held is not None
    assert held.lower_bound
    assert held.seen_wall_ns == history[0].taken_wall_ns
    journal.close()


def test_refreshes_tell_times_and_gaps(scene: Scene) -> None:
    for pause in (0, 60, 61, 120):
        scene.wait(pause)
        key = scene.write()
        scene.wait(1)
        scene.look("one")
        scene.look("two")
    found = scene.journal.refreshes(key)
    assert [refresh.gap_ns for refresh in found] == [None, 61 * SECOND, 62 * SECOND, 121 * SECOND]
    assert [refresh.seen_wall_ns - refresh.modified_ns for refresh in found] == [SECOND] * 4


def test_what_two_recorders_saw_is_told_once(scene: Scene) -> None:
    for who in ("one", "two"):
        scene.look(who)
    scene.wait(5)
    key = scene.write()
    for who in ("one", "two"):
        scene.wait(1)
        scene.look(who)
    scene.wait(5)
    scene.store.delete(key)
    for who in ("two", "one"):
        scene.wait(1)
        scene.look(who)
    assert [event.kind for event in scene.journal.events()] == [EventKind.ACQUIRED, EventKind.RELEASED]
    assert [event.kind for event in scene.journal.history("v")] == [EventKind.RELEASED, EventKind.ACQUIRED]
    assert [event.kind for event in scene.journal.history("v", limit=1)] == [EventKind.RELEASED]
    assert scene.journal.history("another") == ()


def test_contention_counts_the_time_in_which_others_could_not_start(scene: Scene) -> None:
    scene.look()
    scene.write(A, 1)
    scene.look()
    scene.wait(10)
    scene.write(B, 2, acquired=False)
    scene.look()
    scene.wait(4)
    scene.look()
    scene.store.delete(layout.lock_key("v", B))
    scene.wait(1)
    scene.look()
    scene.wait(1000)
    scene.look()
    (found,) = scene.journal.contention()
    assert (found.volume, found.requests, found.granted, found.refused) == ("v", 2, 1, 1)
    assert found.waited_ns == found.longest_wait_ns == 4 * SECOND
    # The backup's lease ended after 150 s, though its file stayed; the deletion asked for 4 s.
    assert found.kept_out_ns == {
        Operation.BACKUP: 4 * SECOND,
        Operation.RESTORE: 4 * SECOND,
        Operation.DELETE: 150 * SECOND,
    }
    assert found.expired == 1
    assert found.clashes == 0


def test_gaps_are_one_as_long_as_nothing_answers(scene: Scene) -> None:
    scene.look()
    began = scene.wait(2)
    scene.journal.record_gap(began, "unreachable", "no answer")
    middle = scene.wait(10)
    ended = scene.wait(10)
    scene.journal.record_gap(ended, "denied", "not \udcff allowed")
    scene.wait(2)
    scene.look()
    later = scene.wait(2)
    scene.journal.record_gap(later, "unreachable", "again")
    one, other = scene.journal.gaps()
    assert (one.began_wall_ns, one.ended_wall_ns, one.kind, one.line) == (
        began,
        ended,
        "denied",
        "not \udcff allowed",
    )
    assert (other.began_wall_ns, other.ended_wall_ns) == (later, later)
    assert scene.journal.gap_at(middle) == one
    assert scene.journal.gap_at(began - 1) is None
    assert scene.journal.gap_at(ended + 1) is None


def test_a_gap_may_come_first(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path / "j.db", target=TARGET)
    journal.record_gap(SystemClock().wall_ns(), "unreachable", "no answer")
    journal.record(busy(1, 1)[0])
    assert len(journal.gaps()) == 1
    assert len(journal.looks()) == 1
    journal.close()
    blank = Journal.open(tmp_path / "blank.db")
    with pytest.raises(ValueError, match="which target"):
        blank.record_gap(START, "unreachable", "no answer")
    blank.close()
