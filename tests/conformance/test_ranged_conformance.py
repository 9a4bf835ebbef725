"""Every store that offers its keys in order gives them in the order of their bytes, from any point on."""

from __future__ import annotations

import pytest

from backuplock.errors import Missing
from backuplock.stores.base import Ranged, Store, ranged_of, rolling_of
from backuplock.stores.memory import MemoryStore
from harness.s3 import S3Server
from harness.store_cases import put_all

FOLDERS = ("a", "a-b", "a.b", "a0", "a b", "a+b", "a%41", "ab", "é", "\U0001f512", "\ufffd", "~")
KEYS = sorted(
    f"r/{folder}/{name}" for folder in FOLDERS for name in ("b/x", "l/1.lck", "l-old/x", "l.bak", "v")
)

POINTS = (
    *("q", "r/", "r/a/l", "r/a/l/", "r/a/l/\U0010fffd", "r/a/l0", "r/a b/l", "r/a%41/l", "r/a+b/l"),
    *("r/é/l", "r/\U0001f512/l", "s"),
)


@pytest.fixture(scope="module", params=["memory", "rclone_http", "moto", "ceph", "moto-boto3"])
def store(request: pytest.FixtureRequest) -> Store:
    """A store of each kind, with `KEYS` and something on either side of them."""
    objects = {key: b"{}" for key in (*KEYS, "q/x", "r", "s/x") if request.param == "memory" or key != "r"}
    if request.param == "memory":
        memory = MemoryStore(ranged=True)
        put_all(memory, objects)
        return memory
    name, _, through = request.param.partition("-")
    server: S3Server = request.getfixturevalue(name)
    store = server.store(f"test-ranged{through}", fast_reads=not through)
    put_all(store, objects)
    return store


@pytest.fixture
def ranged(store: Store) -> Ranged:
    """What that store offers."""
    found = ranged_of(store)
    assert found is not None
    return found


def paged(ranged: Ranged, limit: int, after: str = "") -> list[str]:
    """All keys, each page beginning behind the last key of the one before."""
    names: list[str] = []
    while True:
        page = ranged.keys("r/", after, limit)
        names += [entry.name for entry in page.entries]
        assert len(page.entries) <= limit
        if not page.more:
            return names
        after = names[-1]


def test_pages_follow_one_another_without_a_gap(ranged: Ranged) -> None:
    for limit in (3, 7, 1000):
        assert paged(ranged, limit) == KEYS


def test_it_begins_behind_a_point_that_need_not_be_a_key(ranged: Ranged) -> None:
    for after in POINTS:
        assert paged(ranged, 20, after) == [key for key in KEYS if key > after], after


def test_a_prefix_may_end_within_a_name(ranged: Ranged) -> None:
    page = ranged.keys("r/a-", "", 100)
    assert [entry.name for entry in page.entries] == [key for key in KEYS if key.startswith("r/a-")]
    assert ranged.keys("r/none", "", 100).entries == ()


def test_what_it_tells_of_a_key_is_what_a_folder_tells(store: Store, ranged: Ranged) -> None:
    page = ranged.keys("r/a/l/", "", 100)
    (listed,) = store.list("r/a/l").entries
    (entry,) = page.entries
    assert (entry.name, entry.size, entry.modified_ns, entry.etag) == (
        f"r/a/l/{listed.name}",
        listed.size,
        listed.modified_ns,
        listed.etag,
    )
    assert page.observed is not None


@pytest.mark.parametrize("server", ["rclone_http", "moto"])
def test_a_bucket_that_is_not_there_is_no_empty_one(server: str, request: pytest.FixtureRequest) -> None:
    found = ranged_of(request.getfixturevalue(server).store("x", bucket="no-such-bucket"))
    assert found is not None
    with pytest.raises(Missing):
        found.keys("r/", "", 5)


@pytest.mark.parametrize("server", ["moto", "ceph"])
def test_what_lies_in_blocks_is_left_out_where_a_store_can(
    server: str, request: pytest.FixtureRequest
) -> None:
    store = request.getfixturevalue(server).store("test-rolled")
    keys = [f"r/{volume}/{name}" for volume in ("a", "a b", "é") for name in ("b/x", "l/1.lck", "v")]
    blocks = [f"r/{volume}/blocks/{n}" for volume in ("a", "a b", "é") for n in range(5)]
    put_all(store, dict.fromkeys((*keys, *blocks), b"{}"))
    rolling = rolling_of(store)
    assert rolling is not None
    wanted = sorted([*keys, *(f"r/{volume}/blocks/" for volume in ("a", "a b", "é"))])
    for limit in (1, 2, 4, 1000):
        names: list[str] = []
        after, more = "", True
        while more:
            page = rolling.rolled("r/", after, limit)
            assert page is not None
            assert len(page.entries) <= limit
            names += [entry.name for entry in page.entries]
            more = page.more
            after = names[-1] + ("\U0010fffd" if names[-1].endswith("/") else "")
        assert names == wanted, limit


def test_a_store_that_cuts_keys_elsewhere_is_not_asked_again(rclone_http: S3Server) -> None:
    store = rclone_http.store("test-uncut")
    put_all(store, {"r/a/blocks/1": b"", "r/a/v": b"", "r/b/v": b""})
    rolling = rolling_of(store)
    assert rolling is not None
    assert rolling.rolled("r/", "", 1000) is None
    asked = store.list("r")
    assert rolling.rolled("r/", "", 1000) is None
    assert set(asked.folders) == {"a", "b"}
