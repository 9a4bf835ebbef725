"""The console on several contexts at once: a session of each; all but the table is about one of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from textual.actions import ActionParseResult
from textual.dom import DOMNode
from textual.message import Message
from textual.notifications import SeverityLevel

from backuplock.clock import SECOND
from locktop.app import LocktopApp
from locktop.badge import Contexts
from locktop.choosing import NO_CONTEXTS
from locktop.controls import USUAL
from locktop.habits import Memory
from locktop.keymap import Keymap
from locktop.keys import Key
from locktop.picture import Picture
from locktop.screens.sides import SidesScreen
from locktop.session import Event, Session
from locktop.status import Status


class SideReported(Message):
    """The session of one of the contexts has something to tell."""

    def __init__(self, side: int, event: Event) -> None:
        super().__init__()
        self.side = side
        self.event = event


@dataclass(slots=True)
class _Side:
    """A context: its session, its picture, and what was rung for already."""

    session: Session
    picture: Picture
    alarmed: frozenset[str] = frozenset()
    restored: frozenset[str] = frozenset()


class SideBySide(LocktopApp):
    """The console on several sessions, which it starts and closes.

    `session` and `picture` are those of the context that everything but the table of locks is about.

    Args:
        sessions: at least two, each with a badge that names it.
    """

    MODES: ClassVar = {**LocktopApp.MODES, "locks": SidesScreen}

    def __init__(
        self,
        sessions: Sequence[Session],
        *,
        ascii_only: bool = False,
        handle_signals: bool = False,
        contexts: Contexts = NO_CONTEXTS,
        words: tuple[str, ...] = (),
        keymap: Keymap = USUAL,
        memory: Memory | None = None,
    ) -> None:
        super().__init__(
            sessions[0],
            ascii_only=ascii_only,
            handle_signals=handle_signals,
            contexts=contexts,
            words=words,
            keymap=keymap,
            memory=memory,
        )
        self.at = self._here = 0
        self._speaks = ""
        self._sides = [_Side(self.session, self.picture)]
        for session in sessions[1:]:
            writable = session.breaker is not None and session.breaker.writable
            self._sides.append(_Side(session, Picture(session, read_only=not writable)))

    @property
    def sessions(self) -> Sequence[Session]:
        """All of them."""
        return [side.session for side in self._sides]

    @property
    def statuses(self) -> Sequence[Status]:
        """What is known of each context."""
        return [side.picture.status for side in self._sides]

    @property
    def shut(self) -> bool:
        """Whether it may be done depends on the row: that is found out when it is asked for."""
        return False

    def why_off(self, key: Key) -> str:
        """The reason names the context."""
        reason = super().why_off(key)
        if reason and key.needs == "write":
            return f"{self.session.badge.name} is read-only; write = true in its context opens it"
        return reason

    def offers(self, key: Key) -> bool:
        """What can be done in one of the contexts is named; in the others it says why not."""
        if key.needs == "write":
            return not all(status.read_only for status in self.statuses)
        return super().offers(key)

    async def run_action(
        self,
        action: str | ActionParseResult,
        default_namespace: DOMNode | None = None,
        namespaces: Mapping[str, DOMNode] | None = None,
    ) -> bool:
        """What is done is done to the row that the cursor is on now, however fast it came there."""
        if isinstance(self.screen, SidesScreen):
            self.screen.turn()
        return await super().run_action(action, default_namespace, namespaces)

    # -- which one

    def turn_to(self, at: int) -> None:
        """Everything but the table is about this context now."""
        if at == self.at:
            return
        self.session.attend(None)
        self._hold()
        self.at = self._here = at
        self._take_up(self._sides[at])
        self.show_now()

    def show_now(self) -> None:
        """Have the screens show the picture of the context that the person is in, and the table all."""
        self.status = self._sides[self._here].picture.status

    def _hold(self) -> None:
        side = self._sides[self.at]
        side.alarmed, side.restored = self._alarmed, self._restored

    def _take_up(self, side: _Side) -> None:
        self.session, self.picture = side.session, side.picture
        self._alarmed, self._restored = side.alarmed, side.restored

    @contextmanager
    def _as(self, at: int) -> Iterator[None]:
        """Inside, what is done is done to another context; what is said names it."""
        here = self.at
        if at == here:
            yield
            return
        self._hold()
        self.at, self._speaks = at, self._sides[at].session.badge.name
        self._take_up(self._sides[at])
        try:
            yield
        finally:
            self._hold()
            self.at, self._speaks = here, ""
            self._take_up(self._sides[here])

    def _each(self) -> Iterator[None]:
        for at in range(len(self._sides)):
            with self._as(at):
                yield

    def notify(
        self,
        message: str,
        *,
        title: str = "",
        severity: SeverityLevel = "information",
        timeout: float | None = None,
        markup: bool = True,
    ) -> None:
        """What is said of a context that the person is not in is said with its name."""
        told = f"{self._speaks}: {message}" if self._speaks else message
        super().notify(told, title=title, severity=severity, timeout=timeout, markup=markup)

    # -- life

    def on_mount(self) -> None:
        """The others begin along with the first."""
        for at, side in list(enumerate(self._sides))[1:]:
            self.call_after_refresh(side.session.start, partial(self._hear_of, at))

    def on_unmount(self) -> None:
        """Nothing more is asked of any store."""
        for session in self.sessions:
            session.close()

    def _hear(self, event: Event) -> None:
        self._hear_of(0, event)

    def _hear_of(self, at: int, event: Event) -> None:
        """Called in a session's thread: hand over and return."""
        self.post_message(SideReported(at, event))

    def on_side_reported(self, message: SideReported) -> None:
        """Take in what a session tells."""
        with self._as(message.side):
            self.take_in(message.event)

    def refresh_status(self) -> None:
        """Time has passed."""
        for _ in self._each():
            self.picture.tick()
        self.show_now()
        self.tidy_up()

    # -- what is done to all

    def action_pause(self) -> None:
        """Hold every picture, or let all go on."""
        wanted = not self.status.paused
        for _ in self._each():
            if self.picture.status.paused is not wanted:
                self.picture.pause()
        self.refresh_status()

    def action_refresh_now(self) -> None:
        """Look at once, everywhere."""
        here = self.at
        for _ in self._each():
            if self.at != here:
                self.picture.peek()
                self.session.refresh_now()
        super().action_refresh_now()

    def action_rate(self, by: int) -> None:
        """Look more often, or less, everywhere alike."""
        super().action_rate(by)
        pace = self.session.interval_ns
        for session in self.sessions:
            if session.interval_ns != pace:
                session.set_interval(pace / SECOND)

    # -- contexts

    @property
    def pending(self) -> tuple[str, ...]:
        """What would be left undone or unwatched if all ended now."""
        breakers = [session.breaker for session in self.sessions if session.breaker is not None]
        return tuple(line for breaker in breakers for line in breaker.pending)

    def is_open(self, *names: str) -> bool:
        """Whether it is one of those that are open."""
        return len(names) == 1 and any(session.badge.name == names[0] for session in self.sessions)

    def go_to(self, *names: str) -> None:
        """To a row of a context that is open already; else all end, and those begin."""
        open_ = [session.badge.name for session in self.sessions]
        if len(names) > 1 or names[0] not in open_:
            super().go_to(*names)
            return
        self.pop_screen()
        self.turn_to(open_.index(names[0]))
        if isinstance(self.screen, SidesScreen):
            self.screen.seek_side(self.at)
