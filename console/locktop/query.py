"""The language of filters: `text  type:delete  state:stale,late  ttl:<30s  !claim:shop  "two words"`.

Pure: a text in, a test of rows out. Terms stand between blanks and must all hold; a comma inside a value
means or, `!` in front means not, and quotes take away the meaning of blanks, commas, colons and `!`. A term
without a column is looked for in everything a row shows or is known by. Upper and lower case are alike.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable
from dataclasses import dataclass

from backuplock.clock import SECOND, Span
from backuplock.model import LockType, Operation
from backuplock.rules import State
from locktop.durations import parse_duration
from locktop.format import NAME_LIMIT, name, owner_label, stated_operation, type_label
from locktop.rows import Row, context_of, ttl_ns
from locktop.settings import Usage

Test = Callable[[Row, Span], bool]
"""Whether a row fits, at the store's time that its board was judged at."""


@dataclass(frozen=True, slots=True)
class Term:
    """One term, as it was written: `values` are its alternatives; of a plain word the column is empty."""

    column: str
    values: tuple[str, ...]
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Query:
    """What was understood of a filter; `text` is just that. `words` are looked for anywhere, `tests` are of
    columns."""

    text: str
    words: tuple[Term, ...] = ()
    tests: tuple[tuple[bool, Test], ...] = ()

    @property
    def everything(self) -> bool:
        """Whether every row fits."""
        return not self.words and not self.tests

    def fits(self, row: Row, searched: str, now: Span) -> bool:
        """Whether a row fits; `searched` is all its text, with lower case letters only."""
        return all(
            any(value in searched for value in term.values) != term.negated for term in self.words
        ) and all(test(row, now) != negated for negated, test in self.tests)


class BadFilter(Usage):
    """A filter that says something which cannot be meant; one printable line."""


_SPLIT = re.compile(r'!?(?:[^\s":]+:)?(?:"[^"]*"?|[^\s"])*')
_TERM = re.compile(r'(?P<not>!?)(?:(?P<column>[^\s":,]+):)?(?P<value>.*)', re.DOTALL)
_VALUE = re.compile(r'(?:"[^"]*"?|[^,"])+')
_BOUND = re.compile(r"(?P<sign><=|>=|<|>|=|)(?P<span>-?[\d.smhd]*)", re.ASCII | re.IGNORECASE)


class _Unfinished(BadFilter):
    """A term that lacks what it asks for: while somebody types that is no mistake yet."""


def parse(text: str) -> Query:
    """What a finished filter asks for.

    Raises:
        BadFilter: a column that is none, a value that the column cannot have, or nothing where one belongs.
    """
    query, mistakes = _read(text)
    if mistakes:
        raise mistakes[0]
    return query


def understand(text: str) -> tuple[Query, str]:
    """What can be understood of a filter that may still be typed: its good terms, and what is wrong with the
    first of the others, one printable line, "" if there are none. A column without a value yet, and a lone
    `!`, ask for nothing."""
    query, mistakes = _read(text)
    wrong = [str(error) for error in mistakes if not isinstance(error, _Unfinished)]
    return query, wrong[0] if wrong else ""


def wrong_with(text: str) -> str:
    """What is wrong with a filter that is finished, one printable line; "" if nothing is."""
    _, mistakes = _read(text)
    return str(mistakes[0]) if mistakes else ""


def _read(text: str) -> tuple[Query, list[BadFilter]]:
    good: list[str] = []
    words: list[Term] = []
    tests: list[tuple[bool, Test]] = []
    mistakes: list[BadFilter] = []
    for source, term in terms(text):
        try:
            makes = _tests(term)
        except BadFilter as error:
            mistakes.append(error)
            continue
        good.append(source)
        if makes:
            tests.append((term.negated, _any_of(makes)))
        else:
            words.append(term)
    return Query(" ".join(good), tuple(words), tuple(tests)), mistakes


