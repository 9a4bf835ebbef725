"""Where the journal of a target lies: one file each, in the person's own state folder."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from platformdirs import user_state_path

_UNFIT = re.compile(r"[^A-Za-z0-9.]+")


def journal_path(url: str, folder: Path | None = None) -> Path:
    """The journal's file for a target.

    Args:
        url: the target in canonical form (`Target.url`); it never holds secrets.
        folder: where journals lie; `locktop/journal` in the XDG state folder by default.
    """
    folder = folder if folder is not None else user_state_path("locktop", appauthor=False) / "journal"
    # The words are for people who look into the folder, the digest tells targets apart.
    words = _UNFIT.sub("-", url).strip("-.")[:60]
    digest = hashlib.sha256(url.encode("utf-8", "surrogatepass")).hexdigest()[:12]
    return folder / f"{words}-{digest}.db"
