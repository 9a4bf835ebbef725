"""Writing a file that is not there yet, for its owner's eyes."""

from __future__ import annotations

import os
from pathlib import Path

from locktop.settings import Usage, shown


def write_new(path: Path, content: bytes, *, advice: str) -> None:
    """Write it whole, or leave nothing.

    Args:
        advice: what to do where it cannot be made.

    Raises:
        Usage: it is there, or cannot be made.
    """
    where = shown(str(path), limit=300)
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        raise Usage(f"{where} is there already", advice=advice) from None
    except (OSError, ValueError) as error:
        raise _unwritable(where, error, advice) from None
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(content)
    except OSError as error:
        path.unlink(missing_ok=True)
        raise _unwritable(where, error, advice) from None


def _unwritable(where: str, error: Exception, advice: str) -> Usage:
    why = (error.strerror if isinstance(error, OSError) else None) or str(error)
    return Usage(f"{where}: {why}", advice=advice)
