"""The sweep by keys in order finds what the sweep by folders finds, in about one request a volume."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from backuplock import layout
from backuplock.clock import SECOND, ManualClock
from backuplock.errors import Denied, StoreError, Unreachable
from backuplock.scan import LARGEST_PAGE, Disordered, PageSize, Scan, scans
from backuplock.stores.base import Entry, Keys, Listing, ranged_of
from backuplock.stores.memory import MemoryStore
from backuplock.survey import sweep
from harness.fleets import LOCK, ByFolders, Rolls, Short, content, shapes

BASE = layout.VOLUMES


def planted(objects: dict[str, bytes], store: MemoryStore) -> MemoryStore:
    for key, body in objects.items():
        store.plant(key, body, 1_000 * SECOND)
    return store


class Counting(Short):
    """Remembers what was asked of it, and can be told to fail."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__(clock, ranged=True)
        self.ranges: list[tuple[str, str, int]] = []
        self.folders: list[str] = []
        self.fail: Callable[[str, str], StoreError | None] = lambda prefix, after: None

    def keys(self, prefix: str, after: str, limit: int) -> Keys:
        self.ranges.append((prefix, after, limit))
        error = self.fail(prefix, after)
        if error is not None:
            raise error
        return super().keys(prefix, after, limit)

    def list(self, folder: str) -> Listing:
        self.folders.append(folder)
        return super().list(folder)


@settings(deadline=None, max_examples=80, suppress_health_check=[HealthCheck.too_slow])
@given(shapes(), st.sampled_from([1, 2, 3, 4, 5, 7, 1000]), st.sampled_from([1, 3]), st.booleans())
@example({f"{BASE}/ab/00/v/locks/l1.lck": LOCK, f"{BASE}/ab/00/v/": b""}, 1, 1, False)
@example({f"{BASE}/ab/00/v/locks-old/x": b"", f"{BASE}/ab/00/v/locks/": b""}, 1, 1, False)
def test_it_finds_what_the_sweep_by_folders_finds(
    objects: dict[str, bytes], most: int, workers: int, names: bool
) -> None:
    clock = ManualClock()
    store = Short(clock, ranged=True)
    store.most = most
    planted(objects, store)
    fast = sweep(store, clock=clock, workers=workers, all_names=names)
    slow = sweep(ByFolders(store), clock=clock, workers=workers, all_names=names)
    assert content(fast) == content(slow)
    assert store.capabilities.ranged == "yes"
    again = sweep(store, fast, clock=clock, workers=workers, all_names=names)
    assert content(again) == content(fast)


@settings(deadline=None, max_examples=80, suppress_health_check=[HealthCheck.too_slow])
@given(shapes(), st.sampled_from([1, 2, 3, 5, 1000]), st.sampled_from([1, 3]))
@example({f"{BASE}/ab/00/blocks/locks/l1.lck": LOCK, f"{BASE}/ab/00/v/blocks/x": b""}, 1000, 1)
@example({f"{BASE}/ab/00/v/locks/blocks/l1.lck": LOCK, f"{BASE}/ab/blocks/v/locks/l1.lck": LOCK}, 1000, 1)
def test_it_finds_the_same_where_blocks_are_left_out(
    objects: dict[str, bytes], most: int, workers: int
) -> None:
    clock = ManualClock()
    store = Rolls(clock, ranged=True)
    store.most = most
    planted(objects, store)
    fast = sweep(store, clock=clock, workers=workers)
    assert content(fast) == content(sweep(ByFolders(store), clock=clock, workers=workers))
    assert content(sweep(store, fast, clock=clock, workers=workers)) == content(fast)


def test_without_its_blocks_a_fleet_is_a_few_pages() -> None:
    objects = {f"{BASE}/{n % 256:02x}/00/v-{n}/blocks/{b:02}": b"" for n in range(500) for b in range(20)}
    objects |= {f"{BASE}/{n % 256:02x}/00/v-{n}/volume.cfg": b"{}" for n in range(500)}
    store = planted(objects, Rolls(ManualClock(), ranged=True))
    assert isinstance(store, Rolls)
    seen = sweep(store, clock=ManualClock())
    assert len(seen.volumes) == 500
    assert seen.requests <= 2 + 16
    assert store.asked == 16


def test_a_volume_called_blocks_is_not_left_out() -> None:
    objects = {f"{BASE}/ab/00/blocks/locks/l1.lck": LOCK, f"{BASE}/ab/00/v/locks/l1.lck": LOCK}
    seen = sweep(planted(objects, Rolls(ManualClock(), ranged=True)), clock=ManualClock())
    assert {view.name for view in seen.volumes if view.locks} == {"blocks", "v"}


