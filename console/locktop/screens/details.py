"""Everything about one lock: the facts, what an operation would meet, the file, its raw body."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from textual.widget import Widget

from backuplock.model import LockFile
from backuplock.text import printable
from locktop.describe import Fact, describe, verdicts
from locktop.describe import View as Seen
from locktop.format import Line, age, countdown, name, number, type_label, utc_instant
from locktop.keys import Place, bindings
from locktop.rows import Board, Row, state_now, ttl_ns
from locktop.screens.base import View
from locktop.status import Status
from locktop.widgets.bars import TitleRule
from locktop.widgets.panes import Scroller, fact_lines

RAW_SHOWN = 4096
"""Bytes of a body that are shown; the library keeps no more."""

NEIGHBOURS = 50
"""Locks of the same volume that are listed."""


class DetailsScreen(View):
    """One lock, live, until it is gone; then as it was last seen.

    Args:
        key: the row's key.
    """

    PLACE: ClassVar[Place] = "details"
    VIEW: ClassVar[str] = "locks"
    BINDINGS: ClassVar = bindings("details")
    AUTO_FOCUS: ClassVar[str] = "Scroller"

    def __init__(self, key: str) -> None:
        super().__init__()
        self._key = key
        self._last: tuple[Row, Board] | None = None

    def body(self) -> Iterable[Widget]:
        """The sheet under its title."""
        glyphs = self.locktop.glyphs
        yield TitleRule(glyphs)
        yield Scroller(glyphs)

    def show_status(self, status: Status) -> None:
        """Follow the lock by its key."""
        glyphs = self.locktop.glyphs
        row = status.board.by_key.get(self._key) if status.board else None
        if row is not None and status.board is not None:
            self._last = (row, status.board)
        if self._last is None:
            return
        last, board = self._last
        left: Line = [("Locks", "dim"), (" / ", "faint"), (name(last.volume.name), "strong")]
        if last.claim:
            left += [("  ", "text"), (name(last.claim), "key")]
        self.query_one(TitleRule).show(left, [("esc back", "dim")])
        seen = Seen(board, status.now, status.wall_ns, glyphs)
        self.query_one(Scroller).show(self._sheet(last, seen, gone=row is None))

    def _sheet(self, row: Row, seen: Seen, *, gone: bool) -> list[Line]:
        width = max(40, self.app.size.width - 2)
        lines: list[Line] = [[]]
        if gone:
            lines += [
                [("  This lock is gone", "strong"), (": what follows is how it was last seen.", "text")],
                [],
            ]
        lines += fact_lines(describe(row, seen), width)
        lines += self._section("If an operation started now", fact_lines(verdicts(row, seen), width))
        if len(row.volume.locks) > 1:
            title = (
                f"All {number(len(row.volume.locks))} locks of the volume, in the order the store ranks them"
            )
            lines += self._section(title, _neighbours(row, seen))
        if row.lock is not None:
            lines += self._section("The file", fact_lines(_file(row.lock, seen), width))
            lines += self._section("Its body, as it is", _raw(row.lock))
        return lines

    def _section(self, title: str, lines: list[Line]) -> list[Line]:
        return [[], [(f"  {title}", "key")], *lines]

    def action_back(self) -> None:
        """Back to the table."""
        self.dismiss()

    def action_copy_key(self) -> None:
        """Copy the lock's key."""
        self.locktop.copy_key(self._last[0] if self._last else None)

    def action_scroll(self, by: int) -> None:
        """Scroll by lines."""
        self.query_one(Scroller).scroll_lines(by)

    def action_scroll_page(self, pages: float) -> None:
        """Scroll by pages."""
        sheet = self.query_one(Scroller)
        sheet.scroll_lines(round(sheet.size.height * pages))

    def action_scroll_to(self, end: str) -> None:
        """Scroll to an end."""
        sheet = self.query_one(Scroller)
        sheet.scroll_home(animate=False) if end == "first" else sheet.scroll_end(animate=False)


def _neighbours(row: Row, seen: Seen) -> list[Line]:
    lines: list[Line] = []
    for place, other in enumerate(seen.board.of_volume(row)[:NEIGHBOURS], start=1):
        state = state_now(other, seen.now)
        left = ttl_ns(other.lock, seen.now)
        mine = other.key == row.key
        lines.append(
            [
                (f"  {place:>3} ", "dim"),
                (f"{seen.glyphs.states[state]} ", state.value),
                (f"{name(other.name):<24.40} ", "strong" if mine else "text"),
                (f"{type_label(other.lock.record if other.lock else None):<9}", "text"),
                (f"{state.value.upper():<8}", state.value),
                (f"{countdown(left) if left is not None else '?':>8}", "text"),
            ]
        )
    return lines


def _file(lock: LockFile, seen: Seen) -> list[Fact]:
    modified = lock.modified_ns
    facts = [
        ("key", printable(lock.key, limit=2000)),
        ("its name", name(lock.record.name) if lock.record else ""),
        ("etag", name(lock.etag)),
        ("size", f"{number(lock.size)} B"),
    ]
    if modified is not None:
        exact = f"{utc_instant(modified)}.{modified % 1_000_000_000:09d} UTC on the store's clock"
        gone = seen.now.middle - modified
        facts.append(
            ("written", f"{exact}, {age(gone)} ago" if gone >= 0 else f"{exact}, {age(-gone)} ahead")
        )
    if lock.flaw is not None:
        facts.append(("flaw", f"{lock.flaw.value}: {name(lock.reason)}"))
    return [Fact(label, ((text, "text"),)) for label, text in facts if text]


def _raw(lock: LockFile) -> list[Line]:
    if not lock.raw:
        return [[("  nothing was read of it" if lock.flaw else "  it is empty", "dim")]]
    return [[("  ", "text"), (printable(lock.raw, limit=RAW_SHOWN), "text")]]
