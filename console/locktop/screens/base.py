"""What all screens share: the app's status as it changes, and a sentence for tiny terminals."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from textual import events
from textual.screen import ModalScreen, Screen

from locktop.status import Status
from locktop.widgets.bars import MIN_HEIGHT, MIN_WIDTH

if TYPE_CHECKING:
    from locktop.app import LocktopApp


class View(Screen[None]):
    """A screen that follows the status. Subclasses implement `show_status`."""

    @property
    def locktop(self) -> LocktopApp:
        """The app, by its own type."""
        return cast("LocktopApp", self.app)

    def on_mount(self) -> None:
        """Follow the status from now on."""
        self.set_class(self.locktop.plain, "-ascii")
        self.watch(self.app, "status", self.show_status)

    def show_status(self, status: Status) -> None:
        """The status has changed, if only by time."""
        raise NotImplementedError

    def on_resize(self, event: events.Resize) -> None:
        """Say things anew for the new width; hide everything where nothing fits."""
        self.set_class(event.size.width < MIN_WIDTH or event.size.height < MIN_HEIGHT, "-tiny")
        self.show_status(self.locktop.status)


class Sheet(ModalScreen[None]):
    """A screen over another, which stays in sight."""

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
