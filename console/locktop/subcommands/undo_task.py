"""What `locktop undo` was asked for, and how an act of it ends."""

from __future__ import annotations

import argparse
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from backuplock.rules import Timing
from locktop.exits import SIGNALLED, ExitCode
from locktop.settings import Settings
from locktop.subcommands.acting import carefully

if TYPE_CHECKING:
    from backuplock.target import Target


@dataclass(frozen=True, slots=True)
class Task:
    """What was asked for.

    Attributes:
        older_ns: age from which copies are purged.
        entry: the id of the one that is meant, once it is known in full; "" if none was named.
    """

    options: argparse.Namespace
    settings: Settings
    target: Target
    older_ns: int
    timing: Timing
    entry: str = ""

    @property
    def ends(self) -> bool:
        """Whether an interrupted act is to be ended."""
        return self.options.finish is not None or self.options.take_back is not None

    @property
    def word(self) -> str | None:
        """What was given of the id."""
        options = self.options
        return next((one for one in (options.id, options.finish, options.take_back) if one is not None), None)


def carry_out(task: Task, work: Callable[[threading.Event], str], entry: str) -> int:
    """Do it, say what was done, and find the exit code."""
    line, asked = carefully(work)
    if task.options.json:
        from locktop.output import undo, volume_json

        sys.stdout.write(volume_json.text(undo.done_document(task.target.url, entry, line)))
    else:
        sys.stdout.write(f"{line}\n")
    return ExitCode.OK if asked is None else SIGNALLED + asked
