"""What is foretold is what happens when the same is played with real locks; drawing, codes, input."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from backuplock import layout
from backuplock.clock import SECOND, Span
from backuplock.errors import Contended
from backuplock.lock import BackupLock
from backuplock.model import LockRecord, Operation, VolumeView
from backuplock.rules import Timing
from backuplock.simulate import Act, Client, Forecast, Scenario, forecast
from backuplock.stores.filesystem import FilesystemStore
from backuplock.survey import look
from backuplock.wire import encode
from harness.builders import Lock, Volume, fleet, write, write_all, write_locks
from harness.commands import fingerprint, run
from harness.locks import short_terms
from locktop.exits import ExitCode
from locktop.output.timeline import cells, step_for, timeline
from locktop.what_if import Wish, play

VOLUME = "pvc-1"
LEASE_S = 4.0
SLACK_S = 8.0
"""How long after the way is clear a client that asks with growing pauses may take, on a shared machine."""


@dataclass(frozen=True)
class Story:
    """Foreign locks that lie there and are not refreshed, an own holder, and then one who asks. The way is
    clear after `clear_s`, if it ever is."""

    asks: Operation
    timeout_s: float = 0.0
    planted: tuple[Lock, ...] = ()
    holder: Operation | None = None
    released_s: float | None = None
    clear_s: float = 0.0


STORIES = {
    "free": Story(Operation.DELETE),
    "same type": Story(Operation.RESTORE, holder=Operation.BACKUP),
    "other type": Story(Operation.DELETE, holder=Operation.BACKUP),
    "two deletions": Story(Operation.DELETE, holder=Operation.DELETE),
    "released while it waits": Story(
        Operation.DELETE, timeout_s=30, holder=Operation.RESTORE, released_s=1.5, clear_s=1.5
    ),
    "expired": Story(Operation.DELETE, planted=(Lock(VOLUME, "lock-dead", 1, age_s=9),)),
    "dies while it waits": Story(
        Operation.BACKUP, timeout_s=30, planted=(Lock(VOLUME, "lock-dying", 2, age_s=1),), clear_s=LEASE_S - 1
    ),
    "asked earlier": Story(
        Operation.BACKUP, planted=(Lock(VOLUME, "lock-asks", 2, acquired=False, age_s=0.5),)
    ),
    "untyped": Story(Operation.BACKUP, planted=(Lock(VOLUME, "lock-zero", 0, age_s=0.5),)),
}


@dataclass(frozen=True)
class Ending:
    """How it ended: got it or not, who was in the way at last, after how many seconds."""

    granted: bool
    blockers: frozenset[str]
    after_s: float


def foretell(story: Story, store: FilesystemStore, keys: dict[str, str]) -> tuple[Forecast, Ending]:
    snapshot = look(store, VOLUME)
    locks = snapshot.volumes[0].locks if snapshot.volumes else ()
    now = snapshot.clock.at(snapshot.began_mono_ns).middle
    ends = ()
    if story.released_s is not None:
        ends = ((keys["holder"], round(story.released_s * SECOND)),)
    refreshing = frozenset(filter(None, [keys.get("holder")]))
    client = Client(story.asks, timeout_ns=round(story.timeout_s * SECOND))
    scenario = Scenario((client,), ends=ends, refreshing=refreshing, horizon_ns=60 * SECOND)
    found = forecast(VOLUME, locks, now, scenario, short_terms(store, LEASE_S))
    blockers = frozenset() if found.granted_ns is not None else found.attempts[-1].blockers
    after = found.granted_ns if found.granted_ns is not None else found.attempts[-1].decided_ns
    keyed = frozenset(one.key for one in blockers)
    return found, Ending(found.granted_ns is not None, keyed, after / SECOND)


def live(story: Story, store: FilesystemStore, release: Callable[[], None] | None) -> Ending:
    """The same with a real lock."""
    timer = None
    if story.released_s is not None and release is not None:
        timer = threading.Timer(story.released_s, release)
        timer.start()
    lock = BackupLock(store, VOLUME, story.asks, terms=short_terms(store, LEASE_S), jitter=lambda: 0.0)
    began = time.monotonic()
    try:
        lock.acquire(story.timeout_s)
    except Contended as error:
        blockers = frozenset(one.key for one in error.blockers)
        return Ending(False, blockers, time.monotonic() - began)
    finally:
        if timer is not None:
            timer.join()
    after = time.monotonic() - began
    lock.release()
    return Ending(True, frozenset(), after)


@pytest.mark.parametrize("story", STORIES.values(), ids=STORIES.keys())
def test_what_is_foretold_is_what_happens(story: Story, tmp_path: Path) -> None:
    store = FilesystemStore(tmp_path, writable=True)
    holder = (
        BackupLock(store, VOLUME, story.holder, terms=short_terms(store, LEASE_S)) if story.holder else None
    )
    keys: dict[str, str] = {}
    if holder is not None:
        holder.acquire()
        keys["holder"] = holder.key
    write_locks(tmp_path, story.planted, time.time_ns())
    _, foretold = foretell(story, store, keys)
    happened = live(story, store, holder.release if holder else None)
    if holder is not None and holder.held:
        holder.release()
    assert happened.granted is foretold.granted
    assert happened.blockers == foretold.blockers
    if happened.granted:
        # Requests take other times in earnest, so the attempt that finds the way clear may be another one.
        for ending in (foretold, happened):
            assert story.clear_s - 0.5 <= ending.after_s <= story.clear_s + SLACK_S
    store.close()


def view(*locks: tuple[str, int, bool, float], now: int = 1_767_322_800 * SECOND) -> tuple[VolumeView, int]:
    from backuplock.stores.memory import MemoryStore

    store = MemoryStore()
    for name, type_, acquired, age in locks:
        key = layout.lock_key(VOLUME, name)
        store.plant(key, encode(LockRecord(name, type_, acquired)), now - round(age * SECOND))
    found = look(store, VOLUME)
    return (found.volumes[0] if found.volumes else VolumeView(VOLUME)), now


def test_a_clock_that_decides_and_is_not_known_well_gives_no_answer() -> None:
    made, now = view(("lock-a", 1, False, 149))
    sharp = play(made, Span(now, now), Wish(), Operation.DELETE)
    blurred = play(made, Span(now - 30 * SECOND, now + 30 * SECOND), Wish(), Operation.DELETE)
    assert sharp.result in ("granted", "refused")
    assert blurred.result == "unknown"
    assert "clock" in blurred.doubt


def test_breaking_a_live_lock_ends_in_losing_ones_own() -> None:
    made, now = view(("lock-a", 1, True, 5))
    wish = Wish(broken=(("lock-a", 0),), lasts_ns=600 * SECOND)
    assert play(made, Span(now, now), wish, Operation.DELETE).result == "lost"


def test_the_drawing_has_what_the_lanes_have() -> None:
    made, now = view(("lock-a", 1, True, 5))
    wish = Wish(dies=(("lock-a", 30 * SECOND),), timeout_ns=600 * SECOND, lasts_ns=60 * SECOND)
    played = play(made, Span(now, now), wish, Operation.DELETE)
    assert played.forecast is not None
    assert played.result == "granted"
    drawn = [
        "".join(text for text, _ in para.parts)
        for para in timeline(played.forecast, {made.locks[0].key: "1 backup", "client-0": "* delete"}, now)
    ]
    assert "=" in drawn[2]
    assert "~" in drawn[2]
    assert "x" in drawn[2]
    assert drawn[3].index("F") < drawn[3].rindex("=")
    step = step_for(played.forecast, 80)
    held = next(lane for lane in played.forecast.lanes if lane.client == 0)
    shown = cells(held, step, 80)
    granted = played.forecast.granted_ns or 0
    assert shown[granted // step + 1] is Act.HOLDS


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A live backup, a dead deletion."""
    volume = Volume(VOLUME, "shop", "orders")
    write(tmp_path, volume.cfg_key, volume.cfg)
    locks = [Lock(VOLUME, "lock-live", 1, age_s=10), Lock(VOLUME, "lock-dead", 2, age_s=4000)]
    write_locks(tmp_path, locks, time.time_ns())
    return tmp_path


