"""Arguments that `run` and `hold` share."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from backuplock.layout import check_volume_name
from backuplock.model import Operation
from locktop.durations import parse_duration
from locktop.subcommands.common import add_target, environ_of, settings_of, target_of

if TYPE_CHECKING:
    from locktop.holder import Wish

WHAT_IT_KEEPS_OUT = """\
What a lock keeps out. Longhorn has two types. A lock for backup or restore (type 1) keeps deletions of the
volume's backups out, and lets other backups and restores in. A lock for delete (type 2) keeps backups and
restores out, and lets other deletions in. All backing images of a target share one lock: the volume
BACKINGIMAGE. Longhorn is refused while the lock is held; most of its operations are not tried again.

What it cannot do. A lock is a lease: others stop heeding it 150 s after its last renewal, whatever its
holder is doing. locktop renews it every 20 s and counts it as lost 60 s before others do, but a step that
takes longer than these 60 s and cannot be stopped (one huge write, a call that hangs) may run on after the
lease. Longhorn's own faults (a failed read counts as "no lock", a clock that is wrong) cannot be cured from
here; where they may have struck, the closing line says "not proven" or "VIOLATED".
"""


def add_holding(parser: argparse.ArgumentParser) -> None:
    """Target, volume, purpose, and how long to wait."""
    add_target(parser, positional=False)
    parser.add_argument(
        "--volume", metavar="VOLUME", required=True, help="the backup volume's full id, or BACKINGIMAGE"
    )
    parser.add_argument(
        "--for",
        dest="operation",
        required=True,
        choices=[operation.value for operation in Operation],
        help="what it is held for; backup and restore share a type",
    )
    parser.add_argument(
        "--timeout",
        dest="wait",
        metavar="TIME",
        default="0",
        help="how long to wait for it: 90s, 5m (one try)",
    )
    parser.add_argument("--note", metavar="TEXT", default="", help="a few words for whoever finds the lock")
    parser.add_argument(
        "--accept-lagging",
        action="store_true",
        help="take it though this store's listings are known to lag: nothing is guaranteed then",
    )
    parser.add_argument(
        "--new-volume", action="store_true", help="lock it though the store has no such volume yet"
    )
    parser.add_argument(
        "--new-store", action="store_true", help="lock it though there is no backup store there yet"
    )
    parser.add_argument(
        "--no-probe",
        dest="probe",
        action="store_false",
        help="do not try, on objects below backupstore/.locktop, whether an S3 store honours conditions",
    )
    parser.add_argument("-q", "--quiet", action="store_true", help="say only what went wrong")


def wish_of(options: argparse.Namespace) -> Wish:
    """What the arguments ask for; nothing of the store is touched.

    Raises:
        Malformed: an argument does not have its form.
    """
    timeout_s = parse_duration(options.wait, "--timeout")
    from locktop.presence import is_claim

    if not is_claim(options.volume):
        check_volume_name(options.volume)
    settings = settings_of(options)
    target = target_of(settings)
    from locktop.holder import Wish

    return Wish(
        target=target,
        volume=options.volume,
        operation=Operation(options.operation),
        timeout_s=timeout_s,
        note=options.note,
        accept_lagging=options.accept_lagging,
        quiet=options.quiet,
        new_store=options.new_store,
        new_volume=options.new_volume,
        probe=options.probe,
        environ=environ_of(settings),
    )
