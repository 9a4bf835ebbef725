"""`locktop break`: plan, confirm and carry out the removal of one lock, and watch whether it stays away."""

from __future__ import annotations

import argparse
import contextlib
import sys
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from backuplock.clock import nanoseconds, seconds
from backuplock.errors import BackupLockError
from backuplock.liveness import Life
from backuplock.rules import LONGHORN, Timing
from locktop.durations import parse_duration
from locktop.exits import SIGNALLED, ExitCode, exit_table
from locktop.output.streams import say
from locktop.settings import Settings, Usage
from locktop.subcommands.acting import (
    Known,
    add_reason,
    add_write,
    carefully,
    code_of,
    guarded,
    known_of,
    learn_conditions,
    open_store_for,
    tell_unfinished,
    writer_for,
)
from locktop.subcommands.asking import add_common, glyphs_for, lookup
from locktop.subcommands.common import add_schema, refuse_targets, settings_of, target_of
from locktop.subcommands.patience import patiently

if TYPE_CHECKING:
    from backuplock.breaking import Broken, Plan, Vigil, Writer
    from backuplock.stores.base import Store
    from backuplock.target import Target
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
    return guarded(lambda: _run(_Task(options, settings, target, volume, lock, observe_ns, timing)))


@dataclass(frozen=True, slots=True)
class _Task:
    """What was asked for."""

    options: argparse.Namespace
    settings: Settings
    target: Target
    volume: str
    lock: str
    observe_ns: int | None
    timing: Timing


def _observe_ns(options: argparse.Namespace) -> int | None:
    if options.observe is None:
        return None
    return nanoseconds(
        parse_duration(options.observe, "--observe", least=_LEAST_OBSERVE_S, most=_MOST_OBSERVE_S)
    )


def _run(task: _Task) -> int:
    with contextlib.ExitStack() as resources:
        store, seen, known = _look(task)
        resources.callback(store.close)
        tell_unfinished(known.unfinished)
        sheet = _sheet(task, store, seen, known)
        if not task.options.json:
            _print_plan(task, sheet)
        if not task.settings.write.value:
            return _only_told(task, sheet)
        return _break(task, store, sheet, resources)


# -- the plan


def _look(task: _Task) -> tuple[Store, Seen, Known]:
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


def _sheet(task: _Task, store: Store, seen: Seen, known: Known) -> Sheet:
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


def _print_plan(task: _Task, sheet: Sheet) -> None:
    from locktop.output.breaking import plan_paras
    from locktop.output.paper import print_paras

    print_paras(plan_paras(sheet, glyphs_for(task.settings)))
    sys.stdout.flush()


def _only_told(task: _Task, sheet: Sheet) -> int:
    """The end of a dry run."""
    obstacle = _obstacle(task, sheet)
    if task.options.json:
        _print_json(sheet, obstacle=obstacle)
    say(f"nothing was written, this is the plan only; {obstacle or _how(sheet.plan)}")
    return ExitCode.NEGATIVE if obstacle else ExitCode.OK


def _how(plan: Plan) -> str:
    last = "the last 8 characters of its name" if plan.dead else "its full name"
    return f"--write breaks it, after asking for {last}"


def _obstacle(task: _Task, sheet: Sheet) -> str:
    """Why it is not to be broken as things stand; "" if it may be."""
    plan = sheet.plan
    if plan.unfit:
        return f"it cannot be broken: {plan.unfit}"
    changed = [check.words for check in sheet.checks if check.name == "unchanged" and check.ok is False]
    if changed:
        return changed[0]
    if plan.dead and task.options.yes and plan.life.life is not Life.STALE:
        return "--yes breaks what is stale and nothing else; break it without, or see locktop cleanup"
    if plan.dead or task.options.even_if_live:
        return ""
    return "nothing shows that its holder is dead: wait, or insist on it with --even-if-live"


# -- the act


