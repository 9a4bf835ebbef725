"""The errors of the library: one small family, each a sentence a person can act on.

`str(error)` is one printable line: what is wrong, where, and what to do. Programming errors (a wrong
argument, use after release) stay `ValueError`, `TypeError` and `RuntimeError`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from backuplock.protocol import Blocker, Certificate, Loss


class BackupLockError(Exception):
    """Base of all errors of `backuplock`.

    Args:
        what: what is wrong, and where, without a full stop.
        advice: what the reader can do about it; may be empty.
    """

    def __init__(self, what: str, *, advice: str = "") -> None:
        super().__init__(what, advice)
        self.what = what
        self.advice = advice

    def __str__(self) -> str:
        return f"{self.what}; {self.advice}" if self.advice else self.what

    def __reduce__(self) -> tuple[object, ...]:
        # The default calls the class with `args` alone, which keyword arguments make fail: a worker
        # process could not hand its error to its parent.
        return _rebuilt, (type(self), self.args, self.__dict__)


def _rebuilt(
    kind: type[BackupLockError], args: tuple[object, ...], state: dict[str, object]
) -> BackupLockError:
    error = kind.__new__(kind, *args)
    error.__dict__.update(state)
    # Python does not pickle the chain; what was said of the cause goes along as a field.
    cause = state.get("cause")
    error.__cause__ = cause if isinstance(cause, BackupLockError) else None
    return error


class Malformed(BackupLockError):
    """Something given to us does not have the form it must have: a target, a volume name, a record."""


class StoreError(BackupLockError):
    """A store did not do what was asked. Never means "there is nothing there".

    Attributes:
        untouched: the request surely changed nothing; False: it may have been executed, or may yet be.
    """

    untouched: bool = False


class Unreachable(StoreError):
    """The store could not be asked, or did not answer in a usable way; asking again later may help.

    Args:
        retry_after: seconds the store asked us to wait, if it said so.
        busy: the store says that it has too much to do.
        untouched: as the attribute; by default nothing is sure.
    """

    def __init__(
        self,
        what: str,
        *,
        advice: str = "",
        retry_after: float | None = None,
        busy: bool = False,
        untouched: bool = False,
    ) -> None:
        super().__init__(what, advice=advice)
        self.retry_after = retry_after
        self.busy = busy
        self.untouched = untouched


class Denied(StoreError):
    """The store knows who asks (or that it does not) and refuses; asking again will not help."""

    untouched = True


class Missing(StoreError):
    """The bucket, share or folder that should hold the store is not there."""

    untouched = True


class Conflict(StoreError):
    """A conditional put or delete found another version than the one it was told to expect."""

    untouched = True


class TooLarge(StoreError):
    """An object exceeds the cap that was given for reading it; nothing of it is returned."""

    untouched = True


class Irregular(StoreError):
    """A key names something that is not a plain file (a folder, a symbolic link); it is not followed."""

    untouched = True


class Unsupported(StoreError):
    """The store cannot do what was asked of it (for example a conditional put)."""

    untouched = True


class ReadOnly(StoreError):
    """A write was asked of a store that was opened for reading only."""

    untouched = True


class LockError(BackupLockError):
    """A lock could not be had, or was lost, or could not be given back cleanly.

    Attributes:
        cause: what went wrong in the store and led to it, also `__cause__`; None if nothing did, as where
            others simply come first.
    """

    cause: BackupLockError | None = None

    def because(self, cause: BackupLockError | None) -> Self:
        """The same error with its cause."""
        if cause is not None:
            self.cause = self.__cause__ = cause
        return self


class Contended(LockError):
    """Others hold or ask for the volume: the lock was refused, as it should be.

    Args:
        blockers: who comes first.
        retry_after: seconds until the last of them ends if all their holders died now; None if unknown.
        left_for: as in `AcquireFailed`.
    """

    def __init__(
        self,
        what: str,
        *,
        advice: str = "",
        blockers: tuple[Blocker, ...] = (),
        retry_after: float | None = None,
        left_for: float | None = None,
    ) -> None:
        super().__init__(what, advice=advice)
        self.blockers = blockers
        self.retry_after = retry_after
        self.left_for = left_for


class AcquireFailed(LockError):
    """Whether the lock could be had was not to be decided safely; so it was not taken.

    Args:
        final: trying again will not help.
        left_for: a file of ours may be left in the store, and keeps operations of the other type out for
            this many seconds at most; None if nothing was left.
    """

    def __init__(
        self, what: str, *, advice: str = "", final: bool = False, left_for: float | None = None
    ) -> None:
        super().__init__(what, advice=advice)
        self.final = final
        self.left_for = left_for


class LockLost(LockError):
    """The lease is gone while work went on under it: stop the work.

    Args:
        loss: why (expired, removed, conflict), and through whom.
    """

    def __init__(self, what: str, *, advice: str = "", loss: Loss) -> None:
        super().__init__(what, advice=advice)
        self.loss = loss

    @property
    def reason(self) -> str:
        """`expired`, `removed` or `conflict`."""
        return str(self.loss.reason)


class LeftBehind(LockError):
    """The lock was given back, but its file could not be removed: it expires by itself.

    Args:
        left_for: seconds for which it keeps operations of the other type out, at most.
        certificate: what can be said of exclusivity while the lock was held.
    """

    def __init__(self, what: str, *, advice: str = "", left_for: float, certificate: Certificate) -> None:
        super().__init__(what, advice=advice)
        self.left_for = left_for
        self.certificate = certificate
