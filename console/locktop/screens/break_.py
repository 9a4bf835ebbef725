"""The dialog that breaks locks. Bound to the versions that a person saw; only its button breaks anything, and
only when the preconditions, which are read anew while it is open, and what was typed allow it."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.containers import Container, Horizontal
from textual.css.query import NoMatches
from textual.widgets import Input, Label

from backuplock.breaking import Token
from backuplock.model import Snapshot
from locktop.break_sheet import Form, command, obstacle, prompt, sheet, why_off
from locktop.deeds import Progress, Proposal, Question
from locktop.format import Line, number
from locktop.keys import Place, bindings, footer_keys
from locktop.messages import ButtonPressed, PasteRefused
from locktop.screens.base import Sheet
from locktop.status import Status
from locktop.volume_now import explored_of
from locktop.widgets.bars import Bar, FooterBar, TooSmall
from locktop.widgets.button import Button
from locktop.widgets.painted import width_of
from locktop.widgets.panes import Scroller

ASK_EVERY_S = 2.0
"""How often the preconditions are read anew."""

BESIDE = 7
"""Lines of the dialog beside the sheet: frame, fields, buttons, the footer."""

TALL = 30
"""Lines from which there is room for blank ones; the styles know it as well."""


class Typed(Input):
    """What must be typed by hand: a pasted name proves nothing."""

    def on_paste(self, event: events.Paste) -> None:
        """Take nothing."""
        event.stop()
        event.prevent_default()
        self.post_message(PasteRefused())


class BreakScreen(Sheet):
    """Asks whether locks shall be broken, and does it.

    Args:
        tokens: the versions that were seen. opened: the Snapshot that showed them.
    """

    PLACE: ClassVar[Place] = "break"
    BINDINGS: ClassVar = bindings("break")
    AUTO_FOCUS: ClassVar[str] = "#cancel"

    def __init__(self, tokens: tuple[Token, ...], opened: Snapshot) -> None:
        super().__init__()
        self._opened = opened
        self._form = Form(tokens)
        self._number = 0
        self._asked = False
        self._hint = ""

    @property
    def form(self) -> Form:
        """How it stands."""
        return self._form

    def compose(self) -> ComposeResult:
        """A frame that is like no other."""
        glyphs = self.locktop.glyphs
        many = self._form.many
        with Container(id="danger") as frame:
            frame.border_title = " BREAK LOCKS " if many else " BREAK LOCK "
            yield Scroller(glyphs)
            yield Bar(glyphs, id="says")
            with Horizontal(classes="field"):
                yield Label("confirm", markup=False)
                yield Typed(compact=True, select_on_focus=False, id="typed", disabled=True)
            with Horizontal(classes="field"):
                yield Label("reason", markup=False)
                yield Input(
                    compact=True,
                    select_on_focus=False,
                    max_length=500,
                    placeholder="kept in the audit trail",
                    id="reason",
                )
            with Horizontal(id="buttons"):
                yield Button(glyphs, "Cancel", id="cancel")
                yield Button(glyphs, "Break the locks" if many else "Break the lock", id="break", danger=True)
        yield FooterBar([key for key in footer_keys("break") if key.place == "break"])
        yield TooSmall()

    def on_mount(self) -> None:
        """Ask for the plan, and again while this is open."""
        super().on_mount()
        for field in self.query(Input):
            field.cursor_blink = False
        breaker = self.locktop.session.breaker
        if breaker is None:
            self.dismiss()
            return
        self._number = breaker.number()
        self._form = replace(self._form, even_if_live=breaker.even_if_live)
        self.query_one("#break", Button).switch(on=False)
        if not self._form.many:
            self.locktop.session.attend(self._form.wanted[0].volume)
        self.watch(self.app, "status", self._follow, init=False)
        self.set_interval(ASK_EVERY_S, self._ask)
        self._ask()
        self._show()

    def on_unmount(self) -> None:
        """Look beside what is on the screen again."""
        if self.app.is_running:
            self.locktop.attend()

    # -- the store -> the dialog

    def _ask(self) -> None:
        session = self.locktop.session
        if self._asked or self._form.over or session.breaker is None:
            return
        self._asked = True
        explored = explored_of(self.locktop.status, self._form.wanted[0].volume)
        session.breaker.ask(
            Question(
                self._number,
                self._form.wanted,
                self._opened,
                session.snapshot or self._opened,
                session.tracks,
                explored.around if explored is not None else None,
            )
        )

    def _follow(self, status: Status) -> None:
        """Take what is meant for this dialog."""
        deeds, form = status.deeds, self._form
        if deeds.proposal is not None and deeds.proposal.number == self._number:
            if deeds.proposal is not form.proposal:
                self._asked = False
            form = self._with(deeds.proposal)
        if deeds.progress is not None and deeds.progress.number == self._number:
            form = replace(form, progress=deeds.progress)
        if deeds.acted is not None and deeds.acted.number == self._number and not form.outcomes:
            form = replace(form, outcomes=deeds.acted.outcomes, progress=None)
            self._form = form
            self._end()
            return
        self._form = form
        self._show()

    def _with(self, proposal: Proposal) -> Form:
        """A newer answer. If it is about others of many locks, what was typed was about something else."""
        before, form = self._form, replace(self._form, proposal=proposal)
        if before.many and before.plans and _keys(before) != _keys(form) and before.typed:
            self.query_one(Typed).value = ""
            form = replace(form, typed="")
        return form

    def _end(self) -> None:
        """What went well and is one line is said in a toast; else it is read here."""
        outcomes = self._form.outcomes
        if len(outcomes) == 1 and outcomes[0].done and self.app.screen is self:
            self.dismiss()
            return
        self.query_one("#cancel", Button).rename("Close")
        self.query_one(Scroller).scroll_home(animate=False)
        self._show()

    # -- the dialog -> the screen

    def _show(self) -> None:
        try:
            scroller = self.query_one(Scroller)
        except NoMatches:
            return
        status, glyphs, form = self.locktop.status, self.locktop.glyphs, self._form
        width = max(40, scroller.size.width or 60)
        scroller.show(sheet(form, status, glyphs, width, dense=self.size.height < TALL))
        why = why_off(form, self.locktop.session.clock.mono_ns())
        on = not why
        typed, button, cancel = (
            self.query_one(Typed),
            self.query_one("#break", Button),
            self.query_one("#cancel"),
        )
        if not (on or form.asks) and self.app.focused in (typed, button):
            cancel.focus()
        typed.disabled = not form.asks
        if not on and self.app.focused is button:
            cancel.focus()
        button.switch(on=on)
        self.query_one("#says", Bar).show(self._says(why))

    def _says(self, why: str) -> Line:
        form, warn = self._form, self.locktop.glyphs.warn
        if form.outcomes:
            return [("  esc closes", "dim")]
        if form.progress is not None:
            done, total = number(form.progress.done), number(form.progress.total)
            return [(f"  breaking: {done} of {total} done", "late")]
        if form.proposal is None:
            return [(f"  {obstacle(form)}", "dim")]
        if obstacle(form):
            return [(f"  {warn} {why}", "alert")]
        if not why:
            return [("  the button breaks it: tab to it, then enter", "good")]
        if why == prompt(form):
            return self._asks_for(why)
        return [(f"  {warn} {why}", "late")]

    def _asks_for(self, why: str) -> Line:
        """What is to be typed must be seen in full, however many words there is room for."""
        said = [(self._hint, "late")] if self._hint else [(why, "text")]
        for words, tone in (*said, (prompt(self._form, short=True), "text"), ("type", "text")):
            line: Line = [(f"  {words}:  ", tone), (self._form.to_type, "key")]
            if width_of(line) <= self.query_one("#says", Bar).size.width:
                break
        return line

    def on_resize(self, event: events.Resize) -> None:
        """Wrap anew; whatever is short, fields and buttons are to be seen."""
        super().on_resize(event)
        beside = BESIDE + 2 * (event.size.height >= TALL)
        self.query_one(Scroller).styles.max_height = max(1, event.size.height - beside)
        self.call_after_refresh(self._show)

    # -- what people do

    def on_input_changed(self, event: Input.Changed) -> None:
        """Compare with every character."""
        event.stop()
        self._hint = ""
        if event.input.id == "typed":
            self._form = replace(self._form, typed=event.value)
        self._show()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter in a field does nothing, and says so."""
        event.stop()
        self._hint = "enter breaks nothing here, the button does"
        self._show()

    def on_paste_refused(self, _: PasteRefused) -> None:
        """Say why."""
        self._hint = "type it, do not paste it"
        self._show()

    def on_button_pressed(self, message: ButtonPressed) -> None:
        """Cancel, or do it."""
        if message.button == "cancel":
            self.dismiss()
        elif not why_off(self._form, self.locktop.session.clock.mono_ns()):
            self._break()

    def _break(self) -> None:
        breaker, form = self.locktop.session.breaker, self._form
        if breaker is None or form.proposal is None:
            return
        self._form = replace(form, progress=Progress(self._number, 0, len(form.plans)))
        live = not form.many and not form.plans[0].dead
        before = self.locktop.session.snapshot or self._opened
        reason = self.query_one("#reason", Input).value.strip()
        breaker.break_locks(self._number, form.plans, before, reason=reason, allow_live=live)
        self._show()

    def action_copy_command(self) -> None:
        """Copy the command line that does the same."""
        reason = self.query_one("#reason", Input).value.strip()
        self.app.copy_to_clipboard(command(self._form, self._opened.target, reason))
        self.notify("copied the command line", markup=False)

    def action_field(self, by: int) -> None:
        """The next part, or the one before."""
        self.focus_next("Input, Button") if by > 0 else self.focus_previous("Input, Button")

    def action_scroll(self, by: int) -> None:
        """Scroll by lines."""
        self.query_one(Scroller).scroll_lines(by)

    def action_scroll_page(self, pages: float) -> None:
        """Scroll by pages."""
        scroller = self.query_one(Scroller)
        scroller.scroll_lines(round(scroller.size.height * pages))

    def action_back(self) -> None:
        """Nothing is broken; what has begun goes on, and is told when it has ended."""
        self.dismiss()


def _keys(form: Form) -> list[str]:
    return [plan.token.key for plan in form.plans]
