"""Which connections stand, as the kernel tells it."""

from __future__ import annotations

import gc
from pathlib import Path


def connections_to(port: int) -> int:
    """Connections to a loopback port that are established and belong to a store that is still in use."""
    gc.collect()
    wanted, count = f"0100007F:{port:04X}", 0
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        count += fields[2] == wanted and fields[3] == "01"
    return count
