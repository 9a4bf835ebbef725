"""`locktop break`: plan, confirm and carry out the removal of one lock, and watch whether it stays away."""

from __future__ import annotations

import argparse
import contextlib
import sys
import threading
from typing import TYPE_CHECKING

from backuplock.clock import nanoseconds, seconds
from backuplock.rules import LONGHORN, Timing
from locktop.durations import parse_duration
from locktop.exits import ExitCode, exit_table
from locktop.output.streams import say
from locktop.settings import Usage
from locktop.subcommands.acting import (
    Known,
    add_reason,
    add_write,
    guarded,
    known_of,
    learn_conditions,
    open_store_for,
    tell_unfinished,
)
from locktop.subcommands.asking import add_common, glyphs_for, lookup
from locktop.subcommands.break_act import break_lock
from locktop.subcommands.break_task import Task, obstacle_of, print_json
from locktop.subcommands.common import add_schema, refuse_targets, settings_of, target_of
from locktop.subcommands.patience import patiently

if TYPE_CHECKING:
    from backuplock.breaking import Plan
    from backuplock.stores.base import Store
    from locktop.observe import Seen
    from locktop.output.breaking import Sheet

_EXAMPLES = """\
examples:
  locktop break -t /mnt/backups pvc-3f3b/lock-0123456789abcdef            the plan only; nothing is written
  locktop break --write shop/data-postgres-0/89abcdef --reason "node-221 is gone" --watch
  locktop break --write --yes pvc-3f3b/lock-0123456789abcdef              for scripts: breaks STALE only
  locktop break --observe 3m pvc-3f3b/89abcdef                            watch first, whatever the clocks say
  locktop break --write --even-if-live pvc-3f3b/lock-0123456789abcdef     asks for the lock's full name

VOLUME is named as for locktop show, LOCK by its name or a part of it; a key (backupstore/volumes/...) does.
Where clocks do not tell whether the holder lives, the lock is watched first, for a lease and a little.
A copy is kept in the store; locktop undo puts it back. --watch looks for 75 s whether it comes back, and says
what helps if it does. The fields of the JSON: locktop break --schema

0: it could be broken, or was, and with --watch stayed away; 1: it was not (changed, live, gone, not
confirmed), or came back; 3: whether it stayed away could not be seen.

exit codes:
"""

_LEAST_OBSERVE_S, _MOST_OBSERVE_S = 0.0, 3600.0


def configure(parser: argparse.ArgumentParser) -> None:
    """Arguments of `break`."""
    parser.description = (
        "Break one lock: tell what that would do, ask, keep a copy, remove it if it still is what was seen,\n"
        "and write all of that into the audit trail. Without --write the plan is told and nothing is written."
    )
    parser.epilog = _EXAMPLES + exit_table()
    parser.add_argument("lock", metavar="VOLUME/LOCK", help="the lock, as locktop ls and show name it")
    add_write(parser, "break it, after asking")
    add_reason(parser)
    parser.add_argument("--yes", action="store_true", help="do not ask; breaks a STALE lock only")
    parser.add_argument(
        "--even-if-live", action="store_true", help="also if its holder may be alive; asks for the full name"
    )
    parser.add_argument("--watch", action="store_true", help="watch for 75 s whether it comes back")
    parser.add_argument(
        "--observe",
        metavar="TIME",
        help="watch for signs of life first, so long at most (as needed); 0: never",
    )
    add_common(parser)
    add_schema(parser, "locktop.output.breaking")


def run(options: argparse.Namespace, *, timing: Timing = LONGHORN) -> int:
    """Plan, and with leave to write, ask, break and watch.

    Args:
        timing: everybody's periods on the store; other than Longhorn's only where no Longhorn is.
    """
    from locktop.observe import parse_name

    settings = settings_of(options)
    refuse_targets([options.lock], "break")
    volume, lock = parse_name(options.lock)
    observe_ns = _observe_ns(options)
    if options.yes and options.even_if_live:
        raise Usage(
            "--yes breaks STALE locks only", advice="--even-if-live asks a person for the lock's name"
        )
    if settings.write.value and not options.yes:
        from locktop.prompt import needs_person

        needs_person("--yes breaks a STALE lock without asking; without --write the plan is told")
    target = target_of(settings)
    return guarded(lambda: _run(Task(options, settings, target, volume, lock, observe_ns, timing)))


def _observe_ns(options: argparse.Namespace) -> int | None:
    if options.observe is None:
        return None
    return nanoseconds(
        parse_duration(options.observe, "--observe", least=_LEAST_OBSERVE_S, most=_MOST_OBSERVE_S)
    )


def _run(task: Task) -> int:
    with contextlib.ExitStack() as resources:
        store, seen, known = _look(task)
        resources.callback(store.close)
        tell_unfinished(known.unfinished)
        sheet = _sheet(task, store, seen, known)
        if not task.options.json:
            _print_plan(task, sheet)
        if not task.settings.write.value:
            return _only_told(task, sheet)
        return break_lock(task, store, sheet, resources)


# -- the plan


def _look(task: Task) -> tuple[Store, Seen, Known]:
    """The store, opened as far as was allowed, and the lock in it."""

    def work(stop: threading.Event) -> tuple[Store, Seen, Known]:
        from locktop.observe import observe

        store = open_store_for(task.target, task.settings)
        how = lookup(task.settings, stop)
        seen = observe(
            store, task.volume, task.lock, how, watch_ns=task.observe_ns, timing=task.timing, told=say
        )
        if task.settings.write.value:
            learn_conditions(store)
        return store, seen, known_of(store)

    limit = task.settings.timeout.value
    watch_s = seconds(task.timing.duration_ns * 2 if task.observe_ns is None else task.observe_ns)
    return patiently(
        work, None if limit is None else limit + watch_s, url=task.target.url, name="break: look"
    )


def _sheet(task: Task, store: Store, seen: Seen, known: Known) -> Sheet:
    from backuplock.breaking import make_plan, preconditions
    from locktop.neighbours import neighbours
    from locktop.output.breaking import Sheet

    def work(_stop: threading.Event) -> Sheet:
        plan = make_plan(
            store,
            seen.snapshot,
            seen.lock.key,
            tracks=seen.tracks,
            around=seen.around,
            window=known.window,
            timing=task.timing,
        )
        checks = preconditions(store, plan, seen.snapshot)
        view = next(view for view in seen.snapshot.volumes if view.name == plan.lock.volume)
        return Sheet(plan, view, checks, tuple(neighbours([plan.lock])), seen.snapshot, seen.watched_ns)

    return patiently(work, task.settings.timeout.value, url=task.target.url, name="break: plan")


def _print_plan(task: Task, sheet: Sheet) -> None:
    from locktop.output.breaking import plan_paras
    from locktop.output.paper import print_paras

    print_paras(plan_paras(sheet, glyphs_for(task.settings)))
    sys.stdout.flush()


def _only_told(task: Task, sheet: Sheet) -> int:
    """The end of a dry run."""
    obstacle = obstacle_of(task, sheet)
    if task.options.json:
        print_json(sheet, obstacle=obstacle)
    say(f"nothing was written, this is the plan only; {obstacle or _how(sheet.plan)}")
    return ExitCode.NEGATIVE if obstacle else ExitCode.OK


def _how(plan: Plan) -> str:
    last = "the last 8 characters of its name" if plan.dead else "its full name"
    return f"--write breaks it, after asking for {last}"
