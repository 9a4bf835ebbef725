"""What a look at a store gives as metrics of Prometheus: a few series, whatever the number of volumes.

No name of a volume, a claim or a lock is a label: there may be tens of thousands of them, and whoever may
scrape need not know them. Times are in seconds, as Prometheus wants them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector

from backuplock.clock import SECOND
from backuplock.model import LockFile, LockType, Operation, Snapshot
from backuplock.rules import State
from backuplock.text import printable
from locktop import __version__
from locktop.output.blocked import blockages
from locktop.rows import Board, board_of

_TYPES: Mapping[int, str] = {LockType.BACKUP_RESTORE: "backup_restore", LockType.DELETION: "deletion"}
_OTHER = "other"
_STATES = tuple(state.value for state in State)


@dataclass(frozen=True, slots=True)
class Look:
    """What there is to be told: a Snapshot, or None where the store did not give one; and the acts that the
    audit trail has of this target, by (act, outcome), or None where the trail cannot be read."""

    target: str
    snapshot: Snapshot | None
    acts: Mapping[tuple[str, str], int] | None = field(default_factory=dict)


def text(look: Look) -> str:
    """A look in the text format, version 0.0.4."""
    return generate_latest(registry_of(lambda: look)).decode("utf-8")


def registry_of(look: Callable[[], Look]) -> CollectorRegistry:
    """A registry whose every collection takes a look."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Looking(look))
    return registry


class _Looking(Collector):
    def __init__(self, look: Callable[[], Look]) -> None:
        self._look = look

    def describe(self) -> Iterable[Metric]:
        """Nothing, so that registering takes no look."""
        return ()

    def collect(self) -> Iterable[Metric]:
        """The families of one look."""
        return families(self._look())


def families(look: Look) -> Iterator[Metric]:
    """The metrics of a look; of a store that was not reached only that, and what the trail says."""
    target = printable(look.target)
    yield _gauge("up", "1: the store was looked at; 0: it does not answer, or does not let us in.", target)(
        look.snapshot is not None
    )
    yield _gauge("build_info", "1; the version of locktop.", target, version=__version__)(1)
    if look.snapshot is not None:
        board = board_of(look.snapshot)
        yield from _locks(board, target)
        yield from _volumes(board, target)
        yield from _sweep(look.snapshot, target)
    yield from _acts(look, target)


def _locks(board: Board, target: str) -> Iterator[Metric]:
    number = GaugeMetricFamily("locktop_locks", "Lock files.", labels=["target", "type", "state"])
    oldest = GaugeMetricFamily(
        "locktop_oldest_lock_age_seconds",
        "Time since the last refresh of the lock that was refreshed longest ago, on the store's clock.",
        labels=["target", "state"],
    )
    counts: Counter[tuple[str, str]] = Counter()
    ages: dict[str, int] = {}
    for row in board.rows:
        if row.lock is None:
            continue
        counts[_type(row.lock), row.state.value] += 1
        if row.lock.modified_ns is not None:
            age = board.now.middle - row.lock.modified_ns
            ages[row.state.value] = max(age, ages.get(row.state.value, age))
    for kind in (*_TYPES.values(), _OTHER):
        for state in _STATES:
            number.add_metric([target, kind, state], counts[kind, state])
    for state, age in sorted(ages.items()):
        oldest.add_metric([target, state], age / SECOND)
    yield number
    if ages:
        yield oldest
    yield _gauge("clashing_locks", "Acquired locks of opposite types that stand together.", target)(
        board.clashing
    )


def _type(lock: LockFile) -> str:
    return _OTHER if lock.record is None else _TYPES.get(lock.record.type, _OTHER)


def _volumes(board: Board, target: str) -> Iterator[Metric]:
    snapshot = board.snapshot
    yield _gauge("volumes", "Backup volumes found.", target)(len(snapshot.volumes))
    yield _gauge("locked_volumes", "Volumes with a lock file, dead ones included.", target)(board.locked)
    yield _gauge("ghost_volumes", "Volumes with nothing but locks.", target)(board.ghosts)
    refused = GaugeMetricFamily(
        "locktop_blocked_volumes",
        "Volumes where the operation would be refused if it began now.",
        labels=["target", "operation"],
    )
    unknown = GaugeMetricFamily(
        "locktop_undecided_volumes",
        "Volumes of which it cannot be told whether the operation would be refused.",
        labels=["target", "operation"],
    )
    verdicts = Counter(
        (verdict.operation, verdict.granted)
        for one in blockages(snapshot, tuple(Operation))
        for verdict in one.verdicts
    )
    for operation in Operation:
        refused.add_metric([target, operation.value], verdicts[operation, False])
        unknown.add_metric([target, operation.value], verdicts[operation, None])
    yield refused
    yield unknown


def _sweep(snapshot: Snapshot, target: str) -> Iterator[Metric]:
    skew, error = snapshot.clock.skew(wall_ns=snapshot.taken_wall_ns, mono_ns=snapshot.ended_mono_ns)
    took = snapshot.ended_mono_ns - snapshot.began_mono_ns
    there = snapshot.store_present
    yield _gauge("store_present", "0: the place holds no backupstore folder.", target)(there)
    yield _gauge("complete", "1: all was read; 0: something was not, so absence proves nothing.", target)(
        snapshot.complete
    )
    yield _gauge("sweep_duration_seconds", "What reading the whole store took.", target)(took / SECOND)
    yield _gauge("sweep_requests", "Requests, or calls, that this took.", target)(snapshot.requests)
    yield _gauge("sweep_timestamp_seconds", "When it ended, by this machine's clock.", target)(
        snapshot.taken_wall_ns / SECOND
    )
    if snapshot.clock.source != "assumed":
        yield _gauge("clock_skew_seconds", "The store's clock minus this machine's.", target)(skew / SECOND)
    yield _gauge("clock_error_seconds", "How far that may be off.", target)(error / SECOND)


def _acts(look: Look, target: str) -> Iterator[Metric]:
    yield _gauge("audit_readable", "Whether the audit trail of this machine could be read.", target)(
        look.acts is not None
    )
    if look.acts is None:
        return
    labels = ["target", "outcome"]
    for act, usual, said in (("break", "broken", "Breaks of locks"), ("undo", "undone", "Undone breaks")):
        counter = CounterMetricFamily(
            f"locktop_{act}s", f"{said}, by the trail of this machine.", labels=labels
        )
        found = {outcome: number for (one, outcome), number in look.acts.items() if one == act}
        for outcome, number in sorted({usual: 0, **found}.items()):
            counter.add_metric([target, printable(outcome)], number)
        yield counter


def _gauge(name: str, said: str, target: str, **labels: str) -> Callable[[float], GaugeMetricFamily]:
    def of(value: float) -> GaugeMetricFamily:
        family = GaugeMetricFamily(f"locktop_{name}", said, labels=["target", *labels])
        family.add_metric([target, *labels.values()], float(value))
        return family

    return of
