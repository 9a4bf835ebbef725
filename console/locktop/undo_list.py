"""The locks that were broken on a store: what did not end, then what can be put back, the youngest first.

Pure: a Shelf and the time in, text and tones out.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from backuplock.breaking import Copy, Stage, Unfinished
from backuplock.breaking.quarantine import Kept
from backuplock.clock import SECOND
from backuplock.errors import Malformed
from backuplock.model import LockRecord
from backuplock.rules import LONGHORN
from backuplock.text import elapsed
from backuplock.wire import decode
from locktop.deeds import Shelf
from locktop.describe import Fact
from locktop.format import Glyphs, Line, Part, fit, name, plural, type_label, type_words, utc_instant
from locktop.widgets.panes import fact_lines

WHEN, STATE, TYPE, WHO = 19, 12, 9, 18
"""Cells of the columns but volume and lock, which share the rest."""

SHORT_WHEN = 11
"""Cells of the time without year and seconds."""

NARROW, WIDE = 78, 110
"""Cells below which the time is short and the type is left out; from which it is said who did it."""


_TAKEN_BACK = (Stage.UNTOUCHED, Stage.REMOVED, Stage.UNDOING)
"""Where taking back is another end than finishing."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One broken lock: its copy, or the transaction that did not end, or both."""

    id: str
    copy: Copy | None = None
    open: Unfinished | None = None

    @property
    def kept(self) -> Kept | None:
        """What is known of it."""
        if self.open is not None and self.open.kept is not None:
            return self.open.kept
        return self.copy.kept if self.copy is not None else None

    @property
    def record(self) -> LockRecord | None:
        """The lock itself, if its body can be read."""
        try:
            return decode(self.kept.body) if self.kept is not None else None
        except Malformed:
            return None

    @property
    def state(self) -> tuple[str, str]:
        """How it stands, in a word, and the tone of it."""
        if self.open is not None:
            return ("at work", "waiting") if self.open.running else ("INTERRUPTED", "alert")
        if self.kept is None:
            return "unreadable", "bad"
        if self._elsewhere:
            return "not over", "waiting"
        return ("put back", "dim") if self.copy is not None and self.copy.restored else ("kept", "good")

    @property
    def why_not(self) -> str:
        """Why it cannot be put back as far as that is known beforehand; "" if it may be."""
        if self.open is not None:
            return "" if self.open.can_undo else self.open.words
        if self.copy is None or self.kept is None:
            return "its description cannot be read"
        if self._elsewhere:
            return "it has not ended: another machine may be at work on it"
        return "it was put back already, or never went" if self.copy.restored else ""

    @property
    def _elsewhere(self) -> bool:
        """Begun by another machine not long ago, and nobody wrote that it is over."""
        return self.copy is not None and self.copy.open

    @property
    def can_finish(self) -> bool:
        """Whether there is something to bring to its end."""
        return self.open is not None and self.open.can_finish


def entries_of(shelf: Shelf) -> dict[str, Entry]:
    """Everything in order, by id."""
    found = {one.id: one for one in shelf.copies}
    open_ = {one.id: one for one in reversed(shelf.interrupted)}
    first = {key: Entry(key, found.get(key), one) for key, one in open_.items()}
    return {**first, **{key: Entry(key, one) for key, one in found.items() if key not in first}}


def heading(width: int) -> Line:
    """The line above the list."""
    words = ("BROKEN UTC" if width < NARROW else "BROKEN (UTC)", "", "LOCK", "TYPE", "VOLUME", "BY")
    cells = [fit(text, size) for text, size in zip(words, _sizes(width), strict=True) if size]
    return [("  ".join(cells), "dim")]


def line(entry: Entry, width: int, glyphs: Glyphs) -> Line:
    """One of them."""
    when, _, lock, type_, volume, who = _sizes(width)
    kept, (word, tone) = entry.kept, entry.state
    stem = name(kept.token.name.removesuffix(".lck")) if kept is not None else name(entry.id)
    where = name(kept.token.volume) if kept is not None else ""
    cut = glyphs.ellipsis
    faint = "dim" if tone == "dim" else "text"
    parts: list[Part] = [
        (fit(_when(kept, when), when) + "  ", "dim"),
        (fit(word, STATE) + "  ", tone),
        (fit(stem, lock, ellipsis=cut, middle=True) + "  ", faint),
    ]
    if type_:
        parts.append((fit(type_label(entry.record), type_, ellipsis=cut) + "  ", faint))
    parts.append((fit(where, volume, ellipsis=cut, middle=True), faint))
    if who and kept is not None:
        parts.append(("  " + fit(_who(kept), who, ellipsis=cut), "dim"))
    return parts