def test_the_verdict_comes_first_and_nothing_is_written(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = fingerprint(root)
    done = run(capsys, "simulate", "-t", str(root), "--ascii", "--op", "delete", VOLUME)
    lines = done.out.splitlines()
    assert done.code == ExitCode.NEGATIVE
    assert "nothing is written to the store" in lines[0]
    assert lines[2].startswith("DELETE  ->  REFUSED")
    assert "because" in lines[3]
    assert "Timeline" in done.out
    assert "its holder lives and goes on refreshing it" in done.out
    assert done.out.isascii()
    assert fingerprint(root) == before


@pytest.mark.parametrize(
    ("arguments", "code", "result"),
    [
        (["--op", "backup"], 0, "granted"),
        (["--op", "delete"], 1, "refused"),
        (["--op", "delete", "--released", "live@+30s", "--at", "+1m"], 0, "granted"),
        (["--op", "delete", "--holder-dies", "live@+0s", "--timeout", "10m"], 0, "granted"),
        (["--op", "delete", "--after-break", "lock-live", "--lasts", "10m"], 1, "lost"),
        (["--op", "delete", "--after-break", "live", "--holder-dies", "live"], 0, "granted"),
        (["--op", "backup", "--also", "delete@+0s", "--lasts", "1m", "--crash-after", "30s"], 0, "granted"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_scenarios(
    arguments: list[str], code: int, result: str, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    done = run(capsys, "simulate", "-t", str(root), "--json", VOLUME, *arguments)
    (found,) = done.json["forecasts"]
    assert (found["result"], done.code) == (result, code)
    assert found["lanes"]
    assert done.json["simulated"] is True


def test_three_verdicts_at_once(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    done = run(capsys, "simulate", "-t", str(root), "--json", VOLUME)
    results = {one["operation"]: one["result"] for one in done.json["forecasts"]}
    assert results == {"backup": "granted", "restore": "granted", "delete": "refused"}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "name one volume"),
        ([VOLUME, "x"], "name one volume"),
        ([VOLUME, "--at", "soon"], "--at"),
        ([VOLUME, "--also", "eat@+1s"], "is no operation"),
        ([VOLUME, "--also", "delete@never"], "--also"),
        ([VOLUME, "--holder-dies", "nobody"], "is no lock of this volume"),
        ([VOLUME, "--after-break", "lock-"], "fits several locks"),
        ([VOLUME, "--lasts", "30h"], "24 hours"),
        (["--batch", "--after-break", "lock-live"], "leave one of them out"),
    ],
    ids=lambda value: " ".join(value) or "none" if isinstance(value, list) else "",
)
def test_bad_input_is_one_line_each(
    arguments: list[str], words: str, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    done = run(capsys, "simulate", "-t", str(root), *arguments)
    assert done.code == ExitCode.USAGE
    assert words in done.err
    assert done.out == ""


def test_a_batch_counts_what_the_plan_says(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = fleet(60, 30)
    write_all(tmp_path, made, time.time_ns())
    before = fingerprint(tmp_path)
    done = run(capsys, "simulate", "-t", str(tmp_path), "--json", "--batch", "--op", "delete")
    refused = {one["volume"] for one in done.json["forecasts"] if one["result"] == "refused"}
    assert refused == {lock.volume for lock in made.locks if "delete" in lock.blocks}
    assert done.json["counts"]["delete"]["granted"] == 60 - len(refused)
    text = run(capsys, "simulate", "-t", str(tmp_path), "--batch", "--op", "delete").out
    assert f"REFUSED {len(refused)}" in text
    lock = next(lock for lock in made.locks if lock.state == "held" and "delete" in lock.blocks)
    (line,) = [line for line in text.splitlines() if lock.volume in line]
    assert f"{lock.name} holds and is of another type" in line, "numbers say nothing without their list"
    assert fingerprint(tmp_path) == before


def test_short_periods_are_longhorns_scaled(tmp_path: Path) -> None:
    """The stories' terms keep the proportions of the real ones."""
    terms = short_terms(FilesystemStore(tmp_path, writable=True), LEASE_S)
    assert isinstance(terms.timing, Timing)
    assert terms.timing.duration_ns == round(LEASE_S * SECOND)
