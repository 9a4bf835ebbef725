"""The form of a scenario: a volume, an operation, when, and what happens to others meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Input

from backuplock.model import Operation, Snapshot, VolumeView
from backuplock.tree import Tree
from locktop.format import Glyphs, Line, fit, name, number, plural, type_label
from locktop.scenario import FIELDS, LOCK_FIELDS, Form, suggestions
from locktop.widgets.bars import Bar
from locktop.widgets.form import Choice, Option, Problem, Row, typed
from locktop.widgets.picker import Picker

_NOBODY = Option("", "nobody")
_NO_LOCK = Option("", "no lock")
_ROWS: Mapping[str, Sequence[str]] = {
    "volume": ("volume",),
    "row-operation": ("operation", "at"),
    "row-times": ("lasts", "crash", "patience"),
    "row-also": ("also", "also-at"),
    **{f"row-{which}": (which, which + "-at") for which in LOCK_FIELDS},
}
"""The fields of each row; what is wrong with them is said under it."""


class ScenarioForm(Vertical):
    """Fills a `Form`. It holds what a person filled in, and nothing that follows from it."""

    can_focus = False

    def __init__(self, glyphs: Glyphs) -> None:
        super().__init__(id="scenario")
        self._glyphs = glyphs
        self._snapshot: Snapshot | None = None
        self._found: Mapping[str, VolumeView] = {}

    def compose(self) -> ComposeResult:
        """A row for each group of fields, and a line under each for what is wrong with it."""
        glyphs, operations = self._glyphs, [Option(one.value, one.value) for one in Operation]
        field = typed("its id or claim", id="volume")
        with Vertical(id="one-volume"):
            yield Row((FIELDS["volume"], field), ("", Bar(glyphs, id="called")), id="row-volume")
            yield Picker(glyphs, id="suggestions")
            yield Problem(glyphs, id="problem-volume")
        yield Bar(glyphs, id="many-volumes")
        yield from self._row(
            "row-operation",
            (FIELDS["operation"], Choice(glyphs, operations, id="operation")),
            (FIELDS["at"], typed("now", id="at")),
        )
        yield from self._row(
            "row-times",
            (FIELDS["lasts"], typed("no end", id="lasts")),
            (FIELDS["crash"], typed("never", id="crash")),
            (FIELDS["patience"], typed("once", id="patience")),
        )
        others = Choice(glyphs, [_NOBODY, *operations], id="also")
        yield from self._row("row-also", (FIELDS["also"], others), ("at", typed("now", id="also-at")))
        for which in LOCK_FIELDS:
            choice = Choice(glyphs, [_NO_LOCK], id=which)
            field = typed("now", id=f"{which}-at")
            yield from self._row(f"row-{which}", (FIELDS[which], choice), ("at", field))

    def _row(self, row: str, *parts: tuple[str, Choice | Input]) -> Iterable[Row | Problem]:
        yield Row(*parts, id=row)
        yield Problem(self._glyphs, id="problem-" + row)

    # -- what is filled in

    @property
    def form(self) -> Form:
        """What is filled in now."""
        also = self.query_one("#also", Choice).value
        return Form(
            volume=self.query_one("#volume", Input).value,
            operation=Operation(self.query_one("#operation", Choice).value),
            also=Operation(also) if also else None,
            locks={which: self.query_one("#" + which, Choice).value for which in LOCK_FIELDS},
            times={field.id or "": field.value for field in self.query(Input) if field.id != "volume"},
        )

    def put_volume(self, volume: str) -> None:
        """Fill in a volume; the locks that were chosen are of another one."""
        if volume != self.query_one("#volume", Input).value:
            self.query_one("#volume", Input).value = volume
            for which in LOCK_FIELDS:
                self.query_one("#" + which, Choice).take("")

    @property
    def naming(self) -> bool:
        """Whether the volume is being typed."""
        return self.query_one("#volume", Input).has_focus

    @property
    def suggested(self) -> str | None:
        """The volume under the cursor of the suggestions, None while there are none."""
        picker = self.query_one("#suggestions", Picker)
        return picker.cursor if picker.has_class("-open") else None

    # -- what follows from it, to be seen

    def show_volume(self, view: VolumeView | None, tree: Tree | None) -> None:
        """The names of the volume that is meant, and its locks to choose from."""
        names = view.names if view is not None else None
        called: Line = [("  ", "text")]
        typed_in = self.query_one("#volume", Input).value
        if view is not None and view.name != typed_in:
            called += [(name(view.name), "text"), ("  ", "text")]
        if names is not None and names.claim_path and names.claim_path != typed_in:
            called += [(name(names.claim_path), "key")]
        if view is not None and view.problem:
            called += [("could not be read", "unsure")]
        self.query_one("#called", Bar).show(called)
        nodes = tree.nodes if tree is not None else ()
        locks = [
            Option(node.lock.key, f"{node.number} {type_label(node.lock.record)} {name(node.lock.stem)}")
            for node in nodes
        ]
        none = _NO_LOCK if locks or view is None else Option("", "it has no locks")
        for which in LOCK_FIELDS:
            self.query_one("#" + which, Choice).offer([none, *locks])

    def show_many(self, count: int, *, picked: bool) -> None:
        """How many volumes are meant."""
        whose = "chosen in Locks, by mark or filter" if picked else "all there are"
        line: Line = [(f" {'volumes':<12}", "dim"), (number(count), "strong"), (f"  {whose}", "dim")]
        self.query_one("#many-volumes", Bar).show(line)

    def say(self, problems: Mapping[str, str]) -> None:
        """What is wrong, under the rows it is wrong in."""
        for row, fields in _ROWS.items():
            # While volumes are suggested the list itself says what fits.
            quiet = fields == ("volume",) and self.suggested is not None
            found = [problems[which] for which in fields if which in problems and not quiet]
            self.query_one("#problem-" + row, Problem).say(found[0] if found else "")

    def suggest(self, snapshot: Snapshot | None) -> None:
        """While the volume is typed: those that fit so far."""
        picker, text = self.query_one("#suggestions", Picker), self.query_one("#volume", Input).value
        found: Sequence[VolumeView] = ()
        if self.naming and snapshot is not None:
            known = any(view.name == text for view in self._found.values())
            found = suggestions(snapshot, "" if known and text in self._found else text)
        picker.set_class(bool(found), "-open")
        if not found:
            self._found = {}
            return
        if [view.name for view in found] != list(self._found):
            self._found = {view.name: view for view in found}
            heading: Line = [
                (" " * 14 + plural(len(found), "volume"), "dim"),
                ("   up, down and enter take one", "faint"),
            ]
            picker.show(tuple(self._found), heading, self._painter())
            picker.pick(text if text in self._found else found[0].name)
        else:
            self._found = {view.name: view for view in found}

    def _painter(self) -> Callable[[str, int], Line]:
        def paint(key: str, _width: int) -> Line:
            view = self._found.get(key)
            called = name(view.names.claim_path) if view is not None and view.names else ""
            locks = plural(len(view.locks), "lock") if view is not None and view.locks else ""
            shown = fit(name(key), 44, ellipsis=self._glyphs.ellipsis, middle=True)
            return [(" " * 13 + shown, "text"), (f"  {called}", "key"), (f"  {locks}", "dim")]

        return paint
