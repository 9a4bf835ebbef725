"""`locktop hold`: keep a volume's lock by hand."""

from __future__ import annotations

import argparse
import contextlib
import signal
import sys
from typing import TYPE_CHECKING

from backuplock.clock import SystemClock, nanoseconds, seconds
from backuplock.errors import BackupLockError
from backuplock.rules import LONGHORN, Timing
from locktop.durations import parse_duration
from locktop.exits import ExitCode, exit_code, exit_table
from locktop.output.streams import say
from locktop.subcommands.holding import WHAT_IT_KEEPS_OUT, add_holding, wish_of

if TYPE_CHECKING:
    from locktop.holder import Holder
    from locktop.inbox import Inbox

_DESCRIPTION = """\
Hold a volume's lock by hand while you work on its backups, until Ctrl-C, SIGTERM, SIGHUP, or the given time.
This writes to the store: one lock file, renewed while it is held and removed at the end.
"""

_EXAMPLES = """\
examples:
  locktop hold -t /mnt/backups --volume pvc-1 --for delete --note "moving to the new NAS, ask Kim"
  locktop hold --volume BACKINGIMAGE --for backup --timeout 10m --for-at-most 2h
  locktop hold --volume pvc-1 --for backup & holder=$!; ./copy.sh; kill $holder; wait $holder

On a terminal a countdown is shown, else a line for each change; all of it on stderr. Ctrl-Z is refused: who
is suspended cannot renew. If the lock is lost, that is said loudly (the bell rings), and hold ends.

Ending it is the normal end: the exit code is 0 whenever the lock was held until it was given back, 75 if it
was lost before. A signal while it still waits for the lock gives 128 + n.

exit codes:
"""

_MOST_S = 7 * 86_400.0
_LATE_S = 45.0
"""From one renewal to the next; they are due every 20 s."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Arguments of `hold`."""
    parser.description = f"{_DESCRIPTION}\n{WHAT_IT_KEEPS_OUT}"
    parser.epilog = _EXAMPLES + exit_table()
    add_holding(parser)
    parser.add_argument(
        "--for-at-most", metavar="TIME", help="release it by itself after so long: 45m, 2h (no limit)"
    )


def run(options: argparse.Namespace, *, timing: Timing = LONGHORN) -> int:
    """Hold until told otherwise.

    Args:
        timing: everybody's periods on the store; other than Longhorn's only where no Longhorn is.
    """
    most_s = None
    if options.for_at_most is not None:
        most_s = parse_duration(options.for_at_most, "--for-at-most", least=1, most=_MOST_S)
    wish = wish_of(options)
    from locktop.holder import Holder, in_words, what_holds
    from locktop.inbox import Inbox

    with Inbox() as inbox:
        holder = Holder(wish, inbox, timing=timing, on_lost=inbox.poke)
        try:
            holder.acquire()
        except BackupLockError as error:
            say(str(error))
            return exit_code(error)
        try:
            if not wish.quiet:
                say(what_holds(holder.lock.guarantees))
            why = _hold(holder, inbox, most_s)
        finally:
            lost = holder.loss()
            if lost is not None:
                _ring()
                say(f"LOST: {lost}")
            certificate = holder.release()
    from backuplock.protocol import Proof

    say(f"{wish.volume} is released ({why}); {in_words(certificate)}")
    if lost is not None or certificate.proof is Proof.VIOLATED:
        return ExitCode.LOST
    return ExitCode.OK


def _hold(holder: Holder, inbox: Inbox, most_s: float | None) -> str:
    """Wait; the result says what ended it."""
    from locktop.countdown import Progress, face

    clock = SystemClock()
    began = clock.mono_ns()
    end = None if most_s is None else began + nanoseconds(most_s)
    scale = holder.timing.duration_ns / LONGHORN.duration_ns
    progress = Progress(holder.wish, holder.lock.key, late_s=_LATE_S * scale)
    with inbox.also([signal.SIGTSTP]), face(progress, sys.stderr, quiet=holder.wish.quiet) as shown:
        while True:
            now = clock.mono_ns()
            left = None if end is None else max(0.0, seconds(end - now))
            view = progress.at(seconds(now - began), holder.lock.remaining(), left)
            shown.show(view)
            if view.lost:
                return "lost"
            if left == 0:
                return "its time is over"
            pause = min(1.0, 1.0 if left is None else left)
            for number in inbox.wait(pause):
                if number == signal.SIGTSTP:
                    shown.remark("Ctrl-Z is refused: who is suspended cannot renew the lock")
                else:
                    return f"by {signal.Signals(number).name}"


def _ring() -> None:
    """Reach whoever does not look at the screen."""
    with contextlib.suppress(OSError, ValueError):
        if sys.stderr.isatty():
            sys.stderr.write("\a")
            sys.stderr.flush()
