"""Random histories of a store: Snapshots as hostile as the model allows, in which much stays as it was."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from backuplock import layout
from backuplock.clock import SECOND, StoreClock
from backuplock.model import Flaw, Leftover, LockFile, LockRecord, Owner, Snapshot, VolumeNames, VolumeView
from backuplock.watch import Event, EventKind

TARGET = "s3://backups@eu-central-1/prod"
START = 1_767_322_800 * SECOND

# All of Unicode, lone surrogates (names out of a file system), NUL, and what looks like our own JSON.
text = st.one_of(
    st.text(st.characters(), max_size=12),
    st.sampled_from(["", "\x00", "\udcff", "\ud83d\ude00", "'; DROP TABLE look; --", '"problem":', "[/red]"]),
)
int64 = st.integers(-(2**63), 2**63 - 1)
instants = st.one_of(st.integers(START - 10**12, START + 10**12), int64, st.integers(2**63, 2**70))
owners = st.builds(Owner, text, int64, text, text, text, text, int64, text)
records = st.builds(
    LockRecord, text, st.one_of(st.sampled_from([0, 1, 2]), int64), st.booleans(), st.none() | owners
)
names = st.builds(VolumeNames, text, text, text, text)
flaws = st.sampled_from(Flaw)
clocks = st.builds(StoreClock, int64, int64, int64, text)


def _lock(key: str, volume: str) -> st.SearchStrategy[LockFile]:
    common: dict[str, Any] = {
        "key": st.just(key),
        "volume": st.just(volume),
        "size": st.integers(0, 2**63 - 1),
        "etag": text,
        "raw": st.binary(max_size=40),
        "listed_etag": text,
        "listed_ns": st.none() | instants,
    }
    good = st.builds(LockFile, modified_ns=instants, record=records, **common)
    bad = st.builds(
        LockFile, modified_ns=st.none() | instants, record=st.none(), flaw=flaws, reason=text, **common
    )
    return good | bad


@st.composite
def views(draw: Callable[[st.SearchStrategy[Any]], Any], name: str, nth: int) -> VolumeView:
    """One volume with up to four locks, seldom in the order of their keys."""
    folder = f"{layout.VOLUMES}/aa/{nth:02x}/{name}/{layout.LOCKS}"
    chosen = draw(st.lists(st.sampled_from(["a", "b", "c", "\udcff"]), unique=True, max_size=4))
    if draw(st.booleans()):
        chosen.sort()
    return VolumeView(
        name=name,
        locks=tuple(draw(_lock(f"{folder}/{stem}.lck", name)) for stem in chosen),
        leftovers=tuple(draw(st.lists(st.builds(Leftover, text, int64, st.none() | instants), max_size=2))),
        names=draw(st.none() | names),
        ghost=draw(st.booleans()),
        problem=draw(text),
    )


@st.composite
def histories(draw: Callable[[st.SearchStrategy[Any]], Any], most: int = 6) -> list[Snapshot]:
    """Up to `most` sweeps of a store; of each volume there are few versions, so that most stay or come back.

    Volumes of one name may be two: a misplaced copy.
    """
    idents = draw(
        st.lists(
            st.tuples(st.sampled_from(["v", "w", "pvc-1", "", "\udcfe", "a/b"]), st.integers(0, 1)),
            unique=True,
            max_size=4,
        )
    )
    versions = {ident: draw(st.lists(views(*ident), min_size=1, max_size=2)) for ident in idents}
    found: list[Snapshot] = []
    wall = START
    for _ in range(draw(st.integers(1, most))):
        wall += draw(st.integers(1, 100 * SECOND))
        volumes = [draw(st.sampled_from(versions[ident])) for ident in idents if draw(st.integers(0, 4))]
        found.append(_snapshot(draw, wall, sorted(volumes, key=lambda view: view.name)))
    return found


def _snapshot(
    draw: Callable[[st.SearchStrategy[Any]], Any], wall: int, volumes: list[VolumeView]
) -> Snapshot:
    return Snapshot(
        target=TARGET,
        volumes=tuple(volumes),
        clock=draw(clocks),
        began_mono_ns=draw(int64),
        ended_mono_ns=draw(int64),
        taken_wall_ns=wall,
        requests=draw(st.integers(0, 10**6)),
        bodies_read=draw(st.integers(0, 10**6)),
        rtt_ns=draw(st.none() | int64),
        problems=tuple(draw(st.lists(text, max_size=2))),
        store_present=draw(st.booleans()),
        by_key={lock.key: lock for view in volumes for lock in view.locks},
    )


events = st.builds(
    Event,
    st.sampled_from(EventKind),
    text,
    text,
    st.none() | int64,
    st.integers(START, START + 10**12),
    st.none() | instants,
    st.booleans(),
    text,
)


def busy(looks: int, locks: int, *, seed: int = 1, churn: float = 0.3, start: int = START) -> list[Snapshot]:
    """Sweeps two seconds apart of a store in which each time a part of the locks is refreshed."""
    rng = random.Random(seed)
    kept: list[LockFile] = []
    for number in range(locks):
        volume = f"pvc-{number:05d}"
        name = f"lock-{rng.getrandbits(64):016x}"
        body = f'{{"Name":"{name}","Type":1,"Acquired":true}}'.encode()
        record = LockRecord(name, 1, True)
        key = layout.lock_key(volume, name)
        kept.append(LockFile(key, volume, start, f"{number}-0", len(body), record, raw=body))
    found: list[Snapshot] = []
    for look in range(looks):
        wall = start + 2 * look * SECOND
        for number in rng.sample(range(locks), int(churn * locks)) if look else ():
            old = kept[number]
            kept[number] = LockFile(
                old.key,
                old.volume,
                wall,
                f"{number}-{look}",
                old.size,
                old.record,
                raw=old.raw,
                listed_etag=f"{number}-{look}",
                listed_ns=wall,
            )
        mono = 10**12 + wall - start
        found.append(
            Snapshot(
                target=TARGET,
                volumes=tuple(VolumeView(lock.volume, (lock,)) for lock in kept),
                clock=StoreClock(start - 10**12, start - 10**12 + SECOND, mono, "s3 replies"),
                began_mono_ns=mono - SECOND // 5,
                ended_mono_ns=mono,
                taken_wall_ns=wall,
                by_key={lock.key: lock for lock in kept},
            )
        )
    return found
