"""Store bytes and names -> text that is safe to print on a terminal, in a log, in a table.

Everything read from a store is hostile until it went through here: control characters, escape
sequences, bidirectional overrides and line breaks become visible escapes, and lengths are bounded. Markup
of a terminal library is *not* neutralised here: it is never parsed in the first place.
"""

from __future__ import annotations

import unicodedata

# Cc control, Cf format (bidi overrides, zero width), Cs surrogates, Co private use, Cn unassigned,
# Zl and Zp line and paragraph separators.
_UNSAFE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


_SECOND = 1_000_000_000


def elapsed(ns: int) -> str:
    """A length of time, its fraction of a second cut off: `8s`, `3m12s`, `2h41m`, `3d02h`; `-5s` for one of
    less than nothing."""
    sign, whole = ("-", -ns // _SECOND) if ns <= -_SECOND else ("", max(0, ns) // _SECOND)
    minutes, s = divmod(whole, 60)
    hours, m = divmod(minutes, 60)
    days, h = divmod(hours, 24)
    if days >= 1000:
        return f"{sign}{days:,}d"
    if days:
        return f"{sign}{days}d{h:02d}h"
    if hours:
        return f"{sign}{hours}h{m:02d}m"
    return f"{sign}{minutes}m{s:02d}s" if minutes else f"{sign}{s}s"


def signed_s(ns: int) -> str:
    """A difference of clocks in seconds, `+0.2 s`; what rounds to nothing has no sign worth a thought."""
    return f"{'-' if ns <= -_SECOND // 20 else '+'}{abs(ns) / _SECOND:.1f} s"


def printable(raw: str | bytes, *, limit: int = 1000) -> str:
    """One line of harmless text.

    Bytes are decoded as UTF-8, what is not UTF-8 becomes `\\xNN`. Unsafe characters become `\\xNN`,
    `\\uNNNN` or `\\UNNNNNNNN`. Past `limit` characters the text ends in `…`. Applying it twice changes
    nothing more, so it can stand at every boundary.
    """
    if isinstance(raw, bytes):
        # A character has at most 4 bytes: the cut spares decoding a huge body for a short line.
        raw = raw[: 4 * (limit + 1)].decode("utf-8", "backslashreplace")
    cut = raw[: limit + 1]
    shown = cut if cut.isascii() and cut.isprintable() else "".join(map(_safe, cut))
    return shown if len(shown) <= limit else shown[: max(0, limit - 1)] + "…"


def _safe(char: str) -> str:
    category = unicodedata.category(char)
    if category in _UNSAFE or (category == "Zs" and char != " "):
        return _escape(char)
    # Marks combine with what stands before them and can pile up into neighbouring lines; names of volumes
    # have no use for them.
    return _escape(char) if category.startswith("M") else char


def _escape(char: str) -> str:
    code = ord(char)
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def ellipsize_middle(text: str, width: int, mark: str = "…") -> str:
    """Shorten to `width` characters, keeping both ends: volume ids share their prefixes."""
    if len(text) <= width:
        return text
    if width <= len(mark):
        return mark[: max(0, width)]
    keep = width - len(mark)
    head = (keep + 1) // 2
    return text[:head] + mark + (text[len(text) - (keep - head) :] if keep > head else "")
