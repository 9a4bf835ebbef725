"""NFS 4.2 and CIFS through real kernel mounts: two clients, locks, breaks, options, rights, times."""

from __future__ import annotations

from typing import Any

import pytest

from harness.uml import BOOT_S, Guest

pytestmark = pytest.mark.timeout(BOOT_S + 60)
KINDS = ["nfs", "cifs"]
LAG_S = 2.0
"""What the settle wait covers; `actimeo=1` promises half of it, the rest is the guest's slowness."""


@pytest.mark.parametrize("kind", KINDS)
def test_a_target_is_found_in_the_kernels_mount_table(guest: Guest, kind: str) -> None:
    told = guest.told(f"{kind}_target")
    for name in {"first", "second", "below", "options"} & told.keys():
        found, expected = told[name]
        assert found == expected, name
    assert told["not mounted"].startswith("Missing: ")
    assert "mount -t " in told["not mounted"]
    assert "pvc-1" in told["volumes"]
    assert told["kind"] == {"nfs": "nfs4", "cifs": "cifs"}[kind]


@pytest.mark.parametrize("kind", KINDS)
def test_one_client_soon_sees_what_the_other_wrote_rewrote_and_removed(guest: Guest, kind: str) -> None:
    """The reader asks 20 times a second: on CIFS, without care, it would have the old file for ever."""
    told = guest.told(f"{kind}_sight")
    assert told["absent at first"]
    for name in ("listed after", "read after", "rewritten seen after", "gone after"):
        assert told[name] < LAG_S, told


@pytest.mark.parametrize("kind", KINDS)
def test_the_time_that_a_put_tells_is_the_servers(guest: Guest, kind: str) -> None:
    told = guest.told(f"{kind}_sight")
    assert told["apart"] == [0, 0]


@pytest.mark.parametrize("kind", KINDS)
def test_a_lock_of_one_client_is_seen_and_respected_by_the_other(guest: Guest, kind: str) -> None:
    told = guest.told(f"{kind}_locks")
    assert told["refused"].startswith("cannot lock pvc-locks for delete: lock-")
    assert told["blockers"] == 1
    assert told["refused the other way round"].startswith(
        "Contended: cannot lock pvc-locks for backup: lock-"
    )
    seen = [[key for key in keys if "/pvc-locks/" in key] for keys in told["seen by both"]]
    assert seen[0] == seen[1]
    assert len(seen[0]) == 2
    assert told["left"] == []


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_certificate_says_on_a_share(guest: Guest, kind: str) -> None:
    told = guest.told(f"{kind}_locks")
    assert told["proofs"] == ["not proven"] * 3
    assert set(told["why"]) == {"listings of this store may lag"}


