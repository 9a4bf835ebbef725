"""What may stand in the settings file: one table of keys, for reading, for errors and for the example."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from backuplock.errors import Malformed
from backuplock.target import parse_target
from locktop.settings import parsers

ACCENTS = ("sky", "green", "yellow", "orange", "purple", "grey")
"""Colours of contexts, those of Okabe and Ito (2008) that are told apart by colour-blind eyes."""

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
"""The name of a context."""

NAME_FORM = "letters, digits and . _ - (64 at most), a letter or digit first"

Kind = Literal["text", "number", "switch"]
KINDS: dict[Kind, str] = {"text": "text in quotes", "number": "a number", "switch": "true or false"}


@dataclass(frozen=True, slots=True)
class Key:
    """A key of the file.

    Attributes:
        kind: what TOML must make of its value. parse: takes the value as text; raises ValueError that says
            what is allowed, or Malformed.
        top, context: whether it may stand at the top of the file, in a context.
        words: what it is for. example: a value, as TOML.
    """

    kind: Kind
    parse: Callable[[str], object]
    top: bool
    context: bool
    words: str
    example: str


def _target(text: str) -> str:
    if "://" not in text and not text.startswith(("/", "~")):
        raise ValueError("a URL as Longhorn has it, or a path that begins with / or ~")
    parse_target(text)
    return text


def _profile(text: str) -> str:
    if not re.fullmatch(r"[\w@.+-][\w@.+ -]{0,127}", text):
        raise ValueError("the name of a profile in ~/.aws/config")
    return text


def _endpoint(text: str) -> str:
    form = "http(s)://host[:port]"
    try:
        parts = urlsplit(text)
        fine = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        raise ValueError(form) from None
    if not fine or "@" in text or not text.isprintable() or re.search(r"[\s,?#]", text):
        raise ValueError(form)
    return text


def _accent(text: str) -> str:
    if text not in ACCENTS:
        raise ValueError(f"one of {', '.join(ACCENTS)}")
    return text


def _context(text: str) -> str:
    if not NAME.fullmatch(text):
        raise ValueError(f"the name of a context: {NAME_FORM}")
    return text


def _key(name: str, kind: Kind, where: str, words: str, example: str) -> Key:
    own: dict[str, Callable[[str], object]] = {
        "target": _target,
        "profile": _profile,
        "endpoint": _endpoint,
        "accent": _accent,
        "context": _context,
    }
    return Key(kind, own.get(name) or parsers()[name], "t" in where, "c" in where, words, example)


_ROWS: tuple[tuple[str, Kind, str, str, str], ...] = (
    ("context", "text", "t", "the context that counts when none is named", '"prod"'),
    ("target", "text", "tc", "the backup target", '"s3://backups@us-east-1/prod/"'),
    ("interval", "number", "tc", "seconds between two looks of the console", "2"),
    ("requests-per-second", "number", "tc", "requests that looking may send in a second", "20"),
    ("dollars-per-day", "number", "tc", "what looking may cost at most, where requests cost anything", "2"),
    ("prices", "text", "tc", "auto, aws, free, or dollars for 1,000 LIST/GET", '"0.005/0.0004"'),
    ("timeout", "number", "tc", "seconds that a command waits for the store", "30"),
    ("clock-error", "number", "tc", "seconds that a store's clock which tells nothing may be off", "900"),
    ("ascii", "switch", "t", "draw in plain ASCII", "false"),
    ("mouse", "switch", "t", "let the console take the mouse", "true"),
    ("write", "switch", "c", "allow the store to be changed", "false"),
    ("even-if-live", "switch", "c", "with write: x breaks locks of live holders, too", "false"),
    ("profile", "text", "c", "AWS profile; takes the place of keys in the environment", '"backups"'),
    ("endpoint", "text", "c", "S3 endpoint; takes the place of AWS_ENDPOINTS", '"https://s3.example"'),
    ("accent", "text", "c", f"colour of its name: {', '.join(ACCENTS)}", '"orange"'),
    ("protected", "switch", "c", "a red line under the header of the console", "true"),
)
KEYS: dict[str, Key] = {row[0]: _key(*row) for row in _ROWS}
"""Every key by its name. In the rows `t` and `c` say where it may stand: at the top, in a context."""


def check(key: Key, value: object) -> str:
    """A value as text, as the environment would have it.

    Raises:
        ValueError: it is of another kind, or not allowed; the message says what is.
        Malformed: it is no backup target.
    """
    if key.kind == "switch":
        if not isinstance(value, bool):
            raise ValueError(KINDS["switch"])
        text = "yes" if value else "no"
    elif key.kind == "number":
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueError(KINDS["number"])
        text = repr(value)
    else:
        if not isinstance(value, str):
            raise ValueError(KINDS["text"])
        text = value
        if not text:
            raise Malformed("is empty", advice="leave it out, or give it a value")
    key.parse(text)
    return text
