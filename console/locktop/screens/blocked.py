"""Which operations are blocked where, by what, until when, and who waits."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

from textual.widget import Widget

from backuplock.clock import SECOND
from backuplock.text import printable
from locktop.block_lines import Scene, Widths, block_line, heading, widths_of
from locktop.block_list import ORDERS, Block, BlockList, in_order
from locktop.copies import Here
from locktop.exports import Export, of_blocked
from locktop.filters import Filter
from locktop.format import Line, name, number, plural
from locktop.keys import Place, bindings
from locktop.messages import CursorMoved, DetailsRequested, FilterChanged, FilterClosed, TableScrolled
from locktop.output.blocked import volume_paras
from locktop.screens.base import View
from locktop.status import Status, emptiness
from locktop.widgets.bars import TitleRule
from locktop.widgets.filter_bar import FilterBar
from locktop.widgets.key_list import KeyList
from locktop.widgets.panes import Scroller, para_lines

HOLD_NS = 3 * SECOND
"""How long the order stays as it is after a person moved in the list."""


class BlockedScreen(View):
    """Everything that would not be granted now, what somebody waits for first."""

    PLACE: ClassVar[Place] = "blocked"
    VIEW: ClassVar[str] = "blocked"
    BINDINGS: ClassVar = bindings("blocked")
    AUTO_FOCUS: ClassVar[str] = "KeyList"

    def __init__(self) -> None:
        super().__init__()
        self._filter = Filter()
        self._order, self._reverse, self._only = "waiting", False, False
        self._list: BlockList | None = None
        self._lines: Sequence[Block] = ()
        self._visible: dict[str, Block] = {}
        self._claims_first = False
        self._hold_until = 0
        self._told: tuple[object, int] = (None, 0)

    def body(self) -> Iterable[Widget]:
        """The list, what is said about the line under the cursor, the filter."""
        glyphs = self.locktop.glyphs
        yield TitleRule(glyphs)
        yield KeyList(glyphs)
        yield TitleRule(glyphs, id="more-title")
        yield Scroller(glyphs, id="more")
        yield FilterBar(glyphs)

    def on_mount(self) -> None:
        """Only the list is moved in."""
        self.query_one("#more", Scroller).can_focus = False
        super().on_mount()

    # -- status -> widgets

    def show_status(self, status: Status) -> None:
        """New data is arranged; between data, only time moves on."""
        if status.blocks is not self._list:
            self._list = status.blocks
            self._arrange(hold=self._holding(status))
        self.query_one(KeyList).tick(self._instead(status), faded=status.outdated)
        self._show_title(status)
        self._show_more()

    def _holding(self, status: Status) -> bool:
        return status.paused or status.mono_ns < self._hold_until

    def _arrange(self, *, hold: bool) -> None:
        """Put the lines in order; while held, in the order that is on the screen."""
        shown = [block.key for block in self._lines] if hold else []
        found = self._list
        self._lines = in_order(found, self._order, reverse=self._reverse, shown=shown) if found else ()
        self._show_lines()

    def _show_lines(self) -> None:
        lines = [block for block in self._lines if block.waiting] if self._only else self._lines
        if self._filter.narrows and self._list is not None:
            rows = {id(row): row for block in lines for row in block.rows}
            matching = {row.key for row in self._filter.apply(list(rows.values()), self._list.board.now)}
            lines = [block for block in lines if any(row.key in matching for row in block.rows)]
        self._visible = {block.key: block for block in lines}
        self.query_one(KeyList).show(list(self._visible), self._heading, self._paint)

    def _heading(self, width: int) -> Line:
        scene = self._scene()
        return heading(self._widths(width), self._order, scene) if scene else []

    def _paint(self, key: str, width: int) -> Line:
        scene, block = self._scene(), self._visible.get(key)
        return block_line(block, self._widths(width), scene) if scene and block else []

    def _widths(self, width: int) -> Widths:
        return widths_of(width, claims=self._list is not None and self._list.board.claims)

    def _scene(self) -> Scene | None:
        if self._list is None:
            return None
        status = self.locktop.status
        snapshot = self._list.board.snapshot
        return Scene(snapshot, status.tracks, status.now, self.locktop.glyphs, self._claims_first)

    def _instead(self, status: Status) -> list[Line]:
        if status.board is None or not status.board.snapshot.store_present:
            return emptiness(status, "")
        if self._lines and self._filter.text:
            return [
                [("nothing that is blocked matches ", "text"), (name(self._filter.text), "strong")],
                [],
                [("esc clears the filter", "dim")],
            ]
        if self._lines and self._only:
            return [
                [("nobody waits", "strong")],
                [],
                [(f"{plural(len(self._lines), 'line')} more are locked; o shows them", "dim")],
            ]
        if not status.board.snapshot.complete:
            return [[("nothing seen, but not everything could be read: absence proves nothing", "late")]]
        volumes = plural(len(status.board.snapshot.volumes), "volume")
        return [
            [("nothing is blocked: every operation would be granted", "strong")],
            [],
            [(f"{volumes} looked at", "dim")],
        ]

    def _show_title(self, status: Status) -> None:
        glyphs = self.locktop.glyphs
        left: Line = self.view_title()
        if self._list is not None:
            awaited = self._list.awaited
            left.append(
                (plural(awaited, "volume") if awaited else "no volume", "waiting" if awaited else "text")
            )
            left += [(" where somebody waits", "dim"), (f"   by {self._order}", "dim")]
        if self._reverse:
            left.append((", reversed", "text"))
        if self._only:
            left.append(("   only those", "key"))
        if self._filter.text:
            left += [("   matching ", "dim"), (name(self._filter.text), "key")]
        if self._list is not None and self._holding(status):
            left.append((f"   {glyphs.paused} order held", "waiting"))
        first, last = self.query_one(KeyList).in_view
        right: Line = []
        if self._visible:
            right = [
                (f"{number(first)}-{number(last)}", "text"),
                (f" of {number(len(self._visible))}", "dim"),
            ]
        self.query_one(TitleRule).show(left, right)

    def _show_more(self) -> None:
        """What `locktop blocked` says about the volume under the cursor."""
        sheet, block = self.query_one("#more", Scroller), self.block
        told = (block.found if block is not None else None, sheet.size.width)
        if told == self._told or not sheet.size.height:
            return
        self._told = told
        if block is None:
            sheet.show([])
            self.query_one("#more-title", TitleRule).show([])
            return
        title: Line = [(name(block.view.name), "strong")]
        if block.claim:
            title += [("  ", "text"), (name(block.claim), "key")]
        self.query_one("#more-title", TitleRule).show(title)
        sheet.show(para_lines(volume_paras(block.found, self.locktop.glyphs), sheet.size.width))

    @property
    def block(self) -> Block | None:
        """What is under the cursor."""
        return self._visible.get(self.query_one(KeyList).cursor or "")

    # -- what people do

    def _hands_on(self) -> None:
        self._hold_until = self.locktop.session.clock.mono_ns() + HOLD_NS
        self._show_title(self.locktop.status)

    def action_move(self, by: int) -> None:
        """Move the cursor by lines."""
        self.query_one(KeyList).move(by)
        self._hands_on()

    def action_move_page(self, pages: float) -> None:
        """Move the cursor by pages or parts of one."""
        table = self.query_one(KeyList)
        table.move(round(table.page_rows * pages))
        self._hands_on()

    def action_move_to(self, end: str) -> None:
        """Move the cursor to the first or last line."""
        table = self.query_one(KeyList)
        table.move_to(0 if end == "first" else len(table.keys))
        self._hands_on()

    def action_filter(self) -> None:
        """Type a filter."""
        self.query_one(FilterBar).open()

    def action_back(self) -> None:
        """Drop the filter; without one, go back to the top and stay there."""
        if self._filter.text:
            self.query_one(FilterBar).clear()
            self._set_filter("")
        else:
            self._hold_until = 0
            self.query_one(KeyList).release()
            self._show_title(self.locktop.status)

    def action_only(self) -> None:
        """Only what somebody waits for, or everything."""
        self._only = not self._only
        self._show_lines()
        self.show_status(self.locktop.status)

    def action_sort(self) -> None:
        """The next order."""
        names = list(ORDERS)
        self._order = names[(names.index(self._order) + 1) % len(names)]
        self._resort()

    def action_reverse(self) -> None:
        """The other way round."""
        self._reverse = not self._reverse
        self._resort()

    def action_names(self) -> None:
        """Volume ids first, or the names people know."""
        self._claims_first = not self._claims_first
        self.query_one(KeyList).refresh()

    def action_open(self) -> None:
        """Everything about the volume under the cursor."""
        if self.block is not None:
            blockers = self.block.blockers
            self.locktop.open_volume(self.block.view.name, blockers[0].key if blockers else "")

    async def action_simulate(self) -> None:
        """What an operation on the volume under the cursor would meet."""
        if self.block is not None:
            await self.locktop.simulate(self.block.view.name)

    @property
    def here(self) -> Here | None:
        """The volume under the cursor, with the first lock in the way."""
        block = self.block
        if block is None:
            return None
        return Here(block.view, block.blockers[0] if block.blockers else None)

    @property
    def export(self) -> Export | None:
        """The volumes of the lines that are shown, each once."""
        if self._list is None:
            return None
        found = {block.view.name: block.found for block in self._visible.values()}
        return of_blocked(self._list.board, list(found.values()), plural(len(found), "blocked volume"))

    def action_copy(self) -> None:
        """Copy the id of the volume under the cursor."""
        if self.block is not None:
            self.app.copy_to_clipboard(printable(self.block.view.name, limit=4096))
            self.notify(f"copied {name(self.block.view.name)}", markup=False)

    def _resort(self) -> None:
        self._arrange(hold=False)
        self._show_title(self.locktop.status)

    def _set_filter(self, text: str) -> None:
        self._filter.text = text
        self.query_one(FilterBar).say(self._filter.problem)
        self._show_lines()
        self.show_status(self.locktop.status)

    def on_filter_changed(self, message: FilterChanged) -> None:
        """Filter with every character."""
        self._set_filter(message.text)

    def on_filter_closed(self, message: FilterClosed) -> None:
        """Back to the list."""
        if not message.keep:
            self._set_filter("")
        self.query_one(KeyList).focus()

    def on_cursor_moved(self, _: CursorMoved) -> None:
        """Another volume."""
        self._show_more()

    def on_table_scrolled(self, _: TableScrolled) -> None:
        """Other lines."""
        self._show_title(self.locktop.status)
        self._show_more()

    def on_details_requested(self, _: DetailsRequested) -> None:
        """A line was opened with the mouse."""
        self.action_open()
