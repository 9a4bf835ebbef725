"""`locktop undo`: what was broken and can be put back; putting one back; ending what was interrupted."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import sys
import threading
from typing import TYPE_CHECKING, TypeVar

from backuplock.clock import SystemClock, nanoseconds
from backuplock.rules import LONGHORN, Timing
from backuplock.text import printable
from locktop.durations import parse_duration
from locktop.exits import ExitCode, exit_table
from locktop.ids import check_start, whole_id
from locktop.output.streams import say
from locktop.settings import Usage
from locktop.subcommands.acting import (
    Known,
    add_reason,
    add_write,
    guarded,
    known_of,
    open_store_for,
    require_write,
    tell_unfinished,
    writer_for,
)
from locktop.subcommands.asking import glyphs_for
from locktop.subcommands.common import add_schema, add_target, settings_of, target_of
from locktop.subcommands.patience import patiently
from locktop.subcommands.undo_purge import purge_copies
from locktop.subcommands.undo_task import Task, carry_out

if TYPE_CHECKING:
    from backuplock.breaking import Copy, Writer
    from backuplock.stores.base import Store

T = TypeVar("T")

_EXAMPLES = """\
examples:
  locktop undo -t /mnt/backups                                   what can be put back; --all: all there is
  locktop undo 20260102T030411Z-0123456789ab                     one of them, and what is in its way now
  locktop undo 20260102T030411Z-0123456789ab --write --reason "it was alive after all"
  locktop undo --take-back 20260102T0304 --write                 an act that was interrupted; or --finish
  locktop undo --purge --write                                   remove copies older than 30 days
  locktop undo --purge --older-than 7d --write --yes

Of an ID, as much is enough as no other begins with, four characters at least.
A lock that is put back has a fresh time: it protects for 150 s, and nobody refreshes it. That is refused
while a lock that it excludes is there, which is named. The fields of the JSON: locktop undo --schema

0: told, or done; 1: refused (in the way: another lock, or its own holder; its volume is gone; done already).

