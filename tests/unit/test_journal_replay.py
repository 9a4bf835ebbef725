"""A recording as a store: sweeping it shows what sweeping the store showed, at any time, failures too."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backuplock import layout
from backuplock.clock import SECOND, ManualClock
from backuplock.errors import Denied, ReadOnly, StoreError, TooLarge, Unreachable
from backuplock.journal import Journal
from backuplock.model import Flaw, LockRecord, Owner, Snapshot
from backuplock.replay import ReplayClock, ReplayStore
from backuplock.stores import open_store
from backuplock.stores.base import Listing, Store
from backuplock.stores.memory import MemoryStore
from backuplock.survey import sweep
from backuplock.target import parse_target
from backuplock.wire import encode
from harness.builders import fleet, write, write_all
from harness.histories import START, busy


class Tape:
    """A journal, and a clock to replay it by."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.journal = Journal.open(path)

    def at(self, wall_ns: int) -> tuple[ReplayStore, ManualClock]:
        clock = ManualClock(wall_ns)
        return ReplayStore(self.journal, clock), clock

    def sweep_at(self, wall_ns: int, previous: Snapshot | None = None) -> Snapshot:
        store, clock = self.at(wall_ns)
        return sweep(store, previous, clock=clock)


@pytest.fixture
def tape(tmp_path: Path) -> Iterator[Tape]:
    made = Tape(tmp_path / "j.db")
    yield made
    made.journal.close()


def same_picture(replayed: Snapshot, recorded: Snapshot) -> None:
    assert replayed.volumes == recorded.volumes
    assert replayed.problems == recorded.problems
    assert replayed.store_present == recorded.store_present
    now, then = replayed.clock.at(replayed.ended_mono_ns), recorded.clock.at(recorded.ended_mono_ns)
    assert abs(now.lo - then.lo) <= SECOND // 1000
    assert abs(now.hi - then.hi) <= SECOND // 1000


# -- what was seen is seen again ----------------------------------------------------------------------


def test_a_real_folder_with_everything_in_it(tape: Tape, tmp_path: Path) -> None:
    root, clock = tmp_path / "store", ManualClock()
    write_all(root, fleet(60, 25), clock.wall_ns())
    folder = root / layout.locks_folder("pvc-odd")
    write(root, f"{layout.locks_folder('pvc-odd')}/lock-big.lck", b"x" * 100_000)
    write(
        root, f"{layout.locks_folder('pvc-odd')}/lock-long.lck", b'{"Name":"n","Type":1,"x":"' + b"y" * 9000
    )
    write(root, f"{layout.locks_folder('pvc-odd')}/lock-1.lck.tmp", b"left over")
    write(root, f"{layout.locks_folder('pvc-odd')}/lock-\udcff[bold].lck", b"\xff\x00")
    (folder / "lock-folder.lck").mkdir()
    (folder / "lock-link.lck").symlink_to("/etc/passwd")
    (root / layout.volume_folder("pvc-sink")).mkdir(parents=True)
    (root / layout.volume_folder("pvc-sink") / "locks").symlink_to("/tmp")
    write(root, layout.volume_cfg(layout.BACKING_IMAGE), b'{"BackingImageName":"\\"img\\""}')
    write(
        root, layout.lock_key(layout.BACKING_IMAGE, "lock-b"), b'{"Name":"lock-b","Type":2,"Acquired":true}'
    )
    (root / layout.VOLUMES / "not-a-shard").mkdir()
    recorded = sweep(open_store(parse_target(str(root))), clock=clock)
    assert {lock.flaw for lock in recorded.locks} >= {Flaw.TOO_LARGE, Flaw.IRREGULAR, Flaw.UNDECODABLE, None}
    assert any(view.problem for view in recorded.volumes)
    assert any(view.ghost for view in recorded.volumes)
    tape.journal.record(recorded)
    # What was cut off when it was read is padding now; all else is equal.
    replayed = tape.sweep_at(recorded.taken_wall_ns)
    long = layout.lock_key("pvc-odd", "lock-long")
    assert len(replayed.by_key[long].raw) == len(recorded.by_key[long].raw)
    known = _without_reason(recorded, long)
    same_picture(_without_reason(replayed, long), known)


