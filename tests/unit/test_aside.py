"""Renaming within a store of files: whole, and never over anything."""

from __future__ import annotations

import errno
import os
import threading
from pathlib import Path

import pytest

from backuplock.errors import Conflict, Malformed, ReadOnly
from backuplock.stores.base import Aside, aside_of
from backuplock.stores.filesystem import FilesystemStore
from backuplock.stores.memory import MemoryStore

KEY = "backupstore/volumes/7e/ed/pvc-1/locks/lock-1.lck"
TO = "backupstore/.locktop/quarantine/a.file"


@pytest.fixture
def store(tmp_path: Path) -> FilesystemStore:
    return FilesystemStore(tmp_path, writable=True)


@pytest.fixture
def aside(store: FilesystemStore) -> Aside:
    found = aside_of(store)
    assert found is not None
    return found


@pytest.fixture(params=[True, False], ids=["links", "no links"])
def links(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """As on file systems that have hard links, and as on those that refuse them (CIFS, FUSE)."""
    if not request.param:

        def refuse(*_: object, **__: object) -> None:
            raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))

        monkeypatch.setattr(os, "link", refuse)
    return bool(request.param)


def body(store: FilesystemStore, key: str) -> bytes | None:
    blob = store.read(key)
    return None if blob is None else blob.body


def test_an_object_store_has_nothing_like_it() -> None:
    assert aside_of(MemoryStore()) is None


def test_away_and_back_keeps_body_and_time(store: FilesystemStore, aside: Aside, links: bool) -> None:
    made = store.put(KEY, b"x")
    assert aside.put_aside(KEY, TO)
    assert body(store, KEY) is None
    moved = store.read(TO)
    assert moved is not None
    assert (moved.body, moved.modified_ns, moved.etag) == (b"x", made.modified_ns, made.etag)
    assert aside.put_back(TO, KEY)
    back = store.read(KEY)
    assert back is not None
    assert back.modified_ns == made.modified_ns
    assert body(store, TO) is None


def test_what_is_not_there_is_not_moved(store: FilesystemStore, aside: Aside) -> None:
    assert not aside.put_aside(KEY, TO)
    store.put(KEY.replace("lock-1", "lock-2"), b"x")
    assert not aside.put_aside(KEY, TO)
    with pytest.raises(Conflict, match="not there any more"):
        aside.put_back(TO, KEY)


def test_nothing_is_ever_replaced(store: FilesystemStore, aside: Aside, links: bool) -> None:
    store.put(KEY, b"old")
    store.put(TO, b"kept")
    with pytest.raises(Conflict):
        aside.put_aside(KEY, TO)
    assert (body(store, KEY), body(store, TO)) == (b"old", b"kept")
    assert not aside.put_back(TO, KEY)
    assert (body(store, KEY), body(store, TO)) == (b"old", b"kept")
    with pytest.raises(Conflict, match="it is there already"):
        aside.create(KEY, b"new")
    assert body(store, KEY) == b"old"
    assert [entry.name for entry in store.list(KEY.rpartition("/")[0]).entries] == ["lock-1.lck"]


def test_a_new_file_has_a_fresh_time_and_leaves_nothing_beside_it(
    store: FilesystemStore, aside: Aside, links: bool
) -> None:
    version = aside.create(KEY, b"new")
    found = store.read(KEY)
    assert found is not None
    assert (found.body, found.modified_ns, found.etag) == (b"new", version.modified_ns, version.etag)
    assert [entry.name for entry in store.list(KEY.rpartition("/")[0]).entries] == ["lock-1.lck"]


def test_tidying_takes_empty_folders_only(store: FilesystemStore, aside: Aside, tmp_path: Path) -> None:
    store.put(KEY, b"x")
    aside.tidy(KEY)
    assert body(store, KEY) == b"x"
    aside.put_aside(KEY, TO)
    aside.tidy(KEY)
    assert not (tmp_path / "backupstore/volumes").exists()
    assert body(store, TO) == b"x"


def test_for_reading_only_nothing_moves(store: FilesystemStore, tmp_path: Path) -> None:
    store.put(KEY, b"x")
    closed = aside_of(FilesystemStore(tmp_path))
    assert closed is not None
    for attempt in (
        lambda: closed.put_aside(KEY, TO),
        lambda: closed.put_back(KEY, TO),
        lambda: closed.create(TO, b""),
        lambda: closed.tidy(KEY),
    ):
        with pytest.raises(ReadOnly):
            attempt()
    assert body(store, KEY) == b"x"


@pytest.mark.parametrize("key", ["../x", "a/../../x", "/etc/x", ""])
def test_no_key_leaves_the_root(aside: Aside, key: str) -> None:
    with pytest.raises(Malformed):
        aside.put_aside(key, TO)
    with pytest.raises(Malformed):
        aside.put_back(TO, key)


def test_one_of_many_gets_it_while_folders_come_and_go(store: FilesystemStore, aside: Aside) -> None:
    for number in range(30):
        store.put(KEY, b"%d" % number)
        barrier = threading.Barrier(4)
        won: list[bool] = []

        def take(name: str, barrier: threading.Barrier = barrier, won: list[bool] = won) -> None:
            barrier.wait()
            won.append(aside.put_aside(KEY, f"{TO}-{name}"))
            aside.tidy(KEY)

        threads = [threading.Thread(target=take, args=(f"{number}-{n}",)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(won) == [False, False, False, True]
