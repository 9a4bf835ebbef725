"""`locktop watch`: what happens to the locks, a line each, until Ctrl-C."""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from locktop.exits import ExitCode, exit_table
from locktop.instants import offset
from locktop.output.streams import say
from locktop.settings import Settings
from locktop.subcommands.common import (
    add_budget,
    add_clock_error,
    add_schema,
    add_target,
    opener,
    settings_of,
    target_of,
)
from locktop.subcommands.patience import patiently

if TYPE_CHECKING:
    import threading

    from backuplock.clock import Clock
    from backuplock.errors import StoreError
    from backuplock.model import Snapshot
    from backuplock.stores.base import Store
    from backuplock.target import Target
    from backuplock.watch import Event, Watch
    from locktop.format import Glyphs
    from locktop.patrol import Patrol

_EXAMPLES = """\
examples:
  locktop watch /mnt/backups
  locktop watch --json s3://backups@us-east-1/prod/ | jq -c 'select(.kind == "expired")'
  locktop watch --for 10m --interval 5 --no-renewals

Events are inferred from one look to the next: what is shorter than the interval may be missed, and a lock
that is gone was released, refused or removed by somebody; what is a guess is marked so. The JSON lines are
described by: locktop watch --schema

exit codes:
"""

_GIVE_UP_S = 60.0
"""A look that takes longer counts as failed: a dead mount may never answer."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Arguments of `watch`."""
    parser.description = "Print what happens to the locks of a store, until Ctrl-C. Nothing is written to it."
    parser.epilog = _EXAMPLES + exit_table()
    add_target(parser)
    parser.add_argument("--json", action="store_true", help="JSON lines")
    add_schema(parser, "locktop.output.event_lines")
    parser.add_argument("--interval", metavar="SECONDS", help="time between two looks at the store (2)")
    parser.add_argument("--for", dest="how_long", metavar="TIME", help="end after so long, as 10m")
    parser.add_argument(
        "--no-renewals", action="store_true", help="leave out refreshes in time, the most frequent"
    )
    parser.add_argument("--timeout", metavar="SECONDS", help="a look that takes longer has failed (60)")
    parser.add_argument("--ascii", action="store_const", const="yes", help="plain ASCII")
    add_budget(parser)
    add_clock_error(parser)


def run(options: argparse.Namespace) -> int:
    """Watch until the time is over or Ctrl-C."""
    from backuplock.clock import SystemClock, nanoseconds
    from locktop.format import pick_glyphs
    from locktop.patrol import Patrol

    settings = settings_of(options)
    target = target_of(settings)
    how_long = None if options.how_long is None else offset(options.how_long, "--for")
    teller = _Teller(
        as_json=options.json,
        renewals=not options.no_renewals,
        glyphs=pick_glyphs(ascii_only=settings.ascii.value, encoding=sys.stdout.encoding),
    )
    clock = SystemClock()
    patrol = Patrol(clock, nanoseconds(settings.clock_error.value))
    watcher = _Watcher(target, settings, teller, clock, patrol)
    try:
        return watcher.watch(nanoseconds(settings.interval.value), how_long)
    finally:
        watcher.close()


@dataclass(slots=True)
class _Teller:
    """Prints, and flushes each line: somebody may be reading the pipe."""

    as_json: bool
    renewals: bool
    glyphs: Glyphs
    events: int = 0
    claims: dict[str, str] = field(default_factory=dict)

    def record(self, kind: str, fields: dict[str, object]) -> None:
        from locktop.output.event_lines import record

        if self.as_json:
            self._write(record(kind, fields))

    def tell(self, snapshot: Snapshot, events: tuple[Event, ...]) -> None:
        from locktop.output import event_lines

        # A volume whose last lock went has its names read no more.
        self.claims |= {view.name: view.names.claim_path for view in snapshot.volumes if view.names}
        for event in events:
            if event.routine and not self.renewals:
                continue
            self.events += 1
            if self.as_json:
                self._write(event_lines.record("event", event_lines.fields(event)))
            else:
                claim = self.claims.get(event.volume, "")
                self._write(event_lines.line(event, self.glyphs, claim).rstrip() + "\n")

    def _write(self, line: str) -> None:
        sys.stdout.write(line)
        sys.stdout.flush()


