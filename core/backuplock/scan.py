"""Volumes and their locks out of a store's keys in order, leaping over what does not matter; no I/O.

In a volume's folder keys come as `backups/` < `blocks/` < `locks/` < `volume.cfg`. Whoever lists from just
before `locks/` on therefore meets this volume's locks and then the first key of the next volume, so that one
page a volume is enough however many blocks there are, and no folder need be listed to learn names.

What a scan finds is what listing folder by folder finds; names that are foreign to a backup store are passed
over alike. A leap never passes a key that counts: where in doubt it falls short, and the next page is read
from the last key on.
"""

from __future__ import annotations

import re
from itertools import groupby

from backuplock import layout
from backuplock.stores.base import BLOCKS, Entry, Found, Keys, Listing

_BASE = f"{layout.VOLUMES}/"
_BEFORE_LOCKS = layout.LOCKS[:-1]
_INSIDE_LOCKS = f"{layout.LOCKS}/"
_BEFORE_CFG = layout.VOLUME_CFG[:-1]
_LAST = "\U0010fffd"
"""Sorts behind whatever a name begins with in practice; the last character that every XML may hold."""

_HIDDEN = re.compile(re.escape(_BASE) + "[0-9a-f]{2}/[0-9a-f]{2}/blocks/")
"""A volume that is left out as a whole; deeper down only what lies in folders of a volume is."""

FIRST_PAGE = 16
ROLLED_PAGE = 1000
"""Keys of a page without blocks: nothing on it is read in vain, and S3 gives no more."""
SMALLEST_PAGE = 4
LARGEST_PAGE = 256


class Disordered(Exception):
    """The store gave keys that a listing from a point on cannot have; the text says which."""


