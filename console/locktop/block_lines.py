"""The lines of the Blocked view, and what is said about the one under the cursor.

Pure: a line of the list and the time in, text and tones out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from backuplock.clock import Span
from backuplock.inquiry import lives
from backuplock.liveness import Doubt, Life
from backuplock.model import Operation, Snapshot
from backuplock.rules import State
from backuplock.text import elapsed
from backuplock.watch import Track
from locktop.block_list import Block, seconds_left
from locktop.format import Glyphs, Line, Part, countdown, fit, name, owner_label, type_label
from locktop.output.words import LIFE_TONES
from locktop.rows import UNCERTAIN_NS, Row

GAP = "  "
_WHO_LEAST = 8
_WAITS, _ENDS, _ENDS_SHORT, _LIFE, _BLOCKED = 9, 13, 8, 7, 15
_BY_LEAST, _BY_MOST = 16, 46
_VOLUME_LEAST, _VOLUME_MOST = 16, 40


@dataclass(frozen=True, slots=True)
class Widths:
    """Cells of the columns; 0 leaves a column out."""

    volume: int
    claim: int
    blocked: int
    by: int
    life: int
    ends: int
    waits: int


@dataclass(frozen=True, slots=True)
class Scene:
    """What lines need beside the thing that is blocked."""

    snapshot: Snapshot
    tracks: Mapping[str, Track]
    now: Span
    glyphs: Glyphs
    claims_first: bool = False


def widths_of(width: int, *, claims: bool) -> Widths:
    """What `width` cells have room for: signs of life go first, then claims beside ids, then names shrink."""
    ends = _ENDS if width >= 96 else _ENDS_SHORT
    left = width - 2 - (ends + 2) - _WAITS - 2
    blocked = _BLOCKED if width >= 76 else 8
    left -= blocked + 2
    life = _LIFE if width >= 96 else 0
    left -= life + 2 if life else 0
    by = _BY_LEAST if left >= _BY_LEAST + 2 + _VOLUME_LEAST else 10
    left -= by + 2
    volume = max(8, min(_VOLUME_MOST, left))
    left -= volume
    claim = min(30, left - 2) if claims and left >= 18 else 0
    left -= claim + 2 if claim else 0
    by += max(0, min(left, _BY_MOST - by))
    return Widths(volume, claim, blocked, by, life, ends, _WAITS)


def heading(widths: Widths, order: str, scene: Scene) -> Line:
    """The line above the list; the column that orders it is marked."""
    first = "CLAIM, OR VOLUME" if scene.claims_first else "VOLUME"
    cells = [
        ("claim" if scene.claims_first else "volume", first, widths.volume, False),
        ("claim", "VOLUME" if scene.claims_first else "CLAIM", widths.claim, False),
        ("", "BLOCKED", widths.blocked, False),
        ("", "BY", widths.by, False),
        ("", "HOLDER", widths.life, False),
        ("end", "FREE IN", widths.ends, True),
        ("waiting", "WAIT", widths.waits, True),
    ]
    line: Line = [("  ", "dim")]
    for id_, title, width, right in cells:
        if width:
            tone = "key" if id_ and id_ == order else "dim"
            line += [(fit(title, width, ellipsis="", right=right), tone), (GAP, "dim")]
    return line[:-1]


def block_line(block: Block, widths: Widths, scene: Scene) -> Line:
    """`● pvc-...  delete  by backup held lock-...  alive  2:10  1, 45s`."""
    glyphs = scene.glyphs
    ids = (name(block.view.name), name(block.claim))
    known, other = (ids[1] or ids[0], ids[0] if ids[1] else "") if scene.claims_first else ids
    tone = "strong" if block.waiting else "text"
    line: Line = [
        _mark(block, glyphs),
        (fit(known, widths.volume, ellipsis=glyphs.ellipsis, middle=True), tone),
        (GAP, "text"),
    ]
    if widths.claim:
        shown = fit(other or "-", widths.claim, ellipsis=glyphs.ellipsis, middle=True)
        line += [(shown, "dim"), (GAP, "text")]
    cells = [
        (_operations(block, widths.blocked), widths.blocked, False),
        (by_whom(block, widths.by), widths.by, False),
        (_life(block, scene), widths.life, False),
        (_ends(block, scene, widths.ends), widths.ends, True),
        (_waits(block, scene), widths.waits, True),
    ]
    for (text, ink), width, right in cells:
        if width:
            line += [(fit(text, width, ellipsis=glyphs.ellipsis, right=right), ink), (GAP, "text")]
    return line[:-1]


def operations_words(block: Block) -> str:
    """`backup, restore`, `all`."""
    if len(block.operations) == len(Operation):
        return "all"
    return ", ".join(operation.value for operation in block.operations)


def by_whom(block: Block, width: int) -> Part:
    """`delete late lock-9f2c41d0`, `2: delete late node-1/12`; who it is only where there is room for it."""
    if not block.blockers:
        return "could not be read", "bad"
    first = block.blockers[0]
    more = f"{len(block.blockers)}: " if len(block.blockers) > 1 else ""
    quiet = first.state in (State.HELD, State.WAITING)
    record = first.lock.record if first.lock else None
    text = f"{more}{type_label(record)} {first.state.value}"
    who = _who(first)
    if len(text) + 1 + min(len(who), _WHO_LEAST) <= width:
        text = f"{text} {who}"
    return text, "text" if quiet else first.state.value


def _who(row: Row) -> str:
    owner = owner_label(row.lock)
    return owner if owner != "-" else name(row.name)


def _mark(block: Block, glyphs: Glyphs) -> Part:
    if block.waiting:
        return f"{glyphs.states[State.WAITING]} ", State.WAITING.value
    state = block.blockers[0].state if block.blockers else State.BAD
    state = state if block.sure or state is State.BAD else State.UNSURE
    return f"{glyphs.states[state]} ", state.value


def _operations(block: Block, width: int) -> Part:
    words = operations_words(block)
    if len(words) > width and len(block.operations) > 1:
        # The pair that shares a lock type, in the letters that the type has in the table of locks.
        words = "bkup/rst"
    return (words, "text") if block.sure else (f"{words}?", "unsure")


def _life(block: Block, scene: Scene) -> Part:
    if not block.blockers:
        return "-", "dim"
    first = block.locks[:1]
    found = lives(scene.snapshot, first, scene.tracks)[first[0].key]
    if found.doubt is Doubt.ASKS:
        return "waits", "waiting"
    if found.doubt is Doubt.ARRIVED:
        return "unseen", "waiting"
    return _LIFE_SHORT[found.life], LIFE_TONES[found.life]


_LIFE_SHORT = {Life.LIVE: "alive", Life.LATE: "late", Life.STALE: "dead", Life.UNKNOWN: "unknown"}


def _ends(block: Block, scene: Scene, width: int) -> Part:
    """`2:10 if dead`: a holder that lives refreshes its lock; one that waits does not."""
    left = seconds_left(block, scene.now)
    if left is None:
        return "unknown", "unsure"
    mark = "~" if scene.now.error_ns > UNCERTAIN_NS else ""
    held = any(lock.record is not None and lock.record.acquired for lock in block.locks)
    words = " if dead" if held and width >= _ENDS else ""
    return mark + countdown(left) + words, "text" if left > 0 else "unsure"


def _waits(block: Block, scene: Scene) -> Part:
    if not block.waiting:
        return "-", "dim"
    since = "" if block.since_ns is None else f", {elapsed(scene.now.middle - block.since_ns)}"
    return f"{len(block.waiting)}{since}", "waiting"
