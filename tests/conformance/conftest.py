"""`store_case`: the suite's parameter, one value for each kind of store."""

from __future__ import annotations

from pathlib import Path

import pytest

from backuplock.stores.base import Store
from harness.store_cases import StoreCase, filesystem_case, memory_case, s3_case

_S3 = {
    # name: fixture, conditional put, conditional delete
    "s3-rclone-http": ("rclone_http", "no", "no"),
    "s3-rclone-https": ("rclone_https", "no", "no"),
    "s3-moto": ("moto", "yes", "yes"),
    "s3-ceph": ("ceph", "yes", "no"),
}


@pytest.fixture(params=["memory", "filesystem", *_S3])
def store_case(request: pytest.FixtureRequest, tmp_path: Path, prefix: str) -> StoreCase:
    """A kind of store, on a root that no other test uses."""
    if request.param == "memory":
        return memory_case()
    if request.param == "filesystem":
        return filesystem_case(tmp_path)
    server, put, delete = _S3[request.param]
    return s3_case(request.getfixturevalue(server), prefix, put, delete)


@pytest.fixture
def store(store_case: StoreCase) -> Store:
    """A writable store of the case."""
    return store_case.make_store(True)
