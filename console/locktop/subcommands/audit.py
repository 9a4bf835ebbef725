"""`locktop audit`: the trail of what was broken and put back from this machine; verify and export it."""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from backuplock.clock import SystemClock
from locktop.exits import ExitCode, exit_table
from locktop.ids import check_start, whole_id
from locktop.output.streams import say
from locktop.settings import Usage
from locktop.subcommands.acting import guarded
from locktop.subcommands.common import add_schema, add_target, settings_of, target_of

if TYPE_CHECKING:
    from backuplock.breaking import Audit, AuditEntry

_EXAMPLES = """\
examples:
  locktop audit                                      who did what to which lock, when, why, what came of it
  locktop audit --last 20 -t /mnt/backups            of one target
  locktop audit --id 20260102T0304                   one act, entry by entry
  locktop audit --verify                             is the chain whole? prints its head, to be noted down
  locktop audit --verify --head 5c1f...              and does it contain the head that was noted down?
  locktop audit --export trail.jsonl                 all of it, for a log server or a second pair of eyes

The trail is one file for all targets, in the XDG state folder of whoever acts; no store is asked. Each entry
holds the hash of the one before it. Of an ID, as much is enough as no other begins with, four characters at
least. The fields of the JSON: locktop audit --schema

0: told, or whole; 1: there is no act of this ID; with --verify: it is not whole, and the first bad entry is
named; 6: there is none to be verified or exported; 71: it cannot be read.

exit codes:
"""

_MOST = 1_000_000


def configure(parser: argparse.ArgumentParser) -> None:
    """Arguments of `audit`."""
    parser.description = "Show, verify or export the audit trail of what was broken from here. Reads only."
    parser.epilog = _EXAMPLES + exit_table()
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--verify", action="store_true", help="check the chain of hashes")
    what.add_argument(
        "--export", metavar="FILE", help="write all of it as JSON lines into a new file; - prints"
    )
    parser.add_argument("--head", metavar="HASH", help="with --verify: a head that was noted down earlier")
    parser.add_argument("--last", metavar="N", help="the last so many entries of all (all)")
    parser.add_argument("--id", metavar="ID", help="the entries of one act, by the beginning of its id")
    add_target(parser, positional=False)
    parser.add_argument("--json", action="store_true", help="one JSON document")
    add_schema(parser, "locktop.output.audit")


def run(options: argparse.Namespace) -> int:
    """Show, verify or export."""
    if options.head is not None and not options.verify:
        raise Usage("--head goes with --verify", advice="see locktop audit --help")
    if options.head is not None and not re.fullmatch("[0-9a-f]{64}", options.head):
        raise Usage(
            "--head: it is no hash of 64 hexadecimal digits", advice="locktop audit --verify prints one"
        )
    if (options.verify or options.export is not None) and (options.last or options.id) is not None:
        what = "--verify and --export are of the whole trail, whatever the target"
        raise Usage(what, advice="leave out --last and --id")
    if options.id is not None:
        check_start(options.id)
    last = _last(options.last)
    return guarded(lambda: _run(options, last))


def _last(text: str | None) -> int:
    if text is None:
        return 0
    if text.isascii() and text.isdigit() and 0 < int(text[:9]) <= _MOST:
        return int(text[:9])
    raise Usage(f"--last: {text[:40]!r} is no number from 1 to {_MOST:,}", advice="as --last 20")


def _run(options: argparse.Namespace, last: int) -> int:
    from backuplock.breaking import Audit, audit_path

    path = audit_path()
    if not path.exists():
        return _none(options, path)
    trail = Audit.read(path)
    try:
        if options.verify:
            return _verify(options, trail)
        if options.export is not None:
            return _export(trail, options.export)
        return _show(options, trail, last)
    finally:
        trail.close()


def _none(options: argparse.Namespace, path: Path) -> int:
    """Where nothing was ever done there is nothing to show; but what is not there is not whole either."""
    if options.json:
        from locktop.output import audit, volume_json

        sys.stdout.write(volume_json.text(audit.document(str(path), (), None)))
    why = "nothing was broken from here, or it is lost"
    if options.head is not None:
        why = "a head of one was noted down, so it was removed or moved"
    checked = "nothing was verified: " if options.verify else ""
    say(f"there is no audit trail {path}; {checked}{why}")
    return ExitCode.MISSING if options.verify or options.export is not None else ExitCode.OK


def _verify(options: argparse.Namespace, trail: Audit) -> int:
    found = trail.verify(options.head or "")
    if options.json:
        from locktop.output import audit, volume_json

        sys.stdout.write(volume_json.text(audit.document(str(trail.path), (), found)))
    else:
        how = f"NOT WHOLE: {found.problem}" if found.problem else "whole"
        sys.stdout.write(f"{trail.path}: {how}\nentries {found.entries}\nhead    {found.head}\n")
    if found.problem:
        say(f"the audit trail is not whole: {found.problem}")
        return ExitCode.NEGATIVE
    return ExitCode.OK


def _export(trail: Audit, where: str) -> int:
    if where == "-":
        for line in trail.export():
            sys.stdout.write(f"{line}\n")
        return ExitCode.OK
    path = Path(where)
    lines = 0
    try:
        with path.open("x", encoding="utf-8") as file:
            for line in trail.export():
                file.write(f"{line}\n")
                lines += 1
    except FileExistsError:
        raise Usage(f"--export: {path} is there already", advice="name a new file") from None
    except OSError as error:
        raise Usage(f"--export: {path}: {error.strerror}", advice="name a file that can be made") from None
    say(f"{lines:,} entries written to {path}")
    return ExitCode.OK


def _show(options: argparse.Namespace, trail: Audit, last: int) -> int:
    from locktop.output import audit

    entry = ""
    if options.id is not None:
        acts = (one.get("id") for one in trail.entries())
        entry = whole_id(options.id, acts, "act of the audit trail", lists="audit")
    found = trail.entries(entry=entry, target=_target_url(options), last=last)
    if options.json:
        from locktop.output import volume_json

        sys.stdout.write(volume_json.text(audit.document(str(trail.path), found, None)))
        return ExitCode.OK
    from locktop.output.paper import print_paras

    print_paras(audit.paras(found, SystemClock().wall_ns()))
    _tell_none(found)
    return ExitCode.OK


def _tell_none(found: tuple[AuditEntry, ...]) -> None:
    if not found:
        say("no entry of the audit trail fits")


def _target_url(options: argparse.Namespace) -> str:
    """The URL of the target that was named; the environment's is not meant, for the trail has them all."""
    named = options.target is not None or options.context is not None
    return target_of(settings_of(options)).url if named else ""
