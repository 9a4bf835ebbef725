"""`locktop explain MESSAGE`: from a pasted error of Longhorn to the lock that is in the way."""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from backuplock.errors import Malformed, Missing
from backuplock.explain import MAX_TEXT, Complaint, find_complaints
from backuplock.layout import shards
from backuplock.target import Target
from locktop.exits import ExitCode, exit_table
from locktop.output.streams import say
from locktop.settings import Settings, Usage, shown
from locktop.subcommands.asking import add_common, add_watch, ask, glyphs_for, watch_ns
from locktop.subcommands.common import add_schema, settings_of, target_of

if TYPE_CHECKING:
    from backuplock.inquiry import Inquiry
    from locktop.reports import Report

_PLAIN_WIDTH = 110
"""Cells away from a terminal."""

_EXAMPLES = """\
examples:
  locktop explain -t /mnt/backups 'failed to acquire lock backupstore/volumes/... when performing ...'
  kubectl -n longhorn-system logs -l app=longhorn-manager | locktop explain -t s3://backups@us-east-1/prod/ -
  locktop explain --file longhorn.log         with LOCKTOP_TARGET set
  locktop explain - --watch 70s < error.txt   also watches for a refresh: the surest sign of life
  locktop explain --json "$MESSAGE"           exact (its fields: locktop explain --schema)

Paste the message as it is, wrapped in others, or a whole log (its last mebibyte, the last hundred locks named
in it); quote it for the shell. Of several complaints a line each comes first, what is blocked before what is
free. Without a target only the message itself is explained.

0: nothing is in the way any more, retry; 1: it would be refused again; 3: it cannot be told.

exit codes:
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Arguments of `explain`."""
    parser.description = (
        "Explain an error of Longhorn about a lock: which volume and operation, who is in the way now,\n"
        "whether that is alive, until when, and what would help. Nothing is written to the store."
    )
    parser.epilog = _EXAMPLES + exit_table()
    parser.add_argument("message", metavar="MESSAGE", nargs="*", help="the error; - reads stdin")
    parser.add_argument("--file", metavar="FILE", help="read the error or a log from a file")
    parser.add_argument("-v", "--verbose", action="store_true", help="with --json: also the raw records")
    add_watch(parser)
    add_common(parser)
    add_schema(parser, "locktop.output.explain_json", "locktop.output.volume_json", "locktop.output.json_")


_PATH = re.compile(r"volumes/(?P<folders>[0-9a-f]{2}/[0-9a-f]{2})/(?P<volume>[^/\s]{1,253})/locks/")


def run(options: argparse.Namespace) -> int:
    """Find the complaints, look at their volumes, print what there is to say."""
    settings = settings_of(options)
    watching = watch_ns(options)
    message = _text(options)
    complaints = find_complaints(message)
    if not complaints:
        _check_path(message)
        raise Usage(
            "nothing in this text is about a lock of a volume",
            advice="paste the whole message, with the path that ends in .lck, in quotes; or name the volume: "
            "locktop show VOLUME",
        )
    target = target_of(settings) if settings.target.value is not None else None
    reports = _reports(complaints, target, settings, watching)
    if options.json:
        from locktop.output import explain_json, volume_json

        where = target.url if target is not None else None
        sys.stdout.write(volume_json.text(explain_json.document(reports, where, verbose=options.verbose)))
    else:
        _print(reports, settings)
    return _code(reports)


def _check_path(message: str) -> None:
    """A path that lost letters on its way names another volume than the one that was meant, or none.

    Raises:
        Usage: there is such a path.
    """
    found = _PATH.search(message)
    if found is None:
        return
    try:
        folders = "/".join(shards(found["volume"]))
    except Malformed:
        return
    if folders != found["folders"]:
        raise Usage(
            f"the path in this text is not whole: {shown(found['volume'])} would lie in volumes/{folders}, "
            f"not in volumes/{found['folders']}",
            advice="paste the message as it was; or name the volume: locktop show VOLUME",
        )


def _text(options: argparse.Namespace) -> str:
    given: list[str] = options.message
    if bool(given) is bool(options.file):
        raise Usage("give the message, - for stdin, or --file", advice="one of the three; quote the message")
    if options.file:
        try:
            with Path(options.file).open("rb") as file:
                # The end of a log is its newest part.
                file.seek(0, 2)
                file.seek(max(0, file.tell() - MAX_TEXT))
                return file.read(MAX_TEXT).decode("utf-8", "replace")
        except OSError as error:
            raise Usage(f"--file: {options.file}: {error.strerror}", advice="name a file") from None
    if given == ["-"]:
        return _end_of(sys.stdin.buffer).decode("utf-8", "replace")
    return " ".join(given)


def _end_of(stream: BinaryIO) -> bytes:
    """The last part of a stream, of which no more is kept: the end of a log is its newest part."""
    kept = b""
    while piece := stream.read(MAX_TEXT):
        kept = (kept + piece)[-MAX_TEXT:]
    return kept


def _reports(
    complaints: tuple[Complaint, ...], target: Target | None, settings: Settings, watch_for_ns: int
) -> list[Report]:
    from locktop.reports import report

    if target is None:
        return [report(one, None) for one in complaints]
    asked: dict[str, Inquiry | Missing] = {}
    reports: list[Report] = []
    for one in complaints:
        if one.volume not in asked:
            asked[one.volume] = _ask(target, settings, one.volume, watch_for_ns)
        found = asked[one.volume]
        if isinstance(found, Missing):
            reports.append(report(one, None, str(found)))
        else:
            reports.append(report(one, found))
    if all(isinstance(found, Missing) for found in asked.values()):
        say("is this the target that Longhorn used? It has none of the volumes named in the text")
    return reports


def _ask(target: Target, settings: Settings, volume: str, watch_for_ns: int) -> Inquiry | Missing:
    try:
        return ask(target, settings, volume, watch_for_ns=watch_for_ns, whole_id=True)
    except Missing as error:
        return error


def _print(reports: list[Report], settings: Settings) -> None:
    from locktop.output.explain_many import IN_FULL, grouped, summary_paras
    from locktop.output.explain_text import report_paras
    from locktop.output.paper import Para, blank, print_paras, terminal_width

    glyphs = glyphs_for(settings)
    groups = grouped(reports)
    if len(reports) > 1:
        print_paras(summary_paras(groups, terminal_width() or _PLAIN_WIDTH, glyphs))
    for at, one in enumerate(groups[:IN_FULL]):
        if at or len(reports) > 1:
            print_paras([blank(), Para([(glyphs.rule * 72, "faint")], wrap=False), blank()])
        print_paras(report_paras(one.newest, glyphs, times=one.count))


def _code(reports: list[Report]) -> int:
    outcomes = {one.outcome for one in reports}
    if outcomes == {"missing"}:
        return ExitCode.MISSING
    if "blocked" in outcomes:
        return ExitCode.NEGATIVE
    return ExitCode.OK if outcomes == {"free"} else ExitCode.INCOMPLETE
