"""A proxy that stands before a server and fails by rule, with a log of every request.

It runs an asyncio loop in a thread of its own, so tests set rules while clients run. It serves as a
stand-in for the server (its own address as endpoint) and as an HTTP proxy (absolute URLs and CONNECT, all
of which lead to the one server behind it).
"""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlsplit

from harness.http import Head, error_page, read_body, read_head
from harness.s3 import S3Server

Where = Literal["", "request", "reply"]


@dataclass(eq=False)
class Rule:
    """What happens to requests that match; the first rule that matches counts.

    Attributes:
        method: "GET", "PUT", ...; empty for all.
        path: regular expression, searched for in path and query.
        times: how many requests it applies to; None for all.
        latency_s: wait before the request is passed on, which then happens even if the client has left.
        hang: say nothing more, before the request was passed on or before its reply, until the rule is
            taken away.
        reset: break the connection off with RST at that point.
        status: answer this instead of the server, with an S3 error body of `code`, or `body`.
        obey: with `status`: the server gets the request all the same, only its reply is replaced.
        headers: set in the reply, for example Date and Retry-After.
        truncate: bytes of the reply's body that arrive before the connection is closed.
        swell: a body of this many bytes is announced and begun.
        chunked: the reply's body comes without a length.
        twice: the server gets the request a second time, and the second reply counts.
    """

    method: str = ""
    path: str = ""
    times: int | None = None
    latency_s: float = 0.0
    hang: Where = ""
    reset: Where = ""
    status: int = 0
    code: str = ""
    body: bytes | None = None
    obey: bool = False
    headers: dict[str, str] = field(default_factory=dict)
    truncate: int | None = None
    swell: int = 0
    chunked: bool = False
    twice: bool = False

    def matches(self, method: str, path: str) -> bool:
        return self.method in ("", method) and re.search(self.path, path) is not None


@dataclass
class Access:
    """One request: `forwarded` is how often the server got it, `status` what the client was told (0 if
    nothing), `sent` how many bytes of the reply's body left, `host` whom the client meant."""

    method: str
    path: str
    host: str
    headers: dict[str, str]
    status: int = 0
    forwarded: int = 0
    sent: int = 0
    noted: bool = field(default=False, repr=False)

    @property
    def is_write(self) -> bool:
        return self.method not in ("GET", "HEAD", "OPTIONS", "CONNECT")


class Broken(Exception):
    """The connection to the client is to be broken off."""


