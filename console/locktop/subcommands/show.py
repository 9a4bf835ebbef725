"""`locktop show VOLUME`: one volume, its locks in order, who blocks whom, what would happen now."""

from __future__ import annotations

import argparse
import sys

from locktop.exits import exit_table
from locktop.subcommands.asking import (
    VOLUME_HELP,
    add_common,
    add_watch,
    ask,
    glyphs_for,
    verdict_code,
    watch_ns,
)
from locktop.subcommands.common import add_schema, refuse_targets, settings_of, target_of

_EXAMPLES = """\
examples:
  locktop show -t /mnt/backups pvc-3f3bd369-2ab6-43ea-aff5-c8455a1dca9a
  locktop show shop/data-postgres-0           with LOCKTOP_TARGET set; finds the volume of the claim
  locktop show pvc-3f3b --watch 70s           watches for a refresh first: the surest sign of life
  locktop show pvc-3f3b --json | jq '.verdicts[] | select(.operation == "delete")'
                                              (its fields: locktop show --schema)

0: backup, restore and delete would all be granted; 1: one of them would be refused; 3: it cannot be told.

exit codes:
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Arguments of `show`."""
    parser.description = (
        "Show the locks of one volume, who blocks whom, whether the holders live, and what an operation\n"
        "would meet if it started now. Nothing is written to the store."
    )
    parser.epilog = _EXAMPLES + exit_table()
    parser.add_argument("volume", metavar="VOLUME", help=VOLUME_HELP)
    parser.add_argument("-v", "--verbose", action="store_true", help="also the raw records")
    add_watch(parser)
    add_common(parser)
    add_schema(parser, "locktop.output.volume_json", "locktop.output.json_")


def run(options: argparse.Namespace) -> int:
    """Look at the volume and print it."""
    settings = settings_of(options)
    watching = watch_ns(options)
    refuse_targets([options.volume], "show")
    inquiry = ask(target_of(settings), settings, options.volume, watch_for_ns=watching)
    if options.json:
        from locktop.output import volume_json

        sys.stdout.write(volume_json.text(volume_json.document(inquiry, verbose=options.verbose)))
    else:
        from locktop.output.paper import print_paras
        from locktop.output.volume_text import volume_paras

        print_paras(volume_paras(inquiry, glyphs_for(settings), verbose=options.verbose))
    return verdict_code(inquiry.tree.verdicts)
