"""What the console remembers of how a person likes it: order, columns, names, theme. No setting, no secret.

It lies in the XDG state folder. A file that cannot be read or written costs the memory and nothing else.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from platformdirs import user_state_path

from locktop.columns import COLUMNS, EXTRA
from locktop.rows import SORTS

MOST_BYTES = 1 << 16
log = logging.getLogger(__name__)
log.addHandler(logging.NullHandler())


@dataclass(frozen=True, slots=True)
class Habits:
    """How the console looked when it was left. `hidden`: columns of the locks that are not wanted."""

    sort: str = "attention"
    reverse: bool = False
    hidden: frozenset[str] = EXTRA
    claims_first: bool = False
    theme: str = ""


class Memory:
    """Where habits are kept.

    Args:
        path: the file; None remembers nothing.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path

    def recall(self) -> Habits:
        """What is remembered; of what is not as it must be, the usual."""
        if self._path is None:
            return Habits()
        try:
            with self._path.open("rb") as stream:
                found = json.loads(stream.read(MOST_BYTES))
        except FileNotFoundError:
            return Habits()
        except (OSError, ValueError, RecursionError):
            log.info("habits are not read", exc_info=True)
            return Habits()
        return _habits(found) if isinstance(found, dict) else Habits()

    def keep(self, change: Callable[[Habits], Habits]) -> None:
        """Remember what has changed; the rest stays as the last console left it."""
        if self._path is None:
            return
        before = self.recall()
        after = change(before)
        if after == before:
            return
        fresh = self._path.with_name(f".{self._path.name}.{secrets.token_hex(4)}")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "w", encoding="utf-8") as stream:
                json.dump(_document(after), stream, indent=2)
            fresh.replace(self._path)
        except OSError:
            log.info("habits are not kept", exc_info=True)
            with contextlib.suppress(OSError):
                fresh.unlink()


def habits_path() -> Path:
    """The file of the person who runs this."""
    return user_state_path("locktop", appauthor=False) / "habits.json"


def _document(habits: Habits) -> dict[str, object]:
    return {
        "sort": habits.sort,
        "reverse": habits.reverse,
        # Columns that later versions add are as they are meant to be: only what differs is noted.
        "hidden": sorted(habits.hidden - EXTRA),
        "shown": sorted(EXTRA - habits.hidden),
        "claims_first": habits.claims_first,
        "theme": habits.theme,
    }


def _habits(found: dict[object, object]) -> Habits:
    usual = Habits()
    sort, theme = found.get("sort"), found.get("theme")
    hidden, shown = _columns(found.get("hidden")), _columns(found.get("shown"))
    return Habits(
        sort=sort if isinstance(sort, str) and sort in SORTS else usual.sort,
        reverse=found.get("reverse") is True,
        hidden=((EXTRA - shown) | hidden) - {"volume"},
        claims_first=found.get("claims_first") is True,
        theme=theme if isinstance(theme, str) else usual.theme,
    )


def _columns(found: object) -> frozenset[str]:
    known = {column.id for column in COLUMNS}
    return frozenset(one for one in found if one in known) if isinstance(found, list) else frozenset()
