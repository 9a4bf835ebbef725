"""A quarantine with broken locks of any age in it, and breaks that were interrupted."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from textual.pilot import Pilot

from backuplock import layout, wire
from backuplock.breaking import Audit, Step, Writer, execute, make_plan, quarantine
from backuplock.breaking.quarantine import Kept
from backuplock.breaking.token import Token, digest_of
from backuplock.clock import SECOND
from backuplock.model import LockRecord
from backuplock.survey import sweep
from harness.breaking import at
from locktop.app import LocktopApp
from locktop.screens.undo import ConfirmScreen
from tui.look import text, until
from tui.scene import Scene


class Stopped(Exception):
    """What stands for a crash where the store lives in the process."""


def copy(
    scene: Scene,
    number: int,
    ago_s: float,
    volume: str = "pvc-1",
    *,
    lock: str = "",
    key: str = "",
    type_: int = 1,
    mark: quarantine.Mark | None = "done",
    reason: str = "",
    who: tuple[str, str, str] = ("ops", "bastion-2", "locktop/0.1.0"),
    life: str = "stale",
) -> str:
    """A lock that was broken so long ago, as the quarantine keeps it; the id of the transaction.

    Args:
        number: makes the id and the lock's name what they are. mark: None if it did not end.
    """
    wall = scene.now - round(ago_s * SECOND)
    lock = lock or f"lock-{number:016x}"
    body = wire.encode(LockRecord(lock, type_, True))
    token = Token(
        scene.store.url,
        key or layout.lock_key(volume, lock),
        wall - 300 * SECOND,
        "etag",
        len(body),
        digest_of(body),
    )
    entry = f"{quarantine.new_id(wall)[:17]}{number:012x}"
    quarantine.keep(scene.store, Kept(entry, token, body, wall, *who, reason, life, had_volume=True))
    described = quarantine.description(entry)
    blob = scene.store.read(described, cap=quarantine.CAP)
    assert blob is not None
    scene.store.plant(described, blob.body, wall)
    if mark is not None:
        quarantine.mark(scene.store, entry, mark)
    return entry


def interrupt(scene: Scene, folder: Path, key: str, step: Step) -> str:
    """Begin to break a lock and stop right after a step, as a crash would; the id of the transaction."""

    def stop() -> None:
        raise Stopped

    with closing(Audit.open(folder / "audit.db")) as audit:
        plan = make_plan(scene.store, sweep(scene.store, clock=scene.clock), key)
        try:
            execute(Writer(scene.store, audit, clock=scene.clock, told=at(step, stop)), plan.order)
        except Stopped:
            return str(audit.entries()[-1].get("id"))
    raise AssertionError(f"the break never came to {step}")


async def asked(app: LocktopApp, pilot: Pilot[int], key: str = "enter") -> ConfirmScreen:
    """Press a key in the list that leads to the question."""
    await pilot.press(key)
    await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))
    await pilot.pause()
    assert isinstance(app.screen, ConfirmScreen)
    return app.screen


async def agreed(app: LocktopApp, pilot: Pilot[int], told: str, key: str = "enter") -> None:
    """Press it, and the button that does it; wait for what is said of it."""
    await asked(app, pilot, key)
    app.clear_notifications()
    await pilot.press("tab", "enter")
    await until(pilot, lambda: told in said(app))
    await pilot.pause()


def said(app: LocktopApp) -> str:
    """The words of all toasts: on the screen they wrap, beside what they do not cover."""
    return "\n".join(toast.message for toast in app._notifications)


def flat(app: LocktopApp) -> str:
    """The screen as one line: toasts and sheets wrap where they must."""
    return " ".join(text(app).split())
