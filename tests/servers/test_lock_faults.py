"""The lock over a real S3 server behind a proxy that delays, breaks off, lies about errors and repeats."""

from __future__ import annotations

import json
import os
import signal
import socket
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from backuplock import lease
from backuplock.clock import SECOND, SystemClock
from backuplock.errors import AcquireFailed, Contended, Denied, LockLost
from backuplock.lock import BackupLock
from backuplock.model import Operation
from backuplock.protocol import Proof
from backuplock.stores.s3_config import Limits
from harness.builders import volume_folder
from harness.locks import DEADLINE_S, VOLUME, locks_in, short_terms, until
from harness.proxy import FaultProxy, Rule
from harness.races import Race, timing
from harness.rclone import start_rclone
from harness.referee import Referee
from harness.s3 import S3Server


class WaitsNoted(SystemClock):
    """Notes how long somebody wanted to sleep."""

    def __init__(self) -> None:
        self.waits: list[int] = []

    def sleep(self, duration_ns: int, wake: threading.Event | None = None) -> bool:
        self.waits.append(duration_ns)
        return super().sleep(duration_ns, wake)


QUICK = Limits(connect_s=2.0, read_s=0.5, attempts=2)
LEASE_S = 8.0
"""Seconds of S3's times are whole: with a shorter lease they would be a good part of it."""
LOCKS = r"/locks(/|%2F)"


def lock_behind(proxy: FaultProxy, prefix: str, operation: Operation = Operation.BACKUP) -> BackupLock:
    store = proxy.server.store(prefix, limits=QUICK)
    return BackupLock(store, VOLUME, operation, terms=short_terms(store, LEASE_S))


FAULTS = {
    "500": Rule(status=500, code="InternalError"),
    "503": Rule(status=503, code="SlowDown"),
    "403": Rule(status=403, code="AccessDenied"),
    "500 but done": Rule(status=500, code="InternalError", obey=True),
    "reset before": Rule(reset="request"),
    "reset after": Rule(reset="reply"),
    "hangs before": Rule(hang="request"),
    "hangs after": Rule(hang="reply"),
    "cut short": Rule(truncate=5),
}


@pytest.mark.parametrize("method", ["PUT", "GET"])
@pytest.mark.parametrize("fault", FAULTS)
def test_a_request_that_always_fails_is_no_acquisition(
    proxy: FaultProxy, rclone_http: S3Server, prefix: str, method: str, fault: str
) -> None:
    lock = lock_behind(proxy, prefix)
    rule = replace(FAULTS[fault], method=method)
    if method == "PUT" and fault == "cut short":
        pytest.skip("the reply to a PUT has no body that could be cut")
    with proxy.failing(rule), pytest.raises(AcquireFailed) as caught:
        lock.acquire()
    assert str(caught.value).isprintable()
    left = locks_in(rclone_http.store(prefix))
    assert left == [] or caught.value.left_for


@pytest.mark.parametrize("fault", FAULTS)
def test_a_renewal_that_fails_once_loses_nothing(
    proxy: FaultProxy, rclone_http: S3Server, prefix: str, fault: str
) -> None:
    lock = lock_behind(proxy, prefix)
    lock.acquire()
    straight = rclone_http.store(prefix)
    rule = proxy.add(replace(FAULTS[fault], times=1))
    until(lambda: rule.times == 0, "for the fault to strike")
    time.sleep(0.05)
    renewals = _renewals(straight)
    until(lambda: _renewals(straight) > renewals, "for the next renewal")
    if rule.hang:
        proxy.remove(rule)
    lock.check()
    assert lock.release().proof is Proof.PROVEN
    assert locks_in(straight) == []


def test_every_request_sent_twice_changes_nothing(
    proxy: FaultProxy, rclone_http: S3Server, prefix: str
) -> None:
    lock = lock_behind(proxy, prefix)
    with proxy.failing(Rule(twice=True)):
        lock.acquire()
        renewals = _renewals(rclone_http.store(prefix))
        until(lambda: _renewals(rclone_http.store(prefix)) > renewals + 1)
        lock.check()
        assert lock.release().proof is Proof.PROVEN
    assert locks_in(rclone_http.store(prefix)) == []


