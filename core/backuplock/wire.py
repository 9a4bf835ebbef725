"""Bytes of a lock file <-> `LockRecord`, with the leniency of Go's `encoding/json`.

Whether a file blocks anybody depends on whether *Longhorn* can decode it, so what Go accepts is accepted
here and nothing else: keys in any case, unknown keys, text after the first value, repeated keys (the last
wins, a null leaves the earlier value), invalid UTF-8 in strings. Python's own decoder differs in nesting,
in NaN, in huge integers; hence a scanner of our own, which never recurses.

Source: Longhorn backupstore's FileLock and Go's json scanner; cases in `tests/vectors/decode.jsonl`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from backuplock.errors import Malformed
from backuplock.model import LockRecord, Owner

MAX_DEPTH = 10_000
"""Nesting Go's decoder accepts."""

MAX_OWNER_FIELD = 256
"""Characters kept of each text field of an owner: a lock file stays a few KiB at most."""

_INT64 = range(-(2**63), 2**63)
_TOKEN = re.compile(
    r"""[ \t\n\r]*+(?:
        (?P<mark>[{}\[\],:])
      | (?P<string>"(?:[^"\\\x00-\x1f]++|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*+")
      | (?P<number>-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?(?:[eE][+-]?[0-9]++)?)
      | (?P<literal>true|false|null)
    )""",
    re.VERBOSE,
)
_PLAIN_INTEGER = re.compile(r"-?[0-9]{1,19}")
_SURROGATE = re.compile("[\ud800-\udfff]")

_Token = tuple[str, str]
_FIELDS = ("name", "type", "acquired")


def decode(body: bytes) -> LockRecord:
    """The record in the body of a lock file, as Longhorn would decode it.

    Raises:
        Malformed: Longhorn cannot decode it either, and skips the file.
    """
    # One surrogate a bad byte, then one U+FFFD each: Go's count, which Python's own "replace" is not.
    text = _SURROGATE.sub("\ufffd", body.decode("utf-8", "surrogateescape"))
    tokens = _tokens(text)
    kind, first = next(tokens)
    if first == "null" and kind == "literal":
        return LockRecord("", 0, False)
    if first != "{":
        raise Malformed(f"the body is not a lock record but starts with {first[:20]!r}")
    name, type_, acquired = "", 0, False
    for key, value in _members(tokens):
        if value == ("literal", "null"):
            continue
        if key == "name":
            name = _string(value)
        elif key == "type":
            type_ = _integer(value)
        else:
            acquired = _boolean(value)
    return LockRecord(name, type_, acquired, _owner(text))


def encode(record: LockRecord) -> bytes:
    """A body that Longhorn reads: compact, `Name`, `Type`, `Acquired` in that order, no newline.

    An owner follows as one more key, which Longhorn ignores; its text fields are cut to
    `MAX_OWNER_FIELD` characters.
    """
    fields: dict[str, Any] = {"Name": record.name, "Type": record.type, "Acquired": record.acquired}
    if record.owner is not None:
        fields["Owner"] = {
            name: value[:MAX_OWNER_FIELD] if isinstance(value, str) else value
            for name in _OWNER_FIELDS
            if (value := getattr(record.owner, name))
        }
    return json.dumps(fields, separators=(",", ":")).encode()


def _tokens(text: str) -> Iterator[_Token]:
    at = 0
    while True:
        match = _TOKEN.match(text, at)
        if match is None:
            rest = text[at:].lstrip(" \t\n\r")
            raise Malformed(f"invalid character {rest[0]!r}" if rest else "the body ends too early")
        at = match.end()
        kind = match.lastgroup or ""
        yield kind, match[kind]


