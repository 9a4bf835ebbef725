"""The part of the app by which a person takes something along: to the clipboard, or in a file."""

from __future__ import annotations

import datetime
from pathlib import Path

from backuplock.clock import SECOND
from backuplock.text import ellipsize_middle, printable
from locktop.acting import LONG_S
from locktop.choosing import Choosing
from locktop.copies import Copy, copies
from locktop.exports import FORMS, Export
from locktop.format import Glyphs, name
from locktop.newfile import write_new
from locktop.screens.base import View
from locktop.screens.menu import Entry, MenuScreen
from locktop.settings import Usage

_HINT = 200


class Taking(Choosing, inherit_bindings=False):
    """Copying and exporting what the view on the screen shows."""

    glyphs: Glyphs

    def action_copy_menu(self) -> None:
        """Choose what to copy of the lock or the volume under the cursor."""
        screen = self.screen
        if not isinstance(screen, View):
            return
        here = screen.here
        if here is None:
            self.notify("nothing to copy here: choose a lock or a volume", markup=False, severity="warning")
            return
        board = self.picture.status.board
        context = self.session.badge.name
        store = ("-c", context) if context else ("-t", self.session.url)
        found = copies(here, board, store)
        entries = [Entry(one.name, self._hint(" ".join(one.text.split()))) for one in found]
        self.push_screen(MenuScreen("Copy", entries, lambda at: self._copy(found[at])))

    def _hint(self, words: str) -> str:
        # Cut before it is made printable, which cuts at the end and with a mark of its own.
        return printable(ellipsize_middle(words, _HINT, self.glyphs.ellipsis), limit=10 * _HINT)

    def _copy(self, found: Copy) -> None:
        self.copy_to_clipboard(found.text)
        shown = ellipsize_middle(name(" ".join(found.text.split())), 60, self.glyphs.ellipsis)
        self.notify(f"copied {shown}", markup=False)

    def action_export(self) -> None:
        """Choose a form, and write what the view shows into a file of the folder where one stands."""
        screen = self.screen
        if not isinstance(screen, View):
            return
        found = screen.export
        if found is None:
            self.notify("nothing to export in this view", markup=False, severity="warning")
            return
        at_s = self.session.clock.wall_ns() // SECOND
        stamp = datetime.datetime.fromtimestamp(at_s, datetime.UTC).strftime("%Y%m%dT%H%M%SZ")
        paths = [Path.cwd() / f"locktop-{found.word}-{stamp}.{form}" for form in FORMS]
        entries = [
            Entry(form.upper(), self._hint(str(path))) for form, path in zip(FORMS, paths, strict=True)
        ]
        title = f"Export {found.holds}"
        self.push_screen(MenuScreen(title, entries, lambda at: self._export(found, FORMS[at], paths[at])))

    def _export(self, found: Export, form: str, path: Path) -> None:
        try:
            content = found.make[form]().encode("utf-8", "backslashreplace")
            write_new(path, content, advice="start locktop in another folder")
        except Usage as error:
            self.notify(str(error), markup=False, severity="error", timeout=LONG_S)
            return
        self.notify(f"wrote {found.holds} to {printable(str(path), limit=300)}", markup=False, timeout=LONG_S)