def test_cut_off_from_the_store_it_is_lost_before_others_can_have_it(
    proxy: FaultProxy, rclone_http: S3Server, prefix: str
) -> None:
    lock = lock_behind(proxy, prefix)
    lock.acquire()
    straight = rclone_http.store(prefix)
    rival = BackupLock(straight, VOLUME, Operation.DELETE, terms=short_terms(straight, LEASE_S))
    with proxy.failing(Rule(hang="request")):
        with pytest.raises(Contended):
            rival.acquire()
        assert lock.lost.wait(60)
        with pytest.raises(LockLost, match="expired"):
            lock.check()
        rival.acquire(60)
    proxy.forget()
    lock.release()
    assert [access.method for access in proxy.writes()] in (["DELETE"], ["PUT", "DELETE"])
    rival.check()
    rival.release()


def test_a_removal_that_is_denied_is_told(proxy: FaultProxy, rclone_http: S3Server, prefix: str) -> None:
    straight = rclone_http.store(prefix)
    rival = BackupLock(straight, VOLUME, Operation.DELETE)
    rival.acquire()
    lock = lock_behind(proxy, prefix)
    denied = Rule(method="DELETE", status=403, code="AccessDenied")
    with proxy.failing(denied), pytest.raises(Contended, match="our own file is left there") as caught:
        lock.acquire()
    assert 0 < (caught.value.left_for or 0) <= LEASE_S
    assert len(locks_in(straight)) == 2
    rival.release()


def test_a_read_only_credential_leaves_nothing(proxy: FaultProxy, rclone_http: S3Server, prefix: str) -> None:
    denied = [Rule(method=method, status=403, code="AccessDenied") for method in ("PUT", "DELETE")]
    for rule in denied:
        proxy.add(rule)
    with pytest.raises(AcquireFailed) as caught:
        lock_behind(proxy, prefix).acquire(60)
    assert caught.value.final
    assert caught.value.left_for is None
    assert locks_in(rclone_http.store(prefix)) == []


def assert_nothing_was_sent(error: AcquireFailed) -> None:
    assert error.left_for is None
    assert "left there" not in str(error)
    assert "unanswered" not in str(error)


