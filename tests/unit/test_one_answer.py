"""`show`, `blocked`, `simulate`, `explain` and the lock itself give one answer about the same files."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from backuplock import layout, wire
from backuplock.clock import SECOND
from backuplock.errors import Contended
from backuplock.lock import BackupLock
from backuplock.model import LockRecord, Operation
from backuplock.stores.filesystem import FilesystemStore
from harness.builders import Volume, write
from harness.commands import Done, run
from harness.complaints import later

VOLUME = "pvc-3f3bd369-2ab6-43ea-aff5-c8455a1dca9a"
FRESH_S, OLD_S = 20, 1000
RESULTS = {True: "granted", False: "blocked", None: "unknown"}


def _body(type_: int, *, acquired: bool = True) -> Callable[[Path], None]:
    return lambda path: _write(path, wire.encode(LockRecord(path.stem, type_, acquired)))


def _write(path: Path, body: bytes) -> None:
    path.write_bytes(body)


def _link(path: Path) -> None:
    elsewhere = path.parent.parent / "elsewhere"
    elsewhere.write_bytes(wire.encode(LockRecord(path.stem, 1, True)))
    path.symlink_to(elsewhere)


PLANTS: dict[str, Callable[[Path], None]] = {
    "backup": _body(1),
    "deletion": _body(2),
    "asking": _body(2, acquired=False),
    "type 7": _body(7),
    "not a record": lambda path: _write(path, b"{nonsense"),
    "empty": lambda path: _write(path, b""),
    "too large": lambda path: _write(path, b'{"Name":"a"}' + b" " * 200_000),
    "link": _link,
    "folder": lambda path: path.mkdir(),
}
UNREAD = ("too large", "link", "folder")
IGNORED_BY_LONGHORN = ("not a record", "empty")


def _planted(root: Path, age_s: int, *plants: str) -> None:
    volume = Volume(VOLUME, "shop", "orders-db", "orders")
    write(root, volume.cfg_key, volume.cfg)
    at = time.time_ns() - age_s * SECOND
    for number, plant in enumerate(plants):
        path = root / layout.lock_key(VOLUME, f"lock-{number}")
        path.parent.mkdir(parents=True, exist_ok=True)
        PLANTS[plant](path)
        os.utime(path, ns=(at, at), follow_symlinks=False)


def _of(done: Done, operation: Operation) -> str:
    """The result that `show`, or `blocked`, gives for an operation; what `blocked` leaves out is granted."""
    found = done.json.get("verdicts")
    if found is None:
        found = [one for volume in done.json["blocked"] for one in volume["operations"]]
    return next((str(one["result"]) for one in found if one["operation"] == operation.value), "granted")


def _expected(operation: Operation, age_s: int, plants: tuple[str, ...]) -> bool | None:
    if age_s == OLD_S:
        return True
    refuse = {
        "backup": operation is Operation.DELETE,
        "deletion": operation is not Operation.DELETE,
        "asking": operation is not Operation.DELETE,
    }
    found = {None if plant in UNREAD else not refuse.get(plant, True) for plant in plants}
    return False if False in found else None if None in found else True


SCENES = [(plant,) for plant in PLANTS] + [("link", "deletion"), ("too large", "backup")]


@pytest.mark.parametrize("age_s", [FRESH_S, OLD_S])
@pytest.mark.parametrize("plants", SCENES, ids="+".join)
def test_all_commands_and_the_lock_agree(
    plants: tuple[str, ...], age_s: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _planted(tmp_path, age_s, *plants)
    target = ["-t", str(tmp_path), "--json"]
    shown = run(capsys, "show", VOLUME, *target)
    blocked = run(capsys, "blocked", *target)
    foretold = run(capsys, "simulate", VOLUME, *target)
    for operation in (Operation.BACKUP, Operation.DELETE):
        expected = _expected(operation, age_s, plants)
        assert _of(shown, operation) == RESULTS[expected], operation
        assert _of(blocked, operation) == RESULTS[expected], operation
        (forecast,) = (one for one in foretold.json["forecasts"] if one["operation"] == operation.value)
        assert forecast["result"].replace("refused", "blocked") == RESULTS[expected], operation
        assert _explained(capsys, operation, target) == _told(operation, expected, plants), operation
        lock = BackupLock(FilesystemStore(tmp_path, writable=True), VOLUME, operation)
        if expected:
            lock.acquire()
            lock.release()
        else:
            # The lock fails closed: what cannot be told keeps it out as well.
            with pytest.raises(Contended):
                lock.acquire(timeout=0)


def _explained(capsys: pytest.CaptureFixture[str], operation: Operation, target: list[str]) -> str:
    what = "delete" if operation is Operation.DELETE else "create/restore"
    (report,) = run(capsys, "explain", later(VOLUME, what), *target).json["reports"]
    return str(report["outcome"])


def _told(operation: Operation, expected: bool | None, plants: tuple[str, ...]) -> str:
    """`explain` speaks for Longhorn, which passes over what it cannot decode."""
    if not expected and set(plants) <= set(IGNORED_BY_LONGHORN):
        return "free"
    if expected and set(plants) & {"link", "folder"}:
        # Their own times say nothing of what Longhorn may find behind them.
        return "unknown"
    return {True: "free", False: "blocked", None: "unknown"}[expected]
