"""What the console shows when the store does not do what it should."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace

from backuplock import layout
from backuplock.clock import SECOND
from backuplock.errors import Denied, StoreError, Unreachable
from backuplock.stores.base import Blob, Listing
from locktop.session import SweepProgress
from locktop.status import emptiness
from tui.look import console, lines, look_again, shown, table, text, until
from tui.scene import Scene, night


class Faulty:
    """The scene's store, with a fault that a test switches on: called with each key before the store is."""

    def __init__(self, scene: Scene) -> None:
        self._store = scene.store
        self.url = scene.store.url
        self.capabilities = scene.store.capabilities
        self.fault: Callable[[str], None] | None = None

    def list(self, folder: str) -> Listing:
        self._check(folder)
        return self._store.list(folder)

    def read(self, key: str, *, cap: int = 65536) -> Blob | None:
        self._check(key)
        return self._store.read(key, cap=cap)

    def close(self) -> None:
        """Nothing is held."""

    def _check(self, key: str) -> None:
        if self.fault is not None:
            self.fault(key)


def raising(error: StoreError, within: str = "") -> Callable[[str], None]:
    def fault(key: str) -> None:
        if within in key:
            raise error

    return fault


LOST = Unreachable("s3.example:9000 does not answer", advice="is the network up?")


async def test_unreachable_at_the_start_then_well() -> None:
    scene = night()
    faulty = Faulty(scene)
    faulty.fault = raising(LOST)
    async with console(scene.session(open_store=lambda: faulty), loaded=False) as (app, pilot):  # type: ignore[arg-type, return-value]
        await until(pilot, lambda: app.status.failure)
        await pilot.pause()
        assert "s3.example:9000 does not answer; is the network up?" in text(app)
        assert "next try in 2s, r tries now" in text(app)
        assert "RETRY" in lines(app)[0]
        scene.advance(1)
        app.refresh_status()
        await pilot.pause()
        assert "next try in 1s" in text(app)
        faulty.fault = None
        await look_again(app, pilot)
        assert len(shown(app)) == 31
        assert "does not answer" not in text(app)


async def test_unreachable_in_the_middle_keeps_what_was_seen() -> None:
    scene = night()
    faulty = Faulty(scene)
    async with console(scene.session(open_store=lambda: faulty)) as (app, pilot):  # type: ignore[arg-type, return-value]
        before = shown(app)
        faulty.fault = raising(LOST)
        scene.advance(30)
        app.session.refresh_now()
        await until(pilot, lambda: app.status.failure)
        await pilot.pause()
        assert shown(app) == before
        assert "s3.example:9000 does not answer" in lines(app)[2]
        assert "shown is what was 30s ago" in lines(app)[2]
        assert "30s old" in lines(app)[0]
        assert table(app)._outdated
        faulty.fault = None
        await look_again(app, pilot)
        assert "does not answer" not in text(app)
        assert not table(app)._outdated


async def test_a_store_that_refuses() -> None:
    scene = night()

    def open_store() -> Faulty:
        raise Denied("s3://lh/prod: no credentials are set", advice="export AWS_ACCESS_KEY_ID")

    async with console(scene.session(open_store=open_store), loaded=False) as (app, pilot):  # type: ignore[arg-type]
        await until(pilot, lambda: app.status.failure)
        await pilot.pause()
        assert "no credentials are set; export AWS_ACCESS_KEY_ID" in text(app)


async def test_a_store_that_hangs_is_said_to_and_can_be_left() -> None:
    scene = night()
    faulty = Faulty(scene)
    hung, let_go = threading.Event(), threading.Event()

    def hang(key: str) -> None:
        hung.set()
        let_go.wait(60)

    async with console(scene.session(open_store=lambda: faulty)) as (app, pilot):  # type: ignore[arg-type, return-value]
        faulty.fault = hang
        app.session.refresh_now()
        await until(pilot, hung.is_set)
        scene.advance(14)
        app.refresh_status()
        await pilot.pause()
        assert "no answer for 14s" in lines(app)[2]
        assert "14s old" in lines(app)[0]
        await pilot.press("j")
        await pilot.press("q")
        await until(pilot, lambda: app.return_code is not None)
    let_go.set()


async def test_a_volume_that_cannot_be_read_is_never_shown_as_free() -> None:
    scene = night()
    volume = layout.volume_folder("pvc-locked-away")
    scene.store.put(f"{volume}/volume.cfg", b"{}")
    faulty = Faulty(scene)
    faulty.fault = raising(Denied("403 Forbidden"), within="pvc-locked-away")
    async with console(scene.session(open_store=lambda: faulty)) as (app, pilot):  # type: ignore[arg-type, return-value]
        assert "1 part of the store could not be read, the picture is incomplete" in lines(app)[2]
        key = "volume:pvc-locked-away"
        assert key in shown(app)
        table(app).move_to(shown(app).index(key))
        await pilot.pause()
        assert "could not be read: could not be listed: 403 Forbidden" in text(app)
        assert "unknown: take it for locked" in text(app)
        await pilot.press("y")
        await until(pilot, lambda: "nothing to copy" in text(app))
        await pilot.press("enter")
        await pilot.pause()
        assert "unknown: take it for locked" in text(app)
        assert "backup, restore, delete cannot be told" in text(app)
        assert "would be granted" not in text(app)


