"""Several contexts in one table: what is done to a row is done in the row's own store, and one that fails
holds up no other."""

from __future__ import annotations

import csv
import itertools
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from textual.pilot import Pilot

from backuplock import layout
from backuplock.errors import Unreachable
from backuplock.stores.base import Store
from locktop.badge import Badge, Choice, Contexts
from locktop.screens.break_ import BreakScreen
from locktop.screens.contexts import ContextsScreen
from locktop.screens.details import DetailsScreen
from locktop.screens.sides import SidesScreen
from locktop.screens.undo import UndoScreen
from locktop.session import Session
from locktop.side_by_side import SideBySide
from tui.breaking import button, dialog, quiet, session_on, typed
from tui.lists import compare, listed
from tui.look import lines, table, text, until
from tui.scene import Scene, night, uuid_volume

VOLUME = uuid_volume(0)
SAME = "lock-9f2c41d07be35a18"
EU, DR = Badge("prod-eu", "orange", protected=True), Badge("dr", "sky")


@dataclass
class Two:
    """Two contexts that hold the same dead lock of the same volume, and others."""

    app: SideBySide
    pilot: Pilot[int]
    eu: Scene
    dr: Scene

    @property
    def screen(self) -> SidesScreen:
        found = self.app.screen
        assert isinstance(found, SidesScreen)
        return found

    async def go_to(self, context: str, lock: str = SAME) -> None:
        """Put the cursor on a lock of a context."""
        for row in table(self.app).rows:
            if getattr(row, "context", "") == context and row.name == lock:
                table(self.app).seek(row.key)
                await self.pilot.pause()
                return
        raise AssertionError(f"no {lock} in {context}")


class Failing:
    """A store that can be lost."""

    def __init__(self, scene: Scene) -> None:
        self._scene, self.lost = scene, False

    def __call__(self) -> Store:
        return self  # type: ignore[return-value]

    def __getattr__(self, name: str) -> object:
        if self.lost and name in ("list", "read", "branch", "ranged", "keys"):
            raise Unreachable("dr does not answer", advice="is the network up?")
        return getattr(self._scene.store, name)


def _scenes() -> tuple[Scene, Scene]:
    eu, dr = quiet(night()), Scene(url="nfs://nas.example:/exports/dr")
    dr.volume(VOLUME, ("shop", "postgres-data", "postgres"))
    dr.lock(VOLUME, 400, lock=SAME)
    dr.lock(dr.volume("pvc-only-in-dr"), 20, 2, lock="lock-00000000000000d1")
    return eu, quiet(dr)


@asynccontextmanager
async def two(
    folder: Path,
    size: tuple[int, int] = (120, 36),
    *,
    writable: tuple[bool, bool] = (False, True),
    ascii_only: bool = False,
    dr_store: Failing | None = None,
    contexts: Contexts | None = None,
    scenes: tuple[Scene, Scene] | None = None,
) -> AsyncIterator[Two]:
    eu, dr = scenes or _scenes()
    sessions = []
    for scene, badge, may in zip((eu, dr), (EU, DR), writable, strict=True):
        (folder / badge.name).mkdir(exist_ok=True)
        session = session_on(scene, folder / badge.name, writable=may)
        session.badge, session.label = badge, badge.name
        sessions.append(session)
    if dr_store is not None:
        sessions[1]._open = dr_store
    app = SideBySide(sessions, ascii_only=ascii_only, contexts=contexts or Contexts())
    async with app.run_test(size=size, notifications=True) as pilot:
        await until(pilot, lambda: all(status.board is not None for status in app.statuses))
        await pilot.pause()
        yield Two(app, pilot, eu, dr)


@pytest.mark.parametrize("plain", [False, True])
async def test_the_table_of_two_looks_as_it_was_approved(plain: bool, tmp_path: Path) -> None:
    async with two(tmp_path, ascii_only=plain) as found:
        for size in ((120, 36), (80, 24), (60, 12)):
            await found.pilot.resize_terminal(*size)
            await found.pilot.pause()
            await compare(found.app, found.pilot, "sides", f"{size[0]}x{size[1]}{'-ascii' * plain}")


async def test_rows_of_both_stand_in_one_order(tmp_path: Path) -> None:
    async with two(tmp_path) as found:
        rows = table(found.app).rows
        dead = [(row.name, getattr(row, "context", "")) for row in rows if row.state.value == "stale"]
        assert (SAME, "dr") in dead
        assert (SAME, "prod-eu") in dead
        # What needs a person stands first, wherever it is.
        assert {row.state.value for row in rows[: len(dead)]} == {"stale"}
        assert len({row.key for row in rows}) == len(rows)
        await found.pilot.press("S")
        assert [row.key for row in table(found.app).rows] == [row.key for row in reversed(rows)]


