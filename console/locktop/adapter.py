"""The private names of Textual that the console depends on, all of them, in one place.

A test asserts that they still are what this module takes them for.
"""

from __future__ import annotations

from textual.app import App


class ContainedApp(App[int], inherit_bindings=False):
    """An app that ends quietly when something unforeseen is raised in it.

    Textual would print a traceback with the values of all local variables; whoever started the app gets the
    error as `crash` and decides what to say.
    """

    crash: BaseException | None = None

    def _fatal_error(self) -> None:
        self.crash = self._exception
        # Without anything to print, this ends the app and restores the terminal.
        self.panic()
