"""Taking something along: the menu of what can be copied, and the view that is shown as a file."""

from __future__ import annotations

import csv
import io
import json
import shlex
from pathlib import Path

import pytest
from textual.pilot import Pilot

from locktop.app import LocktopApp
from locktop.cli import _Parser
from locktop.screens.details import DetailsScreen
from locktop.screens.menu import MenuScreen
from locktop.subcommands import load
from locktop.widgets.key_list import KeyList
from tui.lists import compare
from tui.look import console, shown, table, text, until
from tui.scene import night

KEYS = {"j", "down", "k", "up", "enter", "escape"}
SIZES = [(120, 36), (80, 24), (60, 12)]


async def _open(app: LocktopApp, pilot: Pilot[int], key: str) -> None:
    await pilot.press(key)
    await until(pilot, lambda: isinstance(app.screen, MenuScreen))
    await pilot.pause()


async def _copied(app: LocktopApp, pilot: Pilot[int], steps: int) -> str:
    await _open(app, pilot, "Y")
    await pilot.press(*["j"] * steps, "enter")
    await until(pilot, lambda: not isinstance(app.screen, MenuScreen))
    return app.clipboard


async def test_everything_about_a_lock_can_be_copied() -> None:
    async with console(night().session()) as (app, pilot):
        row = table(app).cursor_row
        assert row is not None
        assert row.lock is not None
        await _open(app, pilot, "Y")
        count = len(app.screen.query_one(KeyList).keys)
        await pilot.press("escape")
        found = [await _copied(app, pilot, at) for at in range(count)]
        assert found[0] == row.key
        assert found[1] == row.volume.name
        assert json.loads(found[-1])["key"] == row.key
        kubectl = [shlex.split(line) for line in found if line.startswith("kubectl")]
        assert f"backup-volume={row.volume.name}" in kubectl[0]
        ours = [shlex.split(line) for line in found if line.startswith("locktop")]
        assert [words[1] for words in ours] == ["show", "simulate", "break"]
        for _, command, *rest in ours:
            parser = _Parser(command)
            load(command).configure(parser)
            options, unknown = parser.parse_known_args(rest)
            assert not unknown, "what is copied is a command line that locktop takes"
            assert options.target == app.session.url


async def test_moving_in_a_menu() -> None:
    async with console(night().session()) as (app, pilot):
        await _open(app, pilot, "Y")
        listed = app.screen.query_one(KeyList)
        for key, place in (("j", "1"), ("down", "2"), ("k", "1"), ("up", "0"), ("up", "0")):
            await pilot.press(key)
            assert listed.cursor == place


@pytest.mark.parametrize("view", ["2", "4", "enter"])
async def test_other_views_have_the_menu_too(view: str) -> None:
    async with console(night().session()) as (app, pilot):
        await pilot.press(view)
        await pilot.pause()
        if view == "4":
            await pilot.press("R")
        await pilot.press("Y")
        await pilot.pause()
        if isinstance(app.screen, MenuScreen):
            assert "volume" in text(app)
        else:
            assert "nothing to copy here" in text(app)


@pytest.mark.parametrize("plain", [False, True], ids=["unicode", "ascii"])
@pytest.mark.parametrize("key", ["Y", "E"])
async def test_a_menu_fits_every_size(key: str, plain: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    # The menu names the file that it would write; here it writes none.
    monkeypatch.chdir("/usr/share")
    async with console(night().session(), SIZES[0], ascii_only=plain) as (app, pilot):
        await _open(app, pilot, key)
        for size in SIZES:
            await pilot.resize_terminal(*size)
            await pilot.pause()
            await pilot.pause()
            seen = text(app)
            assert "take it" in seen
            assert ("kubectl" if key == "Y" else "JSON") in seen
            menu = "copy" if key == "Y" else "export"
            await compare(app, pilot, "menu", f"{menu}-{size[0]}x{size[1]}{'-ascii' * plain}")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


async def _exported(app: LocktopApp, pilot: Pilot[int], here: Path, *keys: str) -> str:
    before = set(here.iterdir())
    await _open(app, pilot, "E")
    await pilot.press(*keys, "enter")
    await until(pilot, lambda: set(here.iterdir()) != before)
    await until(pilot, lambda: "wrote" in text(app))
    (made,) = set(here.iterdir()) - before
    assert made.stat().st_mode & 0o777 == 0o600
    return made.read_bytes().decode()


async def test_the_locks_that_the_filter_leaves_are_exported(here: Path) -> None:
    async with console(night().session()) as (app, pilot):
        await pilot.press("slash", *"redis", "enter")
        keys = sorted(shown(app))
        assert keys
        document = json.loads(await _exported(app, pilot, here))
        assert sorted(one["key"] for one in document["locks"]) == keys
        lines = list(csv.DictReader(io.StringIO(await _exported(app, pilot, here, "j"))))
        # In the order of the screen, unlike the document, which is that of `locktop ls --json`.
        assert [line["key"] for line in lines] == shown(app)


async def test_what_is_marked_is_exported_alone(here: Path) -> None:
    async with console(night().session()) as (app, pilot):
        await pilot.press("space", "space")
        keys = sorted(shown(app)[:2])
        document = json.loads(await _exported(app, pilot, here))
        assert sorted(one["key"] for one in document["locks"]) == keys


async def test_blocked_volumes_and_a_volume_are_exported(here: Path) -> None:
    async with console(night().session()) as (app, pilot):
        await pilot.press("2")
        await pilot.pause()
        document = json.loads(await _exported(app, pilot, here))
        assert document["blocked"]
        lines = list(csv.DictReader(io.StringIO(await _exported(app, pilot, here, "j"))))
        assert {line["volume"] for line in lines} == {one["volume"] for one in document["blocked"]}
        await pilot.press("1", "enter")
        await until(pilot, lambda: isinstance(app.screen, DetailsScreen))
        await pilot.pause()
        for old in here.iterdir():
            old.unlink()
        document = json.loads(await _exported(app, pilot, here))
        assert len({one["volume"] for one in document["locks"]}) == 1


async def test_events_are_exported(here: Path) -> None:
    scene = night()
    async with console(scene.session()) as (app, pilot):
        await pilot.press("4", "R")
        await pilot.pause()
        document = json.loads(await _exported(app, pilot, here))
        assert document["version"] == 1
        lines = list(csv.DictReader(io.StringIO(await _exported(app, pilot, here, "j"))))
        assert [line["kind"] for line in lines] == [one["kind"] for one in document["events"]]


async def test_nothing_is_written_over_and_that_is_said(here: Path) -> None:
    async with console(night().session()) as (app, pilot):
        await _open(app, pilot, "E")
        await pilot.press("enter")
        await until(pilot, lambda: list(here.iterdir()))
        (made,) = here.iterdir()
        made.write_text("mine")
        # The clock of the scene stands: the name is the same.
        await _open(app, pilot, "E")
        await pilot.press("enter")
        await until(pilot, lambda: "is there already" in " ".join(text(app).split()))
        assert made.read_text() == "mine"


async def test_a_served_console_writes_no_files(here: Path) -> None:
    async with console(night().session()) as (app, pilot):
        app.served = True
        await pilot.press("E")
        await until(pilot, lambda: "E is off: this console is served" in text(app))
        assert not list(here.iterdir())
