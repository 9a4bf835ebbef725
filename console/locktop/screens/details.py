"""One volume: its locks in the order in which the store ranks them, who blocks whom, what would happen now,
and everything about the lock that is selected."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import ClassVar

from textual.widget import Widget

from backuplock.inquiry import Inquiry
from backuplock.text import elapsed
from backuplock.watch import Event
from locktop import lock_list
from locktop.copies import Here
from locktop.describe import View as Seen
from locktop.describe import describe_alone
from locktop.exports import Export, of_locks
from locktop.format import Line, name, plural
from locktop.keys import Place, bindings
from locktop.messages import CursorMoved
from locktop.rows import VOLUME_ROW, Board, Row
from locktop.screens.finding import FindingView
from locktop.status import Status, emptiness
from locktop.volume_now import explored_of, history_now, inquiry_now, view_of
from locktop.volume_sheet import (
    DEPARTURES,
    Chosen,
    Paper,
    about_lines,
    alive_lines,
    chosen_now,
    file_lines,
    volume_lines,
)
from locktop.watch_lines import departed
from locktop.widgets.bars import TitleRule
from locktop.widgets.panes import Scroller, fact_lines
from locktop.widgets.picker import Picker


class DetailsScreen(FindingView[Inquiry | None]):
    """One volume, live. What goes away is said to be gone and stays in sight.

    Args:
        volume: the volume's id.
        lock: the key of the lock to begin with; the first one by default.
    """

    PLACE: ClassVar[Place] = "details"
    BINDINGS: ClassVar = bindings("details")
    AUTO_FOCUS: ClassVar[str] = "Scroller"

    def __init__(self, volume: str, lock: str = "") -> None:
        super().__init__()
        self._volume, self._begin = volume, lock
        self._inquiry: Inquiry | None = None
        self._board: Board | None = None
        self._vanished = False
        self._history: Sequence[Event] = ()
        self._chosen: Chosen | None = None
        self._known: tuple[object, ...] = ()
        self._wrapped = False
        self._lasting: tuple[tuple[object, ...], list[Line], list[Line], list[Line]] = ((), [], [], [])
        self._table: tuple[tuple[object, ...], tuple[str, ...], lock_list.Widths | None] = ((), (), None)

    @property
    def attended(self) -> str | None:
        """The session looks beside the locks of this volume while it is shown."""
        return self._volume

    @property
    def chosen_locks(self) -> tuple[str, ...]:
        """The selected one."""
        key = self.query_one(Picker).cursor
        return (key,) if key is not None else ()

    def body(self) -> Iterable[Widget]:
        """The list of locks and the sheet, under a title."""
        glyphs = self.locktop.glyphs
        yield TitleRule(glyphs)
        yield Picker(glyphs)
        yield Scroller(glyphs)

    def on_mount(self) -> None:
        """Begin with the lock that was asked for."""
        if self._begin and not self._begin.startswith(VOLUME_ROW):
            self.query_one(Picker).pick(self._begin)
        super().on_mount()

    # -- status -> widgets

    def show_status(self, status: Status) -> None:
        """Find out anew when there is news; between news only time moves on."""
        news = (status.board, status.tracks, status.events, status.explored)
        if not _same(news, self._known):
            self._known = news
            self.learn(status)
        self._choose(status)
        self._show_title()
        self._show_locks(status)
        self._show_sheet(status)

    def volumes(self) -> Iterable[str]:
        """The one that is shown."""
        return (self._volume,)

    def find_out(self, status: Status) -> Inquiry | None:
        """All that is known of the volume."""
        return inquiry_now(status, self._volume)

    def take(self, status: Status, found: Inquiry | None) -> None:
        """The next picture of the volume; without one the last that there was stays."""
        self._vanished = found is None
        if found is not None:
            self._inquiry, self._board = found, status.board
        self._history = history_now(status, self._volume)

    def _choose(self, status: Status) -> None:
        """Follow the selected lock by its key; one that is gone stays as it was last seen."""
        inquiry, board = self._inquiry, self._board
        key = self.query_one(Picker).cursor
        if inquiry is None or board is None:
            return
        nodes = inquiry.tree.nodes
        if key is None and nodes:
            key = nodes[0].lock.key
        row = board.by_key.get(key or "")
        if key is not None and row is not None and row.lock is not None and not self._vanished:
            explored = explored_of(status, self._volume)
            held = explored.held.get(key) if explored is not None else None
            node = inquiry.tree.node(key)
            if self._chosen is None or self._chosen.node is not node or self._chosen.held is not held:
                self._chosen = Chosen(node, row, inquiry, status.tracks.get(key), held)
        elif self._chosen is not None and key == self._chosen.node.lock.key:
            if self._chosen.present:
                self._chosen = replace(self._chosen, present=False)
        else:
            self._chosen = None

    def _show_title(self) -> None:
        glyphs = self.locktop.glyphs
        left: Line = [("Volume ", "dim"), (name(self._volume), "strong")]
        names = self._inquiry.view.names if self._inquiry is not None else None
        if names is not None and names.claim_path:
            left += [(f" {glyphs.dot} ", "faint"), (name(names.claim_path), "key")]
        if names is not None and names.workload:
            left += [(f" {glyphs.dot} ", "faint"), (name(names.workload), "dim")]
        self.query_one(TitleRule).show(left, [("esc back", "dim")])

    def _show_locks(self, status: Status) -> None:
        picker, inquiry = self.query_one(Picker), self._inquiry
        chosen = self._chosen
        if inquiry is None or (not inquiry.tree.nodes and chosen is None):
            picker.display = False
            return
        picker.display = True
        ghost = chosen if chosen is not None and not chosen.present else None
        keys, widths = self._laid_out(inquiry, ghost)
        tree, board, glyphs = inquiry.tree, self._board, self.locktop.glyphs

        def paint(key: str, _width: int) -> Line:
            if ghost is not None and key == ghost.node.lock.key:
                return lock_list.gone_line(ghost.node, self._departed(status, key), widths, glyphs)
            row = board.by_key.get(key) if board is not None else None
            return lock_list.line(tree.node(key), row, tree, status.now, widths, glyphs)

        picker.show(keys, lock_list.heading(widths), paint, faded=status.outdated)

    def _laid_out(self, inquiry: Inquiry, ghost: Chosen | None) -> tuple[tuple[str, ...], lock_list.Widths]:
        """Which locks are listed, and how wide the columns are: found once for each picture and width."""
        made_of = (inquiry, ghost, self._vanished, self.app.size.width)
        made, keys, widths = self._table
        if widths is None or not _same(made_of, made):
            keys = () if self._vanished else tuple(node.lock.key for node in inquiry.tree.nodes)
            keys = (*keys, ghost.node.lock.key) if ghost is not None else keys
            widths = lock_list.widths_of(inquiry.tree, self.app.size.width - 1)
            self._table = (made_of, keys, widths)
        return keys, widths

    def _departed(self, status: Status, key: str) -> str:
        if ours := departed(status.deeds.cares, key, status.mono_ns):
            return ours
        for event in self._history:
            if event.key == key and event.kind in DEPARTURES:
                return f"gone {elapsed(status.wall_ns - event.seen_wall_ns)} ago; {DEPARTURES[event.kind]}"
        return "not seen by the last look, which could not read everything"

    def _show_sheet(self, status: Status) -> None:
        inquiry, sheet = self._inquiry, self.query_one(Scroller)
        if inquiry is None:
            sheet.show([[], *self._nothing(status)])
            return
        paper = Paper(max(40, self.app.size.width - 2), self.locktop.glyphs, self._wrapped)
        made_of = (inquiry, self._chosen, self._history, paper.width, paper.wrapped)
        if not _same(made_of, self._lasting[0]):
            self._lasting = (made_of, *self._made(inquiry, status, paper))
        lines = self._lead(inquiry, status, paper)
        _, before, alive, after = self._lasting
        lines += before
        if self._chosen is not None and self._board is not None:
            lines += chosen_now(self._chosen, self._seen(status, self._board), alive, paper)
        lines += after
        sheet.show([[(text, "dim") for text, _ in one] for one in lines] if status.outdated else lines)

    def _lead(self, inquiry: Inquiry, status: Status, paper: Paper) -> list[Line]:
        """What has to be said before all else, where the volume is not as one would think."""
        if self._vanished:
            return [_vanished(status)]
        row = self._board.by_key.get(VOLUME_ROW + self._volume) if self._board is not None else None
        if row is not None and self._board is not None:
            return fact_lines(describe_alone(row, self._seen(status, self._board)), paper.width)
        if not inquiry.tree.nodes:
            return [[("  No locks: every operation would be granted.", "good")]]
        return []

    def _seen(self, status: Status, board: Board) -> Seen:
        return Seen(board, status.now, status.wall_ns, self.locktop.glyphs)

    def _made(
        self, inquiry: Inquiry, status: Status, paper: Paper
    ) -> tuple[list[Line], list[Line], list[Line]]:
        """What does not move with time: about the volume, the selected lock's life, what comes at the end."""
        alive: list[Line] = []
        after: list[Line] = []
        if self._chosen is not None:
            alive = alive_lines(self._chosen, status.wall_ns, paper)
            after = file_lines(self._chosen, status.now.middle, paper)
        return volume_lines(inquiry, paper), alive, [*after, *about_lines(inquiry, self._history, paper)]

    def _nothing(self, status: Status) -> list[Line]:
        if status.board is None:
            return [[("  ", "text"), *line] for line in emptiness(status, "")]
        if self.finding:
            return [[("  looking through its locks", "dim")]]
        if not status.board.snapshot.complete:
            return [[("  not seen, but not everything could be read: absence proves nothing", "late")]]
        return [[("  the store has no backup volume of this name", "strong")]]

    # -- what people do

    def on_cursor_moved(self, _: CursorMoved) -> None:
        """Another lock."""
        self.show_status(self.locktop.status)

    def action_back(self) -> None:
        """Back to where one came from."""
        self.dismiss()

    def action_select(self, by: int) -> None:
        """Select another lock; where there is no choice, scroll."""
        picker = self.query_one(Picker)
        if len(picker.keys) > 1 and picker.display:
            picker.move(by)
        else:
            self.action_scroll(by)

    @property
    def here(self) -> Here | None:
        """The selected lock, or the volume."""
        board = self._board
        row = self._chosen.row if self._chosen is not None else None
        view = row.volume if row is not None else None
        if view is None and board is not None:
            view = view_of(board.snapshot, self._volume)
        return Here(view, row) if view is not None else None

    @property
    def export(self) -> Export | None:
        """The locks of the volume."""
        if self._board is None:
            return None
        rows = [row for row in self._board.rows if row.volume.name == self._volume]
        return of_locks(self._board, rows, plural(sum(row.lock is not None for row in rows), "lock"))

    def action_copy_key(self) -> None:
        """Copy the key of the selected lock."""
        row: Row | None = self._chosen.row if self._chosen is not None else None
        if row is None and self._board is not None:
            row = self._board.by_key.get(VOLUME_ROW + self._volume)
        self.locktop.copy_key(row)

    def action_wrap(self) -> None:
        """Show the body of the lock in one line, or whole."""
        self._wrapped = not self._wrapped
        self.show_status(self.locktop.status)

    async def action_simulate(self) -> None:
        """How an operation on this volume would fare."""
        await self.locktop.simulate(self._volume)

    def action_scroll(self, by: int) -> None:
        """Scroll by lines."""
        self.query_one(Scroller).scroll_lines(by)

    def action_scroll_page(self, pages: float) -> None:
        """Scroll by pages."""
        sheet = self.query_one(Scroller)
        sheet.scroll_lines(round(sheet.size.height * pages))

    def action_scroll_to(self, end: str) -> None:
        """Scroll to an end."""
        sheet = self.query_one(Scroller)
        sheet.scroll_home(animate=False) if end == "first" else sheet.scroll_end(animate=False)


def _same(one: tuple[object, ...], other: tuple[object, ...]) -> bool:
    """Whether things are the very same: comparing whole Snapshots would cost more than making lines anew."""
    return len(one) == len(other) and all(
        a is b or (isinstance(a, int) and a == b) for a, b in zip(one, other, strict=True)
    )


def _vanished(status: Status) -> Line:
    if status.board is not None and not status.board.snapshot.complete:
        return [
            ("  Not seen by the last look, which could not read everything", "late"),
            (": as before.", "text"),
        ]
    return [("  The store no longer has this volume", "alert"), (": as it was last seen.", "text")]