def _tests(term: Term) -> list[Test]:
    """The tests of a term of a column, none of a plain word."""
    make = _column(term.column) if term.column else None
    if make is None and not term.values:
        raise _Unfinished("! negates what follows it, and nothing does: !type:delete")
    if make is not None and not term.values:
        asks = _ASKS[term.column].partition(": ")[2]
        raise _Unfinished(f"{term.column}: has no value: {asks}")
    return [make(value) for value in term.values] if make else []


def terms(text: str) -> list[tuple[str, Term]]:
    """The terms of a filter, each as it was written and, with lower case letters only, what it is."""
    found = []
    for match in _SPLIT.finditer(text):
        parts = _TERM.fullmatch(match.group().casefold())
        if not match.group() or parts is None:
            continue
        column = parts["column"] or ""
        pieces = _VALUE.findall(parts["value"]) if column else [parts["value"]]
        values = tuple(value for piece in pieces if (value := piece.replace('"', "")))
        if values or column or parts["not"]:
            found.append((match.group(), Term(column, values, bool(parts["not"]))))
    return found


def _column(column: str) -> Callable[[str], Test]:
    if column not in _COLUMNS:
        raise BadFilter(_no_column(column))
    return _COLUMNS[column]


def complete(text: str) -> str:
    """The filter with the name of the column, or the value, that stands at its end unfinished written out;
    unchanged if that is none or may be several."""
    head, blank, last = text.rpartition(" ")
    sign = "!" if last.startswith("!") else ""
    column, colon, value = last.removeprefix("!").casefold().partition(":")
    if not colon:
        return head + blank + sign + _only(column, _COLUMNS, ":") if column else text
    given, comma, rest = value.rpartition(",")
    whole = _only(rest, CHOICES.get(column, ()), "") if rest else rest
    return f"{head}{blank}{sign}{column}:{given}{comma}{whole}"


def advise(text: str) -> str:
    """What may follow a column that is still without a value: one line, "" if there is nothing to say."""
    match = re.search(r"(?:^|\s)!?([^\s\":,]+):$", text.casefold())
    return _ASKS.get(match[1], "") if match else ""


def _only(start: str, known: object, end: str) -> str:
    fits = [word for word in known if word.startswith(start)]  # type: ignore[attr-defined]
    return fits[0] + end if len(fits) == 1 else start


def _any_of(makes: list[Test]) -> Test:
    return makes[0] if len(makes) == 1 else lambda row, now: any(test(row, now) for test in makes)


def _no_column(column: str) -> str:
    near = difflib.get_close_matches(column, _COLUMNS, 1)
    meant = f", meant {near[0]}?" if near else ":"
    rest = [known for known in _COLUMNS if known not in near]
    return f"no column '{name(column)[:20]}'{meant} {', '.join(rest)}"


# -- the columns


def _text_of(value: Callable[[Row], str]) -> Callable[[str], Test]:
    return lambda wanted: lambda row, _now: wanted in value(row)[: NAME_LIMIT * 2].casefold()


def _workload(row: Row) -> str:
    names = row.volume.names
    return " ".join((names.workload, names.backing_image)) if names else ""


def _state(wanted: str) -> Test:
    meant = _choices("state", wanted)
    return lambda row, _now: row.state.value in meant


def _type(wanted: str) -> Test:
    """A lock of the kind of backups and restores may be either, unless its holder says which."""
    if wanted.isdecimal() and wanted.isascii():
        return lambda row, _now: _record_type(row) == int(wanted[:20])
    meant = _choices("type", wanted)

    def test(row: Row, _now: Span) -> bool:
        record = row.lock.record if row.lock else None
        if record is None:
            return "unknown" in meant
        if record.type == LockType.BACKUP_RESTORE:
            stated = stated_operation(record)
            return bool(meant & ({stated.value} if stated else {"backup", "restore", "bkup/rst"}))
        if record.type == LockType.DELETION:
            return "delete" in meant
        return ("untyped" if record.type == LockType.UNTYPED else "unknown") in meant

    return test


def _record_type(row: Row) -> int | None:
    return row.lock.record.type if row.lock and row.lock.record else None


