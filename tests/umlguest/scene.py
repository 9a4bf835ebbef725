"""One scene, and what many have in common."""

from __future__ import annotations

import os
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


def rounds(usual: int) -> int:
    """How many rounds of a race: as many as somebody asked for, else the usual number."""
    return int(os.environ.get("UML_ROUNDS", "0")) or usual