def _without_reason(snapshot: Snapshot, key: str) -> Snapshot:
    volumes = tuple(
        replace(
            view,
            locks=tuple(replace(lock, reason="") if lock.key == key else lock for lock in view.locks),
        )
        for view in snapshot.volumes
    )
    return replace(snapshot, volumes=volumes)


class Failing:
    """A store in front of another that refuses some folders and files."""

    def __init__(self, inner: MemoryStore, refused: dict[str, StoreError]) -> None:
        self.inner, self.refused = inner, refused
        self.url, self.capabilities = inner.url, inner.capabilities

    def list(self, folder: str) -> Listing:
        if folder in self.refused:
            raise self.refused[folder]
        return self.inner.list(folder)

    def __getattr__(self, name: str):  # type: ignore[no-untyped-def]
        return getattr(self.inner, name)

    def read(self, key: str, *, cap: int = 65536):  # type: ignore[no-untyped-def]
        if key in self.refused:
            raise self.refused[key]
        return self.inner.read(key, cap=cap)


def test_what_could_not_be_read_cannot_be_read_again(tape: Tape) -> None:
    clock = ManualClock()
    inner = MemoryStore(clock)
    for number in range(12):
        inner.put(layout.volume_cfg(f"v{number}"), b"{}")
        inner.put(layout.lock_key(f"v{number}", "lock-1"), encode(LockRecord("lock-1", 1, True)))
    shards = [f"{layout.VOLUMES}/{'/'.join(layout.shards(f'v{number}')[: 1 + number])}" for number in (0, 1)]
    refused: dict[str, StoreError] = {
        shards[0]: Denied("not yours", advice="ask"),
        shards[1]: Unreachable("no answer"),
        layout.volume_folder("v2"): Denied("not yours either"),
        layout.locks_folder("v3"): Unreachable("no answer"),
        layout.lock_key("v4", "lock-1"): Unreachable("no answer"),
    }
    recorded = sweep(Failing(inner, refused), clock=clock)
    assert len(recorded.problems) == 2
    assert sum(bool(view.problem) for view in recorded.volumes) == 2
    tape.journal.record(recorded)
    same_picture(tape.sweep_at(recorded.taken_wall_ns), recorded)


def test_many_volumes_that_did_not_answer_do_not_end_the_replay(tape: Tape) -> None:
    (snapshot,) = busy(1, 40)
    hidden = tuple(
        replace(view, locks=(), problem="could not be listed: no answer") for view in snapshot.volumes
    )
    recorded = replace(snapshot, volumes=hidden, by_key={})
    tape.journal.record(recorded)
    assert tape.sweep_at(recorded.taken_wall_ns).volumes == hidden


def test_a_problem_of_unknown_form_still_leaves_the_picture_incomplete(tape: Tape) -> None:
    (snapshot,) = busy(1, 300)
    tape.journal.record(replace(snapshot, problems=("something else was wrong",)))
    replayed = tape.sweep_at(snapshot.taken_wall_ns)
    assert len(replayed.problems) == 1
    assert "something else was wrong" in replayed.problems[0]


