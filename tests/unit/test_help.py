"""Every command explains itself: what it is for, each option, examples that its own parser takes."""

from __future__ import annotations

import re
import shlex

import pytest

from locktop.cli import _Parser
from locktop.subcommands import COMMANDS, load

NAMES = ("console", *COMMANDS)


def _parser(name: str) -> _Parser:
    parser = _Parser(name)
    load(name).configure(parser)
    return parser


def _examples(name: str) -> list[str]:
    text = _parser(name).epilog or ""
    block = text.partition("examples:\n")[2].partition("\n\n")[0]
    return [line.strip() for line in block.splitlines() if re.match(r"  (?:[A-Z_]+=\S+ )*locktop\b", line)]


@pytest.mark.parametrize("name", NAMES)
def test_each_command_has_examples_and_says_what_it_is_for(name: str) -> None:
    parser = _parser(name)
    assert parser.description
    assert _examples(name), f"locktop {name} --help has no example"
    for action in parser._actions:
        assert action.help, f"locktop {name}: {action.dest} is not explained"


@pytest.mark.parametrize("name", NAMES)
def test_lines_of_the_help_fit_a_terminal(name: str) -> None:
    long = [line for line in _parser(name).format_help().splitlines() if len(line) > 120]
    assert long == []


@pytest.mark.parametrize("name", NAMES)
def test_examples_are_command_lines_that_are_taken(name: str) -> None:
    for line in _examples(name):
        # What follows two blanks or a pipe is for people, and for the shell.
        command = re.split(r"\s{2,}|\s[|>]\s|; |\s&&\s|\s--\s", line)[0]
        words = [word for word in shlex.split(command) if not re.match(r"[A-Z_]+=", word)][1:]
        other = words[0] if words and words[0] in COMMANDS else "console"
        rest = words[1:] if other != "console" else words
        try:
            _, unknown = _parser(other).parse_known_args(rest)
        except SystemExit:
            # `--help` among the words; a refusal would be a Usage.
            continue
        assert not [word for word in unknown if word.startswith("-")], line
