"""The console in a browser: textual-serve's server, with a guard before it.

Every page that a browser shows may open a websocket to a server on this machine, and names may be made to
point here (DNS rebinding). So a request must name this server in `Host`, and a websocket must come from a
page of the same one (`Origin`); see RFC 6455, section 10.2. And the page asks no other server for anything:
textual-serve's own wants a font of a third party, which learns of each visit and keeps a page without a way
out of its network waiting.
"""

from __future__ import annotations

import html
import logging
import socket
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from textual_serve.server import Server

_FOCUS = """\
<script>
  // Keys go to the console from the first one on, not only after a click.
  const focusing = setInterval(() => {
    const keys = document.querySelector(".xterm-helper-textarea");
    if (keys && document.body.classList.contains("-first-byte")) { keys.focus(); clearInterval(focusing); }
  }, 50);
</script>
"""
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


class ConsoleServer(Server):
    """Starts one console for each page that is opened.

    Args:
        command: shell text that starts a console.
        bound: the socket that listens. public_url: where browsers find it.
        hosts: names by which it may be asked for; empty: any.
        behind_proxy: the public URL is the only one; else a page names the server as it was asked for itself,
            for that is another one through `ssh -L` or from another machine.
    """

    def __init__(
        self,
        command: str,
        bound: socket.socket,
        public_url: str,
        hosts: frozenset[str],
        *,
        behind_proxy: bool = False,
    ) -> None:
        host, port = bound.getsockname()[:2]
        super().__init__(command, host=host, port=port, title="locktop", public_url=public_url)
        self._bound = bound
        self._hosts = hosts
        self._behind_proxy = behind_proxy

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
            answer = await handler(request)
            if request.path == "/" and isinstance(answer, web.Response):
                self._keep_home(request, answer)
            return answer

        return guard

    def _keep_home(self, request: web.Request, page: web.Response) -> None:
        netloc = urlsplit(self.public_url).netloc
        if not self._behind_proxy:
            asked = html.escape(request.host)
            page.text = (page.text or "").replace(f"//{netloc}", f"//{asked}")
            netloc = request.host
        page.text = (page.text or "").replace("</body>", f"{_FOCUS}</body>")
        page.headers["Content-Security-Policy"] = (
            "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; "
            f"img-src 'self' data:; connect-src 'self' ws://{netloc} wss://{netloc}; frame-ancestors 'none'"
        )

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
