"""Marks, following, jumping among matches, wide columns, more room, orders: by key, by mouse, and to stay."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
from textual import events
from textual.pilot import Pilot
from textual.widgets import Input

from locktop.app import LocktopApp
from locktop.messages import SortRequested
from locktop.screens.locks import LocksScreen
from locktop.widgets.panes import DetailPane
from tui.lists import compare
from tui.look import console, cursor, lines, look_again, shown, table, text, until
from tui.scene import Scene, night, uuid_volume

KEYS: dict[str, Callable[[LocktopApp, Pilot[int]], Awaitable[None]]] = {}


def _screen(app: LocktopApp) -> LocksScreen:
    return next(screen for screen in app.screen_stack if isinstance(screen, LocksScreen))


def _place(app: LocktopApp) -> int:
    return shown(app).index(cursor(app) or "")


def _refresh(scene: Scene, key: str) -> None:
    blob = scene.store.read(key)
    assert blob is not None
    scene.store.put(key, blob.body)


# -- keys


async def _marks(app: LocktopApp, pilot: Pilot[int]) -> None:
    await pilot.press("space", "space", "j", "space")
    assert "3 marked" in lines(app)[2]
    assert [line[2] for line in lines(app)[4:9]] == ["+", "+", " ", "+", " "]
    assert _place(app) == 4
    await pilot.press("k", "space")
    assert "2 marked" in lines(app)[2]
    await pilot.press("U")
    assert "marked" not in text(app)


async def _follows(app: LocktopApp, pilot: Pilot[int]) -> None:
    await pilot.press("j", "f")
    assert "following" in lines(app)[2]
    await pilot.press("f")
    assert "following" not in text(app)
    await pilot.press("f", "j")
    assert "following" not in text(app), "who goes elsewhere follows no longer"


async def _jumps(app: LocktopApp, pilot: Pilot[int]) -> None:
    await pilot.press("slash", *"volume:" + uuid_volume(1), "enter", "escape", "g")
    everything = shown(app)
    fits = [place for place, row in enumerate(table(app).rows) if row.volume.name == uuid_volume(1)]
    assert len(fits) == 2
    assert len(everything) == 31
    assert _place(app) == fits[0] == 0
    await pilot.press("n")
    assert _place(app) == fits[1]
    await pilot.press("n")
    assert _place(app) == fits[0], "on at the other end"
    await pilot.press("N")
    assert _place(app) == fits[1]
    await pilot.press("N")
    assert _place(app) == fits[0]


async def _wide(app: LocktopApp, pilot: Pilot[int]) -> None:
    assert "LAST REFRESH" not in text(app)
    await pilot.press("w")
    assert "columns l " in lines(app)[2]
    for key in ("l", "right"):
        await pilot.press(*[key] * 12)
        assert "BLOCKS NOW" in lines(app)[3]
        assert lines(app)[3].lstrip().startswith("VOLUME")
        await pilot.press(*["h" if key == "l" else "left"] * 12)
        assert "CLAIM" in lines(app)[3]
    await pilot.press("l", "l", "l")
    assert "CLAIM" not in lines(app)[3]
    assert "LOCK" in lines(app)[3]
    assert "h 3 more" in lines(app)[2]
    await pilot.press("w")
    assert "LAST REFRESH" not in text(app)
    await pilot.press("l")
    await until(pilot, lambda: "w shows the others" in text(app))


async def _zooms(app: LocktopApp, pilot: Pilot[int]) -> None:
    pane = app.screen.query_one(DetailPane)
    heights = [(table(app).size.height, pane.size.height)]
    for _ in range(3):
        await pilot.press("z")
        await pilot.pause()
        heights.append((table(app).size.height, pane.size.height))
    both, details, rows, again = heights
    assert details[1] > both[1] > rows[1] == 0
    assert details[0] < both[0] < rows[0]
    assert again == both


async def _opens_the_sheet(app: LocktopApp, pilot: Pilot[int]) -> None:
    await pilot.press("c")
    assert "Columns" in text(app)
    await pilot.press("escape")


KEYS.update(dict.fromkeys(("space", "U"), _marks))
KEYS.update(dict.fromkeys(("n", "N"), _jumps))
KEYS.update(dict.fromkeys(("w", "h", "l", "left", "right"), _wide))
KEYS.update({"f": _follows, "z": _zooms, "c": _opens_the_sheet})


@pytest.mark.parametrize("check", dict.fromkeys(KEYS.values()))
async def test_keys_of_hands(check: Callable[[LocktopApp, Pilot[int]], Awaitable[None]]) -> None:
    async with console(night().session()) as (app, pilot):
        await check(app, pilot)


# -- marks


async def test_marks_outlive_orders_filters_and_snapshots_and_hold_the_order() -> None:
    scene = night()
    async with console(scene.session()) as (app, pilot):
        assert _screen(app).chosen_volumes() is None
        await pilot.press("space", "j", "space")
        marked = {shown(app)[0], shown(app)[2]}
        volumes = {table(app).rows[place].volume.name for place in (0, 2)}
        await pilot.press("s", "S", "slash", *"registry", "enter")
        assert set(_screen(app).chosen_volumes() or ()) == volumes, "marks go before the filter"
        await pilot.press("escape", "S", "g")
        before = shown(app)
        scene.advance(10)
        new = scene.lock(scene.volume("pvc-new"), 400)
        await look_again(app, pilot)
        assert "order held" in text(app)
        assert shown(app) == [*before, new]
        assert {line[3:9] for line in lines(app) if line[2:3] == "+"} == {v[:6] for v in volumes}
        gone = next(iter(marked))
        scene.store.delete(gone)
        await look_again(app, pilot)
        await until(pilot, lambda: "1 marked lock went away" in text(app))
        assert "1 marked" in lines(app)[2]
        await pilot.press("U")
        assert _screen(app).chosen_volumes() is None
        scene.advance(10)
        await look_again(app, pilot)
        assert shown(app) != [*before, new]


async def test_without_marks_the_filter_chooses() -> None:
    async with console(night().session()) as (app, pilot):
        await pilot.press("slash", *"claim:shop/", "enter")
        assert set(_screen(app).chosen_volumes() or ()) == {row.volume.name for row in table(app).rows}
        await pilot.press("escape")
        assert _screen(app).chosen_volumes() is None


# -- following


async def test_a_followed_lock_is_kept_in_sight_wherever_it_sorts() -> None:
    scene = Scene()
    keys = [scene.lock(f"pvc-{n:03}", 60 - n / 2) for n in range(100)]
    async with console(scene.session()) as (app, pilot):
        await pilot.press("f")
        assert cursor(app) == keys[0]
        scene.advance(5)
        _refresh(scene, keys[0])
        await look_again(app, pilot)
        assert cursor(app) == keys[0]
        assert _place(app) == 99
        assert any(line.startswith("▌") and "pvc-000" in line for line in lines(app))
        table(app).scroll_to(y=0, animate=False, immediate=True)
        scene.advance(5)
        await look_again(app, pilot)
        assert any(line.startswith("▌") and "pvc-000" in line for line in lines(app))
        await pilot.press("slash", *"pvc-05", "enter")
        scene.store.delete(keys[0])
        await look_again(app, pilot)
        await until(pilot, lambda: "which was followed" in text(app))
        assert "following" not in lines(app)[2]


# -- orders


async def test_a_heading_orders_by_its_column_and_the_other_way_round() -> None:
    async with console(night().session()) as (app, pilot):
        at = lines(app)[3].index("TTL")
        await pilot.click(table(app), offset=(at, 0))
        await until(pilot, lambda: "by ttl" in text(app))
        times = [row.lock.modified_ns for row in table(app).rows if row.lock]
        assert times == sorted(times)  # type: ignore[type-var]
        await pilot.click(table(app), offset=(at, 0))
        await until(pilot, lambda: "by ttl, reversed" in text(app))
        await pilot.click(table(app), offset=(lines(app)[3].index("VOLUME"), 0))
        await until(pilot, lambda: "by volume " in text(app))


async def test_one_message_asks_for_an_order(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(LocksScreen, "on_sort_requested", lambda _, message: asked.append(message.column))
    async with console(night().session()) as (app, pilot):
        table(app).post_message(SortRequested("lock"))
        await pilot.click(table(app), offset=(lines(app)[3].index("BLOCKS"), 0))
        await until(pilot, lambda: len(asked) == 2)
        assert asked == ["lock", "blocks"]


async def test_with_claims_first_the_order_is_that_of_what_is_shown() -> None:
    scene = night()
    scene.lock(scene.volume("pvc-000-nameless"), 30)
    async with console(scene.session(), (80, 24)) as (app, pilot):
        await pilot.press("v", "s", "s")
        claims = [row.claim for row in table(app).rows]
        assert claims[:-1] == sorted(claims[:-1])
        assert claims[-1] == ""
        assert "by claim" in text(app)
        assert lines(app)[2].find("CLAIM, OR VOLUME ▲") > 0
        await pilot.press("v")
        assert [row.volume.name for row in table(app).rows] == sorted(r.volume.name for r in table(app).rows)
        assert "by volume" in text(app)


# -- finding


async def test_jumping_without_a_search_goes_to_what_needs_attention() -> None:
    async with console(night().session()) as (app, pilot):
        await pilot.press("s", "s", "g")
        places = [place for place, row in enumerate(table(app).rows) if row.state != "held"]
        for _ in range(3):
            await pilot.press("n")
            assert _place(app) in places
        seen = set()
        for _ in places:
            await pilot.press("n")
            seen.add(_place(app))
        assert seen == set(places)


async def test_a_wrong_filter_leaves_the_last_good_one_and_says_why() -> None:
    async with console(night().session(), (80, 24)) as (app, pilot):
        await pilot.press("slash", *"state:stale")
        assert len(shown(app)) == 2
        await pilot.press("space", *"tpye:")
        assert len(shown(app)) == 2
        assert "no column 'tpye', meant type?" in text(app)
        assert "matching state:stale " in lines(app)[1]
        await pilot.press(*["backspace"] * 5, *"type:")
        assert "type: backup, restore, delete" in text(app)
        await pilot.press(*"del")
        assert len(shown(app)) == 1
        await pilot.press("tab")
        assert app.screen.query_one("#filter").value == "state:stale type:delete"  # type: ignore[attr-defined]
        await pilot.press("escape")
        assert len(shown(app)) == 31


async def test_a_filter_without_a_match_says_so_wherever_one_had_scrolled() -> None:
    scene = night(held=200, free=0)
    async with console(scene.session(), (80, 24)) as (app, pilot):
        await pilot.press("G", "slash", *"no-such-thing", "enter")
        assert "no lock matches no-such-thing" in text(app)
        assert "esc clears the filter" in text(app)
        scene.advance(2)
        await look_again(app, pilot)
        assert "no lock matches no-such-thing" in text(app)


# -- looks


LOOKS = {
    "marked": ["space", "j", "space", "j", "f"],
    "wide": ["j", "w", "l", "l"],
    "details-large": ["j", "z"],
    "wrong-filter": ["slash", *"state:stale tpye:"],
}


@pytest.mark.parametrize("plain", [False, True])
@pytest.mark.parametrize("look", LOOKS)
async def test_it_looks_as_it_was_approved(look: str, plain: bool) -> None:
    async with console(night().session(), ascii_only=plain) as (app, pilot):
        await pilot.press(*LOOKS[look])
        for size in ((120, 36), (80, 24), (60, 12)):
            await pilot.resize_terminal(*size)
            await pilot.pause()
            await compare(app, pilot, "locks", f"{look}-{size[0]}x{size[1]}{'-ascii' * plain}")


async def test_what_is_typed_after_the_slash_in_one_go_is_text_and_no_commands() -> None:
    async with console(night().session()) as (app, pilot):
        # As from a terminal: all keys are there before the first is obeyed.
        for key in ("slash", "p", "v", "c", "x", "q", "slash"):
            character = "/" if key == "slash" else key
            app.post_message(events.Key(key, character))
        await until(pilot, lambda: app.screen.query_one("#filter", Input).value == "pvcxq/")
        assert not app.status.paused
        assert app.return_code is None
