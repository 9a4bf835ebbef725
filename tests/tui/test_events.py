"""The Events view: every kind in both character sets, following, pauses, gaps, filters, hostile names."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from textual.pilot import Pilot

from backuplock.clock import SECOND
from backuplock.errors import Unreachable
from backuplock.journal import Journal
from backuplock.model import Owner
from backuplock.watch import Event, EventKind
from locktop import keys
from locktop.app import LocktopApp
from locktop.event_list import (
    LOUD,
    TONES,
    EventList,
    Item,
    Seen,
    Wanted,
    item_line,
    widths_of,
)
from locktop.format import ASCII, UNICODE
from locktop.messages import DetailsRequested
from locktop.screens.details import DetailsScreen
from locktop.screens.events import EventsScreen
from locktop.status import Outage, Status
from locktop.widgets.painted import width_of
from tui.lists import compare, keys_of, listed
from tui.look import console, lines, look_again, text, until
from tui.scene import NOW, Scene

KEY = "backupstore/volumes/00/00/pvc-one/locks/lock-1.lck"
HOSTILE = "\x1b]0;owned\x07[bold]\u202e漢字\n" + "x" * 400
SIZES = {"120x36": (120, 36), "80x24": (80, 24), "60x12": (60, 12), "180x44": (180, 44)}


def event(kind: EventKind, at_s: float = 0, **changes: object) -> Event:
    made = Event(kind, KEY, "pvc-one", 2, NOW + round(at_s * SECOND))
    return replace(made, **changes)  # type: ignore[arg-type]


def status(*events: Event, **changes: object) -> Status:
    made = Status("l", "u", read_only=True, mono_ns=0, wall_ns=NOW + 60 * SECOND, interval_ns=2 * SECOND)
    return replace(made, events=events, **changes)  # type: ignore[arg-type]


def nobody(_volume: str) -> str:
    return ""


def items(found: Status, wanted: Wanted | None = None) -> list[Item]:
    made = EventList()
    made.take(found, wanted or Wanted(), nobody)
    return list(made.items)


def said(item: Item, found: Status, width: int = 140, *, plain: bool = False) -> str:
    widths = widths_of(width, claims=True, holders=True, days=False)
    seen = Seen(found, ASCII if plain else UNICODE, lambda _: "shop/data")
    return "".join(part for part, _ in item_line(item, widths, seen))


# -- lines


@pytest.mark.parametrize("kind", EventKind)
@pytest.mark.parametrize("plain", [False, True])
def test_every_kind_has_a_line_of_its_own(kind: EventKind, plain: bool) -> None:
    found = status(event(kind))
    line = said(items(found, Wanted(renewals=True))[0], found, plain=plain)
    assert kind.value.upper() in line
    assert line.startswith("03:04:05")
    assert "pvc-one" in line
    assert "shop/data" in line
    assert "delete" in line
    assert line.isascii() or not plain
    assert kind in TONES


@pytest.mark.parametrize("kind", [EventKind.CAME_BACK, EventKind.CLASH])
def test_what_must_not_be_missed_is_loud(kind: EventKind) -> None:
    found = status(event(kind), event(EventKind.ACQUIRED, 1))
    widths = widths_of(140, claims=True, holders=True, days=False)
    quiet, loud = (item_line(item, widths, Seen(found, UNICODE, nobody)) for item in items(found))
    assert {tone for _, tone in loud} == {"alert"}
    assert "alert" not in {tone for _, tone in quiet}
    assert kind in LOUD


def test_what_is_inferred_is_marked() -> None:
    found = status(event(EventKind.RELEASED, inferred=True), event(EventKind.BROKEN, 1))
    broken, released = items(found)
    assert "RELEASED?" in said(released, found)
    assert "BROKEN " in said(broken, found)


@pytest.mark.parametrize("words", ["after it was late", "after it had expired"])
def test_a_renewal_that_takes_back_what_was_said_is_not_hidden(words: str) -> None:
    found = status(event(EventKind.EXPIRED), event(EventKind.RENEWED, 1, detail=words))
    revived, _ = items(found)
    assert "RENEWED LATE " in said(revived, found, 80)
    assert words in said(revived, found, 180)
    widths = widths_of(80, claims=True, holders=True, days=False)
    tones = {tone for _, tone in item_line(revived, widths, Seen(found, UNICODE, nobody))}
    assert TONES[EventKind.ACQUIRED] in tones
    assert TONES[EventKind.RENEWED] not in tones


def test_what_concerns_no_volume_says_so() -> None:
    jump = event(
        EventKind.TIME_JUMPED, key="", volume="", type=None, inferred=True, detail="the clock: +600 s"
    )
    found = status(jump)
    (item,) = items(found)
    widths = widths_of(160, claims=False, holders=False, days=False)
    line = "".join(part for part, _ in item_line(item, widths, Seen(found, UNICODE, nobody)))
    assert "TIME JUMPED?" in line
    assert "(the store)" in line
    assert "the clock: +600 s" in line
    assert "? " not in line.partition("(the store)")[2]


def test_every_line_fits_its_width_and_is_printable() -> None:
    evil = event(EventKind.CORRUPT, volume=HOSTILE, key=f"a/{HOSTILE}.lck", detail=HOSTILE, type=1 << 80)
    found = status(evil, holders={evil.key: "漢字" * 20}, outages=(Outage(NOW, None, HOSTILE),))
    for width in range(58, 200):
        for claims in (False, True):
            widths = widths_of(width, claims=claims, holders=True, days=claims)
            fixed = widths.time + 2 + 2 + 17 + 2 + widths.volume + 2 + 10
            fixed += sum(size + 2 for size in (widths.claim, widths.who, widths.lock) if size)
            assert fixed <= width + 2
            for item in items(found):
                line = item_line(item, widths, Seen(found, UNICODE, lambda _: HOSTILE))
                assert all(part.isprintable() for part, _ in line)
                assert width_of(line) < 1500


# -- the list


def test_the_youngest_stands_first_and_renewals_are_hidden() -> None:
    found = status(event(EventKind.ACQUIRED), event(EventKind.RENEWED, 1), event(EventKind.EXPIRED, 2))
    assert [one.event.kind for one in items(found) if one.event] == [EventKind.EXPIRED, EventKind.ACQUIRED]
    assert len(items(found, Wanted(renewals=True))) == 3


def test_gaps_stand_where_they_were_and_the_journals_events_under_a_rule() -> None:
    found = status(
        event(EventKind.ACQUIRED),
        event(EventKind.EXPIRED, 20),
        before=1,
        outages=(
            Outage(NOW + 10 * SECOND, NOW + 15 * SECOND, "no route"),
            Outage(NOW + 50 * SECOND, None, "x"),
        ),
    )
    running, expired, rule_or_gap, *rest = items(found)
    assert "until now (10s): what happened is not known; x" in said(running, found)
    assert expired.event is not None
    assert "until 03:04:20 (5s)" in said(rule_or_gap, found)
    assert said(rest[0], found).startswith("── before this session")
    assert rest[-1].event is not None


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("expired", 1),
        ("EVENT:EXPIRED", 1),
        ("pvc-one", 2),
        ("type:delete", 2),
        ("type:delete !event:acquired", 1),
        ("owner:node-1", 2),
        ("claim:shop", 2),
        ("lock:lock-1 expired", 1),
        ("type:backup", 0),
    ],
)
def test_filters(text: str, count: int) -> None:
    made = EventList()
    found = status(event(EventKind.ACQUIRED), event(EventKind.EXPIRED, 1), holders={KEY: "node-1/12"})
    made.take(found, Wanted(text), lambda _: "shop/data")
    assert len(made.items) == count
    assert made.total == 2


def test_nothing_is_done_while_nothing_is_new() -> None:
    made, found = EventList(), status(event(EventKind.ACQUIRED))
    assert made.take(found, Wanted(), nobody)
    assert not made.take(replace(found, mono_ns=5), Wanted(), nobody)
    assert made.take(found, Wanted("x"), nobody)


# -- the view


async def _open(pilot: Pilot[int], app: LocktopApp) -> None:
    await pilot.press("4")
    await until(pilot, lambda: isinstance(app.screen, EventsScreen))
    await pilot.pause()


def _busy(scene: Scene, number: int, count: int = 1) -> None:
    for at in range(count):
        owner = Owner(host=f"node-{at}", pid=7)
        scene.lock(f"pvc-{number:02}-{at:02}", 0, 1 + at % 2, lock=f"lock-{number:02}-{at:02}", owner=owner)


async def _news(app: LocktopApp, pilot: Pilot[int], scene: Scene, number: int, count: int = 1) -> None:
    scene.advance(2)
    _busy(scene, number, count)
    await look_again(app, pilot)


async def test_it_follows_until_a_person_moves() -> None:
    scene = Scene()
    async with console(scene.session(), (100, 14)) as (app, pilot):
        await _open(pilot, app)
        await _news(app, pilot, scene, 1, 12)
        top = listed(app).cursor
        await _news(app, pilot, scene, 2)
        assert listed(app).place == 0
        assert listed(app).cursor != top
        await pilot.press("G")
        held = listed(app).cursor
        before = text(app)
        await _news(app, pilot, scene, 3, 5)
        assert listed(app).cursor == held
        assert "+5 new, esc follows" in text(app)
        assert lines(app)[-4] == before.splitlines()[-4], "nothing moves under a person's eyes"
        await pilot.press("escape")
        assert listed(app).place == 0
        assert "new, esc" not in text(app)


async def test_the_last_word_on_a_lock_that_lives_is_not_that_it_expired() -> None:
    scene = Scene()
    scene.lock(scene.volume("pvc-slow"), 100, lock="lock-slow")
    async with console(scene.session(), (120, 24)) as (app, pilot):
        await _open(pilot, app)
        for wait in (60, 20):
            scene.advance(wait)
            await look_again(app, pilot)
        assert [line.split()[2] for line in lines(app) if "pvc-slow" in line] == ["EXPIRED"]
        scene.lock("pvc-slow", 0, lock="lock-slow")
        await look_again(app, pilot)
        assert next(line.split()[2:4] for line in lines(app) if "pvc-slow" in line) == ["RENEWED", "LATE"]


async def test_a_step_of_the_stores_clock_opens_no_volume() -> None:
    scene = Scene()
    scene.lock(scene.volume("pvc-one"), 5)
    async with console(scene.session(), (140, 24)) as (app, pilot):
        await _open(pilot, app)
        scene.writer.step_wall(-600 * SECOND)
        scene.advance(2)
        await look_again(app, pilot)
        assert "(the store)" in text(app)
        await pilot.press("j", "k", "enter", "y")
        assert isinstance(app.screen, EventsScreen)
        assert "TIME JUMPED" in app.clipboard
        assert app.crash is None


async def test_events_that_arrive_while_paused_are_counted() -> None:
    scene = Scene()
    async with console(scene.session()) as (app, pilot):
        await _open(pilot, app)
        await _news(app, pilot, scene, 1, 2)
        await pilot.press("p")
        board = app.session.board
        scene.advance(2)
        _busy(scene, 2, 37)
        # Rewritten by its holder: that is no news.
        _busy(scene, 1, 2)
        app.session.refresh_now()
        await until(pilot, lambda: app.session.board is not board)
        await until(pilot, lambda: "+37 new while paused" in text(app))
        assert len(keys_of(app)) == 2
        await pilot.press("p")
        assert len(keys_of(app)) == 39
        assert "while paused" not in text(app)


async def test_the_keys() -> None:
    scene = Scene()
    async with console(scene.session()) as (app, pilot):
        await _open(pilot, app)
        await _news(app, pilot, scene, 1, 40)
        table = listed(app)
        for key, start, to in (
            *(("j", 3, 4), ("down", 3, 4), ("k", 3, 2), ("up", 3, 2)),
            *(("g", 9, 0), ("home", 9, 0), ("G", 0, 39), ("end", 0, 39)),
            *((key, 0, round(table.page_rows / 2)) for key in ("ctrl+d",)),
            *((key, 39, 39 - round(table.page_rows / 2)) for key in ("ctrl+u",)),
            *((key, 0, table.page_rows) for key in ("pagedown", "ctrl+f")),
            *((key, 39, 39 - table.page_rows) for key in ("pageup", "ctrl+b")),
        ):
            table.move_to(start)
            await pilot.press(key)
            assert table.place == to, key
        await pilot.press("slash", *"type:del", "enter")
        assert len(keys_of(app)) == 20
        assert app.focused is table
        await pilot.press("slash", *"zzz")
        assert "no event matches type:delzzz" in text(app)
        await pilot.press("escape")
        assert len(keys_of(app)) == 40
        scene.advance(2)
        _busy(scene, 1)
        await look_again(app, pilot)
        assert len(keys_of(app)) == 40
        await pilot.press("R")
        assert len(keys_of(app)) == 41
        await pilot.press("g")
        assert "RENEWED" in text(app)
        await pilot.press("R", "v", "v", "escape", "y")
        assert app.clipboard.startswith("03:04:0")
        assert "lock-01-" in app.clipboard
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, DetailsScreen))


async def test_every_key_of_the_view_is_tried() -> None:
    tried = {"slash", "escape", "enter", *"RvyjkgG", "down", "up", "home", "end"}
    tried |= {"ctrl+d", "ctrl+u", "pagedown", "pageup", "ctrl+f", "ctrl+b"}
    bound = {key for one in keys.KEYS if one.place == "events" for key in one.keys.split(",")}
    assert bound == tried


async def test_the_wish_to_open_carries_the_line() -> None:
    heard: list[str] = []

    class Listening(EventsScreen):
        def on_details_requested(self, message: DetailsRequested) -> None:
            heard.append(message.key)

    scene = Scene()
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(LocktopApp.MODES, "events", Listening)
        async with console(scene.session()) as (app, pilot):
            await _open(pilot, app)
            await _news(app, pilot, scene, 1, 4)
            second = keys_of(app)[1]
            await pilot.click(listed(app), offset=(10, 2), times=2)
            await until(pilot, lambda: heard)
            assert heard == [second]
            await until(pilot, lambda: isinstance(app.screen, DetailsScreen))


async def test_a_gap_is_shown_as_an_event() -> None:
    scene, broken = Scene(), False

    class Store:
        def __getattr__(self, name: str) -> object:
            if broken and name == "list":
                raise Unreachable("s3.example does not answer", advice="is the network up?")
            return getattr(scene.store, name)

    async with console(scene.session(open_store=Store)) as (app, pilot):  # type: ignore[arg-type]
        await _open(pilot, app)
        await _news(app, pilot, scene, 1)
        broken = True
        scene.advance(30)
        app.session.refresh_now()
        await until(pilot, lambda: "NO ANSWER" in text(app))
        assert "until now" in text(app)
        broken = False
        scene.advance(42)
        await _news(app, pilot, scene, 2)
        assert "until 03:05:21 (44s): what happened is not known; s3.example does not answer" in text(app)
        assert [key.split("/")[0] == "outage" for key in keys_of(app)] == [False, False, True, False]
        await pilot.press("j", "j", "enter", "y")
        assert isinstance(app.screen, EventsScreen)


async def test_what_the_journal_tells_stands_under_a_rule(tmp_path: Path) -> None:
    scene = Scene()
    for number in (1, 2):
        session = scene.session(open_journal=lambda: Journal.open(tmp_path / "j.db"))
        async with console(session) as (app, pilot):
            await _open(pilot, app)
            await _news(app, pilot, scene, number)
            await until(pilot, lambda mine=f"pvc-{number:02}-00": mine in text(app))
            found = text(app)
    assert (
        found.index("pvc-02-00")
        < found.index("before this session, from the journal")
        < found.index("pvc-01-00")
    )


async def test_empty_states() -> None:
    scene = Scene()
    scene.volume("pvc-free")
    async with console(scene.session()) as (app, pilot):
        await _open(pilot, app)
        scene.advance(12)
        app.refresh_status()
        await until(pilot, lambda: "no events yet: watched for 12s" in text(app))
        await pilot.press("j", "enter", "y", "G", "g")
        assert isinstance(app.screen, EventsScreen)


@pytest.mark.parametrize("plain", [False, True])
async def test_it_looks_as_it_was_approved(plain: bool) -> None:
    scene = Scene()
    first = scene.lock(
        scene.volume("pvc-3f3bd369-2ab6-43ea-aff5-c8455a1dca9a", ("shop", "data", "db")), 140, 2
    )
    scene.lock("pvc-0eff2e8c-b7f6-4d9f-854d-bfe2533e07d6", 5, 1, lock="lock-44be02c1a97d3f60")
    async with console(scene.session(), ascii_only=plain) as (app, pilot):
        await _open(pilot, app)
        scene.advance(12)
        scene.lock("pvc-0eff2e8c-b7f6-4d9f-854d-bfe2533e07d6", 3, 2, lock="lock-7c1d8e3355a0b2f4")
        scene.lock(
            "pvc-89c3c3c0-4df1-4d6e-a0f2-6f6c2c3d2b11",
            1,
            1,
            acquired=False,
            lock="lock-0d41a2bb96c8e7f3",
            owner=Owner(host="node-093", pid=4711),
        )
        await look_again(app, pilot)
        scene.advance(5)
        body = scene.store.read(first)
        assert body is not None
        scene.store.delete(first)
        await look_again(app, pilot)
        scene.advance(5)
        scene.store.put(first, body.body)
        await look_again(app, pilot)
        for size, cells in SIZES.items():
            if plain and size in ("60x12", "180x44"):
                continue
            await pilot.resize_terminal(*cells)
            await pilot.pause()
            await compare(app, pilot, "events", size + ("-ascii" if plain else ""))


async def test_hostile_names_stay_text() -> None:
    scene = Scene()
    async with console(scene.session(), (80, 24)) as (app, pilot):
        await _open(pilot, app)
        scene.advance(2)
        owner = Owner(host="[red]\x1b[2J", pid=1)
        scene.lock(scene.volume("pvc-evil", ("[bold]", "\x1b]0;x\x07\u202e", "w")), 0, owner=owner)
        await look_again(app, pilot)
        for size in ((80, 24), (180, 44)):
            await pilot.resize_terminal(*size)
            await pilot.pause()
            assert "pvc-evil" in text(app)
            assert not {"\x1b", "\u202e", "\x07"} & set(text(app))
        assert "[bold]/" in text(app)
        await pilot.press("y", "slash", "[")
        assert app.clipboard.isprintable()
        assert app.crash is None
