"""What several commands share: the target's arguments, and opening the store it names."""

from __future__ import annotations

import argparse
import importlib
import inspect
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from backuplock.layout import ROOT
from backuplock.target import Target, parse_target
from locktop.config.choose import settle
from locktop.config.file import ConfigFile, config_path, read_config
from locktop.settings import Settings, Usage, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from backuplock.stores.base import Store


def add_target(parser: argparse.ArgumentParser, *, positional: bool = True) -> None:
    """`-t`, and for commands without other arguments the target as an argument too."""
    if positional:
        parser.add_argument(
            "where",
            metavar="TARGET",
            nargs="?",
            help="backup target: s3://bucket@region/path/, azblob://container@core.windows.net/path/, "
            "nfs://host:/share, cifs://host/share, a path; or @NAME, a context of the settings file",
        )
    what = "the same" if positional else "backup target: a URL as Longhorn has it, or a path"
    parser.add_argument("-t", "--target", metavar="TARGET", help=f"{what} (or set LOCKTOP_TARGET)")
    parser.add_argument(
        "-c",
        "--context",
        metavar="NAME",
        action=_Joined,
        help="a context of the settings file (or set LOCKTOP_CONTEXT); for the console several: A,B",
    )
    add_config(parser)


class _Joined(argparse.Action):
    """What is said twice is not said instead: `-c a -c b` is `-c a,b`."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: object,
        option_string: str | None = None,
    ) -> None:
        before = getattr(namespace, self.dest)
        setattr(namespace, self.dest, values if before is None else f"{before},{values}")


def add_config(parser: argparse.ArgumentParser) -> None:
    """`--config`."""
    parser.add_argument(
        "--config", metavar="FILE", help="another settings file (or set LOCKTOP_CONFIG); see locktop config"
    )


def add_budget(parser: argparse.ArgumentParser) -> None:
    """What looking may cost."""
    parser.add_argument("--requests-per-second", metavar="N", help="requests to the store at most (no limit)")
    parser.add_argument(
        "--dollars-per-day", metavar="N", help="what looking may cost at most, where requests cost (2)"
    )
    parser.add_argument(
        "--prices",
        metavar="P",
        help="auto (AWS's on AWS, else free), aws, free, dollars per 1,000 LIST/GET",
    )


def add_clock_error(parser: argparse.ArgumentParser) -> None:
    """`--clock-error`."""
    parser.add_argument(
        "--clock-error",
        metavar="SECONDS",
        help="error assumed of a store's clock that tells nothing of itself (900)",
    )


def settings_of(options: argparse.Namespace) -> Settings:
    """The settings of an invocation, the target from wherever it was given.

    Raises:
        Usage: a value does not have its form, or two targets are given.
    """
    return settle(flags_of(options), os.environ, config_of(options))


def config_of(options: argparse.Namespace) -> ConfigFile:
    """The settings file.

    Raises:
        Usage: it is not as it must be.
    """
    return read_config(config_path(getattr(options, "config", None), os.environ))


def flags_of(options: argparse.Namespace) -> dict[str, object]:
    """What was given on the command line, the target as `target` wherever it stood.

    Raises:
        Usage: two targets are given.
    """
    flags = dict(vars(options))
    where = flags.get("where")
    if where is not None:
        if flags.get("target") is not None:
            raise Usage("two targets are given", advice="name it once, as an argument or after -t")
        flags["target"] = where
    return flags


def add_schema(parser: argparse.ArgumentParser, *modules: str) -> None:
    """`--schema`: print what the fields of the JSON mean, which is what these modules say of themselves."""
    parser.add_argument(
        "--schema", action=_Schema, const=modules, nargs=0, help="what the fields of the JSON mean"
    )


class _Schema(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        texts = [inspect.getdoc(importlib.import_module(module)) for module in self.const]
        if not all(texts):
            raise Usage("this Python drops all documentation", advice="run it without -OO")
        sys.stdout.write("\n\n".join(filter(None, texts)) + "\n")
        parser.exit()


def refuse_targets(words: Iterable[str], command: str) -> None:
    """Refuse a target where the name of a volume, or words of names, are wanted.

    Raises:
        Usage: one of them is a URL or a path that exists.
    """
    for word in words:
        if _is_target(word):
            raise Usage(
                f"{shown(word)!r} looks like a backup target",
                advice=f"a target goes after -t: locktop {command} -t TARGET ...",
            )


def _is_target(word: str) -> bool:
    if "://" in word:
        return True
    try:
        # Claims have slashes too; a folder of that name here does not make one a path.
        pathlike = word.startswith(("/", "./", "../", "~/")) or word in (".", "..", "~")
        path = Path(word).expanduser()
        return path.exists() if pathlike else (path / ROOT).is_dir() and bool(word)
    except (OSError, ValueError, RuntimeError):
        return False


def opener(target: Target, settings: Settings | None = None) -> Callable[[], Store]:
    """Opens the store for reading; nothing is imported or asked before it is called."""

    def open_it() -> Store:
        from backuplock.stores import open_store

        return open_store(target, environ=environ_of(settings))

    return open_it


def environ_of(settings: Settings | None) -> Mapping[str, str]:
    """The environment as the settings want the store to see it."""
    return os.environ if settings is None else settings.environ(os.environ)


def target_of(settings: Settings) -> Target:
    """The parsed target.

    Raises:
        Malformed: none is given, or it does not have a target's form.
    """
    return parse_target(settings.required_target())


def check_mounted(target: Target) -> None:
    """Refuse a share that is not mounted, by the mount table alone; a dead mount is not touched.

    Raises:
        Missing: with the command that mounts it.
    """
    from backuplock.stores.mounts import find_share, not_mounted, read_mounts

    if target.scheme in ("nfs", "cifs") and find_share(target, read_mounts()) is None:
        raise not_mounted(target)


SERVED = "LOCKTOP_SERVED"
"""Set by `locktop serve` for the consoles that it starts: they draw for a browser."""


def is_served() -> bool:
    """Whether this console is shown in a browser."""
    return bool(os.environ.get(SERVED)) and bool(os.environ.get("TEXTUAL_DRIVER"))


FRAMES_PER_S = 120
"""How often the screen is painted at most: what a key changes must not wait for long because something else
was painted just before. Textual's own 60 is 17 ms."""


def needs_terminal(instead: str) -> None:
    """Refuse to draw screens into files and pipes; prepare to draw them on a terminal.

    Raises:
        Usage: naming what to use instead.
    """
    # Textual reads stdin and draws on stderr; without a terminal there it would run for ever, unseen.
    if not all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr)):
        raise Usage("the console needs a terminal", advice=f"use {instead}")
    # Read when Textual is imported.
    os.environ.setdefault("TEXTUAL_FPS", str(FRAMES_PER_S))
