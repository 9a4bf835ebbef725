"""`locktop doctor`: what a store gives and lacks for locks, and what follows."""

from __future__ import annotations

import argparse
import sys
import threading
from typing import TYPE_CHECKING

from locktop.exits import ExitCode, exit_table
from locktop.output.streams import say
from locktop.subcommands.asking import glyphs_for
from locktop.subcommands.common import (
    add_clock_error,
    add_schema,
    add_target,
    environ_of,
    settings_of,
    target_of,
)
from locktop.subcommands.patience import patiently

if TYPE_CHECKING:
    from backuplock.doctor import Diagnosis
    from backuplock.stores.base import Store

_EXAMPLES = """\
examples:
  locktop doctor s3://backups@us-east-1/prod/           looks only
  locktop doctor --write /mnt/backups                   also tries, in a folder of its own
  locktop doctor --json --write | jq '.checks[] | select(.grade != "ok")'

--write makes backupstore/.locktop/doctor-... with a few small files and removes it again: whether writing and
removing is allowed, whether conditions are honoured, how soon a change is listed, and who owns a new file,
nothing else tells. The fields of the JSON: locktop doctor --schema

0: nothing is wrong; 1: something is, or will be; 3: what was looked at tells nothing.

exit codes:
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Arguments of `doctor`."""
    parser.description = (
        "Examine a backup store: permissions, clocks, listings, conditions, versions, mount options and\n"
        "leftovers; and say which guarantees a lock on it has. Nothing is written without --write."
    )
    parser.epilog = _EXAMPLES + exit_table()
    add_target(parser)
    parser.add_argument("--write", action="store_true", help="also try what only writing tells")
    parser.add_argument("--json", action="store_true", help="one JSON document")
    add_schema(parser, "locktop.output.doctor")
    parser.add_argument("--ascii", action="store_const", const="yes", help="draw in plain ASCII")
    parser.add_argument("--timeout", metavar="SECONDS", help="give up after so long (wait for ever)")
    add_clock_error(parser)


def run(options: argparse.Namespace) -> int:
    """Examine and print."""
    settings = settings_of(options)
    target = target_of(settings)

    def work(_stop: threading.Event) -> Diagnosis:
        from backuplock.clock import nanoseconds
        from backuplock.doctor import examine
        from backuplock.stores import open_store

        def opened(writable: bool) -> Store:
            return open_store(target, writable=writable, environ=environ_of(settings))

        error_ns = nanoseconds(settings.clock_error.value)
        tell = say if sys.stderr.isatty() else None
        return examine(opened, write=options.write, clock_error_ns=error_ns, tell=tell)

    found = patiently(work, settings.timeout.value, url=target.url, name="doctor")
    if options.json:
        from locktop.output import doctor, volume_json

        sys.stdout.write(volume_json.text(doctor.document(found)))
    else:
        from locktop.output import doctor
        from locktop.output.paper import print_paras

        print_paras(doctor.paras(found, glyphs_for(settings)))
    return code_of(found)


def code_of(found: Diagnosis) -> ExitCode:
    """The exit code for a diagnosis."""
    from backuplock.doctor import Grade

    if not found.snapshot.store_present:
        return ExitCode.MISSING
    if found.worst in (Grade.BAD, Grade.WARN):
        return ExitCode.NEGATIVE
    return ExitCode.INCOMPLETE if found.worst is Grade.UNKNOWN else ExitCode.OK