async def test_locks_that_cannot_be_read_and_branches_that_cannot_be_listed() -> None:
    scene = Scene()
    key = scene.lock("pvc-a", 10)
    scene.lock("pvc-b", 10)
    faulty = Faulty(scene)
    faulty.fault = raising(Denied("403 Forbidden"), within=key)
    async with console(scene.session(open_store=lambda: faulty)) as (app, pilot):  # type: ignore[arg-type, return-value]
        assert "unreadable: 403 Forbidden" in text(app)
        assert "skips what it cannot read" in text(app)
        branch = "/".join(key.split("/")[:3])
        faulty.fault = lambda key: raising(Denied("403 Forbidden"))(key) if key == branch else None
        await look_again(app, pilot)
        assert shown(app) != []
        assert f"the picture is incomplete: {branch} could not be listed" in lines(app)[2]


async def test_an_incomplete_picture_without_locks_is_not_called_free() -> None:
    scene = Scene()
    scene.volume("pvc-a")
    faulty = Faulty(scene)
    branch = "/".join(layout.volume_folder("pvc-a").split("/")[:3])
    faulty.fault = lambda key: raising(Denied("403 Forbidden"))(key) if key == branch else None
    async with console(scene.session(open_store=lambda: faulty)) as (app, _):  # type: ignore[arg-type, return-value]
        assert "absence proves nothing" in text(app)
        assert "would be granted" not in text(app)


async def test_an_error_nobody_foresaw_is_one_line_on_the_screen() -> None:
    scene = night()

    def open_store() -> Faulty:
        raise ZeroDivisionError("boom [/red]")

    async with console(scene.session(open_store=open_store), loaded=False) as (app, pilot):  # type: ignore[arg-type]
        await until(pilot, lambda: app.status.failure)
        await pilot.pause()
        assert "ZeroDivisionError: boom [/red]" in text(app)
        assert app.status.failure is not None
        assert app.status.failure.kind == "internal"


async def test_progress_of_the_first_sweep_is_shown() -> None:
    scene = night()
    faulty = Faulty(scene)
    deep, let_go = threading.Event(), threading.Event()
    volumes = 0

    def slow(key: str) -> None:
        nonlocal volumes
        scene.clock.advance(50_000_000)
        if key.count("/") == 4:
            volumes += 1
            if volumes > 30:
                deep.set()
                let_go.wait(60)

    faulty.fault = slow
    async with console(scene.session(open_store=lambda: faulty), loaded=False) as (app, pilot):  # type: ignore[arg-type, return-value]
        await until(pilot, deep.is_set)
        await until(pilot, lambda: "reading the store:" in text(app))
        assert "volumes" in text(app)
        let_go.set()
        await until(pilot, lambda: len(shown(app)) == 31)


async def test_clashing_locks_are_said_loudly() -> None:
    scene = Scene()
    scene.lock("pvc-a", 10, 1)
    scene.lock("pvc-a", 5, 2)
    scene.lock("pvc-b", 500, 2)
    async with console(scene.session()) as (app, _):
        assert "exclusion has FAILED: 2 locks held against each other" in lines(app)[2]
        assert table(app).rows[0].clashing
        assert table(app).rows[1].clashing
        assert "stop one of them now" in text(app)


async def test_where_longhorn_differs_is_said() -> None:
    scene = Scene()
    scene.lock("pvc-a", 20, body=b"not json at all")
    async with console(scene.session()) as (app, _):
        assert "Longhorn   ignores this file, for it cannot decode it" in text(app)
    scene = Scene()
    scene.lock("pvc-a", 20)
    scene.clock.step_wall(200_000_000_000)
    async with console(scene.session()) as (app, _):
        assert "Longhorn   ignores this lock, for by this machine's clock it has ended" in text(app)
        assert "skew -3m20s" in lines(app)[0]


async def test_an_unknown_clock_is_shown_as_such() -> None:
    scene = Scene()
    scene.lock("pvc-a", 20)
    faulty = Faulty(scene)
    mute = faulty.list

    def without_time(folder: str) -> Listing:
        found = mute(folder)
        return Listing(found.entries, found.folders)

    def read_without_time(key: str, *, cap: int = 65536) -> Blob | None:
        found = scene.store.read(key, cap=cap)
        return Blob(found.body, found.modified_ns, found.etag) if found else None

    faulty.list = without_time  # type: ignore[method-assign]
    faulty.read = read_without_time  # type: ignore[method-assign]
    async with console(scene.session(open_store=lambda: faulty)) as (app, _):  # type: ignore[arg-type, return-value]
        assert "skew ?" in lines(app)[0]
        assert "~03:04:05" in lines(app)[0]
        assert "UNSURE" in lines(app)[4]
        assert "~2:10" in lines(app)[4]
        assert "the store's clock is known to 15m00s only" in text(app)


async def test_a_long_sweep_tells_how_far_it_came_and_how_long_it_takes_yet() -> None:
    async with console(night().session()) as (app, pilot):
        status, screen = app.status, app.screen
        began = status.mono_ns - 30 * SECOND
        progress = SweepProgress(500, 2_000, began)
        waiting = replace(status, board=None, blocks=None, progress=progress, heard_mono_ns=status.mono_ns)
        words = "".join(part[0] for line in emptiness(waiting, "") for part in line)
        assert words == "reading the store: 500 of 2,000 volumes, about 1m30s left"
        young = replace(waiting, progress=replace(progress, began_mono_ns=status.mono_ns))
        assert "left" not in str(emptiness(young, ""))
        # What is shown meanwhile is of the sweep before.
        screen.show_title(replace(status, progress=progress))  # type: ignore[attr-defined]
        await pilot.pause()
        assert "reading 500 of 2,000 volumes, about 1m30s left" in text(app)
        screen.show_title(status)  # type: ignore[attr-defined]
        await pilot.pause()
        assert "reading" not in text(app)
