"""The first line on the terminal, there before anything heavy is read; wiped before the screen takes over.

Reading a terminal library, the console and an SDK takes longer than a person likes to look at nothing.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from backuplock.text import printable

_WIPE = "\r\x1b[2K"
_shown = False


@contextmanager
def opening(target: str) -> Iterator[None]:
    """Show what is being opened, until `wipe` is called or the block is left."""
    global _shown
    if os.environ.get("TERM", "dumb") not in ("", "dumb", "unknown"):
        _shown = True
        _write(_cut(f"locktop  {printable(target, limit=200)}  starting"))
    try:
        yield
    finally:
        wipe()


def wipe() -> None:
    """Take the line away, if it is there."""
    global _shown
    if _shown:
        _shown = False
        _write(_WIPE)


def _cut(line: str) -> str:
    try:
        return line[: os.get_terminal_size(sys.stderr.fileno()).columns - 1]
    except (OSError, ValueError):
        return line


def _write(text: str) -> None:
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.write(text)
        sys.stderr.flush()
