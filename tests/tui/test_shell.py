"""What stands around every view: counts, pulse, banner, clocks, keys that are off, the palette, the help."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from rich.cells import cell_len
from textual.command import CommandList
from textual.pilot import Pilot

from backuplock.clock import SECOND
from backuplock.errors import Unreachable
from backuplock.journal import Journal, JournalError
from backuplock.rounds import Budget, Prices, Schedule
from backuplock.rules import State
from locktop import keys
from locktop.app import LocktopApp
from locktop.format import ASCII
from locktop.header import counts, header
from locktop.rows import state_now
from locktop.screens.help import About, help_lines
from tui.lists import compare
from tui.look import console, lines, look_again, table, text, until
from tui.scene import Scene, night


def _flat(line: list[tuple[str, str]]) -> str:
    return "".join(part for part, _ in line)


# -- counts


@pytest.mark.parametrize("passed", [0, 30, 60, 100, 151, 400])
async def test_counts_are_those_of_the_rows_as_shown(passed: int) -> None:
    scene = night()
    async with console(scene.session()) as (app, pilot):
        scene.advance(passed)
        app.refresh_status()
        await pilot.pause()
        status = app.status
        shown = [state_now(row, status.now) for row in table(app).rows]
        for state in State:
            assert status.board is not None
            assert status.board.counts_at(status.now)[state] == shown.count(state), state
        wide = _flat(counts(status, app.glyphs))
        for state in set(shown):
            assert f"{shown.count(state)} {state.value}" in wide
        # Wide enough for the whole table: what is counted is what is read.
        await pilot.resize_terminal(150, 60)
        await pilot.pause()
        assert sum(line[1:3] == "◇ " for line in lines(app)[4:]) == shown.count(State.UNSURE)
        narrow = _flat(header(status, app.glyphs, 80)[1])
        assert (f"◇{shown.count(State.UNSURE)}" in narrow) == (State.UNSURE in shown)


# -- what looking costs


@pytest.mark.parametrize(
    ("budget", "shown"),
    [
        (Budget(), ""),
        (Budget(prices=Prices()), "3.4/s $1.47/d"),
        (Budget(None, 2.0, Prices()), "3.4/s $1.47 of 2/d"),
        (Budget(4.0), "3.4/4 a s"),
    ],
)
async def test_the_header_tells_requests_and_dollars_where_they_count(budget: Budget, shown: str) -> None:
    async with console(night().session()) as (app, _):
        pace = Schedule(5 * SECOND, 5 * SECOND, 5 * SECOND, True, 3.4, 1.469)
        status = replace(app.status, pace=pace, budget=budget)
        told = _flat(header(status, app.glyphs, 120)[1])
        assert shown in told
        assert ("/d" in told, "/s" in told or "a s" in told) == ("/d" in shown, bool(shown))
        assert "LIVE 5s" in told
        narrow = _flat(header(status, app.glyphs, 80)[1])
        # Money takes the place of milliseconds, and nothing that limits nobody's money takes any.
        assert ("$1.47/d" in narrow) == ("$" in shown)
        assert "a s" not in narrow
        assert "/d" not in _flat(header(status, app.glyphs, 60)[1])


# -- pulse, banner


class _Lost:
    """A store that answers once."""

    def __init__(self, scene: Scene, line: str) -> None:
        self._scene, self._line, self._until = scene, line, scene.clock.wall_ns()

    def __getattr__(self, name: str) -> object:
        return getattr(self._scene.store, name)

    def list(self, folder: str) -> object:
        if self._scene.clock.wall_ns() > self._until:
            raise Unreachable(self._line, advice="is the network up?")
        return self._scene.store.list(folder)


async def _lost(scene: Scene, app: LocktopApp, pilot: Pilot[int]) -> None:
    scene.advance(10)
    app.session.refresh_now()
    await until(pilot, lambda: app.status.failure)
    await pilot.pause()


async def test_the_banner_says_the_cause_first_and_all_of_it_on_two_lines() -> None:
    scene = night()
    lost = _Lost(scene, "s3.eu-central-1.example:443 does not answer within 20 s")
    async with console(scene.session(open_store=lambda: lost), (80, 24)) as (app, pilot):  # type: ignore[arg-type,return-value]
        before = table(app).size.height
        await _lost(scene, app, pilot)
        first, second = lines(app)[1:3]
        both = " ".join(f"{first} {second}".split())
        assert first.startswith(" ▲ s3.eu-central-1.example:443 does not answer within 20 s")
        assert "is the network up?" in both
        assert "r tries now" in both
        assert table(app).size.height == before - 2
        await pilot.resize_terminal(160, 40)
        await pilot.pause()
        assert "r tries now" in lines(app)[2]
        assert "Locks" not in lines(app)[2]
        assert lines(app)[3].startswith("──")


async def test_a_very_long_cause_is_cut_on_the_second_line() -> None:
    scene = night()
    lost = _Lost(scene, "x" * 300 + " no answer")
    async with console(scene.session(open_store=lambda: lost), (80, 24)) as (app, pilot):  # type: ignore[arg-type,return-value]
        await _lost(scene, app, pilot)
        assert lines(app)[2].endswith("…")
        assert lines(app)[3].startswith("──")
        strips = app.screen._compositor.render_strips()
        assert {cell_len(strip.text) for strip in strips} == {80}


async def test_nothing_is_called_live_while_the_store_is_silent() -> None:
    async with console(night().session()) as (app, _):
        status = replace(app.status, heard_mono_ns=app.status.mono_ns - 6 * SECOND)
        assert status.hanging
        pulse = _flat(header(status, app.glyphs, 120)[1])
        assert "HANGS" in pulse
        assert "LIVE" not in pulse
        assert "LIVE" in _flat(header(app.status, app.glyphs, 120)[1])


# -- clocks


async def test_skew_is_shown_on_a_narrow_screen_when_it_matters() -> None:
    scene = night()
    async with console(scene.session(), (80, 24)) as (app, pilot):
        assert "skew" not in lines(app)[0]
        off = replace(app.status, wall_ns=app.status.wall_ns + 14 * SECOND)
        assert "skew -14s" in _flat(header(off, app.glyphs, 80)[1])
        assert "skew" not in _flat(header(replace(off, wall_ns=app.status.wall_ns), ASCII, 80)[1])
        left, right = header(off, app.glyphs, 80)
        assert cell_len(_flat(left) + _flat(right)) <= 80
        assert "23" in _flat(right), "the counts stay"
        assert app.status.board is not None
        snapshot = app.status.board.snapshot
        clock = replace(snapshot.clock, lo=snapshot.clock.lo - 5 * SECOND)
        vague = replace(app.status, board=replace(app.status.board, snapshot=replace(snapshot, clock=clock)))
        assert "±" in _flat(header(vague, app.glyphs, 80)[1])
        await pilot.pause()


# -- time


async def test_another_pace_is_said_while_paused() -> None:
    async with console(night().session()) as (app, pilot):
        await pilot.press("p", "minus")
        await until(pilot, lambda: "looks every 5 s" in text(app))
        assert app.session.interval_ns == 5 * SECOND


async def test_that_nothing_is_recorded_is_said_once_and_stands_in_the_help() -> None:
    def refuse() -> Journal:
        raise JournalError("the disk is full")

    scene = night()
    async with console(scene.session(open_journal=refuse)) as (app, pilot):
        await until(pilot, lambda: "nothing is recorded: the disk is full" in text(app))
        said: list[object] = []
        app.notify = lambda *args, **kwargs: said.append(args)  # type: ignore[method-assign,assignment]
        await look_again(app, pilot)
        await look_again(app, pilot)
        assert not said
        found = help_lines("locks", app.glyphs, About(unrecorded=app.status.unrecorded))
        assert any("nothing is recorded: the disk is full" in _flat(line) for line in found)


# -- toasts


async def test_a_toast_leaves_the_details_in_sight_on_a_small_screen() -> None:
    async with console(night().session(), (80, 24)) as (app, pilot):
        before = lines(app)[-2:]
        await pilot.press("y")
        await until(pilot, lambda: "copied backupstore/volumes" in text(app))
        assert lines(app)[-2:] == before


# -- keys that are off


async def test_a_key_that_is_off_says_why_in_the_help_and_when_pressed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    changed = tuple(
        replace(key, needs="write") if key.place == "locks" and key.action == "sort" else key
        for key in keys.KEYS
    )
    monkeypatch.setattr(keys, "KEYS", changed)
    monkeypatch.setattr("locktop.screens.help.KEYS", changed)
    async with console(night().session()) as (app, pilot):
        assert "s sort" not in lines(app)[-1]
        await pilot.press("s")
        await until(pilot, lambda: "s is off: this session is read-only" in text(app))
        assert "by attention" in lines(app)[2]
        await pilot.press("question_mark")
        await pilot.pause()
        assert "(s S is off: this session is read-only" in text(app)


# -- the help


@pytest.mark.parametrize("place", ["locks", "details", "blocked", "simulate", "events", "explain"])
@pytest.mark.parametrize("replay", [False, True])
def test_keys_come_first_in_the_help_and_fit_a_small_screen(place: keys.Place, replay: bool) -> None:
    found = [_flat(line) for line in help_lines(place, ASCII, About(replay=replay))]
    assert max(map(cell_len, found)) <= 80
    states = next(at for at, line in enumerate(found) if line.strip() == "STATES")
    assert states <= 23
    listed = [key for group in keys.help_groups(place, replay=replay).values() for key in group]
    for key in listed:
        assert any(key.words in line and key.shown in line for line in found[:states]), key
    narrow = [_flat(line) for line in help_lines(place, ASCII, About(replay=replay), 60)]
    assert max(map(cell_len, narrow)) <= 60
    assert sorted(" ".join(narrow).split()) == sorted(" ".join(found).split()), "nothing is lost"


# -- the palette


async def _opened(app: LocktopApp, pilot: Pilot[int], typed: str = "") -> CommandList:
    await pilot.press("colon", *typed)
    await until(pilot, lambda: len(app.screen.query(CommandList)) == 1)
    found = app.screen.query_one(CommandList)
    await until(pilot, lambda: found.option_count)
    # What is searched comes in the background.
    for _ in range(20):
        await pilot.pause()
        await asyncio.sleep(0.02)
    return found


@pytest.mark.parametrize("plain", [False, True])
async def test_the_palette_looks_like_the_rest(plain: bool) -> None:
    for size in ((120, 36), (80, 24), (60, 12)):
        async with console(night().session(), size, ascii_only=plain) as (app, pilot):
            await _opened(app, pilot)
            name = f"{size[0]}x{size[1]}{'-ascii' * plain}"
            await compare(app, pilot, "palette", name)


async def test_the_palette_does_what_the_key_does() -> None:
    async with console(night().session()) as (app, pilot):
        found = await _opened(app, pilot, "choose col")
        assert found.option_count == 1
        await pilot.press("enter")
        await until(pilot, lambda: "WHAT IT SHOWS" in text(app))


async def test_the_palette_offers_nothing_that_only_a_recording_has() -> None:
    async with console(night().session()) as (app, pilot):
        await pilot.press("colon", *"next, previous event")
        for _ in range(20):
            await pilot.pause()
            await asyncio.sleep(0.02)
        assert "] [" not in text(app)


def test_no_picture_letters_anywhere() -> None:
    folder = Path(keys.__file__).parent
    for path in folder.rglob("*.py"):
        assert not [char for char in path.read_text() if ord(char) >= 0x1F000], path.name
