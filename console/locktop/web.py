"""The console in a browser: textual-serve's server, with a guard before it.

Every page that a browser shows may open a websocket to a server on this machine, and names may be made to
point here (DNS rebinding). So a request must name this server in `Host`, and a websocket must come from a
page of the same one (`Origin`); see RFC 6455, section 10.2.
"""

from __future__ import annotations

import logging
import socket
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from textual_serve.server import Server

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


class ConsoleServer(Server):
    """Starts one console for each page that is opened.

    Args:
        command: shell text that starts a console.
        bound: the socket that listens. public_url: where browsers find it.
        hosts: names by which it may be asked for; empty: any.
    """

    def __init__(self, command: str, bound: socket.socket, public_url: str, hosts: frozenset[str]) -> None:
        host, port = bound.getsockname()[:2]
        super().__init__(command, host=host, port=port, title="locktop", public_url=public_url)
        self._bound = bound
        self._hosts = hosts

    def run(self) -> None:
        """Until Ctrl-C or SIGTERM."""
        logging.basicConfig(level=logging.WARNING, format="locktop: %(message)s")
        web.run_app(self._make_app(), sock=self._bound, print=None, access_log=None, shutdown_timeout=5)

    async def on_startup(self, app: web.Application) -> None:
        """Say nothing: whoever runs it does."""

    async def _make_app(self) -> web.Application:
        app = await super()._make_app()
        app.middlewares.append(self._guard())
        return app

    def _guard(self) -> Middleware:
        @web.middleware
        async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
            if not self._is_ours(request):
                raise web.HTTPForbidden(text="this address is not one of locktop's\n")
            return await handler(request)

        return guard

    def _is_ours(self, request: web.Request) -> bool:
        if self._hosts and host_of(f"//{request.host}") not in self._hosts:
            return False
        origin = request.headers.get("Origin")
        if origin is None:
            return True
        own = urlsplit(self.public_url)
        there = urlsplit(origin)
        return there.netloc in (request.host, own.netloc)


def host_of(url: str) -> str:
    """The host of a URL, "" if it has none."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""
