"""Paragraphs: whole away from a terminal; on one wrapped under what they begin with, and never markup."""

from __future__ import annotations

import re

import pytest
from rich.cells import cell_len

from locktop.output import paper
from locktop.output.paper import Para, labelled, print_paras, title

LONG = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen"


def printed(capsys: pytest.CaptureFixture[str], *paras: Para) -> list[str]:
    print_paras(paras)
    out = capsys.readouterr().out
    return re.sub(r"\x1b\[[0-9;]*m", "", out).splitlines()


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch) -> int:
    """A terminal of 50 cells."""
    monkeypatch.setattr(paper, "terminal_width", lambda: 50)
    return 50


def test_nothing_is_wrapped_away_from_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    assert printed(capsys, title(LONG), labelled("label", [(LONG, "text")])) == [
        LONG,
        f"  label      {LONG}",
    ]


def test_wrapped_lines_stand_under_the_text(capsys: pytest.CaptureFixture[str], narrow: int) -> None:
    lines = printed(capsys, labelled("label", [(LONG, "held"), (" " + LONG, "text")]))
    assert len(lines) > 3
    assert lines[0].startswith("  label      one")
    assert all(line.startswith(" " * 13) and line[13] != " " for line in lines[1:])
    assert all(cell_len(line) <= narrow for line in lines)
    assert " ".join(" ".join(lines).split()) == f"label {LONG} {LONG}"


def test_titles_wrap_and_drawings_are_cut(capsys: pytest.CaptureFixture[str], narrow: int) -> None:
    assert " ".join(line.strip() for line in printed(capsys, title(LONG))) == LONG
    (drawing,) = printed(capsys, Para([("=" * 200, "held")], first=2, wrap=False))
    assert cell_len(drawing) <= narrow


def test_markup_is_text(capsys: pytest.CaptureFixture[str], narrow: int) -> None:
    assert printed(capsys, Para([("[bold]x[/nonsense] :smile:", "text")])) == ["[bold]x[/nonsense] :smile:"]


def test_no_colour_is_obeyed(
    capsys: pytest.CaptureFixture[str], narrow: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    print_paras([Para([("x", "held")])])
    assert "38;" not in capsys.readouterr().out
