"""Instants of a recording as people type them: ISO 8601, `+90s` from its beginning, `-1m` from its end."""

from __future__ import annotations

import datetime
import re

from backuplock.text import printable
from locktop.instants import offset
from locktop.settings import Usage

_FRACTION = re.compile(r"\.(\d{1,9})\d*(?=Z|[+-]\d\d|$)", re.IGNORECASE)


def moment(text: str, flag: str, *, begin_ns: int, end_ns: int) -> int:
    """An instant, nanoseconds of the epoch.

    Args:
        begin_ns, end_ns: the first and the last look of the recording, which relative forms refer to.

    Raises:
        Usage: the form is none of them; names `flag`.
    """
    word = text.strip()
    if word.lower() in ("end", "begin"):
        return end_ns if word.lower() == "end" else begin_ns
    if word.startswith("+"):
        return begin_ns + offset(word, flag)
    if re.match(r"-\d", word):
        return end_ns - offset(word[1:], flag)
    # The calendar of the standard library knows microseconds only; locks are told apart by nanoseconds.
    found = _FRACTION.search(word)
    whole = word if found is None else word[: found.start()] + word[found.end() :]
    try:
        parsed = datetime.datetime.fromisoformat(whole)
    except ValueError:
        advice = "write 2026-01-02T03:04:05Z, +90s after its beginning, or end"
        raise Usage(f"{flag}: {printable(text, limit=60)!r} is no instant", advice=advice) from None
    if parsed.tzinfo is None:
        parsed = parsed.replace(tzinfo=datetime.UTC)
    since = parsed - datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
    fraction = 0 if found is None else int(found[1].ljust(9, "0"))
    return (since.days * 86_400 + since.seconds) * 1_000_000_000 + fraction
