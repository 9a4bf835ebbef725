"""Keys of a backup store: as Longhorn derives them, and never outside the root."""

from __future__ import annotations

import json
import re
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backuplock import layout
from backuplock.errors import Malformed
from backuplock.text import printable

VECTORS = Path(__file__).parent.parent / "vectors" / "paths.jsonl"
CASES: list[dict[str, Any]] = [json.loads(line) for line in VECTORS.read_text().splitlines()]


def is_a_volume_name(name: str) -> bool:
    return bool(re.fullmatch(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,252}", name))


def test_there_are_vectors() -> None:
    assert len(CASES) >= 12


@pytest.mark.parametrize("case", CASES, ids=lambda case: repr(case["volume"])[:40])
def test_keys_agree_with_longhorns(case: dict[str, Any]) -> None:
    volume = case["volume"]
    assert layout.volume_cfg(volume) == case["volume_cfg"]
    assert layout.lock_key(volume, "lock-0123456789abcdef") == case["lock_path"]
    assert layout.backup_cfg(volume, "backup-fbec0b48b7c348d6") == case["backup_cfg"]


def test_backing_images_share_one_domain() -> None:
    assert layout.locks_folder(layout.BACKING_IMAGE) == "backupstore/volumes/22/fc/BACKINGIMAGE/locks"


@given(st.from_regex(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,252}", fullmatch=True))
def test_volume_keys_stay_below_the_volumes_folder(volume: str) -> None:
    key = layout.lock_key(volume, "lock-1")
    parts = PurePosixPath(key).parts
    assert parts[:2] == ("backupstore", "volumes")
    assert parts[4:] == (volume, "locks", "lock-1.lck")
    assert all(map(layout.is_shard, parts[2:4]))
    assert str(PurePosixPath(key)) == key
    assert ".." not in parts


@given(st.text())
def test_any_volume_name_is_taken_or_refused(volume: str) -> None:
    if is_a_volume_name(volume):
        assert layout.volume_folder(volume).endswith(f"/{volume}")
        return
    with pytest.raises(Malformed) as caught:
        layout.volume_folder(volume)
    line = str(caught.value)
    assert printable(line, limit=10_000) == line


@pytest.mark.parametrize(
    "volume",
    [
        "",
        ".",
        "..",
        "../x",
        "a/b",
        "a/../b",
        "/a",
        "a\\b",
        "a\0",
        "a\n",
        " a",
        "-a",
        "_a",
        ".a",
        "é",
        "a" * 254,
        "a\x1b[2J",
        "a\u202eb",
        "a\u0301",
        "[/red]",
        "\ud800",
    ],
)
def test_names_that_are_no_volumes(volume: str) -> None:
    with pytest.raises(Malformed) as caught:
        layout.check_volume_name(volume)
    assert caught.value.advice
    line = str(caught.value)
    assert printable(line, limit=1000) == line
    assert len(line) < 400


@pytest.mark.parametrize(
    ("file_name", "is_lock"),
    [
        ("lock-0123456789abcdef.lck", True),
        ("ab.lck", True),
        ("a.b.lck", True),
        ("0_.lck", True),
        ("a.lck.lck", True),
        ("a.lck", False),
        (".lck", False),
        ("-ab.lck", False),
        ("_ab.lck", False),
        (".ab.lck", False),
        ("lock-1.lck.tmp.1700000000000000000", False),
        ("lock-1.lck\n", False),
        ("lock-1\n.lck", False),
        ("lock-1.LCK", False),
        ("lock-1", False),
        ("lock 1.lck", False),
        ("löck.lck", False),
        ("", False),
    ],
)
def test_which_files_are_locks(file_name: str, is_lock: bool) -> None:
    assert layout.is_lock_file(file_name) is is_lock


@given(st.text())
def test_a_lock_key_is_made_only_of_names_that_are_found_again(name: str) -> None:
    try:
        key = layout.lock_key("v1", name)
    except Malformed as error:
        line = str(error)
        assert not layout.is_lock_file(f"{name}.lck")
    else:
        line = ""
        assert layout.is_lock_file(key.rpartition("/")[2])
    assert printable(line, limit=10_000) == line


def test_new_names_have_longhorns_form_and_differ() -> None:
    names = {layout.new_lock_name() for _ in range(100)}
    assert len(names) == 100
    assert all(re.fullmatch(r"lock-[0-9a-f]{16}", name) for name in names)


@pytest.mark.parametrize(
    ("folder", "is_shard"),
    [("00", True), ("fc", True), ("FC", False), ("0", False), ("000", False), ("0g", False), ("0\n", False)],
)
def test_shards(folder: str, is_shard: bool) -> None:
    assert layout.is_shard(folder) is is_shard
