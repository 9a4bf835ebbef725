"""The files of `deploy/` and the README's commands, read as a cluster reads them."""

from __future__ import annotations

import argparse
import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from locktop.subcommands import COMMANDS, load

TOP = Path(__file__).parents[2]
DEPLOY = TOP / "deploy"


def objects() -> dict[str, list[dict[str, Any]]]:
    """What each manifest declares, by its file's name."""
    return {
        path.name: list(yaml.safe_load_all(path.read_text("utf-8"))) for path in sorted(DEPLOY.glob("*.yaml"))
    }


def pods() -> dict[str, dict[str, Any]]:
    """Each manifest's pod, and that of the README's `kubectl run`, by name."""
    found = {name: pod for name, all_of in objects().items() for one in all_of for pod in _pods_in(one)}
    return {**found, "README.md": overrides()["spec"]}


def overrides() -> dict[str, Any]:
    """What the README's `kubectl run` puts over the pod that it makes."""
    words = kubectl_run()
    given = next(word for word in words if word.startswith("--overrides="))
    found: dict[str, Any] = json.loads(given.partition("=")[2])
    return found


def kubectl_run() -> list[str]:
    """The words of the README's `kubectl run`, as a shell splits them."""
    readme = (TOP / "README.md").read_text("utf-8")
    block = re.search(r"<!-- kubectl-run -->\n```sh\n(.+?)```", readme, re.DOTALL)
    assert block is not None
    return shlex.split(block[1])


def parsed(arguments: list[str]) -> argparse.Namespace:
    """What a command line means, by the command's own parser; an error exits."""
    name = arguments[0] if arguments and arguments[0] in COMMANDS else "console"
    parser = argparse.ArgumentParser(name, allow_abbrev=False)
    load(name).configure(parser)
    return parser.parse_args(arguments if name == "console" else arguments[1:])


def _pods_in(one: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if one["kind"] == "Pod":
        yield one["spec"]
    elif "template" in one["spec"]:
        yield one["spec"]["template"]["spec"]
