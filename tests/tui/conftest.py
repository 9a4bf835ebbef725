"""Screens look the same everywhere: nothing of the environment reaches them, nor the report about them."""

from __future__ import annotations

import os
from typing import Any

for _variable in ("TEXTUAL_THEME", "NO_COLOR", "COLORTERM", "TEXTUAL"):
    os.environ.pop(_variable, None)
os.environ["LC_ALL"] = "C.UTF-8"

import pytest_textual_snapshot  # noqa: E402

_Diff = pytest_textual_snapshot.SvgSnapshotDiff


def _without_environment(**fields: Any) -> Any:
    # The plug-in writes the whole environment, secrets included, into its report.
    return _Diff(**{**fields, "environment": {}})


pytest_textual_snapshot.SvgSnapshotDiff = _without_environment
