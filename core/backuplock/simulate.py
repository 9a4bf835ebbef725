"""What would happen if: the lock's own state machine, played on a copy of a volume's locks in virtual time.

Nothing is written to any store. The copy lives in a `MemoryStore` under a `ManualClock`; what our client
does there is decided by `backuplock.protocol` and performed by `backuplock.driver`, as in earnest. What the
*others* do is assumed, and said in the scenario: those who refresh go on until they are told to stop.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from backuplock.clock import SECOND
from backuplock.errors import Malformed
from backuplock.guarantees import terms_for
from backuplock.model import LockFile
from backuplock.protocol import Terms
from backuplock.scenario import Act, Attempt, Client, Forecast, Lane, Scenario, Step
from backuplock.stores.base import Capabilities
from backuplock.virtual import World

__all__ = [
    "HORIZON_NS",
    "Act",
    "Attempt",
    "Client",
    "Forecast",
    "Lane",
    "Scenario",
    "Step",
    "forecast",
    "terms_on",
]

HORIZON_NS = 24 * 3600 * SECOND
"""How far a scenario is played at most."""


def terms_on(found: Capabilities | None) -> Terms:
    """The terms of a client that asks as Longhorn does, with two seconds between writing and looking, on a
    store of these capabilities; None: they are not known."""
    if found is None:
        return Terms()
    return replace(terms_for(found, accept_lagging=True), eager=False)


def forecast(
    volume: str, locks: Sequence[LockFile], now_ns: int, scenario: Scenario, terms: Terms | None = None
) -> Forecast:
    """Play a scenario on the present locks of a volume.

    Args:
        locks: as a Snapshot has them. now_ns: the store's time now.
        terms: of the clients, see `terms_on`; by default Longhorn's periods, with its two seconds between
            writing and looking. The copy of the volume stamps times in their grain.

    Raises:
        Malformed: the volume's name is none, or the scenario names a key that is not there.
    """
    if not scenario.clients:
        raise Malformed("the scenario has no client", advice="say who asks for what")
    known = {lock.key for lock in locks}
    for key, _ in (*scenario.dies, *scenario.ends, *scenario.breaks):
        if key not in known:
            raise Malformed(f"{key} is not among the volume's locks", advice="look at them anew")
    horizon = min(scenario.horizon_ns, HORIZON_NS)
    return World(volume, locks, now_ns, replace(scenario, horizon_ns=horizon), terms or Terms()).play()
