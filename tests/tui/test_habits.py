"""How a person likes it: order, columns, names and theme are remembered; keys of their own."""

from __future__ import annotations

import json
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from locktop.cli import main
from locktop.columns import COLUMNS, EXTRA
from locktop.config.file import read_config
from locktop.habits import Habits, Memory
from locktop.keymap import SIGNS, Keymap, ids, normal, read_keymap, written
from locktop.keys import KEYS
from locktop.screens.break_ import BreakScreen
from locktop.settings import Usage, Value
from locktop.theme import DARK
from tui.breaking import quiet, session_on
from tui.look import console, lines, table, text, until
from tui.scene import night

# -- habits


async def test_order_columns_names_and_theme_are_as_they_were_left(tmp_path: Path) -> None:
    memory = Memory(tmp_path / "state" / "habits.json")
    async with console(night().session(), memory=memory) as (app, pilot):
        await pilot.press("s", "s", "S", "v", "c", "j", "j", "space", "escape")
        await until(pilot, lambda: "type" in table(app).wish.hidden)
        app.theme = "nord"
        await until(pilot, lambda: memory.recall().theme == "nord")
    found = memory.recall()
    assert found == Habits("volume", True, EXTRA | {"type"}, claims_first=True, theme="nord")
    assert stat.S_IMODE((tmp_path / "state" / "habits.json").stat().st_mode) == 0o600
    assert [path.name for path in (tmp_path / "state").iterdir()] == ["habits.json"]
    async with console(night().session(), memory=memory) as (app, pilot):
        assert app.theme == "nord"
        assert "by claim, reversed" in text(app)
        assert "type" in table(app).wish.hidden
        assert lines(app)[3].lstrip().startswith("CLAIM, OR VOLUME")
        claims = [row.claim for row in table(app).rows if row.claim]
        assert claims == sorted(claims, reverse=True)


async def test_without_a_memory_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    async with console(night().session()) as (app, pilot):
        await pilot.press("s")
        assert app.theme == DARK.name
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\xff",
        b"[]",
        b"{",
        b"[" * 50_000,
        b'{"sort": "nonsense", "reverse": 1, "hidden": "all", "shown": [7], "theme": 3}',
        b'{"sort": ["ttl"], "hidden": ["volume", "nonsense"], "claims_first": "yes"}',
    ],
)
async def test_a_memory_that_is_not_as_it_must_be_gives_the_usual(tmp_path: Path, raw: bytes) -> None:
    path = tmp_path / "habits.json"
    path.write_bytes(raw)
    assert Memory(path).recall() == Habits()
    Memory(path).keep(lambda habits: replace(habits, sort="ttl"))
    assert Memory(path).recall() == Habits(sort="ttl")


async def test_a_theme_that_is_gone_gives_the_usual(tmp_path: Path) -> None:
    memory = Memory(tmp_path / "habits.json")
    memory.keep(lambda habits: replace(habits, theme="gone-in-this-version"))
    async with console(night().session(), memory=memory) as (app, _):
        assert app.theme == DARK.name