def test_a_store_that_walks_through_what_it_leaves_out_is_asked_otherwise() -> None:
    clock = ManualClock()

    class Walking(Rolls):
        def rolled(self, prefix: str, after: str, limit: int) -> Keys | None:
            clock.advance(5 * SECOND)
            return super().rolled(prefix, after, limit)

    store = Walking(clock, ranged=True)
    planted({f"{BASE}/{n:02x}/00/v/locks/l1.lck": LOCK for n in range(256)}, store)
    first = sweep(store, clock=clock, workers=1)
    assert (len(first.locks), store.asked, store.capabilities.ranged) == (256, 3, "yes")
    assert len(sweep(store, first, clock=clock, workers=1).locks) == 256
    assert store.asked == 3


def test_a_volume_is_one_request_however_many_blocks_and_backups_it_has() -> None:
    asked = []
    for blocks in (20, 2_000):
        store = Counting(ManualClock())
        objects = {
            f"{BASE}/ab/cd/pvc-{n}/backups/backup_{b:05d}.cfg": b"" for n in range(9) for b in range(blocks)
        }
        objects |= {
            f"{BASE}/ab/cd/pvc-{n}/blocks/00/00/{b:05d}.blk": b"" for n in range(9) for b in range(blocks)
        }
        objects |= {f"{BASE}/ab/cd/pvc-{n}/volume.cfg": b"" for n in range(9)}
        objects |= {f"{BASE}/ab/cd/pvc-{n}/locks/lock-1.lck": LOCK for n in range(0, 9, 2)}
        seen = sweep(planted(objects, store), clock=ManualClock())
        assert (len(seen.volumes), len(seen.locks)) == (9, 5)
        assert store.folders == [BASE]
        asked.append(len(store.ranges))
    assert asked == [10, 10]


def test_small_volumes_are_read_through() -> None:
    store = Counting(ManualClock())
    objects = {f"{BASE}/{n % 256:02x}/00/pvc-{n}/volume.cfg": b"" for n in range(4000)}
    seen = sweep(planted(objects, store), clock=ManualClock(), workers=1)
    assert len(seen.volumes) == 4000
    assert len(store.ranges) < 100
    assert max(limit for _, _, limit in store.ranges) == LARGEST_PAGE


def test_heaps_of_foreign_objects_are_leapt_over() -> None:
    heaps = [
        "ab0/x",
        "ab/trash/x",
        "ab/cd//x",
        "ab/cd/v/locks/folder",
        "ab/cd/v/mid",
        "ab/cd/v/zz",
        "ab/cd/v/backups",
    ]
    objects = {f"{BASE}/{heap}/{n:05d}": b"" for heap in heaps for n in range(5000)}
    objects |= {f"{BASE}/{n:02x}/00/w/locks/l1.lck": LOCK for n in range(0xA0, 0xC0)}
    objects |= {f"{BASE}/ab/cd/v/locks/l1.lck": LOCK}
    store = Counting(ManualClock())
    seen = sweep(planted(objects, store), clock=ManualClock(), workers=1)
    assert len(seen.locks) == 33
    assert len(store.ranges) < 40


def test_ranges_are_split_for_those_who_have_nothing_to_do() -> None:
    objects = {f"{BASE}/{n % 256:02x}/00/pvc-{n:05d}/blocks/{b}": b"" for n in range(1024) for b in range(20)}
    store = Counting(ManualClock())
    seen = sweep(planted(objects, store), clock=ManualClock(), workers=32)
    assert len(seen.volumes) == 1024
    assert len(store.ranges) <= 1.1 * 1024
    assert len({prefix for prefix, _, _ in store.ranges}) == 16


@pytest.mark.parametrize("workers", [1, 16])
def test_a_store_that_ignores_the_point_is_found_out_and_remembered(workers: int) -> None:
    class Deaf(Counting):
        def keys(self, prefix: str, after: str, limit: int) -> Keys:
            return super().keys(prefix, "", limit)

    store = Deaf(ManualClock())
    objects = {f"{BASE}/{n % 256:02x}/00/pvc-{n}/blocks/{b:02}": b"" for n in range(300) for b in range(20)}
    objects |= {f"{BASE}/{n % 256:02x}/00/pvc-{n}/locks/l1.lck": LOCK for n in range(300)}
    seen = sweep(planted(objects, store), clock=ManualClock(), workers=workers)
    assert content(seen) == content(sweep(ByFolders(store), clock=ManualClock()))
    assert store.capabilities.ranged == "no"
    assert len(store.ranges) <= 2 * 16 + 2
    assert ranged_of(store) is None
    store.ranges.clear()
    assert content(sweep(store, clock=ManualClock())) == content(seen)
    assert store.ranges == []


