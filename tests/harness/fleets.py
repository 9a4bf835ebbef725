"""Stores with many volumes for tests of the sweep: generated shapes, and what two sweeps must agree in."""

from __future__ import annotations

from collections import Counter

from hypothesis import strategies as st

from backuplock import layout
from backuplock.model import Snapshot
from backuplock.stores.base import BLOCKS, BODY_CAP, Blob, Capabilities, Entry, Keys, Listing, Store, Version
from backuplock.stores.memory import MemoryStore

LOCK = b'{"Name":"lock-1","Type":1,"Acquired":true}'


class ByFolders:
    """A store with its four verbs and nothing else: whoever sweeps it must go folder by folder."""

    def __init__(self, inner: Store) -> None:
        self._inner = inner

    @property
    def url(self) -> str:
        return self._inner.url

    @property
    def capabilities(self) -> Capabilities:
        return self._inner.capabilities

    def list(self, folder: str) -> Listing:
        return self._inner.list(folder)

    def read(self, key: str, *, cap: int = BODY_CAP) -> Blob | None:
        return self._inner.read(key, cap=cap)

    def put(self, key: str, body: bytes, *, if_match: str | None = None, if_absent: bool = False) -> Version:
        return self._inner.put(key, body, if_match=if_match, if_absent=if_absent)

    def delete(self, key: str, *, if_match: str | None = None) -> None:
        self._inner.delete(key, if_match=if_match)

    def close(self) -> None:
        """The other one is closed by whoever made it."""


class Short(MemoryStore):
    """Gives at most `most` keys a page, as a store may."""

    most = 1000

    def keys(self, prefix: str, after: str, limit: int) -> Keys:
        return super().keys(prefix, after, min(limit, self.most))


class Rolls(Short):
    """Leaves out what lies in `blocks/`, as S3 does; `asked` counts such pages."""

    asked = 0

    def rolled(self, prefix: str, after: str, limit: int) -> Keys | None:
        self.asked += 1
        found: list[Entry] = []
        while True:
            page = super().keys(prefix, after, 1000)
            for entry in page.entries:
                head, cut, _ = entry.name[len(prefix) :].partition(BLOCKS)
                name = f"{prefix}{head}{cut}" if cut else entry.name
                if name <= after or (found and found[-1].name == name):
                    continue
                if len(found) == min(limit, self.most):
                    return Keys(tuple(found), True, page.observed)
                found.append(Entry(name) if cut else entry)
            if not page.more:
                return Keys(tuple(found), False, page.observed)
            after = page.entries[-1].name

    def unroll(self) -> None:
        self.rolled = lambda *_: None  # type: ignore[method-assign,assignment]


class Counted(ByFolders):
    """Counts the requests that a store would get: `listings`, pages of up to a thousand keys, and `reads`."""

    def __init__(self, inner: Short) -> None:
        super().__init__(inner)
        self._short = inner
        self.listings = self.reads = 0
        if isinstance(inner, Rolls):
            self.rolled = self._rolled
            self.unroll = inner.unroll

    @property
    def ranged(self) -> Counted:
        return self

    def list(self, folder: str) -> Listing:
        self.listings += 1
        return super().list(folder)

    def keys(self, prefix: str, after: str, limit: int) -> Keys:
        self.listings += 1
        return self._short.keys(prefix, after, limit)

    def distrust(self) -> None:
        self._short.distrust()

    def _rolled(self, prefix: str, after: str, limit: int) -> Keys | None:
        self.listings += 1
        assert isinstance(self._short, Rolls)
        return self._short.rolled(prefix, after, limit)

    def read(self, key: str, *, cap: int = BODY_CAP) -> Blob | None:
        self.reads += 1
        return super().read(key, cap=cap)


