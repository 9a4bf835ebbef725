"""Looking at the views that are lists: their lines, the key under the cursor, their goldens."""

from __future__ import annotations

import os
from pathlib import Path

from locktop.app import LocktopApp
from locktop.widgets.key_list import KeyList
from tui.look import text

GOLDENS = Path(__file__).with_name("goldens")


def listed(app: LocktopApp) -> KeyList:
    """The list of the view on the screen."""
    return app.screen.query_one(KeyList)


def keys_of(app: LocktopApp) -> list[str]:
    """Its keys in order, those out of view as well."""
    return list(listed(app).keys)


def golden(view: str, name: str) -> str | None:
    """The screen that was approved, if there is one to keep to."""
    path = GOLDENS / view / f"{name}.txt"
    return path.read_text() if path.exists() and not os.environ.get("LOCKTOP_UPDATE_GOLDENS") else None


def compare(app: LocktopApp, view: str, name: str) -> None:
    """The screen is as it was approved: `LOCKTOP_UPDATE_GOLDENS=1` writes it anew."""
    path = GOLDENS / view / f"{name}.txt"
    found = text(app)
    if os.environ.get("LOCKTOP_UPDATE_GOLDENS"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(found)
    assert found == path.read_text()
    if name.endswith("-ascii"):
        assert found.isascii()
