"""`locktop cleanup`: what is left over in a whole store, and its removal, each with a copy and an entry."""

from __future__ import annotations

import argparse
import contextlib
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from backuplock.rules import LONGHORN, Timing
from locktop.exits import SIGNALLED, ExitCode, exit_table
from locktop.format import plural
from locktop.output.streams import say
from locktop.settings import Settings, Usage
from locktop.subcommands.acting import (
    add_reason,
    add_write,
    carefully,
    guarded,
    known_of,
    learn_conditions,
    open_store_for,
    require_write,
    tell_unfinished,
    writer_for,
)
from locktop.subcommands.asking import add_common, glyphs_for, lookup
from locktop.subcommands.common import add_schema, settings_of, target_of
from locktop.subcommands.patience import patiently

if TYPE_CHECKING:
    from backuplock.breaking import CleanupPlan, Done, Report
    from backuplock.model import Snapshot
    from backuplock.stores.base import Store
    from backuplock.target import Target
    from locktop.output.cleanup import ReportFile

KINDS = ("dead", "corrupt", "untyped", "temporary", "ghost")
_LIMIT = 100
_MOST = 100_000

_EXAMPLES = """\
examples:
  locktop cleanup -t /mnt/backups                             what there is; nothing is written
  locktop cleanup --kind dead --kind temporary --limit 20
  locktop cleanup --apply --write --report cleaned.jsonl      asks for the number of what goes
  locktop cleanup --apply --write --yes --limit 1000          for scripts
  locktop cleanup --json | jq '.items[] | select(.kind == "corrupt")'

dead: expired locks of holders that died; corrupt: expired files nobody can read; untyped: expired, of a type
that Longhorn does not write; temporary: *.lck.tmp.<ns> of writes that failed, older than a day; ghost: what
lies in volumes that hold nothing but locks/. What is not surely over is let alone, and said with --verbose.

Each goes as with locktop break: a copy is kept for 30 days, locktop undo puts it back. Ctrl-C ends a run
after the removal at hand; the next run goes on. The fields of JSON and report: locktop cleanup --schema

0: told, or all of it done; 1: something was refused, failed or not confirmed; 3: not all of the store could
be read.

exit codes:
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Arguments of `cleanup`."""
    parser.description = (
        "Find leftovers in a whole store, and with --apply remove them, each as its own transaction.\n"
        "Without --apply and --write nothing is changed."
    )
    parser.epilog = _EXAMPLES + exit_table()
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--dry-run", action="store_true", help="only tell (that is the default)")
    how.add_argument("--apply", action="store_true", help="remove them; needs --write")
    add_write(parser, "with --apply: remove them")
    parser.add_argument(
        "--kind", action="append", choices=KINDS, default=[], help="only these; repeatable (all)"
    )
    parser.add_argument("--limit", metavar="N", default=str(_LIMIT), help=f"so many in a run ({_LIMIT})")
    parser.add_argument("--yes", action="store_true", help="do not ask")
    add_reason(parser)
    parser.add_argument("--report", metavar="FILE", help="a new file of JSON lines, one for each")
    parser.add_argument("-v", "--verbose", action="store_true", help="also what is let alone, and why")
    add_common(parser)
    add_schema(parser, "locktop.output.cleanup")


@dataclass(frozen=True, slots=True)
class _Task:
    """What was asked for."""

    options: argparse.Namespace
    settings: Settings
    target: Target
    limit: int
    timing: Timing


def run(options: argparse.Namespace, *, timing: Timing = LONGHORN) -> int:
    """Find leftovers, tell, and remove them if that was asked for.

    Args:
        timing: everybody's periods on the store; other than Longhorn's only where no Longhorn is.
    """
    settings = settings_of(options)
    limit = _limit(options.limit)
    target = target_of(settings)
    if options.apply:
        require_write(settings)
        if not options.yes:
            from locktop.prompt import needs_person

            needs_person("--yes removes without asking; without --apply leftovers are only told")
    return guarded(lambda: _run(_Task(options, settings, target, limit, timing)))


def _limit(text: str) -> int:
    if text.isascii() and text.isdigit() and 0 < int(text[:9]) <= _MOST:
        return int(text[:9])
    raise Usage(f"--limit: {text[:40]!r} is no number from 1 to {_MOST:,}", advice="as --limit 100")


def _run(task: _Task) -> int:
    options = task.options
    with contextlib.ExitStack() as resources:
        store, snapshot = _look(task)
        resources.callback(store.close)
        if not snapshot.store_present:
            say(f"{snapshot.target}: there is no backupstore here; is the path right?")
            return ExitCode.MISSING
        tell_unfinished(known_of(store).unfinished)
        plan = _plan(task, store, snapshot)
        if not options.json:
            _print_plan(task, plan)
        _tell_rest(task, plan, snapshot)
        report = _report_file(task, plan)
        if report is not None:
            resources.callback(report.close)
        if not options.apply or not plan.items:
            return _only_told(task, plan, report)
        return _apply(task, store, plan, report, resources)


