"""One round after the other: a lock is broken at the moment its holder refreshes it, and a judge looks.

Two kinds of holders. The *blind* one writes the same bytes again without looking, once near the break and
once more later, as Longhorn's does each minute: it sets off while the break goes on, after one of its steps,
and neither waits for the other. *Ours* is the lock of this library, renewed by its own threads.
"""

from __future__ import annotations

import contextlib
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
    quarantine,
    vigil_of,
    window_of,
)
from backuplock.clock import SECOND
from backuplock.errors import LockError, LockLost, StoreError, Unreachable
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
_R = TypeVar("_R")
NO_ANSWER = "the store gave no answer: not judged"


class NoAnswer(Exception):
    """A store was too slow for a round to show anything."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of a round, by name, and what no outcome excuses, in words."""

    outcome: str
    violation: str = ""


@dataclass
class BreakRace:
    """The rounds on one store, and what came of them.

    Attributes:
        spread_s: how long a holder takes at most to set off.
        holder: where blind holders write, if that is another way to the store (another mount).
        judge: where is looked whether a lock is there, if that way is surer than `store`.
        lag_s: for so long `store` may not show what was written elsewhere.
        counts: outcomes, by name.
        violations: rounds that no outcome excuses, in words.
    """

    store: Store
    audit: Audit
    spread_s: float = 0.004
    threads: int = 8
    holder: Store | None = None
    judge: Store | None = None
    lag_s: float = 0.0
    counts: Counter[str] = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)

    @property
    def window(self) -> Window | None:
        """What the audit trail has measured."""
        return window_of(self.audit.entries(), self.store.url)

    @property
    def valid(self) -> int:
        """Rounds that show something."""
        return self.counts.total() - self.counts[NO_ANSWER]

    def blind(self, rounds: int) -> None:
        """Against a holder that refreshes blindly."""
        for start in range(0, rounds, _BATCH):
            planted = self._each(range(min(_BATCH, rounds - start)), lambda _: self._planted())
            if self.store.capabilities.grain_ns >= SECOND:
                # Within the grain of the store's times no refresh shows; a dead lock is older by far.
                time.sleep(1.1)
            self._tally(self._each(planted, self._blind_round))

    def ours(self, rounds: int) -> None:
        """Against our own lock."""
        self._tally(self._each(range(rounds), self._our_round))

    def _each(self, items: Iterable[_T], go: Callable[[_T], _R]) -> list[_R]:
        """Do it for all of them, side by side; what a store under load gave no answer to is left out."""

        def guarded(item: _T) -> _R | None:
            try:
                return go(item)
            except (Unreachable, NoAnswer):
                return None
            except Failed as failed:
                if isinstance(failed.__cause__, StoreError):
                    return None
                raise

        with ThreadPoolExecutor(self.threads) as pool:
            pending = [pool.submit(guarded, item) for item in items]
            done = [one for one in (future.result() for future in pending) if one is not None]
        self.counts[NO_ANSWER] += len(pending) - len(done)
        return done

    def _tally(self, verdicts: Iterable[Verdict]) -> None:
        for verdict in verdicts:
            self.counts[verdict.outcome] += 1
            if verdict.violation:
                self.violations.append(verdict.violation)

    def _sweep_up(self, key: str, result: Broken | Refused) -> None:
        """Leave nothing of a round: listings of a quarantine that grows would be what is measured."""
        with contextlib.suppress(Unreachable):
            self.store.delete(key)
            if isinstance(result, Broken):
                quarantine.drop(self.store, result.id)

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

        try:
            until(looked, f"for a lock in {volume}")
        except AssertionError as error:
            raise NoAnswer from error
        return found

    def _blind_round(self, planted: tuple[Lock, Order]) -> Verdict:
        lock, order = planted
        go = threading.Event()
        start = random.choice(_STARTS)
        refreshed: list[bool] = []

        def refresh() -> None:
            go.wait()
            # Mostly at once: in memory and in folders the rest of the break takes less than a millisecond.
            time.sleep(self.spread_s * random.random() ** 6)
            with contextlib.suppress(Unreachable):
                (self.holder or self.store).put(lock.key, lock.content)
                refreshed.append(True)

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
        if not refreshed:
            raise NoAnswer
        verdict = self._judge_blind(lock, order, result)
        self._sweep_up(lock.key, result)
        return verdict

    def _judge_blind(self, lock: Lock, order: Order, result: Broken | Refused) -> Verdict:
        found = (self.judge or self.store).read(lock.key)
        refreshed = found is not None and found.body == lock.content
        if isinstance(result, Refused):
            # Refreshed exactly once, and not removed by us: it is there, and it is the refreshed version.
            older = found is None or found.modified_ns < order.token.modified_ns
            violation = ""
            if result.because is Because.CHANGED and older:
                violation = f"{lock.key}: refused, and gone or older"
            # A look of ours may meet rclone in the middle of an overwrite.
            if result.because is Because.GONE and found is None:
                violation = f"{lock.key}: gone, and nobody else breaks"
            return Verdict(f"blind: refused, {result.because}", violation)
        if refreshed:
            return Verdict("blind: broken, came back", self._unnoticed(lock, result))
        if aside_of(self.store) is not None:
            return Verdict("blind: removed for good", f"{lock.key}: a refreshed lock was removed for good")
        self.store.put(lock.key, lock.content)
        return Verdict("blind: broken, refresh fell into the window", self._unnoticed(lock, result))

    def _unnoticed(self, lock: Lock, broken: Broken) -> str:
        time.sleep(self.lag_s)
        seen = vigil_of(broken).look(look(self.store, lock.volume))
        return "" if seen.fate is Fate.CAME_BACK else f"{lock.key}: back, and one look did not notice"

    # -- ours

    def _our_round(self, _: int) -> Verdict:
        volume = f"pvc-{secrets.token_hex(6)}"
        lock = BackupLock(self.store, volume, Operation.BACKUP, terms=short_terms(self.store, LEASE_S))
        try:
            lock.acquire()
        except LockError as error:
            raise NoAnswer from error
        try:
            (key,) = self._seen(volume)
            time.sleep(random.uniform(0, LEASE_S * 20 / 150))
            result = self._break(self._seen(volume)[key])
            if isinstance(result, Refused):
                verdict = self._judge_refused(lock, key, result)
            else:
                verdict = self._judge_broken(lock, key, result, volume)
        finally:
            with contextlib.suppress(LockError):
                lock.release()
        self._sweep_up(key, result)
        return verdict

    def _judge_refused(self, lock: BackupLock, key: str, result: Refused) -> Verdict:
        # It goes on as if nothing had happened: one renewal more, and it is there.
        time.sleep(LEASE_S * 25 / 150)
        try:
            lock.check()
        except LockLost as lost:
            # A slow machine or store lets a short lease run out; that is no doing of the break.
            removed = lost.reason == "removed" and self.store.read(key) is None
            outcome = f"ours: refused, and then {lost.reason} all the same"
            return Verdict(outcome, f"{key}: refused, and yet removed" if removed else "")
        # rclone replaces a file in steps: it may be missing from a look while it is renewed.
        violation = self._in_vain(lock, key, "refused, and neither there nor lost")
        return Verdict(f"ours: refused, {result.because}", violation)

    def _judge_broken(self, lock: BackupLock, key: str, result: Broken, volume: str) -> Verdict:
        if violation := self._in_vain(lock, key, "broken, and its holder neither knows nor wrote it again"):
            return Verdict("ours: broken, and nobody knows", violation)
        if lock.lost.is_set():
            return Verdict("ours: broken, its holder knows")
        # Two looks, for it is renewed meanwhile, which rclone does in steps.
        seen = vigil_of(result).look(look(self.store, volume)).look(look(self.store, volume))
        unnoticed = seen.fate is not Fate.CAME_BACK and not lock.lost.is_set()
        return Verdict(
            "ours: broken, came back", f"{key}: back, and two looks did not notice" if unnoticed else ""
        )

    def _in_vain(self, lock: BackupLock, key: str, violation: str) -> str:
        try:
            until(lambda: lock.lost.is_set() or self.store.read(key) is not None)
        except AssertionError:
            return f"{key}: {violation}"
        return ""

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
