"""The language of filters: what fits, what is wrong, what tab makes of it, and `ls --filter`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from backuplock import layout, wire
from backuplock.model import LockRecord
from backuplock.survey import sweep
from locktop.cli import main
from locktop.filters import haystack
from locktop.query import COLUMN_NAMES, BadFilter, advise, complete, parse, understand
from locktop.rows import board_of
from tui.scene import night


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 31),
        ("type:delete", 6),
        ("type:DELETE state:stale", 1),
        ("!type:delete", 25),
        ("type:delete,unknown", 8),
        ("type:bkup", 22),
        ("type:backup", 23),
        ("type:restore", 22),
        ("type:7", 1),
        ("op:backup", 1),
        ("state:stale,late", 3),
        ("!state:held", 8),
        ("!state:held,waiting", 5),
        ("!state:held !state:waiting", 5),
        ("owner:node-093", 1),
        ("ttl:<0s", 3),
        ("ttl:<1m", 4),
        ("ttl:>=2m28s", 2),
        ("ttl:=2m29s", 1),
        ("age:>1h", 1),
        ("age:>1d age:<4d", 1),
        ("blocks:none", 3),
        ("claim:shop/", 7),
        ("workload:prometheus", 3),
        ("lock:9f2c", 1),
        ("volume:pvc-7204", 2),
        ('"shop/orders-redis"', 4),
        ('claim:"orders-redis",gitea', 8),
    ],
)
def test_what_fits(text: str, count: int) -> None:
    scene = night()
    board = board_of(sweep(scene.store, clock=scene.clock))
    query = parse(text)
    assert sum(query.fits(row, haystack(row), board.now) for row in board.rows) == count


@pytest.mark.parametrize(
    ("text", "problem", "good"),
    [
        ("tpye:x", "no column 'tpye', meant type? state, owner,", ""),
        ("state:stale zzz:1 shop", "no column 'zzz': type, state,", "state:stale shop"),
        ("state:dead", "state 'dead' is none: held, waiting,", ""),
        ("state:stale ttl:soon", "ttl 'soon' is none: <30s, >1m,", "state:stale"),
        ("ttl:<5x", "ttl '<5x' is none", ""),
        ("ttl:30s shop", "ttl:30s lacks its sign, one of < <= > >= =: <30s,", "shop"),
        ("!age:5m", "age:5m lacks its sign", ""),
        ("type:x", "type 'x' is none: backup,", ""),
        ("\x1b[2Jx:y", "no column '", ""),
    ],
)
def test_what_cannot_be_meant_is_said_and_the_rest_holds(text: str, problem: str, good: str) -> None:
    query, found = understand(text)
    assert found.startswith(problem)
    assert found.isprintable()
    assert query.text == good
    with pytest.raises(BadFilter, match=r"is none|no column|its sign"):
        parse(text)


@pytest.mark.parametrize(
    ("text", "problem", "good"),
    [
        ("state:", "state: has no value: held, waiting,", ""),
        ("shop type:", "type: has no value: backup,", "shop"),
        ("!owner:", "owner: has no value: part of", ""),
        ("ttl:", "ttl: has no value: <30s,", ""),
        ("ttl:< shop", "ttl:< has no time: <30s,", "shop"),
        ("!", "! negates what follows it", ""),
        ('state:""', "state: has no value", ""),
    ],
)
def test_what_is_unfinished_asks_for_nothing_yet_but_is_no_filter(text: str, problem: str, good: str) -> None:
    query, wrong = understand(text)
    assert (query.text, wrong) == (good, "")
    with pytest.raises(BadFilter) as caught:
        parse(text)
    assert str(caught.value).startswith(problem)


def test_tab_completes_what_can_be_only_one_thing() -> None:
    for given, wanted in {
        "st": "state:",
        "!ow": "!owner:",
        "shop state:l": "shop state:late",
        "state:held,st": "state:held,stale",
        "w": "workload:",
        "a": "age:",
        "": "",
        "shop ": "shop ",
        "o": "o",
        "state:zz": "state:zz",
    }.items():
        assert complete(given) == wanted, given


def test_every_column_says_what_it_takes() -> None:
    for column in COLUMN_NAMES:
        assert advise(f"shop !{column}:").startswith(f"{column}: ")
    assert advise("shop") == advise("state:h") == advise("zzz:") == ""


def _store(folder: Path) -> None:
    for number, type_ in enumerate((1, 1, 2)):
        key = layout.lock_key(f"pvc-{number}", f"lock-{number}")
        path = folder / key
        path.parent.mkdir(parents=True)
        path.write_bytes(wire.encode(LockRecord(f"lock-{number}", type_, True)))


def test_ls_with_a_filter(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _store(tmp_path)
    assert main(["ls", "--json", "--filter", "type:delete", str(tmp_path)]) == 0
    assert [lock["lock"] for lock in json.loads(capsys.readouterr().out)["locks"]] == ["lock-2"]
    assert main(["ls", "--filter", "!type:delete", str(tmp_path)]) == 0
    told = capsys.readouterr()
    assert "pvc-0" in told.out
    assert "pvc-2" not in told.out
    assert "2 of these fit !type:delete" in told.err
    for wrong in (
        ["--filter", "tpye:x"],
        ["--filter", "state:"],
        ["--filter", "ttl:<"],
        ["--all", "--filter", "type:delete"],
    ):
        assert main(["ls", *wrong, str(tmp_path)]) == 2
        told = capsys.readouterr()
        assert not told.out
        assert "Traceback" not in told.err
