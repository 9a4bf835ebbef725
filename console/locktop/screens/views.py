"""Screens that are not there at first, each read when it is first shown: the first picture need not wait."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeGuard

from textual.screen import Screen

if TYPE_CHECKING:
    from locktop.keys import Place
    from locktop.screens.base import Sheet, View
    from locktop.screens.explain import ExplainScreen


def blocked() -> View:
    """What is blocked, by what."""
    from locktop.screens.blocked import BlockedScreen

    return BlockedScreen()


def simulate() -> View:
    """How operations would fare."""
    from locktop.screens.simulate import SimulateScreen

    return SimulateScreen()


def events_() -> View:
    """What has happened."""
    from locktop.screens.events import EventsScreen

    return EventsScreen()


def details(volume: str, lock: str) -> View:
    """Everything about a volume."""
    from locktop.screens.details import DetailsScreen

    return DetailsScreen(volume, lock)


def explain(text: str) -> View:
    """A message of Longhorn, explained."""
    from locktop.screens.explain import ExplainScreen

    return ExplainScreen(text)


def is_explain(screen: Screen[object]) -> TypeGuard[ExplainScreen]:
    """Whether a message is being explained."""
    return getattr(screen, "PLACE", "") == "explain"


def help_(place: Place) -> Sheet:
    """The keys of a view."""
    from locktop.screens.help import HelpScreen

    return HelpScreen(place)
