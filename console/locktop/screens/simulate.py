"""What an operation would meet, before anyone tries it: a scenario, filled in and played on the present
picture of the store, live. Nothing is written anywhere."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from textual import events
from textual.css.query import NoMatches
from textual.widget import Widget
from textual.widgets import Input

from backuplock.model import VolumeView
from backuplock.text import ellipsize_middle
from backuplock.tree import tree_of
from locktop.foretell import (
    Asked,
    Told,
    alike,
    count_lines,
    instead,
    one_lines,
    the_same,
    volume_line,
    whence,
)
from locktop.format import Line, plural
from locktop.keys import Place, bindings
from locktop.messages import ChoiceMade, CursorMoved, DetailsRequested, Foretold, SimulateRequested
from locktop.output.simulate_text import NOTICE
from locktop.player import Player
from locktop.rows import Board
from locktop.scenario import Reading, command, read, read_many
from locktop.screens.base import View
from locktop.screens.locks import LocksScreen
from locktop.settings import Usage
from locktop.status import Status
from locktop.volume_now import view_of
from locktop.widgets.bars import TitleRule
from locktop.widgets.form import Choice
from locktop.widgets.panes import Scroller
from locktop.widgets.picker import Picker
from locktop.widgets.scenario_form import ScenarioForm


class SimulateScreen(View):
    """A form, and under it how it ends: the verdict, the reason, what follows, the timeline."""

    PLACE: ClassVar[Place] = "simulate"
    VIEW: ClassVar[str] = "simulate"
    BINDINGS: ClassVar = bindings("simulate")
    AUTO_FOCUS: ClassVar[str] = "#operation"

    def __init__(self) -> None:
        super().__init__()
        self._came_from = "locks"
        self._many = False
        self._board: Board | None = None
        self._reading = Reading(None, None)
        self._asked: Asked | None = None
        self.told: Told | None = None
        self._drawn: tuple[object, ...] = ()

    def body(self) -> Iterable[Widget]:
        """The form, and the result under a title of its own."""
        glyphs = self.locktop.glyphs
        yield TitleRule(glyphs, id="notice")
        yield ScenarioForm(glyphs)
        yield TitleRule(glyphs, id="outcome")
        yield Scroller(glyphs, id="result")
        yield Picker(glyphs, id="kept-out")

    def on_mount(self) -> None:
        """Play in threads; each ends in one message."""
        self._player = Player(
            self.locktop.session.clock,
            lambda work: self.run_worker(work, thread=True),
            lambda told: self.post_message(Foretold(told)),
        )

    def on_unmount(self) -> None:
        """Nobody waits for what is still being played."""
        self._player.close()

    @property
    def playing(self) -> bool:
        """Whether a scenario is being played; `told` is the last one that was."""
        return self._player.busy

    # -- status -> widgets

    def show_status(self, status: Status) -> None:
        """A new picture is played on; between pictures only its age grows."""
        notice: Line = [*self.view_title(), (NOTICE, "waiting")]
        self.query_one("#notice", TitleRule).show(notice)
        if status.board is not self._board and self._player.rested(status.mono_ns):
            self._consider()
        self._draw(status)

    def _consider(self, *, by_hand: bool = False) -> None:
        """Read the form against the present picture, and have it played."""
        board = self.locktop.status.board
        if board is None:
            return
        self._board = board
        form, fields = self.query_one(ScenarioForm).form, self.query_one(ScenarioForm)
        views, picked = self._volumes(board)
        reading = read_many(form) if self._many else read(form, board.snapshot)
        self._reading = reading
        fields.suggest(None if self._many else board.snapshot)
        fields.show_many(len(views), picked=picked)
        view = reading.view
        tree = tree_of(view, board.now, local_now_ns=board.now.middle) if view is not None else None
        fields.show_volume(view, tree)
        fields.say(reading.problems)
        meant = views if self._many else (view,) if view is not None else ()
        asked = None
        if reading.wish is not None and meant:
            asked = Asked(board, meant, reading.wish, form.operation, self._many)
        if asked is None or not the_same(asked, self._asked):
            self._asked = asked
            self._player.play(asked, at_once=by_hand)

    def _volumes(self, board: Board) -> tuple[tuple[VolumeView, ...], bool]:
        """What a scenario over many is about, and whether a person picked them."""
        screens = self.app.get_screen_stack("locks")
        chosen = next((one.chosen_volumes() for one in screens if isinstance(one, LocksScreen)), None)
        if chosen is None:
            return board.snapshot.volumes, False
        found = (view_of(board.snapshot, volume) for volume in chosen)
        return tuple(view for view in found if view is not None), True

    def on_foretold(self, message: Foretold) -> None:
        """Show it, unless something else was asked meanwhile."""
        self._player.ended(message.told)
        if not message.told.partial and self._asked is not None:
            self.told = message.told
        self._draw(self.locktop.status)

    def _draw(self, status: Status) -> None:
        told = self.told
        current = told is not None and alike(told.asked, self._asked)
        self._draw_title(status, told, current=current)
        drawn = (told, current and not status.outdated, self.app.size.width, self._many)
        lasting = told is not None and told.asked.many == self._many
        if lasting and drawn == self._drawn:
            return
        self._drawn = drawn if lasting else ()
        result = self.query_one("#result", Scroller)
        if told is None or not lasting:
            self.query_one("#kept-out", Picker).show((), [], lambda _key, _width: [])
            result.show(instead(status, self._reading))
            return
        width, glyphs = max(40, self.app.size.width - 2), self.locktop.glyphs
        lines = count_lines(told, width) if told.asked.many else one_lines(told, width, glyphs)
        result.show(lines if drawn[1] else [[(text, "dim") for text, _ in line] for line in lines])
        self._list(told, faded=not drawn[1])

    def _list(self, told: Told, *, faded: bool) -> None:
        """The volumes on which it fails."""
        found, now, glyphs = told.kept_out if told.asked.many else {}, told.asked.now, self.locktop.glyphs
        picker = self.query_one("#kept-out", Picker)

        def paint(key: str, width: int) -> Line:
            return volume_line(*found[key], now, width, glyphs) if key in found else []

        words = "enter looks at one" if found else "nothing is in the way on any of them"
        shown = plural(len(found), "volume") + " where it fails: " if found else ""
        picker.show(tuple(found), [(f" {shown}{words}", "dim")], paint, faded=faded)

    def _draw_title(self, status: Status, told: Told | None, *, current: bool) -> None:
        left: Line = [("Over many volumes" if self._many else "Result", "title")]
        right: Line = []
        if self.playing and not current:
            right = [("playing", "waiting")]
        elif told is not None and told.asked.many == self._many:
            right = whence(told, status, current=current)
        self.query_one("#outcome", TitleRule).show(left, right)

    # -- what people do

    def on_simulate_requested(self, message: SimulateRequested) -> None:
        """Begin with a volume that somebody pointed at."""
        self._came_from, self._many = message.came_from, False
        self.remove_class("-many")
        self.query_one(ScenarioForm).put_volume(message.volume)
        self.query_one("#operation").focus()
        self._consider(by_hand=True)
        self._draw(self.locktop.status)

    def _changed(self) -> None:
        self._consider(by_hand=True)
        self._draw(self.locktop.status)

    def on_choice_made(self, _: ChoiceMade) -> None:
        """Play it anew."""
        self._changed()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Play it anew with every character."""
        event.stop()
        self._changed()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter takes a volume that is suggested, and goes on."""
        event.stop()
        self.action_take()

    def on_descendant_focus(self, _: events.DescendantFocus) -> None:
        """Suggestions come with the field."""
        self._suggest()

    def on_descendant_blur(self, _: events.DescendantBlur) -> None:
        """And go with it."""
        self._suggest()

    def _suggest(self) -> None:
        try:
            form = self.query_one(ScenarioForm)
        except NoMatches:  # the screen is being taken down
            return
        board = self.locktop.status.board
        form.suggest(board.snapshot if board is not None and not self._many else None)
        form.say(self._reading.problems)

    def on_cursor_moved(self, message: CursorMoved) -> None:
        """The list moved; nothing depends on where it stands."""
        message.stop()

    def on_details_requested(self, message: DetailsRequested) -> None:
        """A volume of a list was opened with the mouse."""
        self._take_volume(message.key)

    def _take_volume(self, volume: str) -> None:
        self._many = False
        self.remove_class("-many")
        self.query_one(ScenarioForm).put_volume(volume)
        self.query_one("#operation").focus()
        self._changed()

    @property
    def _list_in_reach(self) -> Picker | None:
        """The list that the keys move in: suggestions while a volume is typed, else the volumes that fail."""
        if self.query_one(ScenarioForm).suggested is not None:
            return self.query_one("#suggestions", Picker)
        return self.query_one("#kept-out", Picker) if self._many else None

    def action_move(self, by: int) -> None:
        """Move in a list, or scroll the result."""
        found = self._list_in_reach
        found.move(by) if found is not None else self.query_one("#result", Scroller).scroll_lines(by)

    def action_move_to(self, end: str) -> None:
        """To an end."""
        self.action_move(-(10**6) if end == "first" else 10**6)

    def action_scroll_page(self, pages: float) -> None:
        """Move or scroll by pages."""
        found: Widget = self._list_in_reach or self.query_one("#result", Scroller)
        self.action_move(round(found.size.height * pages))

    def action_field(self, by: int) -> None:
        """The next field."""
        self.focus_next() if by > 0 else self.focus_previous()

    def action_choose(self, by: int) -> None:
        """Choose something else, where there is a choice."""
        if isinstance(self.focused, Choice):
            self.focused.cycle(by)

    def action_take(self) -> None:
        """Take the volume under the cursor; in a field without a list go on to the next one."""
        found = self._list_in_reach
        in_field = isinstance(self.focused, Input) and self.query_one(ScenarioForm).suggested is None
        if found is not None and found.cursor is not None and not in_field:
            self._take_volume(found.cursor)
        else:
            self.focus_next()

    def action_batch(self) -> None:
        """The same operation over many volumes, or over one again."""
        self._many = not self._many
        self.set_class(self._many, "-many")
        self.query_one("#result" if self._many else "#operation").focus()
        self._changed()

    def action_copy_command(self) -> None:
        """Copy the command line that plays the same."""
        form, board = self.query_one(ScenarioForm).form, self.locktop.status.board
        if self._reading.wish is None or board is None:
            self.notify("there is no scenario to copy yet", markup=False, severity="warning")
            return
        views, picked = self._volumes(board)
        volumes = [view.name for view in views] if picked else None
        try:
            line = command(form, self.locktop.status.url, view=self._reading.view, volumes=volumes)
        except Usage as error:
            self.notify(str(error), markup=False, severity="warning")
            return
        self.app.copy_to_clipboard(line)
        self.notify(f"copied {ellipsize_middle(line, 60, self.locktop.glyphs.ellipsis)}", markup=False)

    async def action_back(self) -> None:
        """Out of the field; from there to where one came from."""
        if isinstance(self.focused, Input | Choice):
            self.query_one("#result").focus()
        elif self._many:
            self.action_batch()
        else:
            await self.app.switch_mode(self._came_from)
