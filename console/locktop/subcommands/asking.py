"""What the commands about one volume share: their options, and asking the store in time."""

from __future__ import annotations

import argparse
import sys
import threading
from typing import TYPE_CHECKING

from backuplock.target import Target
from locktop.exits import ExitCode
from locktop.instants import offset
from locktop.output.streams import say
from locktop.settings import Settings, shown
from locktop.subcommands.common import add_clock_error, add_target, opener
from locktop.subcommands.patience import patiently

if TYPE_CHECKING:
    from backuplock.inquiry import Inquiry
    from backuplock.lookup import Lookup
    from backuplock.model import Snapshot
    from backuplock.rules import Verdict
    from backuplock.watch import Event
    from locktop.format import Glyphs

VOLUME_HELP = "its id (pvc-...), the beginning of it, or namespace/claim; all but a full id read all volumes"


def add_common(parser: argparse.ArgumentParser, *, timeout: bool = True) -> None:
    """`-t`, `--json`, `--ascii`, `--clock-error`, and `--timeout` unless that means something else there."""
    add_target(parser, positional=False)
    parser.add_argument("--json", action="store_true", help="one JSON document")
    parser.add_argument("--ascii", action="store_const", const="yes", help="draw in plain ASCII")
    if timeout:
        parser.add_argument("--timeout", metavar="SECONDS", help="give up after so long (wait for ever)")
    add_clock_error(parser)


def add_watch(parser: argparse.ArgumentParser) -> None:
    """`--watch`."""
    parser.add_argument(
        "--watch",
        metavar="TIME",
        help="watch for signs of life, so long at most; 70s sees one refresh of a live holder",
    )


def watch_ns(options: argparse.Namespace) -> int:
    """How long to watch; 0: a single look."""
    return offset(options.watch, "--watch") if options.watch is not None else 0


def ask(
    target: Target, settings: Settings, volume: str, *, watch_for_ns: int = 0, whole_id: bool = False
) -> Inquiry:
    """Find out about a volume; `whole_id`: it is a full id, not to be searched for.

    Raises:
        Missing, Malformed, StoreError: as `backuplock.inquiry.inquire`, or the timeout is over.
    """
    from backuplock.clock import seconds

    def work(stop: threading.Event) -> Inquiry:
        from backuplock.inquiry import Watching, inquire
        from locktop.neighbours import with_neighbours

        store = opener(target, settings)()
        try:
            watching = Watching(watch_for_ns, told=_told, lost=lambda error: say(f"not read: {error}"))
            how = lookup(settings, stop, whole_id=whole_id)
            return with_neighbours(inquire(store, volume, how, watching=watching))
        finally:
            store.close()

    if watch_for_ns:
        say(f"watching for signs of life, {seconds(watch_for_ns):g} s at most")
    limit = settings.timeout.value
    patience = None if limit is None else limit + seconds(watch_for_ns)
    found = patiently(work, patience, url=target.url, name="inquiry")
    from locktop.past import with_past

    return with_past(found, target.url)


def find_one(target: Target, settings: Settings, volume: str) -> Snapshot:
    """A Snapshot with one volume, by any of its names.

    Raises: as `ask`.
    """

    def work(stop: threading.Event) -> Snapshot:
        from backuplock.lookup import find_volume

        store = opener(target, settings)()
        try:
            return find_volume(store, volume, lookup(settings, stop))
        finally:
            store.close()

    return patiently(work, settings.timeout.value, url=target.url, name="lookup")


def look_at_all(target: Target, settings: Settings, *, all_names: bool = False) -> Snapshot:
    """Sweep the whole store; `all_names`: with the names of volumes without locks, a request each.

    Raises: as `ask`.
    """

    def work(stop: threading.Event) -> Snapshot:
        from backuplock.survey import sweep

        store = opener(target, settings)()
        try:
            how = lookup(settings, stop)
            return sweep(store, clock_error_ns=how.clock_error_ns, stop=stop, all_names=all_names)
        finally:
            store.close()

    return patiently(work, settings.timeout.value, url=target.url, name="sweep")


def none_fits(snapshot: Snapshot, words: list[str]) -> ExitCode | None:
    """Say so and return the exit code if there is no store, or no volume that all words fit; else None."""
    from locktop.output.blocked import fits, unread

    if not snapshot.store_present:
        say(f"{snapshot.target}: there is no backupstore here; is the path right?")
        return ExitCode.MISSING
    if not words or any(fits(view, words) for view in snapshot.volumes):
        return None
    count, asked = len(snapshot.volumes), shown(" ".join(words))
    among = f"none of the {count:,} volumes looked at" if count != 1 else "not the one volume looked at"
    say(f"no volume fits {asked!r}, {among}; locktop ls --all lists them")
    for problem in unread(snapshot):
        say(f"not read: {problem}")
    return ExitCode.MISSING if snapshot.complete else ExitCode.INCOMPLETE


def lookup(settings: Settings, stop: threading.Event, *, whole_id: bool = False) -> Lookup:
    """How the settings want a store looked at."""
    from backuplock.clock import nanoseconds
    from backuplock.lookup import Lookup

    error_ns = nanoseconds(settings.clock_error.value)
    return Lookup(clock_error_ns=error_ns, stop=stop, sweeping=say, whole_id=whole_id)


def glyphs_for(settings: Settings) -> Glyphs:
    """The glyphs for stdout."""
    from locktop.format import pick_glyphs

    return pick_glyphs(ascii_only=settings.ascii.value, encoding=sys.stdout.encoding)


def verdict_code(found: tuple[Verdict, ...]) -> ExitCode:
    """Free only if all are granted; blocked if any surely is."""
    granted = [one.granted for one in found]
    if False in granted:
        return ExitCode.NEGATIVE
    return ExitCode.INCOMPLETE if None in granted else ExitCode.OK


def _told(events: tuple[Event, ...]) -> None:
    from locktop.output.event_lines import line

    for event in events:
        say(line(event))
