"""Questions to a person on a terminal: asked on stderr, answered on stdin; a script is never asked."""

from __future__ import annotations

import contextlib
import sys

from backuplock.text import printable
from locktop.settings import Usage


def can_ask() -> bool:
    """Whether somebody is there who sees a question and can answer."""
    return all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stderr))


def needs_person(advice: str) -> None:
    """Refuse to ask where nobody is.

    Raises:
        Usage: there is no terminal; `advice` says what to do instead.
    """
    if not can_ask():
        raise Usage("this asks before it acts, and there is no terminal to ask on", advice=advice)


def ask(question: str) -> str:
    """The answer, without blanks around it; "" also where the terminal is closed instead.

    What was typed before the question was seen is no answer, and is dropped.
    """
    _drop_typed_ahead()
    sys.stderr.write(f"{printable(question, limit=500)} ")
    sys.stderr.flush()
    answer = sys.stdin.readline()
    if not answer.endswith("\n"):
        # The terminal's cursor stands behind the question still.
        sys.stderr.write("\n")
    return answer.strip()


def confirmed(question: str, wanted: str) -> bool:
    """Whether exactly `wanted` was typed."""
    return ask(question) == wanted


def _drop_typed_ahead() -> None:
    try:
        import termios
    except ImportError:
        return
    with contextlib.suppress(OSError, ValueError, termios.error):
        termios.tcflush(sys.stdin.fileno(), termios.TCIFLUSH)
