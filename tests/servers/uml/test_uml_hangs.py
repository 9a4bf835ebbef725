"""A server that does not answer holds neither the library nor the console nor a command."""

from __future__ import annotations

import pytest

from harness.uml import BOOT_S, Guest

pytestmark = pytest.mark.timeout(BOOT_S + 60)
KINDS = ["nfs", "cifs"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("verb", "words"),
    [
        ("list", "cannot list backupstore/volumes/"),
        ("read", "cannot read backupstore/volumes/"),
        ("put", "cannot write backupstore/volumes/"),
        ("delete", "cannot remove backupstore/volumes/"),
        ("open", "cannot open its folder"),
    ],
)
def test_each_verb_gives_up_in_time_and_names_the_call(
    guest: Guest, kind: str, verb: str, words: str
) -> None:
    error, took_s = guest.told(f"{kind}_hang")["tries"][verb]
    assert error.startswith("Unreachable: ")
    assert words in error
    assert "no answer in 2 s, the call hangs" in error
    assert took_s < 20


@pytest.mark.parametrize("kind", KINDS)
def test_what_hangs_the_longest_can_be_asked_for(guest: Guest, kind: str) -> None:
    doing, for_s = guest.told(f"{kind}_hang")["waiting"]
    assert doing.split()[0] in ("list", "read", "write", "remove", "open")
    assert for_s > 2


@pytest.mark.parametrize("kind", KINDS)
def test_the_consoles_session_tells_of_it_and_goes_on(guest: Guest, kind: str) -> None:
    told = guest.told(f"{kind}_hang")
    assert "no answer in 2 s, the call hangs" in told["session"]
    # A screen in the same process wants to be painted; a frozen one would have waited for the cable.
    assert told["longest tick"] < 5


@pytest.mark.parametrize("kind", KINDS)
def test_a_command_says_so_and_ends(guest: Guest, kind: str) -> None:
    told = guest.told(f"{kind}_hang")["command"]
    assert told["code"] == 4, told
    assert "no complete answer in 3 s" in told["said"]
    assert told["said"].count("\n") == 1
    assert told["took"] < 60


@pytest.mark.parametrize("kind", KINDS)
def test_when_the_server_is_back_all_goes_on_and_nothing_abandoned_is_done(guest: Guest, kind: str) -> None:
    told = guest.told(f"{kind}_hang")
    assert told["back after"] < 60
    assert told["left on the server"] == ["lock-feed000000000001.lck", "lock-feed000000000002.lck"]


def test_a_mount_that_is_aborted_is_told_of(guest: Guest) -> None:
    told = guest.told("nfs_aborted")
    for verb in ("read", "put"):
        error, took_s = told[verb]
        assert error.startswith("Unreachable: "), told
        assert "Unknown error" not in error
        assert "\n" not in error
        assert took_s < 30