async def test_everything_is_about_the_row_under_the_cursor(tmp_path: Path) -> None:
    async with two(tmp_path) as found:
        for context, url in (("dr", found.dr.store.url), ("prod-eu", found.eu.store.url)):
            await found.go_to(context)
            await found.pilot.press("enter")
            assert isinstance(found.app.screen, DetailsScreen)
            assert context in lines(found.app)[0]
            assert found.app.session.url == url
            await found.pilot.press("escape")
        await found.go_to("dr", "lock-00000000000000d1")
        await found.pilot.press("2")
        await until(found.pilot, lambda: "pvc-only-in-dr" in text(found.app))
        assert VOLUME not in text(found.app).split("pvc-only-in-dr")[1]
        await found.pilot.press("1")
        assert isinstance(found.app.screen, SidesScreen)


async def test_a_read_only_context_says_so_by_name(tmp_path: Path) -> None:
    async with two(tmp_path) as found:
        await found.go_to("prod-eu")
        await found.pilot.press("x")
        await until(found.pilot, lambda: "x is off: prod-eu is read-only" in text(found.app))
        assert isinstance(found.app.screen, SidesScreen)
        assert "x break" in lines(found.app)[-1]


@pytest.mark.parametrize("at", ["prod-eu", "dr"])
async def test_a_lock_is_broken_in_its_own_store_only(at: str, tmp_path: Path) -> None:
    """Both stores hold a lock under the very same key."""
    async with two(tmp_path, writable=(True, True)) as found:
        await found.go_to(at)
        await found.pilot.press("x")
        await until(found.pilot, lambda: isinstance(found.app.screen, BreakScreen))
        await until(found.pilot, lambda: dialog(found.app).form.proposal is not None)
        await typed(found.app, found.pilot, dialog(found.app).form.to_type)
        button(found.app).focus()
        await found.pilot.press("enter")
        await until(found.pilot, lambda: found.app.status.deeds.acted is not None)
        here, there = (found.eu, found.dr) if at == "prod-eu" else (found.dr, found.eu)
        assert not _holds(here)
        assert _holds(there)
        # Its row tells of the watch; the one of the other context stays what it was.
        await found.pilot.press("escape")
        await until(found.pilot, lambda: isinstance(found.app.screen, SidesScreen))
        await until(found.pilot, lambda: "BROKEN" in text(found.app))


def _holds(scene: Scene) -> bool:
    folder = f"{layout.volume_folder(VOLUME)}/{layout.LOCKS}"
    return any(entry.name == f"{SAME}.lck" for entry in scene.store.list(folder).entries)


async def test_keys_that_follow_fast_go_to_the_row_that_they_were_pressed_on(tmp_path: Path) -> None:
    async with two(tmp_path, writable=(True, True)) as found:
        rows = list(table(found.app).rows)
        for row, after in itertools.pairwise(rows):
            if row.context != after.context:  # type: ignore[attr-defined]
                break
        table(found.app).seek(row.key)
        await found.pilot.pause()
        # Without a pause between them: the message that the cursor moved may come later than the next key.
        table(found.app).move(1)
        await found.app.run_action("app.break_locks")
        await until(found.pilot, lambda: isinstance(found.app.screen, BreakScreen))
        await found.pilot.pause()
        assert found.app.session.badge.name == after.context  # type: ignore[attr-defined]
        assert dialog(found.app).form.wanted[0].key == after.own.key  # type: ignore[attr-defined]


async def test_what_is_open_stays_in_its_context(tmp_path: Path) -> None:
    async with two(tmp_path, writable=(True, True)) as found:
        await found.go_to("dr")
        await found.pilot.press("x")
        await until(found.pilot, lambda: isinstance(found.app.screen, BreakScreen))
        # The row goes away under the dialog, and the cursor comes to stand on another.
        for key in (one.key for one in dialog(found.app).form.wanted):
            found.dr.store.delete(key)
        for session in found.app.sessions:
            session.refresh_now()
        await until(
            found.pilot, lambda: all(row.name != SAME or row.context != "dr" for row in table(found.app).rows)
        )  # type: ignore[attr-defined]
        assert found.app.session.badge.name == "dr"


async def test_marks_in_two_contexts_are_not_broken_at_once(tmp_path: Path) -> None:
    async with two(tmp_path, writable=(True, True)) as found:
        for context in ("prod-eu", "dr"):
            await found.go_to(context)
            await found.pilot.press("space")
        await found.go_to("dr")
        await found.pilot.press("x")
        await until(found.pilot, lambda: "the marked locks are in 2 contexts" in text(found.app))
        await found.pilot.press("U")
        await found.go_to("prod-eu")
        await found.pilot.press("space")
        await found.go_to("dr", "lock-00000000000000d1")
        await found.pilot.press("x")
        await until(
            found.pilot, lambda: "marked locks are in prod-eu, the cursor is in dr" in text(found.app)
        )


