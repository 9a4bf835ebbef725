"""Table, CSV and JSON of one Snapshot: what they say of each lock, and that nothing in them does harm."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path

import pytest

from backuplock.clock import SECOND, ManualClock
from backuplock.layout import LOCKS, volume_folder
from backuplock.model import Snapshot
from backuplock.stores.memory import MemoryStore
from backuplock.survey import sweep
from harness.builders import Lock, Volume, body
from locktop.output import csv_, fields, json_, table
from locktop.rows import Board, board_of

OURS = (
    b'{"Name":"lock-own","Type":1,"Acquired":true,"Owner":{"host":"ops-1","pid":42,"operation":"restore",'
    b'"note":"=1+1"}}'
)


class Desk:
    """A store in memory with a clock to steer, and its board."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.store = MemoryStore(self.clock)

    def put(self, lock: Lock) -> None:
        """Write a lock now."""
        self.store.put(lock.key, lock.content)

    def volume(self, volume: Volume) -> None:
        """Write a volume's description."""
        self.store.put(volume.cfg_key, volume.cfg)

    def snapshot(self, *, all_names: bool = False) -> Snapshot:
        """Sweep."""
        return sweep(self.store, clock=self.clock, all_names=all_names)

    def board(self, *, all_names: bool = False) -> Board:
        """Sweep and judge."""
        return board_of(self.snapshot(all_names=all_names))


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_a_lock_in_json_has_every_documented_field_and_no_other(desk: Desk) -> None:
    desk.volume(Volume("pvc-a", "shop", "data-0", "db"))
    desk.put(Lock("pvc-a", "lock-1"))
    found = json.loads(json_.text(desk.board(), everything=True))
    words = set(re.findall(r"[a-z_]+", json_.__doc__ or ""))
    names = set(found) | set(found["store_clock"]) | set(found["locks"][0])
    assert names <= words
    documented = (json_.__doc__ or "").partition("A lock:")[2]
    listed = re.findall(r"^([a-z_]+(?:, [a-z_]+)*)  +\S", documented, re.MULTILINE)
    assert {name for line in listed for name in line.split(", ")} == set(found["locks"][0])


def test_the_values_of_a_lock_in_json(desk: Desk) -> None:
    desk.volume(Volume("pvc-a", "shop", "data-0", "db"))
    lock = Lock("pvc-a", "lock-1", type=2)
    desk.put(lock)
    desk.clock.advance(70 * SECOND)
    board = desk.board()
    document = json.loads(json_.text(board))
    assert document["version"] == 1
    assert document["complete"] is True
    assert document["problems"] == []
    assert document["volumes"] == {"found": 1, "locked": 1}
    assert document["taken_at"] == "2026-01-02T03:01:10Z"
    assert document["store_clock"]["source"] == "memory replies"
    found = document["locks"][0]
    etag = found.pop("etag")
    assert etag
    assert found == {
        "volume": "pvc-a",
        "claim": "data-0",
        "namespace": "shop",
        "workload": "db",
        "lock": "lock-1",
        "key": lock.key,
        "type": 2,
        "operation": "delete",
        "acquired": True,
        "state": "late",
        "modified_at": "2026-01-02T03:00:00Z",
        "age_seconds": 70.0,
        "ttl_seconds": 80.0,
        "blocks": ["backup", "restore"],
        "waiting_blocked": [],
        "blocked_by": [],
        "clashes": [],
        "more": {"waiting_blocked": 0, "blocked_by": 0, "clashes": 0},
        "owner": None,
        "flaw": None,
        "reason": "",
        "size": len(lock.content),
        "longhorn": {},
    }


def test_who_blocks_whom(desk: Desk) -> None:
    first, second = Lock("pvc-a", "lock-1", type=1), Lock("pvc-a", "lock-2", type=2, acquired=False)
    desk.put(first)
    desk.clock.advance(SECOND)
    desk.put(second)
    one, two = json_.document(desk.board())["locks"]
    assert (one["waiting_blocked"], one["blocked_by"]) == ([second.key], [])
    assert (two["waiting_blocked"], two["blocked_by"]) == ([], [first.key])
    assert "(+1 waiting)" in table.lines(desk.board())[2].plain


@pytest.mark.parametrize(
    ("raw", "purpose"),
    [
        (body("n", 1, True), "backup or restore"),
        (body("n", 2, True), "delete"),
        (body("n", 0, True), "untyped"),
        (body("n", 7, True), "type 7"),
        (body("n", -(2**63), True), f"type {-(2**63)}"),
        (OURS, "restore"),
        (OURS.replace(b'"restore"', b'"delete"'), "backup or restore"),
        (OURS.replace(b'"restore"', b'"[/red]"'), "backup or restore"),
        (b"nonsense", "unknown"),
    ],
)
def test_the_purpose_says_no_more_than_the_lock(desk: Desk, raw: bytes, purpose: str) -> None:
    desk.put(Lock("pvc-a", "lock-1", raw=raw))
    assert json_.document(desk.board())["locks"][0]["operation"] == purpose


