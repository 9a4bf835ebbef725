"""The commands, a module each, named here and imported when used.

A module has `configure(parser)`, which adds its arguments and examples, and `run(options) -> int`, which
does the work and returns an exit code. `console` is what runs without a command's name.
"""

from __future__ import annotations

import argparse
import importlib
import keyword
from typing import Protocol, cast

COMMANDS: dict[str, str] = {
    "ls": "list the locks of a store once: a table, JSON or CSV",
    "explain": "from Longhorn's error message to the lock that is in the way",
    "show": "one volume: its locks in order, who blocks whom, what would happen now",
    "blocked": "which operations are blocked where, by what and until when",
    "simulate": "what would happen if: a backup, restore or deletion, played on a copy",
    "watch": "what happens to the locks, as lines or JSON lines",
    "record": "watch a store and keep what was seen in a file",
    "replay": "a recording in the console, as events, or as the table at an instant",
    "run": "run a command while holding a volume's lock",
    "hold": "hold a volume's lock by hand, for maintenance",
    "break": "remove one lock safely: plan, confirm, keep a copy, watch whether it stays away",
    "undo": "list broken locks, put one back, end an act that was interrupted",
    "cleanup": "find what is left over in a whole store, and remove it, each with a copy",
    "audit": "the trail of what was broken here, by whom and why; verify and export it",
    "doctor": "what a store gives and lacks for locks: permissions, clocks, conditions, mounts",
    "metrics": "the state of the locks for Prometheus, once or over HTTP",
    "serve": "the console in a browser, for looking only",
    "bundle": "the evidence about a store's locks in one zip, to be attached to an issue",
    "config": "settings and contexts: what holds and where it came from, an example to begin with",
    "demo": "show the console on a store of its own, with clients at work",
}
"""Name -> one line for the help, in the order of the help."""


class Command(Protocol):
    """What a command's module offers."""

    def configure(self, parser: argparse.ArgumentParser) -> None:
        """Add arguments, a description and examples."""
        ...

    def run(self, options: argparse.Namespace) -> int:
        """Do it; the result is the exit code."""
        ...


def load(name: str) -> Command:
    """The module of a command; of one whose name is a word of Python's, with an underscore after it."""
    module = f"{name}_" if keyword.iskeyword(name) else name
    return cast("Command", importlib.import_module(f"locktop.subcommands.{module}"))
