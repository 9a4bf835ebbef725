"""From a seed to a scenario, from a scenario to what happened."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from backuplock.protocol import Terms
from backuplock.rules import LONGHORN
from simulation.clients import Client, Original, OurClient, Plan
from simulation.engine import SECOND, Engine, LocalClock
from simulation.observer import Observer
from simulation.store import Habits, Store

HORIZON = 1_800 * SECOND


@dataclass
class Report:
    """What one seed showed. `trace` is filled when asked for."""

    seed: int
    violations: list[str]
    excused: Counter[str]
    counts: Counter[str]
    trace: list[str] = field(default_factory=list)


def run_seed(seed: int, *, trace: bool = False) -> Report:
    """Play one seed. The same seed plays the same, traced or not."""
    rng = random.Random(seed)
    engine = Engine()
    told: list[str] = []

    def log(text: str) -> None:
        told.append(f"{engine.now / SECOND:10.3f}  {text}")

    say: Callable[[str], None] | None = log if trace else None
    observer = Observer(engine, say)
    habits = _habits(rng)
    store = Store(engine, habits, random.Random(rng.random()), say, observer.put)
    observer.store = store
    observer.clients = _clients(rng, habits, store, observer)
    if say is not None:
        say(f"store: {habits}")
    for client in observer.clients:
        if say is not None:
            say(f"{client.name}: {client.plan}")
        engine.at(client.plan.begins, lambda client=client: client.begin(client.run()))
        _trouble(rng, engine, observer, client)
    engine.run(HORIZON)
    for client in observer.clients:
        if client.body is not None and not client.dead:
            observer.violations.append(f"{client.name} never came to an end")
    return Report(seed, observer.violations, observer.excused, observer.counts, told)


def _chance(rng: random.Random, p: float) -> bool:
    return rng.random() < p


def _habits(rng: random.Random) -> Habits:
    faulty = _chance(rng, 0.5)
    lagging = _chance(rng, 0.15)
    return Habits(
        latency=int(rng.choice((0.002, 0.02, 0.1, 0.4)) * SECOND),
        slow=rng.choice((0.0, 0.02, 0.1)),
        grain=rng.choice((1, SECOND)),
        offset=rng.choice((0, rng.randrange(-3_600, 3_600) * SECOND)) + 1_000_000 * SECOND,
        tells_time=_chance(rng, 0.5),
        dates=_chance(rng, 0.5),
        conditional=_chance(rng, 0.5),
        visible_after=rng.choice((0, 0, 0, SECOND // 2, LONGHORN.settle_ns - SECOND // 10)),
        p_stale=rng.choice((0.02, 0.1)) if lagging else 0.0,
        p_error=rng.choice((0.0, 0.01, 0.05)) if faulty else 0.0,
        p_lost=rng.choice((0.0, 0.01, 0.05)) if faulty else 0.0,
        p_late=rng.choice((0.0, 0.0, 0.02)) if faulty else 0.0,
    )


def _clients(rng: random.Random, habits: Habits, store: Store, observer: Observer) -> list[Client]:
    count = rng.choice((2, 2, 2, 3, 3, 4))
    window = rng.choice((SECOND // 20, 3 * SECOND, 60 * SECOND, 240 * SECOND))
    clients: list[Client] = []
    for i in range(count):
        ours = _chance(rng, 0.65)
        plan = Plan(
            name=f"{'ours' if ours else 'orig'}-{rng.randrange(16**4):04x}{i}",
            lock_type=i % 2 + 1 if i < 2 else rng.choice((1, 2)),
            begins=rng.randrange(window),
            hold=int(rng.choice((1, 30, 90, 240)) * rng.uniform(0.5, 1.5) * SECOND),
            patience=rng.choice((0, 0, 10, 120, 400)) * SECOND,
        )
        if ours:
            offset = habits.offset + rng.choice((0, rng.randrange(-7_200, 7_200))) * SECOND
            clock = LocalClock(offset, rng.randrange(-90, 90))
            terms = _terms(rng, habits)
            own = random.Random(rng.random())
            clients.append(OurClient(plan, store, observer, clock, terms, own))
        else:
            wrong = rng.randrange(-200, 200) if _chance(rng, 0.1) else 0
            clients.append(Original(plan, store, observer, LocalClock(habits.offset + wrong * SECOND, 0)))
    return clients


def _terms(rng: random.Random, habits: Habits) -> Terms:
    return Terms(
        renew=rng.choice((20, 30)) * SECOND,
        watch=rng.choice((0, 0, 65)) * SECOND,
        grain=habits.grain,
        eager=_chance(rng, 0.5) and not habits.p_stale,
        conditional=habits.conditional,
        closing_look=_chance(rng, 0.5),
    )


def _trouble(rng: random.Random, engine: Engine, observer: Observer, client: Client) -> None:
    """Pauses, deaths, clock steps and broken locks of one client."""
    if _chance(rng, 0.25):
        length = rng.choice((rng.randrange(1, 10), rng.randrange(30, 120), rng.randrange(150, 400)))
        engine.at(_some_time(rng, client), client.pause, length * SECOND)
    if _chance(rng, 0.15):
        engine.at(_some_time(rng, client), client.kill)
    if isinstance(client, OurClient):
        if _chance(rng, 0.1):
            engine.at(_some_time(rng, client), _step_clock, client, rng.randrange(1, 200) * SECOND)
        if _chance(rng, 0.07):
            engine.at(_some_time(rng, client), _break, observer, client)


def _some_time(rng: random.Random, client: Client) -> int:
    return client.plan.begins + int(rng.choice((1, 5, 60, 300)) * rng.random() * SECOND)


def _step_clock(client: OurClient, by: int) -> None:
    """The wall clock is set forward: lease time goes with it, the monotonic clock does not."""
    client.clock.lead += by


def _break(observer: Observer, client: OurClient) -> None:
    claim, store = client.claim, observer.store
    if claim is not None and store is not None and claim.key in store.files:
        store.take_away(claim.key)
        observer.broke(client)
