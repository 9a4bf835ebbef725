"""What each possible act would do about a lock that is in the way, and what Longhorn does by itself.

Pure. Sources: Longhorn backupstore `lock.go` (a lease of 150 s, refreshed blindly each 60 s, nobody cleans
up) and longhorn-manager, releases 1.1.0 to 1.12.1 (what is retried after a refusal).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from backuplock.clock import Span
from backuplock.explain import Wording
from backuplock.guarantees import RENEW_NS
from backuplock.liveness import Doubt, Life, Liveness
from backuplock.model import UNREAD, Flaw, LockRecord, LockType, Operation
from backuplock.rules import LONGHORN, State
from backuplock.tree import Difference, Node
from locktop.output.words import span_words, until_words

Help = Literal["yes", "no", "perhaps", "harmful"]


@dataclass(frozen=True, slots=True)
class Act:
    """One thing a person could do about one lock.

    `act` is `wait`, `stop_holder` or `remove_file`. `helps`: whether it clears the way. `by_ns` is the store
    time by which the way is clear at the latest if it is done now, None if no such time is known.
    """

    act: str
    helps: Help
    text: str
    by_ns: int | None = None


@dataclass(frozen=True, slots=True)
class Habit:
    """What Longhorn's manager does after a refusal of `operation`; `retries` None: not known."""

    operation: Operation
    retries: bool | None
    text: str


def acts(node: Node, life: Liveness, now: Span) -> tuple[Act, ...]:
    """What waiting, stopping the holder and removing the file would each do about one lock."""
    return (_wait(node, life, now), *_stop(node, life, now), _remove(node, life, now))


def _wait(node: Node, life: Liveness, now: Span) -> Act:
    ends = node.standing.ends_ns
    if node.lock.flaw is Flaw.UNREADABLE or ends is None:
        return Act("wait", "no", "nothing is known to end by itself: find out why it cannot be read")
    if node.difference is Difference.UNDECODABLE:
        end = until_words(ends, now)
        text = f"not needed for Longhorn, which ignores it; locktop's own locks count it until {end}"
        return Act("wait", "yes", text, ends)
    if node.lock.flaw in UNREAD:
        end = until_words(ends, now)
        text = f"it ends by itself at {end} unless it is written anew; what it says could not be read"
        return Act("wait", "perhaps", text, ends)
    if node.state is State.WAITING or node.lock.record is None or not node.lock.record.acquired:
        return Act("wait", "yes", f"it ends by itself at {until_words(ends, now)} at the latest", ends)
    if life.life is Life.LIVE:
        return Act("wait", "yes", "once its operation is over; when that will be the store does not tell")
    text = (
        f"helps if the holder is dead: it then ends at {until_words(ends, now)}; a refresh would prolong it"
    )
    return Act("wait", "perhaps", text, ends)


def _stop(node: Node, life: Liveness, now: Span) -> tuple[Act, ...]:
    record = node.lock.record
    if record is None or not record.acquired or life.life is Life.STALE:
        return ()
    end = now.hi + LONGHORN.duration_ns
    if is_ours(record):
        return (Act("stop_holder", "yes", _stop_ours(record, until_words(end, now)), end),)
    where = {
        int(LockType.BACKUP_RESTORE): "the instance-manager that works for this volume (a backup or restore)",
        int(LockType.DELETION): "the longhorn-manager pod that owns the deletion",
    }.get(record.type, "whoever wrote it")
    if record.owner is not None and record.owner.host:
        where = "the process that the lock itself names"
    text = (
        f"restarting {where} ends the operation; the lock then ends 150 seconds after its last refresh, at "
        f"{until_words(end, now)} at the latest"
    )
    return (Act("stop_holder", "yes", text, end),)


def is_ours(record: LockRecord | None) -> bool:
    """Whether a lock says that locktop or its library holds it, which do not hold on as Longhorn does."""
    tool = record.owner.tool if record is not None and record.owner is not None else ""
    return tool.partition("/")[0] in ("backuplock", "locktop")


def _stop_ours(record: LockRecord, end: str) -> str:
    owner = record.owner
    pid, host = (owner.pid, owner.host) if owner is not None else (0, "")
    return (
        f"send SIGTERM to its process{f' {pid}' if pid else ''}{f' on {host}' if host else ''}: locktop hold "
        "gives the lock back at once, locktop run when its command has ended; if the process dies without "
        f"that, the lock ends at {end} at the latest"
    )


def _remove(node: Node, life: Liveness, now: Span) -> Act:
    if node.state is State.STALE and life.life is Life.STALE:
        return Act("remove_file", "no", "harmless tidying: it is in nobody's way any more")
    if node.lock.flaw is Flaw.UNDECODABLE:
        return Act(
            "remove_file", "yes", "it is no lock to Longhorn; find out who wrote it before it is removed"
        )
    if node.lock.flaw is not None:
        text = "not before it is known what it says: Longhorn may read it, and it may be a live lock"
        return Act("remove_file", "perhaps", text)
    ours = is_ours(node.lock.record)
    notices = f"notices within {span_words(RENEW_NS)} that it is gone, and stops its work"
    alive = life.life is Life.LIVE or life.doubt is Doubt.ARRIVED
    if alive and node.lock.record is not None and node.lock.record.acquired:
        who = "the holder is alive" if life.life is Life.LIVE else "the holder wrote it just now"
        text = (
            f"do not: {who}. Longhorn's works on without protection and writes it anew within 60 seconds; "
            "data can be lost meanwhile"
        )
        if ours:
            text = (
                f"do not: {who}. It {notices}; it does not write it anew, but works without "
                "protection until then, and what it was doing stays half done"
            )
        return Act("remove_file", "harmful", text)
    if node.state is State.WAITING:
        end = node.standing.ends_ns
        when = f" after {until_words(end, now)}" if end is not None else ""
        return Act("remove_file", "perhaps", f"not while it may be a request in progress; harmless{when}")
    would = notices if ours else "writes it anew within 60 seconds"
    text = f"not before it is sure that the holder is dead: a live one {would}"
    return Act("remove_file", "perhaps", text)


def habits(operations: frozenset[Operation], wording: Wording) -> tuple[Habit, ...]:
    """What Longhorn's manager does by itself after refusing these operations (all, if none are given)."""
    return tuple(_habit(one, wording) for one in Operation if one in (operations or frozenset(Operation)))


def _habit(operation: Operation, wording: Wording) -> Habit:
    if operation is Operation.BACKUP:
        text = "a refused backup is never retried: start it again; a recurring job asks again at its next run"
        return Habit(operation, False, text)
    if operation is Operation.DELETE and wording is Wording.FIRST:
        text = "this release does not retry a refused deletion (1.8 and later do): delete it again"
        return Habit(operation, False, text)
    if operation is Operation.DELETE:
        text = (
            "a refused deletion is retried since 1.8: after 1 minute, then doubling up to 24 hours, so it "
            "may sleep for hours after the way is free"
        )
        # The wording of 1.6.3 to 1.10.1 spans releases that do and releases that do not.
        return Habit(operation, True if wording is Wording.THIRD else None, text)
    if wording is Wording.FIRST:
        return Habit(operation, True, "this release recognises its own refusal and retries the restore")
    text = (
        "a refused restore is not retried since the message was worded anew (1.6.3, 1.7.2, 1.8.0, up to "
        "1.12.1): the replica errors, a standby volume faults. Look before the next one: "
        "locktop simulate VOLUME --op restore"
    )
    return Habit(operation, None if wording is Wording.OTHER else False, text)
