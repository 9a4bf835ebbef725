"""A store that remembers why it refused: a lock's errors say it in words, exit codes go by kind."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TypeVar

from backuplock.errors import BackupLockError, Malformed, StoreError
from backuplock.stores.base import BODY_CAP, Blob, Capabilities, Listing, Store, Version
from backuplock.text import printable

_T = TypeVar("_T")


class Witness:
    """Passes everything on to a store and keeps its latest errors."""

    def __init__(self, inner: Store) -> None:
        self._inner = inner
        self._errors: deque[BackupLockError] = deque(maxlen=64)

    def cause(self, error: BackupLockError) -> BackupLockError | None:
        """The store's latest error that this error tells of."""
        told = str(error)
        return next((one for one in reversed(self._errors) if printable(one.what) in told), None)

    @property
    def url(self) -> str:
        return self._inner.url

    @property
    def capabilities(self) -> Capabilities:
        return self._inner.capabilities

    def list(self, folder: str) -> Listing:
        return self._kept(lambda: self._inner.list(folder))

    def read(self, key: str, *, cap: int = BODY_CAP) -> Blob | None:
        return self._kept(lambda: self._inner.read(key, cap=cap))

    def put(self, key: str, body: bytes, *, if_match: str | None = None, if_absent: bool = False) -> Version:
        return self._kept(lambda: self._inner.put(key, body, if_match=if_match, if_absent=if_absent))

    def delete(self, key: str, *, if_match: str | None = None) -> None:
        self._kept(lambda: self._inner.delete(key, if_match=if_match))

    def close(self) -> None:
        self._inner.close()

    def _kept(self, request: Callable[[], _T]) -> _T:
        try:
            return request()
        except (StoreError, Malformed) as error:
            self._errors.append(error)
            raise
