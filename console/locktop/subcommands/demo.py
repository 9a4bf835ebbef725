"""`locktop demo`: the console on a store of its own, with clients at work."""

from __future__ import annotations

import argparse
import sys

from backuplock.errors import Unreachable
from backuplock.target import parse_target
from locktop.exits import exit_table
from locktop.output.streams import say
from locktop.settings import Usage
from locktop.subcommands.common import config_of, needs_terminal, opener, settings_of
from locktop.subcommands.console import add_screen

_EXAMPLES = """\
examples:
  locktop demo                  the console; everything is gone when it is left
  locktop demo --no-console     prints the store's path and runs until it is interrupted;
                                then, in another terminal: locktop ls PATH
  locktop demo --keep           leaves the folder, without clients

The store is a temporary folder with some 60 volumes. Client processes, stand-ins for Longhorn's, back up,
restore and delete in it with Longhorn's own timing (150 s lease, 60 s refresh, 2 s wait); some are refused,
some die.

exit codes:
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Arguments of `demo`."""
    parser.description = "Show the console on a store of its own, with clients at work."
    parser.epilog = _EXAMPLES + exit_table()
    parser.add_argument("--no-console", action="store_true", help="print the store's path and just run")
    parser.add_argument("--keep", action="store_true", help="leave the store's folder when the demo ends")
    parser.add_argument("--seed", metavar="N", default="1", help="another cast of volumes and events (1)")
    parser.add_argument("--interval", metavar="SECONDS", help="time between two looks at the store (2)")
    add_screen(parser)


def run(options: argparse.Namespace) -> int:
    """Set the stage, and show or just run it."""
    settings = settings_of(options)
    seed = _seed(options.seed)
    if not options.no_console:
        needs_terminal("locktop demo --no-console")
    from locktop.demo.stage import Stage, staged

    def show(stage: Stage) -> int:
        from locktop import launch
        from locktop.breaker import breaker_for
        from locktop.keymap import read_keymap
        from locktop.session import Session

        target = parse_target(str(stage.root))
        # Nothing of value lies there: breaking locks is to be tried.
        audit = stage.root / ".locktop-demo" / "audit.db"
        session = Session(
            opener(target),
            label="demo",
            url=target.url,
            interval_s=settings.interval.value,
            breaker=breaker_for(target, writable=True, even_if_live=True, audit=audit),
        )
        return launch.run(
            session,
            ascii_only=settings.ascii.value,
            mouse=settings.mouse.value,
            keymap=read_keymap(config_of(options).keys),
        )

    with staged(seed=seed, keep=options.keep) as stage:
        if options.keep:
            say(f"the demo's store stays in {stage.root}")
        if not options.no_console:
            return show(stage)
        sys.stdout.write(f"{stage.root}\n")
        sys.stdout.flush()
        code = stage.cluster.wait()
        raise Unreachable(f"the demo's clients have ended by themselves ({code})")


def _seed(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise Usage(f"--seed: {text[:40]!r} is not a number", advice="give digits only")
    return int(text)
