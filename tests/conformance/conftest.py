"""`store_case`: the suite's parameter, one value for each kind of store."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from backuplock.journal import Journal
from backuplock.stores.base import Known, Store
from harness.store_cases import (
    ReadingCase,
    StoreCase,
    azure_case,
    filesystem_case,
    memory_case,
    planted_case,
    reading_case,
    replay_case,
    s3_case,
)

if TYPE_CHECKING:
    from harness.s3 import S3Server

_S3: dict[str, tuple[str, Known, Known]] = {
    # name: fixture, conditional put, conditional delete
    "s3-rclone-http": ("rclone_http", "no", "no"),
    "s3-rclone-https": ("rclone_https", "no", "no"),
    "s3-moto": ("moto", "yes", "yes"),
    "s3-ceph": ("ceph", "yes", "no"),
}
_READ = {**_S3, "s3-rclone-boto3": ("rclone_http", "no", "no")}
"""Writes go through boto3 in any case."""


def _server(request: pytest.FixtureRequest, param: str) -> tuple[S3Server, Known, Known]:
    """The server of a case, and what a probe must find. "-boto3": all its requests go through boto3."""
    name, put, delete = _READ[param]
    server: S3Server = request.getfixturevalue(name)
    return dataclasses.replace(server, fast_reads=not param.endswith("-boto3")), put, delete


@pytest.fixture(params=["memory", "filesystem", "azurite", *_S3])
def store_case(request: pytest.FixtureRequest, tmp_path: Path, prefix: str) -> StoreCase:
    """A kind of store, on a root that no other test uses."""
    if request.param == "memory":
        return memory_case()
    if request.param == "filesystem":
        return filesystem_case(tmp_path)
    if request.param == "azurite":
        return azure_case(request.getfixturevalue("azurite"), prefix)
    server, put, delete = _server(request, request.param)
    return s3_case(server, prefix, put, delete)


@pytest.fixture(params=["memory", "replay", "filesystem", "azurite", *_READ])
def reading(request: pytest.FixtureRequest, tmp_path: Path, prefix: str) -> Iterator[ReadingCase]:
    """A kind of store to read from, on a root that no other test uses."""
    if request.param == "replay":
        journal = Journal.open(tmp_path / "journal.db")
        yield replay_case(journal)
        journal.close()
    elif request.param == "memory":
        yield planted_case()
    elif request.param == "filesystem":
        yield reading_case(filesystem_case(tmp_path))
    elif request.param == "azurite":
        yield reading_case(azure_case(request.getfixturevalue("azurite"), prefix))
    else:
        server, put, delete = _server(request, request.param)
        yield reading_case(s3_case(server, prefix, put, delete))


@pytest.fixture
def store(store_case: StoreCase) -> Store:
    """A writable store of the case."""
    return store_case.make_store(True)
