"""Several contexts on one command line: names with commas between them, each checked, none opened for writing
by a flag."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from harness.running import environ
from locktop.config.choose import several
from locktop.settings import Usage


@pytest.mark.parametrize(
    ("flags", "variables", "names"),
    [
        ({"context": "a,b"}, {}, ("a", "b")),
        ({"context": " a , @b,c"}, {}, ("a", "b", "c")),
        ({"context": "a"}, {}, ()),
        ({}, {}, ()),
        ({}, {"LOCKTOP_CONTEXT": "a,b"}, ("a", "b")),
        ({"target": "/x,y"}, {"LOCKTOP_CONTEXT": "a,b"}, ()),
        ({"context": "a"}, {"LOCKTOP_CONTEXT": "a,b"}, ()),
        ({}, {"LOCKTOP_TARGET": "/x", "LOCKTOP_CONTEXT": "a,b"}, ()),
    ],
)
def test_names(flags: dict[str, object], variables: dict[str, str], names: tuple[str, ...]) -> None:
    assert several(flags, variables) == names


@pytest.mark.parametrize("text", ["a,", ",a", "a,,b", ",", "a,b,a", "@a,a"])
def test_names_that_are_none_or_the_same(text: str) -> None:
    with pytest.raises(Usage) as caught:
        several({"context": text}, {})
    assert "--context" in str(caught.value)
    assert "\n" not in str(caught.value)


SETTINGS = """
[contexts.eu]
target = "{eu}"
write = true
[contexts.dr]
target = "{dr}"
"""


@pytest.fixture
def config(tmp_path: Path) -> str:
    file = tmp_path / "config.toml"
    file.write_text(SETTINGS.format(eu=tmp_path / "eu", dr=tmp_path / "dr"))
    return str(file)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["-c", "eu,drr"], "there is no context 'drr'; did you mean dr?"),
        (["-c", "eu,dr", "--write"], "--write opens one store, and several contexts are named"),
        (["-c", "eu", "-c", "drr"], "there is no context 'drr'"),
        (["ls", "-c", "eu", "-c", "dr"], "--context names several contexts: eu,dr; only the console"),
        (["blocked", "-c", "eu,dr"], "only the console shows several at once; name one"),
        (["watch", "-c", "eu,dr"], "only the console shows several at once; name one"),
        (["ls", "-c", "eu,dr"], "only the console shows several at once; name one"),
        (["-c", "eu,dr"], "the console needs a terminal"),
    ],
)
def test_what_is_refused_is_refused_in_one_line(arguments: list[str], says: str, config: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "locktop", *arguments],
        env=environ(LOCKTOP_CONFIG=config),
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert says in done.stderr
    assert done.stderr.count("\n") == 1
