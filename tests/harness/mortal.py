"""A holder in a process of its own, so that it can die: `python -m harness.mortal FOLDER VOLUME OPERATION S`.

It asks once when a line comes in, prints the key of its lock or an empty line, and holds until it is killed.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from backuplock.errors import LockError
from backuplock.lock import BackupLock
from backuplock.model import Operation
from backuplock.stores.filesystem import FilesystemStore
from harness.locks import short_terms


class Mortal:
    """One such process; it has started when this returns.

    Args:
        lease_s: seconds of its lease, see `short_terms`.
    """

    def __init__(self, root: Path, volume: str, operation: Operation, lease_s: float) -> None:
        command = [sys.executable, "-m", "harness.mortal", str(root), volume, operation.value, str(lease_s)]
        environ = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
        self._child = subprocess.Popen(
            command, env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.key = ""
        self._line()

    def ask(self) -> bool:
        """One attempt."""
        assert self._child.stdin is not None
        self._child.stdin.write("\n")
        self._child.stdin.flush()
        self.key = self._line()
        return bool(self.key)

    def die(self) -> None:
        """Kill it, if it still runs."""
        self._child.kill()
        self._child.communicate()

    def _line(self) -> str:
        assert self._child.stdout is not None
        line = self._child.stdout.readline()
        assert line.endswith("\n"), "the holder's process has ended"
        return line.strip()


def main(root: str, volume: str, operation: str, lease_s: str) -> None:
    store = FilesystemStore(root, writable=True)
    terms = short_terms(store, float(lease_s))
    lock = BackupLock(store, volume, Operation(operation), terms=terms)
    print(flush=True)
    sys.stdin.readline()
    try:
        lock.acquire()
    except LockError:
        print(flush=True)
        return
    print(lock.key, flush=True)
    # Until it is killed, or whoever started it is gone; even then nothing is released.
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    main(*sys.argv[1:])
