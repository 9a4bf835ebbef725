"""Every generation of Longhorn's lock messages, wrapped as they come, leads to volume and operation."""

from __future__ import annotations

import textwrap
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backuplock import layout
from backuplock.explain import ComplaintKind, Wording, find_complaints
from backuplock.model import Operation

VOLUME = "pvc-3f3bd369-2ab6-43ea-aff5-c8455a1dca9a"
PATH = layout.lock_key(VOLUME, "lock-9f2c41d07be35a18")
ROOTED = f"prod/{PATH}"
BOTH = {Operation.BACKUP, Operation.RESTORE}

OLD_1 = f"failed lock {PATH} type 1 acquisition"
OLD_2 = f"failed lock {PATH} type 2 acquisition"
NEW_1 = f"failed to acquire lock {PATH} when performing backup create/restore, please try again later."
NEW_2 = f"failed to acquire lock {PATH} when performing backup delete, please try again later"

MESSAGES = [
    (OLD_1, ComplaintKind.REFUSED, BOTH),
    (OLD_2, ComplaintKind.REFUSED, {Operation.DELETE}),
    (NEW_1, ComplaintKind.REFUSED, BOTH),
    (NEW_2, ComplaintKind.REFUSED, {Operation.DELETE}),
    (NEW_2 + ".", ComplaintKind.REFUSED, {Operation.DELETE}),
    (
        "proxyServer=10.42.1.7:8501 destination=10.42.1.7:10010: failed to backup snapshot "
        f"c3b1 to {VOLUME}: rpc error: code = Internal desc = {NEW_1}: rpc error: code = Unknown desc = "
        f"{NEW_1}",
        ComplaintKind.REFUSED,
        {Operation.BACKUP},
    ),
    (
        f"error initiating full backup restore: rpc error: code = Unknown desc = {OLD_1}",
        ComplaintKind.REFUSED,
        {Operation.RESTORE},
    ),
    (
        f"error initiating incremental backup restore: {NEW_1}",
        ComplaintKind.REFUSED,
        {Operation.RESTORE},
    ),
    (
        "error deleting backup URL: failed to execute: /var/lib/longhorn/engine-binaries/x/longhorn "
        f'[backup rm s3://b@r/?backup=backup-1&volume={VOLUME}], output: {NEW_2}, stderr: time="..." '
        f'level=error msg="{NEW_2}": exit status 1',
        ComplaintKind.REFUSED,
        {Operation.DELETE},
    ),
    (
        f"Failed to delete the backup URL in the backupstore, err {NEW_2}",
        ComplaintKind.REFUSED,
        {Operation.DELETE},
    ),
    (
        f'time="2026-01-02T03:04:05Z" level=warning msg="Failed to refresh acquired lock" lock={PATH}',
        ComplaintKind.REFRESH,
        set(),
    ),
    (f"Failed to load lock {PATH} on backupstore", ComplaintKind.LOAD, set()),
    (f"Failed to unlock {PATH}", ComplaintKind.UNLOCK, set()),
    (f"failed to store updated lock {PATH}", ComplaintKind.STORE, set()),
    (
        f"could not lock {ROOTED} (type: 2), giving up: acquisition failed",
        ComplaintKind.REFUSED,
        {Operation.DELETE},
    ),
]


@pytest.mark.parametrize(("message", "kind", "operations"), MESSAGES, ids=range(len(MESSAGES)))
@pytest.mark.parametrize("shape", ["{}", 'E0102 03:04:05 x.go:12] "{}"', "{}\n", "one\ntwo {} three\nfour"])
def test_every_form(message: str, kind: ComplaintKind, operations: set[Operation], shape: str) -> None:
    found = find_complaints(shape.format(message))
    assert [complaint.volume for complaint in found] == [VOLUME]
    assert found[0].kind is kind
    assert found[0].operations == operations
    assert found[0].lock == "lock-9f2c41d07be35a18"
    assert found[0].excerpt.isprintable()


def test_json_escaped_logs() -> None:
    line = (
        '{"level":"error","msg":"failed to execute: [backup rm s3://b@r/?backup=x\\u0026volume='
        + VOLUME
        + ']"}'
    )
    (found,) = find_complaints(line)
    assert (found.volume, found.lock, found.operations) == (VOLUME, "", {Operation.DELETE})


def test_a_path_broken_by_a_terminal() -> None:
    half = PATH.index("/locks/") + len("/locks/lo")
    (found,) = find_complaints(f"failed lock {PATH[:half]}\n    {PATH[half:]} type 2 acquisition")
    assert (found.volume, found.operations) == (VOLUME, {Operation.DELETE})


