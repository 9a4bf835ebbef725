"""The command palette, fed by the one table of keys."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, cast

from textual.command import DiscoveryHit, Hit, Hits, Provider

from locktop.keys import Key, commands

if TYPE_CHECKING:
    from locktop.app import LocktopApp


class KeyCommands(Provider):
    """Everything that a key does in the view from which the palette was opened."""

    async def discover(self) -> Hits:
        """What there is before anything is typed."""
        for key in self._keys():
            if key.group == "MOVE":
                # Nobody opens a list to go down a line.
                continue
            yield DiscoveryHit(self._title(key), partial(self._act, key), help=self._help(key))

    async def search(self, query: str) -> Hits:
        """What fits the letters typed."""
        matcher = self.matcher(query)
        for key in self._keys():
            score = matcher.match(self._title(key))
            if score > 0:
                shown = matcher.highlight(self._title(key))
                yield Hit(score, shown, partial(self._act, key), help=self._help(key))

    def _keys(self) -> list[Key]:
        replay = self._locktop.status.tape is not None
        found = commands(self._locktop.place_of(self.screen))
        return [key for key in found if replay or key.needs != "recording"]

    @property
    def _locktop(self) -> LocktopApp:
        return cast("LocktopApp", self.app)

    def _help(self, key: Key) -> str | None:
        return self._locktop.why_off(key) or None

    async def _act(self, key: Key) -> None:
        target = self.app if key.place == "app" else self.screen
        await self.app.run_action(key.action, target)

    def _title(self, key: Key) -> str:
        """As the help lists it, so that the key is learnt."""
        return f"{self._locktop.labels.shown(key):<11}{key.words}"
