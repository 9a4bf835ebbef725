"""The rival: a sweep as one writes it with boto3, folder by folder; and the same, one request at a time."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from harness.s3 import BUCKET, S3Server, raw_client


@dataclass(frozen=True, slots=True)
class Swept:
    """What it found, and how many requests it took."""

    volumes: int
    bodies: int
    requests: int


class PlainSweep:
    """Lists the two levels, then each volume's `locks/`, and reads every lock and its volume's names."""

    def __init__(self, server: S3Server, prefix: str, threads: int) -> None:
        # Clients for tests connect ten times at once; a plain program would set this.
        self._client = raw_client(server, max_pool_connections=max(10, threads))
        self._root = f"{prefix}/backupstore/volumes/"
        self._threads = threads

    def __call__(self) -> Swept:
        with ThreadPoolExecutor(self._threads) as pool:
            firsts, _ = self._list(self._root)
            seconds = [name for names, _ in pool.map(self._list, firsts) for name in names]
            volumes = [name for names, _ in pool.map(self._list, seconds) for name in names]
            locks = [
                key for _, keys in pool.map(self._list, (f"{name}locks/" for name in volumes)) for key in keys
            ]
            held = {key.rpartition("locks/")[0] for key in locks}
            reads = [*locks, *(f"{name}volume.cfg" for name in held)]
            bodies = len(list(pool.map(self._read, reads)))
        return Swept(len(volumes), bodies, 1 + len(firsts) + len(seconds) + len(volumes) + bodies)

    def _list(self, prefix: str) -> tuple[list[str], list[str]]:
        folders: list[str] = []
        keys: list[str] = []
        for page in self._pages(prefix):
            folders += [found["Prefix"] for found in page.get("CommonPrefixes", ())]
            keys += [found["Key"] for found in page.get("Contents", ())]
        return folders, keys

    def _pages(self, prefix: str) -> Iterator[Any]:
        pages = self._client.get_paginator("list_objects_v2")
        yield from pages.paginate(Bucket=BUCKET, Prefix=prefix, Delimiter="/")

    def _read(self, key: str) -> bytes:
        body: bytes = self._client.get_object(Bucket=BUCKET, Key=key)["Body"].read()
        return body