async def test_one_that_fails_holds_up_no_other(tmp_path: Path) -> None:
    eu, dr = _scenes()
    lost = Failing(dr)
    async with two(tmp_path, dr_store=lost, scenes=(eu, dr)) as found:
        lost.lost = True
        found.eu.lock(found.eu.volume("pvc-new"), 1, lock="lock-00000000000000e1")
        for session in found.app.sessions:
            session.refresh_now()
        await until(found.pilot, lambda: "dr: dr does not answer" in text(found.app))
        await until(
            found.pilot, lambda: any(row.name == "lock-00000000000000e1" for row in table(found.app).rows)
        )
        # Its rows stay, as what was seen last.
        assert any(row.context == "dr" for row in table(found.app).rows)  # type: ignore[attr-defined]
        assert "▲" in lines(found.app)[0]
        lost.lost = False
        found.app.sessions[1].refresh_now()
        await until(found.pilot, lambda: "does not answer" not in text(found.app))


async def test_one_that_never_answered_is_named(tmp_path: Path) -> None:
    eu, dr = _scenes()
    lost = Failing(dr)
    lost.lost = True
    session_eu, session_dr = eu.session(), dr.session(open_store=lost)
    session_eu.badge, session_dr.badge = EU, DR
    app = SideBySide([session_eu, session_dr])
    async with app.run_test(size=(120, 36)) as pilot:
        await until(pilot, lambda: app.statuses[0].board and app.statuses[1].failure)
        await until(pilot, lambda: "dr: dr does not answer" in text(app))
        assert table(app).rows


async def test_the_filter_and_the_order_know_contexts(tmp_path: Path) -> None:
    async with two(tmp_path) as found:
        await found.pilot.press("slash", *"context", "colon", *"dr", "enter")
        assert {row.context for row in table(found.app).rows} == {"dr"}  # type: ignore[attr-defined]
        await found.pilot.press("escape")
        for _ in range(10):
            if found.screen.order_name == "context":
                break
            await found.pilot.press("s")
        names = [row.context for row in table(found.app).rows]  # type: ignore[attr-defined]
        assert names == sorted(names)


async def test_ttl_is_told_by_the_clock_of_its_own_store(tmp_path: Path) -> None:
    eu, dr = Scene(), Scene(now=Scene().now + 7_200 * 10**9)
    for scene in (eu, dr):
        scene.lock(scene.volume("pvc-a"), 30)
    async with two(tmp_path, scenes=(eu, dr)) as found:
        told = [line for line in lines(found.app) if "pvc-a" in line and "HELD" in line]
        assert [line.count("2:00") for line in told[:2]] == [1, 1]
        await found.pilot.press("slash", *"ttl", "colon", ">", "1", "m", "enter")
        assert len(table(found.app).rows) == 2


async def test_a_pause_holds_both_and_r_looks_at_both(tmp_path: Path) -> None:
    async with two(tmp_path) as found:
        await found.pilot.press("p")
        assert [status.paused for status in found.app.statuses] == [True, True]
        await found.pilot.press("p")
        assert [status.paused for status in found.app.statuses] == [False, False]
        boards = [status.board for status in found.app.statuses]
        await found.pilot.press("r")
        await until(
            found.pilot,
            lambda: all(
                status.board is not before for status, before in zip(found.app.statuses, boards, strict=True)
            ),
        )
        await found.pilot.press("plus")
        assert len({session.interval_ns for session in found.app.sessions}) == 1


async def test_the_export_tells_of_which_context_each_row_is(tmp_path: Path) -> None:
    async with two(tmp_path) as found:
        export = found.screen.export
        assert export is not None
        document = json.loads(export.make["json"]())
        assert list(document["contexts"]) == ["prod-eu", "dr"]
        assert document["contexts"]["dr"]["target"] == found.dr.store.url
        heading, *rows = csv.reader(export.make["csv"]().splitlines())
        assert heading[0] == "context"
        assert len(rows) == sum(row.lock is not None for row in table(found.app).rows)
        assert {row[0] for row in rows} == {"prod-eu", "dr"}


async def test_the_column_can_be_put_away(tmp_path: Path) -> None:
    async with two(tmp_path) as found:
        assert "CONTEXT" in text(found.app)
        await found.pilot.press("c", "j", "space", "escape")
        assert "CONTEXT" not in text(found.app)


