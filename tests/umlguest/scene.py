"""One scene, and what many have in common."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from backuplock.errors import BackupLockError

Told = dict[str, Any]


@dataclass(frozen=True)
class Scene:
    """What is played, and the name under which its result is found."""

    name: str
    play: Callable[[], Told]


def error_of(attempt: Callable[[], object]) -> str:
    """The error of an attempt, with its kind; what it returned if there was none."""
    try:
        result = attempt()
    except BackupLockError as error:
        return f"{type(error).__name__}: {error}"
    return f"no error: {result!r}"


def seconds_until(condition: Callable[[], object], patience_s: float = 60.0) -> float:
    """Seconds until something is so; the patience if it never is."""
    began = time.monotonic()
    while not condition():
        if time.monotonic() - began > patience_s:
            return patience_s
        time.sleep(0.05)
    return time.monotonic() - began
