"""Names that are not there for an instant because another client of a CIFS share is renaming over them.

A server may refuse to rename over a file that somebody has open, and whoever looks at a lock has it open.
The kernel's client then removes that file and renames once more (`unlink_target` in `cifs_rename2`,
fs/smb/client/inode.c of Linux 6.1). For two requests a lock that is being renewed is neither listed nor
found, and a peer that believes it takes the volume for free: of 1,600 looks on two clients of one Samba one
met that, even twice in a row. What gives it away is the temporary name, which stands in the folder until the
rename is done.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import TypeVar

from backuplock.clock import SECOND, Clock

_TEMPORARY = re.compile(r"(.+)\.tmp\.[0-9]+", re.DOTALL)
_PAUSE_NS = SECOND // 20
_LOOKS = 10
"""Looks before a temporary name counts as left behind by a writer that died: half a second of pauses."""
_KNOWN = 10_000
"""Leftovers to remember, so that each is waited for once."""
_Names = TypeVar("_Names", bound=Iterable[str])


class Renames:
    """Waits until no rename into a folder is under way; safe to use from several threads at once."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._leftovers: set[str] = set()

    def settled(self, look: Callable[[], _Names]) -> _Names:
        """What `look` finds once each temporary name in it stands beside its own place, or proves left over.

        Args:
            look: the names in a folder.
        """
        found = look()
        for _ in range(_LOOKS):
            if not self._under_way(found):
                return found
            self._clock.sleep(_PAUSE_NS)
            found = look()
        if len(self._leftovers) > _KNOWN:
            self._leftovers = set()
        self._leftovers |= self._under_way(found)
        return found

    def _under_way(self, names: Iterable[str]) -> set[str]:
        there = set(names)
        temporary = {
            name for name in there if (match := _TEMPORARY.fullmatch(name)) and match[1] not in there
        }
        return temporary - self._leftovers
