"""What every store promises to those who only read, checked on every store; a recording is one of them."""

from __future__ import annotations

import contextlib
from concurrent.futures import ThreadPoolExecutor

import pytest

from backuplock import layout
from backuplock.clock import SECOND
from backuplock.errors import Irregular, ReadOnly, TooLarge
from backuplock.stores.base import Store
from harness.store_cases import ReadingCase

VOLUME = layout.volume_folder("pvc-1")
FOLDER = layout.locks_folder("pvc-1")
KEY = f"{FOLDER}/lock-9f2c41d07be35a18.lck"
BODY = b'{"Name":"lock-9f2c41d07be35a18","Type":2,"Acquired":true}'


def names(store: Store, folder: str) -> list[str]:
    return [entry.name for entry in store.list(folder).entries]


def test_where_nothing_is_nothing_is_found(reading: ReadingCase) -> None:
    store = reading.show({})
    for folder in ("", FOLDER, VOLUME, "backupstore"):
        listing = store.list(folder)
        assert (listing.entries, listing.folders) == ((), ())
    assert store.read(KEY) is None


def test_what_lies_there_is_read(reading: ReadingCase) -> None:
    bodies = (BODY, b"", bytes(range(256)), b"\r\n\xff\xfe", b"null", b"x" * 4000)
    objects = {layout.lock_key("pvc-1", f"lock-{n:016x}"): body for n, body in enumerate(bodies)}
    store = reading.show(objects)
    for key, body in objects.items():
        found = store.read(key)
        assert found is not None
        assert found.body == body
    assert store.read(KEY) is None
    assert store.read(KEY[:-1]) is None
    assert store.read(next(iter(objects)) + "x") is None


def test_read_and_listing_tell_the_same(reading: ReadingCase) -> None:
    store = reading.show({KEY: BODY})
    found = store.read(KEY)
    (entry,) = store.list(FOLDER).entries
    assert found is not None
    assert found.etag == entry.etag != ""
    assert '"' not in found.etag
    assert entry.size == len(BODY)
    assert entry.regular
    assert entry.modified_ns is not None
    assert abs(entry.modified_ns - found.modified_ns) <= SECOND
    assert found.modified_ns % store.capabilities.grain_ns == 0
    again = store.read(KEY)
    assert again is not None
    assert (again.body, again.etag, again.modified_ns) == (found.body, found.etag, found.modified_ns)


def test_a_listing_shows_one_level_sorted(reading: ReadingCase) -> None:
    files = ["b1.lck", "a1.lck", "C1.lck", "a1-.lck"]
    store = reading.show({f"{FOLDER}/{name}": BODY for name in files})
    assert names(store, FOLDER) == sorted(files)
    assert store.list(FOLDER).folders == ()
    path = VOLUME.split("/")
    for depth in range(len(path)):
        listing = store.list("/".join(path[:depth]))
        assert (listing.entries, listing.folders) == ((), (path[depth],))
    assert store.list(VOLUME).folders == ("locks",)


def test_folders_with_a_common_beginning_are_not_confused(reading: ReadingCase) -> None:
    volumes = ("pvc-1", "pvc-10", "pvc-1.a", "pvc-")
    objects = {f"{VOLUME[:-5]}{volume}/locks/lock-{volume}.lck": BODY for volume in volumes}
    store = reading.show(objects)
    assert store.list(VOLUME[:-6]).folders == tuple(sorted(volumes))
    for volume in volumes:
        assert names(store, f"{VOLUME[:-5]}{volume}/locks") == [f"lock-{volume}.lck"]
    for absent in (VOLUME[:-2], f"{VOLUME}/lock", f"{VOLUME}/lockss", f"{VOLUME}1/locks"):
        assert store.list(absent).entries == ()


def test_a_listing_goes_on_after_a_thousand(reading: ReadingCase) -> None:
    wanted = [f"lock-{number:016x}.lck" for number in range(1003)]
    store = reading.show({f"{FOLDER}/{name}": BODY for name in wanted})
    listing = store.list(FOLDER)
    assert [entry.name for entry in listing.entries] == wanted
    assert all(entry.size == len(BODY) for entry in listing.entries)
    assert listing.requests >= 1


def test_reading_is_bounded(reading: ReadingCase) -> None:
    store = reading.show({KEY: b"x" * 100})
    found = store.read(KEY, cap=100)
    assert found is not None
    assert len(found.body) == 100
    with pytest.raises(TooLarge, match="99"):
        store.read(KEY, cap=99)
    assert store.read(KEY) is not None


def test_a_folder_is_no_object(reading: ReadingCase) -> None:
    store = reading.show({KEY: BODY})
    # An object store knows no folders: nothing is there. A file system sees what is there instead.
    with contextlib.suppress(Irregular):
        assert store.read(FOLDER) is None
    with contextlib.suppress(Irregular):
        assert store.list(KEY).entries == ()


def test_nothing_is_written(reading: ReadingCase) -> None:
    store = reading.show({KEY: BODY})
    assert not store.capabilities.writable
    for attempt in (
        lambda: store.put(KEY, b"other"),
        lambda: store.put(KEY, b"other", if_absent=True),
        lambda: store.put(f"{FOLDER}/new.lck", b"other"),
        lambda: store.delete(KEY),
        lambda: store.delete(KEY, if_match="x"),
    ):
        with pytest.raises(ReadOnly):
            attempt()
    found = store.read(KEY)
    assert found is not None
    assert found.body == BODY
    assert names(store, FOLDER) == [KEY.rpartition("/")[2]]


def test_what_is_told_of_the_stores_time_begins_before_it_ends(reading: ReadingCase) -> None:
    store = reading.show({KEY: BODY})
    found = store.read(KEY)
    assert found is not None
    for seen in (found.observed, store.list(FOLDER).observed):
        # A file system that is only read says nothing of its clock.
        if seen is not None:
            assert seen.began_mono_ns <= seen.ended_mono_ns
            assert seen.grain_ns >= 1
            assert found.modified_ns <= seen.store_ns + seen.grain_ns + SECOND


def test_many_may_read_at_once(reading: ReadingCase) -> None:
    objects = {layout.lock_key("pvc-1", f"lock-{n:016x}"): b"%d" % n for n in range(40)}
    store = reading.show(objects)

    def look(key: str) -> bytes:
        assert len(store.list(FOLDER).entries) == len(objects)
        found = store.read(key)
        assert found is not None
        return found.body

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(look, objects)) == list(objects.values())
