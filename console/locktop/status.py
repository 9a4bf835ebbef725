"""What the console knows at one instant, and what is said while it lacks something: banner, empty places.

Pure: a `Status` in, text and tones out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from backuplock.clock import SECOND, Span
from backuplock.rounds import Budget, Schedule
from backuplock.watch import Event, Track
from locktop.badge import Badge
from locktop.block_list import BlockList
from locktop.chronicle import Explored
from locktop.deeds import Deeds
from locktop.format import (
    Glyphs,
    Line,
    Part,
    name,
    number,
    plural,
    short_seconds,
)
from locktop.playback import Tape
from locktop.rows import Board
from locktop.session import SweepFailed, SweepProgress
from locktop.watch_lines import alarm, reminder

LONG_NS = 2 * SECOND
"""How long a sweep takes before it is worth telling how long it takes yet."""

HANG_NS = 5 * SECOND
"""How long a sweep may say nothing before the banner does."""


@dataclass(frozen=True, slots=True)
class Outage:
    """A time in which nothing was seen, by the local wall clock; still going on while it has no end."""

    began_wall_ns: int
    ended_wall_ns: int | None
    line: str


@dataclass(frozen=True, slots=True)
class Status:
    """Everything the screens show, as of `mono_ns` and `wall_ns` of the session's clock.

    `failure` is set while the last attempt failed; `board` then is of the last one that did not.
    `heard_mono_ns` is when the running sweep was last heard of, None between sweeps.

    `events` is what happened, the youngest last, `tracks` what was seen of each lock, by key. While paused
    they and the board stay as they were, the watch goes on, and `unseen` counts the events since.
    The first `before` of the events are of before this session, out of the journal or the recording.
    `outages` are the times without answers, the youngest last, and `holders` says who holds or held a lock
    that events are about, by key, where it names anybody. `since_mono_ns` is when the watch began.
    `happened` counts the events that are no mere renewals. `blocks` is what is blocked on the board.
    `explored` is about the volume that is attended, `unrecorded` says why no journal is written. `tape` is
    where the recording stands, in a replay. `deeds` is about locks that are broken here and put back.
    `badge` is how the context is marked. `pace` is how often is looked, and what it costs, `budget` what it
    may.
    """

    label: str
    url: str
    read_only: bool
    mono_ns: int
    wall_ns: int
    interval_ns: int
    paused: bool = False
    board: Board | None = None
    failure: SweepFailed | None = None
    progress: SweepProgress | None = None
    heard_mono_ns: int | None = None
    events: tuple[Event, ...] = ()
    tracks: Mapping[str, Track] = field(default_factory=dict)
    unseen: int = 0
    explored: Explored | None = None
    unrecorded: str = ""
    before: int = 0
    happened: int = 0
    outages: tuple[Outage, ...] = ()
    holders: Mapping[str, str] = field(default_factory=dict)
    since_mono_ns: int | None = None
    blocks: BlockList | None = None
    tape: Tape | None = None
    deeds: Deeds = field(default_factory=Deeds)
    badge: Badge = field(default_factory=Badge)
    pace: Schedule | None = None
    budget: Budget = field(default_factory=Budget)

    @property
    def now(self) -> Span:
        """The store's time; this machine's where nothing is known of it."""
        if self.board is None:
            return Span(self.wall_ns, self.wall_ns)
        return self.board.snapshot.clock.at(self.mono_ns)

    @property
    def age_ns(self) -> int | None:
        """How old the data is, counted from when the sweep began to read."""
        if self.board is None:
            return None
        return max(0, self.mono_ns - self.board.snapshot.began_mono_ns)

    @property
    def silent_ns(self) -> int:
        """For how long the running sweep has brought nothing."""
        return 0 if self.heard_mono_ns is None else self.mono_ns - self.heard_mono_ns

    @property
    def hanging(self) -> bool:
        """Whether the store takes suspiciously long to answer."""
        return self.silent_ns >= HANG_NS

    @property
    def outdated(self) -> bool:
        """Whether what is shown is of the past: the store fails or hangs."""
        return self.board is not None and (self.failure is not None or self.hanging)


def extent(board: Board) -> Line:
    """How many locks on how many volumes."""
    total, volumes = len(board.snapshot.by_key), len(board.snapshot.volumes)
    line: Line = [
        (number(total), "strong"),
        (f" on {number(board.locked)} of {plural(volumes, 'volume')}", "dim"),
    ]
    if board.ghosts:
        line.append((f", {plural(board.ghosts, 'ghost')}", "dim"))
    return line


def banner(status: Status, glyphs: Glyphs) -> Line:
    """What stands under the header while something is wrong; empty while nothing is. The first part is the
    mark, the second says what it is; the rest may be left out where there is no room."""
    mark: Part = (f" {glyphs.warn} ", "alert")
    if ringing := alarm(status.deeds, glyphs):
        return ringing
    if status.failure is not None:
        # Without data the reason stands in the middle, in full.
        return [mark, *_failure(status, status.failure)] if status.board else []
    if status.hanging and status.board is not None:
        return [mark, (f"no answer for {short_seconds(status.silent_ns)}", "alert"), *_still(status)]
    board = status.board
    if board is None:
        return []
    problems = board.snapshot.problems
    if problems or board.unread:
        count = len(problems) + board.unread
        first = problems[0] if problems else "their rows say why"
        what = f"{plural(count, 'part')} of the store could not be read, the picture is incomplete"
        return [mark, (what, "alert"), (": " + name(first), "text")]
    if board.clashing:
        what = f"exclusion has FAILED: {plural(board.clashing, 'lock')} held against each other"
        return [mark, (what, "alert")]
    return reminder(status.deeds, glyphs)


def _failure(status: Status, failure: SweepFailed) -> list[Part]:
    return [(failure.line, "alert"), (f"   {_retry(status, failure)}", "text"), *_still(status)]


def _retry(status: Status, failure: SweepFailed) -> str:
    left = failure.retry_at_mono_ns - status.mono_ns
    if status.hanging:
        return f"trying again, no answer for {short_seconds(status.silent_ns)}"
    return f"next try in {-(-left // SECOND)}s, r tries now" if left > 0 else "trying again"


def _still(status: Status) -> list[Part]:
    if status.age_ns is None:
        return []
    return [(f"   shown is what was {short_seconds(status.age_ns)} ago", "text")]


def is_long(status: Status, done: SweepProgress) -> bool:
    """Whether a sweep has been on its way for so long that people ask."""
    return done.began_mono_ns is not None and status.mono_ns - done.began_mono_ns >= LONG_NS


def on_its_way(status: Status, done: SweepProgress) -> str:
    """How far a sweep has come, and how long it takes yet if the rest goes as fast; how many volumes there
    are is known better and better."""
    words = f"{number(done.done)} of {plural(done.known, 'volume')}"
    if not is_long(status, done) or not done.done:
        return words
    took = status.mono_ns - (done.began_mono_ns or 0)
    return f"{words}, about {short_seconds(took * (done.known - done.done) // done.done)} left"


def emptiness(status: Status, filter_text: str) -> list[Line]:
    """What stands in place of the rows when there are none."""
    board = status.board
    if board is None and status.failure is not None:
        return [[(status.failure.line, "alert")], [], [(f"{_retry(status, status.failure)}, q quits", "dim")]]
    if board is None:
        done = status.progress
        if status.hanging:
            silence = f"no answer for {short_seconds(status.silent_ns)}"
            return [[(silence, "late")], [], [("still waiting for the store, q quits", "dim")]]
        if done is None:
            return [[("reading the store", "dim")]]
        return [[(f"reading the store: {on_its_way(status, done)}", "dim")]]
    if board.rows and filter_text:
        return [
            [("no lock matches ", "text"), (name(filter_text), "strong")],
            [],
            [("esc clears the filter", "dim")],
        ]
    if not board.snapshot.store_present:
        return [
            [("no backupstore here: is the path right?", "strong")],
            [],
            [(f"{status.url} holds no folder named backupstore", "dim")],
        ]
    if not board.snapshot.complete:
        return [[("no locks seen, but not everything could be read: absence proves nothing", "late")]]
    volumes = plural(len(board.snapshot.volumes), "volume")
    return [
        [("no locks: every operation would be granted", "strong")],
        [],
        [(f"{volumes} looked at", "dim")],
    ]
