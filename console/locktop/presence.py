"""Is what shall be locked there at all? A lock on a wrong path, an unmounted share or a mistyped volume keeps
nobody out, and would be certified all the same.
"""

from __future__ import annotations

import re
import threading

from backuplock import layout
from backuplock.errors import BackupLockError, Missing
from backuplock.lookup import meant, no_store
from backuplock.stores.base import Store
from backuplock.survey import Cancelled, sweep
from backuplock.text import printable
from locktop.subcommands.patience import patiently

SEARCH_S = 10.0
"""How long a large store is searched for what was perhaps meant."""

_CLAIM = re.compile(r"[a-z0-9][a-z0-9.-]*/[a-z0-9][a-z0-9.-]*")


def is_claim(name: str) -> bool:
    """Whether a name has the form `namespace/claim`, which is no volume's id but a name people know."""
    return bool(_CLAIM.fullmatch(name))


def check_presence(store: Store, volume: str, *, new_store: bool = False, new_volume: bool = False) -> None:
    """Return if the store has the volume; takes one listing.

    Args:
        volume: its full id; `BACKINGIMAGE` is there wherever a store is.
        new_store: a place without a store will do. new_volume: so will a store without the volume.

    Raises:
        Missing: there is no store, or it has no such volume; names those that were perhaps meant.
        StoreError: the store could not be read.
    """
    if is_claim(volume):
        raise _missing(store, volume, "is the name of a claim, and a lock needs the volume's full id")
    inside = store.list(layout.volume_folder(volume))
    if any(entry.name == layout.VOLUME_CFG and entry.regular for entry in inside.entries):
        return
    there = bool(inside.entries or inside.folders)
    if not there and layout.ROOT not in store.list("").folders:
        if new_store:
            return
        raise Missing(
            no_store(store).what + ", so a lock here keeps nobody out",
            advice="is the path right, is the share mounted? --new-store begins a store here",
        )
    if new_volume or volume == layout.BACKING_IMAGE:
        return
    raise _missing(store, volume, "has no volume.cfg: there are no backups of it" if there else "")


def _missing(store: Store, volume: str, why: str) -> Missing:
    shown = printable(volume, limit=80)
    what = f"{shown!r} {why}" if why else f"there is no volume {shown!r}"
    hint = _hint(store, volume)
    override = "" if is_claim(volume) else "--new-volume locks it all the same"
    look = hint or "locktop ls --all lists the volumes"
    return Missing(f"{printable(store.url)}: {what}", advice="; ".join(filter(None, (look, override))))


def _hint(store: Store, volume: str) -> str:
    """What was perhaps meant, if that can be found out in time."""

    def search(stop: threading.Event) -> str:
        try:
            return meant(sweep(store, stop=stop, all_names=True), volume)
        except Cancelled:
            return ""

    try:
        return patiently(search, SEARCH_S, url=store.url, name="search")
    except BackupLockError:
        # It is a courtesy: what is wrong is known without it.
        return ""