_FIRSTS = ["00", "0a", "0b", "a0", "a1", "a9", "ab", "af", "ff"]
_SHARDS = st.sampled_from(["00", "0a", "ff", "ab"])
_ODD_LEVELS = st.sampled_from(["abc", "0", "a", "zz", "ab-", "ab0", "AB", "", " ", "ab.d"])
_VOLUMES = st.sampled_from(
    ["v", "v-1", "v.b", "v0", "vv", "v v", "é", "日本", "\U0001f512", "BACKINGIMAGE", "locks", "%41", "a+b"]
)
_ODD_VOLUMES = st.sampled_from(["", ".", "..", "v\u2028", "\U0010fffd", "\U0010ffff", "\x7f", "~"])
_INSIDE = st.sampled_from(
    ["backups/backup_1.cfg", "blocks/00/01/x.blk", "locks/lock-1.lck", "locks/lock-2.lck", "volume.cfg"]
)
_ODD_INSIDE = st.sampled_from(
    [
        "",
        "a",
        "/x",
        "//locks/l1.lck",
        "backups",
        "backups/",
        "blocks/",
        "lock",
        "lock/x",
        "lock-a/x",
        "lock\U0010ffff",
        "locks",
        "locks/",
        "locks//l1.lck",
        "locks/l1.lck",
        "locks/l1.lck/inside",
        "locks/x.lck/a/b",
        "locks/x.lck/\U0010ffff",
        "locks/x.lck-",
        "locks/sub/y.lck",
        "locks/sub0.lck",
        "locks/lock-1.lck.tmp.1600",
        "locks/-.lck",
        "locks/\U0010ffff",
        "locks-old/l1.lck",
        "locks.bak",
        "locks0",
        "locks0/l1.lck",
        "locksmith/l1.lck",
        "mid/x",
        "mid/\U0010ffff/x",
        "volume.cf",
        "volume.cf/x",
        "volume.cfg.bak",
        "volume.cfg/x",
        "volume.cfg-",
        "zz",
        "zz/1",
        "\U0010fffd",
        "\U0010fffe/x",
    ]
)


@st.composite
def _key(draw: st.DrawFn, odd: bool) -> str:
    def either(usual: st.SearchStrategy[str], strange: st.SearchStrategy[str], often: int) -> str:
        return draw(strange if odd and draw(st.integers(0, often)) == 0 else usual)

    first = either(st.sampled_from(_FIRSTS), _ODD_LEVELS, 11)
    second = either(_SHARDS, _ODD_LEVELS, 11)
    if odd and draw(st.integers(0, 19)) == 0:
        return f"{layout.VOLUMES}/{draw(st.sampled_from([first, f'{first}/{second}', f'{first}/', 'x']))}"
    volume = either(_VOLUMES, _ODD_VOLUMES, 9)
    return f"{layout.VOLUMES}/{first}/{second}/{volume}/{either(_INSIDE, _ODD_INSIDE, 1)}"


@st.composite
def shapes(draw: st.DrawFn, odd: bool = True) -> dict[str, bytes]:
    """A store's objects: volumes of all forms, strange things between them, and a heap or two of keys.

    Not `odd`: only what any server can hold that keeps its keys in files.
    """
    keys = set(draw(st.lists(_key(odd), max_size=40)))
    heaps = st.tuples(st.sampled_from(sorted(keys)), st.integers(1, 30)) if keys else st.nothing()
    for key, many in draw(st.lists(heaps, max_size=2)) if keys else []:
        folder = key.rpartition("/")[0]
        keys |= {f"{folder}/{number:02d}.lck" for number in range(many)}
    if draw(st.booleans()):
        keys.add("backupstore/system-backups/x")
    return {
        key: LOCK if key.endswith(".lck") else b"{}" for key in sorted(keys) if odd or _is_plain(key, keys)
    }


def _is_plain(key: str, keys: set[str]) -> bool:
    return all(part not in ("", ".", "..") for part in key.split("/")) and not any(
        other.startswith(f"{key}/") for other in keys
    )


def content(seen: Snapshot) -> tuple[object, ...]:
    """What two sweeps of an unchanged store must agree in, however they were made."""
    return (
        Counter(seen.volumes),
        dict(sorted(seen.by_key.items())),
        seen.problems,
        seen.store_present,
        seen.complete,
    )
