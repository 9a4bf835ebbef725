"""The picker of contexts and how a context is marked: what is left undone is told before it is left."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from textual.color import Color
from textual.command import CommandPalette
from textual.pilot import Pilot

from backuplock.errors import Missing
from locktop.app import LocktopApp
from locktop.badge import Badge, Choice, Contexts
from locktop.config.schema import ACCENTS
from locktop.screens.contexts import ContextsScreen
from locktop.session import Session
from locktop.theme import DARK, DARK_HUES, LIGHT_HUES
from locktop.widgets.key_list import KeyList
from tui.breaking import broken, quiet, session_on
from tui.lists import compare, keys_of, listed
from tui.look import console, cursor, lines, text, until
from tui.scene import Scene, night

KEYS: dict[str, Callable[[LocktopApp, Pilot[int]], Awaitable[None]]] = {}
EU = Badge("prod-eu", "orange", protected=True)
CHOICES = (
    Choice(EU, "s3://lh-backups@eu-central-1/prod/", writable=False),
    Choice(Badge("staging", "sky"), "nfs://nas.example:/exports/longhorn/backups", writable=True),
    Choice(Badge("a-context-with-quite-a-long-name"), "/mnt/" + "deep/" * 30 + "end", writable=False),
)


class Map:
    """Contexts, and what became of the wish to go to one."""

    def __init__(self, refuse: bool = False) -> None:
        self.asked: list[str] = []
        self.made: list[Session] = []
        self._refuse = refuse

    @property
    def contexts(self) -> Contexts:
        return Contexts(CHOICES, "~/.config/locktop/config.toml", self._open)

    def _open(self, name: str) -> Session:
        self.asked.append(name)
        if self._refuse:
            raise Missing("nfs://nas.example:/x is not mounted", advice="mount it")
        self.made.append(Scene().session())
        return self.made[-1]


def _session(badge: Badge = EU) -> Session:
    session = night().session()
    session.badge = badge
    return session


async def _moves(app: LocktopApp, pilot: Pilot[int]) -> None:
    assert listed(app).cursor == "prod-eu"
    await pilot.press("j", "down", "down")
    assert listed(app).place == 2
    await pilot.press("k", "up", "up")
    assert listed(app).place == 0


async def _chooses(app: LocktopApp, pilot: Pilot[int]) -> None:
    await pilot.press("j", "enter")
    await until(pilot, lambda: app.return_code is not None)
    assert app.next_sessions


async def _closes(app: LocktopApp, pilot: Pilot[int]) -> None:
    for key in ("escape", "C"):
        assert isinstance(app.screen, ContextsScreen)
        await pilot.press(key)
        assert not isinstance(app.screen, ContextsScreen)
        await pilot.press("C")


async def _marks(app: LocktopApp, pilot: Pilot[int]) -> None:
    await pilot.press("space")
    assert lines(app)[listed(app).region.y + 1].count("+ prod-eu") == 1
    assert listed(app).place == 1
    await pilot.press("k", "space", "k")
    assert "+ prod-eu" not in text(app)


KEYS.update(dict.fromkeys(("j", "k", "down", "up"), _moves))
KEYS["space"] = _marks
KEYS["enter"] = _chooses
KEYS.update(dict.fromkeys(("escape", "C"), _closes))


@pytest.mark.parametrize("check", dict.fromkeys(KEYS.values()))
async def test_keys_of_the_picker(check: Callable[[LocktopApp, Pilot[int]], Awaitable[None]]) -> None:
    async with console(_session(), contexts=Map().contexts) as (app, pilot):
        await pilot.press("C")
        await check(app, pilot)


async def test_going_to_another_context_ends_this_session_and_hands_over_the_next() -> None:
    there = Map()
    async with console(_session(), contexts=there.contexts) as (app, pilot):
        await pilot.press("space", "C", "j", "enter")
        await until(pilot, lambda: app.return_code is not None)
        assert there.asked == ["staging"]
        assert app.next_sessions == (there.made[0],)
        assert app.return_code == 0


async def test_the_present_context_is_not_gone_to_again() -> None:
    there = Map()
    async with console(_session(), contexts=there.contexts) as (app, pilot):
        await pilot.press("C", "enter")
        assert not isinstance(app.screen, ContextsScreen)
        assert there.asked == []
        assert app.return_code is None


async def test_a_context_that_cannot_be_gone_to_leaves_everything_as_it_is() -> None:
    async with console(_session(), contexts=Map(refuse=True).contexts) as (app, pilot):
        before = cursor(app)
        await pilot.press("C", "j", "enter")
        await until(pilot, lambda: "is not mounted; mount it" in text(app))
        assert app.return_code is None
        await pilot.press("escape")
        assert cursor(app) == before


async def test_what_would_be_left_undone_is_told_first(tmp_path: Path) -> None:
    there = Map()
    session = session_on(quiet(night()), tmp_path)
    async with console(session, contexts=there.contexts) as (app, pilot):
        await broken(app, pilot)
        assert any("is watched" in line for line in app.pending)
        await pilot.press("C", "j", "enter")
        await until(pilot, lambda: "enter leaves all the same" in text(app))
        assert "is watched" in text(app)
        assert there.asked == []
        await pilot.press("j")
        await until(pilot, lambda: "enter leaves all the same" not in text(app))
        await pilot.press("k", "enter")
        await until(pilot, lambda: "enter leaves all the same" in text(app))
        assert there.asked == []
        await pilot.press("enter")
        await until(pilot, lambda: app.return_code is not None)
        assert there.asked == ["staging"]
    assert any("is not watched any more" in line for line in session.last_words)


async def test_what_was_left_undone_there_is_told_here() -> None:
    words = ("prod-eu: a lock was broken and is not watched any more",)
    async with console(_session(), words=words) as (app, pilot):
        await until(pilot, lambda: "is not watched any more" in text(app))


@pytest.mark.parametrize(
    ("contexts", "says"),
    [
        (Contexts(), "was not opened with a settings file"),
        (Contexts(file="~/.config/locktop/config.toml"), "locktop config init writes an example"),
    ],
)
async def test_without_contexts_it_is_said_how_to_begin(contexts: Contexts, says: str) -> None:
    async with console(night().session(), contexts=contexts) as (app, pilot):
        await pilot.press("C")
        await until(pilot, lambda: says in text(app))
        await pilot.press("enter")
        assert not isinstance(app.screen, ContextsScreen)


async def test_a_double_click_goes_there() -> None:
    there = Map()
    async with console(_session(), contexts=there.contexts) as (_, pilot):
        await pilot.press("C")
        await pilot.click(KeyList, offset=(10, 2), times=2)
        await until(pilot, lambda: there.asked == ["staging"])


async def test_a_context_is_marked_in_every_view() -> None:
    async with console(_session()) as (app, pilot):
        for view in "1234":
            await pilot.press(view)
            await until(pilot, lambda: " protected: prod-eu " in lines(app)[1])
        for size in ((120, 36), (80, 24), (60, 12)):
            await pilot.resize_terminal(*size)
            await pilot.pause()
            assert "[RO]" in lines(app)[0]
            assert len(lines(app)[1]) == size[0]
            assert set(lines(app)[1].replace(" protected: prod-eu ", "")) == {"━"}
        await pilot.resize_terminal(50, 9)
        await pilot.pause()
        assert "protected" not in text(app)


async def test_other_contexts_have_no_line() -> None:
    async with console(_session(Badge("staging", "sky"))) as (app, _):
        assert "protected" not in text(app)
        assert "━" not in lines(app)[1]


async def test_the_target_stands_beside_the_name_of_its_context() -> None:
    session = _session(Badge("prod"))
    session.label = "prod"
    async with console(session, (140, 36)) as (app, _):
        assert "s3://lh-backups@eu-central-1/prod" in lines(app)[0]


@pytest.mark.parametrize("plain", [False, True])
async def test_the_picker_looks_as_it_was_approved(plain: bool) -> None:
    async with console(_session(), ascii_only=plain, contexts=Map().contexts) as (app, pilot):
        await pilot.press("C", "j")
        for size in ((120, 36), (80, 24), (60, 12)):
            await pilot.resize_terminal(*size)
            await pilot.pause()
            await compare(app, pilot, "contexts", f"{size[0]}x{size[1]}{'-ascii' * plain}")


async def test_a_long_list_scrolls() -> None:
    choices = tuple(Choice(Badge(f"context-{n}"), f"/mnt/{n}", False) for n in range(60))
    async with console(_session(), (80, 24), contexts=Contexts(choices, "f", None)) as (app, pilot):
        await pilot.press("C", *["j"] * 40)
        await until(pilot, lambda: "context-40" in text(app))
        assert len(keys_of(app)) == 60
        await pilot.press("enter")
        assert app.return_code is None


# -- themes


async def test_every_theme_can_be_chosen_and_has_all_that_our_styles_need() -> None:
    async with console(_session()) as (app, pilot):
        assert app.theme == DARK.name
        await pilot.press("T")
        await until(pilot, lambda: isinstance(app.screen, CommandPalette))
        await pilot.press(*"nord", "enter")
        await until(pilot, lambda: not isinstance(app.screen, CommandPalette))
        await until(pilot, lambda: app.theme == "nord")
        for theme in app.available_themes:
            app.theme = theme
            await pilot.pause()
            assert "HELD" in text(app)


def test_the_hues_are_read_on_their_grounds() -> None:
    for hues, ground in ((DARK_HUES, "#0E1217"), (DARK_HUES, "#272822"), (LIGHT_HUES, "#EFEFEF")):
        for name, hue in hues.items():
            assert _contrast(hue, ground) >= 4.0, (name, ground)
    assert set(DARK_HUES) == set(LIGHT_HUES)
    assert {f"mark-{accent}" for accent in ACCENTS} <= set(DARK_HUES)


def _contrast(ink: str, ground: str) -> float:
    """The ratio of WCAG 2.1."""
    light, dark = sorted((_luminance(ink), _luminance(ground)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(hue: str) -> float:
    parts = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
        for part in Color.parse(hue).normalized
    ]
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]
