"""As much of HTTP/1.1 as a proxy for tests needs."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import formatdate
from http import HTTPStatus
from urllib.parse import urlsplit


@dataclass
class Head:
    """A first line and its fields, names in lower case."""

    line: str
    fields: dict[str, str]

    @property
    def method(self) -> str:
        return self.line.split(" ")[0]

    @property
    def target(self) -> str:
        return self.line.split(" ")[1]

    @property
    def path(self) -> str:
        """Path and query, also of an absolute URL."""
        if self.target.startswith("/"):
            return self.target
        parts = urlsplit(self.target)
        return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")

    @property
    def status(self) -> int:
        return int(self.line.split(" ")[1])

    def get(self, name: str) -> str:
        return self.fields.get(name, "")

    def set_all(self, changes: Mapping[str, str | None]) -> None:
        """Set fields; None removes one."""
        for name, value in changes.items():
            self.fields.pop(name.lower(), None)
            if value is not None:
                self.fields[name.lower()] = value

    def encode(self) -> bytes:
        lines = [self.line, *(f"{name}: {value}" for name, value in self.fields.items())]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


async def read_head(reader: asyncio.StreamReader) -> Head | None:
    """The next head, None at the end of the connection."""
    try:
        raw = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    line, *rest = raw[:-4].decode("latin-1").split("\r\n")
    pairs = (field.split(":", 1) for field in rest)
    return Head(line, {name.strip().lower(): value.strip() for name, value in pairs})


async def read_body(reader: asyncio.StreamReader, head: Head, *, to_end: bool = False) -> bytes:
    """The body that belongs to a head; with `to_end`, one without a length lasts until the end."""
    if head.get("content-length"):
        return await reader.readexactly(int(head.get("content-length")))
    if "chunked" in head.get("transfer-encoding"):
        parts = []
        while size := int((await reader.readline()).split(b";")[0], 16):
            parts.append(await reader.readexactly(size))
            await reader.readexactly(2)
        while (await reader.readline()).strip():
            pass
        return b"".join(parts)
    return await reader.read() if to_end else b""


def error_page(status: int, code: str, body: bytes | None) -> tuple[Head, bytes]:
    """An answer of the proxy's own: an S3 error of `code`, or any `body`; 204 and 304 have none."""
    if body is None and code:
        text = f"<Error><Code>{code}</Code><Message>injected</Message><RequestId>1</RequestId></Error>"
        body = f'<?xml version="1.0" encoding="UTF-8"?>\n{text}'.encode()
    body = b"" if body is None or status in (204, 304) else body
    kind = "application/xml" if body.startswith(b"<?xml") else "text/html"
    phrase = HTTPStatus(status).phrase if status in set(HTTPStatus) else "Unknown"
    fields = {"content-type": kind, "date": formatdate(usegmt=True)}
    if status not in (204, 304):
        fields["content-length"] = str(len(body))
    return Head(f"HTTP/1.1 {status} {phrase}", fields), body
