"""`locktop ls`: one sweep, printed."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, TextIO

from locktop.exits import ExitCode, exit_table
from locktop.output.streams import say
from locktop.settings import Settings
from locktop.subcommands.common import (
    add_clock_error,
    add_schema,
    add_target,
    opener,
    settings_of,
    target_of,
)
from locktop.subcommands.patience import patiently

if TYPE_CHECKING:
    from backuplock.model import Snapshot
    from backuplock.stores.base import Store
    from backuplock.survey import Progress
    from locktop.query import Query
    from locktop.rows import Board

_EXAMPLES = """\
examples:
  locktop ls /mnt/backups
  locktop ls --json s3://backups@us-east-1/prod/ | jq '.locks[] | select(.state == "stale") | .key'
  locktop ls --csv --all -t nfs://nas.example:/backups > locks.csv
  locktop ls --filter 'type:delete state:stale,late !claim:test/ ttl:<1m' /mnt/backups
  locktop ls --json --timeout 30 > locks.json || echo "not a complete answer: $?"

Data goes to stdout, the summary and what could not be read to stderr. The table shows first what needs
attention, JSON and CSV are sorted by volume and lock; JSON carries everything, exactly (its fields:
locktop ls --schema).

A filter has words, looked for in all that is known of a lock, and columns (type, state, owner, ttl, age,
volume, claim, workload, lock, op, blocks) with values; all must fit, a comma is or, ! in front is not.
What could not be read is told in any case, and the exit code is that of the whole answer.

