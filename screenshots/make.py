"""Pictures of the console, made from the real application on a store that is always the same.

    PYTHONPATH=core:console:tests python screenshots/make.py [folder]

writes SVG files. Nothing is drawn by hand.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

for variable in ("TEXTUAL_THEME", "NO_COLOR"):
    os.environ.pop(variable, None)
os.environ["LC_ALL"] = "C.UTF-8"

from textual.pilot import Pilot  # noqa: E402

from locktop.app import LocktopApp  # noqa: E402
from tui.scene import night  # noqa: E402

Drive = Callable[[Pilot[int]], Awaitable[None]]


async def nothing(_: Pilot[int]) -> None:
    """As it opens."""


async def middle(pilot: Pilot[int]) -> None:
    """A few rows down."""
    await pilot.press("j", "j")


async def details(pilot: Pilot[int]) -> None:
    """Everything about the second lock."""
    await pilot.press("j", "enter")


async def filtered(pilot: Pilot[int]) -> None:
    """The locks of one namespace."""
    await pilot.press("slash", *"shop")


async def help_(pilot: Pilot[int]) -> None:
    """The help."""
    await pilot.press("question_mark")


SHOTS: tuple[tuple[str, tuple[int, int], Drive], ...] = (
    ("locks", (120, 36), middle),
    ("locks", (80, 24), middle),
    ("locks", (180, 44), middle),
    ("details", (120, 36), details),
    ("filter", (120, 36), filtered),
    ("help", (80, 24), help_),
)


async def shoot(size: tuple[int, int], drive: Drive) -> str:
    """One picture, as SVG."""
    app = LocktopApp(night().session())
    async with app.run_test(size=size) as pilot:
        for _ in range(500):
            if app.status.board is not None:
                break
            await pilot.pause(0.02)
        await drive(pilot)
        await pilot.pause(0.1)
        return app.export_screenshot(title="locktop")


def main() -> None:
    """Make all pictures."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent
    folder.mkdir(parents=True, exist_ok=True)
    for name, size, drive in SHOTS:
        path = folder / f"{name}-{size[0]}x{size[1]}.svg"
        path.write_text(asyncio.run(shoot(size, drive)))
        print(path.name)


if __name__ == "__main__":
    main()
