"""One volume as the screens know it now: the inquiry that `locktop show` makes, without asking the store."""

from __future__ import annotations

from bisect import bisect_left

from backuplock.findings import Watched
from backuplock.inquiry import Inquiry, inquiry_of
from backuplock.model import Snapshot, VolumeView
from backuplock.watch import Event
from locktop.chronicle import Explored
from locktop.status import Status


def view_of(snapshot: Snapshot, volume: str) -> VolumeView | None:
    """A volume of a Snapshot by its id."""
    at = bisect_left(snapshot.volumes, volume, key=lambda view: view.name)
    found = snapshot.volumes[at] if at < len(snapshot.volumes) else None
    return found if found is not None and found.name == volume else None


def explored_of(status: Status, volume: str) -> Explored | None:
    """What lies beside the locks of a volume, if somebody looked."""
    explored = status.explored
    return explored if explored is not None and explored.volume == volume else None


def inquiry_now(status: Status, volume: str) -> Inquiry | None:
    """All that is known of a volume; None while nothing is, or if the store has no such volume."""
    board = status.board
    view = view_of(board.snapshot, volume) if board is not None else None
    if board is None or view is None:
        return None
    snapshot, explored = board.snapshot, explored_of(status, volume)
    if explored is None:
        return inquiry_of(snapshot, view, None, Watched(status.tracks))
    still_ns = max(0, explored.looked_mono_ns - explored.still_since_mono_ns)
    return inquiry_of(snapshot, view, explored.around, Watched(status.tracks, still_ns))


def history_now(status: Status, volume: str) -> list[Event]:
    """What happened on a volume, the youngest first: seen by this session, and what the journal knows."""
    mine = [event for event in reversed(status.events) if event.volume == volume]
    explored = explored_of(status, volume)
    if explored is None:
        return mine
    known = {(event.kind, event.key, event.seen_wall_ns) for event in mine}
    older = [event for event in explored.history if (event.kind, event.key, event.seen_wall_ns) not in known]
    return sorted([*mine, *older], key=lambda event: event.seen_wall_ns, reverse=True)
