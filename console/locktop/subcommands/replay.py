"""`locktop replay`: a recording as the console, as events, or as the table at an instant."""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from backuplock.text import ellipsize_middle, printable
from locktop.exits import ExitCode, exit_table
from locktop.moments import moment
from locktop.output.streams import say
from locktop.settings import Settings, Usage
from locktop.subcommands.common import add_schema, config_of, needs_terminal, settings_of
from locktop.subcommands.console import add_screen

if TYPE_CHECKING:
    from backuplock.journal import Journal
    from backuplock.watch import Event

_EXAMPLES = """\
examples:
  locktop replay night.rec                           the console, at the pace of then
  locktop replay --speed 10 --from +2h night.rec     ten times as fast, from two hours after its beginning
  locktop replay --events --json night.rec | jq -c 'select(.kind == "expired")'
  locktop replay --ls 2026-01-02T03:04:05Z night.rec
  locktop replay --ls end --json night.rec

Instants are those of the recorder's clock: ISO 8601 (UTC unless it says otherwise), +TIME after the first
look, -TIME before the last (write --from=-10m), or "end". No store is asked and nothing is written. The
JSON is that of locktop ls and locktop watch.

exit codes:
"""

_LABEL_WIDTH = 24
_SLOWEST, _FASTEST = 0.1, 1000.0


def configure(parser: argparse.ArgumentParser) -> None:
    """Arguments of `replay`."""
    parser.description = "Show what was recorded by locktop record, as if it happened now."
    parser.epilog = _EXAMPLES + exit_table()
    parser.add_argument("file", metavar="FILE", help="the recording")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--events", action="store_true", help="print what happened, a line each")
    what.add_argument("--ls", metavar="AT", help="print the locks as they were at an instant")
    parser.add_argument("--from", dest="begin", metavar="AT", help="begin at an instant (the first look)")
    parser.add_argument("--speed", metavar="N", default="1", help="times as fast (1)")
    parser.add_argument("--json", action="store_true", help="with --events JSON lines, with --ls a document")
    add_schema(parser, "locktop.output.event_lines", "locktop.output.json_")
    add_screen(parser)


def run(options: argparse.Namespace) -> int:
    """Open the recording and show it in one of the three ways."""
    from backuplock.journal import Journal

    settings = settings_of(options)
    speed = _speed(options.speed)
    path = Path(options.file)
    shown = not options.events and options.ls is None
    if shown and options.json:
        raise Usage("--json needs --events or --ls", advice="see locktop replay --help")
    if options.ls is not None and options.begin is not None:
        raise Usage("--ls names its own instant", advice="leave --from out")
    journal = Journal.read(path)
    try:
        span = journal.span()
        if span is None:
            say(f"{path} holds no look at a store")
            return ExitCode.MISSING
        begin, end = span[0].wall_ns, span[1].wall_ns
        if options.ls is not None:
            return _list(journal, moment(options.ls, "--ls", begin_ns=begin, end_ns=end), options, settings)
        first = begin
        if options.begin is not None:
            first = moment(options.begin, "--from", begin_ns=begin, end_ns=end)
        if not begin <= first <= end:
            raise Usage(
                f"--from: {options.begin[:40]!r} is outside the recording", advice=_extent(begin, end)
            )
        if options.events:
            return _events(journal, first, options, settings)
        needs_terminal(f"locktop replay --events {printable(options.file, limit=200)}")
        return _console(journal, (begin, first, end), speed, options, settings)
    finally:
        journal.close()


def _speed(text: str) -> float:
    found = float(text) if re.fullmatch(r"\d{1,6}(\.\d{1,3})?", text) else 0.0
    if not _SLOWEST <= found <= _FASTEST:
        raise Usage(
            f"--speed: {printable(text, limit=40)!r} is not a number from {_SLOWEST:g} to {_FASTEST:g}"
        )
    return found


def _extent(begin: int, end: int) -> str:
    from locktop.output.fields import iso

    return f"it goes from {iso(begin)} to {iso(end)}"