class PageSize:
    """How many keys to ask for: few where pages end amid keys that are leapt over, many where they do not.

    A page of 4 holds the locks of a volume, its `volume.cfg` and the next volume's first key. Small volumes
    are cheaper read through, several a page.
    """

    def __init__(self) -> None:
        self.keys = FIRST_PAGE

    def learn(self, asked: int, wasted: int) -> None:
        """Of so many keys, so many at the end told nothing."""
        if 2 * wasted >= asked:
            self.keys = max(SMALLEST_PAGE, asked // 2)
        elif 4 * wasted <= asked:
            self.keys = min(LARGEST_PAGE, asked * 2)


class Scan:
    """One range of the keys below `backupstore/volumes/`, page by page.

    Args:
        firsts: the first levels in it, sorted; at least one.
        prefix: what all its keys begin with.
        end: the key before which it ends; None: with the last that has the prefix.
        after: the key behind which it begins; empty: with the first that has the prefix.
    """

    def __init__(
        self, firsts: tuple[str, ...], *, prefix: str, end: str | None = None, after: str = ""
    ) -> None:
        self._firsts = firsts
        self._end = end
        self._met: set[str] = set()
        self._volume: _Volume | None = None
        self.prefix = prefix
        self.after = after
        self.done = False
        self.wasted = 0

    def take(self, page: Keys) -> list[Found]:
        """The volumes that are known whole with this page; afterwards `after` and `done` are new.

        Raises:
            Disordered: the page cannot be what comes after `after`.
        """
        found: list[Found] = []
        last = self.after
        for entry in page.entries:
            key = entry.name
            if key <= last or not key.startswith(self.prefix):
                raise Disordered(f"the listing names {key[:300]!a} after {last[:300]!a}")
            last = key
            if self._end is not None and key >= self._end:
                self.done = True
                break
            if self._volume is None or not key.startswith(self._volume.base):
                self._flush(found)
                self._volume = self._begun(key)
            if self._volume is not None:
                self._volume.add(entry)
        if not page.more or self.done:
            self._flush(found)
            self.done, self.wasted = True, 0
        else:
            if last == self.after:
                raise Disordered("the listing goes on and names nothing")
            self.after = max(last, self._leap(last))
            self.wasted = self._idle(page.entries)
        return found

    def missed(self) -> tuple[str, ...]:
        """First levels in the range that no key was seen of, which the listing of folders had promised."""
        return tuple(first for first in self._firsts if first not in self._met)

    def left(self) -> tuple[str, ...]:
        """First levels that are not read to their end, and those that were missed before."""
        return tuple(first for first in self._firsts if first >= self._at or first not in self._met)

    def split(self) -> Scan | None:
        """Give the later half of what is left to a second scan; None if there is too little of it."""
        ahead = [number for number, first in enumerate(self._firsts) if first > self._at]
        if self.done or len(ahead) < _WORTH_SPLITTING:
            return None
        cut = ahead[len(ahead) // 2]
        mine, theirs = self._firsts[:cut], self._firsts[cut:]
        border = _BASE + theirs[0]
        other = Scan(theirs, prefix=self.prefix, end=self._end, after=border)
        self._firsts, self._end = mine, border
        return other

    def fits(self, page: Keys) -> bool:
        """Whether a page without what lies in `blocks/` leaves out no lock: a volume may be called so."""
        return not any(_HIDDEN.fullmatch(one.name) for one in page.entries if one.name.endswith(BLOCKS))

    @property
    def _at(self) -> str:
        """The first level that is being read."""
        return self.after.removeprefix(_BASE).partition("/")[0]

    def _begun(self, key: str) -> _Volume | None:
        """The volume a key lies in; None if it lies beside all volumes."""
        parts = key[len(_BASE) :].split("/", 3)
        self._met.add(parts[0])
        if len(parts) < 4 or not (layout.is_shard(parts[0]) and layout.is_shard(parts[1])) or not parts[2]:
            return None
        return _Volume(parts[2], _BASE + "/".join(parts[:3]))

    def _flush(self, found: list[Found]) -> None:
        if self._volume is not None:
            found.append(self._volume.found())
            self._volume = None

    def _leap(self, last: str) -> str:
        """Where to go on behind the last key of a page, so that nothing which counts is passed."""
        volume = self._volume
        if volume is None:
            return _beside(last)
        return volume.base + volume.leap(last[len(volume.base) :])

    def _idle(self, entries: tuple[Entry, ...]) -> int:
        """How many keys at the end of a page lie in the gap that is leapt over, but for the first of them."""
        gap = self.after.rpartition("/")[0] + "/"
        count = 0
        for entry in reversed(entries):
            if not entry.name.startswith(gap) or entry.name[len(gap) :].startswith(_INSIDE_LOCKS):
                break
            count += 1
        return max(0, count - 1) if self.after != entries[-1].name else 0


_WORTH_SPLITTING = 4
"""First levels: each range costs a request that a longer one would not have needed."""


class _Volume:
    """What was met so far of one volume."""

    __slots__ = ("_entries", "_folder", "_folders", "_lock_entries", "_lock_folders", "_name", "base")

    def __init__(self, name: str, folder: str) -> None:
        self._name = name
        self._folder = folder
        self.base = f"{folder}/"
        self._entries: list[Entry] = []
        self._folders: dict[str, None] = {}
        self._lock_entries: list[Entry] = []
        self._lock_folders: dict[str, None] = {}

    def add(self, entry: Entry) -> None:
        head, slash, rest = entry.name[len(self.base) :].partition("/")
        if not head:
            return
        if not slash:
            self._entries.append(_named(entry, head))
            return
        self._folders[head] = None
        if head != layout.LOCKS:
            return
        name, slash, _ = rest.partition("/")
        if slash and name:
            self._lock_folders[name] = None
        elif name:
            self._lock_entries.append(_named(entry, name))

    def leap(self, below: str) -> str:
        """Where to go on, behind this key of the volume; both below its folder."""
        head, slash, rest = below.partition("/")
        if not head:
            # It may still turn out to hold nothing but locks: nothing of it may be passed unseen.
            return f"/{_LAST}" if slash else below
        if below < _BEFORE_LOCKS:
            return _BEFORE_LOCKS
        if below.startswith(_INSIDE_LOCKS):
            inner, slash, _ = rest.partition("/")
            return f"{_INSIDE_LOCKS}{inner}/{_LAST}" if slash else below
        if below > layout.VOLUME_CFG:
            return _LAST
        if _INSIDE_LOCKS < below < _BEFORE_CFG:
            return _BEFORE_CFG
        return f"{head}/{_LAST}" if slash else below

    def found(self) -> Found:
        inside = Listing(tuple(self._entries), tuple(sorted(self._folders)), requests=0)
        locks = Listing(tuple(self._lock_entries), tuple(sorted(self._lock_folders)), requests=0)
        return Found(self._name, self._folder, inside, locks)


def scans(firsts: tuple[str, ...], *, part: bool = False) -> list[Scan]:
    """The ranges to begin with: one for each first hex digit, or each first level where there are few; of a
    `part` of them, neighbours, one."""
    if part and firsts:
        begin, end = _BASE + firsts[0], f"{_BASE}{firsts[-1]}/{_LAST}"
        return [Scan(firsts, prefix=_BASE, end=end, after=begin)]
    if len(firsts) <= _DIGITS:
        return [Scan((first,), prefix=f"{_BASE}{first}/") for first in firsts]
    return [
        Scan(tuple(group), prefix=_BASE + digit) for digit, group in groupby(firsts, lambda first: first[0])
    ]


_DIGITS = 16


def _beside(last: str) -> str:
    """Behind a key that lies in no volume: behind its folder, if no volume can be in there."""
    parts = last[len(_BASE) :].split("/")
    if len(parts) > 1 and not layout.is_shard(parts[0]):
        return f"{_BASE}{parts[0]}/{_LAST}"
    if len(parts) > 2 and not layout.is_shard(parts[1]):
        return f"{_BASE}{parts[0]}/{parts[1]}/{_LAST}"
    if len(parts) > 3:
        # A volume without a name.
        return f"{_BASE}{parts[0]}/{parts[1]}//{_LAST}"
    return last


def _named(entry: Entry, name: str) -> Entry:
    return Entry(name, entry.size, entry.modified_ns, entry.etag)
