"""`locktop metrics`: the state of a store's locks for Prometheus, once or over HTTP."""

from __future__ import annotations

import argparse
import logging
import re
import signal
import sys
import threading
from collections import Counter
from typing import TYPE_CHECKING

from backuplock.text import printable
from locktop.exits import ExitCode, exit_code, exit_table
from locktop.output.streams import say
from locktop.settings import Settings, Usage, shown
from locktop.subcommands.common import add_clock_error, add_target, opener, settings_of, target_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from backuplock.errors import BackupLockError
    from backuplock.model import Snapshot
    from backuplock.stores.base import Store
    from backuplock.target import Target
    from locktop.output.metrics import Look

_EXAMPLES = """\
examples:
  locktop metrics /mnt/backups                                  once, to stdout
  locktop metrics @prod > /var/lib/node_exporter/locktop.prom   for the textfile collector (in a cron job)
  locktop metrics --listen 127.0.0.1:9799 s3://backups@us-east-1/prod/
  curl -s http://127.0.0.1:9799/metrics | grep locktop_blocked_volumes

Each scrape is a look at the store; scrapes that come while one is under way share it. A store that does not
answer in time is locktop_up 0, and so is one that lets nobody in. No names of volumes or claims are told.
A time limit should be shorter than Prometheus's own (scrape_timeout, 10 s).

exit codes:
"""

log = logging.getLogger(__name__)
# Without a handler of its own, logging prints tracebacks to stderr.
log.addHandler(logging.NullHandler())

_GIVE_UP_S = 60.0
_SCRAPE_S = 8.0


def configure(parser: argparse.ArgumentParser) -> None:
    """Arguments of `metrics`."""
    parser.description = (
        "Tell Prometheus of the locks of a store: how many of which type and state, the oldest, what is\n"
        "blocked, the sweep, the clock, and what was broken from here. Nothing is written to the store."
    )
    parser.epilog = _EXAMPLES + exit_table()
    add_target(parser)
    parser.add_argument("--listen", metavar="HOST:PORT", help="serve them over HTTP until Ctrl-C or SIGTERM")
    parser.add_argument(
        "--timeout", metavar="SECONDS", help="a look that takes longer has failed (60; with --listen 8)"
    )
    add_clock_error(parser)


def run(options: argparse.Namespace) -> int:
    """Print, or serve."""
    settings = settings_of(options)
    target = target_of(settings)
    where = None if options.listen is None else listening(options.listen)
    timeout = settings.timeout.value or (_GIVE_UP_S if where is None else _SCRAPE_S)
    teller = _Teller(target, settings, timeout)
    if where is not None:
        return _serve(teller, *where)
    from backuplock.errors import Malformed
    from locktop.output.metrics import text

    found = teller.look()
    if isinstance(teller.lost, Malformed):
        # Nothing was asked: that is no state of the store.
        raise teller.lost
    sys.stdout.write(text(found))
    if teller.lost is not None:
        say(str(teller.lost))
        return exit_code(teller.lost)
    return ExitCode.OK


def listening(text: str) -> tuple[str, int]:
    """The host and the port of `127.0.0.1:9799` or `[::1]:9799`.

    Raises:
        Usage: it has another form.
    """
    found = re.fullmatch(r"(?:\[([0-9A-Fa-f:.%]+)\]|([A-Za-z0-9.-]+)):([0-9]{1,5})", text, re.ASCII)
    if found is None or int(found[3]) > 65535:
        raise Usage(
            f"--listen: {shown(text)!r} is not HOST:PORT", advice="as 127.0.0.1:9799 (0.0.0.0 is everywhere)"
        )
    return found[1] or found[2], int(found[3])


class _Teller:
    """Looks, and says once that the store is lost, and once that it is back."""

    def __init__(self, target: Target, settings: Settings, timeout_s: float) -> None:
        from locktop.looker import Looker

        self.target = target
        self.lost: BackupLockError | None = None
        self._settings = settings
        self._store: Store | None = None
        self._looker = Looker(self._sweep, timeout_s, target.url)

    def look(self) -> Look:
        """A look for the metrics; never an error of the store's."""
        from backuplock.errors import BackupLockError
        from locktop.output.metrics import Look

        snapshot: Snapshot | None = None
        try:
            snapshot = self._looker.look()
            self.lost = None
        except BackupLockError as error:
            self.lost = error
        return Look(self.target.url, snapshot, acts_of(self.target.url))

    def look_and_say(self) -> Look:
        """Likewise, telling on stderr where that has changed."""
        before = self.lost
        try:
            found = self.look()
        except Exception as error:
            # Nobody reads the traceback of a thread that answers a scrape.
            log.exception("a look at %s failed", self.target.url)
            found = self._unforeseen(error)
        if self.lost is not None and before is None:
            say(f"lost: {self.lost}; locktop_up is 0")
        elif self.lost is None and before is not None:
            say("reached again")
        return found

    def _unforeseen(self, error: Exception) -> Look:
        from backuplock.errors import StoreError
        from locktop.output.metrics import Look

        what = printable(f"{type(error).__name__}: {error}", limit=300)
        self.lost = StoreError(
            f"internal error: {what}", advice="LOCKTOP_DEBUG=1 locktop metrics shows where"
        )
        return Look(self.target.url, None, acts_of(self.target.url))

    def _sweep(self, previous: Snapshot | None) -> Snapshot:
        from backuplock.clock import nanoseconds
        from backuplock.survey import sweep

        store, self._store = self._store, None
        store = store or opener(self.target, self._settings)()
        try:
            found = sweep(store, previous, clock_error_ns=nanoseconds(self._settings.clock_error.value))
        except BaseException:
            # It is opened anew: a share may have been mounted again, a pool of connections be spent.
            store.close()
            raise
        self._store = store
        return found


def acts_of(url: str) -> Mapping[tuple[str, str], int] | None:
    """How often the audit trail has each end of an act on a target; None if it cannot be read."""
    from backuplock.breaking import Audit, AuditError, audit_path

    path = audit_path()
    try:
        if not path.exists():
            return {}
        trail = Audit.read(path)
        try:
            entries = trail.entries(target=url)
        finally:
            trail.close()
    except (AuditError, OSError):
        return None
    return Counter(
        (one.get("act"), one.get("outcome") or "unknown") for one in entries if one.get("phase") == "after"
    )


class _Told(BaseException):
    """SIGTERM: the way in which services are ended."""


def _serve(teller: _Teller, host: str, port: int) -> int:
    from prometheus_client import start_http_server

    from locktop.output.metrics import registry_of

    try:
        server, thread = start_http_server(port, host, registry_of(teller.look_and_say))
    except (OSError, UnicodeError) as error:
        why = (error.strerror if isinstance(error, OSError) else None) or "no address of this machine"
        raise Usage(f"--listen: {host}:{port}: {why}", advice="name a free port of this machine") from None
    shown_host = f"[{host}]" if ":" in host else host
    say(f"serving http://{shown_host}:{server.server_port}/metrics of {teller.target.url}; Ctrl-C ends it")
    try:
        _until_told(thread)
    finally:
        server.shutdown()
        server.server_close()
    return ExitCode.OK


def _until_told(thread: threading.Thread) -> None:
    def tell(_signum: int, _frame: object) -> None:
        raise _Told

    main = threading.current_thread() is threading.main_thread()
    before = signal.signal(signal.SIGTERM, tell) if main else None
    try:
        while thread.is_alive():
            thread.join(0.5)
    except (KeyboardInterrupt, _Told):
        pass
    finally:
        if main:
            signal.signal(signal.SIGTERM, before)
