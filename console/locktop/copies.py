"""What of a lock or a volume can be put on the clipboard: every line of it is safe to paste into a shell.

Pure. Names come from the store, whose writers chose them: they are made printable and quoted.
"""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass, replace

from backuplock.layout import BACKING_IMAGE
from backuplock.model import VolumeView
from backuplock.text import printable
from locktop.output.fields import held
from locktop.output.json_ import lock_fields
from locktop.rows import Board, Row

LIMIT = 4096
_LONGHORN = ("kubectl", "-n", "longhorn-system", "get")


@dataclass(frozen=True, slots=True)
class Copy:
    """One thing that can be copied, and what it is called."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Here:
    """What a view stands on: a volume and, where there is one, a lock of it."""

    view: VolumeView
    row: Row | None = None


def copies(here: Here, board: Board | None, store: tuple[str, ...]) -> list[Copy]:
    """All that can be copied of it.

    Args:
        board: what the row was judged on, for its JSON.
        store: the words that name the store on a command line, as `("-t", URL)`.
    """
    view, row = here.view, here.row
    lock = row.lock if row is not None else None
    found = [Copy("key", printable(lock.key, limit=LIMIT))] if lock is not None else []
    found.append(Copy("volume", printable(view.name, limit=LIMIT)))
    names = view.names
    if names is not None and names.claim_path:
        found.append(Copy("claim", printable(names.claim_path, limit=LIMIT)))
    found.append(Copy("kubectl", _backups(view)))
    if names is not None and names.claim and names.namespace:
        claim = _words("kubectl", "-n", names.namespace, "get", "pvc", names.claim)
        found.append(Copy("kubectl, claim", claim))
    found.append(Copy("locktop show", _words("locktop", "show", *store, view.name)))
    found.append(Copy("locktop simulate", _words("locktop", "simulate", *store, view.name, "--op", "backup")))
    if lock is not None:
        found.append(Copy("locktop break", _words("locktop", "break", *store, f"{view.name}/{lock.stem}")))
        if board is not None and row is not None and row.standing is not None:
            found.append(Copy("JSON", _json(row, board)))
    return found


def _backups(view: VolumeView) -> str:
    """Longhorn labels what it knows of a volume's backups `backup-volume` (longhorn.io/v1beta2)."""
    if view.name == BACKING_IMAGE:
        return _words(*_LONGHORN, "backupbackingimages.longhorn.io", "-o", "wide")
    return _words(*_LONGHORN, "backups.longhorn.io", "-l", f"backup-volume={view.name}", "-o", "wide")


def _words(*words: str) -> str:
    return shlex.join(printable(word, limit=LIMIT) for word in words)


def _json(row: Row, board: Board) -> str:
    # Judged anew on its volume alone: of tens of thousands of others nothing is asked.
    alone = replace(board, rows=(row,), snapshot=replace(board.snapshot, volumes=(row.volume,)))
    return json.dumps(lock_fields(held(alone)[0]), indent=2)
