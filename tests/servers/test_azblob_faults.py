"""Azure blob storage that fails: a proxy before Azurite hangs, resets, is busy, lies; breaks and undos."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytest.importorskip("azure.storage.blob", reason="azure-storage-blob is not installed")

from backuplock.breaking import (
    Broken,
    Failed,
    Stage,
    Step,
    execute,
    execute_all,
    finish,
    take_back,
    undo,
    unfinished,
)
from backuplock.clock import SECOND
from backuplock.errors import Denied, StoreError, Unreachable
from backuplock.lock import BackupLock
from backuplock.model import Operation
from backuplock.rules import Timing
from backuplock.stores.azblob import AzureStore
from harness.azurite import KEY, AzureServer, missing_program, start_azurite
from harness.breaking import Scene, kill_at
from harness.builders import Lock
from harness.locks import until
from harness.proxy import FaultProxy, Rule
from harness.s3 import S3Server
from harness.tls import Tls

FOLDER = "backupstore/volumes/ab/cd/v/locks"
NAME = f"{FOLDER}/lock-1.lck"
SHORT = Timing(*(round(s * SECOND / 75) for s in (150, 60, 2, 5)))
"""A lease of 2 s: times have a grain of one."""
BUSY = Rule(status=503, body=b"", headers={"x-ms-error-code": "ServerBusy"})


@pytest.fixture
def before(azurite: AzureServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[FaultProxy, AzureServer]]:
    """A fault proxy, and the server as it is seen through it; nobody waits long for what hangs."""
    monkeypatch.setattr("backuplock.stores.azblob._READ_S", 1)
    with FaultProxy(S3Server("Azurite", azurite.endpoint)) as proxy:
        yield proxy, AzureServer(proxy.endpoint)


def asked(store: AzureStore) -> dict[str, tuple[str, Callable[[], object]]]:
    """By verb: the method of its request, and how it is called."""
    return {
        "list": ("GET", lambda: store.list(FOLDER)),
        "read": ("GET", lambda: store.read(NAME)),
        "write": ("PUT", lambda: store.put(NAME, b"new")),
        "delete": ("DELETE", lambda: store.delete(NAME)),
    }


FAULTS = {
    "hangs": Rule(hang="request"),
    "hangs after it was done": Rule(hang="reply"),
    "resets": Rule(reset="request"),
    "resets after it was done": Rule(reset="reply"),
    "is busy": BUSY,
    "answers as a web page": Rule(status=200, body=b"<html>please log in</html>"),
    "answers half": Rule(truncate=1),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_one_line_and_no_verdict(
    before: tuple[FaultProxy, AzureServer], prefix: str, fault: str
) -> None:
    proxy, server = before
    store = server.store(prefix)
    for verb, (method, ask) in asked(store).items():
        store.put(NAME, b"old")
        proxy.forget()
        told: StoreError | None = None
        try:
            with proxy.failing(dataclasses.replace(FAULTS[fault], method=method)):
                ask()
        except StoreError as error:
            told = error
        # Only a removal or a write whose answer holds nothing may pass for done, or a body that was whole.
        assert told is not None or verb in ("write", "delete", "read")
        if told is not None:
            text = str(told)
            assert text.isprintable()
            assert len(text) < 500
            assert KEY not in text
            assert f"cannot {verb}" in text
            assert not (told.untouched and proxy.writes()), (verb, text)
        # What changes something is sent once.
        assert len(proxy.writes()) <= 1
        assert store.list(FOLDER).requests == 1
    store.close()


def test_a_moment_of_trouble_is_not_told_by_reads(
    before: tuple[FaultProxy, AzureServer], prefix: str
) -> None:
    proxy, server = before
    store = server.store(prefix)
    store.put(NAME, b"old")
    for rule in (
        Rule(reset="request", times=1),
        dataclasses.replace(BUSY, times=1),
        Rule(hang="reply", times=1),
    ):
        with proxy.failing(rule):
            assert [entry.name for entry in store.list(FOLDER).entries] == ["lock-1.lck"]
        found = store.read(NAME)
        assert found is not None
        assert found.body == b"old"
    store.close()


def test_a_refusal_in_the_middle_is_no_missing_lock(
    before: tuple[FaultProxy, AzureServer], prefix: str
) -> None:
    proxy, server = before
    store = server.store(prefix)
    store.put(NAME, b"old")
    for status, code in ((404, ""), (403, "AuthenticationFailed"), (404, "ResourceNotFound")):
        with (
            proxy.failing(Rule("GET", status=status, body=b"", headers={"x-ms-error-code": code})),
            pytest.raises(StoreError),
        ):
            store.read(NAME)
    store.close()


def test_a_lock_outlives_a_moment_of_trouble(before: tuple[FaultProxy, AzureServer], prefix: str) -> None:
    proxy, server = before
    store = server.store(prefix)
    lock = BackupLock(store, "pvc-9", Operation.BACKUP)
    with lock.hold(timeout=30), proxy.failing(Rule("PUT", times=1, reset="reply")):
        lock.check()
    assert store.list("backupstore/volumes").folders == ()
    store.close()


def test_over_tls_with_an_authority_of_ones_own(tls: Tls, tmp_path: Path, prefix: str) -> None:
    if missing := missing_program():
        pytest.skip(missing)
    server = start_azurite(tmp_path / "log", tls=tls)
    assert server.process is not None
    try:
        store = server.store(prefix)
        store.put(NAME, b"x")
        found = store.read(NAME)
        assert found is not None
        assert found.body == b"x"
        store.close()
        with pytest.raises(Unreachable, match=r"(?i)certificate") as told:
            server.store(prefix, AZBLOB_CERT=None).list("")
        assert str(told.value).isprintable()
    finally:
        server.process.stop()


@pytest.fixture
def scene(azurite: AzureServer, prefix: str, tmp_path: Path) -> Iterator[Scene]:
    yield from scene_on(azurite.store(prefix), tmp_path)


def scene_on(store: AzureStore, folder: Path) -> Iterator[Scene]:
    made = Scene(store, folder)
    made.volume()
    yield made
    made.audit.close()
    store.close()


def body_of(scene: Scene, lock: Lock) -> bytes | None:
    found = scene.store.read(lock.key)
    return None if found is None else found.body


def test_from_a_break_to_its_undo(scene: Scene) -> None:
    lock = scene.lock()
    broken = scene.break_(lock, allow_live=True)
    assert body_of(scene, lock) is None
    undo(scene.writer(), broken.id)
    assert body_of(scene, lock) == lock.content
    assert scene.audit.verify().problem == ""


def test_many_at_once(scene: Scene) -> None:
    scene.timing = SHORT
    locks = [scene.lock(f"lock-{number}") for number in range(6)]
    until(lambda: all(scene.plan(lock).dead for lock in locks), "for short leases to end")
    results = execute_all(scene.writer(), [scene.plan(lock).order for lock in locks], reason="a test")
    assert [type(one.outcome) for one in results] == [Broken] * 6
    assert scene.names() == []


@pytest.mark.parametrize("step", [Step.AUDITED, Step.COPIED, Step.REMOVED])
@pytest.mark.parametrize("ending", ["finish", "take back"])
def test_killed(azurite: AzureServer, scene: Scene, step: Step, ending: str) -> None:
    lock = scene.lock()
    kill_at(step, scene.store.url, scene.audit.path, lock.key, azurite.environ())
    (one,) = unfinished(scene.store, scene.audit, scene.clock.wall_ns())
    assert one.stage is (Stage.REMOVED if step is Step.REMOVED else Stage.UNTOUCHED)
    if ending == "finish":
        assert isinstance(finish(scene.writer(), one.id, allow_live=True), Broken)
        assert body_of(scene, lock) is None
    else:
        take_back(scene.writer(), one.id)
        assert body_of(scene, lock) == lock.content
    assert unfinished(scene.store, scene.audit, scene.clock.wall_ns()) == ()


BREAKS = {
    "denied": (
        Rule("DELETE", status=403, body=b"", headers={"x-ms-error-code": "AuthorizationFailure"}),
        True,
    ),
    "never arrives": (Rule("DELETE", reset="request"), False),
    "lies": (Rule("DELETE", path=r"\.lck", status=202, body=b""), None),
}


@pytest.mark.parametrize("how", BREAKS)
def test_a_removal_that_fails_keeps_the_lock(
    before: tuple[FaultProxy, AzureServer], prefix: str, tmp_path: Path, how: str
) -> None:
    proxy, server = before
    rule, settled = BREAKS[how]
    for scene in scene_on(server.store(prefix), tmp_path):
        lock = scene.lock()
        order = scene.plan(lock).order
        with proxy.failing(dataclasses.replace(rule)), pytest.raises(Failed) as failed:
            execute(scene.writer(), order, allow_live=True)
        if settled is not None:
            assert failed.value.settled is settled
        assert body_of(scene, lock) == lock.content
        if unfinished(scene.store, scene.audit, scene.clock.wall_ns()):
            assert finish(scene.writer(), failed.value.entry, allow_live=True) is not None
            assert body_of(scene, lock) is None


def test_a_removal_whose_answer_is_lost(
    before: tuple[FaultProxy, AzureServer], prefix: str, tmp_path: Path
) -> None:
    proxy, server = before
    for scene in scene_on(server.store(prefix), tmp_path):
        lock = scene.lock()
        order = scene.plan(lock).order
        with proxy.failing(Rule("DELETE", path=r"\.lck", reset="reply")):
            broken = execute(scene.writer(), order, allow_live=True)
        assert broken.notes == ("the store did not answer the removal, and the lock is gone",)
        assert body_of(scene, lock) is None


def test_keys_that_are_wrong_are_denied_not_empty(azurite: AzureServer, prefix: str) -> None:
    store = azurite.store(prefix, AZBLOB_ACCOUNT_KEY="bm8=")
    for _, ask in asked(store).values():
        with pytest.raises(Denied):
            ask()
    store.close()
