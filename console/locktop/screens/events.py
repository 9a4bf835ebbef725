"""What happened, as far as looking again and again can tell."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from textual.widget import Widget

from backuplock.text import elapsed, printable
from locktop.copies import Here
from locktop.event_list import (
    SEPARATOR,
    EventList,
    Item,
    Seen,
    Wanted,
    Widths,
    heading,
    item_line,
    spans_days,
    widths_of,
)
from locktop.exports import Export, of_events
from locktop.format import Line, name, number, plural, short_seconds
from locktop.keys import Place, bindings
from locktop.messages import DetailsRequested, FilterChanged, FilterClosed, TableScrolled
from locktop.output import event_lines
from locktop.screens.base import View
from locktop.status import Status, emptiness
from locktop.volume_now import view_of
from locktop.widgets.bars import TitleRule
from locktop.widgets.filter_bar import FilterBar
from locktop.widgets.key_list import KeyList


class EventsScreen(View):
    """Events, the youngest at the top. It is followed until a person moves away from it."""

    PLACE: ClassVar[Place] = "events"
    VIEW: ClassVar[str] = "events"
    BINDINGS: ClassVar = bindings("events")
    AUTO_FOCUS: ClassVar[str] = "KeyList"

    def __init__(self) -> None:
        super().__init__()
        self._list = EventList()
        self._wanted = Wanted()
        self._by_key: dict[str, Item] = {}
        self._days = False
        self._rule_at = 0
        self._claims_first = False
        self._newest = ""

    def body(self) -> Iterable[Widget]:
        """The list, what to think of it, the filter."""
        glyphs = self.locktop.glyphs
        yield TitleRule(glyphs)
        yield KeyList(glyphs)
        yield TitleRule(glyphs, id="legend")
        yield FilterBar(glyphs, columns=False)

    # -- status -> widgets

    def show_status(self, status: Status) -> None:
        """New events; between them only time moves on."""
        if self._list.take(status, self._wanted, self._called):
            self._by_key = {item.key: item for item in self._list.items}
            self._rule_at = next(
                (at for at, key in enumerate(self._by_key) if key == SEPARATOR), len(self._by_key)
            )
            self._days = spans_days(self._list.items, status.wall_ns)
            self.query_one(KeyList).show(list(self._by_key), self._heading, self._paint)
        self.query_one(KeyList).tick(self._instead(status), faded=status.outdated)
        self._show_title(status)
        self._show_legend(status)

    def _called(self, volume: str) -> str:
        board = self.locktop.status.board
        view = view_of(board.snapshot, volume) if board is not None else None
        return view.names.claim_path if view is not None and view.names else ""

    def _heading(self, width: int) -> Line:
        return heading(self._widths(width), claims_first=self._claims_first)

    def _paint(self, key: str, width: int) -> Line:
        status = self.locktop.status
        seen = Seen(status, self.locktop.glyphs, self._called, self._claims_first)
        return item_line(self._by_key[key], self._widths(width), seen)

    def _widths(self, width: int) -> Widths:
        status = self.locktop.status
        claims = status.board is not None and status.board.claims
        return widths_of(width, claims=claims, holders=bool(status.holders), days=self._days)

    def _instead(self, status: Status) -> list[Line]:
        if status.board is None:
            return emptiness(status, "")
        if self._wanted.text and self._list.total:
            return [
                [("no event matches ", "text"), (name(self._wanted.text), "strong")],
                [],
                [("esc clears the filter", "dim")],
            ]
        watched = status.mono_ns - (status.since_mono_ns or status.mono_ns)
        lines: list[Line] = [[(f"no events yet: watched for {elapsed(watched)}", "strong")]]
        if status.events:
            lines += [[], [(f"{number(len(status.events))} renewals are not shown, R shows them", "dim")]]
        return lines

    def _show_title(self, status: Status) -> None:
        table = self.query_one(KeyList)
        if not table.chosen:
            self._newest = table.keys[0] if table.keys else ""
        left: Line = self.view_title()
        shown, total = len(self._by_key), self._list.total
        left += [(f"{number(total)}", "strong"), (f" event{'s' * (total != 1)}", "dim")]
        if not self._wanted.renewals:
            left.append((", renewals hidden", "dim"))
        if self._wanted.text:
            left += [("   matching ", "dim"), (name(self._wanted.text), "key")]
        news = self._news(status)
        if news:
            left.append((f"   {news}", "waiting"))
        first, last = table.in_view
        right: Line = []
        if shown:
            # The end of this session's own is a line, and nothing that happened.
            rule = self._rule_at
            first, last, shown = first - (rule < first - 1), last - (rule < last), shown - (rule < shown)
            right = [(f"{number(first)}-{number(last)}", "text"), (f" of {number(shown)}", "dim")]
        self.query_one(TitleRule).show(left, right)

    def _news(self, status: Status) -> str:
        """What came that is not in sight."""
        if status.paused:
            return f"+{number(status.unseen)} new while paused" if status.unseen else ""
        table = self.query_one(KeyList)
        if not table.chosen or table.scroll_offset.y == 0:
            # The top is in sight.
            self._newest = table.keys[0] if table.keys else ""
            return ""
        above = table.places_before(self._newest)
        return f"+{number(above)} new, esc follows" if above else ""

    def _show_legend(self, status: Status) -> None:
        pace = short_seconds(status.interval_ns)
        words = f"? inferred from successive looks; what is shorter than {pace} may be missed"
        self.query_one("#legend", TitleRule).show([(words, "dim")])

    # -- what people do

    @property
    def item(self) -> Item | None:
        """What is under the cursor."""
        return self._by_key.get(self.query_one(KeyList).cursor or "")

    def action_move(self, by: int) -> None:
        """Move the cursor by lines."""
        self.query_one(KeyList).move(by)
        self._show_title(self.locktop.status)

    def action_move_page(self, pages: float) -> None:
        """Move the cursor by pages or parts of one."""
        table = self.query_one(KeyList)
        table.move(round(table.page_rows * pages))
        self._show_title(self.locktop.status)

    def action_move_to(self, end: str) -> None:
        """Follow what comes, or go to the oldest."""
        table = self.query_one(KeyList)
        table.release() if end == "first" else table.move_to(len(table.keys))
        self._show_title(self.locktop.status)

    def action_filter(self) -> None:
        """Type a filter."""
        self.query_one(FilterBar).open()

    def action_back(self) -> None:
        """Drop the filter; without one, follow what comes."""
        if self._wanted.text:
            self.query_one(FilterBar).clear()
            self._want(Wanted("", self._wanted.renewals))
        else:
            self.action_move_to("first")

    def action_renewals(self) -> None:
        """Show renewals, or hide them."""
        self._want(Wanted(self._wanted.text, not self._wanted.renewals))

    def action_names(self) -> None:
        """Volume ids first, or the names people know."""
        self._claims_first = not self._claims_first
        self.query_one(KeyList).refresh()

    def action_open(self) -> None:
        """Everything about the volume of the event under the cursor."""
        event = self.item.event if self.item is not None else None
        if event is not None and not event.volume:
            self.notify("nothing to open: this concerns the whole store", markup=False, severity="warning")
        elif event is not None:
            self.locktop.open_volume(event.volume, event.key)

    @property
    def here(self) -> Here | None:
        """The volume of the event under the cursor, and its lock where that is there still."""
        event = self.item.event if self.item is not None else None
        board = self.locktop.status.board
        view = view_of(board.snapshot, event.volume) if event is not None and board is not None else None
        if view is None or event is None or board is None:
            return None
        return Here(view, board.by_key.get(event.key))

    @property
    def export(self) -> Export | None:
        """The events that are shown."""
        found = [item.event for item in reversed(self._list.items) if item.event is not None]
        return of_events(found, self.locktop.status.url, plural(len(found), "event"))

    def action_copy(self) -> None:
        """Copy the line under the cursor."""
        event = self.item.event if self.item is not None else None
        if event is None:
            self.notify("nothing to copy: this is no event", markup=False, severity="warning")
            return
        claim = self._called(event.volume)
        self.app.copy_to_clipboard(printable(event_lines.line(event, claim=claim), limit=4096))
        self.notify("copied the event", markup=False)

    def _want(self, wanted: Wanted) -> None:
        self._wanted = wanted
        self.show_status(self.locktop.status)

    def on_filter_changed(self, message: FilterChanged) -> None:
        """Filter with every character."""
        self._want(Wanted(message.text, self._wanted.renewals))

    def on_filter_closed(self, message: FilterClosed) -> None:
        """Back to the list."""
        if not message.keep:
            self._want(Wanted("", self._wanted.renewals))
        self.query_one(KeyList).focus()

    def on_table_scrolled(self, _: TableScrolled) -> None:
        """Other lines."""
        self._show_title(self.locktop.status)

    def on_details_requested(self, _: DetailsRequested) -> None:
        """A line was opened with the mouse."""
        self.action_open()