def test_where_longhorn_sees_it_otherwise(desk: Desk) -> None:
    desk.put(Lock("pvc-a", "lock-1", raw=b"nonsense"))
    desk.put(Lock("pvc-b", "lock-1", raw=b" " * 70_000))
    undecodable, too_large = json_.document(desk.board())["locks"]
    assert undecodable["longhorn"] == {"ignored": "Longhorn skips this (undecodable)", "blocks": []}
    assert undecodable["blocks"] == ["backup", "restore", "delete"]
    assert too_large["longhorn"] == {"unknown": "Longhorn may read this (too large)"}


def test_longhorn_may_be_told_nothing_of_a_large_file_that_has_expired(desk: Desk) -> None:
    desk.put(Lock("pvc-b", "lock-1", raw=b" " * 70_000))
    desk.clock.advance(400 * SECOND)
    assert json_.document(desk.board())["locks"][0]["longhorn"] == {}


def test_a_fast_local_clock_ignores_a_live_lock(desk: Desk) -> None:
    lock = Lock("pvc-a", "lock-1")
    desk.put(lock)
    clock = ManualClock()
    clock.step_wall(400 * SECOND)
    # The store keeps its own time; the sweep is made where the wall clock is 400 s ahead.
    found = json_.document(board_of(sweep(desk.store, clock=clock)))["locks"][0]
    assert found["state"] == "held"
    assert found["longhorn"] == {"expired": True, "blocks": []}


def test_owners_are_shown_and_bounded(desk: Desk) -> None:
    desk.put(Lock("pvc-a", "lock-1", raw=OURS))
    board = desk.board()
    assert json_.document(board)["locks"][0]["owner"]["note"] == "=1+1"
    assert "ops-1/42" in table.lines(board)[1].plain
    assert read_csv(board)[0]["owner"] == "ops-1/42"


def read_csv(board: Board, *, everything: bool = False) -> list[dict[str, str]]:
    """The rows as a reader of CSV gets them."""
    return list(csv.DictReader(io.StringIO(csv_.text(board, everything=everything), newline="")))


def test_csv_has_the_flat_fields(desk: Desk) -> None:
    desk.volume(Volume("pvc-a", "shop", "data-0", "db"))
    desk.put(Lock("pvc-a", "lock-1", type=2))
    desk.clock.advance(200 * SECOND)
    (row,) = read_csv(desk.board())
    assert list(row) == list(csv_.COLUMNS)
    assert (row["state"], row["type"], row["acquired"]) == ("stale", "2", "true")
    # A number stays a number, also below zero.
    assert (row["age_seconds"], row["ttl_seconds"]) == ("200.0", "-50.0")
    assert (row["namespace"], row["claim"], row["workload"]) == ("shop", "data-0", "db")


@pytest.mark.parametrize("text", ["=cmd|' /C calc'!A0", "+1", "-1+1", "@SUM(A1)", " =1", "＝1", "|x", "%0A"])
def test_a_cell_that_would_be_a_formula_is_not_one(text: str) -> None:
    assert csv_.safe_cell(text) == f"'{text}"


@pytest.mark.parametrize("value", [-50.0, 7, True, "pvc-a", "", None, "a=b"])
def test_harmless_cells_stay(value: object) -> None:
    assert csv_.safe_cell(value) == ("" if value is None else value)


def test_all_shows_volumes_without_locks_ghosts_and_leftovers(desk: Desk) -> None:
    desk.volume(Volume("pvc-free", "shop", "cart"))
    desk.put(Lock("pvc-ghost", "lock-1"))
    leftover = f"{volume_folder('pvc-ghost')}/{LOCKS}/lock-2.lck.tmp.1767322800000000000"
    desk.store.put(leftover, b"")
    empty = f"{volume_folder('pvc-empty')}/{LOCKS}/lock-3.lck.tmp.1"
    desk.store.put(empty, b"")
    board = desk.board(all_names=True)
    document = json_.document(board, everything=True)
    assert [one["claim"] for one in document["unlocked"]] == ["", "cart"]
    rows = {row["volume"]: row for row in read_csv(board, everything=True)}
    assert rows["pvc-free"]["claim"] == "cart"
    told = [line.plain.split() for line in table.lines(board, everything=True)]
    assert [words[2] for words in told if words[1] == "pvc-free"] == ["shop/cart"]
    assert {one["volume"]: one["ghost"] for one in document["unlocked"]} == {
        "pvc-empty": True,
        "pvc-free": False,
    }
    assert [one["key"] for one in document["leftovers"]] == [empty, leftover]
    assert [row["state"] for row in read_csv(board, everything=True)] == [
        "held",
        "ghost",
        "leftover",
        "unlocked",
        "leftover",
    ]
    shown = [line.plain.split()[0] for line in table.lines(board, everything=True)[1:]]
    assert shown == ["held", "ghost", "leftover", "unlocked", "leftover"]
    assert len(table.lines(board)) == 2


