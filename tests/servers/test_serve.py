"""`locktop serve`: a real server, spoken to as a browser does; and a real browser where there is one."""

from __future__ import annotations

import asyncio
import re
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import aiohttp
import pytest

from harness.browser import BROWSERS, browser, opened
from harness.builders import Lock, Volume, write, write_locks
from harness.commands import fingerprint, run
from harness.process import Process
from locktop.exits import ExitCode

DEADLINE_S = 60
needs_browser = pytest.mark.skipif(
    browser() is None, reason=f"no browser is installed ({', '.join(BROWSERS)}); the protocol is spoken above"
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "store"
    volume = Volume("pvc-1", "shop", "orders", "orders")
    write(folder, volume.cfg_key, volume.cfg)
    write_locks(folder, [Lock("pvc-1", "lock-0000000000000001", age_s=3000)], time.time_ns())
    return folder


Start = Callable[..., tuple[Process, str]]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    running: list[Process] = []

    def begin(root: Path, *more: str, **env: str) -> tuple[Process, str]:
        command = [sys.executable, "-m", "locktop", "serve", "--listen", "127.0.0.1:0", *more, str(root)]
        settings = {"PYTHONPATH": ":".join(filter(None, sys.path)), "LC_ALL": "C.UTF-8", **env}
        server = Process(command, tmp_path / f"log-{len(running)}", env=settings)
        running.append(server)
        return server, server.wait_for(r"serving (http://127\S+) of")[1]

    yield begin
    for server in running:
        server.stop()


class Page:
    """A console in a websocket, as the page's script speaks to it."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self.seen = ""

    async def until(self, words: str) -> None:
        """Wait until the words were drawn."""
        async with asyncio.timeout(DEADLINE_S):
            while words not in self.seen:
                message = await self._socket.receive()
                assert message.type is aiohttp.WSMsgType.BINARY, (message, self.seen[-2000:])
                drawn = re.sub(rb"\x1b\[[0-9;?]*[A-Za-z]", b"", message.data)
                self.seen += drawn.decode("utf-8", "replace")

    async def press(self, keys: str) -> None:
        self.seen = ""
        await self._socket.send_json(["stdin", keys])

    async def closed(self) -> None:
        async with asyncio.timeout(DEADLINE_S):
            while not self._socket.closed:
                await self._socket.receive()


async def _opened(session: aiohttp.ClientSession, url: str) -> Page:
    async with session.get(url) as answer:
        assert answer.status == 200
        page = await answer.text()
    address = re.search(r'data-session-websocket-url="([^"]+)"', page)
    assert address is not None
    where = f"{address[1]}?width=120&height=36"
    return Page(await session.ws_connect(where, headers={"Origin": url}))


async def test_a_page_shows_the_console_and_changes_nothing(root: Path, start: Start) -> None:
    before = fingerprint(root)
    # What the environment allows does not hold here.
    server, url = start(root, LOCKTOP_WRITE="1")
    async with aiohttp.ClientSession() as session:
        page = await _opened(session, url)
        await page.until("shop/orders")
        await page.press("x")
        await page.until("read-only")
        await page.press("E")
        await page.until("this console is served")
        other = await _opened(session, url)
        await other.until("shop/orders")
        await page.press("q")
        await page.closed()
        await other.press("?")
        await other.until("STATES")
    assert fingerprint(root) == before
    server.stop()
    assert "Traceback" not in server.output()


async def test_pages_of_others_and_other_names_are_refused(root: Path, start: Start) -> None:
    _, url = start(root)
    async with aiohttp.ClientSession() as session:
        for headers in ({"Origin": "http://evil.example"}, {"Origin": "null"}, {"Host": "evil.example"}):
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                await session.ws_connect(f"{url}/ws", headers=headers)
            assert refused.value.status == 403
        async with session.get(url, headers={"Host": "evil.example"}) as answer:
            assert answer.status == 403


async def test_a_proxy_s_name_is_taken(root: Path, start: Start, tmp_path: Path) -> None:
    command = ["serve", "--listen", "127.0.0.1:0", "--public-url", "https://locks.example/", str(root)]
    log = tmp_path / "public"
    server = Process(
        [sys.executable, "-m", "locktop", *command],
        log,
        env={"PYTHONPATH": ":".join(filter(None, sys.path))},
    )
    try:
        server.wait_for("serving https://locks.example of")
    finally:
        server.stop()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--listen", "0.0.0.0:0"], "--allow-remote"),
        (["--listen", "[::]:0"], "--allow-remote"),
        (["--listen", "nonsense"], "HOST:PORT"),
        (["--listen", "192.0.2.1:1", "--allow-remote"], "192.0.2.1"),
        (["--public-url", "ftp://x"], "no http URL"),
    ],
)
def test_what_it_refuses_is_one_line(
    arguments: list[str], said: str, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    done = run(capsys, "serve", *arguments, str(root))
    assert (done.code, done.out, done.err.count("\n")) == (ExitCode.USAGE, "", 1)
    assert said in done.err


def test_without_textual_serve_it_says_what_to_install(
    root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "textual_serve.server", None)
    monkeypatch.delitem(sys.modules, "locktop.web", raising=False)
    done = run(capsys, "serve", str(root))
    assert done.code == ExitCode.USAGE
    assert "locktop[serve]" in done.err


def words_of(text: str) -> set[str]:
    return set(re.findall(r"\S+", text))


@needs_browser
async def test_a_real_browser_shows_it_and_takes_keys(root: Path, start: Start, tmp_path: Path) -> None:
    before = fingerprint(root)
    server, url = start(root, LOCKTOP_WRITE="1")
    async with opened(url, tmp_path / "browser") as page:
        table = await page.until("shop/orders", "stale")
        assert {"TTL", "TYPE"} <= words_of(table), table
        # The cells are drawn, too: letters have edges of many shades.
        assert len(await page.colours(0, 0, 900, 120)) > 20
        await page.press("?")  # without a click before it
        await page.until("STATES")
        await page.press("Escape")
        await page.until("shop/orders", without="STATES")
        await page.press("2")
        await page.until("nothing is blocked: every operation would be granted")
        await page.press("1")
        await page.until("shop/orders", "TTL")
        await page.press("x")
        await page.until("read-only")
        assert page.complaints == []
        elsewhere = [asked for asked in page.asked.values() if url.partition(":")[2] not in asked]
        assert (f"{url}/", elsewhere) == (next(iter(page.asked.values())), [])
    server.stop()
    assert fingerprint(root) == before
    assert "Traceback" not in server.output()


@needs_browser
async def test_a_page_asked_for_by_another_name_works_as_well(
    root: Path, start: Start, tmp_path: Path
) -> None:
    _, url = start(root)
    async with opened(url.replace("127.0.0.1", "localhost"), tmp_path / "browser") as page:
        await page.until("shop/orders")


async def test_the_page_keeps_to_its_own_server(root: Path, start: Start) -> None:
    _, url = start(root)
    port = url.rpartition(":")[2]
    async with (
        aiohttp.ClientSession() as session,
        session.get(url, headers={"Host": f"localhost:{port}"}) as answer,
    ):
        page = await answer.text()
        policy = answer.headers["Content-Security-Policy"]
    assert f"ws://localhost:{port}/ws" in page
    assert "127.0.0.1" not in page
    assert f"connect-src 'self' ws://localhost:{port} " in policy
    assert "frame-ancestors 'none'" in policy
