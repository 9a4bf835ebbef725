"""One lock in words: what it is, what it blocks, until when, who waits, what Longhorn makes of it, and what
to do.

Pure: facts are lines of text with tones, made from a row, its board and the time.
"""

from __future__ import annotations

from dataclasses import dataclass

from backuplock.clock import SECOND, Span
from backuplock.model import UNREAD, LockFile, Operation
from backuplock.rivals import Named
from backuplock.rules import State, Verdict, judge_as_longhorn, verdict
from backuplock.text import elapsed
from locktop.format import (
    Glyphs,
    Part,
    countdown,
    if_dead,
    name,
    number,
    owner_name,
    plural,
    short_seconds,
    stops_label,
    type_label,
    type_words,
    utc_near,
)
from locktop.hints import hint
from locktop.rows import Board, Row, state_now, ttl_ns

ALSO_SHOWN = 4
"""Locks of the same volume that are listed one by one; the rest is counted."""


@dataclass(frozen=True, slots=True)
class Fact:
    """A label and what is to be said under it."""

    label: str
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class View:
    """What a description needs beside the row: `now` on the store's clock, `local_now_ns` on this machine's
    (Longhorn judges by its own), and the glyphs."""

    board: Board
    now: Span
    local_now_ns: int
    glyphs: Glyphs


def describe(row: Row, view: View) -> list[Fact]:
    """The facts about one row, most urgent first."""
    *facts, advice = describe_alone(row, view)
    if row.lock is None:
        return [*facts, advice]
    beside = [
        Fact("also here", tuple(_also(row, view))),
        Fact("Longhorn", tuple(longhorn_differs(row, view))),
    ]
    return [*facts, *(fact for fact in beside if fact.parts), advice]


def describe_alone(row: Row, view: View) -> list[Fact]:
    """The same without a look at the other locks of the volume: cheap, however many there are. The advice
    comes last."""
    if row.lock is None:
        return _unread_volume(row)
    advice = hint(row, row.lock, view.now, view.local_now_ns)
    facts = [
        Fact("state", tuple(_state(row, row.lock, view))),
        Fact("for", ((f"{type_words(row.lock.record)}", "text"), *_whose(row, view))),
        Fact("blocks", tuple(_blocks(row, view))),
        Fact("hint", ((advice, "strong" if row.clashing else "text"),)),
    ]
    return [fact for fact in facts if fact.parts]


def summary(row: Row, view: View) -> list[Part]:
    """The same in one line, for screens without room."""
    dot = f" {view.glyphs.dot} "
    known = row.claim and [(dot, "faint"), (name(row.claim), "dim")]
    if row.lock is None:
        return [("could not be read", "bad"), (": " + name(row.volume.problem), "text"), *(known or [])]
    blocks = stops_label(row)
    return [
        (type_label(row.lock.record), "text"),
        (dot, "faint"),
        *_brief(row, row.lock, view),
        (dot, "faint"),
        ("blocks nobody" if blocks == "-" else f"blocks {blocks}", "text"),
        *(known or []),
    ]


def longhorn_differs(row: Row, view: View) -> list[Part]:
    """Where Longhorn, on this machine's clock, reads the lock otherwise than we do, if it does."""
    if row.lock is None or row.standing is None:
        return []
    theirs = judge_as_longhorn(row.volume.locks, view.local_now_ns)[row.key]
    ours = row.standing
    if theirs.may_stop:
        return [("may read this file where we do not, and skips what it cannot read: unknown", "late")]
    if bool(theirs.stops) == bool(ours.stops):
        return []
    if theirs.stops:
        return [("still counts this lock, for by this machine's clock it has not ended", "late")]
    if row.lock.flaw is not None:
        return [("ignores this file, for it cannot decode it; we count it until its lease has ended", "late")]
    return [("ignores this lock, for by this machine's clock it has ended", "late")]


