"""`locktop record`: watch a store and keep what was seen, in a file."""

from __future__ import annotations

import argparse
import contextlib
import signal
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from backuplock.text import printable
from locktop.durations import parse_duration
from locktop.exits import SIGNALLED, ExitCode, exit_table
from locktop.instants import offset
from locktop.output.streams import say
from locktop.settings import Settings, Usage
from locktop.subcommands.common import (
    add_budget,
    add_clock_error,
    add_target,
    opener,
    settings_of,
    target_of,
)
from locktop.subcommands.patience import patiently

if TYPE_CHECKING:
    from backuplock.clock import Clock
    from backuplock.errors import StoreError
    from backuplock.journal import Journal
    from backuplock.model import Snapshot
    from backuplock.stores.base import Store
    from backuplock.target import Target
    from backuplock.watch import Watch
    from locktop.patrol import Patrol

_EXAMPLES = """\
examples:
  locktop record -t /mnt/backups night.rec
  locktop record -t s3://backups@us-east-1/prod/ --for 10m --interval 5s bug.rec
  LOCKTOP_TARGET=/mnt/backups locktop record        into the target's own journal
  locktop replay bug.rec                            the console on what was recorded

Nothing is written to the store. A recording holds what a look shows: names, times and bodies of locks, no
credentials; its file is readable by its owner only. A recording of the same target is continued, another
target's is refused. Seven days and 256 MiB are kept, the oldest goes first. Times in which the store did
not answer are recorded as such. Ctrl-C ends it well.

exit codes:
"""

_GIVE_UP_S = 60.0
"""A look that takes longer counts as failed: a dead mount may never answer."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Arguments of `record`."""
    parser.description = "Record what happens to the locks of a store, until Ctrl-C."
    parser.epilog = _EXAMPLES + exit_table()
    parser.add_argument("file", metavar="FILE", nargs="?", help="the recording (the target's own journal)")
    add_target(parser, positional=False)
    parser.add_argument("--interval", metavar="TIME", help="time between two looks at the store (2s)")
    parser.add_argument("--for", dest="how_long", metavar="TIME", help="end after so long, as 10m")
    parser.add_argument("--timeout", metavar="SECONDS", help="a look that takes longer has failed (60)")
    parser.add_argument("-q", "--quiet", action="store_true", help="no progress and no summary")
    add_budget(parser)
    add_clock_error(parser)


def run(options: argparse.Namespace) -> int:
    """Record until the time is over, Ctrl-C or SIGTERM."""
    from backuplock.clock import SystemClock, nanoseconds
    from backuplock.journal import Journal, JournalMismatch, journal_path
    from locktop.patrol import Patrol

    if options.interval is not None:
        options.interval = parse_duration(options.interval, "--interval", least=0.2, most=3600)
    settings = settings_of(options)
    target = target_of(settings)
    how_long = None if options.how_long is None else offset(options.how_long, "--for")
    path = Path(options.file) if options.file is not None else journal_path(target.url)
    try:
        journal = Journal.open(path, target=target.url)
    except JournalMismatch as error:
        raise Usage(error.what, advice=error.advice) from None
    try:
        clock = SystemClock()
        patrol = Patrol(clock, nanoseconds(settings.clock_error.value))
        recorder = _Recorder(target, settings, journal, clock, patrol, quiet=options.quiet)
        if not options.quiet:
            say(f"recording {target.url} into {path}; Ctrl-C ends it")
        code = _until_told(recorder, nanoseconds(settings.interval.value), how_long)
        if not options.quiet:
            say(recorder.summary())
        return code
    finally:
        journal.close()


class _Told(BaseException):
    """A signal ended the recording."""

    def __init__(self, signum: int) -> None:
        super().__init__(signum)
        self.signum = signum


def _until_told(recorder: _Recorder, interval_ns: int, how_long_ns: int | None) -> int:
    try:
        with _signals():
            recorder.record(interval_ns, how_long_ns)
    except KeyboardInterrupt:
        # The documented way to end it, after which the file is whole.
        pass
    except _Told as told:
        return SIGNALLED + told.signum
    finally:
        recorder.clear()
        recorder.close()
    if recorder.looks == 0 or recorder.lost is not None:
        from backuplock.errors import Unreachable
        from locktop.exits import exit_code

        return exit_code(recorder.lost or Unreachable("nothing was seen"))
    return ExitCode.OK


