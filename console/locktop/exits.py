"""Exit codes: one table for all commands, which `--help` prints."""

from __future__ import annotations

import enum

from backuplock.errors import (
    AcquireFailed,
    BackupLockError,
    Conflict,
    Contended,
    Denied,
    Irregular,
    LockLost,
    Malformed,
    Missing,
    ReadOnly,
    TooLarge,
    Unreachable,
    Unsupported,
)


class ExitCode(enum.IntEnum):
    """What a command's exit code says."""

    meaning: str

    def __new__(cls, value: int, meaning: str) -> ExitCode:
        """An integer that carries its line of the help."""
        code = int.__new__(cls, value)
        code._value_ = value
        code.meaning = meaning
        return code

    OK = 0, "done, and the answer is complete"
    NEGATIVE = 1, "done, and the answer is no (blocked, lost, changed meanwhile)"
    USAGE = 2, "wrong arguments, a malformed target, or no terminal where one is needed"
    INCOMPLETE = 3, "some volumes or locks could not be read: absence proves nothing"
    UNREACHABLE = 4, "the store does not answer, or not in time"
    DENIED = 5, "credentials or permissions do not suffice"
    MISSING = 6, "there is no such bucket, folder, mount, backupstore or audit trail"
    INTERNAL = 70, "an error in locktop itself; LOCKTOP_DEBUG=1 shows where"
    SYSTEM = 71, "this system refused what locktop needs: a process, or its audit trail"
    LOST = 75, "the lock was lost while it was needed, and the command under it was ended"
    NOT_EXECUTABLE = 126, "the command to run is no program that can be executed"
    NOT_FOUND = 127, "there is no such command to run"
    INTERRUPTED = 130, "interrupted by Ctrl-C (128 + n: ended by signal n)"


class SystemRefused(BackupLockError):
    """The operating system refuses what locktop itself needs to work."""


SIGNALLED = 128
"""Added to a signal's number when it ended the command, as shells do."""

# The first class that fits decides.
_BY_ERROR: tuple[tuple[type[BackupLockError], ExitCode], ...] = (
    (Contended, ExitCode.NEGATIVE),
    (LockLost, ExitCode.LOST),
    (AcquireFailed, ExitCode.INCOMPLETE),
    (Malformed, ExitCode.USAGE),
    (Unsupported, ExitCode.USAGE),
    (Denied, ExitCode.DENIED),
    (ReadOnly, ExitCode.DENIED),
    (Missing, ExitCode.MISSING),
    (Conflict, ExitCode.NEGATIVE),
    (TooLarge, ExitCode.INCOMPLETE),
    (Irregular, ExitCode.INCOMPLETE),
    (Unreachable, ExitCode.UNREACHABLE),
    (SystemRefused, ExitCode.SYSTEM),
    (BackupLockError, ExitCode.UNREACHABLE),
)


def exit_code(error: BackupLockError) -> ExitCode:
    """The exit code for an error of the library that ended a command.

    A lock that could not be decided on goes by what went wrong in the store.
    """
    if isinstance(error, AcquireFailed) and error.cause is not None:
        error = error.cause
    return next(code for kind, code in _BY_ERROR if isinstance(error, kind))


def exit_table() -> str:
    """The codes and their meanings, a line each, for `--help`."""
    return "\n".join(f"  {code.value:>3}  {code.meaning}" for code in ExitCode)
