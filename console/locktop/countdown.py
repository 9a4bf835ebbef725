"""What `locktop hold` shows: a countdown on a terminal, a line for each change elsewhere."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TextIO

from backuplock.model import Operation
from backuplock.text import printable
from locktop.durations import show_duration
from locktop.holder import Wish
from locktop.output.streams import say

if TYPE_CHECKING:
    from rich.live import Live

_RISE_S = 0.1
"""Remaining time only falls between renewals, but for the grain of what is asked when."""

KEEPS_OUT = {
    Operation.BACKUP: "deletions of its backups; other backups and restores may come in",
    Operation.RESTORE: "deletions of its backups; backups and other restores may come in",
    Operation.DELETE: "backups and restores; other deletions may come in",
}


@dataclass(frozen=True, slots=True)
class View:
    """One moment of a hold; all times in seconds. `left_s`: until it ends by itself, None if never."""

    held_s: float
    remaining_s: float
    left_s: float | None
    renewals: int
    since_renewal_s: float
    late: bool

    @property
    def lost(self) -> bool:
        """Whether the lease is gone."""
        return self.remaining_s <= 0


class Progress:
    """Follows a lease by what remains of it, which rises with each renewal.

    Args:
        key: of the lock file.
        late_s: a renewal that has not come for so long is late.
    """

    def __init__(self, wish: Wish, key: str, *, late_s: float) -> None:
        self.wish = wish
        self.name = key.rpartition("/")[2]
        self._late_s = late_s
        self._remaining: float | None = None
        self._renewed_at = 0.0
        self._renewals = 0

    def at(self, held_s: float, remaining_s: float, left_s: float | None) -> View:
        """The hold at a moment, to be asked once a second or so."""
        if self._remaining is not None and remaining_s > self._remaining + _RISE_S:
            self._renewals += 1
            self._renewed_at = held_s
        self._remaining = remaining_s
        since = held_s - self._renewed_at
        return View(held_s, remaining_s, left_s, self._renewals, since, since > self._late_s)


class Face(Protocol):
    """Where a hold is shown."""

    def show(self, view: View) -> None:
        """This is how it stands."""
        ...

    def remark(self, line: str) -> None:
        """One more line for the person."""
        ...


def summary(progress: Progress, view: View) -> tuple[tuple[str, str], ...]:
    """The countdown's rows: what, and how it stands."""
    wish = progress.wish
    renewed = f"renewed {view.renewals} times" if view.renewals != 1 else "renewed once"
    if view.renewals:
        renewed += f", last {show_duration(view.since_renewal_s)} ago"
    lease = f"{show_duration(view.remaining_s)} left if no renewal succeeds; {renewed}"
    if view.late:
        lease += " - LATE, the store does not answer as it should"
    ends = "Ctrl-C" if view.left_s is None else f"in {show_duration(view.left_s)}, or Ctrl-C"
    rows = [
        ("holding", f"{printable(wish.volume, limit=80)} for {wish.operation}, {progress.name}"),
        ("keeps out", KEEPS_OUT[wish.operation]),
        ("lease", lease),
        ("held for", show_duration(view.held_s)),
        ("released", ends),
    ]
    if wish.note:
        rows.insert(1, ("note", printable(wish.note, limit=200)))
    return tuple(rows)


class Lines:
    """A line for each change of state; `quiet`: only for what is wrong."""

    def __init__(self, progress: Progress, *, quiet: bool) -> None:
        self._progress = progress
        self._quiet = quiet
        self._late: bool | None = None

    def show(self, view: View) -> None:
        if self._late is None:
            if not self._quiet:
                rows = dict(summary(self._progress, view))
                say(f"holding {rows['holding']}; keeps out {rows['keeps out']}")
        elif view.late != self._late:
            left = show_duration(view.remaining_s)
            say(f"renewals are late: the lock is lost in {left}" if view.late else f"renewed: {left} left")
        self._late = view.late

    def remark(self, line: str) -> None:
        say(line)


class Countdown:
    """Rows redrawn in place."""

    def __init__(self, progress: Progress, live: Live) -> None:
        self._progress = progress
        self._live = live
        self._remark = ""

    def show(self, view: View) -> None:
        from rich.table import Table
        from rich.text import Text

        table = Table.grid(padding=(0, 2))
        for what, how in summary(self._progress, view):
            table.add_row(Text(what, "dim"), Text(how, "bold red" if what == "lease" and view.late else ""))
        if self._remark:
            table.add_row("", Text(self._remark, "bold"))
        self._live.update(table, refresh=True)

    def remark(self, line: str) -> None:
        self._remark = line


@contextlib.contextmanager
def face(progress: Progress, stream: TextIO | None, *, quiet: bool) -> Iterator[Face]:
    """What fits the stream."""
    if quiet or stream is None or not stream.isatty() or os.environ.get("TERM") in (None, "", "dumb"):
        yield Lines(progress, quiet=quiet)
        return
    from rich.console import Console
    from rich.live import Live

    console = Console(file=stream, no_color=bool(os.environ.get("NO_COLOR")), markup=False, highlight=False)
    # What was said before stays above, and the closing lines take the countdown's place.
    with Live(console=console, auto_refresh=False, transient=True) as live:
        yield Countdown(progress, live)
