"""Every screen as text, in the three main sizes, both character sets: `goldens/`.

After a wanted change: `LOCKTOP_UPDATE_GOLDENS=1 pytest tests/tui/test_goldens.py`, then look at the diff.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from backuplock.errors import Denied, Unreachable
from backuplock.rounds import Budget, Prices
from tui.lists import GOLDENS, compare
from tui.look import console, until
from tui.scene import Scene, night
from tui.test_explain_screen import SEVERAL, pasted

SIZES = {"120x36": (120, 36), "80x24": (80, 24), "180x44": (180, 44), "60x12": (60, 12), "50x9": (50, 9)}

MAIN = ("120x36", "80x24", "60x12")
CASES = [
    *(
        (screen, plain, MAIN)
        for screen in ("details", "bad", "help", "filter", "outdated", "explain", "complaints")
        for plain in (False, True)
    ),
    ("locks", False, (*MAIN, "180x44", "50x9")),
    ("volume", False, ("180x44", "60x12")),
    ("locks", True, MAIN),
    ("budget", False, MAIN),
    *((screen, False, MAIN) for screen in ("empty", "nothing-here", "denied", "claims")),
]
KEYS = {
    "locks": ["j", "j"],
    "details": ["j", "j", "j", "j", "j", "enter"],
    "bad": ["j", "j", "j", "enter"],
    "help": ["question_mark"],
    "filter": ["slash", *"shop"],
    "claims": ["v"],
    "explain": ["m"],
    "volume": ["j", "enter"],
}
BUDGETS = {"budget": Budget(dollars_per_day=2, prices=Prices())}
PASTES = {"complaints": SEVERAL}


def _scene(screen: str) -> Scene:
    if screen == "empty":
        scene = Scene()
        scene.volume("pvc-free")
        return scene
    if screen in ("nothing-here", "denied"):
        return Scene()
    return night()


@pytest.mark.parametrize(("screen", "plain", "sizes"), CASES)
async def test_screens_look_as_they_were_approved(screen: str, plain: bool, sizes: tuple[str, ...]) -> None:
    scene = _scene(screen)
    fails = screen == "denied"
    session = scene.session(
        open_store=_refused if fails else _once_then_lost(scene, screen), budget=BUDGETS.get(screen)
    )
    async with console(session, SIZES[sizes[0]], ascii_only=plain, loaded=not fails) as (app, pilot):
        if fails:
            await until(pilot, lambda: app.status.failure)
        if screen == "outdated":
            scene.advance(74)
            app.session.refresh_now()
            await until(pilot, lambda: app.status.failure)
        if screen in BUDGETS:
            # What a look costs is known after the first.
            app.session.refresh_now()
            await until(pilot, lambda: app.status.pace)
        await pilot.press(*KEYS.get(screen, []))
        if screen in PASTES:
            await pasted(app, pilot, PASTES[screen])
        for size in sizes:
            await pilot.resize_terminal(*SIZES[size])
            await pilot.pause()
            await compare(app, pilot, "", f"{screen}-{size}{'-ascii' if plain else ''}")


def _refused() -> None:
    raise Denied("s3://lh-backups@eu-central-1/prod: the secret key is wrong", advice="check it")


def _once_then_lost(scene: Scene, screen: str) -> Callable[[], object]:
    class Lost:
        def __getattr__(self, name: str) -> object:
            return getattr(scene.store, name)

        def list(self, folder: str) -> object:
            if scene.clock.wall_ns() > scene_began and screen == "outdated":
                raise Unreachable("s3.example does not answer", advice="is the network up?")
            return scene.store.list(folder)

    scene_began = scene.clock.wall_ns()
    return Lost


def test_plain_goldens_are_plain() -> None:
    plain = sorted(GOLDENS.glob("*-ascii.txt"))
    assert plain
    for path in plain:
        assert path.read_text().isascii(), path.name


def test_no_golden_is_left_over() -> None:
    wanted = {f"{screen}-{size}{'-ascii' * plain}" for screen, plain, sizes in CASES for size in sizes}
    assert {path.stem for path in GOLDENS.glob("*.txt")} == wanted
