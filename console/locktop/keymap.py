"""Keys of a person's own: the table `[keys]` of the settings file, checked and made ready for Textual.

A key that destroys does nothing else anywhere, whatever the file says.
"""

from __future__ import annotations

import difflib
import re
import string
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field

from textual.keys import KEY_NAME_REPLACEMENTS, Keys

from backuplock.text import printable
from locktop.key_ids import can_change, id_of
from locktop.keys import KEYS, Key
from locktop.settings import Layer, Usage

_PRINTED = {"escape": "esc", "pagedown": "pgdn", "pageup": "pgup", "question_mark": "?"}
_NEVER_DANGEROUS = frozenset(
    {
        "enter",
        "space",
        "escape",
        "backspace",
        "up",
        "down",
        "left",
        "right",
        "home",
        "end",
        "pageup",
        "pagedown",
    }
)


def _name(sign: str) -> str:
    """What Textual calls the key that types a sign."""
    if sign.isalnum():
        return sign
    name = unicodedata.name(sign).lower().replace("-", "_").replace(" ", "_")
    return KEY_NAME_REPLACEMENTS.get(name, name)


SIGNS = {_name(sign): sign for sign in string.digits + string.ascii_letters + string.punctuation}
"""Name of a key -> what it types."""

_BASES = frozenset(SIGNS) | {
    key.value for key in Keys if "+" not in key.value and not key.value.startswith("<")
}


@dataclass(frozen=True, slots=True)
class Keymap:
    """Other keys by the ids of what they do: names of keys, separated by commas, as Textual takes them."""

    keys: Mapping[str, str] = field(default_factory=dict)

    def keys_of(self, key: Key) -> tuple[str, ...]:
        """The names of the keys that an entry of the table is on."""
        names = tuple(key.keys.split(","))
        given = self.keys.get(_id(key))
        if given is None:
            return names
        return (*given.split(","), *(one for one in names if not can_change(key.place, one)))

    def shown(self, key: Key) -> str:
        """Those keys as people write them, for the footer and the help."""
        if _id(key) not in self.keys:
            return key.shown
        return " ".join(map(written, self.keys[_id(key)].split(",")))


def read_keymap(table: Layer) -> Keymap:
    """Check the table `[keys]`.

    Raises:
        Usage: an id or a key is not known, or a key is taken; one line with file, line and id.
    """
    known = {_id(key): key for key in KEYS if _changeable(key)}
    found: dict[str, str] = {}
    for id_, value in table.items():
        if id_ not in known:
            close = difflib.get_close_matches(id_, known, n=1, cutoff=0.5)
            meant = f"did you mean {close[0]}? " if close else ""
            raise Usage(f"{value.source}: no such id", advice=f"{meant}locktop config keys lists all")
        names = [normal(word) for word in value.value.split("\n")]
        for word, name in zip(value.value.split("\n"), names, strict=True):
            if name is None or not can_change("app", name):
                why = "is no key" if name is None else "has a meaning of its own"
                advice = 'write a sign ("o"), a name ("f5", "space") or a combination ("ctrl+t")'
                raise Usage(f"{value.source}: {printable(word, limit=40)!r} {why}", advice=advice)
        found[id_] = ",".join(dict.fromkeys(name for name in names if name))
    keymap = Keymap(found)
    _check_dangerous(keymap, table)
    _check_conflicts(keymap, table)
    return keymap


def normal(word: str) -> str | None:
    """Textual's name of a key; None if there is no such key."""
    *modifiers, base = word.split("+") if len(word) > 1 else [word]
    if len(base) == 1:
        if base not in SIGNS.values():
            return None
        base = _name(base)
    if base not in _BASES or not set(modifiers) <= {"ctrl", "alt", "shift"}:
        return None
    if modifiers and len(base) == 1 and base.isupper():
        return None
    return "+".join([*modifiers, base])


def written(name: str) -> str:
    """A key as people write it."""
    if name.startswith("ctrl+"):
        return "^" + written(name.removeprefix("ctrl+"))
    return _PRINTED.get(name) or SIGNS.get(name, name)


def _id(key: Key) -> str:
    return id_of(key.place, key.action, dangerous=key.dangerous)


def _changeable(key: Key) -> bool:
    return any(can_change(key.place, name) for name in key.keys.split(","))


def ids() -> dict[str, Key]:
    """Every id that can stand in the file, with its entry of the table."""
    found: dict[str, Key] = {}
    for key in KEYS:
        if _changeable(key):
            found.setdefault(_id(key), key)
    return found


def _check_dangerous(keymap: Keymap, table: Layer) -> None:
    for danger in (key for key in KEYS if key.dangerous):
        for name in keymap.keys_of(danger):
            plain = re.fullmatch(r"ctrl\+[a-z]", name) or name in _NEVER_DANGEROUS
            other = next((key for key in KEYS if not key.dangerous and name in keymap.keys_of(key)), None)
            if not plain and other is None:
                continue
            id_ = _id(danger)
            blamed = id_ if id_ in table else _id(other) if other is not None else id_
            why = "what destroys is on no key of this kind"
            if not plain and other is not None:
                why = f"{_id(other)} is on it; what destroys ({id_}) has keys of its own everywhere"
            raise Usage(f"{table[blamed].source}: {written(name)}: {why}", advice="choose another key")


def _check_conflicts(keymap: Keymap, table: Layer) -> None:
    for key in KEYS:
        if _id(key) not in table:
            continue
        for other in KEYS:
            if _id(other) == _id(key) or not _meet(key, other):
                continue
            shared = set(keymap.keys_of(key)) & set(keymap.keys_of(other))
            # Some are meant: what winds a recording everywhere goes to other columns in the table.
            usual = set(key.keys.split(",")) & set(other.keys.split(","))
            if shared - usual:
                name = written(min(shared - usual))
                raise Usage(
                    f"{table[_id(key)].source}: {name} is taken by {_id(other)}",
                    advice="choose another key, or give that one another as well",
                )


def _meet(one: Key, other: Key) -> bool:
    """Whether both work at the same time somewhere."""
    return one.place == other.place or "app" in (one.place, other.place) or one.dangerous or other.dangerous
