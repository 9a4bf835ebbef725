"""Which operations are blocked where, by what, until when and who waits: a line for each answer of a volume.

Made once a Snapshot, in the session's thread; volumes in which nothing changed keep their lines.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from backuplock.clock import Span
from backuplock.model import Operation, VolumeView
from backuplock.rules import Verdict
from backuplock.tree import Node
from locktop.output.blocked import Blockage, alike, blockage_of
from locktop.rows import VOLUME_ROW, Board, Row


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Operations on one volume that meet the same answer now: not granted.

    Attributes:
        key: identifies it from one Snapshot to the next.
        found: all that is blocked in the volume.
        sure: whether they would surely be refused; else it cannot be told.
        blockers: the locks in the way, as the store ranks them; empty if the volume could not be read.
        waiting: locks that ask for one of the operations and are kept out.
        until_ns: store time at which the last blocker ends if its holder dies now; None if none is known.
        since_ns: store time since when the first of the waiting ones waits; None if none does.
        rows: the rows of all these locks, or that of the volume.
    """

    key: str
    found: Blockage
    operations: tuple[Operation, ...]
    sure: bool
    blockers: tuple[Node, ...]
    waiting: tuple[Node, ...]
    until_ns: int | None
    since_ns: int | None
    rows: tuple[Row, ...]

    @property
    def view(self) -> VolumeView:
        """The volume."""
        return self.found.view

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
    for volume, group in groupby(board.rows, key=lambda row: row.volume.name):
        first = next(group)
        kept = old.get(volume)
        # A board keeps all rows of a volume in which nothing changed, or none.
        known[volume] = kept if kept and kept[0] is first else (first, tuple(_blocks(first.volume, board)))
    blocks = tuple(block for _, found in known.values() for block in found)
    awaited = len({block.view.name for block in blocks if block.waiting})
    return BlockList(board, blocks, awaited, {block.key: block for block in blocks}, known)


def _blocks(view: VolumeView, board: Board) -> Iterator[Block]:
    found = blockage_of(view, board.now, board.snapshot.taken_wall_ns)
    if found is None:
        return
    for verdicts in alike(found.verdicts):
        yield _block(found, verdicts, board)


def _block(found: Blockage, verdicts: Sequence[Verdict], board: Board) -> Block:
    view, first = found.view, verdicts[0]
    blockers = tuple(found.tree.node(key) for key in first.blockers)
    waiting = {node.lock.key: node for one in verdicts for node in found.waiting(one.operation)}
    asked = [at for node in waiting.values() if (at := node.lock.modified_ns) is not None]
    involved = [node.lock.key for node in blockers] + list(waiting)
    rows = tuple(row for key in involved if (row := board.by_key.get(key)) is not None)
    if not rows:
        row = board.by_key.get(VOLUME_ROW + view.name)
        rows = (row,) if row is not None else ()
    operations = tuple(one.operation for one in verdicts)
    return Block(
        key=f"{view.name}/{','.join(operations)}",
        found=found,
        operations=operations,
        sure=first.granted is False,
        blockers=tuple(sorted(blockers, key=lambda node: node.number)),
        waiting=tuple(waiting.values()),
        until_ns=first.until_ns,
        since_ns=min(asked, default=None),
        rows=rows,
    )


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
