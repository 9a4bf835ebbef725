"""What is made from one Snapshot to the next equals what is made afresh: rows, what is blocked."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backuplock import layout
from backuplock.clock import SECOND, StoreClock
from backuplock.model import Flaw, LockFile, LockRecord, Snapshot, VolumeNames, VolumeView
from locktop.block_list import Block, BlockList, blocks_of
from locktop.filters import arrange
from locktop.ordering import Ordering
from locktop.output.blocked import Blockage, alike, blockage_of
from locktop.rows import SORTS, Board, board_of
from locktop.widths import natural_widths, widths_on

NOW = 1_767_323_045 * SECOND
MONO = 5_000 * SECOND
VOLUMES = ("pvc-a", "pvc-b", "pvc-c")
# The limits of a lease and of a request, and what lies right beside them.
AGES = (0, 1, 29, 30, 31, 64, 65, 66, 100, 149, 150, 151, 400)

records = st.builds(
    LockRecord, name=st.sampled_from(("lock-1", "lock-2")), type=st.integers(0, 3), acquired=st.booleans()
)


@st.composite
def locks(draw: st.DrawFn, volume: str, name: str, mono: int) -> LockFile:
    """A lock of some age at a moment; a few cannot be read, or have no time."""
    modified = NOW - MONO + mono - draw(st.sampled_from(AGES)) * SECOND
    found = LockFile(layout.lock_key(volume, name), volume, modified, "e", 61, draw(records))
    match draw(st.integers(0, 9)):
        case 0:
            flaw = draw(st.sampled_from(list(Flaw)))
            return replace(found, record=None, flaw=flaw, modified_ns=draw(st.sampled_from((None, modified))))
        case _:
            return found


@st.composite
def histories(draw: st.DrawFn) -> list[Snapshot]:
    """Snapshots of one store, one after the other; the clock becomes less and more certain."""
    views: dict[str, VolumeView] = {}
    mono, found = MONO, []
    for _ in range(draw(st.integers(2, 6))):
        mono += draw(st.sampled_from((0, 1, 2, 5, 29, 30, 31, 60, 85, 150, 151))) * SECOND
        for volume in VOLUMES:
            if draw(st.integers(0, 2)) == 0 or volume not in views:
                names = draw(st.sampled_from(("lock-x", "lock-y", "lock-z", "")))
                held = tuple(draw(locks(volume, name, mono)) for name in sorted({names, "lock-a"}) if name)
                views[volume] = VolumeView(
                    volume,
                    draw(st.sampled_from((held, held, held[:1], ()))),
                    names=draw(st.sampled_from((None, VolumeNames("shop", "claim")))),
                    ghost=draw(st.booleans()),
                    problem=draw(st.sampled_from(("", "", "", "403"))),
                )
        found.append(_snapshot(views, mono, draw(st.sampled_from((0, 0, 1, 5, 40))) * SECOND))
        if draw(st.integers(0, 4)) == 0:
            views.pop(draw(st.sampled_from(VOLUMES)), None)
        if draw(st.booleans()):
            # The same again, read anew.
            views = {name: replace(view) for name, view in views.items()}
    return found


def _snapshot(views: dict[str, VolumeView], mono: int, error: int) -> Snapshot:
    clock = StoreClock(NOW - MONO - error, NOW - MONO + error, mono, "test")
    ordered = tuple(views[name] for name in sorted(views))
    by_key = {lock.key: lock for view in ordered for lock in view.locks}
    return Snapshot("m", ordered, clock, mono, mono, NOW, by_key=by_key)


def _facts(board: Board) -> dict[str, object]:
    names = ("now", "rows", "counts", "locked", "ghosts", "unread", "clashing", "owners", "claims", "written")
    widths = widths_on(board, board.rows), natural_widths(board.rows)
    assert widths[0] == widths[1]
    return {name: getattr(board, name) for name in names} | {"by_key": dict(board.by_key)}


def _plain(board: Board) -> list[tuple[object, ...]]:
    """What is blocked on a board, made from the tree of each volume and nothing that was kept."""
    found = []
    for view in board.snapshot.volumes:
        one = blockage_of(view, board.now, board.snapshot.taken_wall_ns)
        for verdicts in alike(one.verdicts) if one is not None else ():
            assert one is not None
            first = verdicts[0]
            in_the_way = [node for node in one.tree.nodes if node.lock.key in first.blockers]
            waiting = {node.lock.key: node for each in verdicts for node in one.waiting(each.operation)}
            asked = [at for node in waiting.values() if (at := node.lock.modified_ns) is not None]
            found.append(
                (
                    (view, tuple(each.operation for each in verdicts), first.granted is False),
                    tuple((node.lock, node.state, node.standing) for node in in_the_way),
                    {node.lock.key for node in waiting.values()},
                    (first.until_ns, min(asked, default=None)),
                    _told(one),
                )
            )
    return found


def _kept(block: Block) -> tuple[object, ...]:
    return (
        (block.view, block.operations, block.sure),
        tuple((row.lock, row.state, row.standing) for row in block.blockers),
        {row.key for row in block.waiting},
        (block.until_ns, block.since_ns),
        _told(block.found),
    )


def _told(found: Blockage) -> object:
    return found.view, found.verdicts, [(node.lock, node.state, node.fate) for node in found.tree.nodes]


@settings(max_examples=150, deadline=None)
@given(histories())
def test_what_is_made_from_the_board_before_is_what_is_made_afresh(snapshots: list[Snapshot]) -> None:
    board: Board | None = None
    blocks: BlockList | None = None
    for snapshot in snapshots:
        board = board_of(snapshot, board)
        assert _facts(board) == _facts(board_of(snapshot))
        blocks = blocks_of(board, blocks)
        assert [_kept(block) for block in blocks.blocks] == _plain(board)
        involved = [{row.key for row in block.rows} for block in blocks.blocks]
        assert all(keys and keys <= board.by_key.keys() for keys in involved)
        assert blocks.awaited == len({block.view.name for block in blocks.blocks if block.waiting})


@settings(max_examples=50, deadline=None)
@given(histories())
def test_volumes_in_which_nothing_changes_are_not_judged_again(snapshots: list[Snapshot]) -> None:
    before = board_of(snapshots[-1])
    after = board_of(replace(snapshots[-1]), before)
    assert all(one is other for one, other in zip(before.rows, after.rows, strict=True))
    known = blocks_of(before)
    again = blocks_of(after, known)
    assert all(one is other for one, other in zip(known.blocks, again.blocks, strict=True))


@settings(max_examples=80, deadline=None)
@given(histories(), st.data())
def test_an_order_that_is_kept_is_the_one_that_is_made_afresh(
    snapshots: list[Snapshot], data: st.DataObject
) -> None:
    # Rows that stay the same are many, or all are put in order anew.
    many = {f"pvc-m{at:02}": VolumeView(f"pvc-m{at:02}", (_held(f"pvc-m{at:02}"),)) for at in range(90)}
    board: Board | None = None
    ordering, sort = Ordering(polite=data.draw(st.booleans())), "attention"
    for snapshot in snapshots:
        views = many | {view.name: view for view in snapshot.volumes}
        board = board_of(_snapshot(views, snapshot.began_mono_ns, 0), board)
        sort = data.draw(st.sampled_from((sort, sort, sort, *SORTS)))
        reverse = data.draw(st.booleans())
        found = ordering.arrange(board, sort, reverse=reverse)
        assert [row.key for row in found] == [row.key for row in arrange(board.rows, sort, reverse=reverse)]
        assert all(row is board.by_key[row.key] for row in found)
        ordering.prepare(board, sort)
        ready = board.arranged[sort]
        assert [row.key for row in ready.rows] == [row.key for row in arrange(board.rows, sort)]
        assert all(ready.rows[place].key == key for key, place in ready.places.items())
        assert len(ready.places) == len(ready.rows)


def test_many_rows_are_put_in_order_run_by_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("locktop.ordering.RUN", 7)
    views = {
        name: VolumeView(name, (_held(name),)) for name in (f"pvc-{at * 37 % 101:03}" for at in range(101))
    }
    board = board_of(_snapshot(views, 0, 0))
    for sort in SORTS:
        found = Ordering(polite=True).arrange(board, sort)
        assert [row.key for row in found] == [row.key for row in arrange(board.rows, sort)]


def _held(volume: str) -> LockFile:
    record = LockRecord("lock-h", 1, acquired=True)
    return LockFile(layout.lock_key(volume, "lock-h"), volume, NOW + 3_600 * SECOND, "e", 61, record)
