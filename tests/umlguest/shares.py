"""Scenes that are the same on every kind of share, played on two mounts of it."""

from __future__ import annotations

import os
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from backuplock.breaking import Audit, Writer, execute, make_plan, undo
from backuplock.breaking.errors import Refused
from backuplock.doctor import examine
from backuplock.doctor.checks import of_mount
from backuplock.errors import Contended
from backuplock.lock import BackupLock
from backuplock.model import Operation
from backuplock.stores.filesystem import FilesystemStore
from backuplock.survey import look, sweep
from breakrace.race import BreakRace
from harness.builders import Lock, Volume, volume_folder
from harness.races import Race, timing
from harness.referee import Referee
from umlguest.scene import Told, error_of, seconds_until

PAIRS = 8


@dataclass
class Pair:
    """Two clients of one share, and the folder that it is on the server."""

    first: FilesystemStore
    second: FilesystemStore
    served: Path
    scratch: Path

    @classmethod
    def of(cls, first: Path, second: Path, served: Path, scratch: str) -> Pair:
        folder = Path("/mnt", scratch)
        folder.mkdir()
        return cls(
            FilesystemStore(first, writable=True), FilesystemStore(second, writable=True), served, folder
        )

    def volume(self, name: str) -> None:
        """Make a volume."""
        self.first.put(Volume(name).cfg_key, Volume(name).cfg)

    # -- scenes

    def sight(self) -> Told:
        """How soon the one sees what the other does, and that both see the same."""
        folder = f"{volume_folder('pvc-sight')}/locks"
        key = f"{folder}/lock-feed000000000001.lck"
        self.second.list(folder)
        absent = self.second.read(key) is None

        def names() -> list[str]:
            return [entry.name for entry in self.second.list(folder).entries]

        version = self.first.put(key, b"one")
        listed_s = seconds_until(lambda: names() == ["lock-feed000000000001.lck"])
        read_s = seconds_until(lambda: self.second.read(key) is not None)
        blob = self.second.read(key)
        assert blob is not None
        again = self.first.put(key, b"two")
        rewritten_s = seconds_until(lambda: (found := self.second.read(key)) and found.body == b"two")
        fresh = self.second.read(key)
        assert fresh is not None
        self.first.delete(key)
        gone_s = seconds_until(lambda: names() == [])
        return {
            "absent at first": absent,
            "listed after": listed_s,
            "read after": read_s,
            "rewritten seen after": rewritten_s,
            "gone after": gone_s,
            "same time": blob.modified_ns == version.modified_ns,
            "same time of the second": fresh.modified_ns == again.modified_ns,
            "apart": [
                blob.modified_ns - (version.modified_ns or 0),
                fresh.modified_ns - (again.modified_ns or 0),
            ],
        }

    def locks(self) -> Told:
        """Locks of both kinds, taken by the one and met by the other."""
        self.volume("pvc-locks")
        backup = BackupLock(self.first, "pvc-locks", Operation.BACKUP)
        backup.acquire()
        other = BackupLock(self.second, "pvc-locks", Operation.RESTORE)
        delete = BackupLock(self.second, "pvc-locks", Operation.DELETE)
        refused, blockers = "granted", 0
        try:
            delete.acquire()
        except Contended as error:
            refused, blockers = str(error), len(error.blockers)
        other.acquire()
        both = [sorted(sweep(store).by_key) for store in (self.first, self.second)]
        ours = [other.release(), backup.release()]
        delete.acquire(20)
        met = error_of(BackupLock(self.first, "pvc-locks", Operation.BACKUP).acquire)
        ours.append(delete.release())
        return {
            "refused": refused,
            "blockers": blockers,
            "seen by both": both,
            "refused the other way round": met,
            "proofs": [str(one.proof) for one in ours],
            "why": [one.reason for one in ours],
            "left": [entry.name for entry in self.second.list(f"{volume_folder('pvc-locks')}/locks").entries],
        }

    def race(self) -> Told:
        """Opposite pairs at the same moment, one on each client, judged by a referee."""
        referee = Referee(self.scratch / "referee")
        first, second = (Race(store, referee, timing(60, 2.0)) for store in (self.first, self.second))
        first.run(PAIRS, (first.ours, second.ours), at_once=PAIRS)
        counts = first.counts + second.counts
        left = [n for n in range(PAIRS) if self.first.list(f"{volume_folder(f'pvc-{n}')}/locks").entries]
        return {"pairs": PAIRS, "violations": referee.violations(), "counts": dict(counts), "left": left}

    def renewals(self) -> Told:
        """A lock that is renewed over and over by the one, looked at by the other all the while."""
        folder = f"{volume_folder('pvc-renewed')}/locks"
        key = f"{folder}/lock-feed000000000001.lck"
        bodies = [b"a" * 70, b"b" * 170]
        self.first.put(key, bodies[0])
        seconds_until(lambda: self.second.read(key))
        stop = threading.Event()
        put = 0

        def renew() -> None:
            nonlocal put
            while not stop.is_set():
                put += 1
                self.first.put(key, bodies[put % 2])

        renewer = threading.Thread(target=renew)
        renewer.start()
        unlisted = unread = torn = looks = 0
        problems: list[str] = []
        end = time.monotonic() + 3
        while time.monotonic() < end:
            looks += 1
            unlisted += "lock-feed000000000001.lck" not in [e.name for e in self.second.list(folder).entries]
            try:
                blob = self.second.read(key)
            except Exception as error:
                problems.append(f"{type(error).__name__}: {error}")
                continue
            unread += blob is None
            torn += blob is not None and blob.body not in bodies
        stop.set()
        renewer.join()
        left = [entry.name for entry in self.first.list(folder).entries]
        self.first.delete(key)
        return {
            "looks": looks,
            "puts": put,
            "unlisted": unlisted,
            "unread": unread,
            "torn": torn,
            "problems": problems[:3],
            "left": left,
        }

    def break_and_undo(self) -> Told:
        """The first breaks a dead lock of the second's; the second puts it back."""
        self.volume("pvc-broken")
        lock = Lock("pvc-broken", "lock-feed000000000001")
        self.second.put(lock.key, lock.content)
        old = time.time() - 3000
        os.utime(self.served / lock.key, (old, old))
        seconds_until(lambda: (blob := self.first.read(lock.key)) and blob.modified_ns < old * 1e9 + 1e9, 20)
        audit = Audit.open(self.scratch / "audit.db")
        plan = make_plan(self.first, look(self.first, "pvc-broken"), lock.key)
        broken = execute(Writer(self.first, audit), plan.order, reason="a test")
        gone_s = seconds_until(lambda: self.second.read(lock.key) is None)
        on_server = (self.served / lock.key).exists()
        undone = undo(Writer(self.second, audit), broken.id)
        back_s = seconds_until(lambda: self.first.read(lock.key) is not None)
        back = self.first.read(lock.key)
        return {
            "back after": back_s,
            "dead": plan.dead,
            "gone after": gone_s,
            "still on the server": on_server,
            "key": undone.key == lock.key,
            "back": back is not None and back.body == lock.content,
            "fresh": back is not None and abs(back.modified_ns - time.time_ns()) < 60e9,
            "trail": audit.verify().problem,
            "outcomes": [entry.get("outcome") for entry in audit.entries() if entry.get("phase") == "after"],
        }

    def live_refused(self) -> Told:
        """A lock that its holder refreshes on the other client is not broken without insisting."""
        self.volume("pvc-live")
        lock = BackupLock(self.second, "pvc-live", Operation.BACKUP)
        lock.acquire()
        key = (
            f"{volume_folder('pvc-live')}/locks/"
            + self.second.list(f"{volume_folder('pvc-live')}/locks").entries[0].name
        )
        plan = make_plan(self.first, look(self.first, "pvc-live"), key)
        try:
            execute(Writer(self.first, Audit.open(self.scratch / "live.db")), plan.order, reason="a test")
            refused = ""
        except Refused as error:
            refused = str(error)
        lock.check()
        there = self.first.read(key) is not None
        return {"refused": refused, "there": there, "proof": str(lock.release().proof)}

    def break_race(self, rounds: int) -> Told:
        """Breaks on the one against a holder that refreshes blindly on the other."""
        race = BreakRace(self.first, Audit.open(self.scratch / "race.db"), spread_s=0.3, threads=16)
        race.holder, race.judge, race.lag_s = self.second, FilesystemStore(self.served), 1.5
        race.blind(rounds)
        return {"rounds": rounds, "counts": dict(race.counts), "violations": race.violations[:10]}


def mount_check(point: Path) -> list[str]:
    """What doctor says of the options of a mount, and whether its listings count as late."""
    store = FilesystemStore(point)
    found = of_mount(store.mount)
    return [str(found.grade), found.text, found.advice, store.capabilities.listing_lags]


def doctor(point: Path, *, write: bool) -> Told:
    """What doctor says of a mount."""
    found = examine(lambda writable: FilesystemStore(point, writable=writable), write=write)
    return {
        "worst": str(found.worst),
        "checks": {check.name: [str(check.grade), check.text, check.advice] for check in found.checks},
        "guarantees": {one.name: one.holds for one in found.guarantees},
        "lags": found.capabilities.listing_lags,
    }
