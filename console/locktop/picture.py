"""What the screens show, made from what the session tells: live, or held still while a person pauses it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from backuplock.journal.reader import Gap
from backuplock.watch import Event as LockEvent
from locktop.format import owner_label
from locktop.session import Event, Session, SnapshotArrived, SweepFailed, SweepProgress, VolumeExplored
from locktop.status import Outage, Status

MOST_EVENTS = 10_000
"""How many events are kept to be looked at; the journal keeps more."""

MOST_OUTAGES = 500
"""How many times without answers are kept."""


class Picture:
    """Keeps the `Status`. A pause holds the picture, never the watch: the journal and the signs of life go
    on, and what happened meanwhile is counted."""

    def __init__(self, session: Session, *, read_only: bool) -> None:
        self._session = session
        self._latest: SnapshotArrived | None = None
        self._events: tuple[LockEvent, ...] = ()
        self._before = 0
        self._outages: tuple[Outage, ...] = ()
        self._holders: dict[str, str] = {}
        self._since: int | None = None
        self._told = self._shown = 0
        self._peek = False
        self._progress_mono_ns = 0
        self.status = Status(
            session.label,
            session.url,
            read_only=read_only,
            mono_ns=0,
            wall_ns=0,
            interval_ns=0,
            badge=session.badge,
        )
        self.tick()

    def hear(self, event: Event) -> None:
        """Take in what the session tells."""
        match event:
            case SnapshotArrived():
                self._arrived(event)
            case SweepFailed():
                self._failed(event)
            case SweepProgress():
                self._progress_mono_ns = self._session.clock.mono_ns()
                self.status = replace(self.status, progress=event)
            case VolumeExplored():
                self.status = replace(self.status, explored=event.explored)
            case _:
                self.status = replace(self.status, deeds=self.status.deeds.take(event))
        self.tick()

    def tick(self) -> Status:
        """Time has passed; the status now."""
        session = self._session
        began = session.sweeping_since_mono_ns
        self.status = replace(
            self.status,
            mono_ns=session.clock.mono_ns(),
            wall_ns=session.clock.wall_ns(),
            interval_ns=session.interval_ns,
            pace=session.pace,
            budget=session.budget,
            heard_mono_ns=None if began is None else max(began, self._progress_mono_ns),
            tape=session.playback.tape if session.playback is not None else None,
        )
        return self.status

    def pause(self) -> None:
        """Hold the picture, or show the latest again."""
        paused = not self.status.paused
        self.status = replace(self.status, paused=paused)
        if not paused:
            self._show_latest()
        self.tick()

    def peek(self) -> None:
        """The next picture is shown even while paused."""
        self._peek = self.status.paused

    # -- what came

    def _arrived(self, event: SnapshotArrived) -> None:
        before, self._latest = self._latest, event
        self._keep(event, None if event.anew else before)
        self._end_outage()
        # How it stands with what was broken here is told during a pause as well.
        deeds = (
            replace(self.status.deeds, cares=event.cares) if event.cares or self.status.deeds.cares else None
        )
        self.status = replace(
            self.status,
            failure=None,
            progress=None,
            unrecorded=event.unrecorded,
            deeds=deeds or self.status.deeds,
        )
        if self.status.paused and not self._peek and self.status.board is not None:
            self.status = replace(self.status, unseen=self._told - self._shown)
            return
        self._peek = False
        self._show_latest()

    def _failed(self, event: SweepFailed) -> None:
        if event.anew and self._latest is not None:
            # Wound to where nothing is known: what was shown is of another time.
            self._latest = None
            self._forget()
            self.status = replace(
                self.status, board=None, blocks=None, events=(), before=0, happened=0, explored=None
            )
        last = self._outages[-1] if self._outages else None
        if last is None or last.ended_wall_ns is not None:
            last = Outage(self._session.clock.wall_ns(), None, event.line)
            self._outages = (*self._outages, last)[-MOST_OUTAGES:]
        self.status = replace(self.status, failure=event, progress=None)
        if not self.status.paused:
            self.status = replace(self.status, outages=self._outages)

    def _keep(self, event: SnapshotArrived, before: SnapshotArrived | None) -> None:
        """The events so far, and who is behind them."""
        if event.anew:
            self._forget()
        if before is None:
            self._since = event.snapshot.ended_mono_ns
            self._events = (*reversed(event.past), *self._events)
            self._before = len(event.past)
            self._outages = (*_past_outages(event.gaps, self._outages), *self._outages)
        if event.happened:
            events = (*self._events, *event.happened)
            dropped = max(0, len(events) - MOST_EVENTS)
            self._events, self._before = events[dropped:], max(0, self._before - dropped)
            self._told += sum(not one.routine for one in event.happened)
            self._remember_holders(event, before)

    def _remember_holders(self, event: SnapshotArrived, before: SnapshotArrived | None) -> None:
        boards = [event.board, *([before.board] if before is not None else [])]
        holders = dict(self._holders)
        for one in event.happened:
            row = next((row for board in boards if (row := board.by_key.get(one.key)) is not None), None)
            who = owner_label(row.lock) if row is not None else "-"
            if who != "-":
                holders[one.key] = who
        if len(holders) > MOST_EVENTS:
            still = {one.key for one in self._events}
            holders = {key: who for key, who in holders.items() if key in still}
        self._holders = holders

    def _end_outage(self) -> None:
        if self._outages and self._outages[-1].ended_wall_ns is None:
            ended = replace(self._outages[-1], ended_wall_ns=self._session.clock.wall_ns())
            self._outages = (*self._outages[:-1], ended)

    def _forget(self) -> None:
        self._events, self._before = (), 0
        self._outages, self._holders = (), {}
        self._told = self._shown = 0

    def _show_latest(self) -> None:
        if self._latest is None:
            return
        self._shown = self._told
        self.status = replace(
            self.status,
            board=self._latest.board,
            blocks=self._latest.blocks,
            tracks=self._latest.tracks,
            events=self._events,
            happened=sum(not one.routine for one in self._events),
            before=self._before,
            outages=self._outages,
            holders=self._holders,
            since_mono_ns=self._since,
            unseen=0,
        )


def _past_outages(gaps: Iterable[Gap], own: tuple[Outage, ...]) -> tuple[Outage, ...]:
    """What the journal tells of times without answers; this session's own failures stand in it as well."""
    began = own[0].began_wall_ns if own else None
    earlier = [gap for gap in gaps if began is None or gap.ended_wall_ns < began]
    return tuple(Outage(gap.began_wall_ns, gap.ended_wall_ns, gap.line) for gap in earlier)