def _look(task: _Task) -> tuple[Store, Snapshot]:
    def work(stop: threading.Event) -> tuple[Store, Snapshot]:
        from backuplock.survey import sweep

        store = open_store_for(task.target, task.settings)
        if task.options.apply:
            learn_conditions(store)
        how = lookup(task.settings, stop)
        return store, sweep(store, clock_error_ns=how.clock_error_ns, stop=stop, all_names=True)

    return patiently(work, task.settings.timeout.value, url=task.target.url, name="cleanup: look")


def _plan(task: _Task, store: Store, snapshot: Snapshot) -> CleanupPlan:
    from backuplock.breaking import Kind, plan_cleanup

    kinds = frozenset(map(Kind, task.options.kind or KINDS))
    return plan_cleanup(store, snapshot, kinds=kinds, limit=task.limit, timing=task.timing)


def _print_plan(task: _Task, plan: CleanupPlan) -> None:
    from locktop.output.cleanup import paras
    from locktop.output.paper import print_paras

    print_paras(paras(plan, glyphs_for(task.settings), verbose=task.options.verbose))
    sys.stdout.flush()


def _tell_rest(task: _Task, plan: CleanupPlan, snapshot: Snapshot) -> None:
    from locktop.output.blocked import unread

    for problem in unread(snapshot):
        say(f"not read: {problem}")
    if plan.more:
        say(f"{plan.more:,} more are beyond the limit of {task.limit:,}: run it again, or raise --limit")


def _report_file(task: _Task, plan: CleanupPlan) -> ReportFile | None:
    if task.options.report is None:
        return None
    from locktop.output.cleanup import ReportFile

    return ReportFile(Path(task.options.report), plan)


def _only_told(task: _Task, plan: CleanupPlan, report: ReportFile | None) -> int:
    if report is not None:
        report.rest("")
    if task.options.json:
        _print_json(plan, None)
    if plan.items:
        say("nothing was written, this is the plan only; --apply --write removes them")
    return ExitCode.OK if plan.complete else ExitCode.INCOMPLETE


def _apply(
    task: _Task, store: Store, plan: CleanupPlan, report: ReportFile | None, resources: contextlib.ExitStack
) -> int:
    writer = writer_for(store, task.timing, resources=resources)
    count = len(plan.items)
    if not task.options.yes:
        from locktop.prompt import confirmed

        if not confirmed(f"To remove {plural(count, 'file')}, type the number:", str(count)):
            say("nothing was removed: what was typed is another number")
            return ExitCode.NEGATIVE
    progress = _Progress(count, report, quiet=task.options.json)

    def work(stop: threading.Event) -> Report:
        from backuplock.breaking import clean_up

        return clean_up(writer, plan, reason=task.options.reason or "", told=progress.tell, stop=stop)

    done, asked = carefully(work)
    if report is not None:
        report.rest(done.stopped)
    if task.options.json:
        _print_json(plan, done)
    return _sum_up(plan, done, asked)


class _Progress:
    """A line for each removal as it is done, and the report's line with it."""

    def __init__(self, count: int, report: ReportFile | None, *, quiet: bool) -> None:
        self._count = count
        self._report = report
        self._quiet = quiet
        self._number = 0

    def tell(self, done: Done) -> None:
        """One item is over; called in the thread that does the work."""
        from locktop.output.cleanup import done_line

        self._number += 1
        if self._report is not None:
            self._report.add(done)
        if not self._quiet:
            sys.stdout.write(f"{self._number:>{len(str(self._count))}}/{self._count} {done_line(done)}\n")
            sys.stdout.flush()
        elif sys.stderr.isatty():
            say(f"{self._number} of {self._count}")


def _sum_up(plan: CleanupPlan, done: Report, asked: int | None) -> int:
    removed = sum(one.outcome == "removed" for one in done.done)
    left = len(plan.items) - removed
    stopped = f"; stopped: {done.stopped}" if done.stopped else ""
    say(f"removed {removed:,} of {len(plan.items):,}{stopped}; locktop undo lists their copies")
    if asked is not None:
        return SIGNALLED + asked
    if left:
        return ExitCode.NEGATIVE
    return ExitCode.OK if plan.complete else ExitCode.INCOMPLETE


def _print_json(plan: CleanupPlan, done: Report | None) -> None:
    from locktop.output import cleanup, volume_json

    sys.stdout.write(volume_json.text(cleanup.document(plan, done)))
