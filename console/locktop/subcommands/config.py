"""`locktop config`: what the settings are, where they came from, and a file to begin with."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping

from backuplock.target import parse_target
from locktop.config.choose import settle
from locktop.config.example import write_example
from locktop.config.file import ConfigFile, config_path, read_config
from locktop.exits import ExitCode, exit_table
from locktop.output import config as output
from locktop.output.streams import say
from locktop.settings import Usage
from locktop.subcommands.common import add_config, add_schema, flags_of

_EXAMPLES = """\
examples:
  locktop config init                     writes an example, all of it commented out; never over a file
  locktop config show                     each setting, its value, and where it came from
  locktop config show -c prod --json      the same for a context, for scripts
  locktop config contexts                 the named stores, and which of them may be written to
  locktop config check && locktop -c prod
  $EDITOR "$(locktop config path)"

A file has settings for everywhere at its top, and a table [contexts.NAME] for each store:

  context = "staging"                     # counts where none is named
  [contexts.staging]
  target = "nfs://nas.example:/backups"
  write = true
  [contexts.prod]
  target = "s3://backups@us-east-1/prod/"
  profile = "backups"                     # of ~/.aws; credentials never stand in the file
  protected = true                        # a red line in the console

Each stronger than the one before: defaults, the top of the file, the context, variables (LOCKTOP_INTERVAL),
flags. A context is chosen by -c NAME, by @NAME in place of a target, by LOCKTOP_CONTEXT, or by context = in
the file; what it says never holds for a target that is named otherwise.

exit codes:
"""

_PARTS = {
    "show": "each setting and where it came from",
    "contexts": "the contexts of the file",
    "keys": "what keys do in the console, by the ids that [keys] takes",
    "path": "where the file is, or would be",
    "check": "say whether the file is right",
    "init": "write an example there",
}


def configure(parser: argparse.ArgumentParser) -> None:
    """Arguments of `config`."""
    parser.description = "Show settings and contexts. Nothing is asked of any store."
    parser.epilog = _EXAMPLES + exit_table()
    parts = "; ".join(f"{name}: {words}" for name, words in _PARTS.items())
    parser.add_argument("part", metavar="PART", nargs="?", default="show", choices=list(_PARTS), help=parts)
    parser.add_argument("-t", "--target", metavar="TARGET", help="as if it were given to another command")
    parser.add_argument("-c", "--context", metavar="NAME", help="likewise")
    add_config(parser)
    parser.add_argument("--json", action="store_true", help="with show, contexts and keys: one JSON document")
    add_schema(parser, "locktop.output.config")


def run(options: argparse.Namespace) -> int:
    """Show one part."""
    where = config_path(options.config, os.environ)
    if options.json and options.part not in ("show", "contexts", "keys"):
        raise Usage(f"config {options.part} has no JSON", advice="see locktop config --help")
    if options.part == "path":
        sys.stdout.write(f"{where.value}\n")
        return ExitCode.OK
    if options.part == "init":
        write_example(where.value)
        say(f"wrote {where.value}: all of it is commented out, to be made your own")
        return ExitCode.OK
    file = read_config(where)
    if options.part == "show":
        return _show(options, file, where.source)
    if options.part == "contexts":
        return _contexts(options, file, where.source)
    if options.part == "keys":
        return _keys(options, file, where.source)
    return _check(options, file)


def _show(options: argparse.Namespace, file: ConfigFile, source: str) -> int:
    settings = settle(flags_of(options), os.environ, file)
    if settings.target.value is not None:
        # One that holds credentials is refused, and not shown.
        parse_target(settings.target.value)
    if options.json:
        sys.stdout.write(output.document(file, source, "settings", output.settings_json(settings)))
        return ExitCode.OK
    sys.stdout.writelines(f"{line}\n" for line in output.settings_lines(settings))
    _tell_file(file)
    return ExitCode.OK


def _contexts(options: argparse.Namespace, file: ConfigFile, source: str) -> int:
    flags = flags_of(options)
    current = settle(flags, os.environ, file).context.value
    found: list[Mapping[str, object]] = []
    for name, line in file.lines.items():
        settings = settle({"context": name}, os.environ, file)
        found.append(output.context_json(name, settings, current=name == current, line=line))
    if options.json:
        sys.stdout.write(output.document(file, source, "contexts", found))
        return ExitCode.OK
    sys.stdout.writelines(f"{line}\n" for line in output.table(map(output.context_row, found)))
    if not found:
        _tell_file(file)
        if file.found:
            say(f"{file.shown} has no contexts; locktop config --help shows one")
    return ExitCode.OK


def _keys(options: argparse.Namespace, file: ConfigFile, source: str) -> int:
    from locktop.keymap import ids, read_keymap

    keymap = read_keymap(file.keys)
    found = [output.key_json(id_, key, keymap.keys_of(key)) for id_, key in ids().items()]
    if options.json:
        sys.stdout.write(output.document(file, source, "keys", found))
        return ExitCode.OK
    sys.stdout.writelines(f"{line}\n" for line in output.table(map(output.key_row, found)))
    return ExitCode.OK


def _check(options: argparse.Namespace, file: ConfigFile) -> int:
    from locktop.keymap import read_keymap

    settle(flags_of(options), os.environ, file)
    read_keymap(file.keys)
    if not file.found:
        _tell_file(file)
        return ExitCode.MISSING
    count = len(file.contexts)
    say(f"{file.shown} is right: {count} context{'s' * (count != 1)}")
    return ExitCode.OK


def _tell_file(file: ConfigFile) -> None:
    if not file.found:
        say(f"there is no {file.shown}; locktop config init begins one")
