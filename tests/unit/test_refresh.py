"""Some volumes read again: what a sweep would find of them, for one listing each."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backuplock import layout
from backuplock.clock import ManualClock
from backuplock.errors import Denied, Malformed
from backuplock.model import Snapshot
from backuplock.stores.memory import MemoryStore
from backuplock.survey import refresh, sweep
from harness.builders import Lock, Volume
from harness.fleets import ByFolders, Rolls, Short, content, shapes
from harness.troubled import TroubledStore


def _store(objects: dict[str, bytes]) -> MemoryStore:
    store = MemoryStore(ManualClock(10**18))
    for key, body in objects.items():
        store.put(key, body)
    return store


def _locks(snapshot: Snapshot) -> dict[str, object]:
    return {lock.key: (lock.record, lock.flaw, lock.modified_ns, lock.size) for lock in snapshot.locks}


def _place(name: str) -> str:
    try:
        return layout.volume_folder(name)
    except Malformed:
        return ""


def _placed(objects: dict[str, bytes]) -> dict[str, bytes]:
    """The same with every volume where Longhorn would put it; others are for a sweep to find."""
    found = {}
    for key, body in objects.items():
        inside = key.split("/")[4:]
        if len(inside) > 1 and _place(inside[0]):
            found["/".join((_place(inside[0]), *inside[1:]))] = body
    return found


@settings(deadline=None, max_examples=80, suppress_health_check=list(HealthCheck))
@given(shapes(odd=False), shapes(odd=False), st.booleans())
def test_volumes_that_are_named_are_as_a_sweep_finds_them(
    before: dict[str, bytes], after: dict[str, bytes], again: bool
) -> None:
    before, after = _placed(before), _placed(after)
    store = _store(before)
    first = sweep(store)
    for key in before.keys() - after.keys():
        store.delete(key)
    for key, body in after.items():
        if again or key not in before:
            store.put(key, body)
    whole = sweep(store)
    names = {view.name for view in (*first.volumes, *whole.volumes)}
    found = refresh(store, first, names)
    assert _locks(found) == _locks(whole)
    assert {view.name for view in whole.volumes} <= {view.name for view in found.volumes}


@settings(deadline=None, max_examples=40, suppress_health_check=list(HealthCheck))
@given(shapes())
def test_nothing_is_lost_of_volumes_that_lie_or_are_called_oddly(objects: dict[str, bytes]) -> None:
    store = _store(objects)
    first = sweep(store)
    assert _locks(refresh(store, first)) == _locks(first)
    assert len(refresh(store, first).volumes) == len(first.volumes)


DIGITS = [tuple(f"{first}{second}" for second in "0123456789abcdef") for first in "0123456789abcdef"]


@settings(deadline=None, max_examples=80, suppress_health_check=list(HealthCheck))
@given(shapes(), shapes(), st.sampled_from(["ranged", "rolls", "folders"]), st.integers(1, 3))
def test_all_parts_are_the_whole(
    before: dict[str, bytes], after: dict[str, bytes], kind: str, digits: int
) -> None:
    inner = (Rolls if kind == "rolls" else Short)(ManualClock(10**18), ranged=True)
    inner.most = 7
    for key, body in before.items():
        inner.put(key, body)
    store = ByFolders(inner) if kind == "folders" else inner
    seen = sweep(store)
    for key in before.keys() - after.keys():
        inner.delete(key)
    for key in after.keys() - before.keys():
        inner.put(key, after[key])
    for at in range(0, 16, digits):
        seen = refresh(store, seen, part={name for group in DIGITS[at : at + digits] for name in group})
    assert content(seen) == content(sweep(store))


def _planted(count: int) -> MemoryStore:
    objects: dict[str, bytes] = {}
    for number in range(count):
        volume, lock = Volume(f"pvc-{number}"), Lock(f"pvc-{number}", f"lock-{number}")
        objects[volume.cfg_key] = volume.cfg
        if number % 2:
            objects[lock.key] = lock.content
    return _store(objects)


def test_volumes_with_locks_are_read_without_being_named_and_others_stay() -> None:
    store = _planted(20)
    first = sweep(store)
    new, quiet = Lock("pvc-1", "lock-new"), Lock("pvc-2", "lock-quiet")
    for lock in (new, quiet):
        store.put(lock.key, lock.content)
    store.delete(Lock("pvc-3", "lock-3").key)
    found = refresh(store, first)
    assert new.key in found.by_key
    assert Lock("pvc-3", "lock-3").key not in found.by_key
    assert quiet.key not in found.by_key, "nobody asked for it, and it had no lock"
    assert found.requests == 10 + 1
    assert len(found.volumes) == 20
    assert quiet.key in refresh(store, found, ["pvc-2"]).by_key


def test_a_volume_that_nobody_knew_is_looked_up_and_one_that_is_none_refused() -> None:
    store = _planted(2)
    first = sweep(store)
    lock = Lock("pvc-new", "lock-new")
    store.put(lock.key, lock.content)
    found = refresh(store, first, ["pvc-new", "pvc-never"])
    assert lock.key in found.by_key
    assert "pvc-never" not in {view.name for view in found.volumes}
    with pytest.raises(Malformed):
        refresh(store, first, ["../x"])


def test_what_cannot_be_read_is_told_and_the_rest_is_read() -> None:
    store = _planted(6)
    first = sweep(store)
    troubled = TroubledStore(store)
    troubled.add("list", before=Denied("no"), times=1)
    found = refresh(troubled, first)
    assert Counter(bool(view.problem) for view in found.volumes) == {True: 1, False: 5}
    assert not found.complete
    assert refresh(store, found).complete
    assert _locks(refresh(store, found)) == _locks(first)
