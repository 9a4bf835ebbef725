"""From actions to requests and back: what each reply, each error, each odd neighbour becomes."""

from __future__ import annotations

import pytest

from backuplock import layout
from backuplock.clock import LeaseClock
from backuplock.driver import Hands, owner_here, serial_of
from backuplock.errors import (
    BackupLockError,
    Conflict,
    Denied,
    Irregular,
    Malformed,
    Missing,
    ReadOnly,
    TooLarge,
    Unreachable,
    Unsupported,
)
from backuplock.model import Flaw, Operation, Owner
from backuplock.protocol import Claim, Failed, Look, Remove, Removed, Saw, Terms, Woke, Write, Wrote, start
from backuplock.wire import decode
from harness.builders import body
from harness.locks import VOLUME, World

NAME = "lock-0123456789abcdef"


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def hands(world: World) -> Hands:
    return Hands(world.store, VOLUME, Owner(host="here", pid=7), LeaseClock(world.clock))


@pytest.fixture
def claim() -> Claim:
    return start(Terms(), key=layout.lock_key(VOLUME, NAME), name=NAME, lock_type=1)[0]


def test_a_write_carries_its_number(world: World, hands: Hands, claim: Claim) -> None:
    event = hands.perform(claim, Write(acquired=True, serial=5))
    blob = world.memory.read(claim.key)
    assert isinstance(event, Wrote)
    assert (event.modified, event.etag) == (blob.modified_ns, blob.etag)
    record = decode(blob.body)
    assert (record.name, record.type, record.acquired) == (NAME, 1, True)
    assert record.owner == Owner(host="here", pid=7, renewals=5)
    assert serial_of(blob) == 5


def test_a_write_past_its_time_is_not_sent(world: World, hands: Hands, claim: Claim) -> None:
    now = hands.clock.now()
    assert isinstance(hands.perform(claim, Write(True, 1, before=now)), Woke)
    assert world.store.calls == {}
    assert isinstance(hands.perform(claim, Write(True, 1, before=now + 1)), Wrote)


def test_a_condition_is_passed_on(world: World, hands: Hands, claim: Claim) -> None:
    made = hands.perform(claim, Write(False, 0))
    assert isinstance(made, Wrote)
    world.memory.put(claim.key, b"changed")
    event = hands.perform(claim, Write(True, 1, if_match=made.etag))
    assert isinstance(event, Failed)
    assert event.conflict
    assert world.memory.read(claim.key).body == b"changed"


@pytest.mark.parametrize(
    ("error", "ambiguous", "final"),
    [
        (Unreachable("x"), True, False),
        (Denied("x"), False, True),
        (Missing("x"), False, True),
        (ReadOnly("x"), False, True),
        (Malformed("x"), False, True),
        (Unsupported("x"), False, True),
        (Conflict("x"), False, False),
        (TooLarge("x"), False, False),
        (Irregular("x"), False, True),
        (Unreachable("x", untouched=True), False, False),
    ],
)
@pytest.mark.parametrize(
    ("action", "verb"), [(Write(False, 0), "put"), (Look(), "list"), (Remove(), "delete")]
)
def test_what_errors_mean(
    world: World,
    hands: Hands,
    claim: Claim,
    error: BackupLockError,
    ambiguous: bool,
    final: bool,
    action: Write | Look | Remove,
    verb: str,
) -> None:
    world.store.add(verb, before=error)
    event = hands.perform(claim, action)
    assert isinstance(event, Failed)
    assert (event.ambiguous, event.final) == (ambiguous, final)
    assert event.detail == "x"


def test_a_look_reads_every_other_lock_and_its_own_only_if_needed(
    world: World, hands: Hands, claim: Claim
) -> None:
    wrote = hands.perform(claim, Write(False, 0))
    assert isinstance(wrote, Wrote)
    world.rival(name="lock-aaaa")
    world.memory.put(claim.key.replace(NAME, "notes") + ".txt", b"no lock")
    world.memory.put(claim.key + ".tmp.1", b"no lock")
    saw = hands.perform(claim, Look())
    assert isinstance(saw, Saw)
    assert [other.record.name for other in saw.others] == ["lock-aaaa"]
    assert saw.own.serial == 0
    assert saw.own.modified == wrote.modified
    assert world.store.calls["read"] == 2


def test_a_look_that_lacks_its_own_says_so(hands: Hands, claim: Claim) -> None:
    saw = hands.perform(claim, Look())
    assert isinstance(saw, Saw)
    assert saw.own is None


def test_what_vanished_between_list_and_read_is_gone(world: World, hands: Hands, claim: Claim) -> None:
    hands.perform(claim, Write(False, 0))
    key = world.rival()
    world.store.add("list", after=lambda: world.memory.delete(key))
    saw = hands.perform(claim, Look())
    assert isinstance(saw, Saw)
    assert saw.others == ()