def test_where_nobody_listens_nothing_is_left(rclone_http: S3Server, prefix: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    store = rclone_http.store(prefix, AWS_ENDPOINTS=f"http://127.0.0.1:{port}")
    clock = WaitsNoted()
    with pytest.raises(AcquireFailed, match="connection refused") as caught:
        BackupLock(store, VOLUME, Operation.BACKUP, clock=clock).acquire()
    assert_nothing_was_sent(caught.value)
    # Nothing is to be removed, so nothing is tried again and again.
    assert clock.waits == []


def test_where_nobody_can_be_trusted_nothing_is_left(rclone_https: S3Server, prefix: str) -> None:
    store = rclone_https.store(prefix, AWS_CERT=None)
    with pytest.raises(AcquireFailed, match="unknown authority") as caught:
        BackupLock(store, VOLUME, Operation.BACKUP).acquire()
    assert_nothing_was_sent(caught.value)


def test_a_refusal_after_a_silence_does_not_undo_the_doubt(proxy: FaultProxy, prefix: str) -> None:
    """The first attempt of a request may have been executed, whatever the second one is answered."""
    store = proxy.server.store(prefix, limits=QUICK)
    proxy.add(Rule(method="PUT", status=403, code="AccessDenied"))
    proxy.add(Rule(method="PUT", status=500, code="InternalError", obey=True, times=1))
    with pytest.raises(Denied) as caught:
        store.put("backupstore/x", b"")
    assert not caught.value.untouched
    proxy.clear()
    assert store.read("backupstore/x") is not None


def test_what_went_unanswered_may_be_left(proxy: FaultProxy, prefix: str) -> None:
    lock = lock_behind(proxy, prefix)
    for method in ("PUT", "DELETE"):
        proxy.add(Rule(method=method, hang="request"))
    with pytest.raises(AcquireFailed, match="our own file may be left there and then keeps") as caught:
        lock.acquire()
    assert caught.value.left_for


@pytest.mark.parametrize("timeout", [0.0, 2.0])
def test_a_store_that_hangs_is_not_waited_for_longer_than_agreed(
    proxy: FaultProxy, rclone_http: S3Server, prefix: str, timeout: float
) -> None:
    read_s = 3.0
    store = proxy.server.store(prefix, limits=Limits(connect_s=2.0, read_s=read_s, attempts=2))
    lock = BackupLock(store, VOLUME, Operation.BACKUP)
    # The write is executed, its answer never comes; nor does any removal's.
    proxy.add(Rule(method="PUT", hang="reply"))
    hung = proxy.add(Rule(method="DELETE", hang="request"))
    began = time.monotonic()
    with pytest.raises(AcquireFailed, match="may be left there") as caught:
        lock.acquire(timeout)
    took = time.monotonic() - began
    # The write hung until after the deadline: no removal was waited for in this thread.
    assert read_s <= took < timeout + 4 * read_s
    assert caught.value.left_for
    straight = rclone_http.store(prefix)
    assert len(locks_in(straight)) == 1
    proxy.remove(hung)
    until(lambda: locks_in(straight) == [], "for the removal that goes on behind")


def test_a_server_that_is_stopped_costs_one_request(tmp_path: Path, prefix: str) -> None:
    (tmp_path / "data").mkdir()
    server = start_rclone(tmp_path / "data", tmp_path / "log")
    assert server.process is not None
    try:
        read_s = 4.0
        store = server.store(prefix, limits=Limits(connect_s=2.0, read_s=read_s, attempts=2))
        lock = BackupLock(store, VOLUME, Operation.BACKUP)
        os.kill(server.process.pid, signal.SIGSTOP)
        began = time.monotonic()
        with pytest.raises(AcquireFailed, match="no answer"):
            lock.acquire(timeout=1.0)
        assert time.monotonic() - began < 1.0 + 4 * read_s
        os.kill(server.process.pid, signal.SIGCONT)
        lock.acquire(timeout=DEADLINE_S)
        lock.release()
        until(lambda: locks_in(server.store(prefix)) == [], "for the removal that goes on behind")
    finally:
        os.kill(server.process.pid, signal.SIGCONT)
        server.process.stop()


def test_a_slow_store_is_given_up_some_time_after_the_deadline(
    proxy: FaultProxy, rclone_http: S3Server, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "OVERTIME_NS", 1 * SECOND)
    lock = BackupLock(proxy.server.store(prefix), VOLUME, Operation.BACKUP)
    with proxy.failing(Rule(latency_s=0.8)), pytest.raises(AcquireFailed, match="not decided in time"):
        lock.acquire()
    assert locks_in(rclone_http.store(prefix)) == []


def test_races_behind_a_proxy_that_fails_at_random(proxy: FaultProxy, prefix: str, tmp_path: Path) -> None:
    """Faults may cost a lock, never exclusion."""
    store = proxy.server.store(prefix, limits=QUICK)
    for n, fault in enumerate(FAULTS.values()):
        if fault.status != 403 and not fault.hang:
            # Each of these strikes a few requests, by the keys' own randomness.
            proxy.add(replace(fault, path=rf"lock-[0-9a-f]*[{n:x}][0-9a-f]\.lck"))
    proxy.add(Rule(latency_s=0.3, path=r"lock-[0-9a-f]*[def][0-9a-f]\.lck"))
    proxy.add(Rule(twice=True, path=r"lock-[0-9a-f]*[bc][0-9a-f]\.lck"))
    race = Race(store, Referee(tmp_path), timing(15, 0.2), timeout_s=3.0)
    race.run(20, (race.ours, race.ours), at_once=10)
    assert race.referee.violations() == [], race.counts
    assert race.counts["ours held"] > 0, race.counts
    assert any(access.status in (0, 500, 503) for access in proxy.log)


def _renewals(store: object) -> int:
    folder = f"{volume_folder(VOLUME)}/locks"
    for entry in store.list(folder).entries:  # type: ignore[attr-defined]
        blob = store.read(f"{folder}/{entry.name}")  # type: ignore[attr-defined]
        if blob is not None:
            try:
                return int(json.loads(blob.body)["Owner"]["renewals"])
            except ValueError:
                return -1  # rclone replaces a file in steps
    return -1