def test_a_memory_that_cannot_be_written_is_done_without(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    memory = Memory(tmp_path / "file" / "habits.json")
    memory.keep(lambda habits: replace(habits, sort="ttl"))
    assert memory.recall() == Habits()
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_columns_of_later_versions_are_as_they_are_meant_to_be(tmp_path: Path) -> None:
    path = tmp_path / "habits.json"
    extra = min(EXTRA)
    Memory(path).keep(lambda habits: replace(habits, hidden=frozenset({"age"})))
    document = json.loads(path.read_text())
    assert document["hidden"] == ["age"]
    document["shown"] = [extra]
    path.write_text(json.dumps(document))
    assert Memory(path).recall().hidden == (EXTRA - {extra}) | {"age"}
    assert {column.id for column in COLUMNS} > EXTRA


def test_two_consoles_keep_what_each_changed(tmp_path: Path) -> None:
    one, other = Memory(tmp_path / "habits.json"), Memory(tmp_path / "habits.json")
    one.keep(lambda habits: replace(habits, sort="ttl"))
    other.keep(lambda habits: replace(habits, theme="nord"))
    assert one.recall() == Habits(sort="ttl", theme="nord")


# -- keys


def _layer(**given: str | list[str]) -> dict[str, Value[str]]:
    layer = {}
    for at, (id_, keys) in enumerate(given.items(), start=2):
        name = id_.replace("__", ".").replace("_", "-")
        layer[name] = Value("\n".join([keys] if isinstance(keys, str) else keys), f"c.toml:{at} keys.{name}")
    return layer


async def test_other_keys_do_it_and_are_shown() -> None:
    keymap = read_keymap(
        _layer(locks__sort="o", app__pause=["f5", "P"], app__help="ctrl+t", locks__filter="%")
    )
    async with console(night().session(), (200, 44), keymap=keymap) as (app, pilot):
        assert " o sort " in lines(app)[-1]
        assert " % filter " in lines(app)[-1]
        await pilot.press("s")
        assert "by attention" in text(app)
        await pilot.press("o")
        assert "by ttl" in text(app)
        for key in ("f5", "P"):
            await pilot.press(key)
            assert "PAUSED" in text(app)
            await pilot.press(key)
            assert "PAUSED" not in text(app)
        await pilot.press("p")
        assert "PAUSED" not in text(app)
        await pilot.press("percent_sign", *"re%o")
        await until(pilot, lambda: "matching re%o" in text(app))
        await pilot.press("escape", "ctrl+t")
        await until(pilot, lambda: "f5 P" in text(app) and "^t" in text(app))


async def test_the_key_that_breaks_can_be_another_one(tmp_path: Path) -> None:
    keymap = read_keymap(_layer(app__break_locks="X"))
    async with console(session_on(quiet(night()), tmp_path), keymap=keymap) as (app, pilot):
        await pilot.press("x")
        assert not isinstance(app.screen, BreakScreen)
        await pilot.press("X")
        await until(pilot, lambda: isinstance(app.screen, BreakScreen))


async def test_quitting_by_other_keys_leaves_letters_to_the_filter() -> None:
    async with console(night().session(), keymap=read_keymap(_layer(app__quit="Q"))) as (app, pilot):
        await pilot.press("slash", "Q", "q")
        assert "matching Qq" in text(app)
        await pilot.press("escape", "q")
        assert app.return_code is None
        await pilot.press("Q")
        await until(pilot, lambda: app.return_code == 0)


@pytest.mark.parametrize(
    ("layer", "says"),
    [
        (_layer(locks__sorted="o"), r"c\.toml:2 keys\.locks\.sorted: no such id; did you mean locks\.sort\?"),
        (_layer(locks__sort="oo"), "'oo' is no key; write a sign"),
        (_layer(locks__sort="ö"), "'ö' is no key"),
        (_layer(locks__sort="hyper+o"), "is no key"),
        (_layer(locks__sort="ctrl+S"), "is no key"),
        (_layer(locks__sort="ctrl+c"), r"'ctrl\+c' has a meaning of its own"),
        (_layer(locks__sort="tab"), "'tab' has a meaning of its own"),
        (_layer(locks__sort="f"), r"keys\.locks\.sort: f is taken by locks\.follow"),
        (_layer(locks__sort="q"), r"q is taken by app\.quit"),
        (_layer(app__pause="s"), r"s is taken by locks\.sort"),
        (_layer(locks__sort="x"), r"keys\.locks\.sort: x: locks\.sort is on it; what destroys"),
        (_layer(app__break_locks="j"), r"keys\.app\.break-locks: j: locks\.move-next is on it"),
        (_layer(app__break_locks="d"), r"d: columns\.usual is on it"),
        (_layer(app__break_locks="enter"), "on no key of this kind"),
        (_layer(app__break_locks="backspace"), "on no key of this kind"),
        (_layer(app__break_locks="ctrl+x"), "on no key of this kind"),
        (_layer(break__back="q"), "no such id"),
    ],
)
def test_what_cannot_be_is_refused_by_file_line_and_id(layer: dict[str, Value[str]], says: str) -> None:
    with pytest.raises(Usage, match=says) as refused:
        read_keymap(layer)
    assert str(refused.value).startswith("c.toml:2 keys.")
    assert str(refused.value).isprintable()


def test_two_keys_can_change_places() -> None:
    keymap = read_keymap(_layer(locks__sort="f", locks__follow="s"))
    assert keymap.keys == {"locks.sort": "f", "locks.follow": "s"}


def test_the_usual_keys_are_right_by_the_same_rules() -> None:
    table_ = {id_: Value(key.keys.replace(",", "\n"), f"c:1 {id_}") for id_, key in ids().items()}
    for id_, value in list(table_.items()):
        if any(name in ("ctrl+p", "ctrl+q") for name in value.value.split("\n")):
            del table_[id_]
    assert read_keymap(table_).keys.keys() == table_.keys()
    assert all(Keymap().keys_of(key) == tuple(key.keys.split(",")) for key in KEYS)


def test_signs_and_names_are_the_same_keys() -> None:
    for name, sign in SIGNS.items():
        assert normal(sign) == normal(name) == name
    assert normal("f12") == "f12"
    assert normal("ctrl+t") == "ctrl+t"
    assert [written(name) for name in ("slash", "ctrl+d", "escape", "space", "A")] == [
        "/",
        "^d",
        "esc",
        "space",
        "A",
    ]


def test_the_file_gives_the_keys_and_check_reads_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "config.toml"
    path.write_text('[keys]\n"locks.sort" = ["o", "f6"]\nlocks.reverse = "O"\n')
    assert main(["config", "check", "--config", str(path)]) == 2
    assert f"{path}:3 keys.locks: must be a key or a list of keys" in capsys.readouterr().err
    path.write_text('[keys]\n"locks.sort" = ["o", "f6"]\n')
    assert read_keymap(read_config(Value(path, "--config")).keys).keys == {"locks.sort": "o,f6"}
    assert main(["config", "check", "--config", str(path)]) == 0
    capsys.readouterr()
    assert main(["config", "keys", "--json", "--config", str(path)]) == 0
    found = {one["id"]: one for one in json.loads(capsys.readouterr().out)["keys"]}
    assert found["locks.sort"]["keys"] == ["o", "f6"]
    assert found["locks.reverse"] == {"id": "locks.reverse", "keys": ["S"], "words": "", "place": "locks"}
    path.write_text('[keys]\n"locks.sort" = "x"\n')
    assert main(["config", "check", "--config", str(path)]) == 2
    assert f"{path}:2 keys." in capsys.readouterr().err
