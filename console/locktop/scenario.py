"""What a person filled in -> a scenario that can be played, or what is wrong with it, field by field."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from backuplock.lookup import matching
from backuplock.model import Operation, Snapshot, VolumeView
from backuplock.text import printable
from locktop.format import name, plural
from locktop.instants import offset
from locktop.output.blocked import fits
from locktop.settings import Usage
from locktop.what_if import Wish, scenario_for

FIELDS: dict[str, str] = {
    "volume": "volume",
    "operation": "operation",
    "at": "asks at",
    "lasts": "works for",
    "crash": "crash after",
    "patience": "asks for",
    "also": "also asks",
    "also-at": "also asks, at",
    "dies": "holder dies",
    "dies-at": "holder dies, at",
    "released": "released",
    "released-at": "released, at",
    "broken": "I break",
    "broken-at": "I break, at",
}
"""The fields of the form, and what they are called there and in what is said about them."""

_EMPTY = ("", "now", "never", "once", "no end", "-")
"""What stands for a field that is left as it is; the form shows these words in fields that are empty."""

LOCK_FIELDS = {"dies": "--holder-dies", "released": "--released", "broken": "--after-break"}
"""Fields that choose a lock of the volume, and the flags that say the same."""

_TIME_FLAGS = {"at": "--at", "lasts": "--lasts", "crash": "--crash-after", "patience": "--timeout"}
_MOST_NAMED = 50
"""Volumes that are named in a command line at most."""


@dataclass(frozen=True, slots=True)
class Form:
    """What is filled in, text as typed. `locks` are keys of locks by field, `times` texts by field."""

    volume: str = ""
    operation: Operation = Operation.BACKUP
    also: Operation | None = None
    locks: Mapping[str, str] = field(default_factory=dict)
    times: Mapping[str, str] = field(default_factory=dict)

    def time(self, which: str) -> str:
        """The text of a time as it goes on a command line; "" if it is left as it is."""
        word = self.times.get(which, "").strip()
        return "" if word.lower() in _EMPTY else word


@dataclass(frozen=True, slots=True)
class Reading:
    """What a form says. `wish` is None if something is wrong, which `problems` tells by field; `view` is the
    volume, None for a scenario over many, or if none is named yet."""

    wish: Wish | None
    view: VolumeView | None
    problems: Mapping[str, str] = field(default_factory=dict)


def read(form: Form, snapshot: Snapshot) -> Reading:
    """A form that speaks of one volume."""
    problems: dict[str, str] = {}
    view = _view(form, snapshot, problems)
    wish = _wish(form, view, problems)
    if view is None or problems:
        return Reading(None, view, problems)
    try:
        scenario_for(wish, form.operation, view.locks)
    except Usage as error:
        return Reading(None, view, {"lasts": str(error)})
    return Reading(wish, view)


def read_many(form: Form) -> Reading:
    """A form that speaks of many volumes: what it says of single locks is left out."""
    problems: dict[str, str] = {}
    wish = _wish(form, None, problems)
    if problems:
        return Reading(None, None, problems)
    try:
        scenario_for(wish, form.operation, ())
    except Usage as error:
        return Reading(None, None, {"lasts": str(error)})
    return Reading(wish, None)


def suggestions(snapshot: Snapshot, text: str) -> Sequence[VolumeView]:
    """The volumes that have all the words of `text` in their id or names, as the store orders them."""
    words = text.split()
    return [view for view in snapshot.volumes if fits(view, words)] if words else snapshot.volumes


def command(
    form: Form, target: str, *, view: VolumeView | None = None, volumes: Sequence[str] | None = None
) -> str:
    """The command line that says the same, quoted for a shell.

    Args:
        view: the one volume; without it the command goes over many,
        volumes: which these are; None: all that there are.

    Raises:
        Usage: no command line can say it, because a name holds what cannot be pasted safely, or because
            there are too many.
    """
    words = ["locktop", "simulate", "-t", target]
    if view is None:
        words.append("--batch")
    words += ["--op", form.operation.value]
    for which, flag in _TIME_FLAGS.items():
        if form.time(which):
            words += [flag, _signed(form, which) if which == "at" else form.time(which)]
    if form.also is not None:
        words += ["--also", f"{form.also.value}@{_signed(form, 'also-at')}"]
    if view is not None:
        stems = {lock.key: lock.stem for lock in view.locks}
        for which, flag in LOCK_FIELDS.items():
            stem = stems.get(form.locks.get(which, ""))
            if stem is not None:
                words += [flag, f"{stem}@{_signed(form, which + '-at')}"]
    words += _volume_words(view, volumes)
    if any(printable(word) != word for word in words):
        raise Usage("a name in it holds characters that cannot be pasted safely", advice="nothing is copied")
    return shlex.join(words)


def _volume_words(view: VolumeView | None, volumes: Sequence[str] | None) -> list[str]:
    if view is not None:
        return ["--", view.name] if view.name.startswith("-") else [view.name]
    if volumes is None:
        return []
    # With --batch all words have to fit the same volume: several volumes cannot be named.
    if len(volumes) == 1:
        return list(volumes)
    raise Usage(f"no command line names {plural(len(volumes), 'volume')}", advice="it can name one, or all")


def _signed(form: Form, which: str) -> str:
    return "+" + (form.time(which).removeprefix("+").strip() or "0s")


def _view(form: Form, snapshot: Snapshot, problems: dict[str, str]) -> VolumeView | None:
    # An id may hold blanks at its ends, what people type should not.
    found = matching(snapshot, form.volume) or matching(snapshot, form.volume.strip())
    if len(found) == 1:
        return found[0]
    if not form.volume.strip():
        return None
    more = suggestions(snapshot, form.volume)
    shown = repr(printable(form.volume, limit=60))
    if not found and not more:
        rest = "" if snapshot.complete else ", but not everything could be read"
        problems["volume"] = f"volume: none has {shown} in its id or claim{rest}"
    elif len(more) == 1:
        problems["volume"] = f"volume: enter takes {name(more[0].name)}"
    else:
        problems["volume"] = f"volume: {plural(len(found or more), 'volume')} fit {shown}; pick one"
    return None


def _wish(form: Form, view: VolumeView | None, problems: dict[str, str]) -> Wish:
    def when(which: str) -> int | None:
        text = form.time(which)
        try:
            return offset(text, FIELDS[which]) if text else None
        except Usage as error:
            problems[which] = printable(str(error), limit=200)
            return None

    acts = {which: _lock_act(form, which, view, when, problems) for which in LOCK_FIELDS}
    return Wish(
        at_ns=when("at") or 0,
        lasts_ns=when("lasts"),
        crash_after_ns=when("crash"),
        timeout_ns=when("patience") or 0,
        also=((form.also, when("also-at") or 0),) if form.also is not None else (),
        dies=acts["dies"],
        released=acts["released"],
        broken=acts["broken"],
    )


def _lock_act(
    form: Form,
    which: str,
    view: VolumeView | None,
    when: Callable[[str], int | None],
    problems: dict[str, str],
) -> tuple[tuple[str, int], ...]:
    key = form.locks.get(which, "")
    if not key or view is None:
        return ()
    found = next((lock for lock in view.locks if lock.key == key), None)
    if found is None:
        problems[which] = f"{FIELDS[which]}: this lock is gone; choose another, or none"
        return ()
    # The whole file name fits one lock only, even where a stem stands in another one.
    return ((found.file_name, when(which + "-at") or 0),)
