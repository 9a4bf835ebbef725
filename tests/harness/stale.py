"""Two S3 servers over one folder that keep listings for a while: a store whose clients see stale data."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from harness.rclone import start_rclone
from harness.s3 import S3Server

STALE_S = 8
"""How long either server may list what is gone, and miss what is new."""


@dataclass(frozen=True, slots=True)
class StalePair:
    """What is written through one is seen late through the other."""

    left: S3Server
    right: S3Server
    stale_s: int = STALE_S

    def stop(self) -> None:
        for server in (self.left, self.right):
            if server.process is not None:
                server.process.stop()


def start_stale_pair(folder: Path, logs: Path, *, stale_s: int = STALE_S) -> StalePair:
    """Start both over `folder`."""
    left = start_rclone(folder, logs / "stale-left.log", dir_cache=f"{stale_s}s", name="stale left")
    try:
        right = start_rclone(folder, logs / "stale-right.log", dir_cache=f"{stale_s}s", name="stale right")
    except BaseException:
        if left.process is not None:
            left.process.stop()
        raise
    return StalePair(left, right, stale_s)
