"""A recording as a store: at each instant of a clock that is set back, it holds what was seen then.

What asks a store (a sweep, the console) asks a recording in the same way. Nothing can be written, times in
which the recorded store did not answer are times without answers again, and folders that could not be read
cannot be read.
"""

from __future__ import annotations

import json
import threading

from backuplock import layout
from backuplock.clock import SECOND, Clock, Observation, SystemClock
from backuplock.errors import Denied, Irregular, ReadOnly, TooLarge, Unreachable
from backuplock.journal import Reader
from backuplock.model import Flaw, Leftover, LockFile, Snapshot, VolumeNames, VolumeView
from backuplock.stores.base import BODY_CAP, Blob, Capabilities, Entry, Listing, Version
from backuplock.wire import encode

_UNLISTED = " could not be listed: "
"""How a sweep words what it could not list; a replay takes it apart, so that it is worded once again."""


class ReplayClock:
    """A clock that starts in the past and runs `speed` times as fast as `base`, up to `end_wall_ns`.

    Both readings stop at the end and while it is paused; sleeps take `1 / speed` of their time. The wall
    clock can be wound (`seek`), back as far as `first_wall_ns`; the monotonic one only ever counts what was
    played. Safe to use from several threads.

    Raises:
        ValueError: `speed` is not positive.
    """

    def __init__(
        self,
        start_wall_ns: int,
        end_wall_ns: int,
        *,
        speed: float = 1.0,
        base: Clock | None = None,
        first_wall_ns: int | None = None,
    ) -> None:
        self._base: Clock = base or SystemClock()
        self._guard = threading.Lock()
        self.first_wall_ns = start_wall_ns if first_wall_ns is None else first_wall_ns
        self.end_wall_ns = max(start_wall_ns, end_wall_ns)
        self._speed = _forward(speed)
        self._paused = False
        self._jumps = 0
        self._since = self._base.mono_ns()
        self._wall, self._played = start_wall_ns, 0

    @property
    def speed(self) -> float:
        """How many times as fast as `base` it runs."""
        return self._speed

    @property
    def paused(self) -> bool:
        """Whether it was stopped."""
        return self._paused

    @property
    def jumps(self) -> int:
        """How often it was wound: what was seen before a jump does not go on after it."""
        return self._jumps

    @property
    def ended(self) -> bool:
        """Whether the end is reached."""
        return self.wall_ns() == self.end_wall_ns

    def wall_ns(self) -> int:
        with self._guard:
            return self._wall + self._run()

    def mono_ns(self) -> int:
        with self._guard:
            return _MONO_START + self._played + self._run()

    def sleep(self, duration_ns: int, wake: threading.Event | None = None) -> bool:
        # A clock that stands never reaches the end of a short sleep: its sleepers would come back at once.
        least = _STANDING_NS if self._paused or self.ended else 0
        return self._base.sleep(max(least, round(duration_ns / self._speed)), wake)

    def pause(self, *, paused: bool) -> None:
        """Stop, or go on."""
        with self._guard:
            self._settle()
            self._paused = paused

    def set_speed(self, speed: float) -> None:
        """Run faster or slower from now on.

        Raises:
            ValueError: not positive.
        """
        with self._guard:
            self._settle()
            self._speed = _forward(speed)

    def seek(self, wall_ns: int) -> None:
        """Go to an instant; outside the recording, to the end that is nearer."""
        with self._guard:
            self._settle()
            self._wall = min(max(wall_ns, self.first_wall_ns), self.end_wall_ns)
            self._jumps += 1

    def _settle(self) -> None:
        """Begin to count anew from here."""
        run = self._run()
        self._wall, self._played, self._since = self._wall + run, self._played + run, self._base.mono_ns()

    def _run(self) -> int:
        """What was played since it was last told something."""
        if self._paused:
            return 0
        return min(self.end_wall_ns - self._wall, round((self._base.mono_ns() - self._since) * self._speed))


def _forward(speed: float) -> float:
    if not speed > 0:
        raise ValueError(f"time runs forward, not {speed} times")
    return speed


_MONO_START = 1_000 * SECOND
_STANDING_NS = SECOND // 4
"""How long who waits for a clock that stands sleeps at least, by the clock under it."""


