"""`BackupLock` for asyncio: the same lock, its requests made in threads, so that the loop never waits."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self, TypeVar

from backuplock.errors import LeftBehind
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
        """As `BackupLock.acquire`. If the task is cancelled, our file is removed before the cancellation
        goes on; if that fails, a note on it says so."""
        cancel = threading.Event()
        trying = _in_thread(lambda: self._lock.acquire_unless(cancel, self._timeout))
        try:
            await asyncio.shield(trying)
        except asyncio.CancelledError as cancelled:
            cancel.set()
            withdrawing = _in_thread(self._withdraw)
            await _settled(withdrawing)
            await _settled(trying)
            for told in (withdrawing.result(), *_left_behind(trying.exception())):
                if told:
                    cancelled.add_note(told)
            raise

    async def release(self) -> Certificate:
        """As `BackupLock.release`; it is finished even if the task is cancelled meanwhile."""
        return await _unbroken(_in_thread(self._lock.release))

    def check(self) -> None:
        """As `BackupLock.check`; never blocks."""
        self._lock.check()

    def remaining(self) -> float:
        """As `BackupLock.remaining`; never blocks."""
        return self._lock.remaining()

    @property
    def renewals(self) -> int:
        """As `BackupLock.renewals`; never blocks."""
        return self._lock.renewals

    def certificate(self) -> Certificate:
        """As `BackupLock.certificate`; never blocks."""
        return self._lock.certificate()

    def share(self) -> AsyncShare:
        """One more reference, for a task; never blocks.

        Raises: as `BackupLock.share`.
        """
        return AsyncShare(self._lock.share())

    def share_for_thread(self) -> Share:
        """One more reference, to be used and released in a thread; this call never blocks."""
        return self._lock.share()

    async def __aenter__(self) -> Self:
        await self.acquire()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await _unbroken(_in_thread(lambda: self._lock.__exit__(kind, error, trace)))

    def _withdraw(self) -> str:
        """Make a call of `acquire` give up, or release what it won; the error if our file was left."""
        try:
            # It may not even have begun; then its `cancel` stops it.
            with contextlib.suppress(RuntimeError):
                self._lock.release()
        except LeftBehind as left:
            return str(left)
        return ""


class AsyncShare:
    """One reference to a held lock, for a task: the face of a `Share` that never blocks the loop.

        async with lock.share() as share:
            share.check()

    Args:
        share: used and released through this object only.
    """

    def __init__(self, share: Share) -> None:
        self._share = share

    @property
    def key(self) -> str:
        """The key of the lock file."""
        return self._share.key

    @property
    def lost(self) -> threading.Event:
        """Set when the lease is lost."""
        return self._share.lost

    def check(self) -> None:
        """As `Share.check`."""
        self._share.check()

    def remaining(self) -> float:
        """As `Share.remaining`."""
        return self._share.remaining()

    def share(self) -> AsyncShare:
        """One more reference. Raises: as `Share.share`."""
        return AsyncShare(self._share.share())

    @property
    def renewals(self) -> int:
        """As `Share.renewals`."""
        return self._share.renewals

    def certificate(self) -> Certificate:
        """As `Share.certificate`."""
        return self._share.certificate()

    @property
    def released(self) -> bool:
        """Whether this reference was given back."""
        return self._share.released

    async def release(self) -> Certificate:
        """As `Share.release`; it is finished even if the task is cancelled meanwhile."""
        return await _unbroken(_in_thread(self._share.release))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await _unbroken(_in_thread(lambda: self._share.__exit__(kind, error, trace)))


def _left_behind(error: BaseException | None) -> list[str]:
    """What a failed acquisition says of a file that it left in the store."""
    notes = list(getattr(error, "__notes__", []))
    return [str(error), *notes] if getattr(error, "left_for", None) else notes


def _in_thread(work: Callable[[], _T]) -> asyncio.Future[_T]:
    """Do work in a thread of its own.

    Not in the loop's pool: there, those who wait for a lock could take all threads, and keep the one that
    is to release it waiting. A daemon: a hung file server must not keep the process from ending.
    """
    done: concurrent.futures.Future[_T] = concurrent.futures.Future()
    done.set_running_or_notify_cancel()

    def run() -> None:
        try:
            result = work()
        except BaseException as error:  # noqa: BLE001 - handed to whoever awaits
            done.set_exception(error)
        else:
            done.set_result(result)

    threading.Thread(target=run, name="backuplock-aio", daemon=True).start()
    return asyncio.wrap_future(done)


async def _settled(work: asyncio.Future[_T]) -> asyncio.CancelledError | None:
    """Wait until it is over, whatever comes of it; the cancellation that came meanwhile, if one did."""
    cancelled: asyncio.CancelledError | None = None
    while not work.done():
        try:
            await asyncio.wait([work])
        except asyncio.CancelledError as error:
            cancelled = error
    return cancelled


async def _unbroken(work: asyncio.Future[_T]) -> _T:
    """Wait for work that must not be left half done; a cancellation meanwhile is delivered afterwards."""
    cancelled = await _settled(work)
    if cancelled is None:
        return work.result()
    if (error := work.exception()) is not None:
        cancelled.add_note(str(error))
    raise cancelled
