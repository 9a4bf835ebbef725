"""How often, and for how long, a call on files is made anew when what it met was on the move."""

from __future__ import annotations

import errno
import itertools
from collections.abc import Iterator

from backuplock.clock import SECOND, Clock

_SHARE_NS = 5 * SECOND
"""A client that showed a handle of something replaced finds out within its caches' life: 1 s with Longhorn's
mount options (`actimeo=1`); its requests, and those of a peer that takes a folder away again, are added."""
_PAUSE_NS = SECOND // 20
_AT_ONCE = 3


def tries(clock: Clock, most: int, *, local: bool) -> Iterator[int]:
    """Numbers of attempts: `most` at once on a local file system; on a share few at once, then with pauses,
    until its caches have run out."""
    began = clock.mono_ns()
    for number in itertools.count():
        yield number
        if local:
            if number + 1 >= most:
                return
        elif number + 1 >= _AT_ONCE:
            if clock.mono_ns() - began >= _SHARE_NS:
                return
            clock.sleep(_PAUSE_NS)


def is_stale(error: OSError) -> bool:
    """Whether the handle of a file or folder is stale: it was removed or replaced on the server (NFS)."""
    return error.errno == errno.ESTALE


def is_vanished(error: OSError) -> bool:
    """Whether the folder of a name is not there, or not any more."""
    return isinstance(error, FileNotFoundError) or is_stale(error)
