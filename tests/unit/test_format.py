"""Values become short words: durations, times, types, owners; cells are counted, not characters."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from backuplock.clock import SECOND
from backuplock.model import LockFile, LockRecord, Owner
from backuplock.text import elapsed
from locktop import format as fmt

MS = 1_000_000


@pytest.mark.parametrize(
    ("s", "shown"),
    [
        (0, "0:00"),
        (9.9, "0:09"),
        (125, "2:05"),
        (150, "2:30"),
        (-0.2, "-0:00"),
        (-63, "-1:03"),
        (3599, "59:59"),
        (3600, "1h00m"),
        (-3 * 86400 - 7200, "-3d02h"),
        (1000 * 86400, "1,000d"),
        (292 * 365 * 86400, "106,580d"),
    ],
)
def test_countdowns(s: float, shown: str) -> None:
    assert fmt.countdown(round(s * SECOND)) == shown


@given(st.integers(-(2**62), 2**62))
def test_no_duration_is_too_odd_to_show(ns: int) -> None:
    assert cell_len(fmt.countdown(ns)) <= 9
    assert cell_len(elapsed(ns)) <= 9
    assert fmt.signed_seconds(ns)[0] in "+-"


@given(st.integers(-(2**63), 2**63 - 1))
def test_no_instant_is_too_odd_to_show(ns: int) -> None:
    assert len(fmt.utc_time(ns)) == 8
    assert fmt.utc_near(ns, 0)


def test_instants() -> None:
    ns = 1_767_323_045 * SECOND + 999_999_999
    assert fmt.utc_instant(ns) == "2026-01-02 03:04:05"
    assert fmt.utc_near(ns, ns + 3600 * SECOND) == "03:04:05"
    assert fmt.utc_near(ns, ns + 86_400 * SECOND) == "2026-01-02 03:04:05"


def test_small_durations_and_round_trips() -> None:
    assert fmt.short_seconds(800 * MS) == "0.8s"
    assert fmt.short_seconds(9_949 * MS) == "9.9s"
    assert fmt.short_seconds(9_950 * MS) == "9s"
    assert fmt.short_seconds(74 * SECOND) == "1m14s"
    assert [fmt.rtt(ns) for ns in (None, 400_000, 41 * MS, 1_300 * MS)] == ["-", "0.4ms", "41ms", "1.3s"]
    assert fmt.signed_seconds(200 * MS) == "+0.2s"
    assert fmt.signed_seconds(-40 * MS) == "+0.0s"
    assert fmt.signed_seconds(-200 * SECOND) == "-3m20s"


def _record(type_: int, operation: str = "") -> LockRecord:
    return LockRecord("lock-a", type_, True, Owner(operation=operation) if operation else None)


@pytest.mark.parametrize(
    ("record", "label", "words"),
    [
        (None, "?", "unknown"),
        (_record(1), "bkup/rst", "backup or restore"),
        (_record(1, "restore"), "restore", "restore, says its holder"),
        (_record(1, "delete"), "bkup/rst", "backup or restore"),
        (_record(1, "[/red]"), "bkup/rst", "backup or restore"),
        (_record(2), "delete", "deletion"),
        (_record(2, "backup"), "delete", "deletion"),
        (_record(0), "untyped", "none given"),
        (_record(7), "type 7", "unknown, 7"),
    ],
)
def test_types_are_told_as_far_as_they_are_known(record: LockRecord | None, label: str, words: str) -> None:
    assert fmt.type_label(record) == label
    assert fmt.type_words(record) == words


@pytest.mark.parametrize(
    ("owner", "shown"),
    [
        (None, "-"),
        (Owner(), "-"),
        (Owner(host="node-7", pid=12), "node-7/12"),
        (Owner(user="ops"), "ops"),
        (Owner(host="a\x1b[2J"), "a\\x1b[2J"),
    ],
)
def test_owners(owner: Owner | None, shown: str) -> None:
    lock = LockFile("k", "v", 0, "", 0, LockRecord("n", 1, True, owner))
    assert fmt.owner_label(lock) == shown


TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc", "Mn", "Me", "Cf"]), max_size=60)


@given(TEXT, st.integers(0, 40), st.booleans(), st.booleans(), st.sampled_from(["…", "..", ""]))
def test_fitted_text_has_exactly_the_width(
    text: str, width: int, middle: bool, right: bool, mark: str
) -> None:
    shown = fmt.fit(text, width, ellipsis=mark, middle=middle, right=right)
    assert cell_len(shown) == width


def test_fitting_keeps_both_ends() -> None:
    assert fmt.fit("pvc-0123456789-abcdef", 11, middle=True) == "pvc-0…bcdef"
    assert fmt.fit("short", 8) == "short   "
    assert fmt.fit("short", 8, right=True) == "   short"
    assert fmt.fit("漢字漢字", 5) == "漢字…"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"encoding": "utf-8", "environ": {}}, fmt.UNICODE),
        ({"encoding": "UTF8", "environ": {"LANG": "de_DE.UTF-8"}}, fmt.UNICODE),
        ({"encoding": "ascii", "environ": {}}, fmt.ASCII),
        ({"encoding": "latin-1", "environ": {}}, fmt.ASCII),
        ({"encoding": "utf-8", "environ": {"LANG": "ja_JP.UTF-8"}}, fmt.ASCII),
        ({"encoding": "utf-8", "environ": {"LC_ALL": "zh_CN.UTF-8", "LANG": "C.UTF-8"}}, fmt.ASCII),
        ({"encoding": "utf-8", "environ": {"LC_ALL": "C.UTF-8", "LANG": "ko_KR.UTF-8"}}, fmt.UNICODE),
        ({"encoding": "utf-8", "environ": {}, "ascii_only": True}, fmt.ASCII),
    ],
)
def test_which_characters_a_terminal_gets(given: dict[str, object], expected: fmt.Glyphs) -> None:
    assert fmt.pick_glyphs(**given) is expected  # type: ignore[arg-type]


def test_both_sets_of_glyphs_have_one_cell_each_and_the_plain_one_is_ascii() -> None:
    for glyphs in (fmt.UNICODE, fmt.ASCII):
        assert len(set(glyphs.states.values())) == len(glyphs.states) == 6
        assert {cell_len(glyph) for glyph in glyphs.states.values()} == {1}
    plain = [getattr(fmt.ASCII, name) for name in fmt.Glyphs.__slots__ if name != "states"]
    assert all(text.isascii() for text in (*plain, *fmt.ASCII.states.values()))