def verdicts(row: Row, view: View) -> list[Fact]:
    """What each operation on the row's volume would meet if it asked now."""
    if row.volume.problem:
        return [Fact("all", (("unknown: the volume could not be read", "bad"),))]
    facts = []
    for operation in Operation:
        found = verdict(row.volume.locks, operation, view.now)
        names = ", ".join(name(key.rpartition("/")[2].removesuffix(".lck")) for key in found.blockers[:3])
        more = f" and {number(len(found.blockers) - 3)} more" if len(found.blockers) > 3 else ""
        until = _until(row, found, view)
        if found.granted:
            parts: tuple[Part, ...] = (("would be granted", "good"),)
        elif found.granted is None:
            unread = any(lock.flaw in UNREAD for lock in row.volume.locks if lock.key in found.blockers)
            why = "could not be read" if unread else "may or may not count"
            parts = (("cannot be told", "unsure"), (f": {names}{more} {why}", "text"))
        else:
            parts = (("would be refused", "late"), (f" because of {names}{more}{until}", "text"))
        facts.append(Fact(operation.value, parts))
    return facts


def _until(row: Row, found: Verdict, view: View) -> str:
    """When what refuses ends: a release may come at any time, only the end of a lease can be reckoned."""
    if found.until_ns is None:
        return ""
    ends = utc_near(found.until_ns, view.now.middle)
    named = set(found.blockers)
    records = [lock.record for lock in row.volume.locks if lock.key in named]
    if not any(record is not None and record.acquired for record in records):
        return f", until {ends} at the latest"
    them = "it is" if len(named) == 1 else "they are"
    return f" until {them} released; at {ends} {if_dead(len(named))}"


def _unread_volume(row: Row) -> list[Fact]:
    return [
        Fact("state", (("could not be read", "bad"), (": " + name(row.volume.problem), "text"))),
        Fact("blocks", (("unknown: take it for locked", "text"),)),
        Fact(
            "hint",
            (("check the permissions on the volume's folder; the next look will try again", "text"),),
        ),
    ]


def _state(row: Row, lock: LockFile, view: View) -> list[Part]:
    state = state_now(row, view.now)
    shown: list[Part] = [(f"{view.glyphs.states[state]} {state.value.upper()}  ", state.value)]
    if state is State.BAD and lock.record is None:
        text = f"{lock.flaw.value}: {name(lock.reason)}" if lock.flaw else name(lock.reason)
        return [*shown, (text, "text"), *_since(lock, view)]
    left = ttl_ns(lock, view.now)
    if left is None or lock.modified_ns is None:
        return [*shown, ("its time is unknown", "text")]
    if state is State.STALE:
        return [*shown, (f"ended {countdown(-left)} ago, last refresh {_when(lock, view)}", "text")]
    if state is State.UNSURE:
        return [*shown, (f"{_doubt(row, view)}; last refresh {_when(lock, view)}", "text")]
    if state is State.WAITING:
        return [*shown, (f"{_dated('asked', lock.modified_ns, view)}, {_lapse(left)}", "text")]
    since = _dated("refreshed", lock.modified_ns, view)
    return [*shown, (f"{since}, {_lapse(left)} unless refreshed", "text")]


def _dated(done: str, modified_ns: int, view: View) -> str:
    gone = view.now.middle - modified_ns
    return f"{done} {elapsed(gone)} ago" if gone > -SECOND else f"dated {elapsed(-gone)} in the future"


def _brief(row: Row, lock: LockFile, view: View) -> list[Part]:
    """The state in a few words."""
    state = state_now(row, view.now)
    left = ttl_ns(lock, view.now)
    if state is State.BAD or left is None:
        return [((lock.flaw.value if lock.flaw else "of unknown type"), "bad")]
    if state is State.UNSURE:
        return [("may have ended", "unsure")]
    return [(f"{state.value}, {_lapse(left)}", "text")]


