"""Names people know, out of `volume.cfg`, whatever stands in it; and what else lies beside the locks."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backuplock import layout
from backuplock.clock import SECOND, ManualClock, Span
from backuplock.errors import Denied
from backuplock.evidence import PARTS, surroundings, volume_names, with_blocks
from backuplock.findings import Finding, Mark, Topic, Watched, findings
from backuplock.model import LockRecord, Operation, Owner, VolumeNames
from backuplock.stores.base import BODY_CAP, Blob, Listing
from backuplock.stores.memory import MemoryStore
from backuplock.survey import look
from backuplock.watch import Watch
from backuplock.wire import encode


def cfg(status: object, **more: object) -> bytes:
    return json.dumps({"Name": "v", "Labels": {"KubernetesStatus": json.dumps(status)}, **more}).encode()


def test_names_of_a_claim() -> None:
    body = cfg(
        {
            "pvName": "pv",
            "namespace": "shop",
            "pvcName": "orders-db",
            "workloadsStatus": [
                {"podName": "orders-0", "workloadName": "orders", "workloadType": "StatefulSet"}
            ],
        },
        BackingImageName='"parrot"',
    )
    names = volume_names(body)
    assert names == VolumeNames("shop", "orders-db", "orders", "parrot")
    assert names.claim_path == "shop/orders-db"


def test_a_volume_without_a_claim() -> None:
    assert volume_names(b'{"Name":"v","Labels":null}') == VolumeNames()


@given(
    st.binary(max_size=200)
    | st.recursive(
        st.none() | st.text() | st.integers(),
        lambda i: (
            st.lists(i)
            | st.dictionaries(
                st.sampled_from(["Labels", "KubernetesStatus", "workloadsStatus", "namespace"])
                | st.text(max_size=5),
                i,
            )
        ),
        max_leaves=15,
    ).map(lambda value: json.dumps(value).encode())
)
def test_nonsense_names_nobody(body: bytes) -> None:
    names = volume_names(body)
    assert names is None or isinstance(names, VolumeNames)


def test_deep_nesting_names_nobody() -> None:
    assert volume_names(b"[" * 100_000) is None


def backup(created: str = "", **more: object) -> bytes:
    return json.dumps({"Name": "b", "CreatedTime": created, "SnapshotName": "s", **more}).encode()


class Shop:
    """A volume in a store with manual time."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.store = MemoryStore(self.clock)
        self.store.put(layout.volume_cfg("v"), b"{}")

    def put(self, name: str, body: bytes, after: float = 1) -> str:
        self.clock.advance(round(after * SECOND))
        key = layout.backup_cfg("v", name)
        self.store.put(key, body)
        return key

    def lock(self, name: str, type_: int = 1, *, owner: Owner | None = None) -> str:
        key = layout.lock_key("v", name)
        self.store.put(key, encode(LockRecord(name, type_, True, owner)))
        return key

    def findings(self, watched: Watched | None = None) -> dict[tuple[Topic, str], Finding]:
        view = look(self.store, "v", clock=self.clock).volumes[0]
        now = Span(self.clock.wall_ns(), self.clock.wall_ns())
        found = findings(view, surroundings(self.store, "v"), now, watched)
        return {(one.topic, one.lock): one for one in found}


def test_an_unfinished_backup_is_found_and_finished_ones_are_not() -> None:
    shop = Shop()
    shop.put("old", backup("2026-01-01T00:00:00Z"))
    key = shop.put("new", backup(SnapshotCreatedAt="2026-01-02T00:00:00Z"))
    found = surroundings(shop.store, "v")
    assert [(one.name, one.key, one.snapshot_at) for one in found.unfinished] == [
        ("new", key, "2026-01-02T00:00:00Z")
    ]
    assert (found.backups, found.unread, found.problem) == (2, 0, "")
    assert found.newest_ns == shop.clock.wall_ns()


