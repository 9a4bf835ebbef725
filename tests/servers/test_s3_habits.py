"""Where S3 stores differ from each other: odd keys, folder markers, probes, versions, stale listings."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from backuplock.clock import SECOND, StoreClock, observe
from backuplock.errors import Conflict, Unsupported
from harness.process import accepts
from harness.proxy import FaultProxy
from harness.s3 import BUCKET, S3Server, raw_client
from harness.sockets import connections_to
from harness.stale import StalePair, start_stale_pair

FOLDER = "backupstore/volumes/2d/af/pvc-1/locks"
KEY = f"{FOLDER}/lock-1.lck"
ALL = ["rclone_http", "rclone_https", "moto", "ceph"]


@pytest.fixture
def server(request: pytest.FixtureRequest) -> S3Server:
    """One of the servers, by name."""
    found: S3Server = request.getfixturevalue(request.param)
    return found


@pytest.mark.parametrize("server", ["moto", "ceph"], indirect=True)
def test_keys_with_control_characters(server: S3Server, prefix: str) -> None:
    """XML 1.0 cannot carry them; listings with EncodingType=url can."""
    store = server.store(prefix)
    names = ["a\tb", "bell\x07", "esc\x1b[31mred", "del\x7f", "nel\x85", "\ufffe"]
    if server.name == "ceph":
        # moto's own routes know no line break in a key.
        names.append("a\nb")
    for name in names:
        store.put(f"{FOLDER}/{name}", name.encode())
    assert [entry.name for entry in store.list(FOLDER).entries] == sorted(names)
    for name in names:
        found = store.read(f"{FOLDER}/{name}")
        assert found is not None
        assert found.body == name.encode()
        store.delete(f"{FOLDER}/{name}")
    assert store.list(FOLDER).entries == ()


@pytest.mark.parametrize("server", ["moto", "ceph"], indirect=True)
def test_folder_markers_are_no_entries(server: S3Server, prefix: str) -> None:
    raw = raw_client(server)
    for marker in ("", f"{FOLDER}/", f"{FOLDER}/sub/", f"{FOLDER}//twice"):
        raw.put_object(Bucket=BUCKET, Key=f"{prefix}/{marker}", Body=b"")
    store = server.store(prefix)
    store.put(KEY, b"x")
    listing = store.list(FOLDER)
    assert [entry.name for entry in listing.entries] == ["lock-1.lck"]
    assert listing.folders == ("sub",)
    root = store.list("")
    assert (root.entries, root.folders) == ((), ("backupstore",))
    raw.close()


@pytest.mark.parametrize("server", ["moto", "ceph"], indirect=True)
def test_an_object_may_have_the_name_of_a_folder(server: S3Server, prefix: str) -> None:
    store = server.store(prefix)
    store.put(f"{FOLDER}/x", b"object")
    store.put(f"{FOLDER}/x/y", b"below")
    listing = store.list(FOLDER)
    assert [entry.name for entry in listing.entries] == ["x"]
    assert listing.folders == ("x",)
    store.delete(f"{FOLDER}/x")
    found = store.read(f"{FOLDER}/x/y")
    assert found is not None
    assert found.body == b"below"


@pytest.mark.parametrize("server", ALL, indirect=True)
def test_a_root_at_the_top_of_the_bucket_stays_apart(server: S3Server, prefix: str) -> None:
    """Two targets in one bucket, one's path the beginning of the other's name."""
    first, second = server.store(prefix), server.store(f"{prefix}2")
    first.put(KEY, b"first")
    second.put(KEY, b"second")
    second.delete(KEY)
    found = first.read(KEY)
    assert found is not None
    assert found.body == b"first"
    assert second.list("").folders == ()


@pytest.mark.parametrize("server", ALL, indirect=True)
def test_pages_are_counted(server: S3Server, prefix: str) -> None:
    store = server.store(prefix)
    store.put(KEY, b"x")
    assert store.list(FOLDER).requests == 1


@pytest.mark.parametrize("server", ALL, indirect=True)
def test_the_servers_clock_is_narrowed_by_many_replies(server: S3Server, prefix: str) -> None:
    """A `Date` is cut to seconds; replies around the turn of a second tell it far more closely."""
    store = server.store(prefix)
    known: StoreClock | None = None
    give_up = time.monotonic() + 60
    while known is None or known.hi - known.lo > SECOND // 2:
        assert time.monotonic() < give_up
        seen = store.list(FOLDER).observed
        assert seen is not None
        known = observe(known, seen, "replies")
        time.sleep(0.07)
    now, wall = time.clock_gettime_ns(time.CLOCK_BOOTTIME), time.time_ns()
    # The servers run on this machine, so the true difference is none.
    skew, error = known.skew(wall_ns=wall, mono_ns=now)
    assert abs(skew) <= error + SECOND // 20


@pytest.mark.parametrize("server", ["rclone_http", "ceph"], indirect=True)
def test_what_is_read_has_whole_seconds_where_listings_have_more(server: S3Server, prefix: str) -> None:
    """Longhorn orders by what HEAD tells, so our order must not see milliseconds."""
    store = server.store(prefix)
    finer = 0
    for number in range(5):
        key = f"{FOLDER}/lock-{number}.lck"
        store.put(key, b"x")
        found = store.read(key)
        assert found is not None
        assert found.modified_ns % SECOND == 0
    for entry in store.list(FOLDER).entries:
        assert entry.modified_ns is not None
        finer += entry.modified_ns % SECOND != 0
    assert finer


@pytest.mark.parametrize("server", ["rclone_http", "moto", "ceph"], indirect=True)
def test_a_probe_leaves_nothing_and_costs_little(server: S3Server, prefix: str) -> None:
    with FaultProxy(server) as proxy:
        store = proxy.server.store(prefix)
        store.probe_conditional("a/scratch")
        assert len(proxy.log) < 60
        assert all(f"/{BUCKET}/{prefix}/a/scratch/probe-" in access.path for access in proxy.log)
    assert server.store(prefix).list("").folders == ()


@pytest.mark.parametrize("server", ["ceph"], indirect=True)
def test_ceph_is_asked_in_the_form_that_it_understands(server: S3Server, prefix: str) -> None:
    """It compares If-Match with the bare etag, so the quoted form always fails."""
    with FaultProxy(server) as proxy:
        store = proxy.server.store(prefix)
        assert store.probe_conditional("scratch").conditional_put == "yes"
        version = store.put(KEY, b"first")
        proxy.forget()
        store.put(KEY, b"second", if_match=version.etag)
        assert proxy.log[0].headers["if-match"] == version.etag
        with pytest.raises(Conflict):
            store.put(KEY, b"third", if_match=version.etag)
        with pytest.raises(Unsupported):
            store.delete(KEY, if_match=version.etag)


@pytest.fixture
def versioned(moto: S3Server, prefix: str) -> Iterator[str]:
    """A bucket that keeps versions."""
    raw = raw_client(moto)
    raw.create_bucket(Bucket=prefix)
    raw.put_bucket_versioning(Bucket=prefix, VersioningConfiguration={"Status": "Enabled"})
    yield prefix
    raw.close()


def test_old_versions_are_not_seen(moto: S3Server, versioned: str) -> None:
    store = moto.store("path", bucket=versioned)
    for body in (b"first", b"second"):
        store.put(KEY, body)
    found = store.read(KEY)
    assert found is not None
    assert found.body == b"second"
    assert len(store.list(FOLDER).entries) == 1
    store.delete(KEY)
    assert store.read(KEY) is None
    assert store.list(FOLDER).entries == ()


@pytest.fixture
def quick_pair(tmp_path: Path) -> Iterator[StalePair]:
    """A pair that is stale for a shorter time than the one for tests of locks."""
    pair = start_stale_pair(tmp_path / "data", tmp_path, stale_s=4)
    yield pair
    pair.stop()


def test_a_stale_pair_shows_what_is_gone(quick_pair: StalePair, prefix: str) -> None:
    """The tests of locks rely on this: the pair really is stale, and it heals."""
    left, right = quick_pair.left.store(prefix), quick_pair.right.store(prefix)
    left.put(KEY, b"x")
    wait_for(lambda: right.list(FOLDER).entries)
    left.put(f"{FOLDER}/lock-2.lck", b"y")
    assert [entry.name for entry in right.list(FOLDER).entries] == ["lock-1.lck"]
    assert len(left.list(FOLDER).entries) == 2
    wait_for(lambda: len(right.list(FOLDER).entries) == 2)
    left.delete(KEY)
    assert len(right.list(FOLDER).entries) == 2
    wait_for(lambda: len(right.list(FOLDER).entries) == 1)
    # The probe says that conditions are not honoured, so nothing can lean on them.
    assert left.probe_conditional("scratch").conditional_put == "no"


def test_closing_gives_connections_back(rclone_http: S3Server, prefix: str) -> None:
    port = int(rclone_http.endpoint.rpartition(":")[2])
    store = rclone_http.store(prefix)
    # The first shows the way past boto3, whose pool then has a second holder.
    store.list(FOLDER)
    threads = [threading.Thread(target=store.list, args=(FOLDER,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert accepts(port)
    assert connections_to(port) > 0
    store.close()
    wait_for(lambda: connections_to(port) == 0)


def wait_for(condition: Callable[[], object], deadline_s: float = 40.0) -> None:
    """Wait until something is true."""
    give_up = time.monotonic() + deadline_s
    while not condition():
        assert time.monotonic() < give_up
        time.sleep(0.05)
