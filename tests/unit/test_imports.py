"""What may be imported by whom, in a fresh interpreter: start-up time and a library without a terminal."""

from __future__ import annotations

import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
HEAVY = ("textual", "boto3", "botocore", "rich", "humanize")


def loaded_after(code: str) -> set[str]:
    """Top-level modules that a fresh interpreter has loaded after running `code`."""
    script = (
        f"import sys; sys.path[:0] = {[str(ROOT / 'core'), str(ROOT / 'console')]!r}\n"
        f"{code}\n"
        "print('\\n'.join(sorted({name.partition('.')[0] for name in sys.modules})))"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(ran.stdout.split())


def modules(package: str, source: str) -> list[str]:
    found = pkgutil.walk_packages([str(ROOT / source / package)], f"{package}.")
    return [package, *(module.name for module in found)]


def test_the_library_needs_no_terminal_and_no_boto3() -> None:
    heavy = ("backuplock.stores.s3", "backuplock.stores.azblob")
    light = [name for name in modules("backuplock", "core") if not name.startswith(heavy)]
    assert len(light) > 15
    loaded = loaded_after("\n".join(f"import {name}" for name in light))
    assert loaded.isdisjoint(HEAVY)
    assert "argparse" not in loaded


def test_boto3_comes_with_the_first_s3_store() -> None:
    code = (
        "from backuplock.stores import open_store\n"
        "from backuplock.target import parse_target\n"
        "open_store(parse_target('s3://bucket@eu/path/'),"
        " environ={'AWS_ACCESS_KEY_ID': 'a', 'AWS_SECRET_ACCESS_KEY': 'b'})"
    )
    loaded = loaded_after(code)
    assert "boto3" in loaded
    assert "textual" not in loaded


@pytest.mark.parametrize("argument", ["--version", "--help"])
def test_a_quick_question_imports_nothing_heavy(argument: str) -> None:
    code = (
        "from locktop.cli import main\n"
        "import contextlib, io\n"
        "with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):\n"
        f"    main([{argument!r}])\n"
    )
    assert loaded_after(code).isdisjoint(HEAVY)


def test_the_session_needs_no_textual() -> None:
    assert "textual" not in loaded_after("import locktop.session, locktop.format, locktop.cli")