def test_a_lock_that_is_there_again_is_read_again(world: World, hands: Hands, claim: Claim) -> None:
    """In the moment in which an object is overwritten some stores say that it is not there."""
    hands.perform(claim, Write(False, 0))
    key = world.rival()
    blob = world.memory.read(key)
    assert blob is not None
    world.store.add("list", after=lambda: world.memory.delete(key), times=1)
    world.store.add("read", after=lambda: world.memory.put(key, blob.body), times=1)
    saw = hands.perform(claim, Look())
    assert isinstance(saw, Saw)
    assert [other.key for other in saw.others] == [key]
    assert saw.others[0].record is not None


def test_a_lock_that_is_listed_but_never_there_is_unreadable(
    world: World, hands: Hands, claim: Claim
) -> None:
    hands.perform(claim, Write(False, 0))
    key = world.rival()
    blob = world.memory.read(key)
    assert blob is not None
    world.store.add("list", after=lambda: world.memory.delete(key), times=1)
    world.store.add("read", after=lambda: world.memory.put(key, blob.body), times=1)
    world.store.add("list", after=lambda: world.memory.delete(key), times=1)
    saw = hands.perform(claim, Look())
    assert isinstance(saw, Saw)
    assert [(other.key, other.flaw) for other in saw.others] == [(key, Flaw.UNREADABLE)]


def test_our_own_that_vanished_between_list_and_read_is_gone(
    world: World, hands: Hands, claim: Claim
) -> None:
    hands.perform(claim, Write(False, 0))
    world.store.add("list", after=lambda: world.memory.delete(claim.key))
    saw = hands.perform(claim, Look())
    assert isinstance(saw, Saw)
    assert saw.own is None


@pytest.mark.parametrize(
    ("error", "flaw"),
    [
        (Unreachable("x"), Flaw.UNREADABLE),
        (Denied("x"), Flaw.UNREADABLE),
        (TooLarge("x"), Flaw.TOO_LARGE),
        (Irregular("x"), Flaw.IRREGULAR),
    ],
)
def test_a_neighbour_that_cannot_be_read_is_seen_as_such(
    world: World, hands: Hands, claim: Claim, error: BackupLockError, flaw: Flaw
) -> None:
    world.rival()
    world.store.add("read", before=error)
    saw = hands.perform(claim, Look())
    assert isinstance(saw, Saw)
    assert [(other.record, other.flaw) for other in saw.others] == [(None, flaw)]


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[1]", b'{"Type":1.5}'])
def test_an_undecodable_neighbour_is_seen_as_such(
    world: World, hands: Hands, claim: Claim, content: bytes
) -> None:
    world.memory.put(world.rival(), content)
    saw = hands.perform(claim, Look())
    assert isinstance(saw, Saw)
    assert [(other.record, other.flaw) for other in saw.others] == [(None, Flaw.UNDECODABLE)]


def test_a_folder_with_a_locks_name_is_seen(world: World, hands: Hands, claim: Claim) -> None:
    world.memory.put(claim.key.replace(NAME, "lock-folder") + "/inside", b"")
    saw = hands.perform(claim, Look())
    assert isinstance(saw, Saw)
    assert [other.flaw for other in saw.others] == [Flaw.IRREGULAR]


def test_removal_is_exact_and_of_what_is_not_there_too(world: World, hands: Hands, claim: Claim) -> None:
    beside = claim.key + ".kept"
    world.memory.put(beside, b"")
    hands.perform(claim, Write(False, 0))
    for _ in range(2):
        assert isinstance(hands.perform(claim, Remove()), Removed)
    assert world.memory.read(claim.key) is None
    assert world.memory.read(beside) is not None


@pytest.mark.parametrize("content", [b"", body(NAME, 1, True), b"\xff"])
def test_a_body_without_a_number(world: World, content: bytes) -> None:
    world.memory.put("x", content)
    assert serial_of(world.memory.read("x")) is None


def test_the_owner_is_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    import getpass
    import os
    import socket

    owner = owner_here(Operation.DELETE, "by hand", 1_767_322_800 * 10**9)
    assert (owner.host, owner.pid) == (socket.gethostname(), os.getpid())
    assert (owner.operation, owner.note, owner.acquired_at) == ("delete", "by hand", "2026-01-02T03:00:00Z")

    def unknown() -> str:
        raise KeyError("no such user")

    # A container's user often has no name.
    monkeypatch.setattr(getpass, "getuser", unknown)
    assert owner_here(Operation.DELETE, "", 0).user == str(os.getuid())
