"""What stands between Textual and the terminal."""

from __future__ import annotations

from textual.driver import Driver

from locktop.opening import wipe


def wiping(base: type[Driver]) -> type[Driver]:
    """A driver that wipes the first line away before it takes the screen: it must not be there when that
    is given back."""

    class Wiping(base):  # type: ignore[valid-type,misc]
        def start_application_mode(self) -> None:
            wipe()
            super().start_application_mode()

    return Wiping
