"""How a session's context is marked on the screen, and which other contexts a person can go to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from locktop.session import Session


@dataclass(frozen=True, slots=True)
class Badge:
    """The context of a session: its name, "" if the target was given by itself; the colour of the name;
    whether people should be careful with it."""

    name: str = ""
    accent: str = ""
    protected: bool = False


@dataclass(frozen=True, slots=True)
class Choice:
    """A context that can be gone to. `target` is printable and without secrets."""

    badge: Badge
    target: str
    writable: bool


@dataclass(frozen=True, slots=True)
class Contexts:
    """Every context there is, in the order of the file.

    Attributes:
        file: the settings file, as people write it.
        open: makes a session on a context, not started; raises BackupLockError if it cannot be gone to.
    """

    choices: tuple[Choice, ...] = ()
    file: str = ""
    open: Callable[[str], Session] | None = None


NO_BADGE = Badge()
"""That of a target which was given by itself."""
