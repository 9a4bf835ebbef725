"""The demo's cluster: a process that starts client processes, and ends with whoever started it.

    python -P -m locktop.demo.cluster FOLDER SEED NOW_NS keep|remove

It lives as long as its standard input stays open, whatever happens to the process at the other end; then
every client is ended, and the folder removed if that was asked for. It imports nothing heavy and has one
thread: clients are forked from it.
"""

from __future__ import annotations

import contextlib
import os
import random
import select
import shutil
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NoReturn

from backuplock import layout
from backuplock.clock import SECOND, SystemClock
from backuplock.errors import StoreError
from backuplock.model import LockType, Operation
from backuplock.stores.filesystem import FilesystemStore
from locktop.demo.client import Killed, World, carry_on, operate
from locktop.demo.people import Holder, Tenant, scene

MOST_CLIENTS = 18
MOST_CORPSES = 3
"""Locks of killed clients that are left lying at a time; then somebody tidies up, by hand."""


class _Over(Exception):
    """The demo is to end."""


@dataclass(frozen=True, slots=True)
class _Client:
    """A running client process; `mortal` if it may be killed."""

    volume: str
    type: LockType
    mortal: bool


class Cluster:
    """All clients of the demo, and the chance that moves them.

    Args:
        root: folder of the store.
        holders: locks that are held from the start.
        tenants: volumes to work on.
        leash: descriptor that becomes readable when the demo is over.
    """

    def __init__(
        self, root: Path, tenants: tuple[Tenant, ...], holders: tuple[Holder, ...], seed: int, leash: int
    ) -> None:
        self._root = root
        self._tenants = tenants
        self._holders = holders
        self._rng = random.Random(seed)  # noqa: S311
        self._leash = leash
        self._clock = SystemClock()
        self._clients: dict[int, _Client] = {}
        self._corpses: list[str] = []
        # Clients hold the reading end: they see the cluster end, however it ends.
        self._life, self._alive = os.pipe()

    def run(self) -> NoReturn:
        """Start the holders, then let something happen every few seconds.

        Raises:
            _Over: always, when the leash says so.
        """
        for holder in self._holders:
            kind = LockType(holder.record.type)
            self._start(_Client(holder.volume, kind, False), partial(carry_on, holder=holder))
        self._sleep(0.3)
        while True:
            self._reap()
            self._happen()
            self._sleep(self._rng.uniform(0.8, 2.8))

    def end(self) -> None:
        """End every client, at once."""
        for pid in self._clients:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for pid in self._clients:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, 0)
        self._clients.clear()

    def _sleep(self, duration_s: float) -> None:
        if select.select([self._leash], [], [], duration_s)[0]:
            raise _Over

    def _reap(self) -> None:
        with contextlib.suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                self._clients.pop(ended[0], None)

    def _happen(self) -> None:
        chance = self._rng.random()
        mortal = [pid for pid, client in self._clients.items() if client.mortal]
        if chance < 0.1 and mortal and len(self._corpses) < MOST_CORPSES:
            self._kill(self._rng.choice(mortal))
        elif chance < 0.15 and len(self._corpses) >= MOST_CORPSES:
            self._tidy_one()
        elif chance < 0.4 or len(self._clients) >= MOST_CLIENTS:
            self._contend()
        else:
            self._work()

    def _work(self) -> None:
        """An operation on a volume where nobody works; now and then a short one, that much happens."""
        busy = {client.volume for client in self._clients.values()}
        free = [tenant for tenant in self._tenants if tenant.volume not in busy]
        if not free:
            return
        volume = self._rng.choice(free).volume
        weights = {Operation.BACKUP: 5, Operation.RESTORE: 2, Operation.DELETE: 3}
        operation = self._rng.choices(list(weights), list(weights.values()))[0]
        self._operate(volume, operation, self._rng.choice((4, 8, 12, 20, 45, 90)))

    def _contend(self) -> None:
        """Somebody asks for what is taken, and is refused."""
        taken = [client for client in self._clients.values() if client.volume != layout.BACKING_IMAGE]
        if not taken:
            self._work()
            return
        client = self._rng.choice(taken)
        deleting = client.type is LockType.DELETION
        self._operate(client.volume, Operation.BACKUP if deleting else Operation.DELETE, 10)

    def _operate(self, volume: str, operation: Operation, lasts_s: float) -> None:
        client = _Client(volume, operation.lock_type, True)
        self._start(client, lambda world: operate(world, volume, operation, lasts_s=lasts_s))

    def _kill(self, pid: int) -> None:
        """A node goes down: its client leaves its lock as it is."""
        volume = self._clients.pop(pid).volume
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        self._corpses.append(volume)

    def _tidy_one(self) -> None:
        """An administrator removes what the oldest dead client left, if its lease has ended."""
        volume = self._corpses[0]
        store = FilesystemStore(self._root, writable=True)
        folder = layout.locks_folder(volume)
        for entry in store.list(folder).entries:
            age = self._clock.wall_ns() - (entry.modified_ns or 0)
            if layout.is_lock_file(entry.name) and 150 * SECOND < age < 3_600 * SECOND:
                store.delete(f"{folder}/{entry.name}")
                self._corpses.pop(0)
                return

    def _start(self, client: _Client, work: Callable[[World], object]) -> None:
        pid = os.fork()
        if pid:
            self._clients[pid] = client
            return
        code = 1
        try:
            self._be_client(work)
            code = 0
        finally:
            os._exit(code)

    def _be_client(self, work: Callable[[World], object]) -> None:
        os.close(self._alive)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        store = FilesystemStore(self._root, writable=True)

        def pause(duration_ns: int) -> bool:
            return bool(select.select([self._life], [], [], duration_ns / SECOND)[0])

        with contextlib.suppress(Killed, StoreError):
            work(World(store, self._clock, pause))


def main(arguments: list[str]) -> int:
    """Run until standard input ends or a signal comes, then tidy up."""
    folder, seed, now, fate = arguments
    root = Path(folder)
    made = scene(int(now), seed=int(seed))
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _stop)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    cluster = Cluster(root, made.tenants, made.holders, int(seed), sys.stdin.fileno())
    try:
        cluster.run()
    except _Over:
        return 0
    finally:
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        cluster.end()
        if fate == "remove":
            shutil.rmtree(root, ignore_errors=True)


def _stop(_number: int, _frame: object) -> NoReturn:
    raise _Over


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
