"""The act of `locktop break`: asks, breaks, watches whether it stays away, and says what came of it."""

from __future__ import annotations

import contextlib
import sys
import threading
from typing import TYPE_CHECKING

from backuplock.errors import BackupLockError
from locktop.exits import SIGNALLED, ExitCode
from locktop.output.streams import say
from locktop.subcommands.acting import carefully, writer_for
from locktop.subcommands.break_task import Task, obstacle_of, print_json

if TYPE_CHECKING:
    from backuplock.breaking import Broken, Plan, Vigil, Writer
    from backuplock.stores.base import Store
    from locktop.output.breaking import Sheet


def break_lock(task: Task, store: Store, sheet: Sheet, resources: contextlib.ExitStack) -> int:
    from backuplock.breaking import Failed, Refused

    plan = sheet.plan
    # An audit trail that cannot be written is to be known before anybody is asked.
    writer = writer_for(store, task.timing, resources=resources)
    obstacle = obstacle_of(task, sheet)
    if obstacle:
        if task.options.json:
            print_json(sheet, obstacle=obstacle, asked=True)
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
            print_json(sheet, error=error)
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
    task: Task, writer: Writer, sheet: Sheet, reason: str, stop: threading.Event
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


def _after(task: Task, sheet: Sheet, broken: Broken, vigil: Vigil, asked: int | None) -> int:
    """Tell what came of it, and find the exit code."""
    watched = task.options.watch or vigil.decided
    if task.options.json:
        print_json(sheet, broken=broken, vigil=vigil if watched else None)
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
