"""`locktop TARGET`: the live console."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from functools import partial
from typing import TYPE_CHECKING

from backuplock.text import ellipsize_middle, printable
from locktop.badge import Badge, Choice, Contexts
from locktop.config.choose import settle, several
from locktop.config.file import ConfigFile
from locktop.opening import opening
from locktop.settings import Settings, Usage
from locktop.subcommands.acting import add_write
from locktop.subcommands.common import (
    add_budget,
    add_clock_error,
    add_target,
    check_mounted,
    config_of,
    environ_of,
    flags_of,
    is_served,
    needs_terminal,
    opener,
    target_of,
)

if TYPE_CHECKING:
    from locktop.session import Session

_EXAMPLES = """\
examples:
  locktop s3://backups@us-east-1/prod/    keys come from AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and
                                          AWS_ENDPOINTS, as in Longhorn's backup-target secret
  locktop /mnt/backups                    a mounted share or any folder that holds backupstore/
  locktop nfs://nas.example:/backups      finds where the share is mounted
  LOCKTOP_TARGET=/mnt/backups locktop     the same for every command
  locktop ls --json /mnt/backups          once, for scripts
  locktop -c prod                         a context of the settings file: locktop config init begins one
  locktop -c prod,dr                      several contexts side by side, in one table
  locktop --write /mnt/backups            lets x break dead locks; without it nothing is ever written
  locktop demo                            a store of its own, with clients at work
"""

_LABEL_WIDTH = 32
"""Characters of a target in the console's header, which has more to say; the full URL follows if it fits."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Arguments of the console."""
    parser.description = (
        "Show every lock of a Longhorn backup store, live. Nothing is written to the store without --write."
    )
    parser.epilog = _EXAMPLES
    add_target(parser)
    parser.add_argument("--interval", metavar="SECONDS", help="time between two looks at the store (2)")
    add_budget(parser)
    add_clock_error(parser)
    add_write(parser, "let x break locks, and u put them back")
    parser.add_argument(
        "--even-if-live",
        action="store_const",
        const="yes",
        help="with --write: also locks whose holders may be alive, one at a time, the full name typed",
    )
    add_screen(parser)


def add_screen(parser: argparse.ArgumentParser) -> None:
    """Options of every command that opens the console."""
    parser.add_argument("--ascii", action="store_const", const="yes", help="draw in plain ASCII")
    parser.add_argument(
        "--no-mouse", dest="mouse", action="store_const", const="no", help="leave the mouse to the terminal"
    )


def run(options: argparse.Namespace) -> int:
    """Open the console on the target."""
    file = config_of(options)
    flags = flags_of(options)
    names = several(flags, os.environ)
    if names and flags.get("write") is not None:
        advice = "set write = true in the contexts that may be written to"
        raise Usage("--write opens one store, and several contexts are named", advice=advice)
    each = [settle({**flags, "context": name}, os.environ, file) for name in names]
    each = each or [settle(flags, os.environ, file)]
    settings = each[0]
    given = ", ".join(names) or settings.required_target()
    for one in each:
        target = target_of(one)
        if not names:
            check_mounted(target)
    served = is_served()
    if not served:
        needs_terminal(f"locktop ls {printable(given, limit=200)}")
    with opening(given) if not served else nullcontext():
        return _show(each, flags, file, served=served)


def _show(each: Sequence[Settings], flags: Mapping[str, object], file: ConfigFile, *, served: bool) -> int:
    # Nothing of the console is needed to refuse a wrong command line.
    from locktop import launch
    from locktop.keymap import read_keymap

    settings = each[0]
    return launch.run(
        # Of several, one that is not there just now holds up no other: it says so in its place.
        [_session(one, there=len(each) == 1) for one in each],
        ascii_only=settings.ascii.value,
        mouse=settings.mouse.value,
        # A context may allow what a page for everybody must not.
        contexts=Contexts() if served else _contexts(flags, file),
        served=served,
        keymap=read_keymap(file.keys),
    )


def _session(settings: Settings, *, there: bool = True) -> Session:
    """A session with these settings, not started. `there`: whether the target must be mounted now.

    Raises:
        Malformed, Missing: the target has not its form, or is a share that is not mounted.
    """
    target = target_of(settings)
    if there:
        check_mounted(target)
    from backuplock.journal import Journal, journal_path
    from locktop.breaker import breaker_for
    from locktop.budget import budget_for
    from locktop.session import Session

    journal = journal_path(target.url)
    given = printable(settings.required_target())
    return Session(
        opener(target, settings),
        label=settings.context.value or ellipsize_middle(given, _LABEL_WIDTH, ".."),
        url=target.url,
        interval_s=settings.interval.value,
        clock_error_s=settings.clock_error.value,
        open_journal=lambda: Journal.open(journal, target=target.url),
        breaker=breaker_for(
            target,
            writable=settings.write.value,
            even_if_live=settings.even_if_live.value,
            environ=environ_of(settings),
        ),
        badge=_badge(settings),
        budget=partial(budget_for, settings),
    )


def _contexts(flags: Mapping[str, object], file: ConfigFile) -> Contexts:
    """Where a person can go from here. What a flag said of the store that was named first, above all that it
    may be written to, is not said of another one."""
    own = ("target", "where", "context", "write", "even_if_live")
    kept = {name: value for name, value in flags.items() if name not in own}

    def settings_in(name: str) -> Settings:
        return settle({**kept, "context": name}, os.environ, file)

    choices = []
    for name in file.contexts:
        found = settings_in(name)
        target = printable(found.required_target(), limit=200)
        choices.append(Choice(_badge(found), target, found.write.value))
    return Contexts(tuple(choices), file.shown, lambda name: _session(settings_in(name)))


def _badge(settings: Settings) -> Badge:
    return Badge(settings.context.value or "", settings.accent.value, settings.protected.value)
