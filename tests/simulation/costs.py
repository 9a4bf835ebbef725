"""What a lock costs in requests and time, ours and the original's, on an undisturbed store.

PYTHONPATH=core:tests python -m simulation.costs
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass

from backuplock.protocol import Terms
from simulation.clients import Client, Original, OurClient, Plan
from simulation.engine import SECOND, Ask, Engine, LocalClock, Process
from simulation.observer import Observer
from simulation.store import Habits, Store

QUIET = Habits(latency=SECOND // 100, slow=0.0)
"""An S3 store in good order: 20 to 40 ms a request, times in reads only."""


@dataclass(frozen=True, slots=True)
class Cost:
    """Requests by verb of an acquisition, a hold and a release; of the acquisition alone; its latency in
    nanoseconds; the verbs in the order in which they were asked."""

    requests: dict[str, int]
    to_acquire: dict[str, int]
    latency: int
    verbs: tuple[str, ...]


def cost(terms: Terms | None, hold: int, rival: bool = False) -> Cost:
    """Play one lock: ours on these terms, None: the original's; `rival`: beside another of the type."""
    engine = Engine()
    observer = Observer(engine)
    store = Store(engine, QUIET, random.Random(1))
    observer.store = store
    verbs: list[tuple[int, str]] = []
    client: Client
    if rival:
        other = Original(Plan("other", 1, 0, hold * 2), store, observer, LocalClock(0, 0))
        engine.at(0, lambda: other.begin(other.run()))
    plan = Plan("mine", 1, 10 * SECOND, hold)
    if terms is None:
        client = Original(plan, store, observer, LocalClock(0, 0))
    else:
        client = OurClient(plan, store, observer, LocalClock(0, 0), terms, random.Random(2))
    observer.clients = [client]
    submit = client.submit

    def count(process: Process, ask: Ask) -> None:
        verbs.append((engine.now, ask.verb))
        submit(process, ask)

    client.submit = count
    engine.at(plan.begins, lambda: client.begin(client.run()))
    while not client.believes(engine.now):
        engine.run(engine.now + SECOND // 1_000)
    granted = engine.now
    engine.run(granted + 3 * hold)
    return Cost(
        requests=dict(Counter(verb for _, verb in verbs)),
        to_acquire=dict(Counter(verb for when, verb in verbs if when < granted)),
        latency=granted - plan.begins,
        verbs=tuple(verb for _, verb in verbs),
    )


def main() -> None:
    """Print a table."""
    rows = {
        "the original": None,
        "ours, settle wait": Terms(),
        "ours, eager": Terms(eager=True),
        "ours, eager, renewed every 30 s": Terms(eager=True, renew=30 * SECOND),
        "ours, eager, no closing look": Terms(eager=True, closing_look=False),
    }
    for name, terms in rows.items():
        found = cost(terms, 3_600 * SECOND)
        total = sum(found.requests.values())
        print(f"{name}: acquired in {found.latency / SECOND:.2f} s by {found.to_acquire}")
        print(f"    with 1 h of holding and the release: {total} requests, {found.requests}")


if __name__ == "__main__":
    main()
