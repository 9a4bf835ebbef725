"""One volume on the screen: selecting, following, what goes away, what is said about it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from rich.cells import cell_len
from textual.pilot import Pilot

from backuplock import layout
from backuplock.errors import Denied, Unreachable
from backuplock.journal import Journal
from locktop.app import LocktopApp
from locktop.screens.base import View
from locktop.screens.details import DetailsScreen
from locktop.screens.locks import LocksScreen
from locktop.widgets.panes import Scroller
from locktop.widgets.picker import Picker
from tui.look import console, cursor, lines, look_again, shown, table, text, until
from tui.scene import APPS, Scene, night, uuid_volume

KEYS = (
    *("j", "down", "k", "up", "ctrl+d", "ctrl+u", "pagedown", "ctrl+f", "space", "pageup", "ctrl+b"),
    *("g", "home", "G", "end", "a", "y", "w", "escape", "backspace"),
)
"""Every key of the volume's detail; each is pressed below."""

CLASH = uuid_volume(5)
"""A deletion is held, a backup waits."""


def picker(app: LocktopApp) -> Picker:
    return app.screen.query_one(Picker)


def sheet(app: LocktopApp) -> Scroller:
    return app.screen.query_one(Scroller)


async def opened(app: LocktopApp, pilot: Pilot[int], volume: str, lock: str = "") -> None:
    app.open_volume(volume, lock)
    await until(pilot, lambda: isinstance(app.screen, DetailsScreen) and app.screen.is_mounted)
    await pilot.pause()


async def test_selecting_among_the_locks() -> None:
    async with console(night().session()) as (app, pilot):
        await opened(app, pilot, CLASH)
        first, second = picker(app).keys
        assert picker(app).cursor == first
        assert "Selected: 1 delete  lock-c45c27866aa34095" in text(app)
        for key, wanted in (("j", second), ("k", first), ("down", second), ("j", second), ("up", first)):
            await pilot.press(key)
            await pilot.pause()
            assert picker(app).cursor == wanted, key
        await pilot.press("j", "y")
        assert app.clipboard == second
        assert "Selected: 2 bkup/rst  lock-5f3e1d2c4b6a7980" in text(app)
        await pilot.click(Picker, offset=(10, 1))
        assert picker(app).cursor == first


async def test_it_opens_on_the_lock_under_the_cursor_and_leads_back_to_it() -> None:
    async with console(night().session()) as (app, pilot):
        for key in ("escape", "backspace"):
            table(app).move_to(5)
            await pilot.press("enter")
            await pilot.pause()
            assert picker(app).cursor == cursor(app) == shown(app)[5]
            await pilot.press(key)
            assert isinstance(app.screen, LocksScreen)
            assert cursor(app) == shown(app)[5]


