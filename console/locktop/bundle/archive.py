"""Members as one zip: the same members give the same bytes."""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Sequence
from pathlib import Path

from locktop.bundle.members import Member
from locktop.settings import Usage, shown

_WHEN = (1980, 1, 1, 0, 0, 0)
"""The first instant that a zip can hold; when the store was looked at stands in the members."""


def zipped(members: Sequence[Member]) -> bytes:
    """The zip, in memory: what is written is written whole."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for member in members:
            info = zipfile.ZipInfo(member.name, _WHEN)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = 0o600 << 16
            archive.writestr(info, member.content)
    return out.getvalue()


def write_new(path: Path, content: bytes) -> None:
    """Write a file that is not there yet, for its owner's eyes.

    Raises:
        Usage: it is there, or cannot be made.
    """
    where = shown(str(path), limit=300)
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        raise Usage(f"{where} is there already", advice="name a new file with -o") from None
    except (OSError, ValueError) as error:
        raise _unwritable(where, error) from None
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(content)
    except OSError as error:
        path.unlink(missing_ok=True)
        raise _unwritable(where, error) from None


def _unwritable(where: str, error: Exception) -> Usage:
    why = (error.strerror if isinstance(error, OSError) else None) or str(error)
    return Usage(f"{where}: {why}", advice="name a file that can be made with -o")
