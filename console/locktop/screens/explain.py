"""An error message of Longhorn, pasted, and the present picture of its volume."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from textual.widget import Widget

from backuplock.explain import MAX_TEXT, Complaint, find_complaints
from locktop.explain_sheet import instead_lines, report_lines, reports_now
from locktop.format import Line, plural
from locktop.keys import Place, bindings
from locktop.messages import ComplaintsFound, CursorMoved, DetailsRequested, MessageGiven
from locktop.output.explain_many import complaint_heading, complaint_line
from locktop.reports import Report
from locktop.screens.finding import FindingView
from locktop.status import Status
from locktop.volume_sheet import Paper
from locktop.widgets.bars import TitleRule
from locktop.widgets.message_box import MessageBox
from locktop.widgets.panes import Scroller
from locktop.widgets.picker import Picker

Reports = tuple[tuple[Complaint, ...], dict[str, Report]]
"""Complaints, and what there is to say about each of them."""

LONG = 20_000
"""Characters from which a text is read in a thread: half a second a megabyte."""


class ExplainScreen(FindingView[Reports]):
    """Takes a message and says what is in the way now, live.

    Args:
        text: a message that was pasted before this was open.
    """

    PLACE: ClassVar[Place] = "explain"
    BINDINGS: ClassVar = bindings("explain")
    AUTO_FOCUS: ClassVar[str] = ""

    def __init__(self, text: str = "") -> None:
        super().__init__()
        self._text = text
        self._complaints: tuple[Complaint, ...] = ()
        self._keys: tuple[str, ...] = ()
        self._reports: dict[str, Report] = {}
        self._reading = False
        self._pick_first = False
        self._known: tuple[object, ...] = ()

    @property
    def attended(self) -> str | None:
        """The session looks beside the locks of the volume that is told about."""
        found = self._chosen
        return found.complaint.volume if found is not None and found.inquiry is not None else None

    @property
    def _chosen(self) -> Report | None:
        return self._reports.get(self.query_one(Picker).cursor or "") if self._keys else None

    def body(self) -> Iterable[Widget]:
        """The message, the complaints in it, the report."""
        glyphs = self.locktop.glyphs
        yield TitleRule(glyphs)
        yield MessageBox()
        yield Picker(glyphs)
        yield Scroller(glyphs)

    def on_mount(self) -> None:
        """Explain what was pasted, or take something."""
        super().on_mount()
        box = self.query_one(MessageBox)
        box.cursor_blink = False
        if self._text:
            self.give(self._text)
        else:
            box.focus()

    # -- the message

    def give(self, text: str) -> None:
        """Explain a text that was pasted."""
        self.query_one(MessageBox).put(text)
        self._read(text)
        self.query_one(Scroller).focus()

    def another(self) -> None:
        """Take another message."""
        self.query_one(MessageBox).focus()

    def on_message_given(self, message: MessageGiven) -> None:
        """Read it; after the last of it the report has the keys."""
        if message.text is not None:
            self._read(message.text)
        if message.done and self._text.strip():
            self.query_one(Scroller).focus()

    def _read(self, text: str) -> None:
        self._text = text
        self._pick_first = True
        if len(text) < LONG:
            self.on_complaints_found(ComplaintsFound(text, find_complaints(text)))
            return
        self._reading = True

        def read() -> None:
            # The end of a log is its newest part.
            self.post_message(ComplaintsFound(text, find_complaints(text[-MAX_TEXT:])))

        self.run_worker(read, thread=True)
        self._show()

    def on_complaints_found(self, message: ComplaintsFound) -> None:
        """Report, unless another text was given meanwhile."""
        if message.text is not self._text:
            return
        self._reading = False
        self._complaints = message.complaints
        self._keys, self._known = (), ()
        self._show()

    # -- status -> widgets

    def show_status(self, status: Status) -> None:
        """Report anew when there is news."""
        news = (status.board, status.tracks, status.explored, status.failure, self._complaints)
        if len(news) != len(self._known) or any(
            one is not other for one, other in zip(news, self._known, strict=True)
        ):
            self._known = news
            self.learn(status)
        if self._pick_first and self._keys and status.board is not None:
            self._pick_first = False
            blocked = (key for key in self._keys if self._reports[key].outcome == "blocked")
            self.query_one(Picker).pick(next(blocked, self._keys[0]))
            self.query_one(Scroller).scroll_home(animate=False)
        self._show_complaints(status)
        self._show_title()
        self._show_report(status)

    def _show(self) -> None:
        self.show_status(self.locktop.status)
        self.locktop.attend()

    def volumes(self) -> Iterable[str]:
        """Those that the message speaks of."""
        return (one.volume for one in self._complaints)

    def find_out(self, status: Status) -> Reports:
        """What there is to say about each complaint."""
        complaints = self._complaints
        return complaints, reports_now(complaints, status)

    def take(self, status: Status, found: Reports) -> None:
        """The next reports, unless another message was given meanwhile."""
        complaints, reports = found
        if complaints is self._complaints:
            self._reports, self._keys = reports, tuple(reports)

    def _show_complaints(self, status: Status) -> None:
        picker, reports, glyphs = self.query_one(Picker), self._reports, self.locktop.glyphs
        picker.display = len(self._keys) > 1

        def paint(key: str, width: int) -> Line:
            return complaint_line(reports[key], width, glyphs)

        picker.show(self._keys, [(" ", "dim"), *complaint_heading()], paint, faded=status.outdated)

    def _show_title(self) -> None:
        left: Line = [("Explain a message", "key")]
        if self._reading:
            left.append(("   reading it", "dim"))
        elif self._complaints:
            volumes = len({one.volume for one in self._complaints})
            left.append(
                (f"   {plural(len(self._keys), 'complaint')} about {plural(volumes, 'volume')}", "dim")
            )
        typing = isinstance(self.app.focused, MessageBox)
        self.query_one(TitleRule).show(left, [("enter explains" if typing else "esc back", "dim")])

    def _show_report(self, status: Status) -> None:
        paper = Paper(max(40, self.app.size.width - 2), self.locktop.glyphs)
        found = self._chosen
        if found is None:
            lines = [] if self._reading or self._complaints else instead_lines(self._text, paper)
        else:
            lines = report_lines(found, status.board, paper)
        self.query_one(Scroller).show(
            [[(text, "dim") for text, _ in one] for one in lines] if status.outdated else lines
        )

    def on_descendant_focus(self) -> None:
        """The keys mean something else now."""
        self._show_title()

    # -- what people do

    def on_cursor_moved(self, _: CursorMoved) -> None:
        """Another complaint."""
        self._show()

    def on_details_requested(self, _: DetailsRequested) -> None:
        """A complaint was opened with the mouse."""
        self.action_open()

    def action_open(self) -> None:
        """The volume in detail, from the lock that is in the way."""
        found = self._chosen
        if found is None:
            return
        if found.inquiry is None:
            self.notify(found.problem or "there is no picture of it", markup=False, severity="warning")
            return
        lock = found.blockers[0].node.lock.key if found.blockers else ""
        self.locktop.open_volume(found.complaint.volume, lock)

    async def action_simulate(self) -> None:
        """How an operation on the volume would fare."""
        found = self._chosen
        if found is not None and found.inquiry is not None:
            await self.locktop.simulate(found.complaint.volume)

    def action_back(self) -> None:
        """From the message to the report, from there back to where one came from."""
        if isinstance(self.app.focused, MessageBox) and self._keys:
            self.query_one(Scroller).focus()
        else:
            self.dismiss()

    def action_select(self, by: int) -> None:
        """The next complaint; where there is one only, scroll."""
        if len(self._keys) > 1:
            self.query_one(Picker).move(by)
            self.query_one(Scroller).scroll_home(animate=False)
        else:
            self.query_one(Scroller).scroll_lines(by)

    def action_scroll_page(self, pages: float) -> None:
        """Scroll by pages."""
        sheet = self.query_one(Scroller)
        sheet.scroll_lines(round(sheet.size.height * pages))

    def action_scroll_to(self, end: str) -> None:
        """Scroll to an end."""
        sheet = self.query_one(Scroller)
        sheet.scroll_home(animate=False) if end == "first" else sheet.scroll_end(animate=False)

    def action_copy_report(self) -> None:
        """Copy the report as text, for a ticket."""
        found = self._chosen
        if found is None:
            return
        lines = report_lines(found, self.locktop.status.board, Paper(100, self.locktop.glyphs))
        self.app.copy_to_clipboard(
            "\n".join("".join(text for text, _ in one).rstrip() for one in lines).strip()
        )
        self.notify("copied the report", markup=False)
