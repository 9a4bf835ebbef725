"""The Events view's list: what happened and when nothing was seen, the youngest first; and its lines.

Pure: events in, text and tones out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from backuplock.clock import SECOND
from backuplock.model import LockRecord
from backuplock.text import elapsed, printable
from backuplock.watch import Event, EventKind
from locktop.format import (
    NAME_LIMIT,
    Glyphs,
    Line,
    fit,
    name,
    type_label,
    utc_instant,
    utc_near,
    utc_time,
)
from locktop.output.event_lines import STORE, symbol
from locktop.status import Outage, Status

DAY = 86_400 * SECOND
LOUD = frozenset({EventKind.CAME_BACK, EventKind.CLASH})
"""What must not be missed: a holder thought dead is alive, or exclusion has failed."""

TONES = {
    EventKind.REQUESTED: "waiting",
    EventKind.ACQUIRED: "held",
    EventKind.RENEWED: "faint",
    EventKind.LATE: "late",
    EventKind.EXPIRED: "stale",
    EventKind.RELEASED: "text",
    EventKind.REFUSED: "text",
    EventKind.BROKEN: "alert",
    EventKind.CLEARED: "text",
    EventKind.CAME_BACK: "alert",
    EventKind.CORRUPT: "bad",
    EventKind.RECOVERED: "waiting",
    EventKind.TIME_JUMPED: "late",
    EventKind.CLASH: "alert",
}
_WORD = max(len(kind.value) for kind in EventKind) + 1
_TYPE, _LOCK, _DETAIL_LEAST, _SHORT_ID = 8, 21, 12, 28


SEPARATOR = "before"
"""The key of the line between what this session saw and what was before."""


@dataclass(frozen=True, slots=True, eq=False)
class Item:
    """One line of the list: an event, a time without answers, or (neither) the end of this session's own.

    `key` identifies it among all others.
    """

    key: str
    event: Event | None = None
    outage: Outage | None = None


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a person wants to see. `text`: words that must all be found; one after `!` must not."""

    text: str = ""
    renewals: bool = False


class EventList:
    """The items of a status, kept from one to the next: only what is new is looked at.

    Filtering searches the volume, names people know, the type, the event, the lock and who holds it. Each
    field can be named: `type:delete`, `event:expired`, `volume:`, `claim:`, `lock:`, `owner:`.
    """

    def __init__(self) -> None:
        self.items: tuple[Item, ...] = ()
        self.total = 0
        self._known: dict[str, tuple[Item, str]] = {}
        self._made_from: tuple[object, ...] = ()

    def take(self, status: Status, wanted: Wanted, claim_of: Callable[[str], str]) -> bool:
        """Look at a status; false if there is nothing new to show."""
        source = (status.events, status.outages, status.before, wanted)
        if len(self._made_from) == len(source) and all(
            one is other or one == other for one, other in zip(source, self._made_from, strict=True)
        ):
            return False
        self._made_from = source
        words = wanted.text.casefold().split()
        events = [one for one in _items(status) if _wanted(one, wanted)]
        self.total = sum(one.event is not None for one in events)
        if not words:
            self.items = tuple(events)
            return True
        known, self._known = self._known, {}
        found = []
        for item in events:
            kept = known.get(item.key)
            if kept is None or kept[0].outage != item.outage:
                kept = item, _haystack(item, status, claim_of)
            self._known[item.key] = kept
            if _matches(kept[1], words):
                found.append(item)
        self.items = tuple(found)
        return True


def _items(status: Status) -> Iterator[Item]:
    """All of it, the youngest first."""
    outages = list(status.outages)
    for at in range(len(status.events) - 1, -1, -1):
        event = status.events[at]
        while outages and outages[-1].began_wall_ns > event.seen_wall_ns:
            yield _of_outage(outages.pop())
        if at == status.before - 1:
            yield Item(SEPARATOR)
        yield Item(f"{event.seen_wall_ns}/{event.kind.value}/{event.detail}/{event.key}", event)
    for outage in reversed(outages):
        yield _of_outage(outage)


