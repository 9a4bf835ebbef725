"""What the flight recorder has seen of a volume's locks before this look: since when they are held, and how
often somebody went without.

Only reads: the console and `locktop record` write. Without a journal, or with one that cannot be read,
everything else is told all the same.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import replace

from backuplock.findings import Finding, Mark, Topic
from backuplock.inquiry import Inquiry
from backuplock.journal import HeldSince, Journal, JournalError, journal_path
from backuplock.liveness import Doubt, Life, Liveness
from backuplock.model import LockFile
from backuplock.text import elapsed
from backuplock.watch import Event, EventKind
from locktop.format import plural, utc_near
from locktop.output.streams import say
from locktop.output.words import since_words

MOST = 200
"""Locks that are looked up, and events that are counted of a volume."""

_TOLD = {
    EventKind.REFUSED: ("request", "ended without the lock"),
    EventKind.EXPIRED: ("lock", "expired under its holder"),
    EventKind.CAME_BACK: ("removed lock", "came back"),
    EventKind.CLASH: ("time", "two that exclude each other held at once"),
}


def with_past(inquiry: Inquiry, url: str) -> Inquiry:
    """The same, with what the target's journal tells of its locks and the volume."""
    found: list[Finding] = []
    lives = dict(inquiry.lives)
    with _journal(url) as journal:
        if journal is not None:
            for lock in inquiry.view.locks[:MOST]:
                held = journal.held_since(lock.key) if lock.record and lock.record.acquired else None
                if held is not None:
                    text = f"held {since_words(held, inquiry.local_now_ns)}, as recorded on this machine"
                    found.append(Finding(Mark.KNOWN, Topic.HISTORY, lock.key, text, since_ns=held.stamped_ns))
                    lives[lock.key] = _refreshed_since(lives[lock.key], lock, held)
            found += _contention(journal.history(inquiry.view.name, MOST), inquiry.local_now_ns)
    return replace(inquiry, findings=(*inquiry.findings, *found), lives=lives) if found else inquiry


def _refreshed_since(found: Liveness, lock: LockFile, held: HeldSince) -> Liveness:
    """The verdict on a lock that only we see for the first time: what was recorded counts as seen."""
    if found.doubt is not Doubt.ARRIVED or held.stamped_ns is None or lock.modified_ns is None:
        return found
    if lock.modified_ns <= held.stamped_ns:
        return found
    age = elapsed(lock.modified_ns - held.stamped_ns)
    return Liveness(Life.LIVE, (f"refreshed {age} after it was first recorded on this machine",))


def held_since(keys: Iterable[str], url: str) -> dict[str, HeldSince]:
    """Since when locks are held, of those that the target's journal has seen."""
    found: dict[str, HeldSince] = {}
    with _journal(url) as journal:
        for key in list(keys)[:MOST] if journal is not None else ():
            held = journal.held_since(key) if journal is not None else None
            if held is not None:
                found[key] = held
    return found


def _contention(events: tuple[Event, ...], now_ns: int) -> list[Finding]:
    # That one expired is told of a holder: a file that was found so may never have had one here.
    told = [event for event in events if not (event.kind is EventKind.EXPIRED and event.inferred)]
    counts = {kind: [event for event in told if event.kind is kind] for kind in _TOLD}
    parts = [
        f"{plural(len(seen), one)} {what}, last at {utc_near(seen[0].seen_wall_ns, now_ns)} UTC"
        for kind, (one, what) in _TOLD.items()
        if (seen := counts[kind])
    ]
    if not parts:
        return []
    first = utc_near(events[-1].seen_wall_ns, now_ns)
    text = f"recorded on this machine from {first} UTC on: {'; '.join(parts)}"
    return [Finding(Mark.KNOWN, Topic.HISTORY, "", text)]


@contextlib.contextmanager
def _journal(url: str) -> Iterator[Journal | None]:
    """The journal of a target, if there is one; whatever is wrong with it is said in one line and ends the
    block."""
    try:
        path = journal_path(url)
        journal = Journal.read(path) if path.exists() else None
    except (JournalError, OSError) as error:
        say(f"told without what was recorded before: {error}")
        journal = None
    if journal is None:
        yield None
        return
    with contextlib.closing(journal):
        try:
            yield journal
        except JournalError as error:
            say(f"told without all that was recorded before: {error}")