def _break(task: _Task, store: Store, sheet: Sheet, resources: contextlib.ExitStack) -> int:
    from backuplock.breaking import Failed, Refused

    plan = sheet.plan
    # An audit trail that cannot be written is to be known before anybody is asked.
    writer = writer_for(store, task.timing, resources=resources)
    obstacle = _obstacle(task, sheet)
    if obstacle:
        if task.options.json:
            _print_json(sheet, obstacle=obstacle, asked=True)
        say(f"{plan.token.shown} is not broken: {obstacle}")
        return ExitCode.NEGATIVE
    try:
        reason = task.options.reason or ""
        if not task.options.yes:
            if not _confirmed(plan):
                return ExitCode.NEGATIVE
            reason = reason or _ask_reason()
        (broken, vigil), asked = carefully(lambda stop: _carry_out(task, writer, sheet, reason, stop))
    except KeyboardInterrupt:
        say(f"{plan.token.shown} is not broken, nothing was written")
        raise
    except BackupLockError as error:
        if task.options.json:
            _print_json(sheet, error=error)
        if not (isinstance(error, Refused) or (isinstance(error, Failed) and error.settled)):
            say("how far it came is told by: locktop undo")
        raise
    return _after(task, sheet, broken, vigil, asked)


def _confirmed(plan: Plan) -> bool:
    from locktop.prompt import confirmed

    what = "the last 8 characters of the lock's name" if plan.dead else "the full name of this LIVE lock"
    if confirmed(f"To break it, type {what} ({plan.to_type}):", plan.to_type):
        return True
    say(f"{plan.token.shown} is not broken: what was typed is not {plan.to_type}")
    return False


def _ask_reason() -> str:
    from locktop.prompt import ask

    return ask("Reason, for the audit trail (may be empty):")


def _carry_out(
    task: _Task, writer: Writer, sheet: Sheet, reason: str, stop: threading.Event
) -> tuple[Broken, Vigil]:
    """Break it and, if asked to, wait for its fate, which goes into the audit trail however the wait ends."""
    from backuplock.breaking import execute, follow, record_fate, vigil_of
    from locktop.output.breaking import broken_lines
    from locktop.vigil_line import VigilLine

    allow_live = bool(task.options.even_if_live)
    broken = execute(writer, sheet.plan.order, reason=reason, allow_live=allow_live)
    if not task.options.json:
        sys.stdout.write("".join(f"{line}\n" for line in broken_lines(broken, writer.clock.wall_ns())))
        sys.stdout.flush()
    vigil = vigil_of(broken, sheet.snapshot, task.timing)
    if task.options.watch and not stop.is_set():
        with VigilLine(vigil, writer.clock) as line:
            vigil = follow(writer.store, vigil, clock=writer.clock, told=line.tell, stop=stop)
    if task.options.watch or vigil.decided:
        record_fate(writer, vigil, broken.id)
    return broken, vigil


def _after(task: _Task, sheet: Sheet, broken: Broken, vigil: Vigil, asked: int | None) -> int:
    """Tell what came of it, and find the exit code."""
    watched = task.options.watch or vigil.decided
    if task.options.json:
        _print_json(sheet, broken=broken, vigil=vigil if watched else None)
    if vigil.decided:
        return _verdict(vigil)
    if asked is not None:
        if task.options.watch:
            say("no longer watched: locktop show tells whether it came back")
        return SIGNALLED + asked
    return ExitCode.OK


def _verdict(vigil: Vigil) -> int:
    from backuplock.breaking import Fate
    from locktop.vigil_line import ring

    if vigil.fate is Fate.CAME_BACK:
        ring()
        say(f"CAME BACK: {vigil.words}; {vigil.help}")
        return ExitCode.NEGATIVE
    say(f"{vigil.words}; {vigil.help}" if vigil.help else vigil.words)
    return ExitCode.INCOMPLETE if vigil.fate is Fate.UNSEEN else ExitCode.OK


def _print_json(
    sheet: Sheet,
    *,
    obstacle: str = "",
    asked: bool = False,
    broken: Broken | None = None,
    vigil: Vigil | None = None,
    error: BackupLockError | None = None,
) -> None:
    from locktop.output import breaking, volume_json

    code = None if error is None else code_of(error)
    found = breaking.document(
        sheet, obstacle=obstacle, asked=asked, broken=broken, vigil=vigil, error=error, code=code
    )
    sys.stdout.write(volume_json.text(found))
