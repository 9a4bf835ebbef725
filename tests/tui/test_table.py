"""The table: its cursor is a key, its order rests under a person's hands, a tick costs what is in view."""

from __future__ import annotations

import pytest
from rich.cells import cell_len

from backuplock import layout
from locktop.widgets import lock_table
from tui.look import console, cursor, lines, look_again, shown, table, text, until
from tui.scene import APPS, Scene, fleet, night


async def test_the_cursor_follows_its_lock_when_the_order_changes() -> None:
    scene = Scene()
    keys = [scene.lock(f"pvc-{n:03}", 60 - n / 2) for n in range(100)]
    async with console(scene.session()) as (app, pilot):
        table(app).move_to(12)
        key = cursor(app)
        line = next(n for n, shown_ in enumerate(lines(app)) if shown_.startswith("▌"))
        assert key == keys[12]
        scene.lock("pvc-012", 25.1, lock=keys[12].rpartition("/")[2].removesuffix(".lck"))
        await look_again(app, pilot)
        assert cursor(app) == key
        assert shown(app).index(key) == 69
        assert lines(app)[line].startswith("▌"), "the lock keeps its line on the screen"


async def test_an_untouched_cursor_stays_on_top() -> None:
    scene = night()
    async with console(scene.session()) as (app, pilot):
        first = cursor(app)
        assert first is not None
        scene.store.delete(first)
        await look_again(app, pilot)
        assert cursor(app) == shown(app)[0] != first


async def test_a_lock_that_vanishes_under_the_cursor() -> None:
    scene = night()
    async with console(scene.session()) as (app, pilot):
        for place in (0, 7, 28):
            table(app).move_to(place)
            gone = cursor(app)
            assert gone is not None
            others = [key for key in shown(app) if key != gone]
            scene.store.delete(gone)
            await look_again(app, pilot)
            assert shown(app) == others
            assert cursor(app) == others[min(place, len(others) - 1)]


async def test_all_locks_vanish() -> None:
    scene = night()
    async with console(scene.session()) as (app, pilot):
        await pilot.press("G")
        for key in shown(app):
            scene.store.delete(key)
        await look_again(app, pilot)
        assert cursor(app) is None
        assert "no locks: every operation would be granted" in text(app)
        await pilot.press("j", "G", "enter", "y", "s", "escape")
        assert app.crash is None


async def test_the_order_rests_for_three_seconds_after_a_move() -> None:
    scene = night()
    async with console(scene.session()) as (app, pilot):
        await pilot.press("j")
        before = shown(app)
        assert "order held" in text(app)
        _refresh(scene, before[10])
        new = scene.lock(scene.volume("pvc-new"), 400)
        await look_again(app, pilot)
        assert shown(app) == [*before, new]
        scene.advance(3.1)
        await look_again(app, pilot)
        assert "order held" not in text(app)
        assert shown(app)[1] == new, "the dead lock has come to the top"


async def test_the_order_rests_while_paused() -> None:
    scene = night()
    async with console(scene.session()) as (app, pilot):
        await pilot.press("p")
        before = shown(app)
        _refresh(scene, before[10])
        scene.advance(60)
        await look_again(app, pilot)
        assert shown(app) == before
        assert "order held" in text(app)


async def test_the_order_does_not_change_with_time_alone() -> None:
    scene = night()
    async with console(scene.session()) as (app, pilot):
        before = shown(app)
        scene.advance(100)
        app.refresh_status()
        await pilot.pause()
        assert shown(app) == before
        assert "UNSURE" in text(app), "what would have ended since is in doubt"


