"""Lines in fewer parts look as they did."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from locktop.widgets.painted import joined

_TEXTS = st.sampled_from(["", " ", "   ", "a", "b ", " c", "two words", "▲"])
_TONES = st.sampled_from(["text", "dim", "alert"])


@given(st.lists(st.tuples(_TEXTS, _TONES), max_size=12))
def test_joined_parts_show_the_same(parts: list[tuple[str, str]]) -> None:
    found = list(joined(parts))
    assert _shown(found) == _shown(parts)
    assert len(found) <= len([text for text, _ in parts if text.strip()]) + 1
    assert {tone for _, tone in found} <= {tone for _, tone in parts}
    assert not any(text.startswith(" ") for text, _ in found[1:])


def test_neighbours_of_one_tone_become_one() -> None:
    assert list(joined([("a", "dim"), ("b", "dim"), ("  ", "text"), ("c", "dim")])) == [("ab  c", "dim")]


def _shown(parts: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Each character with its tone; a blank shows none."""
    return [(letter, "" if letter == " " else tone) for text, tone in parts for letter in text]