HOSTILE = [
    "pvc-\x1b[31mred\x1b]0;title\x07",
    "pvc-\u202egnp.exe\u202c",
    "pvc-[red][bold]x",
    "pvc-line\nbreak\r\n\x85\u2028",
    "=HYPERLINK(x)",
    "pvc-" + "x" * 1000,
    "pvc-\udcff\udcfe",
    "pvc-中文中文\u0301\u0301",
    "pvc-\x00nul",
    "-",
    " ",
]
BODIES = [
    b"",
    b"\xff\xfe\x00nonsense",
    b"[" * 60_000,
    b'{"a":' * 10_000,
    '{"Name":"\x1b[2J\u202e[/red]","Type":1,"Acquired":true}'.encode(),
    b'{"Name":"\\u001b[2J\\n","Type":1,"Acquired":true,"Owner":{"host":"\\u001b[31m[/x]\\n=1","pid":1}}',
    b'{"Name":"x","Type":99999999999999999999,"Acquired":true}',
    b" " * 100_000,
]


@pytest.fixture
def hostile(desk: Desk) -> Board:
    """A store in which each name and each body is hostile."""
    for n, name in enumerate(HOSTILE):
        desk.put(Lock(name, "lock-1", raw=BODIES[n % len(BODIES)]))
        names = [f"[/red]{HOSTILE[(n + k) % len(HOSTILE)]}" for k in range(3)]
        desk.volume(Volume(name, *names))
        desk.store.put(f"{Lock(name, 'x').key[:-5]}{HOSTILE[n]}.lck.tmp.1", b"")
    return desk.board()


def harmless(text: str) -> bool:
    """Whether every line of a text can be printed as it is."""
    return all(line.isprintable() for line in text.split("\n"))


@pytest.mark.parametrize("width", [None, 20, 60, 80, 160])
def test_hostile_names_and_bodies_in_the_table(hostile: Board, width: int | None) -> None:
    lines = table.lines(hostile, width=width, everything=True)
    # A line each: no name starts one of its own.
    assert len(lines) == 1 + 2 * len(HOSTILE)
    for line in lines:
        assert line.plain.isprintable()
        if width is not None and width >= 60:
            assert line.cell_len <= width
    if width is None:
        # Markup is shown, not followed.
        assert any("[/red]pvc-[red][bold]x" in line.plain for line in lines)
    assert table.summary(hostile).isprintable()


@pytest.mark.parametrize("width", [80, 120, 160, 400])
def test_long_names_are_cut_in_their_middle_on_a_terminal_only(desk: Desk, width: int) -> None:
    volume, stem = "pvc-" + "x" * 240, "lock-" + "y" * 239
    desk.put(Lock(volume, stem))
    desk.put(Lock("pvc-short", "lock-0123456789abcdef"))
    desk.volume(Volume(volume, "shop", "z" * 240))
    board = desk.board()
    lines = table.lines(board, width=width)
    assert all(line.cell_len <= width for line in lines)
    cut = next(line.plain for line in lines if "pvc-x" in line.plain)
    assert re.search(r"pvc-x+…x+ ", cut)
    if width >= 120:
        # One long name does not cost the others their column.
        assert re.search(r"lock-y+…y+$", cut.rstrip())
        assert "lock-0123456789abcdef" in "".join(line.plain for line in lines)
    whole = next(line.plain for line in table.lines(board) if "pvc-x" in line.plain)
    assert volume in whole
    assert f"shop/{'z' * 240}" in whole
    assert stem in whole


def test_hostile_names_and_bodies_in_csv(hostile: Board) -> None:
    text = csv_.text(hostile, everything=True)
    assert harmless(text.replace("\r\n", "\n"))
    rows = read_csv(hostile, everything=True)
    assert len(rows) == 2 * len(HOSTILE)
    for row in rows:
        for name in ("volume", "namespace", "claim", "workload", "owner", "reason", "key"):
            assert row[name][:1] not in set("=+-@")


def test_hostile_names_and_bodies_in_json_are_exact(hostile: Board) -> None:
    text = json_.text(hostile, everything=True)
    assert text.isascii()
    assert harmless(text)
    found = json.loads(text)
    assert {lock["volume"] for lock in found["locks"]} == set(HOSTILE)
    assert len(found["leftovers"]) == len(HOSTILE)
    assert {lock["state"] for lock in found["locks"]} == {"held", "bad"}


@pytest.mark.parametrize(
    ("ns", "shown"),
    [
        (0, "1970-01-01T00:00:00Z"),
        (-1, "1969-12-31T23:59:59.999999999Z"),
        (1_767_322_800 * SECOND + 5, "2026-01-02T03:00:00.000000005Z"),
        (2**62, "2116-02-20T23:53:38.427387904Z"),
        (10**30, None),
        (None, None),
    ],
)
def test_instants(ns: int | None, shown: str | None) -> None:
    assert fields.iso(ns) == shown


def test_problems_of_every_level_are_listed(tmp_path: Path) -> None:
    board = board_of(
        Snapshot(
            target="memory:",
            volumes=(),
            clock=Desk().snapshot().clock,
            began_mono_ns=0,
            ended_mono_ns=0,
            taken_wall_ns=0,
            problems=("backupstore/volumes/ab could not be listed: no",),
        )
    )
    document = json_.document(board)
    assert document["complete"] is False
    assert document["problems"] == [
        {"volume": None, "reason": "backupstore/volumes/ab could not be listed: no"}
    ]
