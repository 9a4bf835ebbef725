"""`locktop serve`: the console in a browser, for looking only."""

from __future__ import annotations

import argparse
import shlex
import socket
import sys
from typing import TYPE_CHECKING

from locktop.exits import ExitCode, exit_table
from locktop.output.streams import say
from locktop.settings import Usage, shown
from locktop.subcommands.common import (
    SERVED,
    add_clock_error,
    add_target,
    check_mounted,
    settings_of,
    target_of,
)
from locktop.subcommands.metrics import listening

if TYPE_CHECKING:
    from locktop.settings import Settings

_EXAMPLES = """\
examples:
  locktop serve /mnt/backups                                 http://127.0.0.1:8765, on this machine alone
  ssh -L 8765:127.0.0.1:8765 host locktop serve @prod        from elsewhere, the safe way
  locktop serve --listen 0.0.0.0:8765 --allow-remote --public-url https://locks.example -t @prod

Whoever opens the page sees names and locks: there are no passwords here. So it listens on this machine alone,
unless --allow-remote insists; put a proxy with authentication before it then. Each page is a console of its
own, always read-only, without the other contexts, and writes no files. It needs: pip install 'locktop[serve]'

exit codes:
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Arguments of `serve`."""
    parser.description = "Show the console in a browser, read-only."
    parser.epilog = _EXAMPLES + exit_table()
    add_target(parser)
    parser.add_argument(
        "--listen", metavar="HOST:PORT", default="127.0.0.1:8765", help="where (127.0.0.1:8765)"
    )
    parser.add_argument("--allow-remote", action="store_true", help="listen beyond this machine, too")
    parser.add_argument("--public-url", metavar="URL", help="where browsers find it, behind a proxy")
    parser.add_argument("--interval", metavar="SECONDS", help="time between two looks at the store (2)")
    add_clock_error(parser)


def run(options: argparse.Namespace) -> int:
    """Serve until Ctrl-C or SIGTERM."""
    settings = settings_of(options)
    target = target_of(settings)
    check_mounted(target)
    host, port = listening(options.listen)
    public = options.public_url
    if public is not None and not public.startswith(("http://", "https://")):
        raise Usage(f"--public-url: {shown(public)!r} is no http URL", advice="as https://locks.example")
    try:
        from locktop.web import LOOPBACK, ConsoleServer, host_of
    except ImportError as error:
        raise Usage(
            f"the browser needs {error.name or 'textual-serve'}", advice="pip install 'locktop[serve]'"
        ) from None
    bound = _bind(host, port, remote=options.allow_remote)
    shown_host = f"[{host}]" if ":" in host else host
    url = (public or f"http://{shown_host}:{bound.getsockname()[1]}").rstrip("/")
    hosts = frozenset() if options.allow_remote and public is None else LOOPBACK | {host, host_of(url)}
    say(f"serving {url} of {target.url}, read-only; Ctrl-C ends it")
    command = _command(options, settings)
    ConsoleServer(command, bound, url, hosts, behind_proxy=public is not None).run()
    return ExitCode.OK


def _bind(host: str, port: int, *, remote: bool) -> socket.socket:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, address = found[0][0], found[0][4]
        if not remote and not _is_loopback(str(address[0])):
            raise Usage(
                f"--listen: {host} is not this machine alone",
                advice="--allow-remote insists; anybody who reaches it sees everything",
            )
        return socket.create_server(address[:2], family=family)
    except (OSError, UnicodeError) as error:
        why = (error.strerror if isinstance(error, OSError) else None) or "no address of this machine"
        raise Usage(f"--listen: {host}:{port}: {why}", advice="name a free port of this machine") from None


def _is_loopback(address: str) -> bool:
    import ipaddress

    return ipaddress.ip_address(address.partition("%")[0]).is_loopback


def _command(options: argparse.Namespace, settings: Settings) -> str:
    words = [sys.executable, "-m", "locktop", "--read-only"]
    for flag in ("context", "config", "interval", "clock_error"):
        value = getattr(options, flag)
        if value is not None:
            words.append(f"--{flag.replace('_', '-')}={value}")
    if settings.context.value is None:
        words.append(f"--target={settings.required_target()}")
    elif options.context is None:
        words.append(f"--context={settings.context.value}")
    return f"{SERVED}=1 exec {shlex.join(words)}"
