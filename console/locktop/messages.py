"""Messages: facts in the past tense, wishes of a person by their intent. They carry values, not widgets."""

from __future__ import annotations

from textual.message import Message

from locktop.session import Event


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
