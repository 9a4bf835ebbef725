"""What a store gives -> which guarantees a lock on it has, and the terms it is held on."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from backuplock.clock import SECOND, Clock, SystemClock, nanoseconds, seconds
from backuplock.errors import Unsupported
from backuplock.protocol import Terms
from backuplock.rules import LONGHORN, Timing
from backuplock.stores.base import Capabilities, Store

MARGIN_NS = 60 * SECOND
RENEW_NS = 20 * SECOND
PATIENCE_S = 90.0
"""How long a late listing is waited for: the caches of NFS clients last 60 s."""
UNSEEN_REMOVAL = (
    "a removal of our file between a look and the write after it would not have shown, "
    "for conditional writes are not proved on this store"
)
"""What a certificate says where a renewal cannot be made to fail if the file is gone."""
UNPROVEN_LISTINGS = (
    "that listings show every earlier write was taken on trust: through endpoints that lag behind each "
    "other, two clients would both be granted and neither could see it"
)
"""What a certificate says where listings are fresh by S3's promise only."""
_LOOK_AGAIN_NS = SECOND // 5


@dataclass(frozen=True, slots=True)
class Guarantee:
    """One thing a lock on a store does or does not guarantee, and why; `holds` None: not proved here."""

    name: str
    holds: bool | None
    why: str


def guarantees(found: Capabilities) -> tuple[Guarantee, ...]:
    """What holds on a store of these capabilities, one line each, the most important first."""
    lag = {
        "no": (True, "a listing shows what was written before it"),
        "unproven": (
            None,
            "that listings show every earlier write is taken on trust; it has not been measured here",
        ),
        "yes": (False, "listings may lag: two clients can miss each other"),
    }[found.listing_lags]
    put = {
        "yes": (True, "a renewal is refused if the file is not as we left it"),
        "unproven": (None, "whether conditions are honoured has not been probed; a look precedes each write"),
        "no": (False, "a renewal may re-create a file that was removed since the look just before it"),
    }[found.conditional_put]
    return (
        Guarantee("exclusion among our own clients", *lag),
        Guarantee(
            "exclusion beside Longhorn",
            lag[0] if found.atomic_read else False,
            "as far as Longhorn's own clients read without errors and their clocks are right",
        ),
        Guarantee("a removed lock stays removed", *put),
        Guarantee(
            "order of arrival",
            found.grain_ns < SECOND,
            f"times have a grain of {found.grain_ns / SECOND:g} s; within it names decide"
            if found.grain_ns > 1
            else "times are fine enough to tell who came first",
        ),
    )


def terms_for(
    found: Capabilities,
    *,
    timing: Timing = LONGHORN,
    margin_ns: int | None = None,
    renew_ns: int | None = None,
    accept_lagging: bool = False,
) -> Terms:
    """The terms of a lock on a store of these capabilities.

    Without the settle wait ("eager") only where listings are not known or expected to lag: on NFS and CIFS
    the wait also covers their caches. S3's interface promises listings that show all earlier writes; whether
    this very store keeps the promise a lock cannot see, so there `limits` says that it was trusted, and every
    certificate repeats it. `measure_listing_lag` and `with_lag` find out of two endpoints.

    Args:
        margin_ns, renew_ns: by default 60 s and 20 s, or the same parts of a shorter `timing`.
        accept_lagging: take a lock although listings are known to lag, without any guarantee.

    Raises:
        Unsupported: listings are known to lag and that was not accepted.
    """
    if found.listing_lags == "yes" and not accept_lagging:
        raise Unsupported(
            "this store's listings lag, so a lock on it guarantees nothing",
            advice="mount with Longhorn's own options (actimeo=1), or ask one server only",
        )
    scale = timing.duration_ns / LONGHORN.duration_ns
    fresh = found.listing_lags == "no" or _trusted(found)
    caveat = "" if fresh else "listings of this store may lag"
    return Terms(
        timing=timing,
        margin=round(MARGIN_NS * scale) if margin_ns is None else margin_ns,
        renew=round(RENEW_NS * scale) if renew_ns is None else renew_ns,
        retry=max(1, round(2 * SECOND * scale)),
        poll=max(1, round(SECOND * scale)),
        grain=0 if found.grain_ns <= 1 else found.grain_ns,
        eager=fresh,
        conditional=found.conditional_put == "yes",
        caveat=caveat,
        limits=tuple(_limits(found)),
    )


def _trusted(found: Capabilities) -> bool:
    """Whether listings count as fresh for no other reason than that S3, or Azure, promises it."""
    return found.kind in ("s3", "azblob") and found.listing_lags == "unproven"


def _limits(found: Capabilities) -> Iterator[str]:
    if _trusted(found):
        yield UNPROVEN_LISTINGS
    if found.conditional_put != "yes":
        yield UNSEEN_REMOVAL


def measure_listing_lag(
    writer: Store,
    reader: Store,
    folder: str,
    *,
    patience_s: float = PATIENCE_S,
    clock: Clock | None = None,
) -> float | None:
    """How late listings of `reader` show what `writer` has written and removed; None: no lag was seen.

    Two small files are written below `folder`, whose names are no lock names, and removed again. No lag in
    a trial is no proof that there never is one; a lag is proof that there is.

    Args:
        writer, reader: two ways to the same store (two mounts, two servers), or the same one twice. Both
            open, `writer` for writing.
        folder: a key of its own, that nobody else uses.
        patience_s: a change that is not seen for so long counts as lagging by so much.

    Returns: seconds, at least. Removal is tried only where writing shows no lag.

    Raises:
        StoreError: the store did not do what was asked; nothing is known then.
    """
    clock = clock or SystemClock()
    first, second = (f"lag-{secrets.token_hex(8)}" for _ in range(2))

    def names() -> set[str]:
        return {entry.name for entry in reader.list(folder).entries}

    try:
        # A cache lags only in what it has been asked before.
        writer.put(f"{folder}/{first}", b"")
        _late(lambda: first in names(), patience_s, clock)
        writer.put(f"{folder}/{second}", b"")
        appears = _late(lambda: second in names(), patience_s, clock)
        if appears:
            return appears
        writer.delete(f"{folder}/{second}")
        return _late(lambda: second not in names(), patience_s, clock) or None
    finally:
        for name in (first, second):
            writer.delete(f"{folder}/{name}")


def with_lag(found: Capabilities, lag_s: float | None) -> Capabilities:
    """Capabilities after a measurement: a lag that was seen is believed, its absence proves nothing."""
    return found if lag_s is None else replace(found, listing_lags="yes")


def _late(seen: Callable[[], bool], patience_s: float, clock: Clock) -> float:
    """Seconds from now until the last look that did not see it began; 0 if the first look saw it."""
    start = clock.mono_ns()
    late = 0
    while True:
        began = clock.mono_ns()
        if seen():
            return seconds(late)
        late = max(1, began - start)
        if late >= nanoseconds(patience_s):
            return seconds(late)
        clock.sleep(_LOOK_AGAIN_NS)
