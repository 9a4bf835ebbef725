"""`locktop blocked`: over all volumes, which operations are blocked where, by what and until when."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace

from backuplock.model import Operation
from locktop.exits import ExitCode, exit_table
from locktop.output.streams import say
from locktop.subcommands.asking import add_common, glyphs_for, look_at_all, none_fits
from locktop.subcommands.common import add_schema, refuse_targets, settings_of, target_of

_EXAMPLES = """\
examples:
  locktop blocked -t /mnt/backups
  locktop blocked --op restore                     before a failover: can every volume be restored?
  locktop blocked --op delete shop/                volumes and claims with shop/ in their names
  locktop blocked --json | jq '.volumes[].volume'  (its fields: locktop blocked --schema)

0: every operation would be granted everywhere; 1: some would be refused; 3: of some it cannot be told; 6: no
volume fits the words.

exit codes:
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Arguments of `blocked`."""
    parser.description = (
        "List the volumes where an operation that started now would be refused: by which locks, until when,\n"
        "and who waits. Nothing is written to the store."
    )
    parser.epilog = _EXAMPLES + exit_table()
    parser.add_argument(
        "filter", metavar="TEXT", nargs="*", help="only volumes with all of these in id, claim or workload"
    )
    parser.add_argument(
        "--op", choices=[one.value for one in Operation], action="append", help="only this operation"
    )
    add_common(parser)
    add_schema(parser, "locktop.output.blocked")


def run(options: argparse.Namespace) -> int:
    """Sweep, print what is blocked, and say by the exit code whether anything is."""
    settings = settings_of(options)
    refuse_targets(options.filter, "blocked")
    target = target_of(settings)
    operations = tuple(one for one in Operation if not options.op or one.value in options.op)
    # Whether a volume without locks fits can only be told from its names.
    snapshot = look_at_all(target, settings, all_names=bool(options.filter))
    nowhere = none_fits(snapshot, options.filter)
    if nowhere is not None:
        return nowhere
    from locktop.output import blocked, volume_json
    from locktop.past import held_since

    found = blocked.blockages(snapshot, operations, options.filter)
    held = held_since((node.lock.key for one in found for node in one.blockers), target.url)
    found = [replace(one, held=held, local_now_ns=snapshot.taken_wall_ns) for one in found]
    looked_at = sum(blocked.fits(view, options.filter) for view in snapshot.volumes)
    if options.json:
        sys.stdout.write(volume_json.text(blocked.document(snapshot, found, looked_at)))
    else:
        from locktop.output.paper import print_paras

        print_paras(blocked.paras(found, glyphs_for(settings), operations, looked_at))
    for problem in blocked.unread(snapshot):
        say(f"not read: {problem}")
    if any(one.sure for one in found):
        return ExitCode.NEGATIVE
    return ExitCode.INCOMPLETE if found or not snapshot.complete else ExitCode.OK
