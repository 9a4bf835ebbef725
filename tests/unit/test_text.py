"""Hostile text becomes one harmless line."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backuplock.text import elapsed, ellipsize_middle, printable


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0, "0s"), (59.9, "59s"), (60, "1m00s"), (192, "3m12s"), (599, "9m59s"), (3599, "59m59s"),
     (3600, "1h00m"), (259_338, "3d00h"), (86_400_000, "1,000d"), (-5, "-5s"), (-7200, "-2h00m"),
     (-0.2, "0s")],
)  # fmt: skip
def test_elapsed(seconds: float, shown: str) -> None:
    assert elapsed(round(seconds * 1_000_000_000)) == shown


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("pvc-0eff2e8c", "pvc-0eff2e8c"),
        ("", ""),
        ("Größe 日本 €", "Größe 日本 €"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("a\nb\r\tc\0", "a\\x0ab\\x0d\\x09c\\x00"),
        ("\x9b2J", "\\x9b2J"),
        ("abc\u202edef", "abc\\u202edef"),
        ("\u2066x\u2069", "\\u2066x\\u2069"),
        ("zero\u200bwidth\ufeff", "zero\\u200bwidth\\ufeff"),
        ("line\u2028sep\u2029", "line\\u2028sep\\u2029"),
        ("nbsp\u00a0", "nbsp\\xa0"),
        ("wide\u3000", "wide\\u3000"),
        ("a\u0301", "a\\u0301"),
        ("\ud800", "\\ud800"),
        ("\udcff", "\\udcff"),
        ("\ue000", "\\ue000"),
        ("\U000e0001", "\\U000e0001"),
        ("[/red][bold]", "[/red][bold]"),
        (b"plain", "plain"),
        (b"\xff\xfe", "\\xff\\xfe"),
        (b"\xc3\xa9", "é"),
        (b"\xc3", "\\xc3"),
    ],
)
def test_printable(raw: str | bytes, shown: str) -> None:
    assert printable(raw) == shown


@pytest.mark.parametrize(
    ("limit", "shown"), [(0, "…"), (1, "…"), (4, "abc…"), (5, "abcde"), (6, "abcde"), (1000, "abcde")]
)
def test_length_is_bounded(limit: int, shown: str) -> None:
    assert printable("abcde", limit=limit) == shown
    assert printable(b"abcde", limit=limit) == shown


def test_escapes_count_towards_the_limit() -> None:
    assert printable("\x1b\x1b", limit=5) == "\\x1b…"


def test_a_huge_body_is_cut_before_it_is_decoded() -> None:
    assert printable(b"\xff" * 10_000_000, limit=10) == "\\xff\\xff\\…"


def is_harmless(line: str) -> bool:
    bad = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp", "Mn", "Me"}
    return all(
        unicodedata.category(char) not in bad and (char == " " or unicodedata.category(char) != "Zs")
        for char in line
    )


ANY_TEXT = st.one_of(
    st.text(st.characters(), max_size=60),  # surrogates included
    st.text(st.characters(categories=["Cc", "Cf", "Cs", "Co", "Mn", "Zl", "Zp", "Zs"]), max_size=60),
    st.binary(max_size=60),
)


@given(ANY_TEXT, st.integers(1, 80))
def test_any_text_becomes_one_harmless_bounded_line(raw: str | bytes, limit: int) -> None:
    line = printable(raw, limit=limit)
    assert is_harmless(line)
    assert len(line) <= limit
    assert line.isprintable()
    line.encode()


@given(ANY_TEXT, st.integers(1, 80))
def test_twice_is_the_same_as_once(raw: str | bytes, limit: int) -> None:
    line = printable(raw, limit=limit)
    assert printable(line, limit=limit) == line


@given(st.text(st.characters(categories=["Lu", "Ll", "Nd", "Pd", "Lo"]), max_size=60))
def test_harmless_text_stays_as_it_is(raw: str) -> None:
    assert printable(raw) == raw


@pytest.mark.parametrize(
    ("width", "shown"),
    [
        (20, "pvc-3f3b-c85a1dca9a"),
        (19, "pvc-3f3b-c85a1dca9a"),
        (11, "pvc-3…dca9a"),
        (10, "pvc-3…ca9a"),
        (3, "p…a"),
        (2, "p…"),
        (1, "…"),
        (0, ""),
        (-1, ""),
    ],
)
def test_middle_ellipsis_keeps_both_ends(width: int, shown: str) -> None:
    assert ellipsize_middle("pvc-3f3b-c85a1dca9a", width) == shown


@given(st.text(max_size=40), st.integers(-3, 45), st.sampled_from(["…", "..", ""]))
def test_middle_ellipsis_is_never_wider_than_asked(text: str, width: int, mark: str) -> None:
    short = ellipsize_middle(text, width, mark)
    assert len(short) <= max(0, width)
    if len(text) <= width:
        assert short == text
    elif width > len(mark):
        head, tail = short[: (width - len(mark) + 1) // 2], short[len(short) - (width - len(mark)) // 2 :]
        assert text.startswith(head)
        assert text.endswith(tail)
