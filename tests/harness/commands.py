"""Running commands in this process: output, exit code, and proof that a folder was left as it was."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from locktop import cli


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """stdout as JSON."""
        return json.loads(self.out)


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> Done:
    """Run `locktop` with the arguments."""
    capsys.readouterr()
    code = cli.main(list(arguments))
    out, err = capsys.readouterr()
    return Done(int(code), out, err)


def fingerprint(root: Path) -> dict[str, tuple[int, str]]:
    """Every file and folder below a root: its time and its content."""
    return {
        str(path.relative_to(root)): (
            path.stat().st_mtime_ns,
            hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "",
        )
        for path in sorted(root.rglob("*"))
    }