def _sizes(width: int) -> tuple[int, int, int, int, int, int]:
    """Cells of the columns: when, state, lock, type, volume, who; 0 for one that is left out."""
    when, type_ = (SHORT_WHEN, 0) if width < NARROW else (WHEN, TYPE)
    who = WHO if width >= WIDE else 0
    taken = sum(size + 2 for size in (when, STATE, type_, who) if size)
    rest = max(16, width - taken - 2)
    lock = min(21, rest // 2)
    return when, STATE, lock, type_, rest - lock, who


def _when(kept: Kept | None, cells: int) -> str:
    if kept is None:
        return ""
    instant = utc_instant(kept.broken_wall_ns)
    return instant if cells >= WHEN else instant[5:16]


def _who(kept: Kept) -> str:
    return f"{name(kept.user)}@{name(kept.host)}"


def about(entry: Entry, wall_ns: int, width: int, *, off: str = "") -> list[Line]:
    """Everything about one of them, and what can be done; `off`: why nothing can be done in this session."""
    kept = entry.kept
    word, tone = entry.state
    facts: list[Fact] = []
    if entry.open is not None:
        facts.append(Fact("state", ((f"{word}  ", tone), (entry.open.words, "text"))))
        if entry.open.why:
            facts.append(Fact("", ((name(entry.open.why), "late"),)))
    if kept is None:
        why = entry.copy.why if entry.copy is not None else ""
        facts += [Fact("id", ((entry.id, "text"),)), Fact("why", ((name(why), "bad"),))] if why else []
        return fact_lines(facts, width)
    ago = elapsed(wall_ns - kept.broken_wall_ns)
    facts += [
        Fact("undo", (_undo(entry, wall_ns, off),)),
        Fact("broken", ((f"{ago} ago by {_who(kept)}, {name(kept.tool)}", "text"), (f"  {entry.id}", "dim"))),
        Fact("because", ((name(kept.reason), "text"),) if kept.reason else (("no reason was given", "dim"),)),
        Fact("holder", ((f"was taken for {name(kept.life)}", "text"),)),
        Fact("lock", ((type_words(entry.record), "text"), (f"  {name(kept.key)}", "dim"))),
    ]
    return fact_lines(facts, width)


def _undo(entry: Entry, wall_ns: int, off: str) -> Part:
    if entry.why_not or off:
        return entry.why_not or off, "dim"
    until = entry.copy.until_ns if entry.copy is not None else None
    if entry.open is not None:
        ends = ", f ends it as it was meant" if entry.can_finish else ""
        return f"enter takes it back{ends}", "strong"
    if until is None:
        return "enter puts it back", "strong"
    left = max(0, until - wall_ns) // (86_400 * SECOND)
    return (
        f"enter puts it back; the copy stays until {utc_instant(until)} UTC ({plural(left, 'day')})",
        "text",
    )


def question(entry: Entry, *, finish: bool, width: int) -> list[Line]:
    """What is asked before anything is done."""
    kept, opened = entry.kept, entry.open
    if kept is None:
        return []
    lease = LONGHORN.duration_ns // SECOND
    facts = [
        Fact("volume", ((name(kept.token.volume), "strong"),)),
        Fact("lock", ((name(kept.token.name), "strong"), (f"  {type_words(entry.record)}", "text"))),
    ]
    if opened is not None:
        facts.append(Fact("now", ((opened.words, "text"),)))
    if not finish and (opened is None or opened.stage in (Stage.REMOVED, Stage.UNDOING)):
        after = f"it counts again, for {lease} s, and longer only if its holder refreshes it"
        facts.append(Fact("after", ((after, "text"),)))
        facts.append(
            Fact("", (("refused if a lock that excludes it came meanwhile, which is named then", "dim"),))
        )
    return fact_lines(facts, width)


def command(entry: Entry, target: str) -> str:
    """The command line that puts it back; of what was interrupted and cannot be put back, the one that ends
    it. "" where none can do anything."""
    flag = []
    if entry.open is not None:
        back = entry.open.can_undo and (entry.open.stage in _TAKEN_BACK or not entry.can_finish)
        if not back and not entry.can_finish:
            return ""
        flag = ["--take-back"] if back else ["--finish"]
    elif entry.why_not:
        return ""
    return shlex.join(["locktop", "undo", "-t", target, *flag, entry.id, "--write"])
