"""What all screens share: the app's status as it changes, and a sentence for tiny terminals."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar, cast

from textual import events
from textual.app import ComposeResult
from textual.await_complete import AwaitComplete
from textual.screen import ModalScreen, Screen
from textual.widget import Widget
from textual.widgets import Input, TextArea

from locktop.format import Line
from locktop.header import caution, counts, header
from locktop.keys import VIEWS, Place, footer_keys
from locktop.status import Status, banner
from locktop.watch_lines import watch_line
from locktop.widgets.bars import (
    MIN_HEIGHT,
    MIN_WIDTH,
    Banner,
    CautionBar,
    FooterBar,
    HeaderBar,
    TabBar,
    TooSmall,
)
from locktop.widgets.watch_bar import WatchBar

if TYPE_CHECKING:
    from locktop.app import LocktopApp
    from locktop.copies import Here
    from locktop.exports import Export


TABS_FROM = 100
"""Cells from which the line of tabs is shown."""


class Leaving(Screen[None]):
    """A screen that takes no other along when it goes: Textual's `dismiss` removes whichever is on top."""

    def dismiss(self, result: None = None) -> AwaitComplete:
        """Go, if this is the screen on top; asked twice before it has gone, it goes once."""
        return super().dismiss(result) if self.app.screen is self else AwaitComplete()


class View(Leaving):
    """A screen that follows the status, between a header and a footer.

    Subclasses set `PLACE`, yield their own widgets in `body` and show things in `show_status`. `VIEW` is the
    one of the numbered views that they are; screens that are opened from several leave it empty.
    """

    PLACE: ClassVar[Place]
    VIEW: ClassVar[str] = ""

    @property
    def locktop(self) -> LocktopApp:
        """The app, by its own type."""
        return cast("LocktopApp", self.app)

    @property
    def attended(self) -> str | None:
        """The volume beside whose locks the session looks while this screen is shown."""
        return None

    @property
    def chosen_locks(self) -> tuple[str, ...]:
        """Keys of the locks that are marked here, or of the one under the cursor."""
        return ()

    @property
    def here(self) -> Here | None:
        """What is under the cursor, to be copied from; None where that is no volume."""
        return None

    @property
    def export(self) -> Export | None:
        """What is shown, to be written into a file; None where that is no list."""
        return None

    @property
    def broken_entry(self) -> str:
        """The transaction of the broken lock under the cursor, if it stands on one."""
        return ""

    @property
    def why_not_break(self) -> str:
        """Why what is chosen here cannot be broken; "" if it may be tried."""
        return ""

    def compose(self) -> ComposeResult:
        """Header, tabs, banner, what the view itself brings, footer."""
        glyphs = self.locktop.glyphs
        yield HeaderBar(glyphs)
        yield CautionBar(glyphs)
        yield TabBar(glyphs)
        yield Banner(glyphs)
        yield WatchBar(glyphs)
        yield from self.body()
        yield FooterBar([key for key in footer_keys(self.PLACE) if self.locktop.offers(key)])
        yield TooSmall()

    def body(self) -> Iterable[Widget]:
        """The widgets between the tabs and the footer."""
        raise NotImplementedError

    def on_mount(self) -> None:
        """Follow the status from now on."""
        self.set_class(self.locktop.plain, "-ascii")
        self.watch(self.app, "status", self._follow, init=False)
        self.update_now()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """In a text field the key of the filter is text."""
        if action == "filter" and isinstance(self.focused, Input | TextArea):
            return False
        return super().check_action(action, parameters)

    def on_screen_resume(self) -> None:
        """Catch up on what happened while another view was shown."""
        self.locktop.attend()
        self.update_now()

    def on_screen_suspend(self) -> None:
        """Something else is shown now."""
        self.locktop.attend()

    def update_now(self) -> None:
        """Show the present status in all parts."""
        status, glyphs = self.locktop.status, self.locktop.glyphs
        self.query_one(HeaderBar).show(*header(status, glyphs, self.app.size.width))
        self.query_one(CautionBar).show(caution(status))
        self.query_one(TabBar).show_view(
            self.VIEW or self.app.current_mode, self.locktop.tab_counts, counts(status, glyphs)
        )
        self.query_one(Banner).show(banner(status, glyphs))
        self.query_one(WatchBar).show(watch_line(status.deeds.cares, status.mono_ns, glyphs))
        self.show_status(status)

    def show_status(self, status: Status) -> None:
        """The status has changed, if only by time."""
        raise NotImplementedError

    def view_title(self) -> Line:
        """Which view it is, for a title rule, where the line of tabs has no room."""
        narrow = self.app.size.width < TABS_FROM
        return [(VIEWS[self.VIEW], "key"), ("   ", "text")] if narrow and self.VIEW else []

    def _follow(self, _status: Status) -> None:
        # Screens of other views are not seen; they catch up when they are.
        if self in self.app.screen_stack:
            self.update_now()

    def on_resize(self, event: events.Resize) -> None:
        """Say things anew for the new width; hide everything where nothing fits."""
        self.set_class(event.size.width < MIN_WIDTH or event.size.height < MIN_HEIGHT, "-tiny")
        self.update_now()


class Sheet(Leaving, ModalScreen[None]):
    """A screen over another, which stays in sight."""

    PLACE: ClassVar[Place] = "help"

    @property
    def locktop(self) -> LocktopApp:
        """The app, by its own type."""
        return cast("LocktopApp", self.app)

    def on_mount(self) -> None:
        """Know the character set."""
        self.set_class(self.locktop.plain, "-ascii")

    def on_resize(self, event: events.Resize) -> None:
        """Hide everything where nothing fits."""
        self.set_class(event.size.width < MIN_WIDTH or event.size.height < MIN_HEIGHT, "-tiny")
