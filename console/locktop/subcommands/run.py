"""`locktop run`: hold a volume's lock around a command."""

from __future__ import annotations

import argparse
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from backuplock.errors import BackupLockError, Contended
from backuplock.rules import LONGHORN, Timing
from backuplock.text import printable
from locktop.durations import parse_duration, show_duration
from locktop.exits import ExitCode, exit_code, exit_table
from locktop.output.streams import say
from locktop.settings import Usage
from locktop.subcommands.holding import WHAT_IT_KEEPS_OUT, add_holding, wish_of

if TYPE_CHECKING:
    from backuplock.protocol import Certificate
    from locktop.holder import Holder, Wish
    from locktop.inbox import Inbox
    from locktop.leash import Leash
    from locktop.supervise import End

_DESCRIPTION = """\
Run a command while holding a volume's lock, as flock(1) does with a file. This writes to the store: one
lock file, renewed while the command runs and removed when it has ended, however it ended.
"""

_EXAMPLES = """\
examples:
  locktop run -t /mnt/backups --volume pvc-1 --for backup -- rclone sync /mnt/backups/... remote:copy
  locktop run --volume pvc-1 --for delete --timeout 5m --note "prune by hand" -- ./prune.sh pvc-1
  locktop run --volume BACKINGIMAGE --for restore -E 99 -- sh -c 'fetch | unpack'

The command is looked for before the lock is taken. It runs in the foreground with our standard input, output
and terminal, in a process group of its own, with LOCKTOP_LOCK_KEY, LOCKTOP_VOLUME and LOCKTOP_OPERATION in
its environment. Signals that reach locktop (Ctrl-C too) are passed on: INT, QUIT, TERM, HUP, WINCH, TSTP
and CONT to the group, USR1 and USR2 to the command itself.

If the lock is lost, the group gets SIGTERM at once, after the grace SIGKILL, and the exit code is 75. A
watchdog process does the same should locktop itself be killed, be stopped, or hang. While the job is
suspended (Ctrl-Z) nothing renews the lock: for more than a minute, and it is lost. Out of reach are
processes that leave the group (setsid, daemons) or become another user.

The lock goes when the command itself has ended. What it left running in its group is reported, and goes on
without the lock. The exit code is the command's own (128 + n: signal n), except where the lock is not had or
is lost; -E tells a refusal from a command that fails with 1.

exit codes:
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Arguments of `run`."""
    parser.description = f"{_DESCRIPTION}\n{WHAT_IT_KEEPS_OUT}"
    parser.usage = "locktop run [-t TARGET] --volume VOLUME --for PURPOSE [options] -- COMMAND ..."
    parser.epilog = _EXAMPLES + exit_table()
    add_holding(parser)
    parser.add_argument(
        "--grace", metavar="TIME", default="10s", help="from SIGTERM to SIGKILL, once the lock is lost (10s)"
    )
    parser.add_argument(
        "-E", "--conflict-exit-code", metavar="N", default="1", help="exit code when others hold it (1)"
    )
    parser.add_argument("command", metavar="COMMAND", nargs=argparse.REMAINDER, help="what to run")


def run(options: argparse.Namespace, *, timing: Timing = LONGHORN) -> int:
    """Hold, run, release.

    Args:
        timing: everybody's periods on the store; other than Longhorn's only where no Longhorn is.
    """
    command = options.command[1:] if options.command[:1] == ["--"] else options.command
    if not command:
        raise Usage("no command is given", advice="write it last, after --")
    grace_s = parse_duration(options.grace, "--grace", most=3600)
    conflict = _code(options.conflict_exit_code)
    wish = wish_of(options)
    program = _program(command[0])
    if isinstance(program, ExitCode):
        why = "is not found" if program is ExitCode.NOT_FOUND else "cannot be executed"
        say(f"{printable(command[0], limit=200)}: the command {why}; the store was not touched")
        return program
    from locktop.holder import Holder
    from locktop.inbox import Inbox
    from locktop.leash import Leash

    with Inbox() as inbox:
        leash = Leash()
        try:
            holder = Holder(wish, inbox, timing=timing)
            try:
                holder.acquire()
            except BackupLockError as error:
                say(str(error))
                return conflict if isinstance(error, Contended) else exit_code(error)
            return _under_lock(holder, inbox, leash, command, program, grace_s)
        finally:
            leash.let_go()


def _under_lock(
    holder: Holder, inbox: Inbox, leash: Leash, command: list[str], program: str, grace_s: float
) -> int:
    from locktop.holder import what_holds
    from locktop.supervise import Supervisor

    wish = holder.wish
    lock = holder.lock
    key = lock.key
    supervisor = Supervisor(
        command,
        program=program,
        env={
            **os.environ,
            "LOCKTOP_LOCK_KEY": key,
            "LOCKTOP_VOLUME": wish.volume,
            "LOCKTOP_OPERATION": wish.operation.value,
        },
        inbox=inbox,
        leash=leash,
        remaining=lock.remaining,
        grace_s=grace_s,
    )
    holder.on_lost = supervisor.lose
    if not wish.quiet:
        say(f"holding {wish.volume} for {wish.operation} ({key.rpartition('/')[2]})")
        say(what_holds(lock.guarantees))
    end: End | None = None
    try:
        end = supervisor.run()
    except OSError as error:
        why = printable(error.strerror or str(error), limit=100)
        say(f"{printable(command[0], limit=200)}: the command does not start: {why}")
        code: int = ExitCode.NOT_FOUND if isinstance(error, FileNotFoundError) else ExitCode.NOT_EXECUTABLE
    finally:
        holder.on_lost = None
        lost = holder.loss()
        certificate = holder.release()
    if end is not None:
        if lost is not None:
            say(str(lost))
        code = _tell(wish, end, certificate, grace_s, lost=lost is not None)
    return code


def _tell(wish: Wish, end: End, certificate: Certificate, grace_s: float, *, lost: bool) -> int:
    """Say how it ended; the result is the exit code."""
    from backuplock.protocol import Proof
    from locktop.holder import in_words

    if end.code is None:
        say("the command was not started")
    elif end.killed:
        say(f"the command did not end in {show_duration(grace_s)} after SIGTERM and was killed")
    elif end.lost:
        say(f"the command was sent SIGTERM and ended (exit code {end.code})")
    if end.left:
        pids = ", ".join(map(str, end.left[:10]))
        say(f"of the command's processes {len(end.left)} still run, now without the lock: pid {pids}")
    proven = certificate.proof is Proof.PROVEN
    if not (wish.quiet and proven):
        say(f"{wish.volume} is released; {in_words(certificate)}")
    if lost or end.code is None or certificate.proof is Proof.VIOLATED:
        return ExitCode.LOST
    return end.code


def _program(name: str) -> str | ExitCode:
    """The file that would be executed, found as execvp(3) does, or the exit code for there being none."""
    found = shutil.which(name)
    if found is not None:
        return found
    if os.sep in name:
        return ExitCode.NOT_EXECUTABLE if Path(name).exists() else ExitCode.NOT_FOUND
    places = os.environ.get("PATH", os.defpath).split(os.pathsep)
    there = any((Path(place) / name).is_file() for place in places) if name else False
    return ExitCode.NOT_EXECUTABLE if there else ExitCode.NOT_FOUND


def _code(text: str) -> int:
    if text.isascii() and text.isdigit() and len(text) <= 3 and int(text) <= 255:
        return int(text)
    raise Usage(f"--conflict-exit-code: {text[:40]!r} is not a number from 0 to 255")