@contextlib.contextmanager
def _signals() -> Iterator[None]:
    """SIGTERM and SIGHUP end the recording as Ctrl-C does; only the main thread can hear them."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def tell(signum: int, _frame: object) -> None:
        raise _Told(signum)

    before = {number: signal.signal(number, tell) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@dataclass(slots=True)
class _Recorder:
    """Looks, again and again, and writes down each look or that there was none."""

    target: Target
    settings: Settings
    journal: Journal
    clock: Clock
    patrol: Patrol
    quiet: bool = False
    store: Store | None = None
    watch: Watch | None = None
    lost: StoreError | None = None
    looks: int = 0
    events: int = 0
    failures: int = 0
    dropped: int = 0
    drawn: bool = False

    def record(self, interval_ns: int, how_long_ns: int | None) -> None:
        """Until the time is over.

        Raises:
            StoreError: the very first look failed in a way that waiting does not mend.
            JournalError: nothing more can be written.
        """
        until = None if how_long_ns is None else self.clock.mono_ns() + how_long_ns
        while True:
            began = self.clock.mono_ns()
            self._look()
            self._draw()
            now = self.clock.mono_ns()
            if until is not None and now >= until:
                return
            pause = max(0, began + self.patrol.pause_ns(interval_ns) - now)
            self.clock.sleep(pause if until is None else min(pause, until - now))

    def summary(self) -> str:
        """What was recorded, in a line."""
        failed = f", {self.failures:,} without an answer" if self.failures else ""
        dropped = f", {self.dropped:,} not written (another process held the file)" if self.dropped else ""
        return (
            f"recorded {self.looks:,} looks, {self.events:,} events{failed}{dropped} in {self.journal.path}"
        )

    def close(self) -> None:
        """Give the store back."""
        if self.store is not None:
            self.store.close()

    def clear(self) -> None:
        """Give the line of the terminal back."""
        if self.drawn:
            self.drawn = False
            with contextlib.suppress(OSError, ValueError):
                sys.stderr.write("\r\x1b[K")
                sys.stderr.flush()

    def _look(self) -> None:
        from backuplock.errors import Denied, Missing, StoreError

        timeout = self.settings.timeout.value or _GIVE_UP_S
        try:
            snapshot = patiently(self._sweep, timeout, url=self.target.url, name="record")
        except StoreError as error:
            if self.watch is None and isinstance(error, Denied | Missing):
                # Nothing was ever seen: that is a wrong target or a wrong key, not an outage.
                raise
            self._lose(error)
            return
        self._take(snapshot)

    def _sweep(self, stop: threading.Event) -> Snapshot:
        from backuplock.clock import SECOND
        from locktop.budget import budget_for

        if self.store is None:
            self.store = opener(self.target, self.settings)()
            self.patrol.budget = budget_for(self.settings, self.store)
        previous = self.watch.snapshot if self.watch is not None else None
        interval = round(self.settings.interval.value * SECOND)
        return self.patrol.look(self.store, previous, interval, whole=self.lost is not None, stop=stop)

    def _take(self, snapshot: Snapshot) -> None:
        from backuplock.journal import JournalBusy
        from backuplock.watch import Watch

        if self.lost is not None:
            self.lost = None
            self.clear()
            say("reached again; what was over by then was not seen")
        self.watch, events = (self.watch or Watch()).look(snapshot)
        self.patrol.heed(events)
        try:
            self.journal.record(replace(snapshot, target=self.target.url), events)
        except JournalBusy:
            self.dropped += 1
            return
        self.looks += 1
        self.events += len(events)

    def _lose(self, error: StoreError) -> None:
        from backuplock.journal import JournalBusy

        # A connection that broke is opened anew; the old one may hang, and is left behind.
        self.store = None
        self.failures += 1
        with contextlib.suppress(JournalBusy):
            self.journal.record_gap(
                self.clock.wall_ns(), type(error).__name__.lower(), printable(str(error), limit=500)
            )
        if self.lost is None:
            self.clear()
            say(f"lost: {error}; trying on, the gap is recorded")
        self.lost = error

    def _draw(self) -> None:
        if self.quiet or not sys.stderr.isatty():
            return
        from locktop.format import plural

        locks = len(self.watch.snapshot.by_key) if self.watch and self.watch.snapshot else 0
        size = self.journal.size / 2**20
        state = "no answer" if self.lost is not None else plural(locks, "lock")
        line = f"recording: {self.looks:,} looks, {self.events:,} events, {state}, {size:.1f} MiB"
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.write(f"\r\x1b[K{line}")
            sys.stderr.flush()
            self.drawn = True
