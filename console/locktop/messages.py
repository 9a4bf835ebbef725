"""Messages: facts in the past tense, wishes of a person by their intent. They carry values, not widgets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.message import Message

if TYPE_CHECKING:
    from backuplock.explain import Complaint
    from locktop.foretell import Told
    from locktop.session import Event
    from locktop.status import Status


class SessionReported(Message):
    """The session's thread has something to tell."""

    def __init__(self, event: Event) -> None:
        super().__init__()
        self.event = event


class CursorMoved(Message):
    """The cursor stands on another row; `key` is None on an empty table."""

    def __init__(self, key: str | None) -> None:
        super().__init__()
        self.key = key


class TableScrolled(Message):
    """Other rows are in view."""


class DetailsRequested(Message):
    """A person wants to see everything about a row."""

    def __init__(self, key: str) -> None:
        super().__init__()
        self.key = key


class SortRequested(Message):
    """A person wants the rows ordered by a column."""

    def __init__(self, column: str) -> None:
        super().__init__()
        self.column = column


class ColumnsChosen(Message):
    """A person chose which columns there are; `hidden` are those that they do not want."""

    def __init__(self, hidden: frozenset[str]) -> None:
        super().__init__()
        self.hidden = hidden


class ColumnToggled(Message):
    """A person clicked on the line of a column."""

    def __init__(self, column: str) -> None:
        super().__init__()
        self.column = column


class FilterChanged(Message):
    """A person typed into the filter."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text


class FilterClosed(Message):
    """A person is done typing; `keep` tells whether the filter stays."""

    def __init__(self, *, keep: bool) -> None:
        super().__init__()
        self.keep = keep


class MessageGiven(Message):
    """A person gave an error message to be explained; `done` if nothing more is to come. `text` is None if
    it is the one that was given before."""

    def __init__(self, text: str | None, *, done: bool = False) -> None:
        super().__init__()
        self.text = text
        self.done = done


class FoundOut(Message):
    """What takes long has been found out in a thread, of a status that may not be the latest by now."""

    def __init__(self, status: Status, found: object) -> None:
        super().__init__()
        self.status = status
        self.found = found


class ComplaintsFound(Message):
    """A message was read: these complaints are in it."""

    def __init__(self, text: str, complaints: tuple[Complaint, ...]) -> None:
        super().__init__()
        self.text = text
        self.complaints = complaints


class SimulateRequested(Message):
    """A person wants to know how operations on a volume would fare; `came_from` is the view they were in."""

    def __init__(self, volume: str, came_from: str = "locks") -> None:
        super().__init__()
        self.volume = volume
        self.came_from = came_from


class ChoiceMade(Message):
    """A person chose something in a field of a form."""

    def __init__(self, field: str, value: str) -> None:
        super().__init__()
        self.field = field
        self.value = value


class Foretold(Message):
    """A scenario has been played to its end, or as far as it was wanted."""

    def __init__(self, told: Told) -> None:
        super().__init__()
        self.told = told


class ButtonPressed(Message):
    """A person pressed a button, known by its id."""

    def __init__(self, button: str) -> None:
        super().__init__()
        self.button = button


class PasteRefused(Message):
    """A person pasted where something has to be typed."""


class RestoreConfirmed(Message):
    """A person confirmed that a broken lock shall be put back, or (`finish`) that what was interrupted shall
    be brought to its end; `entry` is the id of the transaction."""

    def __init__(self, entry: str, *, finish: bool) -> None:
        super().__init__()
        self.entry = entry
        self.finish = finish
