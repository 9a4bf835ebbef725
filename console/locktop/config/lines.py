"""On which line of a TOML file each key stands, which the standard library's parser does not tell.

Works on text that `tomllib` has accepted, so that only keys, strings and brackets have to be told apart.
"""

from __future__ import annotations

import bisect
import re
import tomllib
from collections.abc import Mapping

Keys = tuple[str, ...]

_SPACE = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_PART = re.compile(r"""[ \t]*("(?:\\.|[^"\\\n])*"|'[^'\n]*'|[A-Za-z0-9_-]+)[ \t]*""")
_VALUE = re.compile(
    r'"""(?:\\[\s\S]|(?!""")[^\\])*"""(?:"{0,2})'
    r"|'''(?:(?!''')[\s\S])*'''(?:'{0,2})"
    r'|"(?:\\.|[^"\\\n])*"'
    r"|'[^'\n]*'"
    r"|#[^\n]*"
    r"|[\[\]{}\n]"
    r"""|[^"'#\[\]{}\n]+"""
)


def key_lines(text: str) -> dict[Keys, int]:
    """Path of a key -> its line, counted from 1; tables count where they are declared first.

    Keys within an inline table are left out: they stand where the table does.
    """
    ends = [found.end() for found in re.finditer("\n", text)]
    found: dict[Keys, int] = {}
    table: Keys = ()
    at = _skip(text, 0)
    while at < len(text):
        line = bisect.bisect_right(ends, at) + 1
        brackets = 2 if text.startswith("[[", at) else 1 if text.startswith("[", at) else 0
        keys, at = _path(text, at + brackets)
        if brackets:
            table = keys
            at += brackets
        else:
            at = _over_value(text, at + 1)
        found.setdefault(keys if brackets else table + keys, line)
        at = _skip(text, at)
    return found


def line_of(lines: Mapping[Keys, int], keys: Keys) -> int:
    """The line of a key; of one that has none of its own, that of the table around it or of its first key."""
    for length in range(len(keys), 0, -1):
        if keys[:length] in lines:
            return lines[keys[:length]]
        below = [line for path, line in lines.items() if path[:length] == keys[:length]]
        if below:
            return min(below)
    return 1


def _skip(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at


def _path(text: str, at: int) -> tuple[Keys, int]:
    """A dotted key, and where it ends."""
    parts: list[str] = []
    while found := _PART.match(text, at):
        raw, at = found[1], found.end()
        parts.append(tomllib.loads(f"k = {raw}")["k"] if raw[0] in "\"'" else raw)
        if not text.startswith(".", at):
            break
        at += 1
    return tuple(parts), at


def _over_value(text: str, at: int) -> int:
    """The end of the value's last line."""
    depth = 0
    while found := _VALUE.match(text, at):
        at = found.end()
        depth += found[0] in ("[", "{")
        depth -= found[0] in ("]", "}")
        if found[0] == "\n" and depth <= 0:
            break
    return at
