"""What the screens show, made from what the session tells: live, or held still while a person pauses it."""

from __future__ import annotations

from dataclasses import replace

from backuplock.watch import Event as LockEvent
from locktop.session import Event, Session, SnapshotArrived, SweepFailed, SweepProgress, VolumeExplored
from locktop.status import Status

MOST_EVENTS = 10_000
"""How many events are kept to be looked at; the journal keeps more."""


class Picture:
    """Keeps the `Status`. A pause holds the picture, never the watch: the journal and the signs of life go
    on, and what happened meanwhile is counted."""

    def __init__(self, session: Session, *, read_only: bool) -> None:
        self._session = session
        self._latest: SnapshotArrived | None = None
        self._events: tuple[LockEvent, ...] = ()
        self._told = self._shown = 0
        self._peek = False
        self._progress_mono_ns = 0
        self.status = Status(
            session.label, session.url, read_only=read_only, mono_ns=0, wall_ns=0, interval_ns=0
        )
        self.tick()

    def hear(self, event: Event) -> None:
        """Take in what the session tells."""
        match event:
            case SnapshotArrived():
                self._arrived(event)
            case SweepFailed():
                self.status = replace(self.status, failure=event, progress=None)
            case SweepProgress():
                self._progress_mono_ns = self._session.clock.mono_ns()
                self.status = replace(self.status, progress=event)
            case VolumeExplored():
                self.status = replace(self.status, explored=event.explored)
        self.tick()

    def tick(self) -> None:
        """Time has passed."""
        session = self._session
        began = session.sweeping_since_mono_ns
        self.status = replace(
            self.status,
            mono_ns=session.clock.mono_ns(),
            wall_ns=session.clock.wall_ns(),
            interval_ns=session.interval_ns,
            heard_mono_ns=None if began is None else max(began, self._progress_mono_ns),
        )

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

    def _arrived(self, event: SnapshotArrived) -> None:
        self._latest = event
        self._events = (*self._events, *reversed(event.past), *event.happened)[-MOST_EVENTS:]
        self._told += len(event.happened)
        self.status = replace(self.status, failure=None, progress=None, unrecorded=event.unrecorded)
        if self.status.paused and not self._peek and self.status.board is not None:
            self.status = replace(self.status, unseen=self._told - self._shown)
            return
        self._peek = False
        self._show_latest()

    def _show_latest(self) -> None:
        if self._latest is None:
            return
        self._shown = self._told
        self.status = replace(
            self.status, board=self._latest.board, tracks=self._latest.tracks, events=self._events, unseen=0
        )