def _of_outage(outage: Outage) -> Item:
    return Item(f"outage/{outage.began_wall_ns}", outage=outage)


def _wanted(item: Item, wanted: Wanted) -> bool:
    return wanted.renewals or item.event is None or not item.event.routine


def _matches(hay: str, words: Iterable[str]) -> bool:
    return all((word[1:] not in hay) if word[:1] == "!" and word[1:] else word in hay for word in words)


def _haystack(item: Item, status: Status, claim_of: Callable[[str], str]) -> str:
    event = item.event
    if event is None:
        return (
            f"event:outage {printable(item.outage.line, limit=NAME_LIMIT)}".casefold() if item.outage else ""
        )
    fields = (
        f"event:{event.kind.value}",
        f"volume:{event.volume}",
        f"claim:{claim_of(event.volume)}",
        f"type:{type_of(event)}",
        f"lock:{lock_of(event)}",
        f"owner:{status.holders.get(event.key, '')}",
        event.detail,
    )
    return printable(" ".join(fields), limit=len(fields) * NAME_LIMIT).casefold()


# -- lines


@dataclass(frozen=True, slots=True)
class Widths:
    """Cells of the columns; 0 leaves a column out. `rest` is what is left for particulars at the end. Without
    `lock`, locks that nobody is known to hold are named in `who`."""

    time: int
    volume: int
    claim: int
    who: int
    lock: int
    rest: int


def widths_of(width: int, *, claims: bool, holders: bool, days: bool) -> Widths:
    """What `width` cells have room for: the lock's name goes first, then claims beside ids, then who."""
    time = 19 if days and width >= 100 else 8
    left = width - (time + 2) - 2 - (_WORD + 2) - (_TYPE + 2)
    sizes = {"who": 0, "claim": 0, "lock": 0}
    who = ("who" if holders else "lock", _LOCK, True)
    for column, wanted, there in (who, ("claim", 24, claims), ("lock", _LOCK, holders)):
        if there and left - wanted - 2 >= (_SHORT_ID if column == "claim" else 34):
            sizes[column] = wanted
            left -= wanted + 2
    volume = max(8, min(40, left - 2))
    return Widths(time, volume, sizes["claim"], sizes["who"], sizes["lock"], left - volume - 2)


def heading(widths: Widths, *, claims_first: bool) -> Line:
    """The line above the list."""
    cells = [f"{'TIME':<{widths.time}}    {'EVENT':<{_WORD}}"]
    cells.append(f"{'CLAIM, OR VOLUME' if claims_first else 'VOLUME':<{widths.volume}.{widths.volume}}")
    if widths.claim:
        cells.append(f"{'VOLUME' if claims_first else 'CLAIM':<{widths.claim}}")
    cells.append(f"{'TYPE':<{_TYPE}}")
    if widths.who:
        cells.append(f"{'WHO' if widths.lock else 'WHO, OR LOCK':<{widths.who}}")
    if widths.lock:
        cells.append("LOCK")
    return [("  ".join(cells), "dim")]


@dataclass(frozen=True, slots=True)
class Seen:
    """What lines need beside the item. `called` gives the name that people know a volume by."""

    status: Status
    glyphs: Glyphs
    called: Callable[[str], str]
    claims_first: bool = False


def item_line(item: Item, widths: Widths, seen: Seen) -> Line:
    """One line of the list."""
    if item.event is not None:
        return _event_line(item.event, widths, seen)
    rule = seen.glyphs.rule
    if item.outage is None:
        recorded = seen.status.tape is not None
        words = "as recorded before" if recorded else "before this session, from the journal"
        return [(f"{rule * 2} {words} {rule * 2}", "dim")]
    return _outage_line(item.outage, widths, seen)


