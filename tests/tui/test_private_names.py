"""What the console knows of Textual's insides, it knows in one module; and it treads on nothing there."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import textual
from textual.app import App

import locktop
from locktop.adapter import ContainedApp

SELF = re.compile(r"\bself\.(_[a-z]\w*)")
DEFINED = re.compile(r"^ +(?:async )?def (_[a-z]\w*)\(", re.MULTILINE)
FOREIGN = re.compile(r"\b(?!self\b|cls\b|os\b)\w+\.(_[a-z]\w*)")
BASES = ("app", "screen", "widget", "scroll_view", "dom", "message_pump", "containers")


def _modules() -> list[Path]:
    folder = Path(locktop.__file__).parent
    return [
        *sorted((folder / "screens").glob("*.py")),
        *sorted((folder / "widgets").glob("*.py")),
        folder / "app.py",
    ]


def test_no_name_of_ours_is_one_of_textuals_private_ones() -> None:
    folder = Path(textual.__file__).parent
    theirs: set[str] = set()
    for base in BASES:
        source = (folder / f"{base}.py").read_text()
        theirs |= set(SELF.findall(source)) | set(DEFINED.findall(source))
    assert len(theirs) > 300
    for module in _modules():
        source = module.read_text()
        assert not (set(SELF.findall(source)) | set(DEFINED.findall(source))) & theirs, module.name


def test_nobody_reaches_into_another_object() -> None:
    for module in _modules():
        assert not FOREIGN.findall(module.read_text()), module.name


def test_the_private_names_that_the_adapter_uses_are_what_it_takes_them_for() -> None:
    assert inspect.signature(ContainedApp._fatal_error) == inspect.signature(App._fatal_error)
    handler = inspect.getsource(App._handle_exception)
    assert "self._exception = error" in handler
    assert "self._fatal_error()" in handler


async def test_an_error_in_the_app_ends_it_and_is_kept() -> None:
    class Broken(ContainedApp):
        def on_mount(self) -> None:
            raise ZeroDivisionError

    app = Broken()
    try:
        async with app.run_test():
            pass
    except ZeroDivisionError:
        pass
    assert isinstance(app.crash, ZeroDivisionError)
