"""`BackupLock` for asyncio: the same lock, its requests made in threads, so that the loop never waits."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable
from types import TracebackType
from typing import Self, TypeVar

from backuplock.errors import LockError
from backuplock.lock import BackupLock
from backuplock.protocol import Certificate
from backuplock.share import Share

_T = TypeVar("_T")


class AsyncBackupLock:
    """An `async with` face of a `BackupLock`.

        async with AsyncBackupLock(BackupLock(store, volume, Operation.BACKUP), timeout=60) as lock:
            lock.check()

    Args:
        lock: acquired and released through this object only.
        timeout: seconds to wait for it, as `BackupLock.acquire`.
    """

    def __init__(self, lock: BackupLock, *, timeout: float = 0.0) -> None:
        self._lock = lock
        self._timeout = timeout

    async def acquire(self) -> None:
        """As `BackupLock.acquire`. If the task is cancelled, nothing of ours stays in the store."""
        trying = asyncio.ensure_future(asyncio.to_thread(self._lock.acquire, self._timeout))
        try:
            await asyncio.shield(trying)
        except asyncio.CancelledError:
            await _unbroken(asyncio.to_thread(self._withdraw))
            with contextlib.suppress(LockError, RuntimeError):
                await _unbroken(trying)
            if self._lock.held:
                await _unbroken(asyncio.to_thread(self._lock.release))
            raise

    async def release(self) -> Certificate:
        """As `BackupLock.release`; it is finished even if the task is cancelled meanwhile."""
        return await _unbroken(asyncio.to_thread(self._lock.release))

    def check(self) -> None:
        """As `BackupLock.check`; never blocks."""
        self._lock.check()

    def remaining(self) -> float:
        """As `BackupLock.remaining`; never blocks."""
        return self._lock.remaining()

    def share(self) -> Share:
        """As `BackupLock.share`; never blocks. Release it in a thread, for that makes requests."""
        return self._lock.share()

    async def __aenter__(self) -> Self:
        await self.acquire()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await _unbroken(asyncio.to_thread(self._lock.__exit__, kind, error, trace))

    def _withdraw(self) -> None:
        with contextlib.suppress(RuntimeError, LockError):
            self._lock.release()


async def _unbroken(work: Awaitable[_T]) -> _T:
    """Wait for work that must not be left half done; a cancellation meanwhile is delivered afterwards."""
    task = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError as error:
            if task.cancelled():
                raise
            cancelled = error
    if cancelled is not None:
        raise cancelled
    return task.result()