def _event_line(event: Event, widths: Widths, seen: Seen) -> Line:
    tone, ellipsis = tone_of(event), seen.glyphs.ellipsis
    loud = event.kind in LOUD
    plain, quiet = ("alert", "alert") if loud else ("text", "dim")
    volume, claim = name(event.volume) or STORE, name(seen.called(event.volume))
    known, other = (claim or volume, volume if claim else "") if seen.claims_first else (volume, claim)
    line: Line = [
        (f"{_time(event.seen_wall_ns, widths, seen.status)}  ", quiet),
        (f"{symbol(event.kind, seen.glyphs)} ", tone),
        (f"{word_of(event):<{_WORD}}  ", tone),
        (fit(known, widths.volume, ellipsis=ellipsis, middle=True) + "  ", plain),
    ]
    if widths.claim:
        line.append((fit(other or "-", widths.claim, ellipsis=ellipsis, middle=True) + "  ", quiet))
    line.append((f"{type_of(event):<{_TYPE}.{_TYPE}}  ", plain))
    if widths.who:
        who = seen.status.holders.get(event.key, "")
        known_as = who or ("-" if widths.lock else lock_of(event))
        line.append((fit(known_as, widths.who, ellipsis=ellipsis, middle=not who) + "  ", quiet))
    if widths.lock:
        line.append((fit(lock_of(event), widths.lock, ellipsis=ellipsis, middle=True), quiet))
    if event.detail and widths.rest >= _DETAIL_LEAST:
        head, slash, last = event.detail.rpartition("/")
        detail = f"{head.split(' ')[0]} {last.removesuffix('.lck')}" if slash else event.detail
        line.append((f"  {name(detail)}", quiet))
    return line


def _outage_line(outage: Outage, widths: Widths, seen: Seen) -> Line:
    status = seen.status
    until = outage.ended_wall_ns
    lasted = elapsed(max(0, (status.wall_ns if until is None else until) - outage.began_wall_ns))
    end = "now" if until is None else utc_near(until, outage.began_wall_ns)
    return [
        (f"{_time(outage.began_wall_ns, widths, status)}  ", "dim"),
        (f"{seen.glyphs.warn} ", "stale"),
        (f"{'NO ANSWER':<{_WORD}}  ", "stale"),
        (f"until {end} ({lasted}): what happened is not known", "text"),
        (f"; {name(outage.line)}", "dim"),
    ]


def _time(wall_ns: int, widths: Widths, status: Status) -> str:
    if widths.time > 8:
        return utc_instant(wall_ns)
    # Where there is no room for the day, that it is another one is said all the same.
    same = abs(status.wall_ns - wall_ns) < DAY // 2 or utc_near(wall_ns, status.wall_ns) == utc_time(wall_ns)
    return utc_time(wall_ns) if same else f"{utc_instant(wall_ns)[5:10]:<8}"


def word_of(event: Event) -> str:
    """What happened, in capitals; a question mark if it is inferred."""
    revived = event.kind is EventKind.RENEWED and not event.routine
    # The particulars have no room everywhere, and this is what takes LATE or EXPIRED back.
    word = f"{event.kind.value} late" if revived else event.kind.value
    return word.upper() + ("?" if event.inferred else "")


def tone_of(event: Event) -> str:
    """The colour of what happened."""
    revived = event.kind is EventKind.RENEWED and not event.routine
    return TONES[EventKind.ACQUIRED] if revived else TONES[event.kind]


def type_of(event: Event) -> str:
    """The lock's type, as the table of locks has it; nothing for what concerns no lock."""
    if not event.key:
        return ""
    return "?" if event.type is None else type_label(LockRecord("", event.type, False))


def lock_of(event: Event) -> str:
    """The lock's name."""
    return name(event.key.rpartition("/")[2].removesuffix(".lck"))


def spans_days(items: Sequence[Item], now_wall_ns: int) -> bool:
    """Whether the oldest event is of another day."""
    last = next((item.event for item in reversed(items) if item.event is not None), None)
    return last is not None and utc_near(last.seen_wall_ns, now_wall_ns) != utc_time(last.seen_wall_ns)