def _operation(wanted: str) -> Test:
    meant = _choices("op", wanted)
    return lambda row, _now: type_label(row.lock.record if row.lock else None) in meant


def _blocks(wanted: str) -> Test:
    meant = _choices("blocks", wanted)

    def test(row: Row, _now: Span) -> bool:
        stops = {operation.value for operation in row.standing.stops} if row.standing else set()
        return bool(stops & meant) or ("none" in meant and not stops and row.standing is not None)

    return test


def _choices(column: str, wanted: str) -> frozenset[str]:
    """The values that begin so: what is typed narrows from its first letter on."""
    known = CHOICES[column]
    fits = frozenset(choice for choice in known if choice.startswith(wanted))
    if not fits:
        raise BadFilter(f"{column} '{name(wanted)[:20]}' is none: {', '.join(known)}")
    return fits


def _bounded(column: str, value: Callable[[Row, Span], int | None]) -> Callable[[str], Test]:
    def make(wanted: str) -> Test:
        found = _BOUND.fullmatch(wanted)
        span = (found["span"] if found else wanted).lstrip("-")
        asks = _ASKS[column].partition(": ")[2]
        if found is not None and not span:
            raise _Unfinished(f"{column}:{wanted} has no time: {asks}")
        if found is not None and not found["sign"]:
            raise BadFilter(f"{column}:{name(wanted)[:20]} lacks its sign, one of < <= > >= =: {asks}")
        try:
            bound = round(parse_duration(span, column, most=1e9) * SECOND) if found else 0
        except Usage:
            found = None
        if found is None:
            raise BadFilter(f"{column} '{name(wanted)[:20]}' is none: {asks}")
        limit = -bound if found["span"].startswith("-") else bound
        compare = _COMPARE[found["sign"]]

        def test(row: Row, now: Span) -> bool:
            known = value(row, now)
            return known is not None and compare(known, limit)

        return test

    return make


def _age_ns(row: Row, now: Span) -> int | None:
    modified = row.lock.modified_ns if row.lock else None
    return None if modified is None else now.middle - modified


_COMPARE: dict[str, Callable[[int, int], bool]] = {
    "<": lambda known, limit: known < limit,
    "<=": lambda known, limit: known <= limit,
    ">": lambda known, limit: known > limit,
    ">=": lambda known, limit: known >= limit,
    # What is shown is whole seconds, or minutes: so are they compared.
    "=": lambda known, limit: known // SECOND == limit // SECOND,
}

_OPERATIONS = tuple(operation.value for operation in Operation)

CHOICES: dict[str, tuple[str, ...]] = {
    "state": tuple(state.value for state in State),
    "type": (*_OPERATIONS, "bkup/rst", "untyped", "unknown"),
    "op": _OPERATIONS,
    "blocks": (*_OPERATIONS, "none"),
}
"""The values of columns that have few."""

_COLUMNS: dict[str, Callable[[str], Test]] = {
    "type": _type,
    "state": _state,
    "owner": _text_of(lambda row: owner_label(row.lock)),
    "ttl": _bounded("ttl", lambda row, now: ttl_ns(row.lock, now)),
    "age": _bounded("age", _age_ns),
    "volume": _text_of(lambda row: row.volume.name),
    "claim": _text_of(lambda row: row.claim),
    "context": _text_of(context_of),
    "workload": _text_of(_workload),
    "lock": _text_of(lambda row: row.name),
    "op": _operation,
    "blocks": _blocks,
}

COLUMN_NAMES = tuple(_COLUMNS)
"""What may stand before a colon."""

_ASKS = {
    **{column: f"{column}: {', '.join(values)}" for column, values in CHOICES.items()},
    "ttl": "ttl: <30s, >1m, <=1m30s, <0s (ended)",
    "age": "age: >1h, <30s, <=5m",
    "owner": "owner: part of host/pid",
    "volume": "volume: part of its id",
    "claim": "claim: part of namespace/claim",
    "context": "context: part of its name, where several are open",
    "workload": "workload: part of its name",
    "lock": "lock: part of its name",
}
