"""Errors of the lock cross process borders whole."""

from __future__ import annotations

import pickle

import pytest

from backuplock.errors import (
    AcquireFailed,
    BackupLockError,
    Contended,
    Denied,
    LeftBehind,
    LockLost,
    Unreachable,
)
from backuplock.protocol import Blocker, Certificate, Loss, LossReason, Proof

BLOCKER = Blocker("k.lck", "k", 2, True, 5, 7)
ERRORS = [
    Denied("what", advice="do this"),
    Unreachable("what", retry_after=3.0),
    Contended("what", advice="wait", blockers=(BLOCKER,), retry_after=4.0),
    AcquireFailed("what", final=True, left_for=9.0),
    LockLost("what", loss=Loss(LossReason.CONFLICT, "detail", (BLOCKER,))),
    LeftBehind("what", left_for=1.0, certificate=Certificate(Proof.PROVEN)),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_a_worker_can_hand_it_to_its_parent(error: BackupLockError) -> None:
    error.add_note("noted")
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error)
    assert str(again) == str(error)
    assert again.args == error.args
    assert again.__dict__ == error.__dict__
