"""What `locktop break` was asked for, and what is said of it before and after."""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from backuplock.errors import BackupLockError
from backuplock.liveness import Life
from backuplock.rules import Timing
from locktop.settings import Settings
from locktop.subcommands.acting import code_of

if TYPE_CHECKING:
    from backuplock.breaking import Broken, Vigil
    from backuplock.target import Target
    from locktop.output.breaking import Sheet


@dataclass(frozen=True, slots=True)
class Task:
    """What was asked for."""

    options: argparse.Namespace
    settings: Settings
    target: Target
    volume: str
    lock: str
    observe_ns: int | None
    timing: Timing


def obstacle_of(task: Task, sheet: Sheet) -> str:
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


def print_json(
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