exit codes:
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Arguments of `ls`."""
    parser.description = "List the locks of a backup store once. Nothing is written to the store."
    parser.epilog = _EXAMPLES + exit_table()
    add_target(parser)
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", dest="form", action="store_const", const="json", help="one JSON document")
    form.add_argument("--csv", dest="form", action="store_const", const="csv", help="a line a lock")
    parser.add_argument(
        "-a",
        "--all",
        action="store_true",
        help="also volumes without locks (a request each), ghosts, and leftovers of failed writes",
    )
    parser.add_argument(
        "-f",
        "--filter",
        metavar="FILTER",
        help="only locks that fit, in the language of the console's filter: 'type:delete state:stale,late'",
    )
    add_schema(parser, "locktop.output.json_", "locktop.output.csv_")
    parser.add_argument("-q", "--quiet", action="store_true", help="no summary on stderr")
    parser.add_argument("--timeout", metavar="SECONDS", help="give up after so long (wait for ever)")
    add_clock_error(parser)


def run(options: argparse.Namespace) -> int:
    """Sweep, print, and say by the exit code whether the answer is complete."""
    settings = settings_of(options)
    target = target_of(settings)
    wanted = _wanted(options)
    snapshot = _patiently(
        opener(target, settings),
        settings,
        progress=not options.quiet,
        url=target.url,
        all_names=options.all,
    )
    from locktop.rows import board_of

    board = board_of(snapshot)
    from locktop.filters import narrowed

    found = narrowed(board, wanted) if wanted is not None else board
    print_board(found, options.form, everything=options.all, ascii_only=settings.ascii.value)
    summary = options.form is None and not options.quiet
    if wanted is not None and summary:
        say(f"{sum(row.lock is not None for row in found.rows):,} of these fit {wanted.text}:")
    return narrate(board, summary=summary, ascii_only=settings.ascii.value)


def _wanted(options: argparse.Namespace) -> Query | None:
    if options.filter is None:
        return None
    from locktop.query import parse
    from locktop.settings import Usage

    if options.all:
        raise Usage("--all and --filter do not go together", advice="a filter is of locks: leave one out")
    return parse(options.filter)


def _patiently(
    open_it: Callable[[], Store], settings: Settings, *, progress: bool, url: str, all_names: bool
) -> Snapshot:
    """Sweep in a thread that can be left behind: a dead mount answers neither us nor a signal.

    Raises:
        StoreError: as `survey.sweep`, and `Unreachable` when the timeout is over.
    """
    meter = _Meter(sys.stderr) if progress and sys.stderr.isatty() else None
    try:
        return patiently(
            lambda stop: _sweep(open_it, settings, stop, meter, all_names=all_names),
            settings.timeout.value,
            url=url,
            name="ls",
        )
    finally:
        if meter is not None:
            meter.clear()


def _sweep(
    open_it: Callable[[], Store],
    settings: Settings,
    stop: threading.Event,
    meter: _Meter | None,
    *,
    all_names: bool,
) -> Snapshot:
    from backuplock.clock import nanoseconds
    from backuplock.survey import sweep

    store = open_it()
    try:
        return sweep(
            store,
            clock_error_ns=nanoseconds(settings.clock_error.value),
            progress=meter.show if meter is not None else None,
            stop=stop,
            all_names=all_names,
        )
    finally:
        store.close()


class _Meter:
    """Progress on one line of a terminal, a few times a second."""

    def __init__(self, stream: TextIO) -> None:
        from backuplock.clock import SECOND, SystemClock

        self._stream = stream
        self._clock = SystemClock()
        self._pause = SECOND // 4
        # Fast stores have answered before anything is drawn.
        self._next = self._clock.mono_ns() + self._pause
        self._drawn = False

    def show(self, progress: Progress) -> None:
        """Draw, unless that was done a moment ago."""
        now = self._clock.mono_ns()
        if now >= self._next:
            self._next, self._drawn = now + self._pause, True
            seen = f"{progress.volumes_done:,} of {progress.volumes_known:,} volumes found so far"
            self._stream.write(f"\r\x1b[Kreading: {seen}")
            self._stream.flush()

    def clear(self) -> None:
        """Give the line back."""
        if self._drawn:
            self._stream.write("\r\x1b[K")
            self._stream.flush()


def print_board(board: Board, form: str | None, *, everything: bool, ascii_only: bool) -> None:
    """The locks on stdout: as JSON, as CSV, or (`form` is None) as a table."""
    if form == "json":
        from locktop.output import json_

        sys.stdout.write(json_.text(board, everything=everything))
    elif form == "csv":
        from locktop.output import csv_

        sys.stdout.write(csv_.text(board, everything=everything))
    else:
        _print_table(board, everything=everything, ascii_only=ascii_only)


def _print_table(board: Board, *, everything: bool, ascii_only: bool) -> None:
    from rich.console import Console

    from locktop.format import pick_glyphs
    from locktop.output import table

    glyphs = pick_glyphs(ascii_only=ascii_only, encoding=sys.stdout.encoding)
    if not sys.stdout.isatty():
        plain = table.lines(board, everything=everything)
        sys.stdout.writelines(f"{line.plain.rstrip()}\n" for line in plain)
        return
    width = shutil.get_terminal_size().columns
    no_colour = bool(os.environ.get("NO_COLOR"))
    console = Console(
        file=sys.stdout, width=width, no_color=no_colour, markup=False, highlight=False, emoji=False
    )
    for line in table.lines(board, width=width, everything=everything, glyphs=glyphs):
        console.print(line, end="\n", overflow="crop", crop=True)


def narrate(board: Board, *, summary: bool, ascii_only: bool) -> int:
    """Say what stdout does not; the result is the exit code."""
    from locktop.format import pick_glyphs
    from locktop.output import fields, table

    snapshot = board.snapshot
    if summary:
        say(table.summary(board, pick_glyphs(ascii_only=ascii_only, encoding=sys.stderr.encoding)))
    found = fields.problems(snapshot)
    for problem in found:
        say(f"not read: {f'volume {problem.volume}: ' if problem.volume else ''}{problem.reason}")
    if found:
        say("the answer is not complete: what is not shown is not proved free")
        return ExitCode.INCOMPLETE
    if not snapshot.store_present:
        say(f"{snapshot.target}: there is no backupstore here; is the path right?")
        return ExitCode.MISSING
    if summary and not snapshot.by_key:
        say("no locks: every operation would be granted")
    return ExitCode.OK
