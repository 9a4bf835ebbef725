"""Looking at the views that are lists: their lines, the key under the cursor, their goldens."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from textual.pilot import Pilot

from locktop.app import LocktopApp
from locktop.widgets.key_list import KeyList
from tui.look import text, until

GOLDENS = Path(__file__).with_name("goldens")


def listed(app: LocktopApp) -> KeyList:
    """The list of the view on the screen."""
    return app.screen.query_one(KeyList)


def keys_of(app: LocktopApp) -> list[str]:
    """Its keys in order, those out of view as well."""
    return list(listed(app).keys)


async def compare(app: LocktopApp, pilot: Pilot[int], view: str, name: str) -> None:
    """The screen becomes what was approved: `LOCKTOP_UPDATE_GOLDENS=1` writes it anew.

    It is waited for: on a busy machine a screen may still be painted when nothing else seems to go on.
    """
    path = GOLDENS / view / f"{name}.txt"
    if os.environ.get("LOCKTOP_UPDATE_GOLDENS"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text(app))
    approved = path.read_text()
    with contextlib.suppress(AssertionError):
        await until(pilot, lambda: text(app) == approved)
    found = text(app)
    assert found == approved
    if name.endswith("-ascii"):
        assert found.isascii()
