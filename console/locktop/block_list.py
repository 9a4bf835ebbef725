"""Which operations are blocked where, by what, until when and who waits: a line for each answer of a volume.

Made once a Snapshot, in the session's thread; volumes in which nothing changed keep their lines.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from backuplock.clock import Span
from backuplock.courtesy import gently
from backuplock.model import LockFile, Operation, VolumeView
from backuplock.rules import Standing, Verdict
from backuplock.tree import verdicts_of
from locktop.output.blocked import Blockage, alike, blockage_of
from locktop.rows import Board, Row, is_dead_request


class Told:
    """What there is to tell of a volume where something is blocked; made when it is first asked for, for of
    tens of thousands of volumes a person looks at a few.

    Args:
        now: the store's time that it is judged at. local_now_ns: this machine's wall clock at the look.
    """

    def __init__(self, view: VolumeView, now: Span, local_now_ns: int) -> None:
        self.view = view
        self._now, self._local_now_ns = now, local_now_ns

    @cached_property
    def blockage(self) -> Blockage:
        """All that is blocked in the volume."""
        found = blockage_of(self.view, self._now, self._local_now_ns)
        assert found is not None
        return found


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Operations on one volume that meet the same answer now: not granted.

    Attributes:
        key: identifies it from one Snapshot to the next.
        told: the volume, and all that is blocked in it.
        sure: whether they would surely be refused; else it cannot be told.
        blockers: the rows of the locks in the way, as the store ranks them; empty if the volume could not be
            read.
        waiting: those of locks that ask for one of the operations and are kept out.
        until_ns: store time at which the last blocker ends if its holder dies now; None if none is known.
        since_ns: store time since when the first of the waiting ones waits; None if none does.
        rows: the rows of all these locks, or that of the volume.
    """

    key: str
    told: Told
    operations: tuple[Operation, ...]
    sure: bool
    blockers: tuple[Row, ...]
    waiting: tuple[Row, ...]
    until_ns: int | None
    since_ns: int | None
    rows: tuple[Row, ...]

    @property
    def view(self) -> VolumeView:
        """The volume."""
        return self.told.view

    @property
    def found(self) -> Blockage:
        """All that is blocked in the volume."""
        return self.told.blockage

    @property
    def locks(self) -> list[LockFile]:
        """The locks in the way, as the store ranks them."""
        return [row.lock for row in self.blockers if row.lock is not None]

    @property
    def claim(self) -> str:
        """`namespace/claim` as the store tells it, or nothing."""
        return self.view.names.claim_path if self.view.names else ""


@dataclass(frozen=True, slots=True, eq=False)
class BlockList:
    """Everything that is blocked on a board. `awaited` is on how many volumes somebody waits."""

    board: Board
    blocks: tuple[Block, ...]
    awaited: int
    by_key: Mapping[str, Block] = field(repr=False)
    known: Mapping[str, tuple[Row, tuple[Block, ...]]] = field(repr=False)


def blocks_of(board: Board, previous: BlockList | None = None) -> BlockList:
    """All that is blocked now, volume by volume."""
    old = previous.known if previous is not None else {}
    known: dict[str, tuple[Row, tuple[Block, ...]]] = {}
    for volume, (_, _, rows) in gently(board.judged.items()):
        kept = old.get(volume)
        # A board keeps all rows of a volume in which nothing changed, or none.
        known[volume] = kept if kept and kept[0] is rows[0] else (rows[0], _blocks(rows, board))
    blocks = tuple(block for _, found in gently(known.values()) for block in found)
    awaited = len({block.view.name for block in gently(blocks) if block.waiting})
    return BlockList(board, blocks, awaited, {block.key: block for block in gently(blocks)}, known)


def _blocks(rows: Sequence[Row], board: Board) -> tuple[Block, ...]:
    """What is blocked in the volume whose rows these are, from how they were judged."""
    view = rows[0].volume
    ours = {row.key: row.standing for row in rows if row.standing is not None}
    verdicts = [one for one in verdicts_of(view, ours) if not one.granted]
    if not verdicts:
        return ()
    told = Told(view, board.now, board.snapshot.taken_wall_ns)
    ranked = rows if len(rows) == 1 else sorted(rows, key=_place)
    return tuple(_block(told, group, ranked, board.now) for group in alike(verdicts))


def _block(told: Told, verdicts: Sequence[Verdict], ranked: Sequence[Row], now: Span) -> Block:
    first = verdicts[0]
    in_the_way = set(first.blockers)
    blockers = tuple(row for row in ranked if row.key in in_the_way)
    operations = tuple(one.operation for one in verdicts)
    waiting = tuple(row for row in ranked if _waits(row, operations, now))
    asked = [row.lock.modified_ns for row in waiting if row.lock and row.lock.modified_ns is not None]
    return Block(
        key=f"{told.view.name}/{','.join(operations)}",
        told=told,
        operations=operations,
        sure=first.granted is False,
        blockers=blockers,
        waiting=waiting,
        until_ns=first.until_ns,
        since_ns=min(asked, default=None),
        rows=tuple({row.key: row for row in (*blockers, *waiting)}.values()) or _of_volume(ranked),
    )


def _of_volume(rows: Sequence[Row]) -> tuple[Row, ...]:
    return tuple(row for row in rows if row.lock is None)


def _waits(row: Row, operations: Sequence[Operation], now: Span) -> bool:
    """Whether a lock asks for one of the operations and is kept out; see `Blockage.waiting`."""
    if row.standing is None or not row.standing.blocked_by or row.lock is None or row.lock.record is None:
        return False
    kind = row.lock.record.type
    return any(one.lock_type == kind for one in operations) and not is_dead_request(row.lock, now)


def _place(row: Row) -> tuple[bool, int]:
    place: Standing | None = row.standing
    return (True, 0) if place is None or place.place is None else (False, place.place)


# -- order


def _urgency(block: Block) -> tuple[object, ...]:
    """Where somebody waits first, the longest queue before others; then what cannot be told, then the rest by
    when it ends."""
    rank = 0 if block.waiting else 1 if not block.sure else 2
    since = block.since_ns if block.since_ns is not None else 0
    return rank, -len(block.waiting), since, *_end(block)


def _end(block: Block) -> tuple[object, ...]:
    return block.until_ns is None, block.until_ns or 0, block.key


ORDERS: dict[str, Callable[[Block], tuple[object, ...]]] = {
    "waiting": _urgency,
    "end": _end,
    "volume": lambda block: (block.view.name, block.key),
    "claim": lambda block: (not block.claim, block.claim, block.key),
}
"""The orders of the list by name; each ends in the key, so that no two lines ever tie."""


def in_order(
    found: BlockList, order: str, *, reverse: bool = False, shown: Sequence[str] = ()
) -> list[Block]:
    """All lines in an order; those of `shown` stay where they are, and new ones follow."""
    kept = [found.by_key[key] for key in shown if key in found.by_key]
    before = set(shown)
    new = [block for block in found.blocks if block.key not in before]
    return kept + sorted(new, key=ORDERS[order], reverse=reverse)


def seconds_left(block: Block, now: Span) -> int | None:
    """Nanoseconds until the last blocker ends if its holder dies now."""
    return None if block.until_ns is None else block.until_ns - now.middle
