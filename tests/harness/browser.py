"""A real browser without a window, steered by the DevTools protocol, on a profile of its own.

It reaches this machine alone: every other name is told not to exist.
"""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import struct
import zlib
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from harness.process import Process, executable

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
DEADLINE_S = 60
_FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--enable-unsafe-swiftshader",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
    "--window-size=1280,800",
    "--remote-debugging-port=0",
)
# The page's script keeps its terminal to itself, as the property `terminal` of an object of its own.
_WATCH = """
Object.defineProperty(Object.prototype, "terminal", {configurable: true, set(value) {
  window.seenTerminal = value;
  Object.defineProperty(this, "terminal", {value, writable: true, configurable: true, enumerable: true});
}});
"""
_TEXT = """(() => {
  const buffer = window.seenTerminal?.buffer?.active;
  if (!buffer) return "";
  return Array.from({length: buffer.length}, (_, i) => buffer.getLine(i).translateToString(true)).join("\\n");
})()"""


def browser() -> str | None:
    """The first browser that is installed."""
    return next(filter(None, map(executable, BROWSERS)), None)


class Tab:
    """One page of a browser."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._ids = itertools.count(1)
        self._session: dict[str, str] = {}
        self.asked: dict[str, str] = {}
        """URLs that the page asked for, by request; without those that its own policy forbade."""
        self.complaints: list[str] = []
        """Errors of the page's script."""

    async def open(self, url: str) -> None:
        """Go to a page, its terminal being watched from its first line on."""
        made = await self._call("Target.createTarget", url="about:blank")
        joined = await self._call("Target.attachToTarget", targetId=made["targetId"], flatten=True)
        self._session = {"sessionId": joined["sessionId"]}
        for domain in ("Page", "Runtime", "Network"):
            await self._call(f"{domain}.enable")
        await self._call("Page.addScriptToEvaluateOnNewDocument", source=_WATCH)
        await self._call("Page.navigate", url=url)

    async def value(self, script: str) -> Any:
        """What an expression gives in the page."""
        done = await self._call("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in done, done
        return done["result"].get("value")

    async def text(self) -> str:
        """The cells of the page's terminal, line by line."""
        return str(await self.value(_TEXT))

    async def until(self, *words: str, without: str | None = None) -> str:
        """Wait until all these words stand in the terminal, and another one does not; gives its text."""
        text = ""
        try:
            async with asyncio.timeout(DEADLINE_S):
                while True:
                    text = await self.text()
                    if all(word in text for word in words) and not (without and without in text):
                        return text
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise AssertionError(
                f"{words} did not come; complaints {self.complaints}; shown:\n{text}"
            ) from None
        return text

    async def press(self, key: str) -> None:
        """A key of the keyboard: one character, or `Escape`."""
        codes = {"Escape": 27}
        text = {} if key in codes else {"text": key}
        code = codes.get(key, ord(key[0].upper()))
        for kind in ("keyDown", "keyUp"):
            more = text if kind == "keyDown" else {}
            await self._call("Input.dispatchKeyEvent", type=kind, key=key, windowsVirtualKeyCode=code, **more)

    async def colours(self, x: int, y: int, width: int, height: int) -> Counter[bytes]:
        """How many dots of a part of the drawn page have which colour (red, green, blue)."""
        clip = {"x": x, "y": y, "width": width, "height": height, "scale": 1}
        shot = await self._call("Page.captureScreenshot", format="png", clip=clip)
        return dots(base64.b64decode(shot["data"]))

    async def picture(self, path: Path) -> None:
        """Keep what the page looks like as a PNG."""
        shot = await self._call("Page.captureScreenshot", format="png")
        path.write_bytes(base64.b64decode(shot["data"]))

    async def _call(self, method: str, **parameters: Any) -> dict[str, Any]:
        number = next(self._ids)
        await self._socket.send_json({"id": number, "method": method, "params": parameters, **self._session})
        async with asyncio.timeout(DEADLINE_S):
            while True:
                message = json.loads(await self._socket.receive_str())
                if message.get("id") == number:
                    assert "error" not in message, message
                    result: dict[str, Any] = message["result"]
                    return result
                self._note(message)

    def _note(self, event: dict[str, Any]) -> None:
        told = event.get("params", {})
        match event.get("method"):
            case "Network.requestWillBeSent":
                self.asked[told["requestId"]] = told["request"]["url"]
            case "Network.webSocketCreated":
                self.asked[told["requestId"]] = told["url"]
            case "Network.loadingFailed" if told.get("blockedReason") == "csp":
                self.asked.pop(told["requestId"], None)
            case "Runtime.exceptionThrown":
                self.complaints.append(str(told["exceptionDetails"])[:500])


@asynccontextmanager
async def opened(url: str, folder: Path) -> AsyncIterator[Tab]:
    """A browser that shows a page, with its profile and log in a folder."""
    program = browser()
    assert program is not None
    folder.mkdir(parents=True)
    command = [program, *_FLAGS, f"--user-data-dir={folder / 'profile'}", "about:blank"]
    child = Process(command, folder / "log", env={"HOME": str(folder)})
    try:
        steered = child.wait_for(r"DevTools listening on (ws://\S+)")[1]
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(steered, max_msg_size=0) as socket,
        ):
            tab = Tab(socket)
            await tab.open(url)
            yield tab
    finally:
        child.stop()


def dots(png: bytes) -> Counter[bytes]:
    """The colours of a PNG of 8 bits a channel, as browsers write it (its specification, 9: filters)."""
    width, height, depth, kind = struct.unpack(">IIBB", png[16:26])
    assert depth == 8
    assert kind in (2, 6)
    size, packed, at = (3 if kind == 2 else 4), b"", 8
    while at < len(png):
        length = int.from_bytes(png[at : at + 4])
        if png[at + 4 : at + 8] == b"IDAT":
            packed += png[at + 8 : at + 8 + length]
        at += length + 12
    raw, found = zlib.decompress(packed), Counter[bytes]()
    row = bytearray(width * size)
    for line in range(height):
        start = line * (width * size + 1)
        row = _unfiltered(raw[start], raw[start + 1 : start + 1 + width * size], row, size)
        found.update(bytes(row[i : i + 3]) for i in range(0, len(row), size))
    return found


def _unfiltered(kind: int, line: bytes, above: bytearray, size: int) -> bytearray:
    row = bytearray(line)
    for i in range(len(row)):
        left = row[i - size] if i >= size else 0
        corner = above[i - size] if i >= size else 0
        up = above[i]
        guess = left + up - corner
        paeth = min((left, up, corner), key=lambda value: abs(guess - value))
        row[i] = (row[i] + (0, left, up, (left + up) // 2, paeth)[kind]) & 0xFF
    return row
