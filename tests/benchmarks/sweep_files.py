"""A sweep of a file system against GNU find, which prunes `blocks/` and `backups/`.

What keeps a first sweep of 2,000 volumes with 200 locks above find is the reading of 400 files, the locks and
the names of their volumes; find reads none. A sweep that has these already, but knows no folder, is a row of
its own. System calls are not the limit: find makes twice as many (78,000 to 37,000, by strace). Two or four
chains of folders side by side take as long as one: the calls are too short to gain from giving up the
interpreter's lock.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from backuplock.model import Snapshot
from backuplock.stores.filesystem import FilesystemStore
from backuplock.survey import sweep
from benchmarks.fleet_files import make_fleet
from benchmarks.table import Row, rivals, tell


def against_find(folder: Path, volumes: int) -> list[Row]:
    """The first sweep, and one that knows the last; find looks at the names and reads nothing."""
    find = shutil.which("find")
    if find is None:
        raise SystemExit("there is no find; install findutils")
    tell(f"making {volumes} volumes")
    make_fleet(folder, volumes)
    command = [
        find,
        str(folder / "backupstore/volumes"),
        "(",
        "-name",
        "blocks",
        "-o",
        "-name",
        "backups",
        ")",
    ]
    command += ["-prune", "-o", "-path", "*/locks/*.lck", "-printf", "%p %T@ %s\\n"]
    store = FilesystemStore(folder)
    known = sweep(store)
    assert len(known.volumes) == volumes
    best = rivals(
        7,
        find=lambda: subprocess.run(command, check=True, capture_output=True).stdout,
        first=lambda: sweep(FilesystemStore(folder)),
        listed=lambda: sweep(FilesystemStore(folder), known),
        again=lambda: sweep(store, known),
    )
    lines = best["find"].result
    seen = best["again"].result
    assert isinstance(lines, bytes)
    assert isinstance(seen, Snapshot)
    assert len(lines.splitlines()) == len(seen.locks)
    name = f"sweep, {volumes:,} volumes, files"
    rival = f"{best['find'].wall:.3f} s"
    return [
        Row(
            f"{name}: first",
            f"{best['first'].wall:.3f} s",
            rival,
            best["first"].wall / best["find"].wall,
            1.0,
        ),
        Row(
            f"{name}: first, nothing read",
            f"{best['listed'].wall:.3f} s",
            rival,
            best["listed"].wall / best["find"].wall,
            1.0,
        ),
        Row(
            f"{name}: again",
            f"{best['again'].wall:.3f} s",
            rival,
            best["again"].wall / best["find"].wall,
            1.0,
        ),
    ]
