"""What looking at a store may cost, from the settings and from what the store is."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from backuplock.rounds import FREE, Budget, Prices

if TYPE_CHECKING:
    from backuplock.stores.base import Store
    from locktop.settings import Settings

_AWS = (".amazonaws.com", ".amazonaws.com.cn")


def budget_for(settings: Settings, store: Store) -> Budget:
    """The budget of a watch over a store."""
    prices = _prices(settings.prices.value, store)
    dollars = None if prices.free else settings.dollars_per_day.value
    return Budget(settings.requests_per_second.value, dollars, prices)


def _prices(text: str, store: Store) -> Prices:
    if text == "auto":
        host = urlsplit(getattr(store, "endpoint", "")).hostname or ""
        return Prices() if host.endswith(_AWS) else FREE
    if text in ("aws", "free"):
        return Prices() if text == "aws" else FREE
    listing, _, read = text.partition("/")
    return Prices(float(listing), float(read))
