"""The transaction that breaks one lock.

Look, write down what is about to be done (on disk), keep a copy and read it back, take the lock out of its
place if it still is what was seen, look again, say that it is done: in the store, then in the audit trail.
Killed after any step, it leaves the lock where it was or in the quarantine, and a trace that says which.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass

from backuplock.breaking import quarantine
from backuplock.breaking.errors import AuditError, Because, Failed, Refused
from backuplock.breaking.plan import Order
from backuplock.breaking.quarantine import Kept
from backuplock.breaking.removal import Removal, remove
from backuplock.breaking.seen import current
from backuplock.breaking.token import Token, digest_of
from backuplock.breaking.writer import Step, Writer, place_of
from backuplock.clock import Span
from backuplock.errors import BackupLockError, StoreError
from backuplock.rules import expired
from backuplock.stores.base import Blob
from backuplock.text import printable

REASON_CAP = 500


@dataclass(frozen=True, slots=True)
class Broken:
    """A lock that was broken.

    Attributes:
        id: of the transaction; `undo` takes it.
        removed_mono_ns: local monotonic instant at which it was out of its place.
        window_ns: from the beginning of the last look to the end of the delete; None where a rename took the
            file, which leaves no such window.
        back: it was there again, written anew, when its place was looked at after that.
        notes: what did not go as it should without changing that, clauses.
    """

    id: str
    token: Token
    removed_mono_ns: int
    window_ns: int | None = None
    back: bool = False
    notes: tuple[str, ...] = ()


def execute(writer: Writer, order: Order, *, reason: str = "", allow_live: bool = False) -> Broken:
    """Break one lock, or leave everything as it is.

    Args:
        order: `Plan.order`.
        reason: the person's own, for the audit trail; cut to 500 characters.
        allow_live: break it although nothing shows that its holder is dead.

    Raises:
        Refused: it was not done; `because` says why.
        Failed: the store or the audit trail failed; `settled` says whether the lock surely is as it was.
        AuditError: the audit trail does not take the entry before; nothing was done.
        StoreError: the store could not be read; nothing was done.
    """
    if order.unfit:
        raise Refused(f"{order.token.shown} is not broken, {order.unfit}", because=Because.UNFIT)
    if not (order.dead or allow_live):
        raise Refused(
            f"{order.token.shown} is not broken, nothing shows that its holder is dead",
            because=Because.ALIVE,
            advice="wait, or insist on it: --even-if-live",
        )
    blob = current(writer, order.token)
    if not allow_live:
        _still_dead(writer, order.token, blob)
    writer.told(Step.CHECKED)
    wall = writer.clock.wall_ns()
    entry = quarantine.new_id(wall)
    kept = Kept(
        id=entry,
        token=order.token,
        body=blob.body,
        broken_wall_ns=wall,
        user=writer.who.user,
        host=writer.who.host,
        tool=writer.who.tool,
        reason=printable(reason, limit=REASON_CAP),
        life=order.life,
        had_volume=order.had_volume,
    )
    with writer.audit.at_work(entry):
        _write_before(writer, kept, blob, order, allow_live=allow_live)
        return carry_out(writer, kept)


def _still_dead(writer: Writer, token: Token, blob: Blob) -> None:
    seen = blob.observed
    if seen is None:
        return
    now = Span(seen.store_ns, seen.store_ns + seen.grain_ns)
    if expired(token.modified_ns, now, writer.timing) is False:
        raise Refused(
            f"{token.shown} is not broken, its lease has not ended on the store's clock",
            because=Because.ALIVE,
            advice="set the clocks right, look again",
        )


def _write_before(writer: Writer, kept: Kept, blob: Blob, order: Order, *, allow_live: bool) -> None:
    token = kept.token
    fields = {
        "target": token.target,
        "place": place_of(writer.store),
        "key": token.key,
        "modified_ns": token.modified_ns,
        "etag": printable(token.etag, limit=200),
        "digest": digest_of(kept.body),
        "body": base64.b64encode(kept.body).decode(),
        "store_ns": blob.observed.store_ns if blob.observed is not None else None,
        "user": kept.user,
        "host": kept.host,
        "tool": kept.tool,
        "reason": kept.reason,
        "life": kept.life,
        "live": allow_live,
        "had_volume": kept.had_volume,
        "evidence": [printable(clause, limit=300) for clause in order.evidence],
    }
    writer.audit.append("break", "before", kept.id, kept.broken_wall_ns, fields)
    writer.told(Step.AUDITED)


def carry_out(writer: Writer, kept: Kept) -> Broken:
    """All that comes after the entry before: also where a killed transaction is taken up again."""
    try:
        quarantine.keep(writer.store, kept)
    except BackupLockError as error:
        withdraw(writer, kept)
        why = f"no copy of {kept.token.shown} could be kept, so it was not broken: {error.what}"
        raise _failure(writer, kept, why, error) from error
    writer.told(Step.COPIED)
    try:
        removal = remove(writer, kept)
    except Refused as refused:
        withdraw(writer, kept)
        _record_end(writer, kept, "refused", refused.what)
        raise
    except Failed as failed:
        if failed.settled:
            withdraw(writer, kept)
        _record_end(writer, kept, "failed" if failed.settled else "unknown", failed.what)
        raise
    writer.told(Step.VERIFIED)
    return conclude(writer, kept, removal)


def conclude(writer: Writer, kept: Kept, removal: Removal, outcome: str = "broken") -> Broken:
    """Say that it is done, in the store and in the audit trail."""
    notes = [*removal.notes, *_kept_still(writer, kept)]
    try:
        quarantine.mark(writer.store, kept.id, "done")
    except StoreError as error:
        notes.append(f"the quarantine does not say that it is done: {error.what}")
    writer.told(Step.MARKED)
    detail = "; ".join((*(("it was back at once",) if removal.back else ()), *notes))
    try:
        record(writer, kept, outcome, detail, window_ns=removal.window_ns)
    except AuditError as error:
        what = f"{kept.token.shown} was broken, and the audit trail does not say so: {error.what}"
        raise Failed(what, settled=False, entry=kept.id, advice=f"finish it: {kept.id}") from error
    writer.told(Step.RECORDED)
    return Broken(kept.id, kept.token, removal.removed_mono_ns, removal.window_ns, removal.back, tuple(notes))


def _kept_still(writer: Writer, kept: Kept) -> list[str]:
    """The copy must be there when the lock is not: somebody elsewhere may have taken the act for dead."""
    try:
        if writer.store.read(quarantine.description(kept.id), cap=quarantine.CAP) is None:
            quarantine.keep(writer.store, kept)
            return ["somebody had removed its copy meanwhile, which was written again"]
    except StoreError as error:
        return [f"whether its copy is there could not be seen: {error.what}"]
    return []


def withdraw(writer: Writer, kept: Kept) -> None:
    """Remove the copy of a lock that was not broken; never the last there is of one that is gone. Where that
    is denied, a mark says that it is over; where that fails as well, the audit trail still says so."""
    try:
        if not _is_needed(writer, kept):
            quarantine.drop(writer.store, kept.id)
    except StoreError:
        try:
            quarantine.mark(writer.store, kept.id, "undone")
        except StoreError:
            pass


def _is_needed(writer: Writer, kept: Kept) -> bool:
    there = next((one for one in quarantine.listed(writer.store) if one.id == kept.id), None)
    if there is None:
        return False
    return "done" in there.marks or (there.file and writer.store.read(kept.key) is None)


def record(writer: Writer, kept: Kept, outcome: str, detail: str, *, window_ns: int | None = None) -> None:
    """Write the entry after."""
    fields = {
        "target": kept.token.target,
        "key": kept.token.key,
        "outcome": outcome,
        "detail": printable(detail, limit=1000),
        "window_ns": window_ns,
    }
    writer.audit.append("break", "after", kept.id, writer.clock.wall_ns(), fields)


def _record_end(writer: Writer, kept: Kept, outcome: str, what: str) -> None:
    """Write the entry after an act that did not come to its end; that this fails, too, must not hide why."""
    try:
        record(writer, kept, outcome, what)
    except AuditError as error:
        what = f"{what}; nor does the audit trail say so: {error.what}"
        raise Failed(what, settled=outcome != "unknown", entry=kept.id) from error


def _failure(writer: Writer, kept: Kept, why: str, error: BackupLockError) -> Failed:
    _record_end(writer, kept, "failed", why)
    return Failed(why, settled=True, entry=kept.id, advice=error.advice)