def _members(tokens: Iterator[_Token]) -> Iterator[tuple[str, _Token]]:
    """The lock's fields of the object whose `{` was just read, as (folded key, value) in order.

    A value that is an object or array comes as its opening mark. Values of other keys are checked for
    syntax and dropped.
    """
    kept: list[tuple[str, _Token]] = []
    token = next(tokens)
    while token[1] != "}" or token[0] != "mark":
        if token[0] != "string":
            raise Malformed(f"a key should stand where {token[1][:20]!r} does")
        key = _unquote(token[1])
        _expect(tokens, ":")
        value = next(tokens)
        _skip_value(value, tokens)
        # None of the letters of the three keys has a fold outside ASCII.
        folded = key.lower() if key.isascii() else key
        if folded in _FIELDS:
            kept.append((folded, value))
        token = next(tokens)
        if token == ("mark", ","):
            token = next(tokens)
            if token == ("mark", "}"):
                raise Malformed("a comma stands before the closing brace")
        elif token != ("mark", "}"):
            raise Malformed(f"a comma or brace should stand where {token[1][:20]!r} does")
    return iter(kept)


def _skip_value(first: _Token, tokens: Iterator[_Token]) -> None:
    """Check the syntax of the value that starts with `first`, however deep, without recursion."""
    stack: list[str] = []
    token = first
    while True:
        if token in (("mark", "{"), ("mark", "[")):
            stack.append(token[1])
            # The record's own brace is one level.
            if len(stack) + 1 > MAX_DEPTH:
                raise Malformed(f"the body is nested more than {MAX_DEPTH} deep")
            token = next(tokens)
            if token == ("mark", "}" if stack[-1] == "{" else "]"):
                stack.pop()
            else:
                token = _element(stack[-1], token, tokens)
                continue
        elif token[0] == "mark":
            raise Malformed(f"a value should stand where {token[1]!r} does")
        while stack:
            after = next(tokens)
            if after == ("mark", "}" if stack[-1] == "{" else "]"):
                stack.pop()
                continue
            if after != ("mark", ","):
                raise Malformed(f"a comma or bracket should stand where {after[1][:20]!r} does")
            token = _element(stack[-1], next(tokens), tokens)
            break
        else:
            return


def _element(inside: str, token: _Token, tokens: Iterator[_Token]) -> _Token:
    """The first token of an element's value: past the key and colon in an object."""
    if inside == "[":
        return token
    if token[0] != "string":
        raise Malformed(f"a key should stand where {token[1][:20]!r} does")
    _expect(tokens, ":")
    return next(tokens)


def _expect(tokens: Iterator[_Token], mark: str) -> None:
    token = next(tokens)
    if token != ("mark", mark):
        raise Malformed(f"{mark!r} should stand where {token[1][:20]!r} does")


def _unquote(token: str) -> str:
    # A lone surrogate escape becomes U+FFFD in Go; Python would keep it and fail when it is printed.
    return _SURROGATE.sub("\ufffd", json.loads(token))


def _string(value: _Token) -> str:
    if value[0] != "string":
        raise Malformed(f"Name is not a string but {value[1][:20]!r}")
    return _unquote(value[1])


def _integer(value: _Token) -> int:
    kind, text = value
    if kind != "number" or not _PLAIN_INTEGER.fullmatch(text) or int(text) not in _INT64:
        raise Malformed(f"Type is not a plain 64-bit integer but {text[:20]!r}")
    return int(text)


def _boolean(value: _Token) -> bool:
    if value not in (("literal", "true"), ("literal", "false")):
        raise Malformed(f"Acquired is neither true nor false but {value[1][:20]!r}")
    return value[1] == "true"


_OWNER_FIELDS = ("host", "pid", "user", "operation", "note", "acquired_at", "renewals", "tool")


def _owner(text: str) -> Owner | None:
    """The owner our own locks carry; None if there is none or it cannot be read.

    Best effort, for people to read: it decides nothing, so Python's decoder is good enough.
    """
    if '"Owner"' not in text:
        return None
    try:
        fields = json.JSONDecoder().raw_decode(text.lstrip(" \t\n\r"))[0]["Owner"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    if not isinstance(fields, dict):
        return None
    return Owner(
        **{name: _owner_text(fields.get(name)) for name in _OWNER_FIELDS if name not in ("pid", "renewals")},
        pid=_owner_number(fields.get("pid")),
        renewals=_owner_number(fields.get("renewals")),
    )


def _owner_text(value: object) -> str:
    return _SURROGATE.sub("\ufffd", value[:MAX_OWNER_FIELD]) if isinstance(value, str) else ""


def _owner_number(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value in _INT64 else 0