def test_keys_out_of_order_are_found_out() -> None:
    class Unsorted(Counting):
        def keys(self, prefix: str, after: str, limit: int) -> Keys:
            page = super().keys(prefix, after, limit)
            return replace(page, entries=page.entries[::-1])

    store = planted({f"{BASE}/ab/00/v-{n}/locks/l1.lck": LOCK for n in range(9)}, Unsorted(ManualClock()))
    assert len(sweep(store, clock=ManualClock()).locks) == 9
    assert store.capabilities.ranged == "no"


def test_a_level_that_the_keys_do_not_show_is_listed() -> None:
    """A store whose range listings lag behind those of folders, or that lose a part of them."""

    class Losing(Counting):
        def keys(self, prefix: str, after: str, limit: int) -> Keys:
            page = super().keys(prefix, after, limit)
            return replace(page, entries=tuple(entry for entry in page.entries if "/ab/" not in entry.name))

    objects = {f"{BASE}/{n:02x}/00/v/locks/l1.lck": LOCK for n in range(256)}
    store = planted(objects, Losing(ManualClock()))
    assert len(sweep(store, clock=ManualClock()).locks) == 256
    assert f"{BASE}/ab" in store.folders


@pytest.mark.parametrize("error", [Denied("no such listing"), Unreachable("it takes too long")])
def test_where_only_folders_can_be_listed_they_are(error: StoreError) -> None:
    objects = {f"{BASE}/{n:02x}/00/v/locks/l1.lck": LOCK for n in range(256)}
    store = planted(objects, Counting(ManualClock()))
    assert isinstance(store, Counting)
    store.fail = lambda prefix, after: error
    seen = sweep(store, clock=ManualClock())
    assert (len(seen.locks), seen.complete) == (256, True)
    assert store.capabilities.ranged == "no"
    assert len(store.ranges) <= 16


def test_one_failure_costs_one_range() -> None:
    objects = {f"{BASE}/{n:02x}/00/v-{m}/locks/l1.lck": LOCK for n in range(256) for m in range(3)}
    store = planted(objects, Counting(ManualClock()))
    assert isinstance(store, Counting)
    store.fail = lambda prefix, after: Unreachable("busy") if after.startswith(f"{BASE}/a5") else None
    seen = sweep(store, clock=ManualClock())
    assert (len(seen.locks), seen.complete) == (768, True)
    assert store.capabilities.ranged == "yes"
    assert all(folder == BASE or folder.startswith(f"{BASE}/a") for folder in store.folders)


def test_a_store_that_walks_for_every_page_is_asked_for_folders() -> None:
    clock = ManualClock()

    class Walking(Counting):
        def keys(self, prefix: str, after: str, limit: int) -> Keys:
            clock.advance(5 * SECOND)
            return super().keys(prefix, after, limit)

    objects = {
        f"{BASE}/{n:02x}/00/v-{m}/blocks/{b:02}": LOCK
        for n in range(256)
        for m in range(3)
        for b in range(20)
    }
    store = planted(objects, Walking(clock))
    assert isinstance(store, Walking)
    seen = sweep(store, clock=clock, workers=1)
    assert (len(seen.volumes), seen.complete) == (768, True)
    assert len(store.ranges) == 3
    assert store.capabilities.ranged == "no"


def test_page_sizes_follow_what_pages_bring() -> None:
    size = PageSize()
    for _ in range(9):
        size.learn(size.keys, 0)
    assert size.keys == LARGEST_PAGE
    for _ in range(9):
        size.learn(size.keys, size.keys - 2)
    assert size.keys == 4


def test_a_page_that_goes_on_and_is_empty_is_no_page() -> None:
    (scan,) = scans(("ab",))
    with pytest.raises(Disordered):
        scan.take(Keys((), True))


@given(
    st.lists(st.sampled_from([f"{n:02x}" for n in range(256)]), unique=True, min_size=5), st.integers(0, 8)
)
def test_halves_cover_what_the_whole_covers(firsts: list[str], rounds: int) -> None:
    ordered = tuple(sorted(firsts))
    parts = [Scan(ordered, prefix=f"{BASE}/")]
    for _ in range(rounds):
        parts += [half for part in parts if (half := part.split()) is not None]
    keys = [Entry(f"{BASE}/{first}/00/v/volume.cfg") for first in ordered]
    met: list[str] = []
    for part in parts:
        after = part.after
        met += [found.folder for found in part.take(Keys(tuple(k for k in keys if k.name > after), False))]
        assert part.missed() == ()
    assert sorted(met) == [f"{BASE}/{first}/00/v" for first in ordered]
