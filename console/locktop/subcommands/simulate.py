"""`locktop simulate VOLUME`: what would happen if, played on a copy of the volume's locks."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from backuplock.model import Operation
from backuplock.text import printable
from locktop.exits import ExitCode, exit_table
from locktop.instants import at, offset
from locktop.output.streams import say
from locktop.settings import Settings, Usage
from locktop.subcommands.asking import (
    VOLUME_HELP,
    add_common,
    find_one,
    glyphs_for,
    look_at_all,
    none_fits,
)
from locktop.subcommands.common import add_schema, refuse_targets, settings_of, target_of

if TYPE_CHECKING:
    from locktop.what_if import Played, Wish

_EXAMPLES = """\
examples:
  locktop simulate pvc-3f3b                                  each operation, if it asked now
  locktop simulate pvc-3f3b --op delete --at +90s            and if it asked in a minute and a half
  locktop simulate pvc-3f3b --op delete --timeout 10m --holder-dies 9f2c@+0s
                                                             goes on asking; the lock's holder dies now
  locktop simulate pvc-3f3b --op backup --lasts 20m --also delete@+10s
  locktop simulate pvc-3f3b --op delete --after-break 9f2c   if its file were removed first
  locktop simulate --batch --op restore                      before a failover: over all volumes
  locktop simulate --batch --op delete shop/                 over those with shop/ in id or claim

Nothing is written: the lock's own code runs on a copy of the locks, in memory, in virtual time. What the
others do is assumed, and said. LOCK is a lock's name or a part of it that fits no other. What the JSON
means: locktop simulate --schema

0: granted; 1: refused, or lost while it works; 3: it cannot be told; 6: there is no such volume.

exit codes:
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Arguments of `simulate`."""
    parser.description = (
        "Foretell how a backup, restore or deletion would fare. Nothing is written to the store."
    )
    parser.epilog = _EXAMPLES + exit_table()
    parser.add_argument("volume", metavar="VOLUME", nargs="*", help=VOLUME_HELP + "; with --batch a filter")
    operations = [one.value for one in Operation]
    parser.add_argument("--op", choices=[*operations, "all"], default="all", help="the operation (all)")
    parser.add_argument("--batch", action="store_true", help="over all volumes, or those that VOLUME fits")
    parser.add_argument("--at", metavar="+TIME", help="when it asks (now)")
    parser.add_argument("--lasts", metavar="TIME", help="how long it works once it holds the lock")
    parser.add_argument("--crash-after", metavar="TIME", help="when it dies, after it got the lock (never)")
    parser.add_argument(
        "--timeout", dest="patience", metavar="TIME", help="how long it goes on asking (one attempt)"
    )
    parser.add_argument(
        "--also", metavar="OP@+TIME", action="append", default=[], help="another client, that works as long"
    )
    for flag, what in (
        ("--holder-dies", "the lock's holder dies"),
        ("--released", "the lock's holder releases it"),
        ("--after-break", "somebody removes the lock's file"),
    ):
        parser.add_argument(flag, metavar="LOCK@+TIME", action="append", default=[], help=f"{what} (at +0s)")
    add_common(parser, timeout=False)
    add_schema(parser, "locktop.output.simulate_json")


def run(options: argparse.Namespace) -> int:
    """Play the scenario and print how it ends."""
    settings = settings_of(options)
    refuse_targets(options.volume, "simulate")
    wish = _wish(options)
    operations = tuple(one for one in Operation if options.op in (one.value, "all"))
    if options.batch:
        return _batch(options, settings, wish, operations)
    if len(options.volume) != 1:
        raise Usage("name one volume", advice="or use --batch for many; see locktop simulate --help")
    target = target_of(settings)
    snapshot = find_one(target, settings, options.volume[0])
    view = snapshot.volumes[0]
    now = snapshot.clock.at(snapshot.began_mono_ns)
    from backuplock.simulate import terms_on
    from locktop.what_if import play

    terms = terms_on(snapshot.capabilities)
    played = [play(view, now, wish, operation, terms) for operation in operations]
    if options.json:
        from locktop.output import simulate_json, volume_json

        rows = [(view, one) for one in played]
        sys.stdout.write(volume_json.text(simulate_json.document(snapshot.target, now, rows)))
    else:
        from locktop.output.paper import print_paras
        from locktop.output.simulate_text import played_paras

        print_paras(played_paras(view, now, played, glyphs_for(settings)))
    return _code(played)


def _batch(
    options: argparse.Namespace, settings: Settings, wish: Wish, operations: tuple[Operation, ...]
) -> int:
    from backuplock.simulate import terms_on
    from locktop.output import blocked
    from locktop.what_if import play_all

    if wish.names_locks:
        raise Usage(
            "--batch looks at many volumes, and locks are named of one", advice="leave one of them out"
        )
    snapshot = look_at_all(target_of(settings), settings, all_names=bool(options.volume))
    now = snapshot.clock.at(snapshot.began_mono_ns)
    nowhere = none_fits(snapshot, options.volume)
    if nowhere is not None:
        return nowhere
    views = [view for view in snapshot.volumes if blocked.fits(view, options.volume)]
    terms = terms_on(snapshot.capabilities)
    rows = [row for operation in operations for row in play_all(views, now, wish, operation, terms)]
    if options.json:
        from locktop.output import simulate_json, volume_json

        sys.stdout.write(volume_json.text(simulate_json.document(snapshot.target, now, rows)))
    else:
        from locktop.output.paper import print_paras
        from locktop.output.simulate_text import batch_paras

        print_paras(batch_paras(rows, glyphs_for(settings)))
    for problem in snapshot.problems:
        say(f"not read: {problem}")
    code = _code([played for _, played in rows])
    return ExitCode.INCOMPLETE if code == ExitCode.OK and not snapshot.complete else code


def _wish(options: argparse.Namespace) -> Wish:
    from locktop.what_if import Wish

    def optional(text: str | None, flag: str) -> int | None:
        return None if text is None else offset(text, flag)

    return Wish(
        at_ns=optional(options.at, "--at") or 0,
        lasts_ns=optional(options.lasts, "--lasts"),
        crash_after_ns=optional(options.crash_after, "--crash-after"),
        timeout_ns=optional(options.patience, "--timeout") or 0,
        also=tuple(_also(text) for text in options.also),
        dies=tuple(at(text, "--holder-dies") for text in options.holder_dies),
        released=tuple(at(text, "--released") for text in options.released),
        broken=tuple(at(text, "--after-break") for text in options.after_break),
    )


def _also(text: str) -> tuple[Operation, int]:
    what, when = at(text, "--also")
    try:
        return Operation(what), when
    except ValueError:
        shown = printable(what, limit=40)
        raise Usage(f"--also: {shown!r} is no operation", advice="backup, restore or delete") from None


def _code(played: Sequence[Played]) -> ExitCode:
    results = {one.result for one in played}
    if results & {"refused", "lost"}:
        return ExitCode.NEGATIVE
    return ExitCode.INCOMPLETE if "unknown" in results else ExitCode.OK