class FaultProxy:
    """Use as a context manager, or `start` and `stop`. `most_in_flight`: requests that it had at one time."""

    def __init__(self, server: S3Server) -> None:
        parts = urlsplit(server.endpoint)
        self._upstream = (parts.hostname or "127.0.0.1", parts.port or 80)
        self._tls = ssl.create_default_context(cadata=server.ca_pem) if parts.scheme == "https" else None
        self._server = server
        self._rules: list[Rule] = []
        self._log: list[Access] = []
        self._lock = threading.Lock()
        self._in_flight = 0
        self.most_in_flight = 0
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="fault proxy", daemon=True)
        self.port = 0

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def server(self) -> S3Server:
        """The server as seen through the proxy."""
        checks = self._server.checks_keys
        return S3Server(f"{self._server.name} behind a proxy", self.endpoint, checks_keys=checks)

    @property
    def log(self) -> list[Access]:
        """All requests so far that were answered or broken off, in the order of that."""
        with self._lock:
            return list(self._log)

    def writes(self) -> list[Access]:
        """Those that asked the server itself to change something."""
        return [access for access in self.log if access.is_write and access.forwarded]

    def forget(self) -> None:
        """Empty the log."""
        with self._lock:
            self._log.clear()

    def add(self, rule: Rule) -> Rule:
        """Put a rule before all others; requests that begin from now on meet it."""
        with self._lock:
            self._rules.insert(0, rule)
        return rule

    def remove(self, rule: Rule) -> None:
        """Take a rule away; what hangs by it goes on."""
        with self._lock:
            if rule in self._rules:
                self._rules.remove(rule)

    def clear(self) -> None:
        """Take all rules away."""
        with self._lock:
            self._rules.clear()

    @contextmanager
    def failing(self, rule: Rule) -> Iterator[Rule]:
        """A rule for the length of a block."""
        self.add(rule)
        try:
            yield rule
        finally:
            self.remove(rule)

    def start(self) -> FaultProxy:
        self._thread.start()
        self._ready.wait(10)
        return self

    def stop(self) -> None:
        self.clear()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def __enter__(self) -> FaultProxy:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        listening = self._loop.run_until_complete(
            asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=256)
        )
        self.port = listening.sockets[0].getsockname()[1]
        self._ready.set()
        self._loop.run_forever()
        listening.close()
        left = asyncio.all_tasks(self._loop)
        for task in left:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        self._loop.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while (head := await read_head(reader)) is not None:
                if head.method == "CONNECT":
                    await self._tunnel(head, reader, writer)
                    return
                if head.get("expect"):
                    writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
                body = await read_body(reader, head)
                await self._answer(head, body, writer)
        except Broken:
            sock = writer.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    async def _answer(self, head: Head, body: bytes, writer: asyncio.StreamWriter) -> None:
        host = urlsplit(head.target).netloc or head.get("host")
        told = Access(head.method, head.path, host, dict(head.fields))
        self._in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self._in_flight)
        try:
            await self._by_rule(head, body, writer, self._rule_for(head), told)
        finally:
            self._in_flight -= 1
            self._note(told)

    def _note(self, access: Access) -> None:
        with self._lock:
            if not access.noted:
                access.noted = True
                self._log.append(access)

    async def _by_rule(
        self, head: Head, body: bytes, writer: asyncio.StreamWriter, rule: Rule, told: Access
    ) -> None:
        if rule.latency_s:
            await asyncio.sleep(rule.latency_s)
        await self._fail(rule, "request")
        if rule.status and not rule.obey:
            reply, content = error_page(rule.status, rule.code, rule.body)
        else:
            reply, content = await self._forward(head, body, told)
            if rule.twice:
                reply, content = await self._forward(head, body, told)
            if rule.status:
                reply, content = error_page(rule.status, rule.code, rule.body)
        await self._fail(rule, "reply")
        reply.set_all(rule.headers)
        if rule.swell:
            reply.set_all({"content-length": str(rule.swell)})
        if rule.chunked:
            reply.set_all({"content-length": None, "transfer-encoding": "chunked"})
            content = b"%x\r\n%b\r\n0\r\n\r\n" % (len(content), content) if content else b"0\r\n\r\n"
        told.status = reply.status
        # Before the client can know: it may look at the log as soon as it has its answer.
        self._note(told)
        writer.write(reply.encode())
        if rule.swell:
            await _swell(writer, rule.swell, told)
        if rule.truncate is not None:
            writer.write(content[: rule.truncate])
            await writer.drain()
            raise OSError("truncated")
        if head.method != "HEAD":
            writer.write(content)
            told.sent += len(content)
        await writer.drain()

    async def _fail(self, rule: Rule, where: Where) -> None:
        if rule.reset == where:
            raise Broken
        while rule.hang == where and self._active(rule):
            await asyncio.sleep(0.02)

    def _active(self, rule: Rule) -> bool:
        with self._lock:
            return rule in self._rules

    def _rule_for(self, head: Head) -> Rule:
        with self._lock:
            for rule in self._rules:
                if rule.times != 0 and rule.matches(head.method, head.path):
                    if rule.times is not None:
                        rule.times -= 1
                    return rule
        return Rule()

    async def _forward(self, head: Head, body: bytes, told: Access) -> tuple[Head, bytes]:
        try:
            reader, writer = await asyncio.open_connection(*self._upstream, ssl=self._tls)
        except OSError:
            return error_page(502, "BadGateway", None)
        try:
            told.forwarded += 1
            sent = Head(f"{head.method} {head.path} HTTP/1.1", dict(head.fields))
            sent.set_all({"connection": "close", "proxy-connection": None, "expect": None})
            writer.write(sent.encode() + body)
            await writer.drain()
            reply = await read_head(reader)
            while reply is not None and reply.status == 100:
                reply = await read_head(reader)
            if reply is None:
                return error_page(502, "BadGateway", None)
            empty = head.method == "HEAD" or reply.status in (204, 304)
            content = b"" if empty else await read_body(reader, reply, to_end=True)
            changes: dict[str, str | None] = {"connection": None, "transfer-encoding": None}
            if not empty:
                changes["content-length"] = str(len(content))
            reply.set_all(changes)
            return reply, content
        finally:
            writer.close()

    async def _tunnel(self, head: Head, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._note(Access("CONNECT", head.target, head.target, dict(head.fields), 200, 1))
        up_reader, up_writer = await asyncio.open_connection(*self._upstream)
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await asyncio.gather(_pump(reader, up_writer), _pump(up_reader, writer))


async def _swell(writer: asyncio.StreamWriter, size: int, told: Access) -> None:
    piece = b"\0" * 65536
    while told.sent < size:
        writer.write(piece)
        await writer.drain()
        told.sent += len(piece)
    raise OSError("swollen")


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    finally:
        writer.close()
