"""Narration: what is said to the person beside the data, a line each, on stderr."""

from __future__ import annotations

import contextlib
import sys

from backuplock.text import printable


def say(line: str) -> None:
    """One harmless line on stderr; a stderr that is gone is no error."""
    with contextlib.suppress(OSError, ValueError):
        print(f"locktop: {printable(line, limit=2000)}", file=sys.stderr, flush=True)