async def test_a_tick_formats_the_visible_rows_only(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    real = lock_table.row_parts

    def counted(row: object, *args: object, **kwargs: object) -> object:
        calls.append(row.key)  # type: ignore[attr-defined]
        return real(row, *args, **kwargs)  # type: ignore[arg-type]

    scene = fleet(10_000, per_volume=100)
    async with console(scene.session()) as (app, pilot):
        await until(pilot, lambda: len(shown(app)) == 10_000)
        await pilot.pause()
        monkeypatch.setattr(lock_table, "row_parts", counted)
        scene.advance(1)
        app.refresh_status()
        await pilot.pause()
        await pilot.pause()
        in_view = shown(app)[: table(app).page_rows]
        assert set(calls) == set(in_view)
        assert len(calls) <= 2 * len(in_view)
        await pilot.press("G")
        assert cursor(app) == shown(app)[-1]
        assert "9,978-10,000 of 10,000" in text(app)


async def test_countdowns_run_without_new_data() -> None:
    scene = Scene()
    scene.lock("pvc-one", 20)
    async with console(scene.session()) as (app, pilot):
        assert " 2:10 " in lines(app)[4]
        scene.advance(3)
        app.refresh_status()
        await pilot.pause()
        assert " 2:07 " in lines(app)[4]
        assert "3.0s old" in lines(app)[0]


async def test_every_line_is_as_wide_as_the_screen() -> None:
    async with console(_hostile().session()) as (app, pilot):
        for keys in (("j",), ("v",), ("question_mark",), ("escape", "enter")):
            await pilot.press(*keys)
            for size in ((120, 36), (80, 24), (200, 50), (60, 12), (100, 30), (160, 40)):
                await pilot.resize_terminal(*size)
                await pilot.pause()
                strips = app.screen._compositor.render_strips()
                assert {cell_len(strip.text) for strip in strips} == {size[0]}, (keys, size)


HOSTILE = {
    "markup": "[/red][bold]boo[/]",
    "escape": "\x1b]0;owned\x07\x1b[2J\x1b[31m",
    "bidi": "\u202egnp.exe\u2066",
    "lines": "one\ntwo\r\nthree\ttab",
    "wide": "漢字かな交じり文のとても長い名前です" * 3,
    "combining": "e\u0301" * 20 + "\u0336",
    "emoji": "👩‍👩‍👧‍👦🇨🇭",
    "long": "x" * 1000,
}


def _hostile() -> Scene:
    scene = Scene()
    for number, (kind, evil) in enumerate(HOSTILE.items()):
        volume = scene.volume(f"pvc-{kind}", (evil, evil, evil))
        scene.lock(volume, 10 + number, lock=f"lock-{kind}")
        body = b'{"Name":"' + evil.encode() + b'","Type":1,"Acquired":tru'
        scene.lock(volume, 10 + number, lock=f"bad-{kind}", body=body)
    # What no volume may be called, but a bucket may hold.
    for evil in HOSTILE.values():
        folder = evil.replace("/", "")[:200]
        scene.store.put(f"{layout.VOLUMES}/00/00/{folder}/locks/lock-evil.lck", b"{}")
    return scene


async def test_hostile_names_are_shown_harmlessly() -> None:
    scene = _hostile()
    async with console(scene.session()) as (app, pilot):
        count = len(shown(app))
        assert count == 3 * len(HOSTILE)
        # One in three shows every kind of name, of volumes and of locks.
        for place in range(0, count, 3):
            table(app).move_to(place)
            await pilot.press("y", "enter")
            await pilot.pause()
            found = text(app)
            await pilot.press("escape")
            found += text(app)
            assert not set(found) & set("\x1b\x07\r\t\u202e\u2066\u0301\u0336\u200d"), place
            assert "\x1b" not in app.clipboard
        await pilot.press("slash", "[", "slash", "r", "e", "d", "]")
        assert 0 < len(shown(app)) < count
        assert "[/red]" in text(app)
        assert app.crash is None


async def test_wide_characters_keep_the_columns_straight() -> None:
    scene = Scene()
    scene.lock(scene.volume("pvc-a", APPS[0]), 10)
    scene.lock(scene.volume("pvc-b", ("漢字", "かな交じり文", "文")), 10)
    async with console(scene.session()) as (app, _):
        cells = [_cells(line) for line in lines(app)]
        at = cells[3].index("T")
        assert cells[3][at : at + 4] == list("TYPE")
        assert {"".join(cells[n][at : at + 8]) for n in (4, 5)} == {"bkup/rst"}


def _cells(line: str) -> list[str]:
    """A line by cells: a wide character is followed by an empty one."""
    return [cell for char in line for cell in (char, *[""] * (cell_len(char) - 1))]


async def test_resizing_keeps_the_cursor_in_view() -> None:
    async with console(night().session()) as (app, pilot):
        await pilot.press("G")
        key = cursor(app)
        for size in ((80, 24), (60, 12), (200, 60), (120, 36)):
            await pilot.resize_terminal(*size)
            await pilot.pause()
            assert cursor(app) == key
            assert any(line.startswith("▌") for line in lines(app)), size


async def test_a_terminal_too_small_and_back() -> None:
    async with console(night().session()) as (app, pilot):
        await pilot.resize_terminal(59, 12)
        await pilot.pause()
        assert text(app).split("\n")[0] == "terminal too small: have 59x12, need 60x12, q quits"
        assert not text(app).split("\n", 1)[1].strip()
        await pilot.press("question_mark")
        await pilot.pause()
        assert "too small" in text(app)
        await pilot.press("escape", "enter")
        await pilot.pause()
        assert "too small" in text(app)
        await pilot.press("escape")
        await pilot.resize_terminal(60, 12)
        await pilot.pause()
        assert "VOLUME" in text(app)


async def test_columns_without_anything_to_show_are_left_out() -> None:
    scene = Scene()
    scene.lock("pvc-nameless", 10)
    async with console(scene.session(), (200, 40)) as (app, _):
        assert "OWNER" not in text(app)
        assert "CLAIM" not in text(app)
    async with console(night().session(), (230, 40)) as (app, _):
        assert "OWNER" in text(app)
        assert "node-093/4711" in text(app)


async def test_the_filter_finds_by_everything_that_is_shown() -> None:
    scene = night()
    async with console(scene.session()) as (app, pilot):
        for words, count in {
            "stale": 2,
            "delete": 6,
            "backup or restore": 22,
            "prometheus-k8s": 3,
            "lock-9f2c": 1,
            "node-093": 1,
            "shop stale": 2,
            "STALE delete": 1,
            "undecodable": 1,
            "nothing-like-this": 0,
        }.items():
            await pilot.press("slash")
            app.screen.query_one("#filter").value = words  # type: ignore[attr-defined]
            await pilot.pause()
            assert len(shown(app)) == count, words
            await pilot.press("escape")
        assert len(shown(app)) == 31


async def test_a_filter_takes_the_cursor_to_the_first_match_or_leaves_it_on_one() -> None:
    async with console(night().session()) as (app, pilot):
        table(app).move_to(9)
        await pilot.press("slash", *"shop")
        assert cursor(app) == shown(app)[0]
        await pilot.press("enter", "j", "j")
        kept = cursor(app)
        await pilot.press("escape")
        assert cursor(app) == kept
        assert len(shown(app)) == 31


async def test_a_filter_stays_while_data_moves_on() -> None:
    scene = night()
    async with console(scene.session()) as (app, pilot):
        await pilot.press("slash", *"orders-redis", "enter")
        before = len(shown(app))
        scene.lock(scene.volume("pvc-other", APPS[1]), 3)
        scene.lock(scene.volume("pvc-not", APPS[2]), 3)
        scene.advance(4)
        await look_again(app, pilot)
        assert len(shown(app)) == before + 1


def _refresh(scene: Scene, key: str) -> None:
    blob = scene.store.read(key)
    assert blob is not None
    scene.store.put(key, blob.body)


async def test_a_step_paints_all_that_it_changes() -> None:
    async with console(night().session(), (120, 20)) as (app, pilot):
        for key in ("j", "j", "k", "j", "j", "j", "j", "j", "j", "G", "k", "k", "space", "g", "j"):
            await pilot.press(key)
            await pilot.pause()
            seen = app.screen._compositor.render_strips()
            table(app).refresh()
            await pilot.pause()
            assert app.screen._compositor.render_strips() == seen, key
            marked = [line for line in lines(app) if line.startswith("▌")]
            assert len(marked) == 1
