"""The lease as a state machine without I/O: the one copy of the rules of acquiring, renewing, releasing.

The driver of the real lock, the simulation, the model check and the console's what-if all run this code.

    claim, action = start(terms, key=..., name=..., lock_type=...)
    while not isinstance(action, Stop):
        event = ...perform the action...
        claim, action = advance(claim, event)

What a driver does:

* `Write(acquired, serial, if_match, before)`: unless lease time has reached `before` (then feed `Woke`),
  put our record with `serial` in its body, conditionally if `if_match`. Answer `Wrote` or `Failed`.
* `Look()`: list the folder; read everybody else's `.lck` (unchanged versions may come from memory; one that
  vanished is left out); then our own if `needs_own(claim, its listed etag, others)`. Answer `Saw`, or
  `Failed` if the listing or the read of our own failed.
* `Sleep(until)`: sleep until this lease time. Answer `Woke`.
* `Remove()`: delete exactly our own key, unconditionally. Answer `Removed` or `Failed`.
* `Rest()`: nothing; the lease is lost, only `ReleaseAsked` follows.
* `Stop(outcome)`: nothing; it is over.

* One action, one event. Only `ReleaseAsked` may be fed instead of performing whichever action is due, and
  so may end a sleep early; while a request is under way, wait for its answer (or give it up: an ambiguous
  `Failed`), feed that, then `ReleaseAsked`.
* A clock that has run out while a request hangs may be told at once: feed `Woke`, and the claim is lost. The
  late answer is fed all the same (it tells what may lie in the store), and changes nothing of the loss.
* The lease is ours while `remaining(claim, now) > 0`: arithmetic, to be asked anew for each use, from any
  thread, however long a request hangs. `claim.granted`: it was won; `claim.loss`: why it is lost.
* Somebody else's file that is there but whose read failed is a `Seen` with `Flaw.UNREADABLE`, not a failed
  look: an attempt ends, a renewal goes on with a doubt noted.
* A client that repeats a put by itself after a lost answer is to report a failed condition as
  `Failed(conflict=True)`: the next look tells whether the version there is our own.
* *Lease time* never runs slow: CLOCK_BOOTTIME, pushed ahead by whatever the wall clock has gained on it
  (`lead`), for a paused virtual machine shows in the wall clock only. It may run fast, which is safe for
  our own lease and wrong for judging others; hence `lead` in the events.

The rules, and where they are kept:

1. One request, one truth: a `Seen` and an `Own` are of one response (the driver's duty).
2. Fail closed: `steps._saw`, `sight.judge`.
3. The store's clock judges others: `sight.store_now`.
4. Our own clock judges us, from the start of the last good write: `steps.renewed_until`.
5. Settle: `steps._settle`.
6. Loss latches, nothing is written after `until`: `steps._step`; a gap in the store's times: `steps._gap`.
7. Renew is look, then write: `steps._look_to_renew`.
8. The clock decides, not the thread: `steps.remaining`.
"""

from backuplock.protocol.claim import (
    HOLDING,
    Blocker,
    Certificate,
    Claim,
    Loss,
    LossReason,
    Outcome,
    Phase,
    Proof,
    Result,
    Terms,
)
from backuplock.protocol.endings import certificate
from backuplock.protocol.events import (
    Action,
    Event,
    Failed,
    Look,
    Own,
    ReleaseAsked,
    Remove,
    Removed,
    Rest,
    Saw,
    Seen,
    Sleep,
    Stop,
    Woke,
    Write,
    Wrote,
    seen,
)
from backuplock.protocol.sight import needs_own
from backuplock.protocol.steps import action, advance, remaining, start
from backuplock.protocol.waiting import DEFAULT_BACKOFF, Backoff, next_attempt

__all__ = [
    "DEFAULT_BACKOFF",
    "HOLDING",
    "Action",
    "Backoff",
    "Blocker",
    "Certificate",
    "Claim",
    "Event",
    "Failed",
    "Look",
    "Loss",
    "LossReason",
    "Outcome",
    "Own",
    "Phase",
    "Proof",
    "ReleaseAsked",
    "Remove",
    "Removed",
    "Rest",
    "Result",
    "Saw",
    "Seen",
    "Sleep",
    "Stop",
    "Terms",
    "Woke",
    "Write",
    "Wrote",
    "action",
    "advance",
    "certificate",
    "needs_own",
    "next_attempt",
    "remaining",
    "seen",
    "start",
]
