"""Looking at a running console: its text, and waiting for what is to come."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from textual.pilot import Pilot

from locktop.app import LocktopApp
from locktop.badge import Contexts
from locktop.choosing import NO_CONTEXTS
from locktop.controls import USUAL
from locktop.habits import Memory
from locktop.keymap import Keymap
from locktop.screens.locks import LocksScreen
from locktop.session import Session
from locktop.widgets.lock_table import LockTable

DEADLINE_S = 30


@asynccontextmanager
async def console(
    session: Session,
    size: tuple[int, int] = (120, 36),
    *,
    ascii_only: bool = False,
    loaded: bool = True,
    contexts: Contexts = NO_CONTEXTS,
    words: tuple[str, ...] = (),
    keymap: Keymap = USUAL,
    memory: Memory | None = None,
) -> AsyncIterator[tuple[LocktopApp, Pilot[int]]]:
    """A console without a terminal; `loaded` waits for the first snapshot."""
    app = LocktopApp(
        session, ascii_only=ascii_only, contexts=contexts, words=words, keymap=keymap, memory=memory
    )
    async with app.run_test(size=size, notifications=True) as pilot:
        if loaded:
            await until(pilot, lambda: app.status.board is not None)
            await pilot.pause()
        yield app, pilot


async def until(pilot: Pilot[int], holds: Callable[[], object]) -> None:
    """Wait for a condition."""
    deadline = time.monotonic() + DEADLINE_S
    while not holds():
        if time.monotonic() > deadline:
            raise AssertionError("what was waited for did not come:\n" + text(pilot.app))
        await pilot.pause()
        await asyncio.sleep(0.01)


async def look_again(app: LocktopApp, pilot: Pilot[int]) -> None:
    """Have the session sweep once more and the screens show it."""
    before = app.status.board
    app.action_refresh_now()
    await until(pilot, lambda: app.status.board is not before)
    await pilot.pause()


def lines(app: object) -> list[str]:
    """The screen as lines of text, blanks at the ends cut off."""
    strips = app.screen._compositor.render_strips()  # type: ignore[attr-defined]
    return [strip.text.rstrip() for strip in strips]


def text(app: object) -> str:
    """The screen as text."""
    return "\n".join(lines(app)) + "\n"


def table(app: LocktopApp) -> LockTable:
    """The table of the main view, which may be covered."""
    return next(screen for screen in app.screen_stack if isinstance(screen, LocksScreen)).query_one(LockTable)


def cursor(app: LocktopApp) -> str | None:
    """The key under the cursor."""
    row = table(app).cursor_row
    return row.key if row else None


def shown(app: LocktopApp) -> list[str]:
    """Keys of all rows of the table, in order, those out of view as well."""
    found = table(app)
    return [row.key for row in found.rows]
