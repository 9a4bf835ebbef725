"""The sweep by keys in order against real servers: the same picture as by folders, for far fewer requests."""

from __future__ import annotations

import uuid

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from backuplock import layout
from backuplock.survey import sweep
from harness.fleets import LOCK, ByFolders, content, shapes
from harness.proxy import FaultProxy, Rule
from harness.s3 import S3Server
from harness.store_cases import put_all

BASE = layout.VOLUMES


@pytest.mark.parametrize("server", ["rclone_http", "moto"])
def test_generated_stores_look_alike_by_keys_and_by_folders(
    server: str, request: pytest.FixtureRequest
) -> None:
    served: S3Server = request.getfixturevalue(server)

    @settings(
        deadline=None,
        max_examples=8,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(shapes(odd=False))
    def compared(objects: dict[str, bytes]) -> None:
        store = served.store(f"test-{uuid.uuid4().hex[:12]}")
        try:
            put_all(store, objects)
            fast = sweep(store)
            assert content(fast) == content(sweep(ByFolders(store)))
            assert store.capabilities.ranged == "unproven"
            again = sweep(store, fast)
            assert (content(again), again.bodies_read) == (content(fast), 0)
        finally:
            store.close()

    compared()


def test_a_store_that_ignores_the_point_is_listed_by_folders(
    proxy: FaultProxy, rclone_http: S3Server, prefix: str
) -> None:
    """The proxy gives the first page whatever is asked for, as stores do that do not know StartAfter."""
    objects = {
        f"{BASE}/{n:02x}/00/v-{m}/blocks/{b:02}": b"" for n in range(4) for m in range(3) for b in range(20)
    }
    objects |= {f"{BASE}/{n:02x}/00/v-{m}/locks/lock-1.lck": LOCK for n in range(4) for m in range(3)}
    put_all(rclone_http.store(prefix), objects)
    store = proxy.server.store(prefix, writable=False)
    page = rclone_http.store(prefix).ranged.keys(f"{BASE}/00/", "", 4)
    listed = "".join(
        f"<Contents><Key>{prefix}/{entry.name}</Key><Size>0</Size><ETag>x</ETag>"
        "<LastModified>2026-01-01T00:00:00Z</LastModified></Contents>"
        for entry in page.entries
    )
    body = f"<ListBucketResult><Name>b</Name><IsTruncated>true</IsTruncated>{listed}</ListBucketResult>"
    with proxy.failing(Rule(path="start-after", status=200, body=body.encode())):
        seen = sweep(store)
    assert (len(seen.locks), len(seen.volumes), seen.complete) == (12, 12, True)
    assert store.capabilities.ranged == "no"


def test_where_only_folders_may_be_listed_they_are(
    proxy: FaultProxy, rclone_http: S3Server, prefix: str
) -> None:
    """Policies can tie the right to list to a delimiter."""
    put_all(rclone_http.store(prefix), {f"{BASE}/00/00/v/locks/lock-1.lck": LOCK})
    store = proxy.server.store(prefix, writable=False)
    with proxy.failing(Rule(method="GET", path="max-keys", status=403, code="AccessDenied")):
        seen = sweep(store)
    assert (len(seen.locks), seen.complete) == (1, True)
    assert store.capabilities.ranged == "no"


def test_a_second_sweep_of_unchanged_locks_reads_nothing(
    proxy: FaultProxy, rclone_http: S3Server, prefix: str
) -> None:
    objects = {f"{BASE}/{n:02x}/00/v/blocks/{b:02}": b"" for n in range(64) for b in range(8)}
    objects |= {f"{BASE}/{n:02x}/00/v/locks/lock-1.lck": LOCK for n in range(64)}
    objects |= {f"{BASE}/{n:02x}/00/v/volume.cfg": b"{}" for n in range(64)}
    put_all(rclone_http.store(prefix), objects)
    store = proxy.server.store(prefix, writable=False)
    first = sweep(store)
    proxy.forget()
    second = sweep(store, first)
    assert (second.bodies_read, content(second)) == (0, content(first))
    assert len(proxy.log) == second.requests <= 64 + 16 + 8
    assert all("list-type=2" in access.path for access in proxy.log)
