"""What every store that can be written promises, checked on every one; for reading alone see beside.

Capabilities are data, and these tests hold each store to its own: where it says that it checks conditions
they must be checked, and where it says that it does not, they must be refused.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

import pytest

from backuplock.clock import SECOND, Observation, SystemClock
from backuplock.errors import (
    BackupLockError,
    Conflict,
    Irregular,
    Malformed,
    Missing,
    ReadOnly,
    TooLarge,
    Unreachable,
    Unsupported,
)
from backuplock.stores.base import BODY_CAP, Store
from harness.store_cases import StoreCase, proven, put_all

FOLDER = "backupstore/volumes/2d/af/pvc-1/locks"
KEY = f"{FOLDER}/lock-9f2c41d07be35a18.lck"
BODY = b'{"Name":"lock-9f2c41d07be35a18","Type":2,"Acquired":true}'

ODD_NAMES = (
    "a b",
    "a+b",
    "a%20b",
    "a%2Fb",
    "100%",
    "a&b;c=d",
    "a?b#c",
    "<a>'\"",
    "back\\slash",
    "[red]markup[bold]",
    "~tilde",
    "-dash",
    "two..dots..",
    "lock-1.lck.tmp.1767322800123456789",
    "größe",
    "鎖",
    "\N{RIGHT-TO-LEFT OVERRIDE}kcl",
    "\N{LOCK}",
    "n" * 200,
)


def names(store: Store, folder: str) -> list[str]:
    return [entry.name for entry in store.list(folder).entries]


def plant(store: Store, keys: Iterable[str], body: bytes = BODY) -> None:
    put_all(store, dict.fromkeys(keys, body))


# -- reading and writing ------------------------------------------------------------------------------


def test_what_was_put_is_read(store: Store) -> None:
    for body in (BODY, b"", bytes(range(256)), b"\r\n\xff\xfe"):
        store.put(KEY, body)
        found = store.read(KEY)
        assert found is not None
        assert found.body == body


def test_put_replaces_the_whole_object(store: Store) -> None:
    store.put(KEY, b"long " * 100)
    store.put(KEY, b"short")
    found = store.read(KEY)
    assert found is not None
    assert found.body == b"short"
    assert names(store, FOLDER) == [KEY.rpartition("/")[2]]


def test_version_read_and_listing_tell_the_same(store: Store) -> None:
    version = store.put(KEY, BODY)
    found = store.read(KEY)
    (entry,) = store.list(FOLDER).entries
    assert found is not None
    assert version.etag == found.etag == entry.etag != ""
    assert '"' not in found.etag
    assert version.modified_ns in (None, found.modified_ns)
    assert entry.size == len(BODY)
    assert entry.regular
    # A listing's time may be finer, or rounded; it never belongs to another version.
    assert entry.modified_ns is not None
    assert abs(entry.modified_ns - found.modified_ns) <= SECOND


def test_other_bytes_have_another_etag(store_case: StoreCase, store: Store) -> None:
    first = store.put(KEY, b"first")
    second = store.put(KEY, b"other")
    assert first.etag != second.etag
    again = store.put(KEY, b"other")
    assert (again.etag == second.etag) == store_case.etag_of_body


def test_times_are_the_wall_clock_in_the_stores_grain(store: Store) -> None:
    clock, grain = SystemClock(), store.capabilities.grain_ns
    before = clock.wall_ns()
    store.put(KEY, BODY)
    after = clock.wall_ns()
    found = store.read(KEY)
    assert found is not None
    assert found.modified_ns % grain == 0
    # Kernels stamp files with the time of their last tick, some 10 ms ago at most.
    assert before - grain - SECOND // 50 < found.modified_ns <= after + grain


# -- listing ------------------------------------------------------------------------------------------


def test_list_shows_one_level_sorted(store: Store) -> None:
    plant(store, [f"{FOLDER}/{name}" for name in ("b.lck", "a.lck", "C.lck", "deep/er/x", "deep/y", "z/x")])
    listing = store.list(FOLDER)
    assert [entry.name for entry in listing.entries] == ["C.lck", "a.lck", "b.lck"]
    assert listing.folders == ("deep", "z")
    assert store.list(f"{FOLDER}/deep").folders == ("er",)
    assert store.list("").folders == ("backupstore",)
    assert listing.requests == 1


def odd_names(case: StoreCase) -> list[str]:
    return [name for name in ODD_NAMES if case.backslash or "\\" not in name]


def test_odd_names_come_back_as_they_were(store_case: StoreCase, store: Store) -> None:
    odd = odd_names(store_case)
    for name in odd:
        store.put(f"{FOLDER}/{name}", name.encode())
    assert names(store, FOLDER) == sorted(odd)
    for name in odd:
        found = store.read(f"{FOLDER}/{name}")
        assert found is not None
        assert found.body == name.encode()
    left = sorted(odd)
    for name in odd:
        store.delete(f"{FOLDER}/{name}")
        left.remove(name)
        assert names(store, FOLDER) == left


def test_odd_folders_come_back_as_they_were(store_case: StoreCase, store: Store) -> None:
    odd = odd_names(store_case)
    plant(store, [f"{FOLDER}/{name}/x" for name in odd])
    assert store.list(FOLDER).folders == tuple(sorted(odd))
    for name in odd:
        assert names(store, f"{FOLDER}/{name}") == ["x"]


# -- removing -----------------------------------------------------------------------------------------


def test_delete_removes_exactly_that_object(store: Store) -> None:
    plant(store, [KEY, f"{KEY}.something", f"{KEY[:-1]}", f"{FOLDER}/other.lck"])
    store.delete(KEY)
    assert store.read(KEY) is None
    assert names(store, FOLDER) == sorted(
        key.rpartition("/")[2] for key in (f"{KEY}.something", KEY[:-1], f"{FOLDER}/other.lck")
    )


def test_delete_of_nothing_is_success(store: Store) -> None:
    store.delete(KEY)
    store.put(KEY, BODY)
    store.delete(KEY)
    store.delete(KEY)
    assert store.read(KEY) is None


def test_the_last_object_takes_its_folder_along(store: Store) -> None:
    plant(store, [KEY, "backupstore/volumes/2d/af/pvc-1/volume.cfg"])
    store.delete(KEY)
    assert store.list("backupstore/volumes/2d/af/pvc-1").folders == ()
    assert names(store, "backupstore/volumes/2d/af/pvc-1") == ["volume.cfg"]
    assert store.list(FOLDER).entries == ()


# -- limits and refusals ------------------------------------------------------------------------------


def test_reading_is_bounded(store: Store) -> None:
    store.put(KEY, b"x" * 100)
    found = store.read(KEY, cap=100)
    assert found is not None
    assert len(found.body) == 100
    with pytest.raises(TooLarge, match="99"):
        store.read(KEY, cap=99)
    store.put(KEY, b"x" * (5 * BODY_CAP))
    with pytest.raises(TooLarge):
        store.read(KEY)
    # The refusal leaves nothing behind that the next reader would trip over.
    store.put(KEY, BODY)
    assert store.read(KEY) is not None


def test_read_only_means_that(store_case: StoreCase, store: Store) -> None:
    store.put(KEY, BODY)
    reader = store_case.make_store(False)
    assert not reader.capabilities.writable
    for attempt in (
        lambda: reader.put(KEY, b"other"),
        lambda: reader.put(KEY, b"other", if_absent=True),
        lambda: reader.delete(KEY),
        lambda: reader.delete(KEY, if_match="x"),
    ):
        with pytest.raises(ReadOnly):
            attempt()
    if store_case.shared:
        seen = reader.read(KEY)
        assert seen is not None
        assert seen.body == BODY
        assert names(reader, FOLDER) == names(store, FOLDER)


def test_keys_that_could_leave_the_root_are_refused(store_case: StoreCase, store: Store) -> None:
    if store_case.name == "memory":
        pytest.skip("a dictionary has no outside")
    for key in ("../x", "a/../../x", "/x", "a//x", "a/", "", ".", "a/./x", "a\0b", ".."):
        for attempt in (store.read, store.delete, lambda key: store.put(key, BODY)):
            with pytest.raises((Malformed, ValueError)):
                attempt(key)


def test_a_folder_is_no_object(store: Store) -> None:
    store.put(KEY, BODY)
    # An object store knows no folders: nothing is there. A file system sees what is there instead.
    try:
        assert store.read(FOLDER) is None
        assert store.list(KEY).entries == ()
    except Irregular as error:
        assert_one_clear_line(error)


def test_a_missing_root_is_told(store_case: StoreCase) -> None:
    if store_case.make_rootless is None:
        pytest.skip("this store always has a root")
    store = store_case.make_rootless()
    for attempt in (lambda: store.list(""), lambda: store.list(FOLDER), lambda: store.read(KEY)):
        with pytest.raises(Missing) as told:
            attempt()
        assert_one_clear_line(told.value)
    with pytest.raises(Missing):
        store.put(KEY, BODY)


def assert_one_clear_line(error: BackupLockError) -> None:
    text = str(error)
    assert text.isprintable()
    assert 20 < len(text) < 400
    assert "Traceback" not in text


# -- conditions ---------------------------------------------------------------------------------------


def test_capabilities_are_what_is_known_of_the_store(store_case: StoreCase, store: Store) -> None:
    known = proven(store)
    assert known.writable
    assert known.atomic_read
    if store_case.conditional_put is not None:
        assert known.conditional_put == store_case.conditional_put
    if store_case.conditional_delete is not None:
        assert known.conditional_delete == store_case.conditional_delete
    # A probe leaves nothing behind.
    assert store.list("").folders == ()


def test_conditions_are_refused_before_they_are_proven(store: Store) -> None:
    version = store.put(KEY, BODY)
    if store.capabilities.conditional_put != "yes":
        for attempt in (
            lambda: store.put(KEY, b"x", if_absent=True),
            lambda: store.put(KEY, b"x", if_match=version.etag),
        ):
            with pytest.raises(Unsupported):
                attempt()
    if store.capabilities.conditional_delete != "yes":
        with pytest.raises(Unsupported):
            store.delete(KEY, if_match=version.etag)
    found = store.read(KEY)
    assert found is not None
    assert found.body == BODY


def test_conditional_put_is_as_the_capability_says(store: Store) -> None:
    if proven(store).conditional_put != "yes":
        test_conditions_are_refused_before_they_are_proven(store)
        return
    first = store.put(KEY, b"first", if_absent=True)
    with pytest.raises(Conflict):
        store.put(KEY, b"second", if_absent=True)
    second = store.put(KEY, b"second", if_match=first.etag)
    with pytest.raises(Conflict):
        store.put(KEY, b"third", if_match=first.etag)
    found = store.read(KEY)
    assert found is not None
    assert (found.body, found.etag) == (b"second", second.etag)
    store.delete(KEY)
    with pytest.raises(Conflict):
        store.put(KEY, b"ghost", if_match=second.etag)
    assert store.read(KEY) is None


def test_conditional_delete_is_as_the_capability_says(store: Store) -> None:
    if proven(store).conditional_delete != "yes":
        test_conditions_are_refused_before_they_are_proven(store)
        return
    first = store.put(KEY, b"first")
    second = store.put(KEY, b"second")
    with pytest.raises(Conflict):
        store.delete(KEY, if_match=first.etag)
    assert store.read(KEY) is not None
    store.delete(KEY, if_match=second.etag)
    assert store.read(KEY) is None
    store.delete(KEY, if_match=second.etag)


def test_of_many_creators_one_wins(store: Store) -> None:
    if proven(store).conditional_put != "yes":
        pytest.skip("this store does not honour conditions on put")

    def create(number: int) -> bool:
        try:
            store.put(KEY, b"%d" % number, if_absent=True)
        except Conflict:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(create, range(24)))
    assert won.count(True) == 1
    found = store.read(KEY)
    assert found is not None
    assert found.body == b"%d" % won.index(True)


# -- time, threads ------------------------------------------------------------------------------------


def _list(store: Store) -> Observation | None:
    return store.list(FOLDER).observed


def _read(store: Store) -> Observation | None:
    found = store.read(KEY)
    assert found is not None
    return found.observed


def _put(store: Store) -> Observation | None:
    return store.put(KEY, BODY).observed


def test_what_a_store_says_of_its_time_is_true(store: Store) -> None:
    clock = SystemClock()
    store.put(KEY, BODY)
    for verb in (_list, _read, _put):
        _check_time(clock, verb(store))


def _check_time(clock: SystemClock, seen: Observation | None) -> None:
    # All servers of the tests run on this machine, by its clock.
    wall, mono = clock.wall_ns(), clock.mono_ns()
    assert seen is not None
    assert seen.began_mono_ns <= seen.ended_mono_ns <= mono
    began, ended = (wall - (mono - instant) for instant in (seen.began_mono_ns, seen.ended_mono_ns))
    tolerance = SECOND // 20
    assert seen.store_ns <= ended + tolerance
    assert began - tolerance <= seen.store_ns + seen.grain_ns


def test_threads_do_not_disturb_each_other(store: Store) -> None:
    def work(number: int) -> None:
        key, body = f"backupstore/volumes/{number:02x}/x.lck", b"%d" % number
        for _ in range(5):
            store.put(key, body)
            found = store.read(key)
            assert found is not None
            assert found.body == body
            assert patiently(lambda: names(store, key.rpartition("/")[0])) == ["x.lck"]
            store.delete(key)
            assert store.read(key) is None

    def patiently(ask: Callable[[], list[str]]) -> list[str]:
        # rclone answers 500 while folders beside the one that is listed come and go: said, not hidden.
        for _ in range(20):
            with contextlib.suppress(Unreachable):
                return ask()
        return ask()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(16)))


def test_a_read_is_never_torn(store_case: StoreCase, store: Store) -> None:
    stop, bodies = threading.Event(), {}
    store.put(KEY, b"0")

    def rewrite() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            # Lengths differ widely: a mixture of two versions cannot look like either.
            store.put(KEY, b"%d" % number * (1 + 97 * (number % 7)))

    give_up = time.monotonic() + 60
    with ThreadPoolExecutor(1) as pool:
        writer = pool.submit(rewrite)
        try:
            while len(bodies) < 20 and time.monotonic() < give_up:
                try:
                    found = store.read(KEY)
                except Unreachable:
                    # A failure, but not a lie: rclone answers 500 to a read that meets an overwrite.
                    continue
                if store_case.atomic_overwrite:
                    assert found is not None
                    assert bodies.setdefault(found.etag, found.body) == found.body
                    assert _is_whole(found.body)
                elif found is not None:
                    bodies[found.etag] = found.body
        finally:
            stop.set()
        writer.result()
    assert len(bodies) >= 20
    last = store.read(KEY)
    assert last is not None
    assert _is_whole(last.body)


def _is_whole(body: bytes) -> bool:
    """Whether a body is what `rewrite` wrote for some number."""
    return any(
        body[:length].isdigit() and body == body[:length] * (1 + 97 * (int(body[:length]) % 7))
        for length in range(1, 9)
    )


def test_closing_is_the_end(store_case: StoreCase) -> None:
    store = store_case.make_store(True)
    store.put(KEY, BODY)
    store.close()
