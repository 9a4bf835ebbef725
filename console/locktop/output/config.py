"""Settings and contexts as text and as JSON.

The JSON document of `locktop config --json`; fields are added within version 1, never changed or removed:

    version       1
    file          path of the settings file, whether or not it is there
    file_source   why that one: "default", "LOCKTOP_CONFIG" or "--config"
    found         whether it is there
    settings      for `show`: each setting, in an order that stays
        name      as in the file: "clock-error"
        value     text, number, true, false, or null where there is none
        source    "default", a variable, a flag, or FILE:LINE KEY
    contexts      for `contexts`: each context, in the order of the file
        name      what `-c` takes
        target    the backup target as given
        write     whether `locktop -c NAME` may change the store, all told
        source    where `write` came from
        protected, accent   how the console marks it
        current   whether it counts when nothing is named
        line      on which line of the file it begins

    keys          for `keys`: what keys do in the console, in the order of its table
        id        as [keys] takes it
        keys      names of the keys that it is on
        words     what it does; "" where the entry before says it
        place     the view it works in, or app: everywhere

Nothing in it is a secret: credentials are refused in the file, and never asked for here.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields as fields_of
from typing import TYPE_CHECKING

from backuplock.text import printable
from locktop.config.file import ConfigFile
from locktop.settings import Settings, Value

if TYPE_CHECKING:
    from locktop.keys import Key

VERSION = 1


def document(file: ConfigFile, source: str, part: str, found: object) -> str:
    """The document with one part."""
    head = {"version": VERSION, "file": str(file.path), "file_source": source, "found": file.found}
    return json.dumps({**head, part: found}, indent=2) + "\n"


def settings_json(settings: Settings) -> list[dict[str, object]]:
    """Each setting for JSON."""
    return [{"name": name, "value": one.value, "source": one.source} for name, one in _all(settings)]


def settings_lines(settings: Settings) -> list[str]:
    """Each setting, its value, its source."""
    rows = [(name, _shown(one.value), one.source) for name, one in _all(settings)]
    return table(rows)


def context_json(name: str, settings: Settings, *, current: bool, line: int) -> Mapping[str, object]:
    """A context for JSON."""
    return {
        "name": name,
        "target": settings.target.value,
        "write": settings.write.value,
        "source": settings.write.source,
        "protected": settings.protected.value,
        "accent": settings.accent.value or None,
        "current": current,
        "line": line,
    }


def context_row(found: Mapping[str, object]) -> tuple[str, ...]:
    """A context for people."""
    marks = " ".join(word for word in ("protected", "current") if found[word])
    mode = "[RW]" if found["write"] else "[RO]"
    return (str(found["name"]), mode, printable(str(found["target"]), limit=200), marks)


def key_json(id_: str, key: Key, names: Sequence[str]) -> Mapping[str, object]:
    """What a key does, for JSON."""
    return {"id": id_, "keys": list(names), "words": key.words, "place": key.place}


def key_row(found: Mapping[str, object]) -> tuple[str, ...]:
    """The same for people."""
    names = found["keys"]
    assert isinstance(names, list)
    return (str(found["id"]), ", ".join(names), str(found["words"]))


def table(rows: Iterable[Sequence[str]]) -> list[str]:
    """Lines with aligned columns."""
    rows = list(rows)
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))] if rows else []
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]


def _all(settings: Settings) -> list[tuple[str, Value[object]]]:
    return [(one.name.replace("_", "-"), getattr(settings, one.name)) for one in fields_of(settings)]


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    return "-" if value in (None, "") else printable(str(value), limit=200)