class ReplayStore:
    """A recording at the instant that `clock` shows; read-only, safe to call from several threads.

    The reader stays the caller's: `close` leaves it open. Two things are not as they were: `volume.cfg` holds
    only the names people know, and of a body of more than 4 KiB what was not recorded is padding.
    """

    def __init__(self, reader: Reader, clock: Clock) -> None:
        self._reader = reader
        self._clock = clock
        self._guard = threading.Lock()
        self._folders: dict[str, str] = {}
        self._now: _Tree | None = None
        self._valid = (0, 0)
        self._gap = ""
        self.url = f"replay of {reader.target}"
        self.capabilities = Capabilities(
            kind="replay",
            atomic_read=True,
            conditional_put="no",
            conditional_delete="no",
            listing_lags="no",
            grain_ns=1,
            writable=False,
        )

    def list(self, folder: str) -> Listing:
        tree, wall = self._tree()
        if folder in tree.refused:
            raise Denied(tree.refused[folder])
        observed = tree.observed(self._clock.mono_ns(), wall)
        view = tree.volumes.get(folder)
        if view is not None:
            return _volume_listing(view, observed)
        parent, _, last = folder.rpartition("/")
        if last == layout.LOCKS and parent in tree.volumes:
            return _locks_listing(tree.volumes[parent], observed)
        return Listing((), tuple(sorted(tree.children.get(folder, ()))), observed)

    def read(self, key: str, *, cap: int = BODY_CAP) -> Blob | None:
        tree, wall = self._tree()
        observed = tree.observed(self._clock.mono_ns(), wall)
        lock = tree.snapshot.by_key.get(key)
        if lock is not None:
            return _blob(lock, cap, observed)
        if key in tree.leftovers:
            raise Denied(f"{key} was not read when {self.url} was recorded")
        folder, _, last = key.rpartition("/")
        view = tree.volumes.get(folder)
        if last != layout.VOLUME_CFG or view is None or view.names is None:
            return None
        return Blob(_volume_cfg(view.name, view.names), 0, "recorded", observed)

    def put(self, key: str, body: bytes, *, if_match: str | None = None, if_absent: bool = False) -> Version:
        raise ReadOnly(f"{self.url}: the past cannot be written, {key} is left as it was")

    def delete(self, key: str, *, if_match: str | None = None) -> None:
        raise ReadOnly(f"{self.url}: the past cannot be written, {key} is left as it was")

    def close(self) -> None:
        """Nothing is held."""

    def _tree(self) -> tuple[_Tree, int]:
        wall = self._clock.wall_ns()
        with self._guard:
            if not self._valid[0] <= wall < self._valid[1]:
                self._look_up(wall)
            if self._gap or self._now is None:
                raise Unreachable(
                    self._gap or "the recording begins later", advice="replay from a later time"
                )
            return self._now, wall

    def _look_up(self, wall: int) -> None:
        gap = self._reader.gap_at(wall)
        self._gap = "" if gap is None else f"as recorded: {gap.line}"
        snapshot = self._reader.snapshot_at(wall)
        if snapshot is None:
            self._now = None
        elif self._now is None or self._now.snapshot.taken_wall_ns != snapshot.taken_wall_ns:
            self._now = _Tree(snapshot, self._folders)
        self._valid = wall, self._reader.next_change(wall)


class _Tree:
    """The folders of one Snapshot.

    Attributes:
        volumes: folder of a volume -> the volume.
        children: folder above the volumes -> names in it.
        refused: folder -> why it could not be listed.
        leftovers: keys of files that are no locks.
    """

    def __init__(self, snapshot: Snapshot, folders: dict[str, str]) -> None:
        self.snapshot = snapshot
        self.volumes: dict[str, VolumeView] = {}
        self.children: dict[str, set[str]] = {}
        self.refused: dict[str, str] = {}
        self.leftovers: set[str] = set()
        if snapshot.store_present:
            self._grow(layout.ROOT)
        for view in snapshot.volumes:
            folder = _folder_of(view, folders)
            self.volumes[folder] = view
            self._grow(folder)
            self.leftovers.update(left.key for left in view.leftovers)
            if view.problem and not _locks_are_odd(view):
                head, mark, rest = view.problem.partition(_UNLISTED.lstrip())
                self.refused[folder] = rest if mark and not head else view.problem
        for problem in snapshot.problems:
            self._refuse(problem)

    def observed(self, mono_ns: int, wall_ns: int) -> Observation | None:
        """What the store's clock said at an instant after the look, as exactly as was known then."""
        seen = self.snapshot
        if seen.clock.source == "assumed":
            return None
        then = seen.clock.at(seen.ended_mono_ns + wall_ns - seen.taken_wall_ns)
        return Observation(mono_ns, mono_ns, then.lo, then.hi - then.lo)

    def _refuse(self, problem: str) -> None:
        folder, _, why = problem.partition(_UNLISTED)
        parts = folder.removeprefix(f"{layout.VOLUMES}/").split("/")
        if not why or len(parts) > 2 or not all(map(layout.is_shard, parts)):
            # Nobody knows what it hid: some folder has to stand for it, or the picture would look whole.
            names = (f"{number:02x}" for number in range(256))
            used = self.children.get(layout.VOLUMES, set())
            folder, why = f"{layout.VOLUMES}/{next((n for n in names if n not in used), '00')}", problem
        self.refused[folder] = why
        self._grow(folder)

    def _grow(self, folder: str) -> None:
        while folder:
            parent, _, last = folder.rpartition("/")
            names = self.children.setdefault(parent, set())
            if last in names:
                return
            names.add(last)
            folder = parent


