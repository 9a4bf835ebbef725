"""Consoles that may break locks: on the still store in memory, and on files of this machine."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

from textual.pilot import Pilot
from textual.widgets import Input

from backuplock import layout
from backuplock.breaking import Audit
from backuplock.clock import SECOND
from backuplock.stores.base import Store
from backuplock.stores.filesystem import FilesystemStore
from harness import breaking as locks
from harness.builders import Lock
from locktop.app import LocktopApp
from locktop.breaker import Breaker
from locktop.screens.break_ import BreakScreen
from locktop.screens.undo import UndoScreen
from locktop.session import Session
from locktop.widgets.button import Button
from tui.look import console, table, until
from tui.scene import Scene


def session_on(
    scene: Scene,
    folder: Path,
    *,
    writable: bool = True,
    even_if_live: bool = False,
    store: Callable[[], Store] | None = None,
) -> Session:
    """A session on the still store with somebody who breaks locks."""
    session = scene.session()
    session.breaker = Breaker(
        store or (lambda: scene.store),
        lambda: Audit.open(folder / "audit.db"),
        writable=writable,
        even_if_live=even_if_live,
        clock=scene.clock,
    )
    return session


@asynccontextmanager
async def breaking(
    scene: Scene,
    folder: Path,
    size: tuple[int, int] = (120, 36),
    *,
    writable: bool = True,
    even_if_live: bool = False,
    store: Callable[[], Store] | None = None,
    ascii_only: bool = False,
) -> AsyncIterator[tuple[LocktopApp, Pilot[int]]]:
    """A console on the still store."""
    session = session_on(scene, folder, writable=writable, even_if_live=even_if_live, store=store)
    async with console(session, size, ascii_only=ascii_only) as found:
        yield found


def quiet(scene: Scene) -> Scene:
    """The scene, but what lies beside the locks is of yesterday: nobody works in the volumes."""
    folders = [layout.VOLUMES]
    while folders:
        folder = folders.pop()
        found = scene.store.list(folder)
        folders += [f"{folder}/{name}" for name in found.folders]
        for entry in found.entries:
            key = f"{folder}/{entry.name}"
            blob = scene.store.read(key)
            if entry.name == layout.VOLUME_CFG and blob is not None:
                scene.store.plant(key, blob.body, scene.now - 86_400 * SECOND)
    return scene


class Files:
    """A folder with locks of any age, and consoles on it that go by this machine's clock."""

    def __init__(self, folder: Path) -> None:
        self.scene = locks.folder_scene(folder)
        self.root = cast(FilesystemStore, self.scene.store).root
        self.audit = folder / "console-audit.db"
        for cfg in self.root.rglob(layout.VOLUME_CFG):
            os.utime(cfg, (1_000_000_000, 1_000_000_000))

    def lock(self, name: str = locks.NAME, age_s: float = 500.0, **what: object) -> Lock:
        """Write a lock, dead for long unless its age is given."""
        return self.scene.lock(name, age_s=age_s, **what)

    def session(self, *, writable: bool = True) -> Session:
        """A session on the folder."""
        breaker = Breaker(
            lambda: FilesystemStore(self.root, writable=writable),
            lambda: Audit.open(self.audit),
            writable=writable,
        )
        return Session(
            lambda: FilesystemStore(self.root), label="files", url=self.scene.store.url, breaker=breaker
        )


def dialog(app: LocktopApp) -> BreakScreen:
    """The dialog on the screen."""
    assert isinstance(app.screen, BreakScreen)
    return app.screen


async def opened(app: LocktopApp, pilot: Pilot[int], key: str = "") -> BreakScreen:
    """Open the dialog for a row, the one under the cursor by default, and wait for what it is told."""
    if key:
        table(app).seek(key)
    await pilot.press("x")
    await until(pilot, lambda: isinstance(app.screen, BreakScreen) and app.status.deeds.proposal)
    await until(pilot, lambda: dialog(app).form.proposal is not None)
    await pilot.pause()
    return dialog(app)


async def typed(app: LocktopApp, pilot: Pilot[int], text: str) -> None:
    """Type into the field that confirms."""
    app.screen.query_one("#typed", Input).focus()
    await pilot.press(*["minus" if sign == "-" else sign for sign in text])
    await pilot.pause()


def button(app: LocktopApp) -> Button:
    """The one that breaks."""
    return app.screen.query_one("#break", Button)


async def broken(app: LocktopApp, pilot: Pilot[int], key: str = "") -> str:
    """Break a lock as a person does; the id of the transaction."""
    screen = await opened(app, pilot, key)
    await typed(app, pilot, screen.form.to_type)
    before = app.status.deeds.acted
    button(app).focus()
    await pilot.press("enter")
    await until(pilot, lambda: app.status.deeds.acted is not before)
    await pilot.pause()
    acted = app.status.deeds.acted
    assert acted is not None
    return acted.outcomes[0].entry


async def shelf(app: LocktopApp, pilot: Pilot[int]) -> UndoScreen:
    """Open the list of what was broken, and wait for it."""
    await pilot.press("u")
    await until(pilot, lambda: isinstance(app.screen, UndoScreen))
    await until(pilot, lambda: (found := app.status.deeds.shelf) is not None and not found.at_start)
    await pilot.pause()
    screen = app.screen
    assert isinstance(screen, UndoScreen)
    return screen
