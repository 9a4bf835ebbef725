"""The store in memory lists as an object store does, and at the price of what it shows."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from backuplock.stores.memory import MemoryStore

PARTS = st.sampled_from(["a", "a-b", "a.b", "a0", "b", "b~", "é"])
KEYS = st.lists(PARTS, min_size=1, max_size=4).map("/".join)


def as_told(keys: set[str], folder: str) -> tuple[list[str], list[str]]:
    """Entries and folders of one level, the long way."""
    prefix = f"{folder}/" if folder else ""
    below = [key[len(prefix) :] for key in keys if key.startswith(prefix)]
    entries = {key for key in below if key and "/" not in key}
    folders = {key.partition("/")[0] for key in below if "/" in key}
    return sorted(entries), sorted(folders)


@given(st.lists(st.tuples(st.booleans(), KEYS), max_size=30), KEYS | st.just(""))
def test_a_listing_shows_one_level(changes: list[tuple[bool, str]], folder: str) -> None:
    store, keys = MemoryStore(), set()
    for there, key in changes:
        if there:
            store.put(key, b"x")
            keys.add(key)
        else:
            store.delete(key)
            keys.discard(key)
    found = store.list(folder)
    assert ([entry.name for entry in found.entries], list(found.folders)) == as_told(keys, folder)


class Counted(str):
    """A key that counts how often a listing looks at it."""

    __slots__ = ()
    looks = 0

    def startswith(self, *wanted: object) -> bool:  # type: ignore[override]
        Counted.looks += 1
        return str.startswith(self, *wanted)  # type: ignore[arg-type]


def test_a_listing_looks_at_what_it_shows_only() -> None:
    store = MemoryStore()
    for volume in range(1000):
        for lock in range(3):
            store.plant(Counted(f"volumes/{volume:04}/locks/{lock}"), b"x", 1)
    for folder, shown in (("volumes/0500/locks", 3), ("volumes/0500", 1), ("volumes", 1000), ("nothing", 0)):
        Counted.looks = 0
        found = store.list(folder)
        assert len(found.entries) + len(found.folders) == shown
        assert Counted.looks <= shown + 1