def _folder_of(view: VolumeView, folders: dict[str, str]) -> str:
    keys = [lock.key for lock in view.locks] or [left.key for left in view.leftovers]
    if keys:
        return keys[0].rsplit("/", 2)[0]
    folder = folders.get(view.name)
    if folder is None:
        folder = folders[view.name] = "/".join((layout.VOLUMES, *layout.shards(view.name), view.name))
    return folder


def _locks_are_odd(view: VolumeView) -> bool:
    return view.problem.startswith(repr(layout.LOCKS))


def _volume_listing(view: VolumeView, observed: Observation | None) -> Listing:
    if view.ghost:
        return Listing((), (layout.LOCKS,), observed)
    entries: list[Entry] = []
    if _locks_are_odd(view):
        entries.append(Entry(layout.LOCKS, regular=False))
    if view.names is not None:
        entries.append(Entry(layout.VOLUME_CFG, len(_volume_cfg(view.name, view.names)), 0, "recorded"))
    folders = ("backups", layout.LOCKS) if view.locks or view.leftovers else ("backups",)
    return Listing(tuple(entries), folders, observed)


def _locks_listing(view: VolumeView, observed: Observation | None) -> Listing:
    plain = [lock for lock in view.locks if not _is_folder(lock)]
    entries = [
        *(Entry(lock.file_name, lock.size, lock.listed_ns, lock.listed_etag) for lock in plain),
        *(_leftover(left) for left in view.leftovers),
    ]
    folders = sorted(lock.file_name for lock in view.locks if _is_folder(lock))
    return Listing(tuple(sorted(entries, key=lambda entry: entry.name)), tuple(folders), observed)


def _leftover(left: Leftover) -> Entry:
    return Entry(left.key.rpartition("/")[2], left.size, left.modified_ns)


def _is_folder(lock: LockFile) -> bool:
    """Folders have neither time nor size where files of any kind have one of them."""
    return lock.flaw is Flaw.IRREGULAR and (lock.modified_ns, lock.size, lock.listed_etag) == (None, 0, "")


def _blob(lock: LockFile, cap: int, observed: Observation | None) -> Blob:
    if lock.flaw is Flaw.TOO_LARGE:
        raise TooLarge(lock.reason)
    if lock.flaw is Flaw.IRREGULAR:
        raise Irregular(lock.reason)
    if lock.flaw is Flaw.UNREADABLE or lock.modified_ns is None:
        raise Denied(lock.reason)
    if lock.size > cap:
        raise TooLarge(f"{lock.key} has {lock.size} bytes, more than the {cap} that are read")
    return Blob(_body(lock), lock.modified_ns, lock.etag, observed)


def _body(lock: LockFile) -> bytes:
    if lock.size <= len(lock.raw):
        return lock.raw
    if lock.record is None:
        return lock.raw.ljust(lock.size, b"\0")
    said = encode(lock.record)
    return said.ljust(lock.size) if len(said) <= lock.size else said


def _volume_cfg(name: str, names: VolumeNames) -> bytes:
    workloads = [{"workloadName": names.workload}] if names.workload else []
    status = {"namespace": names.namespace, "pvcName": names.claim, "workloadsStatus": workloads}
    image = names.backing_image
    config = {
        "Name": name,
        "BackingImageName": json.dumps(image) if image.startswith('"') else image,
        "Labels": {"KubernetesStatus": json.dumps(status)},
    }
    return json.dumps(config).encode()
