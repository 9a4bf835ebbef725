"""Rows of locks that were broken from the console: countdown, verdict, what can be done with them."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.pilot import Pilot

from backuplock import layout
from backuplock.breaking import Audit, Who, Writer, copies, undo
from locktop.app import LocktopApp
from locktop.broken_rows import is_gone
from locktop.screens.break_ import BreakScreen
from locktop.screens.undo import UndoScreen
from tui.breaking import breaking, broken, quiet
from tui.lists import compare
from tui.look import cursor, lines, look_again, shown, table, text, until
from tui.scene import Scene, night, uuid_volume
from tui.test_break import DEAD, refresh, trail

STEM = DEAD.rpartition("/")[2].removesuffix(".lck")


def row(app: LocktopApp) -> str:
    """The line of the broken lock in the table."""
    volume = DEAD.split("/")[4]
    return next(line for line in lines(app) if volume[:10] in line and "bkup/rst  " in line)


async def pass_(app: LocktopApp, pilot: Pilot[int], scene: Scene, s: float) -> None:
    scene.advance(s)
    await look_again(app, pilot)


async def test_the_row_counts_down_then_tells_the_verdict_then_goes(tmp_path: Path) -> None:
    scene = quiet(night())
    async with breaking(scene, tmp_path) as (app, pilot):
        await broken(app, pilot, DEAD)
        await look_again(app, pilot)
        assert shown(app)[0] == DEAD == cursor(app)
        assert app.status.board is not None
        assert DEAD not in app.status.board.by_key
        assert "BROKEN" in row(app)
        assert "watch 1:15" in row(app)
        assert "gone so far" in row(app)
        scene.advance(30)
        app.refresh_status()
        await pilot.pause()
        assert "watch 0:45" in row(app), "it counts between two looks"
        await pass_(app, pilot, scene, 46)
        assert " gone  " in row(app)
        assert "gone for good" in row(app)
        await pass_(app, pilot, scene, 61)
        assert DEAD not in shown(app)


async def test_the_row_can_be_put_away_once_its_fate_is_told(tmp_path: Path) -> None:
    scene = quiet(night())
    async with breaking(scene, tmp_path) as (app, pilot):
        await broken(app, pilot, DEAD)
        await look_again(app, pilot)
        await pilot.press("escape")
        assert DEAD in shown(app), "while it is watched it stays"
        await pass_(app, pilot, scene, 76)
        await pilot.press("escape")
        assert DEAD not in shown(app)
        await pass_(app, pilot, scene, 2)
        assert DEAD not in shown(app)


async def test_the_row_is_no_lock_and_leads_to_its_copy(tmp_path: Path) -> None:
    scene = quiet(night())
    async with breaking(scene, tmp_path) as (app, pilot):
        entry = await broken(app, pilot, DEAD)
        await look_again(app, pilot)
        for key in ("space", "x"):
            await pilot.press(key)
            await until(pilot, lambda: "is broken already" in text(app))
            assert not isinstance(app.screen, BreakScreen)
            assert "marked" not in text(app)
            app.clear_notifications()
        for key in ("enter", "u"):
            await pilot.press(key)
            await until(pilot, lambda: isinstance(app.screen, UndoScreen))
            await until(pilot, lambda: STEM in text(app))
            assert entry in text(app)
            await pilot.press("escape")
            await until(pilot, lambda: not isinstance(app.screen, UndoScreen))
        await pilot.press("slash", *"type:bkup", "enter")
        await pilot.press("n")
        assert not is_gone(table(app).cursor_row), "it needs no attention"


async def test_the_row_begins_where_the_cursor_is_in_the_undo_view(tmp_path: Path) -> None:
    scene = quiet(night())
    other = layout.lock_key(uuid_volume(1), "lock-44be02c1a97d3f60")
    async with breaking(scene, tmp_path) as (app, pilot):
        await broken(app, pilot, DEAD)
        scene.advance(2)
        await broken(app, pilot, other)
        await look_again(app, pilot)
        assert shown(app)[:2] == [other, DEAD]
        table(app).seek(DEAD)
        await pilot.press("enter")
        await until(pilot, lambda: f"{STEM}" in "\n".join(lines(app)[10:]))
        about = app.screen.query_one("#about")
        assert STEM in "".join(part for part, _ in about._left)  # type: ignore[attr-defined]


async def test_one_that_comes_back_is_a_lock_and_says_so(tmp_path: Path) -> None:
    scene = quiet(night())
    async with breaking(scene, tmp_path) as (app, pilot):
        body = scene.store.read(DEAD)
        assert body is not None
        await broken(app, pilot, DEAD)
        await look_again(app, pilot)
        scene.advance(20)
        scene.store.put(DEAD, body.body)
        await look_again(app, pilot)
        assert shown(app)[0] == DEAD
        assert "CAME BACK" in row(app)
        assert "HELD" in row(app)
        assert not is_gone(table(app).cursor_row)
        await pilot.press("space")
        assert "1 marked" in text(app)


async def test_what_is_put_back_from_here_is_a_lock_like_any_other(tmp_path: Path) -> None:
    scene = quiet(night())
    async with breaking(scene, tmp_path) as (app, pilot):
        entry = await broken(app, pilot, DEAD)
        await look_again(app, pilot)
        assert app.session.breaker is not None
        app.session.breaker.put_back(entry, DEAD, interrupted=False)
        await until(pilot, lambda: DEAD in (app.status.board.by_key if app.status.board else {}))
        await until(pilot, lambda: app.status.deeds.cares == ())
        await pilot.pause()
        assert "HELD" in row(app)
        assert "CAME BACK" not in text(app)


def _elsewhere(scene: Scene, folder: Path, user: str = "alice") -> Writer:
    return Writer(scene.store, Audit.open(folder / "other.db"), who=Who(user, "bastion-2"), clock=scene.clock)


@pytest.mark.parametrize("late", [False, True], ids=["mark seen at once", "mark seen later"])
async def test_who_puts_it_back_elsewhere_rings_no_alarm(tmp_path: Path, late: bool) -> None:
    scene = quiet(night())
    async with breaking(scene, tmp_path) as (app, pilot):
        entry = await broken(app, pilot, DEAD)
        await pass_(app, pilot, scene, 20)
        undo(_elsewhere(scene, tmp_path), entry)
        mark = f"backupstore/.locktop/quarantine/{entry}.undone"
        body = scene.store.read(mark)
        assert body is not None
        assert body.body == b"alice@bastion-2"
        if late:
            scene.store.delete(mark)
            await pass_(app, pilot, scene, 0.1)
            assert "CAME BACK" in lines(app)[2], "nothing tells it from a return yet"
            scene.store.put(mark, body.body)
        await pass_(app, pilot, scene, 2)
        assert "CAME BACK" not in "\n".join(lines(app)[:5])
        assert "put back by alice@bastion-2" in lines(app)[2]
        assert "HELD" in row(app)
        await until(pilot, lambda: trail(tmp_path)[-1] == "put back")
        if not late:
            assert not any(event.kind.value == "came back" for event in app.status.events)


async def test_while_the_picture_is_held_the_row_tells_its_fate(tmp_path: Path) -> None:
    scene = quiet(night())
    async with breaking(scene, tmp_path) as (app, pilot):
        before = shown(app).index(DEAD)
        await pilot.press("p")
        await broken(app, pilot, DEAD)
        await until(pilot, lambda: "watch 1:15" in text(app))
        assert shown(app).index(DEAD) == before, "nothing moves while it is held"
        assert DEAD in (app.status.board.by_key if app.status.board else {})
        scene.advance(76)
        app.session.refresh_now()
        await until(pilot, lambda: "gone for good" in row(app))


async def test_another_in_its_place_is_named(tmp_path: Path) -> None:
    scene = quiet(night())
    async with breaking(scene, tmp_path) as (app, pilot):
        await broken(app, pilot, DEAD)
        await pass_(app, pilot, scene, 10)
        scene.lock(DEAD.split("/")[4], 0, 2, lock="lock-000000000000beef")
        await pass_(app, pilot, scene, 10)
        refresh(scene, DEAD.replace(STEM, "lock-000000000000beef"))
        await pass_(app, pilot, scene, 60)
        assert " another " in row(app)
        assert "lock-000000000000beef" in text(app)
        assert len(copies(scene.store)) == 1


SIZES = {"120x36": (120, 36), "80x24": (80, 24), "60x12": (60, 12)}


@pytest.mark.parametrize("plain", [False, True], ids=["unicode", "ascii"])
async def test_the_rows_look_as_they_were_approved(tmp_path: Path, plain: bool) -> None:
    scene = quiet(night())
    other = layout.lock_key(uuid_volume(1), "lock-44be02c1a97d3f60")
    async with breaking(scene, tmp_path, ascii_only=plain) as (app, pilot):
        await broken(app, pilot, DEAD)
        await pass_(app, pilot, scene, 60)
        await broken(app, pilot, other)
        await pass_(app, pilot, scene, 16)
        await until(pilot, lambda: trail(tmp_path)[-1] == "gone for good")
        app.clear_notifications()
        for name, size in SIZES.items():
            await pilot.resize_terminal(*size)
            await pilot.pause()
            await pilot.pause()
            await compare(app, pilot, "broken", f"{name}{'-ascii' * plain}")
