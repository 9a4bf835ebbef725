"""Stand-ins for names: the same name gets the same one everywhere, so that what belongs together still does.

What is known to be a name is learnt first, from where it stands; texts are then searched for it word by word,
however many names there are. Addresses are noticed by their form. What nobody could know to be a name (a word
in a body that is no lock record) is not searched for: such bodies are left out by whoever redacts.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from typing import Any

_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_PARTS = re.compile(r"[A-Za-z0-9]+|[_.-]+")
_ADDRESS = re.compile(
    r"(?<![0-9A-Za-z.:])(?:\d{1,3}(?:\.\d{1,3}){3}|[0-9A-Fa-f:]*::?[0-9A-Fa-f:.]*)(?![0-9A-Za-z:])"
)
_SHARDS = re.compile(r"(volumes/)[0-9a-f]{2}/[0-9a-f]{2}(?=/|$)")
_MOST_PARTS = 64
"""Parts of one word that are tried as one name; Kubernetes' names have fewer."""

OUR_WORDS = frozenset(
    {"state", "operation", "blocks", "kind", "grade", "worst", "name", "type", "flaw", "version"}
    | {"result", "conditional_put", "conditional_delete", "life", "seen_at", "at", "modified_at", "taken_at"}
)
"""Keys of JSON objects whose values are words of locktop's own, never names."""


class Redactor:
    """Learns names, then replaces them."""

    def __init__(self) -> None:
        self._stand_ins: dict[str, str] = {}
        self._counts: dict[str, int] = {}
        self._odd: list[str] = []
        self._pattern: re.Pattern[str] | None = None

    def learn(self, kind: str, name: str) -> None:
        """Note a name; `kind` begins its stand-in. Nothing and what is known already change nothing."""
        known = name.casefold()
        if not known or known in self._stand_ins or not any(char.isalnum() for char in name):
            return
        self._stand_ins[known] = self._next(kind)
        if not _WORD.fullmatch(name) or not name[-1].isalnum():
            self._odd.append(name)
            self._pattern = None

    def text(self, text: str) -> str:
        """A text with stand-ins for every name that was learnt, for addresses and for digests of names."""
        if self._odd:
            if self._pattern is None:
                longest = sorted(self._odd, key=len, reverse=True)
                self._pattern = re.compile("|".join(map(_bounded, longest)), re.IGNORECASE)
            text = self._pattern.sub(lambda found: self._stand_ins[found[0].casefold()], text)
        text = _SHARDS.sub(r"\1--/--", self._addresses(text))
        return _WORD.sub(lambda found: self._word(found[0]), text)

    def tree(self, value: Any, *, key: str = "") -> Any:
        """A value of JSON with stand-ins in its texts; keys of objects are ours, and stay."""
        if isinstance(value, str):
            return value if key in OUR_WORDS else self.text(value)
        if isinstance(value, Mapping):
            return {name: self.tree(one, key=name) for name, one in value.items()}
        if isinstance(value, list | tuple):
            return [self.tree(one, key=key) for one in value]
        return value

    def _next(self, kind: str) -> str:
        self._counts[kind] = self._counts.get(kind, 0) + 1
        return f"{kind}-{self._counts[kind]}"

    def _word(self, word: str) -> str:
        whole = self._stand_ins.get(word.casefold())
        if whole is not None:
            return whole
        parts = _PARTS.findall(word)
        found, at = [], 0
        while at < len(parts):
            for end in range(min(len(parts), at + _MOST_PARTS), at, -1):
                stand_in = self._stand_ins.get("".join(parts[at:end]).casefold())
                if stand_in is not None:
                    found.append(stand_in)
                    at = end
                    break
            else:
                found.append(parts[at])
                at += 1
        return "".join(found)

    def _addresses(self, text: str) -> str:
        def stand_in(found: re.Match[str]) -> str:
            word = found[0].rstrip(".")
            try:
                ipaddress.ip_address(word)
            except ValueError:
                return found[0]
            known = self._stand_ins.setdefault(word.casefold(), "")
            if not known:
                known = self._stand_ins[word.casefold()] = self._next("address")
            return known + found[0][len(word) :]

        return _ADDRESS.sub(stand_in, text)


def _bounded(name: str) -> str:
    """The name where it is not part of a longer word."""
    before = r"(?<![A-Za-z0-9])" if name[0].isalnum() else ""
    after = r"(?![A-Za-z0-9])" if name[-1].isalnum() else ""
    return f"{before}{re.escape(name)}{after}"