async def test_command_lines_that_are_copied_name_the_context(tmp_path: Path) -> None:
    async with two(tmp_path) as found:
        await found.go_to("dr")
        await found.pilot.press("Y")
        await until(found.pilot, lambda: "-c dr" in text(found.app))
        assert "-c prod-eu" not in text(found.app)


async def test_a_lock_that_comes_back_elsewhere_is_rung_for_by_name(tmp_path: Path) -> None:
    async with two(tmp_path, writable=(True, True)) as found:
        await found.go_to("dr")
        key = table(found.app).cursor_row.own.key  # type: ignore[union-attr]
        body = found.dr.store.read(key)
        assert body is not None
        await found.pilot.press("x")
        await until(found.pilot, lambda: isinstance(found.app.screen, BreakScreen))
        await until(found.pilot, lambda: dialog(found.app).form.proposal is not None)
        await typed(found.app, found.pilot, dialog(found.app).form.to_type)
        button(found.app).focus()
        await found.pilot.press("enter")
        await until(found.pilot, lambda: found.app.status.deeds.acted is not None)
        await found.pilot.press("escape")
        await until(found.pilot, lambda: isinstance(found.app.screen, SidesScreen))
        # The person goes elsewhere, and the holder there writes it again.
        await found.go_to("prod-eu", "lock-44be02c1a97d3f60")
        found.dr.advance(5)
        found.dr.store.put(key, body.body)
        for session in found.app.sessions:
            session.refresh_now()
        await until(found.pilot, lambda: found.app.statuses[1].deeds.cares[0].vigil.decided)
        await until(found.pilot, lambda: "CAME BACK" in text(found.app))
        assert found.app.session.badge.name == "prod-eu"
        told = [note.message for note in found.app._notifications]
        assert [line for line in told if line.startswith("dr: ")], told


async def test_what_was_broken_is_put_back_where_it_was(tmp_path: Path) -> None:
    async with two(tmp_path, writable=(True, True)) as found:
        await found.go_to("dr")
        await found.pilot.press("x")
        await until(found.pilot, lambda: isinstance(found.app.screen, BreakScreen))
        await until(found.pilot, lambda: dialog(found.app).form.proposal is not None)
        await typed(found.app, found.pilot, dialog(found.app).form.to_type)
        button(found.app).focus()
        await found.pilot.press("enter")
        await until(found.pilot, lambda: found.app.status.deeds.acted is not None)
        await found.pilot.press("escape")
        await until(found.pilot, lambda: isinstance(found.app.screen, SidesScreen))
        # The other context has nothing that could be put back, this one has.
        await found.go_to("prod-eu", "lock-44be02c1a97d3f60")
        await found.pilot.press("u")
        await until(found.pilot, lambda: isinstance(found.app.screen, UndoScreen))
        await until(found.pilot, lambda: found.app.status.deeds.shelf is not None)
        assert list(listed(found.app).keys) == []
        await found.pilot.press("escape")
        await found.go_to("dr")
        await found.pilot.press("u")
        await until(found.pilot, lambda: isinstance(found.app.screen, UndoScreen))
        await until(found.pilot, lambda: len(listed(found.app).keys) == 1)


# -- the picker


class Map:
    """Contexts that can be opened."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def open(self, name: str) -> Session:
        self.asked.append(name)
        session = Scene().session()
        session.badge = Badge(name)
        return session

    @property
    def contexts(self) -> Contexts:
        choices = tuple(
            Choice(badge, "s3://b@r/", writable=False) for badge in (EU, DR, Badge("staging"), Badge("lab"))
        )
        return Contexts(choices, "~/config.toml", self.open)


async def test_the_picker_goes_to_rows_of_an_open_context(tmp_path: Path) -> None:
    there = Map()
    async with two(tmp_path, contexts=there.contexts) as found:
        await found.go_to("prod-eu")
        await found.pilot.press("C", "j")
        assert listed(found.app).cursor == "dr"
        await found.pilot.press("enter")
        await until(found.pilot, lambda: isinstance(found.app.screen, SidesScreen))
        assert found.app.session.badge.name == "dr"
        assert getattr(table(found.app).cursor_row, "context", "") == "dr"
        assert there.asked == []


async def test_several_are_marked_in_the_picker_and_opened_side_by_side(tmp_path: Path) -> None:
    there = Map()
    async with two(tmp_path, contexts=there.contexts) as found:
        await found.pilot.press("C")
        assert isinstance(found.app.screen, ContextsScreen)
        await found.pilot.press("k", "k", "k", "j", "j", "space", "space", "k", "enter")
        await until(found.pilot, lambda: found.app.return_code is not None)
        assert there.asked == ["staging", "lab"]
        assert [session.badge.name for session in found.app.next_sessions] == ["staging", "lab"]
