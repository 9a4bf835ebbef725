"""The Blocked view: what is blocked over all volumes, who waits first; its keys, its look, hostile names."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from textual.pilot import Pilot

from backuplock.errors import Unreachable
from backuplock.survey import sweep
from locktop import keys
from locktop.app import LocktopApp
from locktop.block_lines import Scene as Seen
from locktop.block_lines import block_line, widths_of
from locktop.block_list import blocks_of, in_order
from locktop.format import UNICODE
from locktop.messages import DetailsRequested
from locktop.rows import Board, board_of
from locktop.screens.blocked import BlockedScreen
from locktop.screens.details import DetailsScreen
from locktop.screens.locks import LocksScreen
from locktop.screens.simulate import SimulateScreen
from locktop.widgets.painted import width_of
from tui.lists import compare, keys_of, listed
from tui.look import console, look_again, text, until
from tui.scene import Scene, night, uuid_volume

LONG = "pvc-" + "x" * 240
HOSTILE = ("[bold red]", "\x1b]0;owned\x07\u202e漢字", "\x1b[2J")
SIZES = {"120x36": (120, 36), "80x24": (80, 24), "60x12": (60, 12), "180x44": (180, 44)}


def board(scene: Scene, before: Board | None = None) -> Board:
    previous = before.snapshot if before is not None else None
    return board_of(sweep(scene.store, previous, clock=scene.clock), before)


def a_queue() -> Scene:
    """One volume where two wait, one where a doubt is, one merely locked, one free."""
    scene = Scene()
    for at, volume in enumerate(("pvc-a-locked", "pvc-b-unread", "pvc-c-awaited", "pvc-d-free")):
        scene.volume(volume, ("shop", f"claim-{at}", "w"))
    scene.lock("pvc-a-locked", 10, 2, lock="lock-a")
    scene.lock("pvc-b-unread", 10, body=b"{", lock="lock-b")
    scene.lock("pvc-c-awaited", 20, 2, lock="lock-c1")
    scene.lock("pvc-c-awaited", 15, 1, acquired=False, lock="lock-c2")
    scene.lock("pvc-c-awaited", 5, 1, acquired=False, lock="lock-c3")
    return scene


# -- the list


def test_who_waits_stands_first_then_what_is_locked_by_its_end() -> None:
    found = blocks_of(board(a_queue()))
    order = in_order(found, "waiting")
    assert order[0].view.name == "pvc-c-awaited"
    assert [row.name for row in order[0].waiting] == ["lock-c2", "lock-c3"]
    assert [row.name for row in order[0].blockers] == ["lock-c1"]
    assert {operation.value for operation in order[0].operations} == {"backup", "restore"}
    assert found.awaited == 1
    names = {block.view.name for block in order}
    assert names == {"pvc-a-locked", "pvc-b-unread", "pvc-c-awaited"}
    ends = [block.until_ns for block in order if not block.waiting and block.until_ns is not None]
    assert ends == sorted(ends)
    assert in_order(found, "volume", reverse=True)[-1].view.name == "pvc-a-locked"


def test_what_cannot_be_told_stands_between_those_awaited_and_the_merely_locked() -> None:
    scene = a_queue()
    scene.clock.advance(0)
    doubtful = Scene()
    doubtful.lock("pvc-sure", 10, 2)
    refused = doubtful.volume("pvc-refused")

    class Store:
        def __getattr__(self, name: str) -> object:
            return getattr(doubtful.store, name)

        def list(self, folder: str) -> object:
            if folder.endswith(refused):
                raise Unreachable("no answer", advice="wait")
            return doubtful.store.list(folder)

    found = blocks_of(board_of(sweep(Store(), None, clock=doubtful.clock)))  # type: ignore[arg-type]
    order = in_order(found, "waiting")
    assert [(block.view.name, block.sure) for block in order] == [("pvc-refused", False), ("pvc-sure", True)]
    assert not order[0].blockers
    assert order[0].rows[0].lock is None


def test_volumes_in_which_nothing_changed_keep_their_lines() -> None:
    scene = night()
    first = board(scene)
    before = blocks_of(first)
    scene.lock(uuid_volume(9), 1, 2, lock="lock-new")
    after = blocks_of(board(scene, first), before)
    changed = [block for block in after.blocks if block is not before.by_key.get(block.key)]
    assert {block.view.name for block in changed} == {uuid_volume(9)}
    assert len(after.blocks) > 20


def test_a_held_order_keeps_what_is_shown_and_adds_at_the_end() -> None:
    scene = a_queue()
    shown = [block.key for block in in_order(blocks_of(board(scene)), "volume")]
    scene.lock("pvc-0-first", 1, 2)
    after = [block.key for block in in_order(blocks_of(board(scene)), "volume", shown=shown)]
    assert after[:-1] == shown
    assert after[-1].startswith("pvc-0-first/")


def test_every_line_fits_every_width() -> None:
    scene = night()
    scene.lock(scene.volume(LONG, HOSTILE), 1, 2, lock="lock-" + "y" * 200)
    found = board(scene)
    blocks = blocks_of(found).blocks
    for claims in (False, True):
        seen = Seen(found.snapshot, {}, found.now, UNICODE, claims)
        for width in range(58, 200):
            widths = widths_of(width, claims=claims)
            for block in blocks:
                line = block_line(block, widths, seen)
                assert width_of(line) <= width
                assert all(part.isprintable() for part, _ in line)


# -- the view


@pytest.fixture
def queue() -> Scene:
    return a_queue()


async def _open(pilot: Pilot[int], app: LocktopApp) -> BlockedScreen:
    await pilot.press("2")
    await until(pilot, lambda: isinstance(app.screen, BlockedScreen) and keys_of(app))
    await pilot.pause()
    assert isinstance(app.screen, BlockedScreen)
    return app.screen


def _moves() -> Iterator[tuple[str, int, int]]:
    for key in ("j", "down"):
        yield key, 3, 4
    for key in ("k", "up"):
        yield key, 3, 2
    for key in ("g", "home"):
        yield key, 9, 0
    for key in ("G", "end"):
        yield key, 9, -1
    for key in ("ctrl+d", "pagedown", "ctrl+f"):
        yield key, 0, 1_000
    for key in ("ctrl+u", "pageup", "ctrl+b"):
        yield key, 20, -1_000


async def test_moving() -> None:
    async with console(night().session(), (100, 24)) as (app, pilot):
        await _open(pilot, app)
        table = listed(app)
        count = len(table.keys)
        for key, start, to in _moves():
            table.move_to(start)
            await pilot.press(key)
            if abs(to) == 1_000:
                half = 2 if key in ("ctrl+d", "ctrl+u") else 1
                assert abs(table.place - start) == round(table.page_rows / half), key
            else:
                assert table.place == to % count, key


async def test_the_other_keys(queue: Scene) -> None:
    async with console(queue.session()) as (app, pilot):
        screen = await _open(pilot, app)
        everything = keys_of(app)
        assert everything[0].startswith("pvc-c-awaited/")
        await pilot.press("o")
        assert {key.split("/")[0] for key in keys_of(app)} == {"pvc-c-awaited"}
        await pilot.press("o", "slash", *"lock-a", "enter")
        assert [key.split("/")[0] for key in keys_of(app)] == ["pvc-a-locked"]
        assert app.focused is listed(app)
        await pilot.press("escape")
        assert keys_of(app) == everything
        await pilot.press("slash", *"nowhere")
        assert "nothing that is blocked matches nowhere" in text(app)
        await pilot.press("escape")
        assert keys_of(app) == everything
        await pilot.press("s", "s")
        assert "by volume" in text(app)
        assert keys_of(app)[0].startswith("pvc-a-locked/")
        await pilot.press("S")
        assert "reversed" in text(app)
        assert keys_of(app)[-1].startswith("pvc-a-locked/")
        await pilot.press("S", "s", "s", "v")
        assert "▌○ shop/claim-2" in text(app)
        await pilot.press("v", "G", "escape")
        assert not listed(app).chosen
        await pilot.press("y")
        assert app.clipboard == "pvc-c-awaited"
        assert screen.block is not None


async def test_opening_and_simulating(queue: Scene) -> None:
    async with console(queue.session()) as (app, pilot):
        await _open(pilot, app)
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, DetailsScreen) and "pvc-c-awaited" in text(app))
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, BlockedScreen))
        await pilot.click(listed(app), offset=(10, 2))
        assert listed(app).place == 1
        await pilot.click(listed(app), offset=(10, 1), times=2)
        await until(pilot, lambda: isinstance(app.screen, DetailsScreen) and "pvc-c-awaited" in text(app))
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, BlockedScreen))
        await pilot.press("a")
        await until(pilot, lambda: isinstance(app.screen, SimulateScreen) and "pvc-c-awaited" in text(app))


async def test_the_wish_to_open_carries_the_line(queue: Scene) -> None:
    heard: list[str] = []

    class Listening(BlockedScreen):
        def on_details_requested(self, message: DetailsRequested) -> None:
            heard.append(message.key)

    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(LocktopApp.MODES, "blocked", Listening)
        async with console(queue.session()) as (app, pilot):
            await _open(pilot, app)
            second = keys_of(app)[1]
            await pilot.click(listed(app), offset=(10, 2), times=2)
            await until(pilot, lambda: heard)
            assert heard == [second]


async def test_the_cursor_stays_on_its_line_of_the_list(queue: Scene) -> None:
    async with console(queue.session()) as (app, pilot):
        await _open(pilot, app)
        await pilot.press("j")
        before = listed(app).cursor
        queue.advance(10)
        for at in range(5):
            queue.lock(f"pvc-0-{at}", 60, 2)
            queue.lock(f"pvc-0-{at}", 50, 1, acquired=False)
        await look_again(app, pilot)
        await until(pilot, lambda: len(keys_of(app)) > 6)
        assert listed(app).cursor == before
        assert f"2 Blocked {len(keys_of(app))} " in text(app)


async def test_every_key_of_the_view_is_tried() -> None:
    tried = {key for key, _, _ in _moves()} | {*"osSvya", "slash", "escape", "enter"}
    bound = {key for one in keys.KEYS if one.place == "blocked" for key in one.keys.split(",")}
    assert bound == tried


@pytest.mark.parametrize("plain", [False, True])
async def test_it_looks_as_it_was_approved(plain: bool) -> None:
    tail = "-ascii" if plain else ""
    async with console(night().session(), ascii_only=plain) as (app, pilot):
        await _open(pilot, app)
        for size, cells in SIZES.items():
            if plain and size in ("60x12", "180x44"):
                continue
            await pilot.resize_terminal(*cells)
            await pilot.pause()
            await compare(app, pilot, "blocked", size + tail)


async def test_nothing_blocked_is_said() -> None:
    scene = Scene()
    scene.volume("pvc-free")
    async with console(scene.session(), (80, 24)) as (app, pilot):
        await pilot.press("2")
        await until(pilot, lambda: "nothing is blocked: every operation would be granted" in text(app))
        assert "1 volume looked at" in text(app)
        await pilot.press("j", "enter", "a", "y", "G")
        assert isinstance(app.screen, BlockedScreen)


async def test_before_the_first_look_and_while_outdated() -> None:
    scene = a_queue()
    gate = False

    def open_store() -> object:
        if not gate:
            raise Unreachable("s3.example does not answer", advice="is the network up?")
        return scene.store

    async with console(scene.session(open_store=open_store), loaded=False) as (app, pilot):  # type: ignore[arg-type]
        await pilot.press("2")
        await until(pilot, lambda: "s3.example does not answer" in text(app))
        assert isinstance(app.screen, BlockedScreen)


async def test_hostile_names_stay_text() -> None:
    scene = Scene()
    scene.lock(scene.volume(LONG, HOSTILE), 1, 2)
    async with console(scene.session(), (80, 24)) as (app, pilot):
        await _open(pilot, app)
        await pilot.press("v")
        await pilot.resize_terminal(180, 44)
        await pilot.pause()
        shown = text(app)
        assert "[bold red]/" in shown
        assert "\x1b" not in shown
        assert "\u202e" not in shown
        await pilot.press("slash", *"漢", "enter")
        assert len(keys_of(app)) == 1


async def test_one_goes_back_to_where_one_was() -> None:
    async with console(night().session()) as (app, pilot):
        await _open(pilot, app)
        await pilot.press("1")
        await until(pilot, lambda: isinstance(app.screen, LocksScreen))
