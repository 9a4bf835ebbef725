"""Locks that were broken from here, as rows among the locks that are there: first the countdown of the watch
over each, then its verdict.

Pure: a Board and the watches in, a Board, cells and facts out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from backuplock.breaking import Fate, Token, Vigil
from backuplock.model import LockFile, Snapshot, VolumeView
from backuplock.rules import State, judge, state
from backuplock.text import elapsed
from locktop.deeds import Care
from locktop.describe import Fact
from locktop.format import Part, countdown, name, type_words
from locktop.rows import Board, Row, own_of
from locktop.watch_lines import TONES, fate_words

MARK = "x"
"""Stands in place of the glyph of a state."""

WATCH_CELLS = 10
"""Cells of `watch 1:12` and of the verdicts."""

_SHORT = {
    Fate.GONE: "gone",
    Fate.CAME_BACK: "came back",
    Fate.PUT_BACK: "put back",
    Fate.REPLACED: "another",
    Fate.UNSEEN: "unseen",
}
_NOW = {
    Fate.WATCHING: "gone so far",
    Fate.GONE: "gone for good",
    Fate.CAME_BACK: "CAME BACK",
    Fate.REPLACED: "another has it",
    Fate.UNSEEN: "not known",
}


@dataclass(frozen=True, slots=True)
class BrokenRow(Row):
    """A lock that was broken from here. `gone`: there is no such lock on the board; else it came back."""

    care: Care | None = None
    gone: bool = True

    @property
    def vigil(self) -> Vigil:
        """The watch over it."""
        assert self.care is not None
        return self.care.vigil


def is_gone(row: Row | None) -> bool:
    """Whether a row is no lock any more, but what is told of one that was broken."""
    own = own_of(row) if row is not None else None
    return isinstance(own, BrokenRow) and own.gone


def row_before(token: Token, before: Snapshot | None) -> Row:
    """A lock as it was in the last Snapshot that had it; where none did, what its token tells."""
    view = next((one for one in before.volumes if one.name == token.volume), None) if before else None
    lock = before.by_key.get(token.key) if before else None
    if before is None or view is None or lock is None:
        stands = LockFile(token.key, token.volume, token.modified_ns, token.etag, token.size, None)
        return Row(token.key, view or VolumeView(token.volume), stands, State.STALE)
    now = before.clock.at(before.began_mono_ns)
    return Row(token.key, view, lock, state(lock, now), judge(view.locks, now).get(token.key))


def with_broken(board: Board, cares: Sequence[Care], dismissed: frozenset[str]) -> Board:
    """A board with the locks that were broken from here among the others.

    What was put back is a lock like any other. One that came back is there, and told to be.

    Args:
        dismissed: ids of transactions that nobody wants to see any more.
    """
    found: dict[str, Row] = {}
    for care in cares:
        if care.vigil.fate is Fate.PUT_BACK or (care.entry in dismissed and care.vigil.decided):
            continue
        row = _row(board.by_key.get(care.vigil.token.key), care)
        if row is not None:
            found[row.key] = row
    if not found:
        return board
    rest = [row for row in board.rows if row.key not in found]
    return replace(board, rows=(*rest, *found.values()), by_key={**board.by_key, **found})


def _row(there: Row | None, care: Care) -> Row | None:
    row, vigil = there or care.row, care.vigil
    if row is None:
        return None
    # What a listing shows that began before the removal, or that is late, is the very version that went.
    stale = there is None or _is_that(there.lock, vigil.token)
    if not stale and vigil.fate is not Fate.CAME_BACK:
        return None
    return BrokenRow(
        key=row.key,
        volume=row.volume,
        lock=row.lock,
        state=row.state,
        standing=row.standing,
        together=row.together,
        care=care,
        gone=stale,
    )


def _is_that(lock: LockFile | None, token: Token) -> bool:
    mine = (token.modified_ns, token.etag, token.size)
    return lock is not None and (lock.modified_ns, lock.etag, lock.size) == mine


def first(rows: Iterable[Row]) -> list[Row]:
    """The rows, those of broken locks before the others, the youngest first."""
    found = list(rows)
    broken = [(own.vigil.removed_mono_ns, row) for row in found if isinstance(own := own_of(row), BrokenRow)]
    broken.sort(key=lambda one: one[0], reverse=True)
    rest = (row for row in found if not isinstance(own_of(row), BrokenRow))
    return [*(row for _, row in broken), *rest] if broken else found


# -- what is shown of one


def cell(row: BrokenRow, column: str, mono_ns: int) -> Part | None:
    """What stands in a column; None for what a lock's own cell says."""
    fate, tone = row.vigil.fate, TONES[row.vigil.fate]
    if column == "blocks":
        return _NOW.get(fate, ""), tone if row.vigil.decided else "dim"
    if not row.gone:
        return None
    if column == "ttl":
        return (
            (f"watch {countdown(row.vigil.left_ns(mono_ns))}", tone)
            if not row.vigil.decided
            else (
                _SHORT[fate],
                tone,
            )
        )
    return {"state": ("BROKEN", "dim"), "life": ("-", "dim"), "age": ("-", "dim")}.get(column)


_KEYS: tuple[Part, ...] = (("enter", "key"), (" or ", "text"), ("u", "key"), (" puts it back", "text"))


def facts(row: BrokenRow, mono_ns: int) -> list[Fact]:
    """What there is to say about it."""
    vigil = row.vigil
    ago = elapsed(mono_ns - vigil.removed_mono_ns)
    record = row.lock.record if row.lock else None
    what = f"{type_words(record)}, " if record is not None else ""
    return [
        Fact("state", ((f"{MARK} BROKEN  ", "strong"), (f"{what}broken from here {ago} ago", "text"))),
        Fact("watch", tuple(_watch(vigil, mono_ns))),
        Fact(
            "copy",
            (("kept in the store for 30 days; ", "text"), *_KEYS),
        ),
        Fact("hint", ((_hint(vigil), "text"),)),
    ]


def summary(row: BrokenRow, mono_ns: int) -> list[Part]:
    """The same in one line."""
    return [
        ("broken: ", "text"),
        *_watch(row.vigil, mono_ns),
        ("   ", "text"),
        *_KEYS[2:],
    ]


def _watch(vigil: Vigil, mono_ns: int) -> list[Part]:
    tone = TONES[vigil.fate]
    if not vigil.decided:
        left = countdown(vigil.left_ns(mono_ns))
        return [("gone so far, watched for ", "text"), (left, tone), (" more", "text")]
    by = f": {name(vigil.by.rpartition('/')[2])}" if vigil.fate is Fate.REPLACED else ""
    return [(fate_words(vigil), tone), (by, "text")]


def _hint(vigil: Vigil) -> str:
    if vigil.decided:
        return (
            f"{vigil.help[:1].upper()}{vigil.help[1:]}."
            if vigil.help
            else "Nothing more to do; esc puts this row away."
        )
    return "A holder that lives writes it again within a refresh; then this rings."