def test_several_volumes_in_one_log() -> None:
    other = layout.lock_key("pvc-b", "lock-0123456789abcdef")
    text = f"{OLD_1}\n{NEW_2.replace(PATH, other)}\n{OLD_1}\nnothing here\n"
    assert [complaint.volume for complaint in find_complaints(text)] == [VOLUME, "pvc-b"]


def test_a_path_whose_hash_does_not_fit_is_not_believed() -> None:
    assert find_complaints(OLD_1.replace(VOLUME, "pvc-other")) == ()


@pytest.mark.parametrize(
    "text",
    ["", "\n\n", "no such host", "failed to acquire lock", "volume=", "a" * 3_000_000],
    ids=["empty", "lines", "other", "no-path", "no-volume", "long"],
)
def test_nothing_is_made_up(text: str) -> None:
    assert find_complaints(text) == ()


@given(st.text(max_size=500) | st.text(alphabet="/volumes.lck0aockt ype12\n\\", max_size=300))
def test_anything_may_be_pasted(text: str) -> None:
    for complaint in find_complaints(text + OLD_2 + text):
        assert complaint.excerpt.isprintable()
        layout.check_volume_name(complaint.volume)


def test_long_texts_take_no_quadratic_time() -> None:
    text = ("failed lock volumes/" * 20_000) + ("acquisition " * 20_000) + "\n" + OLD_1
    assert find_complaints(text[-900_000:])[-1].volume == VOLUME


@pytest.mark.parametrize(
    ("message", "wording"),
    [
        (OLD_1, Wording.FIRST),
        (f"error initiating full backup restore: {OLD_2}: exit status 1", Wording.FIRST),
        (NEW_1, Wording.SECOND),
        (f'msg="{NEW_1}: rpc error"', Wording.SECOND),
        (NEW_2, Wording.THIRD),
        (f'msg="{NEW_2}": exit status 1', Wording.THIRD),
        (f"Failed to unlock {PATH}", Wording.OTHER),
    ],
)
def test_the_wording_tells_the_release(message: str, wording: Wording) -> None:
    assert [complaint.wording for complaint in find_complaints(message)] == [wording]


@pytest.mark.parametrize("run", ["&", "\\", "?", "\\u0026", "?&", "/", "-", " ", "\t", "fail"])
def test_a_long_run_of_signs_costs_no_more_than_its_length(run: str) -> None:
    def cost(length: int) -> float:
        began = time.process_time()
        find_complaints(f"failed to backup: {run * (length // len(run))}")
        return time.process_time() - began

    # Ten times the length: a hundred times the cost where it is looked at again and again.
    short = min(cost(20_000) for _ in range(3))
    assert min(cost(200_000) for _ in range(2)) < 40 * max(short, 0.002)


PLAIN = 'time="2026-01-02T03:04:05Z" level=error msg="{}" func=x file="y.go:12"'
LONG = (
    PLAIN.format(
        "failed to restore volume: error initiating full backup restore: rpc error: code = Internal desc = "
        + NEW_1
    ),
    "proxyServer=10.42.1.7:8501 destination=10.42.1.7:10010: failed to backup snapshot s-1 to backup-1: "
    f"rpc error: code = Internal desc = {OLD_1}",
    f"error deleting backup: {NEW_2}",
)
BREAKS = {
    "terminal": lambda parts: "\n".join(parts),
    "trimmed": lambda parts: "\n".join(part.rstrip() for part in parts),
    "crlf": lambda parts: "\r\n".join(parts),
    "indented": lambda parts: "\n      ".join(parts),
    "box": lambda parts: "\n".join(f"│ {part:<120} │" for part in parts),
    "colours": lambda parts: "\n".join(f"\x1b[31m{part}\x1b[0m" for part in parts),
}


def _told(text: str) -> list[tuple[object, ...]]:
    return [(one.volume, one.lock, one.operations, one.kind, one.wording) for one in find_complaints(text)]


@pytest.mark.parametrize("how", BREAKS)
@pytest.mark.parametrize("message", LONG, ids=["restore", "backup", "delete"])
def test_wherever_a_terminal_breaks_it_it_says_the_same(message: str, how: str) -> None:
    whole = _told(message)
    assert len(whole) == 1
    for width in range(40, 121, 5):
        for first in range(1, width + 1, 3):
            parts = [message[:first], *(message[at : at + width] for at in range(first, len(message), width))]
            assert _told(BREAKS[how](parts)) == whole, (width, first)


@pytest.mark.parametrize("message", LONG, ids=["restore", "backup", "delete"])
def test_as_a_mail_wraps_it_between_words_it_says_the_same(message: str) -> None:
    for width in range(40, 121):
        wrapped = textwrap.fill(message, width, break_long_words=False, break_on_hyphens=False)
        assert _told(wrapped) == _told(message), width


def test_slashes_that_json_escapes_are_slashes() -> None:
    assert _told(LONG[2].replace("/", "\\/")) == _told(LONG[2])
