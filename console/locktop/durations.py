"""Durations as people write them: `90s`, `5m`, `1h30m`, or a plain number of seconds."""

from __future__ import annotations

import re

from locktop.settings import Usage

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_SECONDS = re.compile(r"\d{1,9}(?:\.\d{1,3})?", re.ASCII)
_FORM = re.compile(r"(?:\d{1,9}(?:\.\d{1,3})?[smhd])+", re.ASCII)
_PART = re.compile(r"([\d.]+)([smhd])")


def parse_duration(text: str, source: str, *, least: float = 0.0, most: float = 30 * 86_400) -> float:
    """Seconds.

    Args:
        source: the flag or variable it came from, for the error.
        least, most: seconds; what lies outside is refused.

    Raises:
        Usage: it is no duration, or out of bounds.
    """
    word = text.strip().lower()
    if _SECONDS.fullmatch(word):
        found = float(word)
    elif _FORM.fullmatch(word):
        found = sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(word))
    else:
        raise Usage(f"{source}: {text[:40]!r} is no duration", advice="write 90s, 5m, 1h30m or seconds")
    if not least <= found <= most:
        bounds = f"{show_duration(least)} to {show_duration(most)}"
        raise Usage(f"{source}: {text[:40]!r} is out of bounds", advice=f"it may be {bounds}")
    return found


def show_duration(seconds: float) -> str:
    """In words of the same form, whole seconds, at most two units: `1h30m`, `45s`."""
    left = round(seconds)
    parts: list[str] = []
    for unit in ("d", "h", "m", "s"):
        count, left = divmod(left, _UNITS[unit])
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts[:2]) or "0s"