async def test_simulating_an_operation_on_the_volume(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    real = LocktopApp.simulate

    async def simulate(app: LocktopApp, volume: str) -> None:
        asked.append(volume)
        await real(app, volume)

    monkeypatch.setattr(LocktopApp, "simulate", simulate)
    async with console(night().session()) as (app, pilot):
        await opened(app, pilot, CLASH)
        await pilot.press("a")
        await until(pilot, lambda: app.current_mode == "simulate")
        assert asked == [CLASH]
        await until(pilot, lambda: CLASH in text(app))


async def test_the_number_of_the_view_leads_out_of_everything_that_is_open_in_it() -> None:
    async with console(night().session()) as (app, pilot):
        await pilot.press("m")
        await opened(app, pilot, CLASH)
        await opened(app, pilot, uuid_volume(1))
        assert len(app.screen_stack) == 4
        await pilot.press("1")
        await until(pilot, lambda: isinstance(app.screen, LocksScreen))
        await pilot.press("2")
        await until(pilot, lambda: app.current_mode == "blocked")
        await opened(app, pilot, CLASH)
        await pilot.press("2")
        await until(pilot, lambda: not isinstance(app.screen, DetailsScreen))


async def test_scrolling_the_sheet() -> None:
    moved: dict[str, Callable[[int, int], bool]] = {
        **dict.fromkeys(("ctrl+d", "pagedown", "ctrl+f", "space"), lambda after, most: after > 3),
        **dict.fromkeys(("ctrl+u", "pageup", "ctrl+b", "g", "home"), lambda after, most: after == 0),
        **dict.fromkeys(("G", "end"), lambda after, most: after == most),
    }
    async with console(night().session(), (80, 16)) as (app, pilot):
        await opened(app, pilot, CLASH)
        most = sheet(app).max_scroll_y
        assert most > 6
        for key, right in moved.items():
            sheet(app).scroll_to(y=2, animate=False, immediate=True)
            await pilot.pause()
            await pilot.press(key)
            await pilot.pause()
            assert right(sheet(app).scroll_offset.y, most), key


async def test_where_there_is_one_lock_only_j_and_k_scroll() -> None:
    async with console(night().session(), (80, 14)) as (app, pilot):
        await opened(app, pilot, uuid_volume(0))
        await pilot.press("j", "down", "k")
        await pilot.pause()
        assert sheet(app).scroll_offset.y == 1
        await pilot.press("up")
        await pilot.pause()
        assert sheet(app).scroll_offset.y == 0


async def test_the_body_of_a_lock_is_shown_in_a_line_or_whole() -> None:
    scene = Scene()
    body = b'{"Name":"lock-a","Type":1,"Acquired":true,"note":"' + b"many words " * 30 + b'the end"}'
    scene.lock("pvc-a", 5, lock="lock-a", body=body)
    async with console(scene.session(), (100, 50)) as (app, pilot):
        await opened(app, pilot, "pvc-a")
        assert '"Acquired":true' in text(app)
        assert "the end" not in text(app)
        await pilot.press("w")
        assert 'the end"}' in text(app)
        await pilot.press("w")
        assert "the end" not in text(app)


async def test_an_operation_that_longhorn_would_see_otherwise_is_told() -> None:
    scene = Scene()
    scene.lock("pvc-a", 10, body=b'{"Name":"lock-b1')
    async with console(scene.session(), (120, 50)) as (app, pilot):
        await opened(app, pilot, "pvc-a")
        assert "Longhorn ignores it" in lines(app)[4]
        assert "would be refused" in text(app)
        assert "(Longhorn itself would be granted)" in text(app)
        assert "Longhorn ignores this: it cannot decode it" in text(app)


async def test_the_selected_lock_is_followed_and_its_going_is_told() -> None:
    scene = night()
    async with console(scene.session(), (120, 40)) as (app, pilot):
        await opened(app, pilot, CLASH)
        held, waiting = picker(app).keys
        scene.store.delete(held)
        scene.advance(3)
        await look_again(app, pilot)
        scene.advance(9)
        app.refresh_status()
        await pilot.pause()
        assert picker(app).cursor == held
        assert picker(app).keys == (waiting, held)
        assert "gone 9s ago; released, as far as can be told" in lines(app)[5]
        assert "It is gone: what follows is how it was last seen." in text(app)
        assert "delete          would be refused: blocked by 1" in text(app)
        assert "RELEASED" in text(app)
        await pilot.press("k")
        await pilot.pause()
        assert picker(app).cursor == waiting
        assert "gone" not in text(app)


async def test_a_lock_that_comes_back_is_there_again() -> None:
    scene = night()
    async with console(scene.session(), (120, 40)) as (app, pilot):
        await opened(app, pilot, uuid_volume(0))
        (key,) = picker(app).keys
        blob = scene.store.read(key)
        assert blob is not None
        scene.store.delete(key)
        scene.advance(2)
        await look_again(app, pilot)
        assert "GONE" in text(app)
        assert "No locks: every operation would be granted." in text(app)
        scene.store.put(key, blob.body)
        scene.advance(2)
        await look_again(app, pilot)
        assert "GONE" not in text(app)
        assert "CAME BACK" in text(app)
        assert picker(app).keys == (key,)


async def test_a_volume_that_went_is_shown_as_it_was() -> None:
    scene = night()
    async with console(scene.session(), (120, 40)) as (app, pilot):
        await opened(app, pilot, CLASH)
        keys = picker(app).keys
        for key in (*keys, layout.volume_cfg(CLASH)):
            scene.store.delete(key)
        scene.advance(2)
        await look_again(app, pilot)
        assert "The store no longer has this volume" in text(app)
        assert "GONE" in text(app)
        assert "RELEASED" in text(app)


async def test_a_volume_that_could_not_be_read_this_time_is_not_called_free() -> None:
    scene = night()
    broken = False

    class Store:
        def __getattr__(self, name: str) -> object:
            return getattr(scene.store, name)

        def list(self, folder: str) -> object:
            if broken and CLASH in folder:
                raise Denied("403 Forbidden")
            return scene.store.list(folder)

    async with console(scene.session(open_store=Store), (120, 40)) as (app, pilot):  # type: ignore[arg-type]
        await opened(app, pilot, CLASH)
        broken = True
        scene.advance(2)
        await look_again(app, pilot)
        assert "could not be read: could not be listed: 403 Forbidden" in text(app)
        assert "not seen by the last look" in text(app)
        assert "backup, restore, delete cannot be told" in text(app)
        assert "would be granted" not in text(app)
        assert "as far as can be told" not in text(app)


async def test_outdated_data_is_shown_faintly() -> None:
    scene = night()
    broken = False

    class Store:
        def __getattr__(self, name: str) -> object:
            if broken:
                raise Unreachable("s3.example does not answer")
            return getattr(scene.store, name)

    async with console(scene.session(open_store=Store), (120, 40)) as (app, pilot):  # type: ignore[arg-type]
        await opened(app, pilot, CLASH)
        colours = _colours(app)
        broken = True
        scene.advance(30)
        app.session.refresh_now()
        await until(pilot, lambda: app.status.outdated)
        await pilot.pause()
        assert "does not answer" in lines(app)[2]
        assert len(_colours(app)) < len(colours)


def _colours(app: LocktopApp) -> set[object]:
    strips = app.screen._compositor.render_strips()[4:-1]
    return {
        segment.style.color for strip in strips for segment in strip if segment.style and segment.text.strip()
    }


async def test_the_session_looks_beside_the_locks_while_the_volume_is_shown() -> None:
    scene = night()
    async with console(scene.session()) as (app, pilot):
        asked: list[str | None] = []
        attend = app.session.attend

        def heard(volume: str | None) -> None:
            asked.append(volume)
            attend(volume)

        app.session.attend = heard  # type: ignore[method-assign]
        await opened(app, pilot, CLASH)
        await until(pilot, lambda: app.status.explored is not None and app.status.explored.volume == CLASH)
        assert asked[-1] == CLASH
        await pilot.press("question_mark")
        await pilot.pause()
        assert asked[-1] == CLASH
        await pilot.press("escape", "2")
        await until(pilot, lambda: isinstance(app.screen, View) and app.screen.VIEW == "blocked")
        await pilot.pause()
        assert asked[-1] is None


async def test_since_when_a_lock_is_held_is_told_from_the_journal(tmp_path: Path) -> None:
    scene = Scene()
    scene.volume("pvc-a", APPS[0])
    key = scene.lock("pvc-a", 5)
    journal = tmp_path / "journal"
    session = scene.session(open_journal=lambda: Journal.open(journal, target=scene.store.url))
    async with console(session, (120, 40)) as (app, pilot):
        scene.advance(60)
        blob = scene.store.read(key)
        assert blob is not None
        scene.store.put(key, blob.body)
        await look_again(app, pilot)
        await opened(app, pilot, "pvc-a")
        await until(pilot, lambda: "says the journal" in text(app))
        assert "at least since 03:04:05 UTC, 1 minute" in text(app)
        assert "1 refresh since" in text(app)


async def test_thousands_of_locks_on_one_volume_are_looked_through_aside() -> None:
    scene = Scene()
    for n in range(3000):
        scene.lock("pvc-a", 1 + n % 60, lock=f"lock-{n:05}")
    async with console(scene.session()) as (app, pilot):
        await opened(app, pilot, "pvc-a", layout.lock_key("pvc-a", "lock-01500"))
        await until(pilot, lambda: "If an operation started now" in text(app))
        assert picker(app).cursor == layout.lock_key("pvc-a", "lock-01500")
        assert any("lock-01500" in line and line.startswith("▌") for line in lines(app))
        assert "If an operation started now" in text(app)


async def test_every_line_fits_at_every_size() -> None:
    scene = night()
    async with console(scene.session()) as (app, pilot):
        await opened(app, pilot, CLASH)
        for size in ((120, 36), (80, 24), (60, 12), (180, 44)):
            await pilot.resize_terminal(*size)
            await pilot.pause()
            strips = app.screen._compositor.render_strips()
            assert {cell_len(strip.text) for strip in strips} == {size[0]}
            assert "lock-c" in text(app)
            assert "blocked by 1" in text(app) or size[0] == 60
