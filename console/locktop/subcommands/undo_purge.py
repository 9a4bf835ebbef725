"""`locktop undo --purge`: copies of broken locks are removed for good."""

from __future__ import annotations

import contextlib
import sys
import threading
from typing import TYPE_CHECKING

from backuplock.clock import SystemClock
from locktop.exits import ExitCode
from locktop.output.streams import say
from locktop.subcommands.acting import writer_for
from locktop.subcommands.asking import glyphs_for
from locktop.subcommands.undo_task import Task, carry_out

if TYPE_CHECKING:
    from backuplock.breaking import Copy
    from backuplock.stores.base import Store


def purge_copies(task: Task, store: Store, found: tuple[Copy, ...], resources: contextlib.ExitStack) -> int:
    """Remove copies for good."""
    from locktop.format import plural

    now = SystemClock().wall_ns()
    chosen = _old(task, found, now)
    early = [one for one in chosen if one.until_ns is None or one.until_ns > now]
    if not task.settings.write.value:
        from locktop.output import undo
        from locktop.output.paper import print_paras

        print_paras(undo.paras(chosen, now, glyphs_for(task.settings)))
        sys.stdout.flush()
        say(f"nothing was written; --write removes {len(chosen)} of {len(found)} for good")
        return ExitCode.OK
    if early and not task.options.yes and not _sure(len(chosen), len(early)):
        return ExitCode.NEGATIVE
    writer = writer_for(store, task.timing, resources=resources)

    def work(_stop: threading.Event) -> str:
        from backuplock.breaking import purge

        gone = purge(writer, task.entry, older_ns=task.older_ns)
        count = plural(len(gone), "copy", "copies")
        if gone and store.capabilities.keeps_versions == "yes":
            return (
                f"removed: {count}, of which the bucket keeps versions until a rule of its own removes them"
            )
        return f"removed for good: {count}"

    return carry_out(task, work, task.entry)


def _old(task: Task, found: tuple[Copy, ...], now_ns: int) -> list[Copy]:
    """Which copies are meant; a named one always, even if the library then refuses it."""
    from backuplock.breaking import Because, Refused
    from backuplock.breaking.purge import is_old

    entry = task.entry
    if entry:
        named = [one for one in found if one.id == entry]
        if not named:
            what = f"the quarantine has no copy {entry}"
            raise Refused(what, because=Because.GONE, advice="locktop undo lists what there is")
        return named
    return [one for one in found if is_old(one, now_ns, task.older_ns)]


def _sure(count: int, early: int) -> bool:
    from locktop.prompt import confirmed, needs_person

    needs_person("--yes removes copies before their 30 days are over")
    question = f"{early} of {count} could be put back still; to remove all for good, type their number:"
    if confirmed(question, str(count)):
        return True
    say("nothing was removed: what was typed is another number")
    return False
