"""What the commands that change a store share: leave to write, the audit trail, interrupted acts, signals."""

from __future__ import annotations

import argparse
import contextlib
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from backuplock.clock import SystemClock
from backuplock.errors import BackupLockError, ReadOnly, StoreError
from backuplock.rules import LONGHORN, Timing
from locktop.exits import ExitCode, exit_code
from locktop.output.streams import say
from locktop.settings import Settings
from locktop.subcommands.common import environ_of

if TYPE_CHECKING:
    from backuplock.breaking import Audit, Unfinished, Window, Writer
    from backuplock.stores.base import Store
    from backuplock.target import Target

T = TypeVar("T")

_GLANCE_S = 3600.0


def add_write(parser: argparse.ArgumentParser, what: str) -> None:
    """`--write`, without which nothing is changed."""
    parser.add_argument(
        "--write",
        action="store_const",
        const="yes",
        help=f"{what} (or LOCKTOP_WRITE=1, or write = true in a context); else only told",
    )
    parser.add_argument(
        "--read-only",
        dest="write",
        action="store_const",
        const="no",
        help="change nothing, whatever the context allows",
    )


def add_reason(parser: argparse.ArgumentParser) -> None:
    """`--reason`."""
    parser.add_argument("--reason", metavar="TEXT", help="why, for the audit trail (500 characters)")


def open_store_for(target: Target, settings: Settings) -> Store:
    """The store, for writing only if that was allowed."""
    from backuplock.stores import open_store

    return open_store(target, writable=settings.write.value, environ=environ_of(settings))


def require_write(settings: Settings) -> None:
    """Refuse to go on where nothing may be changed.

    Raises:
        ReadOnly: writing was not allowed.
    """
    if not settings.write.value:
        raise ReadOnly(
            "this session only reads, nothing was changed", advice="allow it: --write, or LOCKTOP_WRITE=1"
        )


def learn_conditions(store: Store) -> None:
    """Try whether an S3 store honours conditional deletes, in a folder of its own; needs a writable store.

    What fails is said: a last look precedes each delete all the same.
    """
    import secrets

    from locktop.holder import PROBES, CanProbe

    if isinstance(store, CanProbe):
        try:
            store.probe_conditional(f"{PROBES}/probe-{secrets.token_hex(8)}")
        except StoreError as error:
            say(f"whether the store honours conditions is not known: {error}")


# -- the audit trail


def read_trail() -> Audit | None:
    """The audit trail of this machine for reading; None if there is none, or none that can be read."""
    from backuplock.breaking import Audit, AuditError, audit_path

    path = audit_path()
    try:
        return Audit.read(path) if path.exists() and path.stat().st_size else None
    except (AuditError, OSError) as error:
        say(f"told without the audit trail: {error}")
        return None


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of earlier acts on a store: those that did not end, and how long breaks took."""

    unfinished: tuple[Unfinished, ...] = ()
    window: Window | None = None


def known_of(store: Store) -> Known:
    """What the quarantine and the audit trail tell; nothing is written, and what fails is said."""
    from backuplock.breaking import unfinished, window_of

    with contextlib.ExitStack() as open_:
        trail = read_trail()
        if trail is not None:
            open_.callback(trail.close)
        try:
            window = window_of(trail.entries(), store.url) if trail is not None else None
            return Known(unfinished(store, trail, SystemClock().wall_ns()), window)
        except BackupLockError as error:
            say(f"whether earlier acts were interrupted is not known: {error}")
            return Known()


def tell_unfinished(found: tuple[Unfinished, ...]) -> None:
    """Say which acts did not end, and what ends them."""
    for one in found:
        what = f"{one.kept.token.shown} ({one.id})" if one.kept is not None else one.id
        say(f"{what}: {one.words}{_ways(one)}")


def _ways(one: Unfinished) -> str:
    ways = [
        f"locktop undo {flag} {one.id} --write"
        for flag, can in (("--finish", one.can_finish), ("--take-back", one.can_undo))
        if can
    ]
    return f"; {' or '.join(ways)}" if ways else f"; {one.why}" if one.why else ""


def writer_for(store: Store, timing: Timing = LONGHORN, *, resources: contextlib.ExitStack) -> Writer:
    """The right to change the store, with the audit trail open until `resources` are given back.

    Raises:
        ReadOnly: the store was opened for reading only.
        AuditError: there is no writing the audit trail, so nothing may be changed.
    """
    from backuplock.breaking import Audit, Who, Writer, audit_path, who_here
    from locktop import __version__

    here = who_here()
    audit = Audit.open(audit_path())
    resources.callback(audit.close)
    return Writer(store, audit, who=Who(here.user, here.host, f"locktop/{__version__}"), timing=timing)


# -- doing it


def carefully(work: Callable[[threading.Event], T]) -> tuple[T, int | None]:
    """What `work` returns, and the signal that asked to end meanwhile, if one did.

    What changes a store must not stop in its middle for a Ctrl-C: `work` runs in a thread, its argument is
    set by the first signal, and its safe end is waited for. A second signal leaves it where it is, as a
    crash would: the next start tells.

    Raises:
        Exception: whatever `work` raised.
        Ended: a second signal came.
    """
    from locktop.holder import Ended, Task
    from locktop.inbox import Inbox

    stop = threading.Event()
    asked: int | None = None
    with Inbox() as inbox:
        task = Task(lambda: work(stop), inbox.poke)
        while not task.over:
            for number in inbox.wait(_GLANCE_S):
                if asked is not None:
                    say("left as it is: locktop undo tells how it stands")
                    raise Ended(number)
                asked = number
                stop.set()
                say("ending as soon as nothing is half done; once more leaves it as it is")
    return task.result(), asked


def guarded(work: Callable[[], int]) -> int:
    """The exit code of `work`, or that of an act which was refused or failed, after saying why."""
    from backuplock.breaking import AuditError, BreakError

    try:
        return work()
    except (BreakError, AuditError) as error:
        say(str(error))
        return code_of(error)


def code_of(error: BackupLockError) -> ExitCode:
    """The exit code for an act that was refused or failed; of one that failed, by what the store said."""
    from backuplock.breaking import AuditError, Failed, Refused

    if isinstance(error, AuditError):
        return ExitCode.SYSTEM
    if isinstance(error, Refused):
        return ExitCode.NEGATIVE
    if isinstance(error, Failed) and isinstance(error.__cause__, BackupLockError):
        return code_of(error.__cause__)
    return exit_code(error)
