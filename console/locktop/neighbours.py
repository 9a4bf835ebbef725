"""Processes on this host that locks of ours name: the one sign of life that needs no store."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable
from dataclasses import replace

from backuplock.findings import Finding, Mark, Topic
from backuplock.inquiry import Inquiry
from backuplock.model import LockFile, Owner

_MOST = 2**31 - 1
"""The largest number of a process; a lock may say anything."""


def with_neighbours(inquiry: Inquiry) -> Inquiry:
    """The same, with what this host knows of the processes that the volume's locks name."""
    more = {finding.lock: finding for finding in neighbours(inquiry.view.locks)}
    if not more:
        return inquiry
    found: list[Finding] = []
    for one in inquiry.findings:
        found.append(one)
        if one.topic is Topic.OWNER and one.lock in more:
            found.append(more.pop(one.lock))
    return replace(inquiry, findings=(*found, *more.values()))


def neighbours(locks: Iterable[LockFile]) -> list[Finding]:
    """Whether the holders that say to be on this host run here; nothing about the others."""
    here = socket.gethostname()
    found: list[Finding] = []
    for lock in locks:
        owner = lock.record.owner if lock.record is not None else None
        if owner is not None and owner.host == here and 0 < owner.pid <= _MOST:
            found.append(_found(lock.key, owner))
    return found


def _found(key: str, owner: Owner) -> Finding:
    if _runs(owner.pid):
        # Its number may have been given to another since.
        return Finding(Mark.KNOWN, Topic.OWNER, key, f"a process {owner.pid} runs on this host")
    text = f"no process {owner.pid} runs on this host: the holder is dead"
    return Finding(Mark.LIKELY, Topic.OWNER, key, f"{text}, or in a container that numbers its own")


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
