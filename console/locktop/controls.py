"""What a person does to time: hold the picture, look more often; in a replay stop, wind, play faster."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from textual.actions import ActionParseResult
from textual.dom import DOMNode
from textual.screen import Screen

from backuplock.clock import SECOND
from backuplock.journal import JournalError
from backuplock.text import printable
from locktop.adapter import ContainedApp
from locktop.keymap import Keymap
from locktop.keys import REASONS, Key, Place, key_of
from locktop.picture import Picture
from locktop.session import Session

RATES = (1.0, 2.0, 5.0, 10.0, 30.0, 60.0)
"""Seconds between two looks at the store that `+` and `-` step through."""

USUAL = Keymap()


class Controls(ContainedApp, inherit_bindings=False):
    """The part of the app that has to do with time, and with keys that are off.

    Args:
        session: what is watched. read_only: nothing that writes is offered.
        keymap: keys of a person's own.
    """

    def __init__(self, session: Session, *, read_only: bool, keymap: Keymap = USUAL) -> None:
        super().__init__()
        self.session = session
        self.picture = Picture(session, read_only=read_only)
        self.labels = keymap
        self.served = False
        """Whether the person sits at another machine: what is written here is out of reach."""
        self.set_keymap(dict(keymap.keys))

    def place_of(self, screen: Screen[Any]) -> Place:
        """Which part of the table of keys holds for a screen."""
        raise NotImplementedError

    def refresh_status(self) -> None:
        """Show what the picture is now."""
        raise NotImplementedError

    # -- keys that are off

    def why_off(self, key: Key) -> str:
        """Why a key does nothing in this session, "" if it does."""
        replay = self.session.playback is not None
        read_only = self.picture.status.read_only
        off = {
            "write": read_only,
            "store": replay,
            "contexts": replay,
            "recording": not replay,
            "files": self.served,
        }
        return REASONS[key.needs] if off.get(key.needs) else ""

    def offers(self, key: Key) -> bool:
        """Whether a footer names a key."""
        return not self.why_off(key)

    async def run_action(
        self,
        action: str | ActionParseResult,
        default_namespace: DOMNode | None = None,
        namespaces: Mapping[str, DOMNode] | None = None,
    ) -> bool:
        """What a key stands for; of one that is off, the reason is said."""
        key = key_of(action, self.place_of(self.screen)) if isinstance(action, str) else None
        reason = self.why_off(key) if key is not None else ""
        if key is not None and reason:
            shown = self.labels.shown(key).split(" ")[0]
            self.notify(f"{shown} is off: {reason}", markup=False, severity="warning")
            return True
        return await super().run_action(action, default_namespace, namespaces)

    def tell_unrecorded(self, before: str, now: str) -> None:
        """A journal that is not written is no reason to stop, but a person should know it once."""
        if now and not before:
            self.notify(f"nothing is recorded: {now}", markup=False, severity="warning")

    # -- time

    def action_pause(self) -> None:
        """Let the picture stand as it is, or show the latest, while the watch itself goes on; stop a
        recording, or play on."""
        if self.session.playback is not None:
            self.session.playback.pause()
            self.session.refresh_now()
        else:
            self.picture.pause()
        self.refresh_status()

    def action_refresh_now(self) -> None:
        """Look at once, and show what there is, paused or not."""
        self.picture.peek()
        self.session.refresh_now()

    def action_rate(self, by: int) -> None:
        """Look more often, or less; play a recording faster, or slower."""
        if self.session.playback is not None:
            self.session.playback.faster(by)
            self.session.refresh_now()
        else:
            now = self.session.interval_ns / SECOND
            if by > 0:
                pace = max((rate for rate in RATES if rate < now), default=RATES[0])
            else:
                pace = min((rate for rate in RATES if rate > now), default=RATES[-1])
            self.session.set_interval(pace)
            if self.picture.status.paused:
                # The header tells the pace of a picture that moves.
                self.notify(f"looks every {pace:g} s; the picture is held, p goes on", markup=False)
        self.refresh_status()

    def action_wind(self, seconds: float) -> None:
        """Go forward in a recording, or back."""
        if self.session.playback is not None:
            self.session.playback.wind(seconds)
            self.session.refresh_now()
            self.refresh_status()

    def action_jump(self, by: int) -> None:
        """Go to when something happened next in a recording, or before."""
        if self.session.playback is None:
            return
        try:
            found = self.session.playback.jump(by)
        except JournalError as error:
            self.notify(printable(str(error)), markup=False, severity="error")
            return
        if not found:
            where = "after" if by > 0 else "before"
            self.notify(f"nothing is recorded to have happened {where} this", markup=False)
            return
        self.session.refresh_now()
        self.refresh_status()
