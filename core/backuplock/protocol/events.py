"""What happens to a claim (events, fed by a driver) and what it wants done next (actions).

For the clocks see `backuplock.protocol.claim`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from backuplock.errors import BackupLockError
from backuplock.model import Flaw, LockFile, Owner
from backuplock.protocol.claim import Outcome
from backuplock.rules import Contender, contender


@dataclass(frozen=True, slots=True)
class Wrote:
    """A write succeeded. `modified`: store time of the new version if the reply told it; `store_now`: the
    store's clock as its reply gave it; `lead`: see `Saw`."""

    began: int
    ended: int
    modified: int | None = None
    etag: str = ""
    store_now: int | None = None
    lead: int = 0


@dataclass(frozen=True, slots=True)
class Own:
    """Our own record in a look: as listed (`etag`), and as read if it was read (`modified`, `serial`).

    If it was read, all three are of the version that was read. `serial` is the number that the body
    carries, None if it was not read or carries none.
    """

    etag: str = ""
    modified: int | None = None
    serial: int | None = None


@dataclass(frozen=True, slots=True)
class Seen:
    """Somebody else's lock file in a look. Without `record`, `flaw` says why, and `modified` is the best
    time that the store gave. `owner` is for people; it decides nothing."""

    key: str
    record: Contender | None
    flaw: Flaw | None = None
    modified: int | None = None
    owner: Owner | None = None


@dataclass(frozen=True, slots=True)
class Saw:
    """A look succeeded: one complete listing, begun at `began`, and a read of everybody else's file in it
    (unchanged versions may come from memory; a file that vanished before it was read is left out).

    `own` is None if the listing lacks our record. `lead`: how far lease time has been pushed ahead of
    the monotonic clock by steps of the wall clock so far; others are judged without it. `error`: why a
    file could not be read, for people; it decides nothing.
    """

    began: int
    ended: int
    own: Own | None
    others: tuple[Seen, ...] = ()
    store_now: int | None = None
    lead: int = 0
    error: BackupLockError | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Woke:
    """A sleep ended; also fed instead of sending a write whose `before` has passed."""

    at: int


@dataclass(frozen=True, slots=True)
class Failed:
    """A look, a write or a removal failed.

    Attributes:
        ambiguous: the store may have executed it, or may yet (no answer). False: surely not.
        conflict: a conditional write found another version; with a client that repeats requests by
            itself, that version may be our own.
        final: asking again will not help (access denied).
        error: what was raised, for people; it decides nothing.
    """

    began: int
    ended: int
    detail: str
    ambiguous: bool = True
    conflict: bool = False
    final: bool = False
    error: BackupLockError | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Removed:
    """Our own file is gone from the store by our doing, or was not there."""

    at: int


@dataclass(frozen=True, slots=True)
class ReleaseAsked:
    """The holder, or whoever waits for it, wants out. May be fed in place of performing any action."""

    at: int


Event = Wrote | Saw | Woke | Failed | Removed | ReleaseAsked


@dataclass(frozen=True, slots=True)
class Write:
    """Write our own record: `acquired`, and `serial` in the body so that versions can be told apart.

    `if_match`: the etag to insist on; empty: write unconditionally. `before`: if lease time has reached
    it when the request is about to be sent, do not send; feed `Woke`. None: no limit.
    """

    acquired: bool
    serial: int
    if_match: str = ""
    before: int | None = None


@dataclass(frozen=True, slots=True)
class Look:
    """List the folder, read the others, and our own if `needs_own` says so; answer `Saw` or `Failed`."""


@dataclass(frozen=True, slots=True)
class Sleep:
    """Sleep until this lease time; answer `Woke`."""

    until: int


@dataclass(frozen=True, slots=True)
class Remove:
    """Remove our own file, exactly and unconditionally; answer `Removed` or `Failed`."""


@dataclass(frozen=True, slots=True)
class Rest:
    """The lease is lost: do nothing until release is asked."""


@dataclass(frozen=True, slots=True)
class Stop:
    """The end."""

    outcome: Outcome


Action = Write | Look | Sleep | Remove | Rest | Stop


def seen(lock: LockFile) -> Seen:
    """A lock file as the protocol sees it."""
    record = contender(lock)
    flaw = lock.flaw
    if record is None and flaw is None:
        # A record without a time: its age cannot be judged, which is as good as unread.
        flaw = Flaw.UNREADABLE
    return Seen(lock.key, record, flaw, lock.modified_ns, lock.record.owner if lock.record else None)
