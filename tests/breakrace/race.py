"""One round after the other: a lock is broken at the moment its holder refreshes it, and a judge looks.

Two kinds of holders. The *blind* one writes the same bytes again without looking, once near the break and
once more later, as Longhorn's does each minute: it sets off while the break goes on, after one of its steps,
and neither waits for the other. *Ours* is the lock of this library, renewed by its own threads.
"""

from __future__ import annotations

import random
import secrets
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TypeVar

from backuplock.breaking import (
    Audit,
    Because,
    Broken,
    Failed,
    Fate,
    Order,
    Refused,
    Step,
    Window,
    Writer,
    execute,
    make_plan,
    vigil_of,
    window_of,
)
from backuplock.clock import SECOND
from backuplock.errors import LockLost, Unreachable
from backuplock.lock import BackupLock
from backuplock.model import Operation
from backuplock.stores.base import Store, aside_of
from backuplock.survey import look
from harness.builders import Lock
from harness.locks import short_terms, until

LEASE_S = 6.0
"""Of our own locks; they renew every 0.8 s then."""
_STARTS = (Step.COPIED, Step.RECHECKED, Step.RECHECKED, Step.REMOVED)
"""After which steps a blind holder sets off: around the removal, most of all."""
_BATCH = 100
_T = TypeVar("_T")