def _list(journal: Journal, at_ns: int, options: argparse.Namespace, settings: Settings) -> int:
    from locktop.rows import board_of
    from locktop.subcommands.ls import narrate, print_board

    gap = journal.gap_at(at_ns)
    snapshot = journal.snapshot_at(at_ns)
    if snapshot is None:
        span = journal.span()
        advice = _extent(span[0].wall_ns, span[1].wall_ns) if span else ""
        raise Usage(f"--ls: {options.ls[:40]!r} is before the recording", advice=advice)
    if gap is not None:
        say(f"the store did not answer then ({gap.line}); this is what was seen last")
    from locktop.output.fields import iso

    say(f"{snapshot.target} as seen at {iso(snapshot.taken_wall_ns)}")
    board = board_of(snapshot)
    ascii_only = settings.ascii.value
    print_board(board, "json" if options.json else None, everything=False, ascii_only=ascii_only)
    code = narrate(board, summary=not options.json, ascii_only=ascii_only)
    return ExitCode.INCOMPLETE if gap is not None else code


def _events(journal: Journal, first: int, options: argparse.Namespace, settings: Settings) -> int:
    from locktop.format import pick_glyphs
    from locktop.output import event_lines
    from locktop.output.fields import iso

    glyphs = pick_glyphs(ascii_only=settings.ascii.value, encoding=sys.stdout.encoding)
    told: list[tuple[int, str]] = []
    claims: dict[str, str] = {}
    for event in journal.events(first - 1):
        if options.json:
            text = event_lines.record("event", event_lines.fields(event))
        else:
            day = (iso(event.seen_wall_ns) or "?")[:10]
            claim = _claim(journal, event, claims)
            text = f"{day} {event_lines.line(event, glyphs, claim).rstrip()}\n"
        told.append((event.seen_wall_ns, text))
    for gap in journal.gaps():
        if gap.ended_wall_ns < first:
            continue
        began, ended = iso(gap.began_wall_ns), iso(gap.ended_wall_ns)
        if options.json:
            lost = event_lines.record("lost", {"at": began, "reason": gap.line})
            told.append((gap.began_wall_ns, lost))
        else:
            told.append((gap.began_wall_ns, f"{began} no answer until {ended}: {printable(gap.line)}\n"))
    for _, text in sorted(told, key=lambda one: one[0]):
        sys.stdout.write(text)
    if not told:
        say("nothing was seen to happen; locktop replay --ls END shows what there was")
    return ExitCode.OK


def _claim(journal: Journal, event: Event, known: dict[str, str]) -> str:
    """The claim of an event's volume, from the look that it was seen in or the one before it: names are read
    of volumes with locks only. Each volume is looked up once."""
    for at in (event.seen_wall_ns, event.seen_wall_ns - 1):
        snapshot = journal.snapshot_at(at) if event.volume not in known else None
        for view in snapshot.volumes if snapshot is not None else ():
            if view.names is not None:
                known[view.name] = view.names.claim_path
    return known.setdefault(event.volume, "")


def _console(
    journal: Journal,
    span: tuple[int, int, int],
    speed: float,
    options: argparse.Namespace,
    settings: Settings,
) -> int:
    """The console from the second instant of `span` on; it can be wound back to the first."""
    from backuplock.replay import ReplayClock, ReplayStore
    from locktop import launch
    from locktop.keymap import read_keymap
    from locktop.playback import Playback
    from locktop.session import Session

    begin, first, end = span
    clock = ReplayClock(first, end, speed=speed, first_wall_ns=begin)
    name = ellipsize_middle(printable(Path(options.file).name), _LABEL_WIDTH, "..")
    session = Session(
        lambda: ReplayStore(journal, clock),
        label=name,
        url=f"replay of {journal.target}",
        interval_s=settings.interval.value,
        clock=clock,
        playback=Playback(journal, clock),
    )
    return launch.run(
        session,
        ascii_only=settings.ascii.value,
        mouse=settings.mouse.value,
        keymap=read_keymap(config_of(options).keys),
    )
