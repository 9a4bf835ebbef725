"""Who is inside, told by files of its own: the judge of exclusion, who never asks a lock.

Whoever holds a lock enters by making a file, then looks who else is inside: of two that overlap, the later
one to make its file sees the other. Works between threads and between processes.
"""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

STOPPED = ".stopped"
_LOG = "violations.log"


@dataclass(frozen=True)
class Marker:
    """The file of somebody who is inside a volume."""

    path: Path
    volume: str
    type: int
    kind: str
    pid: int

    def rivals(self) -> list[str]:
        """Names of those of another type who are inside now."""
        found = []
        for path in self.path.parent.iterdir():
            if path.name.endswith(STOPPED) or path.name.split("_")[0] == str(self.type):
                continue
            found.append(path.name)
        return found


class Referee:
    """Judges over one folder. Every volume has a folder of its own in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.folder.mkdir(parents=True, exist_ok=True)

    @contextmanager
    def inside(self, volume: str, type_: int, kind: str) -> Iterator[Marker]:
        """Be inside for the length of a block; who else is there at its beginning is a violation."""
        rooms = self.folder / "inside" / volume
        rooms.mkdir(parents=True, exist_ok=True)
        name = f"{type_}_{kind}_{os.getpid()}_{uuid.uuid4().hex[:8]}"
        marker = Marker(rooms / name, volume, type_, kind, os.getpid())
        os.close(os.open(marker.path, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
        try:
            self.accuse(marker, marker.rivals())
            yield marker
        finally:
            marker.path.unlink(missing_ok=True)
            marker.path.with_name(name + STOPPED).unlink(missing_ok=True)

    def accuse(self, marker: Marker, rivals: list[str]) -> None:
        """Note that these were inside along with it."""
        if rivals:
            line = json.dumps({"volume": marker.volume, "who": marker.path.name, "with": rivals})
            with (self.folder / _LOG).open("a") as log:
                log.write(line + "\n")

    def violations(self) -> list[str]:
        """All so far, a line each."""
        log = self.folder / _LOG
        return log.read_text().splitlines() if log.exists() else []

    def excuse_stopped(self, pid: int) -> None:
        """A process that is stopped does nothing: until it leaves, nobody is accused for its sake."""
        for path in self._of(pid):
            path.rename(path.with_name(path.name + STOPPED))

    def forget_dead(self, pid: int) -> None:
        """A process that is dead is inside no more."""
        for path in self._of(pid):
            path.unlink()

    def _of(self, pid: int) -> list[Path]:
        return [path for path in (self.folder / "inside").glob("*/*") if path.name.split("_")[2] == str(pid)]