exit codes:
"""

_LEAST_AGE_S, _MOST_AGE_S = 0.0, 3650 * 86_400.0


def configure(parser: argparse.ArgumentParser) -> None:
    """Arguments of `undo`."""
    parser.description = (
        "List the broken locks of which the store keeps a copy, put one back, or end an act that was\n"
        "interrupted. Without --write nothing is changed."
    )
    parser.epilog = _EXAMPLES + exit_table()
    parser.add_argument("id", metavar="ID", nargs="?", help="of the broken lock (lists them)")
    act = parser.add_mutually_exclusive_group()
    act.add_argument("--finish", metavar="ID", help="bring an interrupted act to its end")
    act.add_argument("--take-back", metavar="ID", help="undo an interrupted act")
    act.add_argument("--purge", action="store_true", help="remove copies for good: one, or all old ones")
    parser.add_argument("--older-than", metavar="TIME", help="with --purge: what counts as old (30d)")
    parser.add_argument("--without-volume", action="store_true", help="put it back though its volume is gone")
    parser.add_argument("--yes", action="store_true", help="do not ask before copies are removed early")
    add_write(parser, "do it")
    add_reason(parser)
    parser.add_argument("--all", action="store_true", help="list also what was put back")
    add_target(parser, positional=False)
    parser.add_argument("--json", action="store_true", help="one JSON document")
    add_schema(parser, "locktop.output.undo")
    parser.add_argument("--ascii", action="store_const", const="yes", help="draw in plain ASCII")
    parser.add_argument(
        "--timeout", metavar="SECONDS", help="give up a listing after so long (wait for ever)"
    )


def run(options: argparse.Namespace, *, timing: Timing = LONGHORN) -> int:
    """List, or act on one.

    Args:
        timing: everybody's periods on the store; other than Longhorn's only where no Longhorn is.
    """
    from backuplock.breaking.quarantine import RETENTION_NS

    settings = settings_of(options)
    target = target_of(settings)
    older_ns = RETENTION_NS
    if options.older_than is not None:
        if not options.purge or options.id is not None:
            raise Usage("--older-than goes with --purge alone", advice="see locktop undo --help")
        age = parse_duration(options.older_than, "--older-than", least=_LEAST_AGE_S, most=_MOST_AGE_S)
        older_ns = nanoseconds(age)
    if options.id is not None and (options.finish is not None or options.take_back is not None):
        raise Usage("two acts are named", advice="name one: --finish ID, --take-back ID, or ID")
    task = Task(options, settings, target, older_ns, timing)
    if task.word is not None:
        check_start(task.word)
    return guarded(lambda: _run(task))


def _run(task: Task) -> int:
    options = task.options
    with contextlib.ExitStack() as resources:
        store, known, found = _look(task)
        resources.callback(store.close)
        task = dataclasses.replace(task, entry=_entry(task, known, found))
        if options.purge:
            return purge_copies(task, store, found, resources)
        if task.ends:
            return _end(task, store, known, resources)
        if task.entry:
            return _undo(task, store, found, resources)
        return _list(task, known, found)


def _entry(task: Task, known: Known, found: tuple[Copy, ...]) -> str:
    if task.word is None:
        return ""
    if task.ends:
        return whole_id(task.word, (one.id for one in known.unfinished), "interrupted act")
    return whole_id(task.word, (one.id for one in found), "copy in the quarantine")


def _look(task: Task) -> tuple[Store, Known, tuple[Copy, ...]]:
    """The store, and what the quarantine and the trail say of it."""

    def work(_stop: threading.Event) -> tuple[Store, Known, tuple[Copy, ...]]:
        from backuplock.breaking import copies

        store = open_store_for(task.target, task.settings)
        return store, known_of(store), copies(store)

    return patiently(work, task.settings.timeout.value, url=task.target.url, name="undo: look")


def _list(task: Task, known: Known, found: tuple[Copy, ...]) -> int:
    from locktop.output import undo

    now = SystemClock().wall_ns()
    if task.options.json:
        from locktop.output import volume_json

        fields = undo.document(task.target.url, found, known.unfinished, now)
        sys.stdout.write(volume_json.text(fields))
        return ExitCode.OK
    from locktop.output.paper import print_paras

    shown = [one for one in found if task.options.all or not one.restored]
    print_paras(undo.paras(shown, now, glyphs_for(task.settings), put_back=len(found) - len(shown)))
    sys.stdout.flush()
    tell_unfinished(known.unfinished)
    return ExitCode.OK


# -- acts


def _undo(task: Task, store: Store, found: tuple[Copy, ...], resources: contextlib.ExitStack) -> int:
    from backuplock.breaking import Because, Refused

    entry = task.entry
    copy = next((one for one in found if one.id == entry), None)
    if copy is None:
        what = f"the quarantine has no copy {entry}"
        raise Refused(what, because=Because.GONE, advice="locktop undo lists what there is")
    if not task.settings.write.value:
        return _told(task, store, copy)
    writer = writer_for(store, task.timing, resources=resources)

    def put_back(_stop: threading.Event) -> str:
        from backuplock.breaking import undo

        options = task.options
        done = undo(writer, entry, reason=options.reason or "", without_volume=options.without_volume)
        return (
            f"put back: {printable(done.key)}; it counts for {done.protects_s:g} s, and nobody refreshes it"
        )

    return carry_out(task, put_back, entry)


def _told(task: Task, store: Store, copy: Copy) -> int:
    """One copy, and whether it could be put back now; nothing is written."""
    from locktop.output import undo

    def work(_stop: threading.Event) -> str:
        from locktop.conflicts import in_the_way

        return in_the_way(store, copy, task.timing, without_volume=task.options.without_volume)

    obstacle = patiently(work, task.settings.timeout.value, url=task.target.url, name="undo: look")
    now = SystemClock().wall_ns()
    if task.options.json:
        from locktop.output import volume_json

        sys.stdout.write(volume_json.text(undo.one_document(task.target.url, copy, now, obstacle)))
    else:
        from locktop.output.paper import print_paras

        print_paras(undo.paras([copy], now, glyphs_for(task.settings)))
        sys.stdout.flush()
    say(f"nothing was written; {obstacle or '--write puts it back'}")
    return ExitCode.NEGATIVE if obstacle else ExitCode.OK


def _end(task: Task, store: Store, known: Known, resources: contextlib.ExitStack) -> int:
    """Finish or take back what was interrupted."""
    options, entry = task.options, task.entry
    mine = tuple(one for one in known.unfinished if one.id == entry)
    tell_unfinished(mine)
    require_write(task.settings)
    writer = writer_for(store, task.timing, resources=resources)
    act = _finish if options.finish is not None else _take_back
    return carry_out(task, lambda _stop: act(writer, entry, options.reason or ""), entry)


def _finish(writer: Writer, entry: str, _reason: str) -> str:
    from backuplock.breaking import finish

    broken = finish(writer, entry)
    if broken is None:
        return "finished: the lock was not broken, for it was refreshed or went by itself"
    if broken.back:
        return f"finished: {broken.token.shown} is there, written since: its holder lives"
    return f"finished: {broken.token.shown} is broken; locktop undo {broken.id} --write puts it back"


def _take_back(writer: Writer, entry: str, reason: str) -> str:
    from backuplock.breaking import take_back

    undone = take_back(writer, entry, reason=reason)
    if undone is None:
        return "taken back: nothing had to be put back, the lock is in its place or went by itself"
    return f"taken back: {printable(undone.key)} is there again; it counts for {undone.protects_s:g} s"