@dataclass(slots=True)
class _Watcher:
    """Looks, again and again; opens the store anew after it was lost."""

    target: Target
    settings: Settings
    teller: _Teller
    clock: Clock
    patrol: Patrol
    store: Store | None = None
    watch_: Watch | None = None
    lost_since: int | None = None
    looks: int = 0
    last_error: StoreError | None = field(default=None)

    def watch(self, interval_ns: int, how_long_ns: int | None) -> int:
        until = None if how_long_ns is None else self.clock.mono_ns() + how_long_ns
        while True:
            began = self.clock.mono_ns()
            self._look()
            now = self.clock.mono_ns()
            if until is not None and now >= until:
                return self._end()
            pause = max(0, began + self.patrol.pause_ns(interval_ns) - now)
            self.clock.sleep(pause if until is None else min(pause, until - now))

    def close(self) -> None:
        if self.store is not None:
            self.store.close()

    def _look(self) -> None:
        from backuplock.errors import Malformed, StoreError

        timeout = self.settings.timeout.value or _GIVE_UP_S
        try:
            snapshot = patiently(self._sweep, timeout, url=self.target.url, name="watch")
        except Malformed:
            raise
        except StoreError as error:
            if self.watch_ is None:
                # Nothing was ever seen: that is a wrong target or a wrong key, not an outage.
                raise
            self._lose(error)
            return
        self._regain()
        self._take(snapshot)

    def _sweep(self, stop: threading.Event) -> Snapshot:
        from backuplock.clock import SECOND
        from locktop.budget import budget_for

        if self.store is None:
            self.store = opener(self.target, self.settings)()
            self.patrol.budget = budget_for(self.settings, self.store)
        previous = self.watch_.snapshot if self.watch_ is not None else None
        interval = round(self.settings.interval.value * SECOND)
        return self.patrol.look(self.store, previous, interval, whole=self.lost_since is not None, stop=stop)

    def _take(self, snapshot: Snapshot) -> None:
        from backuplock.watch import Watch

        self.looks += 1
        first = self.watch_ is None
        self.watch_, events = (self.watch_ or Watch()).look(snapshot)
        self.patrol.heed(events)
        if first:
            self._start(snapshot)
        self.teller.tell(snapshot, events)

    def _start(self, snapshot: Snapshot) -> None:
        from locktop.output.fields import iso

        volumes, locks = len(snapshot.volumes), len(snapshot.by_key)
        say(f"watching {snapshot.target}: {locks:,} locks, {volumes:,} volumes; events follow as they happen")
        fields = {"target": snapshot.target, "volumes": volumes, "locks": locks}
        more = {"complete": snapshot.complete, "taken_at": iso(snapshot.taken_wall_ns)}
        self.teller.record("started", {**fields, **more})

    def _lose(self, error: StoreError) -> None:
        from locktop.output.fields import iso

        self.last_error = error
        # A store whose connection broke is opened anew; the old one may hang, and is left behind.
        self.store = None
        if self.lost_since is None:
            self.lost_since = self.clock.mono_ns()
            say(f"lost: {error}; trying on, what happens meanwhile is not seen")
            self.teller.record("lost", {"at": iso(self.clock.wall_ns()), "reason": str(error)})

    def _regain(self) -> None:
        from backuplock.clock import seconds
        from locktop.output.fields import iso

        if self.lost_since is None:
            return
        gap = seconds(self.clock.mono_ns() - self.lost_since)
        self.lost_since = self.last_error = None
        say(f"reached again after {gap:.0f} s; what was over by then was not seen")
        self.teller.record("regained", {"at": iso(self.clock.wall_ns()), "for_seconds": round(gap, 3)})

    def _end(self) -> int:
        from locktop.exits import exit_code
        from locktop.output.fields import iso

        self.teller.record(
            "ended", {"at": iso(self.clock.wall_ns()), "looks": self.looks, "events": self.teller.events}
        )
        if self.last_error is not None:
            say(f"at the end the store did not answer: {self.last_error}")
            return exit_code(self.last_error)
        snapshot = self.watch_.snapshot if self.watch_ is not None else None
        return ExitCode.OK if snapshot is not None and snapshot.complete else ExitCode.INCOMPLETE
