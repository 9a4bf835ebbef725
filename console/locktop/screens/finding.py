"""A view on what may take long to find out: in a thread, where a volume holds hundreds of locks."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Generic, TypeVar, cast

from locktop.messages import FoundOut
from locktop.screens.base import View
from locktop.status import Status
from locktop.volume_now import view_of

MANY = 300
"""Locks from which it is found out in a thread: below that it takes less than a blink."""

Found = TypeVar("Found")


class FindingView(View, Generic[Found]):
    """Subclasses say which `volumes` they tell of, find out in `find_out`, which may run in a thread and
    must only read, and show it from `take` on. While one search runs, only the latest wish is remembered."""

    _finding = False
    _again = False

    def volumes(self) -> Iterable[str]:
        """The volumes that this view tells of."""
        raise NotImplementedError

    def find_out(self, status: Status) -> Found:
        """What is to be shown of a status."""
        raise NotImplementedError

    def take(self, status: Status, found: Found) -> None:
        """What was found out of `status`, which may not be the latest."""
        raise NotImplementedError

    def learn(self, status: Status) -> None:
        """There is news: find out now, or begin to."""
        if not self._is_much(status):
            self.take(status, self.find_out(status))
        elif self._finding:
            self._again = True
        else:
            self._finding = True

            def find() -> None:
                self.post_message(FoundOut(status, self.find_out(status)))

            # A partial would not do: Textual writes down the `repr` of what it is given, whole Snapshots too.
            self.run_worker(find, thread=True)

    @property
    def finding(self) -> bool:
        """Whether something is being found out just now."""
        return self._finding

    def on_found_out(self, message: FoundOut) -> None:
        """Show it; go on with what has come up meanwhile."""
        self._finding = False
        self.take(message.status, cast(Found, message.found))
        if self._again:
            self._again = False
            self.learn(self.locktop.status)
        self.update_now()

    def _is_much(self, status: Status) -> bool:
        if status.board is None:
            return False
        views = (view_of(status.board.snapshot, volume) for volume in dict.fromkeys(self.volumes()))
        return sum(len(view.locks) for view in views if view is not None) > MANY