class Counted(MemoryStore):
    """Counts what is asked."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__(clock)
        self.asked: list[str] = []

    def list(self, folder: str) -> Listing:
        self.asked.append(f"list {folder.rpartition('/')[2]}")
        return super().list(folder)

    def read(self, key: str, *, cap: int = BODY_CAP) -> Blob | None:
        self.asked.append("read")
        return super().read(key, cap=cap)


def test_reads_are_bounded_newest_first_and_blocks_are_never_listed() -> None:
    shop = Shop()
    counted = shop.store = Counted(shop.clock)
    counted.put(f"{layout.volume_folder('v')}/blocks/aa/bb/x.blk", b"x")
    for at in range(50):
        shop.put(f"b{at:02d}", backup("" if at in (3, 49) else "x"))
    shop.put("huge", backup("") + b" " * (BODY_CAP + 1))
    found = surroundings(counted, "v", most_read=20)
    assert [one.name for one in found.unfinished] == ["b49"]
    assert found.unread == 30
    assert counted.asked == ["list v", "list backups", *["read"] * 20]


def test_of_blocks_a_sample_is_looked_at_and_only_while_a_backup_may_write_some() -> None:
    shop = Shop()
    counted = shop.store = Counted(shop.clock)
    folder = f"{layout.volume_folder('v')}/{layout.BLOCKS}"
    for part in range(64):
        for name in range(40):
            counted.put(f"{folder}/{part:02x}/{name:02x}/{part}-{name}.blk", b"")
    shop.put("done", backup("x"))
    found = surroundings(counted, "v")
    assert with_blocks(counted, "v", found) is found
    shop.put("run", backup())
    found = surroundings(counted, "v")
    counted.asked.clear()
    assert with_blocks(counted, "v", found).newest_block_ns is not None
    assert len(counted.asked) <= 1 + PARTS * 33
    assert "read" not in counted.asked


def test_a_backup_in_progress_is_the_likely_operation_of_a_live_lock() -> None:
    shop = Shop()
    lock = shop.lock("lock-a")
    shop.put("run", backup())
    found = shop.findings()[Topic.OPERATION, lock]
    assert (found.mark, found.operation) == (Mark.LIKELY, Operation.BACKUP)
    assert "run" in found.text


def test_nothing_in_progress_says_no_more_than_is_known() -> None:
    shop = Shop()
    lock = shop.lock("lock-a")
    found = shop.findings()
    assert found[Topic.OPERATION, lock].mark is Mark.UNKNOWN
    assert found[Topic.OPERATION, lock].operation is None
    assert "another one that shares the target" in found[Topic.ORIGIN, lock].text


def test_several_locks_and_no_backup_look_like_a_restore() -> None:
    shop = Shop()
    lock = shop.lock("lock-a")
    shop.lock("lock-b")
    found = shop.findings()[Topic.OPERATION, lock]
    assert (found.mark, found.operation) == (Mark.LIKELY, Operation.RESTORE)


def test_a_corpse_is_told_from_work_in_progress() -> None:
    shop = Shop()
    shop.put("dead", backup())
    assert "its holder died" in shop.findings()[Topic.CORPSE, ""].text
    lock = shop.lock("lock-a")
    # A finished backup that is newer: whoever wrote the older one is not at work any more.
    shop.put("done", backup("2026-01-01T00:00:00Z"))
    found = shop.findings()
    assert (Topic.CORPSE, "") in found
    assert found[Topic.OPERATION, lock].operation is None


def test_what_a_lock_says_of_itself_is_known() -> None:
    shop = Shop()
    owner = Owner("host-1", 42, "ops", "restore", "drill", "2026-01-01T00:00:00Z", tool="locktop 1")
    lock = shop.lock("lock-a", owner=owner)
    found = shop.findings()
    assert found[Topic.OWNER, lock].mark is Mark.KNOWN
    assert all(word in found[Topic.OWNER, lock].text for word in ("host-1", "42", "ops", "drill"))
    assert found[Topic.OPERATION, lock].operation is Operation.RESTORE


def test_a_deletion_is_known_by_its_type_and_dead_locks_work_on_nothing() -> None:
    shop = Shop()
    lock = shop.lock("lock-a", 2)
    assert shop.findings()[Topic.OPERATION, lock].mark is Mark.KNOWN
    shop.clock.advance(200 * SECOND)
    assert (Topic.OPERATION, lock) not in shop.findings()


@pytest.mark.parametrize(("changes", "stuck"), [(False, True), (True, False)])
def test_alive_but_stuck(changes: bool, stuck: bool) -> None:
    shop = Shop()
    lock = shop.lock("lock-a")
    watch, snapshot, digests = Watch(), None, []
    still_since = shop.clock.mono_ns()
    for minute in range(150):
        shop.clock.advance(60 * SECOND)
        shop.lock("lock-a")
        if changes and minute == 100:
            shop.put("new", backup("done"))
        snapshot = look(shop.store, "v", snapshot, clock=shop.clock)
        watch, _ = watch.look(snapshot)
        digests.append(surroundings(shop.store, "v").digest)
        if len(digests) > 1 and digests[-1] != digests[-2]:
            still_since = shop.clock.mono_ns()
    found = shop.findings(Watched(watch.tracks, shop.clock.mono_ns() - still_since))
    assert ((Topic.STUCK, lock) in found) is stuck
    if stuck:
        assert found[Topic.STUCK, lock].mark is Mark.LIKELY


@given(st.binary(max_size=300))
def test_nonsense_among_the_backups_breaks_nothing(body: bytes) -> None:
    shop = Shop()
    shop.lock("lock-a")
    shop.put("x", body)
    assert shop.findings()


def test_what_fails_is_said() -> None:
    class Refusing(MemoryStore):
        def list(self, folder: str) -> Listing:
            raise Denied("no")

    found = surroundings(Refusing(ManualClock()), "v")
    assert "could not be listed" in found.problem
    assert found.unfinished == ()
