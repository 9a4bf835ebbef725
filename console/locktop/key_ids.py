"""Ids of what keys do, by which the settings file gives them other keys."""

from __future__ import annotations

import re

PRIORITY_KEYS = frozenset({"ctrl+c", "ctrl+q", "ctrl+z", "ctrl+l", "ctrl+p"})
"""Keys that work wherever the focus is, in a text field as well."""

AT_ONCE = frozenset({"slash", "tab", "shift+tab"})
"""Keys that are obeyed before the next key is looked at: what is typed on in one go goes where it belongs.
The slash is text in a text field (`View.check_action`)."""

FIXED_PLACES = frozenset({"break", "confirm"})
"""Dialogs that ask before something is changed: their keys are those that everybody knows."""

_SUFFIXES = {"1": "next", "-1": "previous", "0.5": "half-next", "-0.5": "half-previous"}


def id_of(place: str, action: str, *, dangerous: bool = False) -> str:
    """The id of an action in a place: `locks.move-next`. What is dangerous is the same everywhere."""
    name, _, rest = action.removeprefix("app.").partition("(")
    argument = rest.rstrip(")").strip("'")
    if argument in _SUFFIXES:
        argument = _SUFFIXES[argument]
    elif argument.startswith("-"):
        argument = f"back{argument}"
    where = "app" if dangerous else place
    return re.sub(r"[^a-z0-9.]+", "-", f"{where}.{name}-{argument}").rstrip("-")


def can_change(place: str, key: str) -> bool:
    """Whether the settings file may take an action off a key. Those that end the program, and those that a
    form is walked through with, stay; they would steal letters from what is typed."""
    return place not in FIXED_PLACES and key not in PRIORITY_KEYS and key not in AT_ONCE - {"slash"}
