"""An S3 server for listings whose keys are made up as they are asked for: stores of any size, at once.

It knows LIST (with a delimiter, from a point on) and GET of small objects, and checks no signature.
"""

from __future__ import annotations

import hashlib
import http.server
import threading
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit

from backuplock import layout
from harness.s3 import S3Server

_TIME = "2026-01-01T00:00:00.000Z"
_HTTP_TIME = "Thu, 01 Jan 2026 00:00:00 GMT"


@dataclass(frozen=True)
class MadeUp:
    """What is to be in the store: so many volumes, of each so many backups and blocks, every `locked`th with
    a lock; and one more with `large` blocks, where that is not 0."""

    volumes: int
    blocks: int
    large: int = 0
    backups: int = 3
    locked: int = 10
    folders: dict[str, int] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        names = {layout.volume_folder(f"pvc-{n:06d}"): n for n in range(self.volumes)}
        if self.large:
            names[layout.volume_folder("large")] = -1
        # In the order of their keys; no name here is the beginning of another.
        self.folders.update(sorted(names.items()))


class Contents:
    """The keys of a made-up store, in order and without any of them being kept."""

    def __init__(self, made_up: MadeUp, prefix: str) -> None:
        self._made_up = made_up
        self._prefix = f"{prefix}/"
        self._folders = list(made_up.folders)

    def after(self, point: str, *, included: bool = False) -> Iterator[str]:
        """Keys behind a point, or from it on."""
        point = point if point >= self._prefix else self._prefix
        below = point[len(self._prefix) :] if point.startswith(self._prefix) else "\U0010ffff"
        at = max(0, bisect_right(self._folders, below) - 1)
        for index in range(at, len(self._folders)):
            folder = self._folders[index]
            inside = self._inside(folder)
            whole = f"{self._prefix}{folder}/"
            search = bisect_left if included else bisect_right
            first = search(range(len(inside)), point, key=lambda n: whole + inside[n])
            for number in range(first, len(inside)):
                yield whole + inside[number]

    def _inside(self, folder: str) -> _Inside:
        number = self._made_up.folders[folder]
        made = self._made_up
        blocks = made.large if number < 0 else made.blocks
        return _Inside(made.backups, blocks, number >= 0 and number % made.locked == 0)


@dataclass(frozen=True, slots=True)
class _Inside:
    backups: int
    blocks: int
    locked: bool

    def __len__(self) -> int:
        return self.backups + self.blocks + self.locked + 1

    def __getitem__(self, number: int) -> str:
        if number < self.backups:
            return f"backups/backup_backup-{number:016x}.cfg"
        number -= self.backups
        if number < self.blocks:
            return f"blocks/{number >> 16:02x}/{number >> 8 & 255:02x}/{number:064x}.blk"
        return "locks/lock-0000000000000001.lck" if self.locked and number == self.blocks else "volume.cfg"


def _bodies(key: str) -> bytes:
    return b"{}" if key.endswith(".cfg") else b'{"Name":"lock-0000000000000001","Type":1,"Acquired":true}'


class ListingServer:
    """Serves it on loopback, as a context; the value is an `S3Server`."""

    def __init__(self, made_up: MadeUp, prefix: str = "fleet") -> None:
        contents = Contents(made_up, prefix)

        class Handler(_Handler):
            store = contents

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> S3Server:
        self._thread.start()
        return S3Server("listing", f"http://127.0.0.1:{self._server.server_address[1]}", checks_keys=False)

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    store: Contents

    def setup(self) -> None:
        super().setup()
        # A reply in two pieces would otherwise wait for the client's delayed acknowledgement.
        self.connection.setsockopt(6, 1, 1)

    def log_message(self, *_: Any) -> None:
        """Nothing."""

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
        if "list-type" in query:
            self._reply(self._list(query), {"Content-Type": "application/xml"})
            return
        key = unquote(parts.path).lstrip("/").partition("/")[2]
        if next(self.store.after(key, included=True), None) != key:
            self._reply(b"<Error><Code>NoSuchKey</Code></Error>", {}, 404)
            return
        body = _bodies(key)
        self._reply(body, {"ETag": f'"{_etag(body)}"', "Last-Modified": _HTTP_TIME})

    def _list(self, query: dict[str, str]) -> bytes:
        prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
        limit = min(1000, int(query.get("max-keys", "1000")))
        point = query.get("continuation-token") or query.get("start-after", "")
        found: list[str] = []
        more = False
        keys = self.store.after(max(point, prefix), included=point < prefix)
        while (key := next(keys, None)) is not None and key.startswith(prefix):
            if len(found) == limit:
                more = True
                break
            head, cut, _ = key[len(prefix) :].partition(delimiter) if delimiter else (key, "", "")
            if cut:
                folder = f"{prefix}{head}{delimiter}"
                found.append(f"<CommonPrefixes><Prefix>{quote(folder)}</Prefix></CommonPrefixes>")
                point = f"{folder}\U0010ffff"
                keys = self.store.after(point)
            else:
                found.append(_contents(key))
                point = key
        token = f"<NextContinuationToken>{point}</NextContinuationToken>" if more else ""
        return (
            f"<ListBucketResult><Name>b</Name><EncodingType>url</EncodingType>{token}"
            f"<IsTruncated>{str(more).lower()}</IsTruncated>{''.join(found)}</ListBucketResult>"
        ).encode()

    def _reply(self, body: bytes, headers: dict[str, str], status: int = 200) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


def _contents(key: str) -> str:
    body = _bodies(key)
    size = 2 << 20 if key.endswith(".blk") else len(body)
    return (
        f"<Contents><Key>{quote(key)}</Key><LastModified>{_TIME}</LastModified>"
        f'<ETag>"{_etag(body)}"</ETag><Size>{size}</Size></Contents>'
    )


def _etag(body: bytes) -> str:
    return hashlib.md5(body, usedforsecurity=False).hexdigest()