@settings(max_examples=15, deadline=None)
@given(
    acts=st.lists(
        st.tuples(
            st.sampled_from(["put", "delete", "own"]),
            st.sampled_from(["v", "w", "pvc-1"]),
            st.sampled_from(["lock-a", "lock-b"]),
            st.sampled_from([0, 1, 2]),
            st.booleans(),
        ),
        min_size=1,
        max_size=12,
    )
)
def test_a_history_of_a_store_is_swept_again_look_by_look(
    acts: list[tuple[str, str, str, int, bool]],
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        tape, clock = Tape(Path(folder) / "j.db"), ManualClock()
        store: Store = MemoryStore(clock)
        snapshot: Snapshot | None = None
        history: list[Snapshot] = []
        for act, volume, name, type_, acquired in acts:
            clock.advance(SECOND)
            key = layout.lock_key(volume, name)
            owner = Owner(host="node-2", renewals=len(history)) if act == "own" else None
            if act == "delete":
                store.delete(key)
            else:
                store.put(key, encode(LockRecord(name, type_, acquired, owner)))
            status = json.dumps({"namespace": "shop", "pvcName": volume})
            store.put(layout.volume_cfg("v"), json.dumps({"Labels": {"KubernetesStatus": status}}).encode())
            snapshot = sweep(store, snapshot, clock=clock)
            tape.journal.record(snapshot)
            history.append(snapshot)
        # One console that watches the replay, and one that just came.
        replayer, replayed_clock = tape.at(history[0].taken_wall_ns)
        watched: Snapshot | None = None
        for recorded in history:
            replayed_clock.advance(recorded.taken_wall_ns - replayed_clock.wall_ns())
            watched = sweep(replayer, watched, clock=replayed_clock)
            same_picture(watched, recorded)
            same_picture(tape.sweep_at(recorded.taken_wall_ns), recorded)
        tape.journal.close()


# -- times without answers ----------------------------------------------------------------------------


def test_an_outage_is_an_outage_again(tape: Tape) -> None:
    history = busy(4, 3)
    tape.journal.record(history[0])
    walls = [snapshot.taken_wall_ns for snapshot in history]
    tape.journal.record_gap(walls[1], "unreachable", "no route to 10.0.0.1")
    tape.journal.record_gap(walls[2], "unreachable", "no route to 10.0.0.1")
    tape.journal.record(history[3])
    store, clock = tape.at(walls[0])
    assert sweep(store, clock=clock).volumes == history[0].volumes
    clock.advance(walls[1] - walls[0] + SECOND)
    with pytest.raises(Unreachable, match="no route to"):
        sweep(store, clock=clock)
    clock.advance(walls[3] - walls[1])
    assert sweep(store, clock=clock).volumes == history[3].volumes
    early, _ = tape.at(START - 1)
    with pytest.raises(Unreachable, match="begins later"):
        early.list("")


# -- the store protocol -------------------------------------------------------------------------------


def test_nothing_is_written(tape: Tape) -> None:
    (snapshot,) = busy(1, 1)
    tape.journal.record(snapshot)
    store, _ = tape.at(START)
    assert not store.capabilities.writable
    for attempt in (
        lambda: store.put("x", b""),
        lambda: store.put("x", b"", if_absent=True),
        lambda: store.delete("x"),
        lambda: store.delete("x", if_match="e"),
    ):
        with pytest.raises(ReadOnly, match="the past"):
            attempt()


def test_reading_is_bounded_and_leftovers_have_no_content(tape: Tape, tmp_path: Path) -> None:
    root = tmp_path / "store"
    key = layout.lock_key("v", "lock-1")
    write(root, key, encode(LockRecord("lock-1", 1, True)))
    write(root, f"{key}.tmp", b"?")
    clock = ManualClock()
    tape.journal.record(sweep(open_store(parse_target(str(root))), clock=clock))
    store, _ = tape.at(clock.wall_ns())
    with pytest.raises(TooLarge, match="20"):
        store.read(key, cap=20)
    with pytest.raises(Denied, match="was not read"):
        store.read(f"{key}.tmp")
    assert store.read("backupstore/nothing") is None
    store.close()
    assert store.read(key) is not None


ODD_NAMES = (
    "a b",
    "a+b",
    "a%2Fb",
    "a&b;c=d",
    "[red]markup[bold]",
    "-dash",
    "größe",
    "\udcff",
    "\n",
    "n" * 200,
)


def test_it_lists_and_reads_as_the_recorded_store_did(tape: Tape, tmp_path: Path) -> None:
    """The reading half of what every store promises, with a real folder as the measure."""
    root, clock = tmp_path / "store", ManualClock()
    for number in range(1003):
        key = layout.lock_key("many", f"lock-{number:016x}")
        write(root, key, encode(LockRecord(key[-20:-4], number % 3, True)), START + number)
    for name in ODD_NAMES:
        write(root, f"{layout.locks_folder('many')}/{name}", b"left over")
    write_all(root, fleet(40, 30), START)
    original = open_store(parse_target(str(root)))
    tape.journal.record(sweep(original, clock=clock))
    store, _ = tape.at(clock.wall_ns())
    above, volumes = [""], []
    for depth in range(5):
        for folder in above:
            assert store.list(folder).folders == original.list(folder).folders
            assert store.list(folder).entries == ()
        above = [f"{folder}/{name}".lstrip("/") for folder in above for name in store.list(folder).folders]
        volumes = above if depth == 4 else []
    assert len(volumes) == 41
    for volume in volumes:
        there, here = original.list(f"{volume}/locks"), store.list(f"{volume}/locks")
        # Of what is no lock, a sweep keeps no etag.
        known = [
            entry if layout.is_lock_file(entry.name) else replace(entry, etag="") for entry in there.entries
        ]
        assert (list(here.entries), here.folders) == (known, there.folders)
        for entry in here.entries:
            if layout.is_lock_file(entry.name):
                found = store.read(f"{volume}/locks/{entry.name}")
                kept = original.read(f"{volume}/locks/{entry.name}")
                assert found is not None
                assert kept is not None
                assert (found.body, found.modified_ns, found.etag) == (kept.body, kept.modified_ns, kept.etag)
        # No folder is taken for another that begins like it, and nothing that is absent for an error.
        assert store.list(volume[:-1]).entries == store.list(f"{volume}/lock").entries == ()
        assert store.read(f"{volume}/locks") is None
        assert store.read(f"{volume}/locks/lock-absent.lck") is None
    assert len(store.list(f"{layout.volume_folder('many')}/locks").entries) == 1003 + len(ODD_NAMES)


def test_many_threads_sweep_one_replay(tape: Tape) -> None:
    history = busy(5, 300)
    for snapshot in history:
        tape.journal.record(snapshot)
    store, clock = tape.at(history[-1].taken_wall_ns)
    assert sweep(store, clock=clock, workers=32).volumes == history[-1].volumes


# -- the clock ----------------------------------------------------------------------------------------


def test_the_replays_clock_runs_faster_and_stops_at_the_end() -> None:
    base = ManualClock()
    clock = ReplayClock(START, START + 100 * SECOND, speed=10, base=base)
    mono = clock.mono_ns()
    base.advance(3 * SECOND)
    assert clock.wall_ns() == START + 30 * SECOND
    assert clock.mono_ns() == mono + 30 * SECOND
    clock.sleep(20 * SECOND)
    assert clock.wall_ns() == START + 50 * SECOND, "a sleep of twenty seconds took two"
    assert not clock.ended
    base.advance(60 * SECOND)
    assert clock.ended
    assert (clock.wall_ns(), clock.mono_ns()) == (START + 100 * SECOND, mono + 100 * SECOND)
    with pytest.raises(ValueError, match="forward"):
        ReplayClock(START, START, speed=0)


def test_a_recording_on_a_read_only_medium_is_replayed(tape: Tape, tmp_path: Path) -> None:
    history = busy(3, 5)
    for snapshot in history:
        tape.journal.record(snapshot)
    tape.journal.export(tmp_path / "medium.db")
    (tmp_path / "medium.db").chmod(0o400)
    reader = Journal.read(tmp_path / "medium.db")
    assert [reader.snapshot(look) for look in reader.looks()] == history
    reader.close()