@dataclass
class BreakRace:
    """The rounds on one store, and what came of them.

    Attributes:
        spread_s: how long a holder takes at most to set off.
        counts: outcomes, by name.
        violations: rounds that no outcome excuses, in words.
    """

    store: Store
    audit: Audit
    spread_s: float = 0.004
    threads: int = 8
    counts: Counter[str] = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)

    @property
    def window(self) -> Window | None:
        """What the audit trail has measured."""
        return window_of(self.audit.entries(), self.store.url)

    def blind(self, rounds: int) -> None:
        """Against a holder that refreshes blindly."""
        for start in range(0, rounds, _BATCH):
            batch = [self._planted() for _ in range(min(_BATCH, rounds - start))]
            if self.store.capabilities.grain_ns >= SECOND:
                # Within the grain of the store's times no refresh shows; a dead lock is older by far.
                time.sleep(1.1)
            self._each(batch, self._blind_round)

    def ours(self, rounds: int) -> None:
        """Against our own lock."""
        self._each(range(rounds), self._our_round)

    def _each(self, items: Iterable[_T], go: Callable[[_T], None]) -> None:
        def guarded(item: _T) -> None:
            try:
                go(item)
            except Unreachable:
                # A server under load fails now and then; such a round shows nothing.
                self.counts["the store failed: not judged"] += 1

        with ThreadPoolExecutor(self.threads) as pool:
            for done in [pool.submit(guarded, item) for item in items]:
                done.result(300)

    # -- blind

    def _planted(self) -> tuple[Lock, Order]:
        lock = Lock(f"pvc-{secrets.token_hex(6)}", "lock-feed000000000001")
        self.store.put(lock.key, lock.content)
        return lock, self._order(lock.volume, lock.key)

    def _order(self, volume: str, key: str) -> Order:
        return make_plan(self.store, look(self.store, volume), key).order

    def _seen(self, volume: str) -> dict[str, Order]:
        """The order for the lock of a volume. rclone replaces a file in steps: what is renewed at the moment
        may be missing from a look, and is in the next."""
        found: dict[str, Order] = {}

        def looked() -> bool:
            snapshot = look(self.store, volume)
            found.update({key: make_plan(self.store, snapshot, key).order for key in snapshot.by_key})
            return bool(found) and not any(order.unfit for order in found.values())

        until(looked, f"for a lock in {volume}")
        return found

    def _blind_round(self, planted: tuple[Lock, Order]) -> None:
        lock, order = planted
        go = threading.Event()
        start = random.choice(_STARTS)

        def refresh() -> None:
            go.wait()
            # Mostly at once: in memory and in folders the rest of the break takes less than a millisecond.
            time.sleep(self.spread_s * random.random() ** 6)
            self.store.put(lock.key, lock.content)

        def told(step: Step) -> None:
            if step is start:
                go.set()

        holder = threading.Thread(target=refresh)
        holder.start()
        try:
            result = self._break(order, told)
        finally:
            go.set()
            holder.join()
        self._judge_blind(lock, order, result)

    def _judge_blind(self, lock: Lock, order: Order, result: Broken | Refused) -> None:
        found = self.store.read(lock.key)
        refreshed = found is not None and found.body == lock.content
        if isinstance(result, Refused):
            self.counts[f"blind: refused, {result.because}"] += 1
            # Refreshed exactly once, and not removed by us: it is there, and it is the refreshed version.
            older = found is None or found.modified_ns < order.token.modified_ns
            if result.because is Because.CHANGED and older:
                self.violations.append(f"{lock.key}: refused, and gone or older")
            # A look of ours may meet rclone in the middle of an overwrite.
            if result.because is Because.GONE and found is None:
                self.violations.append(f"{lock.key}: gone, and nobody else breaks")
        elif refreshed:
            self.counts["blind: broken, came back"] += 1
            self._must_be_noticed(lock, result)
        elif aside_of(self.store) is not None:
            self.violations.append(f"{lock.key}: a refreshed lock was removed for good")
        else:
            self.counts["blind: broken, refresh fell into the window"] += 1
            self.store.put(lock.key, lock.content)
            self._must_be_noticed(lock, result)
        self.store.delete(lock.key)

    def _must_be_noticed(self, lock: Lock, broken: Broken) -> None:
        seen = vigil_of(broken).look(look(self.store, lock.volume))
        if seen.fate is not Fate.CAME_BACK:
            self.violations.append(f"{lock.key}: back, and one look did not notice")

    # -- ours

    def _our_round(self, _: int) -> None:
        volume = f"pvc-{secrets.token_hex(6)}"
        lock = BackupLock(self.store, volume, Operation.BACKUP, terms=short_terms(self.store, LEASE_S))
        lock.acquire()
        (key,) = self._seen(volume)
        time.sleep(random.uniform(0, LEASE_S * 20 / 150))
        result = self._break(self._seen(volume)[key])
        if isinstance(result, Refused):
            self._judge_refused(lock, key, result)
        else:
            self._judge_broken(lock, key, result, volume)
        lock.release()
        self.store.delete(key)

    def _judge_refused(self, lock: BackupLock, key: str, result: Refused) -> None:
        # It goes on as if nothing had happened: one renewal more, and it is there.
        time.sleep(LEASE_S * 25 / 150)
        try:
            lock.check()
        except LockLost as lost:
            # A slow machine or store lets a short lease run out; that is no doing of the break.
            self.counts[f"ours: refused, and then {lost.reason} all the same"] += 1
            if lost.reason == "removed" and self.store.read(key) is None:
                self.violations.append(f"{key}: refused, and yet removed")
            return
        self.counts[f"ours: refused, {result.because}"] += 1
        # rclone replaces a file in steps: it may be missing from a look while it is renewed.
        until(lambda: lock.lost.is_set() or self.store.read(key) is not None, f"for {key}, which was refused")

    def _judge_broken(self, lock: BackupLock, key: str, result: Broken, volume: str) -> None:
        until(lambda: lock.lost.is_set() or self.store.read(key) is not None, f"for the end of {key}")
        if lock.lost.is_set():
            self.counts["ours: broken, its holder knows"] += 1
            return
        self.counts["ours: broken, came back"] += 1
        # Two looks, for it is renewed meanwhile, which rclone does in steps.
        seen = vigil_of(result).look(look(self.store, volume)).look(look(self.store, volume))
        if seen.fate is not Fate.CAME_BACK and not lock.lost.is_set():
            self.violations.append(f"{key}: back, and two looks did not notice")

    def _break(self, order: Order, told: Callable[[Step], None] = lambda _: None) -> Broken | Refused:
        try:
            return execute(Writer(self.store, self.audit, told=told), order, reason="race", allow_live=True)
        except Refused as refused:
            return refused
        except Failed as failed:
            if not failed.settled:
                raise
            # A store that was too slow to take the copy: nothing was broken, which is judged as a refusal.
            return Refused(failed.what, because=Because.NOT_NOW)
