"""What a person calls a volume -> the volume: its id, a part of it that names no other, or its claim."""

from __future__ import annotations

import difflib
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace

from backuplock import layout
from backuplock.clock import Clock
from backuplock.errors import Malformed, Missing
from backuplock.model import Snapshot, VolumeView
from backuplock.stores.base import Store
from backuplock.survey import ASSUMED_ERROR_NS, Progress, look, sweep
from backuplock.text import printable

SHOWN = 5
"""Volumes that are named where a name fits several."""


@dataclass(frozen=True, slots=True)
class Lookup:
    """How a store is looked at for a volume: the arguments of `survey.sweep`, and who is told before one.

    `sweeping` is called with the reason when all volumes have to be read to find one. `whole_id`: the name
    is a full volume id and nothing else, so that a sweep would find no more.
    """

    clock: Clock | None = None
    clock_error_ns: int = ASSUMED_ERROR_NS
    progress: Callable[[Progress], None] | None = None
    stop: threading.Event | None = None
    sweeping: Callable[[str], None] | None = None
    whole_id: bool = False


def find_volume(store: Store, name: str, how: Lookup | None = None) -> Snapshot:
    """A Snapshot with the one volume that `name` means.

    A full volume id takes a few requests. A prefix, a claim or `namespace/claim` needs a sweep, for a
    volume's place in the store follows from its whole id.

    Raises:
        Missing: no volume is called that.
        Malformed: several are; the message names some.
        StoreError: the store could not be read.
    """
    how = how or Lookup()
    name = name.strip().rstrip("/")
    try:
        layout.check_volume_name(name)
    except Malformed:
        pass
    else:
        found = look(store, name, clock=how.clock, clock_error_ns=how.clock_error_ns)
        if found.volumes:
            return found
        if not found.store_present:
            raise no_store(store)
        if name == layout.BACKING_IMAGE:
            # Longhorn makes its folder with the first lock and removes it with the last.
            return replace(found, volumes=(VolumeView(name),))
        if how.whole_id:
            raise _no_volume(store, name)
    if not name:
        raise Malformed("no volume is named", advice="give its id, a unique prefix of it, or namespace/claim")
    if how.sweeping is not None:
        how.sweeping(f"{printable(name, limit=80)!r} is no full volume id: reading all volumes to find it")
    whole = sweep(
        store,
        clock=how.clock,
        clock_error_ns=how.clock_error_ns,
        progress=how.progress,
        stop=how.stop,
        all_names=True,
    )
    return only(whole, _choose(store, whole, name))


def only(whole: Snapshot, view: VolumeView) -> Snapshot:
    """The part of a Snapshot that is one volume's."""
    return replace(whole, volumes=(view,), problems=(), by_key={lock.key: lock for lock in view.locks})


def matching(whole: Snapshot, name: str) -> list[VolumeView]:
    """The volumes that `name` fits: by full id, else by claim, else by the beginning of the id."""
    for fits in (_is_id, _is_claim, _begins_id):
        found = [view for view in whole.volumes if fits(view, name)]
        if found:
            return found
    return []


def nearest(whole: Snapshot, name: str) -> list[VolumeView]:
    """The volumes that were perhaps meant by a name that no volume has as its id: those that it fits
    otherwise, else those whose id or claim is written much like it; the nearest first."""
    found = matching(whole, name)
    if found:
        return found
    wanted = name.casefold()
    by_name: dict[str, VolumeView] = {}
    for view in whole.volumes:
        names = view.names
        called = (view.name, names.claim_path, names.claim) if names else (view.name,)
        for word in filter(None, called):
            by_name.setdefault(word.casefold(), view)
    close = difflib.get_close_matches(wanted, by_name, n=SHOWN, cutoff=0.75)
    return list({by_name[word].name: by_name[word] for word in close}.values())


def meant(whole: Snapshot, name: str) -> str:
    """`did you mean pvc-1 (shop/orders)?`; "" if nothing comes near."""
    if name != layout.BACKING_IMAGE and name.casefold() == layout.BACKING_IMAGE.casefold():
        return f"did you mean {layout.BACKING_IMAGE}?"
    near = nearest(whole, name)
    some = ", ".join(called(view) for view in near[:SHOWN])
    rest = f" and {len(near) - SHOWN:,} more" if len(near) > SHOWN else ""
    return f"did you mean {'one of ' if len(near) > 1 else ''}{some}{rest}?" if near else ""


def _is_id(view: VolumeView, name: str) -> bool:
    return view.name == name


def _is_claim(view: VolumeView, name: str) -> bool:
    names = view.names
    if names is None:
        return False
    return bool(name) and name in (names.claim_path, names.claim, names.backing_image)


def _begins_id(view: VolumeView, name: str) -> bool:
    return len(name) > 1 and view.name.startswith(name)


def _choose(store: Store, whole: Snapshot, name: str) -> VolumeView:
    if not whole.store_present:
        raise no_store(store)
    found = matching(whole, name)
    shown = printable(name, limit=80)
    if not found:
        partly = "" if whole.complete else ", but parts of it could not be read"
        raise _no_volume(store, name, partly, meant(whole, name))
    if len(found) > 1:
        some = ", ".join(called(view) for view in found[:SHOWN])
        rest = f" and {len(found) - SHOWN:,} more" if len(found) > SHOWN else ""
        raise Malformed(f"{shown!r} fits several volumes: {some}{rest}", advice="say more of the name")
    return found[0]


def called(view: VolumeView) -> str:
    """A volume's id, and its claim if that is known; printable."""
    claim = view.names.claim_path if view.names else ""
    shown = printable(view.name, limit=80)
    return f"{shown} ({printable(claim, limit=80)})" if claim else shown


def _no_volume(store: Store, name: str, more: str = "", hint: str = "") -> Missing:
    advice = (
        "is it the right target? locktop ls --all lists its volumes; an id, the beginning of one, or "
        "namespace/claim names one"
    )
    what = f"{printable(store.url)} has no volume {printable(name, limit=80)!r}{more}"
    return Missing(what, advice=hint or advice)


def no_store(store: Store) -> Missing:
    """The error for a place that is there and holds no backup store."""
    return Missing(
        f"{printable(store.url)}: there is no backupstore here", advice="is the target's path right?"
    )