@pytest.mark.parametrize("kind", KINDS)
def test_opposite_types_are_never_both_granted(guest: Guest, kind: str) -> None:
    told = guest.told(f"{kind}_race")
    assert told["violations"] == [], told["counts"]
    assert told["left"] == [], told["counts"]
    assert told["counts"]["pairs with a winner"] >= told["pairs"] * 0.8, told["counts"]
    assert told["counts"].get("ours refused", 0) > 0, told["counts"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_lock_that_is_renewed_is_never_gone_for_the_other_client(guest: Guest, kind: str) -> None:
    told = guest.told(f"{kind}_renewals")
    assert told["looks"] > 5
    assert told["puts"] > 5
    assert (told["unlisted"], told["unread"], told["torn"]) == (0, 0, 0), told
    assert told["problems"] == []
    assert told["left"] == ["lock-feed000000000001.lck"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_dead_lock_is_broken_by_one_client_and_put_back_by_the_other(guest: Guest, kind: str) -> None:
    told = guest.told(f"{kind}_break_and_undo")
    assert told["dead"]
    assert not told["still on the server"]
    assert told["gone after"] < LAG_S
    assert told["back after"] < LAG_S
    assert told["back"]
    assert told["fresh"]
    assert (told["trail"], told["outcomes"]) == ("", ["broken", "undone"])


@pytest.mark.parametrize("kind", KINDS)
def test_a_live_lock_of_the_other_client_is_not_broken(guest: Guest, kind: str) -> None:
    told = guest.told(f"{kind}_live_refused")
    assert "nothing shows that its holder is dead" in told["refused"]
    assert told["there"]


@pytest.mark.parametrize("kind", KINDS)
def test_breaks_against_a_holder_on_the_other_client(guest: Guest, kind: str) -> None:
    told = guest.told(f"{kind}_break_race")
    counts = told["counts"]
    assert told["violations"] == [], counts
    judged = sum(n for what, n in counts.items() if what.startswith("blind: "))
    assert judged >= told["rounds"] * 0.7, counts
    assert any(what == "blind: broken, came back" for what in counts), counts


@pytest.mark.parametrize("kind", KINDS)
def test_doctor_tries_a_share_and_leaves_nothing(guest: Guest, kind: str) -> None:
    told = guest.told(f"{kind}_doctor")
    assert told["worst"] == "note"
    assert {told["checks"][name][0] for name in ("list", "mount", "write", "times", "delete")} == {"ok"}
    assert "is seen within 1 s" in told["checks"]["mount"][1]
    assert told["guarantees"]["exclusion among our own clients"] is None
    assert told["lags"] == "unproven"


def test_an_ordinary_nfs_mount_is_refused_for_it_hides_what_others_write(guest: Guest) -> None:
    """What the options promise is so: a name that was looked for before is not seen although it is there."""
    told = guest.told("nfs_default")
    assert told["early"]
    assert told["on the server"]
    assert told["hidden"]
    assert told["refused"].startswith("Unsupported: this store's listings lag")
    assert "actimeo=1" in told["refused"]
    grade, text, advice = told["doctor"]["checks"]["mount"]
    assert grade == "bad"
    assert "may stay unseen for 60 s" in text
    assert "actimeo=1" in advice
    assert told["doctor"]["guarantees"]["exclusion among our own clients"] is False


@pytest.mark.parametrize(
    ("kind", "options", "grade", "words", "lags"),
    [
        ("nfs", "hard", "note", "a dead server hangs us for ever", "unproven"),
        ("nfs", "noac", "ok", "is seen within 0 s", "unproven"),
        ("nfs", "vers=4.0", "ok", "is seen within 1 s", "unproven"),
        ("nfs", "acdirmax", "bad", "unseen for 30 s", "yes"),
        ("cifs", "actimeo=60", "bad", "unseen for 60 s", "yes"),
        ("cifs", "actimeo=1", "ok", "is seen within 1 s", "unproven"),
        ("cifs", "vers=2.1", "ok", "is seen within 1 s", "unproven"),
        ("cifs", "hard", "note", "a dead server hangs us for ever", "unproven"),
    ],
)
def test_what_doctor_says_of_mount_options(
    guest: Guest, kind: str, options: str, grade: str, words: str, lags: str
) -> None:
    told: dict[str, Any] = guest.told({"nfs": "nfs_other_options", "cifs": "cifs_options"}[kind])
    found = told[options]
    assert (found[0], found[3]) == (grade, lags)
    assert words in found[1]
    if (kind, options) == ("cifs", "hard"):
        assert found[2] == "mount with soft, as Longhorn does"


def test_a_share_with_long_caches_is_refused(guest: Guest) -> None:
    assert guest.told("cifs_options")["refused"].startswith("Unsupported: this store's listings lag")


def test_root_squash_is_told_in_one_line(guest: Guest) -> None:
    told = guest.told("nfs_squash")
    for verb in ("sweep", "read", "put", "delete"):
        assert told[verb].startswith("Denied: "), verb
    for line in (told[verb] for verb in ("sweep", "read", "put", "delete", "lock")):
        assert "Permission denied; run as the user who owns the store" in line
        assert "\n" not in line
    grade, text, _ = told["doctor"]["checks"]["owner"]
    assert grade == "note"
    assert "the server squashes users" in text


def test_a_share_without_the_right_to_write_is_told_in_one_line(guest: Guest) -> None:
    told = guest.told("cifs_rights")
    assert len(told["seen"]) >= 1
    for attempt in ("put", "delete", "closed sweep", "closed put"):
        assert told[attempt].startswith("Denied: "), attempt
        assert "\n" not in told[attempt]
    assert told["lock"].startswith("AcquireFailed: cannot lock pvc-rights for backup: ")


def test_a_stale_handle_says_what_to_do(guest: Guest) -> None:
    told = guest.told("nfs_stale")
    assert told["before"].startswith("no error")
    for verb in ("list", "read", "put", "delete"):
        assert told[verb].startswith("Unreachable: "), verb
        assert told[verb].endswith("Stale file handle; try again; if it stays, mount the share again"), verb
    assert told["mounted again"].startswith("no error")


def test_a_client_whose_clock_is_two_hours_off(guest: Guest) -> None:
    """It is the server that stamps: a live lock is respected, a dead one stands in nobody's way."""
    told = guest.told("nfs_clock")
    assert told["refused"].startswith("Contended: ")
    assert "refreshed" in told["refused"]
    assert told["granted"] == "not proven"
    assert told["left"] == []