def _lapse(left: int) -> str:
    return f"ends in {countdown(left)}" if left >= 0 else f"ended {countdown(-left)} ago"


def _doubt(row: Row, view: View) -> str:
    if row.state is not State.UNSURE:
        return "would have ended by now, and nobody has looked since"
    return f"may have ended: the store's clock is known to {short_seconds(view.now.error_ns)} only"


def _since(lock: LockFile, view: View) -> list[Part]:
    if lock.modified_ns is None:
        return []
    return [(f", written {_when(lock, view)}", "dim")]


def _when(lock: LockFile, view: View) -> str:
    modified = lock.modified_ns or 0
    gone = view.now.middle - modified
    ago = f"{elapsed(gone)} ago" if gone >= 0 else f"{elapsed(-gone)} ahead"
    return f"{utc_near(modified, view.now.middle)} UTC ({ago})"


def _whose(row: Row, view: View) -> list[Part]:
    lock = row.lock
    owner = lock.record.owner if lock and lock.record else None
    gap: Part = ("   ", "text")
    if owner is None:
        return [gap, ("held by ", "dim"), ("unknown, Longhorn's locks name nobody", "dim")]
    facts = [owner_name(owner), name(owner.user), name(owner.tool), name(owner.note)]
    since = f", since {name(owner.acquired_at)}" if owner.acquired_at else ""
    count = f", renewed {plural(owner.renewals, 'time')}" if owner.renewals else ""
    return [gap, ("held by ", "dim"), (" ".join(filter(None, facts)) + since + count, "text")]


def _blocks(row: Row, view: View) -> list[Part]:
    standing, lock = row.standing, row.lock
    if standing is None or lock is None:
        return []
    parts: list[Part] = []
    if standing.clashes:
        parts.append((f"FAILED to exclude {_names(standing.rivals.clashes)}, held as well. ", "alert"))
    if not standing.stops:
        return [*parts, ("nobody: it has ended", "text")]
    what = stops_label(row)
    who = "every operation" if what == "all" else what.replace(", ", " and ")
    parts.append((f"{who} cannot start", "text"))
    if standing.ends_ns is None:
        parts.append((", until when is unknown", "text"))
    else:
        until = utc_near(standing.ends_ns, view.now.middle)
        # What never held cannot be released, only run out.
        ends = "if its holder dies now" if lock.record and lock.record.acquired else "unless it is granted"
        parts.append((f" before {until} UTC {ends}", "text"))
    if standing.blocks:
        waiting = standing.rivals.blocks
        parts.append((f"; {_names(waiting)} {_wait(waiting.count)} for it", "waiting"))
    if standing.blocked_by:
        parts.append((f"; itself waits for {_names(standing.rivals.blocked_by)}", "waiting"))
    return parts


def _wait(count: int) -> str:
    return "waits" if count == 1 else "wait"


def _names(named: Named) -> str:
    shown = [name(key.rpartition("/")[2].removesuffix(".lck")) for key in named.keys[:2]]
    return ", ".join(shown) + (f" and {number(named.count - 2)} more" if named.count > 2 else "")


def _also(row: Row, view: View) -> list[Part]:
    others = [other for other in view.board.of_volume(row) if other.key != row.key]
    parts: list[Part] = []
    for other in others[:ALSO_SHOWN]:
        state = state_now(other, view.now)
        left = ttl_ns(other.lock, view.now)
        parts.append((f"{view.glyphs.states[state]} ", state.value))
        label = type_label(other.lock.record if other.lock else None)
        parts.append(
            (f"{label} {state.value.upper()} {countdown(left) if left is not None else '?'}   ", "text")
        )
    if len(others) > ALSO_SHOWN:
        parts.append((f"and {number(len(others) - ALSO_SHOWN)} more   ", "dim"))
    if row.volume.leftovers:
        parts.append((f"{plural(len(row.volume.leftovers), 'leftover file')} that are no locks", "dim"))
    return parts
