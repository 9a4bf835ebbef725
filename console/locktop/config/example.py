"""The settings file to begin with: everything that may stand in it, commented out."""

from __future__ import annotations

import contextlib
import errno
import os
from pathlib import Path

from backuplock.text import printable
from locktop.config.file import shown_path
from locktop.config.schema import KEYS, Key
from locktop.settings import Usage

_HEAD = """\
# Settings of locktop. `locktop config show` tells what holds and where it came from, `locktop config check`
# whether this file is right. Stronger than this file are variables (LOCKTOP_INTERVAL=5), then flags.
# Credentials never stand here: name an AWS profile, or export the variables of Longhorn's secret.

"""
_CONTEXT = """
# A store by a name of its own: locktop -c prod, locktop @prod, or C in the console.
# [contexts.prod]
"""
_KEYS = """
# Other keys in the console; `locktop config keys` lists what there is.
# [keys]
# "locks.sort" = "o"
# "app.pause" = ["p", "f5"]
"""


def example() -> str:
    """The text of the file."""
    top = [_line(name, key) for name, key in KEYS.items() if key.top and name != "target"]
    context = [_line(name, key) for name, key in KEYS.items() if key.context]
    return _HEAD + "\n".join(top) + "\n" + _CONTEXT + "\n".join(context) + "\n" + _KEYS


def _line(name: str, key: Key) -> str:
    return f"# {f'{name} = {key.example}':<42} # {key.words}"


def write_example(path: Path) -> None:
    """Write it where nothing is yet, readable by its owner alone.

    Raises:
        Usage: something is there, or there is no writing there.
    """
    there = f"{shown_path(path)} is there already"
    advice = "it stays as it is; locktop config check reads it"
    if path.exists() or path.is_symlink():
        raise Usage(there, advice=advice)
    try:
        _make_folder(path.parent)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise Usage(there, advice=advice) from None
    except OSError as error:
        raise _unwritten(path, error) from None
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(example())
    except OSError as error:
        with contextlib.suppress(OSError):
            path.unlink()
        raise _unwritten(path, error) from None


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except FileExistsError:
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR)) from None


def _unwritten(path: Path, error: OSError) -> Usage:
    why = printable(error.strerror or str(error), limit=100)
    return Usage(f"{shown_path(path)} cannot be written: {why}")
