"""A lock whose time lies ahead of the store's clock: said as what it is, not as a negative age."""

from __future__ import annotations

import pytest

from backuplock.clock import SECOND, ManualClock
from backuplock.liveness import liveness
from backuplock.stores.memory import MemoryStore
from backuplock.survey import sweep
from harness.builders import Lock
from locktop.describe import View, describe
from locktop.format import UNICODE
from locktop.rows import board_of

DAY = 86_400 * SECOND


@pytest.mark.parametrize(
    ("acquired", "ahead_ns", "said"),
    [
        (True, 85_971 * DAY, "dated 85,971d in the future"),
        (False, 85_971 * DAY, "dated 85,971d in the future"),
        (True, 0, "refreshed 0s ago"),
        (False, 0, "asked 0s ago"),
    ],
)
def test_the_details_say_so(acquired: bool, ahead_ns: int, said: str) -> None:
    clock = ManualClock()
    store = MemoryStore(clock)
    lock = Lock("pvc-1", "lock-1", acquired=acquired)
    store.plant(lock.key, lock.content, clock.wall_ns() + ahead_ns)
    board = board_of(sweep(store, clock=clock))
    (row,) = board.rows
    facts = describe(row, View(board, board.now, clock.wall_ns(), UNICODE))
    state = next("".join(text for text, _ in fact.parts) for fact in facts if fact.label == "state")
    assert said in state
    assert " -" not in state

    found = liveness(
        board.snapshot.by_key[lock.key],
        None,
        store_now=board.now,
        local_now_ns=clock.wall_ns(),
        mono_now_ns=clock.mono_ns(),
    )
    assert ("in the future" in found.reasons[0]) is bool(ahead_ns)
    assert not any("-" in reason for reason in found.reasons)
